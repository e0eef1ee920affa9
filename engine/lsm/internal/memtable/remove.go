package memtable

import (
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
)

// Remove takes a key out with all its versions. A memtable that is flushed must not use it: what the
// key had in tables would come back. It returns by how much Bytes grew, which is not positive.
func (m *Memtable) Remove(key []byte) int64 {
	return m.removeIf(key, func(*Version) bool { return true })
}

// Bury is Remove for a key whose newest version is a tombstone that everybody sees, in a memtable
// that is the only source of its keys.
func (m *Memtable) Bury(key []byte, horizon base.LSN) int64 {
	return m.removeIf(key, func(v *Version) bool {
		return merge.Droppable(v.kind, v.lsn, 0, horizon, true)
	})
}

func (m *Memtable) removeIf(key []byte, wanted func(head *Version) bool) int64 {
	i, same := m.lowerTree(key)
	var p place
	if !same || !m.trees[i].locate(&p, key) || !wanted(p.leaf.heads[p.index].head) {
		return 0
	}
	before := m.bytes
	t := m.ownTree(i)
	m.own(t, &p)
	c := &p.leaf.heads[p.index]
	t.count(c.head, -1)
	m.release(c)
	m.places++
	t.remove(&p)
	if t.root == nil && t.leaf.n == 0 {
		m.trees = slices.Delete(m.trees, i, i+1)
		m.marks = slices.Delete(m.marks, i, i+1)
	}
	return m.bytes - before
}

// remove takes the key at a place out of its leaf. A leaf that has none left goes; others are not
// joined, so that a tree that shrinks keeps nodes that are not full.
func (t *tree) remove(p *place) {
	l := p.leaf
	l.marks.remove(p.index, l.n)
	copy(l.heads[p.index:], l.heads[p.index+1:l.n])
	l.n--
	l.heads[l.n] = chain{}
	if l.n > 0 || t.root == nil {
		return
	}
	d := p.depth - 1
	for d >= 0 && p.path[d].node.n == 0 {
		d-- // the node has no other child
	}
	if d < 0 { // no leaf is left
		t.root, t.leaf = nil, l
		return
	}
	p.path[d].node.remove(p.path[d].child)
	t.lower()
}

// remove takes out the child at i, and the separator at its left, or at its right when it is the
// first: the children at both sides share what was the child's range.
func (n *inner) remove(i int) {
	sep := max(i-1, 0)
	n.marks.remove(sep, n.n)
	copy(n.keys[sep:], n.keys[sep+1:n.n])
	copy(n.kids[i:], n.kids[i+1:n.n+1])
	copy(n.leaves[i:], n.leaves[i+1:n.n+1])
	n.keys[n.n-1], n.kids[n.n], n.leaves[n.n] = nil, nil, nil
	n.n--
}

// lower takes off roots that have one child only.
func (t *tree) lower() {
	for t.root != nil && t.root.n == 0 {
		t.root, t.leaf = t.root.kids[0], t.root.leaves[0]
	}
}
