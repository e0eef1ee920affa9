// Package storage is the narrow contract between the semantics and whatever keeps the bytes.
//
// It is byte-level and small: ordered keys, atomic updates of keys that are named up front, short
// snapshots, and one source of order. The embedded LSM, the in-memory map of memstore and, later,
// distributed engines stand behind it without a line changing above. The package storagetest
// states every property of the contract as a test.
//
// The rules that everyone above relies on:
//
//   - An update names its keys up front and does no range reads. Naming a key protects it, even
//     when it is absent or only read: every other write of that exact key is ordered wholly before
//     or after. Storage sorts and locks; nobody above does.
//   - fn may run several times and is pure: no I/O, sleep, clock, randomness or metrics inside;
//     results leave through variables that it overwrites.
//   - What an update or batch writes is visible and durable at once or not at all. Update is
//     strictly serializable, Get is linearizable.
//   - Seq and Watermark are the only source of order for streams.
//   - Above this package only ranges are known, never stripes, files or paths.
package storage

import (
	"bytes"
	"context"
	"time"
)

// Limits of the contract. A backend may allow more, never less.
const (
	// KeyMaxBytes is the longest key.
	KeyMaxBytes = 7400
	// ValueMaxBytes is the longest value: 1 MiB. A legal item in binary form is at most 832 KiB.
	ValueMaxBytes = 1 << 20
	// HeadBytes is the length of the head that every key begins with: space 8, sub 4, hash 4.
	HeadBytes = 16
	// PrefixBytes is the part of the head before the hash; counts are kept per such prefix.
	PrefixBytes = 12
)

// Seq orders updates for streams. It grows along each named key and never repeats, crashes and
// aborted updates included. Zero is before every Seq.
type Seq uint64

// Value is the newest value of a key. Absent keys have Present == false and a nil Data.
type Value struct {
	// Data is owned by storage and must not be changed. From Get and GetMany it may be kept;
	// from Tx.Value it is valid until fn returns unless copied into a Put.
	Data    []byte
	Present bool
}

// Range is the half-open key range [Start, End). A nil End means no upper bound.
type Range struct {
	Start, End []byte
}

// Contains says whether key lies in the range.
func (r Range) Contains(key []byte) bool {
	return bytes.Compare(key, r.Start) >= 0 && (r.End == nil || bytes.Compare(key, r.End) < 0)
}

// Named is a key that an update protects.
type Named struct {
	Key []byte
	// Shared: the update only reads the key; updates that share it do not wait for each other.
	Shared bool
	// NoWait: refuse with Conflict instead of waiting while a Multi update holds this key or wrote
	// its newest version, not yet visible. Set for items and tokens, never for guard keys.
	NoWait bool
}

// UpdateOptions modify one update or batch.
type UpdateOptions struct {
	// Multi marks a transaction; Conflict reports it and NoWait refuses because of it.
	Multi bool
	// NotAfter bounds the commit by a catalog lease on a shared store; zero means no bound.
	NotAfter time.Time
}

// Freshness of a snapshot.
type Freshness uint8

const (
	// Newest sees everything that was acknowledged before the snapshot was asked for.
	Newest Freshness = iota
	// Recent may be a little behind where that is cheaper (a shared store); the LSM ignores it.
	Recent
)

// SnapshotOptions say what a snapshot is for.
type SnapshotOptions struct {
	Freshness Freshness
	// Hold is how long the snapshot will be used; zero means one page.
	Hold time.Duration
	// Owner says in a word or two who uses it, for whoever asks what keeps old versions alive. A
	// constant: one for each kind of use, not for each snapshot.
	Owner string
}

// IterOptions direct an iterator.
type IterOptions struct {
	Reverse bool
	// LimitHint is the number of entries that the caller expects to take; zero means unknown.
	LimitHint int
	// KeepValues: the caller keeps values beyond the next step. They stay valid and unchanged, at
	// the price of the memory that they lie in; a backend that cannot share its memory copies them.
	KeepValues bool
	// Once is a hint: the caller goes through very much of which little will be asked for again soon,
	// as a scan does. Caches are better left to other readers.
	Once bool
}

// Stats are approximate figures of a range.
type Stats struct {
	Keys  int64
	Bytes int64 // keys and values, before compression
	// Exact is true where the figures count every live key once.
	Exact bool
}

// Limits of one backend.
type Limits struct {
	MaxKey, MaxValue int           // bytes
	MaxUpdate        int           // bytes of an encoded batch; at least 256 MiB on the LSM
	MaxSnapshotAge   time.Duration // zero: no limit
	Shared           bool          // several processes use the backend at once
}

// Tx is what fn sees of its update.
//
// Put and Delete take ownership of nothing: key and value are copied by the backend before fn's
// caller returns; they must stay unchanged until Update returns. A key that is not named may be
// written only when a named key that is not Shared guards it; it is never read here.
type Tx interface {
	// Value of the i-th named key, in the order in which Update was given them.
	Value(i int) Value
	Put(key, value []byte)
	Delete(key []byte)
	// Seq of this update, the same at each call of one run of fn.
	Seq() Seq
}

// Op is one blind write of a Batch.
type Op struct {
	Key    []byte
	Value  []byte
	Delete bool
	// NoWait is that of Named, for this key.
	NoWait bool
}

// Batch is a list of blind writes, applied atomically. A later op on the same key wins.
type Batch struct {
	Ops []Op
}

// Put adds a blind put. Key and value must stay unchanged until Apply returns.
func (b *Batch) Put(key, value []byte) { b.Ops = append(b.Ops, Op{Key: key, Value: value}) }

// Delete adds a blind delete.
func (b *Batch) Delete(key []byte) { b.Ops = append(b.Ops, Op{Key: key, Delete: true}) }

// Store is one database's bytes. All methods are safe for concurrent use; contexts are honoured
// until the write is in the log. Errors are of the closed list in errors.go, a context's error, or
// fn's own error unchanged.
type Store interface {
	// Get returns the newest committed value, linearizable.
	Get(ctx context.Context, key []byte) (Value, error)
	// Snapshot opens a consistent view. Close it: it pins space.
	Snapshot(ctx context.Context, opts SnapshotOptions) (Snapshot, error)
	// Update runs fn on one consistent state of the named keys and commits what it wrote.
	Update(ctx context.Context, named []Named, opts UpdateOptions, fn func(Tx) error) error
	// Apply commits a blind batch atomically.
	Apply(ctx context.Context, batch *Batch, opts UpdateOptions) error
	// DropRange removes a dead range: resumable, idempotent, not atomic. The caller promises that
	// nothing is written into or read from it again.
	DropRange(ctx context.Context, r Range) error
	// Stats estimates a range.
	Stats(ctx context.Context, r Range) (Stats, error)
	// Watermark waits until it is above after and returns it; after 0 answers at once. Nothing
	// with a Seq at or below it appears later.
	Watermark(ctx context.Context, after Seq) (Seq, error)
	// Presplit hints at where keys will fall; the LSM ignores it.
	Presplit(ctx context.Context, keys [][]byte) error
	Limits() Limits
	Close() error
}

// Snapshot is a consistent view. It is safe for concurrent use; its iterators are not.
type Snapshot interface {
	Get(ctx context.Context, key []byte) (Value, error)
	// GetMany returns one Value for each key, in order.
	GetMany(ctx context.Context, keys [][]byte) ([]Value, error)
	Iter(ctx context.Context, r Range, opts IterOptions) (Iterator, error)
	Close()
}

// Iterator walks a range in key order, or backwards with IterOptions.Reverse. It starts before the
// first entry.
//
//	for it.Next() { use(it.Key(), it.Value()) }
//	if err := it.Err(); err != nil { ... }
type Iterator interface {
	Next() bool
	// Key and Value are valid until the next call of Next or Close; copy what outlives it, unless
	// IterOptions.KeepValues was set, which is for values only.
	Key() []byte
	Value() []byte
	Err() error
	Close()
}

// FilterPrefix returns the part of a key that a bloom filter keeps beside the whole key: head and
// partition part (length 2 big-endian, bytes). A key that has no such part yields itself whole.
func FilterPrefix(key []byte) []byte {
	if len(key) < HeadBytes+2 {
		return key
	}
	n := HeadBytes + 2 + int(key[HeadBytes])<<8 + int(key[HeadBytes+1])
	if n > len(key) {
		return key
	}
	return key[:n]
}
