// Package changelog keeps what a table's items were before each change, so that the table can be read as
// it was at an earlier moment, and the changes between two moments can be told.
//
// A table has a log while somebody needs one: point-in-time recovery, or a task that reads the table as of
// a cut. With every change of an item, in the same update, a row is written that holds the item as it was
// before, its absence included. Such history rows lie in the order of the items and not of the changes
// (package key): so reading a table as of a cut is one pass over two or more sorted ranges side by side,
// with bounded memory, from any item on, on whatever snapshot, however large a partition is and however
// much was written since.
//
// A cut is a Seq: what updates with that Seq or a later one wrote did not happen. An item as of a cut is what
// the first of its history rows from there on holds, or what is stored when there is none. Marks say which
// moment a cut was: each is written by the first update of a millisecond, and the cut of a time is the
// lowest Seq of a mark with a later time.
//
// A log consists of generations, each under a sub for its history rows and one for its marks, so that old
// ones can be dropped as ranges. Which there are stands in the table's record, and is read from the same
// snapshot as the rows.
//
// The value of a history row, integers big-endian:
//
//	| version 1B | flags 1B | time 8B, ms since 1970 | the item before, unless it was absent |
package changelog

import (
	"encoding/binary"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	recordVersion = 1
	headerBytes   = 10
)

// Flags of a history row. On disk: never renumber.
const (
	// flagBefore: the item was there before the change.
	flagBefore = 1
	// flagAfter: it was there afterwards.
	flagAfter = 2
)

// SlackMs is how much older the time of a change may be than those of changes that come before it, in
// milliseconds: a write takes its time first and waits for its keys and a Seq afterwards.
const SlackMs = 60_000

// Change is that of one item in one update.
type Change struct {
	// Item is its key in the store.
	Item []byte
	// Before is what was stored, nil for nothing; it may be storage's.
	Before attr.Item
	// After says whether something is stored afterwards.
	After bool
	// AtMs is the time of the update, in milliseconds since 1970.
	AtMs int64
}

// Write writes the history row of a change, in the update that makes it, under a sub of the table.
func Write(tx storage.Tx, sub uint32, c *Change) {
	var flags byte
	if c.Before != nil {
		flags |= flagBefore
	}
	if c.After {
		flags |= flagAfter
	}
	v := append(make([]byte, 0, headerBytes+len(c.Before)), recordVersion, flags)
	v = binary.BigEndian.AppendUint64(v, uint64(c.AtMs))
	k := make([]byte, 0, len(c.Item)+keyRoom)
	tx.Put(key.AppendHistory(k, sub, c.Item, uint64(tx.Seq())), append(v, c.Before...))
}

// keyRoom is what a history row's key is longer than that of its item, few escaped bytes included.
const keyRoom = 16

// WriteMark writes the mark of an update that is made at a time, under a sub of the table.
func WriteMark(tx storage.Tx, table uint64, sub uint32, ms int64) {
	tx.Put(key.AppendMark(nil, table, sub, ms, uint64(tx.Seq())), []byte{})
}

// version is one history row as it is read.
type version struct {
	before bool
	item   attr.Item // shares the row's memory
	after  bool
	atMs   int64
}

func decode(b []byte) (version, error) {
	if len(b) < headerBytes {
		return version{}, fmt.Errorf("changelog: history row of %d bytes: %w", len(b), storage.ErrCorrupt)
	}
	if b[0] > recordVersion {
		return version{}, fmt.Errorf("changelog: history version %d is newer than this program", b[0])
	}
	v := version{
		before: b[1]&flagBefore != 0, after: b[1]&flagAfter != 0, atMs: int64(binary.BigEndian.Uint64(b[2:])),
	}
	if v.before {
		v.item = attr.Item(b[headerBytes:])
	}
	return v, nil
}

// Check says what is wrong with a history row by itself; "" for nothing. last is the highest Seq that was
// given out, keyOf makes the key of an item.
func Check(k, v []byte, last uint64, keyOf func(attr.Item) ([]byte, bool)) string {
	item, seq, ok := key.SplitHistory(nil, k)
	if !ok {
		return "a key that is none of a history row"
	}
	row, err := decode(v)
	switch {
	case err != nil:
		return "a history row that cannot be read"
	case seq > last:
		return "its sequence number was not given out yet"
	case !row.before:
		return ""
	case attr.CheckItem(row.item) != nil:
		return "the item in a history row is malformed"
	}
	if own, ok := keyOf(row.item); !ok || string(own) != string(item) {
		return "a history row holds another item"
	}
	return ""
}
