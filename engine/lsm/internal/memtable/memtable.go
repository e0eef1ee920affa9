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
// few. See tree. Clones share trees and nodes: every one has an owner, who alone edits it in place;
// whoever does not own a node that it wants to edit puts a copy in its place first, with copies of
// all nodes above. So a clone costs nothing, and then a copy of each leaf that one side writes to.
package memtable

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/storage"
)

// EntryOverheadBytes is counted for each version on top of its key and value: 24 of the version,
// the rest for its share of a leaf that is two thirds full and of what the allocator rounds up.
const EntryOverheadBytes = 75

// Memtable of one stripe. The package comment says which lock guards it.
type Memtable struct {
	trees          []*tree      // by prefix
	marks          []prefixMark // of trees: a search stays inside one line or two of the cache
	bytes          int64
	versions       int
	minLSN, maxLSN base.LSN
	// places counts the keys that came or went and the nodes that were copied: an iterator whose
	// number is still right may go on from the leaf where it stopped.
	places uint64

	owner  owner
	shared bool // trees and marks belong to a clone, too
	packs  bool
	room   []byte // left of the newest piece
}

// New returns an empty memtable.
func New() *Memtable { return &Memtable{owner: newOwner()} }

// NewPacked returns an empty memtable for a stripe that flushes: see pack.
func NewPacked() *Memtable { return &Memtable{owner: newOwner(), packs: true} }

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

// addTree returns the tree of a key, as our own.
func (m *Memtable) addTree(key []byte) *tree {
	i, same := m.lowerTree(key)
	if !same {
		m.ownTrees()
		p := bytes.Clone(prefixOf(key))
		t := &tree{owner: m.owner, prefix: p, leaf: &leaf{owner: m.owner}}
		m.trees = slices.Insert(m.trees, i, t)
		m.marks = slices.Insert(m.marks, i, markPrefix(p))
		m.places++
	}
	return m.ownTree(i)
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
	t := m.addTree(e.Key)
	var p place
	found := t.locate(&p, e.Key)
	m.own(t, &p)
	if found {
		old := p.leaf.heads[p.index]
		c := m.chained(newVersion(e, multi), old, horizon)
		p.leaf.heads[p.index] = c
		t.count(old.head, -1)
		t.count(c.head, 1)
	} else {
		v := m.pack(e, multi)
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
	t.bytes += sign * v.dataBytes()
}

// chained returns the chain of v and what must be kept of old, and keeps the figures.
func (m *Memtable) chained(v *Version, old chain, horizon base.LSN) chain {
	m.bytes += v.cost()
	m.versions++
	if v.lsn > old.head.lsn {
		if merge.Droppable(old.head.kind, old.head.lsn, v.lsn, horizon, false) {
			m.release(&old)
			return chain{head: v}
		}
		kept := m.trim(old, horizon)
		return chain{v, &kept}
	}
	return m.trim(m.weave(v, old), horizon)
}

// trim returns the chain without what may be dropped. It is the same chain when nothing is, and
// when something is, a copy of the rest.
func (m *Memtable) trim(c chain, horizon base.LSN) chain {
	last := &c
	for o := last.older; o != nil; o = o.older {
		if merge.Droppable(o.head.kind, o.head.lsn, last.head.lsn, horizon, false) {
			// What is older than o goes too: its next newer version is older than last.
			m.release(o)
			return copyChain(c, o, nil)
		}
		last = o
	}
	return c
}

// copyChain copies a chain as far as end, which it leaves out and puts rest in the place of.
func copyChain(c chain, end, rest *chain) chain {
	tail := &c
	for tail.older != end {
		o := *tail.older
		tail.older, tail = &o, &o
	}
	tail.older = rest
	return c
}

// weave puts v, whose LSN is not the newest, at its place in a copy of the chain; it replaces one
// of the same LSN.
func (m *Memtable) weave(v *Version, old chain) chain {
	if v.lsn == old.head.lsn {
		m.forget(old.head)
		return chain{v, old.older}
	}
	end := old.older
	for end != nil && end.head.lsn > v.lsn {
		end = end.older
	}
	rest := end
	if rest != nil && rest.head.lsn == v.lsn {
		m.forget(rest.head)
		rest = rest.older
	}
	return copyChain(old, end, &chain{v, rest})
}

// release takes a chain out of the figures.
func (m *Memtable) release(c *chain) {
	for ; c != nil; c = c.older {
		m.forget(c.head)
	}
}

func (m *Memtable) forget(v *Version) {
	if !v.packed {
		m.bytes -= v.cost()
	}
	m.versions--
}

// find returns the versions of the key, nil if there are none. They are valid under the lock.
func (m *Memtable) find(key []byte) *chain {
	t := m.tree(key)
	if t == nil {
		return nil
	}
	l, i := t.find(key)
	if i < l.n && bytes.Equal(l.heads[i].head.Key(), key) {
		return &l.heads[i]
	}
	return nil
}

// Newest version of the key, tombstones and versions above visible included; nil if there is none.
func (m *Memtable) Newest(key []byte) *Version {
	if c := m.find(key); c != nil {
		return c.head
	}
	return nil
}

// Get returns the newest version of the key with an LSN of at most maxLSN, tombstones included; nil
// if there is none.
func (m *Memtable) Get(key []byte, maxLSN base.LSN) *Version { return m.find(key).at(maxLSN) }

// Bytes held: keys, values and EntryOverheadBytes for each version, dropped ones included whose
// memory is packed with others'.
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

// Prefixes calls fn for each prefix under which keys of the range may be, in order.
func (m *Memtable) Prefixes(r storage.Range, fn func(PrefixCount)) {
	first, _ := m.lowerTree(r.Start)
	for _, t := range m.trees[first:] {
		if r.End != nil && bytes.Compare(t.prefix, r.End) >= 0 {
			return
		}
		fn(PrefixCount{Prefix: t.prefix, Keys: t.keys, Tombstones: t.tombstones, Bytes: t.bytes})
	}
}
