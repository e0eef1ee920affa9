package memtable

import (
	"slices"
	"sync/atomic"
)

// owner tells which memtable may edit a tree or a node: the one that has this number. Numbers are
// never given twice, so that what a memtable shares with its clone has an owner that is no more.
type owner uint64

// owners is the number given last.
var owners atomic.Uint64

func newOwner() owner { return owner(owners.Add(1)) }

// Clone returns a memtable that holds the same, in constant time: both share the trees, and each
// copies a node when it edits it for the first time. It needs the lock held for writing.
func (m *Memtable) Clone() *Memtable {
	m.shared = true
	c := *m
	c.packs, c.room = false, nil // a clone may live for ever, and what is left of the piece is ours
	m.owner, c.owner = newOwner(), newOwner()
	return &c
}

// ownTrees makes the list of trees our own.
func (m *Memtable) ownTrees() {
	if m.shared {
		m.trees, m.marks, m.shared = slices.Clone(m.trees), slices.Clone(m.marks), false
	}
}

// ownTree returns the i-th tree, as our own. Its nodes need not be: see own.
func (m *Memtable) ownTree(i int) *tree {
	t := m.trees[i]
	if t.owner == m.owner {
		return t
	}
	m.ownTrees()
	own := *t
	own.owner = m.owner
	m.trees[i] = &own
	return &own
}

// own makes the nodes on the way to a place our own. Such nodes hang below such nodes only: where
// the leaf is our own, all are.
func (m *Memtable) own(t *tree, p *place) {
	if p.leaf.owner == m.owner {
		return
	}
	m.places++ // no cursor goes on in nodes that are not in the tree any more
	for d := range p.depth {
		s := &p.path[d]
		if s.node.owner == m.owner {
			continue
		}
		n := *s.node
		n.owner = m.owner
		s.node = &n
		if d == 0 {
			t.root = s.node
		} else {
			p.path[d-1].node.kids[p.path[d-1].child] = s.node
		}
	}
	l := *p.leaf
	l.owner = m.owner
	p.leaf = &l
	if p.depth == 0 {
		t.leaf = p.leaf
	} else {
		s := p.path[p.depth-1]
		s.node.leaves[s.child] = p.leaf
	}
}
