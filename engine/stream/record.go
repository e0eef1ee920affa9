// Package stream keeps the change records of tables: their keys and bytes, sequence numbers, shard
// iterators, and reading.
//
// A record is written in the same update as the item whose change it tells, under keys that begin
// with the Seq of that update, so that records lie in their order:
//
//	| head 16B | seq 8B | part 2B | kind 1B |        integers big-endian
//
// The head has the space of the stream, sub 0, and as hash the first one of the slot: the range of
// partition key hashes, one of schema.Stream.Slots equal ones, in which the item's hash lies. Part
// tells apart the records of one update. Kind 0 is the record itself, 1 the new image, 2 the old
// one, each alone under its key because of storage's limit on values; an image is the item. Of the
// record the value is
//
//	| version 1B | event 1B | flags 1B | time 8B, ms since 1970 | keys: an item |
//
// In a feed a flag says that two bytes are between time and keys: the microseconds of the millisecond.
//
// Readers ask for the watermark before they take their snapshot and stop at it: nothing with a Seq
// at or below it appears later, so nothing is missed and nothing is seen twice.
package stream

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// Views are the service's words for what records hold beside the keys.
const (
	ViewKeys = "KEYS_ONLY"
	ViewNew  = "NEW_IMAGE"
	ViewOld  = "OLD_IMAGE"
	ViewBoth = "NEW_AND_OLD_IMAGES"
)

// event is what happened to an item. On disk: never renumber.
type event uint8

const (
	eventInsert event = 1
	eventModify event = 2
	eventRemove event = 3
)

// name is the service's word.
func (e event) name() string {
	switch e {
	case eventInsert:
		return "INSERT"
	case eventModify:
		return "MODIFY"
	}
	return "REMOVE"
}

// kind is what lies under a key. On disk: never renumber.
type kind uint8

const (
	kindRecord   kind = 0
	kindNewImage kind = 1
	kindOldImage kind = 2
)

// flagExpired marks the removal of an item whose time to live was over. On disk: never renumber.
const flagExpired = 1

// flagMicros says that the microseconds are there. On disk: never renumber.
const flagMicros = 2

const (
	recordVersion = 1
	seqBytes      = 8
	partBytes     = 2
	keyBytes      = storage.HeadBytes + seqBytes + partBytes + 1
	headerBytes   = 3 + 8
	microsBytes   = 2
)

// Target is where the records of a table go.
type Target struct {
	ID    uint64
	Slots uint32
	View  string
	// Micros keeps the time to the microsecond.
	Micros bool
}

// Change is what one update did to one item.
type Change struct {
	// Old and New are the item before and after, nil for absent; not both are.
	Old, New attr.Item
	// Expired: the item was removed because its time to live was over.
	Expired bool
	// At is the time of the change.
	At time.Time
	// Part tells the records of one update apart.
	Part uint16
}

// Write writes the record of a change in the update that makes it. hash is that of the item's key.
// Old and New may be storage's: what is kept of them is copied.
func Write(tx storage.Tx, to Target, k *schema.Key, hash uint32, c *Change) {
	at := Position{Seq: tx.Seq(), Part: c.Part}
	slot := schema.SlotOf(hash, to.Slots)
	tx.Put(appendKey(nil, to.ID, slot, to.Slots, at, kindRecord), encode(k, c, to.Micros))
	if c.New != nil && (to.View == ViewNew || to.View == ViewBoth) {
		tx.Put(appendKey(nil, to.ID, slot, to.Slots, at, kindNewImage), c.New.Clone())
	}
	if c.Old != nil && (to.View == ViewOld || to.View == ViewBoth) {
		tx.Put(appendKey(nil, to.ID, slot, to.Slots, at, kindOldImage), c.Old.Clone())
	}
}

func encode(k *schema.Key, c *Change, micros bool) []byte {
	what, item, flags := eventModify, c.New, byte(0)
	switch {
	case c.Old == nil:
		what = eventInsert
	case c.New == nil:
		what, item = eventRemove, c.Old
	}
	if c.Expired {
		flags |= flagExpired
	}
	if micros {
		flags |= flagMicros
	}
	b := append(make([]byte, 0, headerBytes+keysRoom), recordVersion, byte(what), flags)
	b = binary.BigEndian.AppendUint64(b, uint64(c.At.UnixMilli()))
	if micros {
		b = binary.BigEndian.AppendUint16(b, uint16(c.At.UnixMicro()-1000*c.At.UnixMilli()))
	}
	return append(b, keysOf(k, item)...)
}

// keysRoom is enough for most keys.
const keysRoom = 64

// keysOf is the item cut down to its key.
func keysOf(k *schema.Key, item attr.Item) attr.Item {
	names := make([]string, 0, 2)
	for i := range k.Len() {
		names = append(names, k.At(i).Name)
	}
	if len(names) == 2 && names[0] > names[1] {
		names[0], names[1] = names[1], names[0]
	}
	return item.Project(names)
}

// appendHead appends the head of all keys of a slot.
func appendHead(dst []byte, id uint64, slot, slots uint32) []byte {
	from, _ := key.SegmentBounds(uint64(slot), uint64(slots))
	return key.AppendHead(dst, key.StreamSpace(id), 0, uint32(from))
}

func appendKey(dst []byte, id uint64, slot, slots uint32, at Position, k kind) []byte {
	if dst == nil {
		dst = make([]byte, 0, keyBytes)
	}
	return append(appendPosition(appendHead(dst, id, slot, slots), at), byte(k))
}

func appendPosition(dst []byte, at Position) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(at.Seq))
	return binary.BigEndian.AppendUint16(dst, at.Part)
}

// Range covers the records of a slot from one Seq to another, both inclusive.
func Range(s *schema.Stream, slot uint32, from, to uint64) storage.Range {
	r := storage.Range{Start: appendHead(nil, s.ID, slot, s.Slots)}
	r.End = binary.BigEndian.AppendUint64(append([]byte(nil), r.Start...), to+1)
	r.Start = binary.BigEndian.AppendUint64(r.Start, from)
	return r
}

// Record is one change as it is read.
type Record struct {
	At     Position
	Event  string
	TimeMs int64
	// Micros are the microseconds of the millisecond, if the stream keeps them.
	Micros  uint16
	Expired bool
	Keys    attr.Item
	// New and Old are the images that the stream holds, nil when it does not.
	New, Old attr.Item
}

// Size is that of the keys and images by the rules of item sizes.
func (r *Record) Size() int {
	n := r.Keys.Size()
	if r.New != nil {
		n += r.New.Size()
	}
	if r.Old != nil {
		n += r.Old.Size()
	}
	return n
}

// stored is how many bytes the values of the record take.
func (r *Record) stored() int { return headerBytes + len(r.Keys) + len(r.New) + len(r.Old) }

// decodeKey takes the position and kind from a key.
func decodeKey(k []byte) (Position, kind, error) {
	if len(k) != keyBytes {
		return Position{}, 0, fmt.Errorf("stream: key of %d bytes: %w", len(k), storage.ErrCorrupt)
	}
	b := k[storage.HeadBytes:]
	at := Position{
		Seq:  storage.Seq(binary.BigEndian.Uint64(b)),
		Part: binary.BigEndian.Uint16(b[seqBytes:]),
	}
	return at, kind(b[seqBytes+partBytes]), nil
}

// decode reads the value of a record; the keys share its memory.
func decode(at Position, b []byte) (Record, error) {
	if len(b) < headerBytes {
		return Record{}, fmt.Errorf("stream: record of %d bytes: %w", len(b), storage.ErrCorrupt)
	}
	if b[0] > recordVersion {
		return Record{}, fmt.Errorf("stream: record version %d is newer than this program", b[0])
	}
	r := Record{
		At: at, Event: event(b[1]).name(), Expired: b[2]&flagExpired != 0,
		TimeMs: int64(binary.BigEndian.Uint64(b[3:])), Keys: attr.Item(b[headerBytes:]),
	}
	if b[2]&flagMicros != 0 {
		if len(r.Keys) < microsBytes {
			return Record{}, fmt.Errorf("stream: record of %d bytes: %w", len(b), storage.ErrCorrupt)
		}
		r.Micros, r.Keys = binary.BigEndian.Uint16(r.Keys), r.Keys[microsBytes:]
	}
	return r, nil
}
