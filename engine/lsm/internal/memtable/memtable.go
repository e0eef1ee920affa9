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
//
// # Structure
//
// One B+-tree for each 12-byte prefix (a table, an index, a stream), in prefix order; a stripe has
// few. See tree.
package memtable

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/storage"
)

// EntryOverheadBytes is counted for each version on top of its key and value: 48 of the version,
// the rest for its share of a leaf that is two thirds full.
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

func newVersion(e base.Entry, multi bool) *Version {
	data := make([]byte, len(e.Key)+len(e.Value))
	copy(data[copy(data, e.Key):], e.Value)
	return &Version{
		data: data, lsn: e.LSN, keyLen: uint32(len(e.Key)), kind: e.Kind, multi: multi,
	}
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

// at returns the newest version of the chain with an LSN of at most maxLSN.
func (v *Version) at(maxLSN base.LSN) *Version {
	for v != nil && v.lsn > maxLSN {
		v = v.older
	}
	return v
}

func (v *Version) cost() int64 { return int64(len(v.data)) + EntryOverheadBytes }

// Memtable of one stripe. The package comment says which lock guards it.
type Memtable struct {
	trees          []*tree      // by prefix
	marks          []prefixMark // of trees: a search stays inside one line or two of the cache
	bytes          int64
	versions       int
	minLSN, maxLSN base.LSN
	// places counts the keys added: an iterator whose number is still right may go on from the leaf
	// where it stopped.
	places uint64
}

// New returns an empty memtable.
func New() *Memtable { return &Memtable{} }

func prefixOf(key []byte) []byte { return key[:min(len(key), storage.PrefixBytes)] }

// prefixMark stands for a prefix: marks order as prefixes do.
type prefixMark struct {
	head uint64 // the first eight bytes, zeros behind a short prefix
	tail uint32 // the other four
	size uint32
}

func markPrefix(prefix []byte) prefixMark {
	var b [storage.PrefixBytes]byte
	copy(b[:], prefix)
	return prefixMark{
		head: binary.BigEndian.Uint64(b[:]), tail: binary.BigEndian.Uint32(b[8:]), size: uint32(len(prefix)),
	}
}

func (a prefixMark) less(b prefixMark) bool {
	switch {
	case a.head != b.head:
		return a.head < b.head
	case a.tail != b.tail:
		return a.tail < b.tail
	}
	return a.size < b.size
}

// lowerTree returns the index of the first tree whose prefix is at or after that of the key, and
// whether it is the same.
func (m *Memtable) lowerTree(key []byte) (i int, same bool) {
	want := markPrefix(prefixOf(key))
	lo, hi := 0, len(m.marks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if m.marks[mid].less(want) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(m.marks) && m.marks[lo] == want
}

// tree returns the tree of a key; nil if there is none.
func (m *Memtable) tree(key []byte) *tree {
	if i, same := m.lowerTree(key); same {
		return m.trees[i]
	}
	return nil
}

func (m *Memtable) addTree(key []byte) *tree {
	i, same := m.lowerTree(key)
	if !same {
		l := &leaf{}
		p := bytes.Clone(prefixOf(key))
		m.trees = slices.Insert(m.trees, i, &tree{prefix: p, first: l, last: l})
		m.marks = slices.Insert(m.marks, i, markPrefix(p))
		m.places++
	}
	return m.trees[i]
}

// Insert adds a version and drops those older versions of the key that merge.Droppable gives up at
// horizon. Key and value are copied. Versions of a key come in LSN order, since the key is locked;
// an equal LSN replaces (a replay, or a later op of the same batch). It returns by how much
// Bytes grew; negative when more was dropped than added.
func (m *Memtable) Insert(e base.Entry, multi bool, horizon base.LSN) int64 {
	if e.Kind == base.KindTombstone {
		e.Value = nil
	}
	before := m.bytes
	v := newVersion(e, multi)
	t := m.addTree(e.Key)
	var p place
	if t.locate(&p, e.Key) {
		old := p.leaf.heads[p.index]
		p.leaf.heads[p.index] = m.chain(v, old, horizon)
		t.count(old, -1)
		t.count(p.leaf.heads[p.index], 1)
	} else {
		t.add(&p, v)
		t.count(v, 1)
		m.bytes += v.cost()
		m.versions++
		m.places++
	}
	if m.minLSN == 0 || e.LSN < m.minLSN {
		m.minLSN = e.LSN
	}
	m.maxLSN = max(m.maxLSN, e.LSN)
	return m.bytes - before
}

// count adds a newest version to the figures of its prefix, or takes it away with sign -1.
func (t *tree) count(v *Version, sign int64) {
	if v.kind == base.KindTombstone {
		t.tombstones += sign
	} else {
		t.keys += sign
	}
	t.bytes += sign * int64(len(v.data))
}

// chain returns a chain of v and what must be kept of old, and keeps the figures.
func (m *Memtable) chain(v, old *Version, horizon base.LSN) *Version {
	m.bytes += v.cost()
	m.versions++
	if v.lsn > old.lsn {
		if merge.Droppable(old.kind, old.lsn, v.lsn, horizon, false) {
			m.release(old)
			return v
		}
		v.older = m.trim(old, horizon)
		return v
	}
	return m.trim(m.weave(v, old), horizon)
}

// trim returns the chain without what may be dropped. It is the same chain when nothing is, and
// when something is, a copy of the rest.
func (m *Memtable) trim(head *Version, horizon base.LSN) *Version {
	last := head
	for o := last.older; o != nil; o = o.older {
		if merge.Droppable(o.kind, o.lsn, last.lsn, horizon, false) {
			// What is older than o goes too: its next newer version is older than last.
			m.release(o)
			return copyChain(head, last)
		}
		last = o
	}
	return head
}

// copyChain copies a chain up to last, included.
func copyChain(head, last *Version) *Version {
	first := *head
	tail := &first
	for v := head; v != last; v = v.older {
		c := *v.older
		tail.older, tail = &c, &c
	}
	tail.older = nil
	return &first
}

// weave puts v, whose LSN is not the newest, at its place in a copy of the chain; it replaces one
// of the same LSN.
func (m *Memtable) weave(v, old *Version) *Version {
	if v.lsn >= old.lsn {
		v.older = old
		if v.lsn == old.lsn {
			v.older = old.older
			m.bytes -= old.cost()
			m.versions--
		}
		return v
	}
	last := old
	for last.older != nil && last.older.lsn > v.lsn {
		last = last.older
	}
	rest := last.older
	if rest != nil && rest.lsn == v.lsn {
		m.bytes -= rest.cost()
		m.versions--
		rest = rest.older
	}
	v.older = rest
	head := copyChain(old, last)
	tail := head
	for tail.older != nil {
		tail = tail.older
	}
	tail.older = v
	return head
}

// release takes a chain out of the figures.
func (m *Memtable) release(v *Version) {
	for ; v != nil; v = v.older {
		m.bytes -= v.cost()
		m.versions--
	}
}

// head returns the newest version of the key.
func (m *Memtable) head(key []byte) *Version {
	t := m.tree(key)
	if t == nil {
		return nil
	}
	l, i := t.find(key)
	if i < l.n && bytes.Equal(l.heads[i].Key(), key) {
		return l.heads[i]
	}
	return nil
}

// Newest version of the key, tombstones and versions above visible included; nil if there is none.
func (m *Memtable) Newest(key []byte) *Version { return m.head(key) }

// Get returns the newest version of the key with an LSN of at most maxLSN, tombstones included; nil
// if there is none.
func (m *Memtable) Get(key []byte, maxLSN base.LSN) *Version { return m.head(key).at(maxLSN) }

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
func (m *Memtable) Prefixes(fn func(PrefixCount)) {
	for _, t := range m.trees {
		fn(PrefixCount{Prefix: t.prefix, Keys: t.keys, Tombstones: t.tombstones, Bytes: t.bytes})
	}
}
