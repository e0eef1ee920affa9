// Package memtable keeps the newest writes of one stripe in memory: key → chain of immutable
// versions, newest first.
//
// # Locking
//
// A Memtable has no lock of its own. The stripe that owns it has one sync.RWMutex: Insert needs
// it held for writing, every other method for reading. Iterators take the read lock themselves,
// for the microseconds in which they copy the references of at most 64 keys, and hold nothing
// between the calls; they are given the stripe's mutex, or nil once the memtable is frozen (then
// nobody inserts, and nothing needs a lock).
//
// # Ownership
//
// Insert copies key and value. A *Version, its key and its value are never changed once they are
// in the memtable: they may be read without any lock and kept (the garbage collector frees them).
// A chain that loses a version is rebuilt, never edited, since readers share it.
package memtable

import (
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// EntryOverheadBytes is counted for each version on top of its key and value.
const EntryOverheadBytes = 75

// Version is one version of a key. It is never changed.
type Version struct {
	data   []byte // key, then value
	older  *Version
	lsn    base.LSN
	keyLen uint32
	kind   base.Kind
	multi  bool
}

// Key must not be changed.
func (v *Version) Key() []byte { return v.data[:v.keyLen:v.keyLen] }

// Value must not be changed; it is empty for a tombstone.
func (v *Version) Value() []byte { return v.data[v.keyLen:] }

// LSN of the batch that wrote the version.
func (v *Version) LSN() base.LSN { return v.lsn }

// Kind of the version.
func (v *Version) Kind() base.Kind { return v.kind }

// Multi says that a transaction wrote the version. It means something only above visible.
func (v *Version) Multi() bool { return v.multi }

// Memtable of one stripe. The package comment says which lock guards it.
type Memtable struct {
	bytes          int64
	versions       int
	minLSN, maxLSN base.LSN
}

// New returns an empty memtable.
func New() *Memtable { return &Memtable{} }

// Insert adds a version and drops those older versions of the key that merge.Droppable gives up at
// horizon. Key and value are copied. Versions of a key come in LSN order, since the key is locked;
// an equal LSN replaces (a replay, or a later op of the same batch). It returns by how much
// Bytes grew; negative when more was dropped than added.
func (m *Memtable) Insert(e base.Entry, multi bool, horizon base.LSN) int64 { return 0 }

// Newest version of the key, tombstones and versions above visible included; nil if there is none.
func (m *Memtable) Newest(key []byte) *Version { return nil }

// Get returns the newest version of the key with an LSN of at most maxLSN, tombstones included; nil
// if there is none.
func (m *Memtable) Get(key []byte, maxLSN base.LSN) *Version { return nil }

// Bytes held: keys, values and EntryOverheadBytes for each version.
func (m *Memtable) Bytes() int64 { return m.bytes }

// Versions held.
func (m *Memtable) Versions() int { return m.versions }

// Empty says that nothing was inserted.
func (m *Memtable) Empty() bool { return m.versions == 0 }

// MinLSN is the smallest LSN ever inserted; 0 when empty. It pins the tail of the log.
func (m *Memtable) MinLSN() base.LSN { return m.minLSN }

// MaxLSN is the largest LSN ever inserted; 0 when empty.
func (m *Memtable) MaxLSN() base.LSN { return m.maxLSN }

// PrefixCount is what a memtable holds under one 12-byte prefix.
type PrefixCount struct {
	Prefix     []byte // shorter for shorter keys; must not be changed
	Keys       int64  // whose newest version is a value
	Tombstones int64  // keys whose newest version is a tombstone
	Bytes      int64  // keys and values of the newest versions
}

// Prefixes calls fn for each prefix, in order.
func (m *Memtable) Prefixes(fn func(PrefixCount)) {}

// IterOptions say what an iterator shows.
type IterOptions struct {
	// MaxLSN, when not 0, leaves of each key only the newest version at or below it. With 0 all
	// versions are shown, as a flush wants them.
	MaxLSN base.LSN
}

// NewIter returns an iterator. mu is the stripe's mutex, not held by the caller during any call of
// the iterator; nil for a frozen memtable.
func (m *Memtable) NewIter(mu *sync.RWMutex, opts IterOptions) base.Iterator { return nil }
