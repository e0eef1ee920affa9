// Package base holds the nouns that the parts of the LSM share: numbers, entries, the order of
// versions, and the iterator over versions that memtables and tables implement.
package base

import (
	"bytes"
	"fmt"

	"github.com/keystone-db/kstone/engine/storage"
)

// Epoch is bumped durably by every open; 24 bits.
type Epoch uint32

// EpochBits and CounterBits split every number that never goes back: epoch · counter.
const (
	EpochBits   = 24
	CounterBits = 40
	// EpochMax is the last epoch; an open that would pass it is refused.
	EpochMax Epoch = 1<<EpochBits - 1
	// CounterMax is the last counter of an epoch.
	CounterMax uint64 = 1<<CounterBits - 1
)

// LSN is the log sequence number of a batch: epoch · counter. Every entry of a batch carries it.
type LSN uint64

// MakeLSN joins epoch and counter.
func MakeLSN(e Epoch, counter uint64) LSN { return LSN(uint64(e)<<CounterBits | counter) }

// Epoch of the LSN.
func (l LSN) Epoch() Epoch { return Epoch(l >> CounterBits) }

// Counter of the LSN.
func (l LSN) Counter() uint64 { return uint64(l) & CounterMax }

func (l LSN) String() string { return fmt.Sprintf("%d.%d", l.Epoch(), l.Counter()) }

// ObjectNum numbers tables, manifests, spills and extents: epoch · counter, never used twice.
type ObjectNum uint64

func (n ObjectNum) String() string {
	return fmt.Sprintf("%d.%d", uint64(n)>>CounterBits, uint64(n)&CounterMax)
}

// Kind of an entry. On disk: never renumber.
type Kind uint8

const (
	// KindPut is a value.
	KindPut Kind = 1
	// KindTombstone is a deletion.
	KindTombstone Kind = 2
)

// StripeCount is the number of stripes. On disk: never change.
const StripeCount = 256

// StripeOf returns the stripe of a key: byte 12, or 0 for keys under 13 bytes.
func StripeOf(key []byte) uint8 {
	if len(key) < storage.PrefixBytes+1 {
		return 0
	}
	return key[storage.PrefixBytes]
}

// Entry is one version of a key.
type Entry struct {
	Key   []byte
	LSN   LSN
	Kind  Kind
	Value []byte // nil for a tombstone
}

// Compare orders versions: by key, then newest first.
func Compare(aKey []byte, aLSN LSN, bKey []byte, bLSN LSN) int {
	if c := bytes.Compare(aKey, bKey); c != 0 {
		return c
	}
	switch {
	case aLSN > bLSN:
		return -1
	case aLSN < bLSN:
		return 1
	}
	return 0
}

// Iterator walks versions in the order of Compare, both ways. All positioning methods return
// whether the iterator stands on an entry; an error makes them return false and shows in Err.
// Slices are valid until the next positioning call.
type Iterator interface {
	First() bool
	Last() bool
	// SeekGE moves to the first version whose key is at or after key.
	SeekGE(key []byte) bool
	// SeekLT moves to the last version whose key is before key.
	SeekLT(key []byte) bool
	Next() bool
	Prev() bool
	Valid() bool
	Key() []byte
	LSN() LSN
	Kind() Kind
	Value() []byte
	Err() error
	Close() error
}

// CorruptError says what did not verify and where. errors.Is(err, storage.ErrCorrupt) holds. The reason has
// no keys or values in it: clients see it.
type CorruptError struct {
	Region string // "superblock", "wal", "manifest", "table", "spill"
	Offset int64  // in the file
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt %s at offset %d: %s", e.Region, e.Offset, e.Reason)
}

// ClientText is what a client may know: no keys and no values are in it.
func (e *CorruptError) ClientText() string { return "Stored data are damaged: " + e.Error() }

// Is makes errors.Is(err, storage.ErrCorrupt) hold.
func (e *CorruptError) Is(target error) bool { return target == storage.ErrCorrupt }
