package memtable

import "bytes"

// step is a place on the way from the root to a leaf.
type step struct {
	node  *inner
	child int
}

// place is where a key is or belongs. Leaves have no links to their neighbours, so that trees can
// share them: who walks goes by the path.
type place struct {
	path  [heightMax]step
	depth int
	leaf  *leaf
	index int
}

// locate fills in where the key is or belongs and says whether it is there.
func (t *tree) locate(p *place, key []byte) bool {
	p.descend(t, key)
	return p.index < p.leaf.n && bytes.Equal(p.leaf.heads[p.index].head.Key(), key)
}

// descend fills in the first item of the leaf that holds the key, if any does, at or after the key;
// the index may be the leaf's end.
func (p *place) descend(t *tree, key []byte) {
	p.depth, p.leaf = 0, t.leaf
	for n := t.root; n != nil; {
		i := n.child(key, len(t.prefix))
		p.path[p.depth] = step{n, i}
		p.depth++
		p.leaf = n.leaves[i]
		n = n.kids[i]
	}
	p.index = p.leaf.search(key, len(t.prefix))
}

// first moves to the first item of a tree.
func (p *place) first(t *tree) {
	p.depth, p.leaf = 0, t.leaf
	if t.root != nil {
		p.path[0], p.depth = step{t.root, 0}, 1
		p.leftmost()
	}
	p.index = 0
}

// last moves behind the last item of a tree.
func (p *place) last(t *tree) {
	p.depth, p.leaf = 0, t.leaf
	if t.root != nil {
		p.path[0], p.depth = step{t.root, t.root.n}, 1
		p.rightLeaf()
	}
	p.index = p.leaf.n
}

// leftmost goes down to the first leaf under the last step.
func (p *place) leftmost() {
	s := p.path[p.depth-1]
	for kid := s.node.kids[s.child]; kid != nil; kid = kid.kids[0] {
		s = step{kid, 0}
		p.path[p.depth] = s
		p.depth++
	}
	p.leaf = s.node.leaves[s.child]
}

// rightLeaf goes down to the last leaf under the last step.
func (p *place) rightLeaf() {
	s := p.path[p.depth-1]
	for kid := s.node.kids[s.child]; kid != nil; kid = kid.kids[kid.n] {
		s = step{kid, kid.n}
		p.path[p.depth] = s
		p.depth++
	}
	p.leaf = s.node.leaves[s.child]
}

// nextLeaf moves to the first item of the next leaf of the tree; false, and nothing moved, when
// there is none.
func (p *place) nextLeaf() bool {
	for d := p.depth - 1; d >= 0; d-- {
		if s := &p.path[d]; s.child < s.node.n {
			s.child++
			p.depth, p.index = d+1, 0
			p.leftmost()
			return true
		}
	}
	return false
}

// prevLeaf moves behind the last item of the leaf before; false, and nothing moved, when there is
// none.
func (p *place) prevLeaf() bool {
	for d := p.depth - 1; d >= 0; d-- {
		if s := &p.path[d]; s.child > 0 {
			s.child--
			p.depth = d + 1
			p.rightLeaf()
			p.index = p.leaf.n
			return true
		}
	}
	return false
}

// rightmost says that no leaf of the tree is behind this one.
func (p *place) rightmost() bool {
	for d := range p.depth {
		if p.path[d].child < p.path[d].node.n {
			return false
		}
	}
	return true
}
