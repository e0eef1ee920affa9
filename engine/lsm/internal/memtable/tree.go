package memtable

import "bytes"

const (
	// leafMax and innerMax are the most items of a node. Nodes are never joined, so that the tree has
	// no rebalancing.
	leafMax  = nodeMax
	innerMax = nodeMax
	// heightMax bounds the inner levels of a tree: 32^12 keys are more than fit into memory.
	heightMax = 12
)

// tree is a B+-tree of the keys that share one prefix of storage.PrefixBytes. Memtables that were
// cloned from each other share it: see the package comment.
type tree struct {
	owner  owner
	prefix []byte
	root   *inner // nil while one leaf is enough
	leaf   *leaf  // the only one, without a root

	keys       int64 // newest version is a value
	tombstones int64 // newest version is a tombstone
	bytes      int64 // keys and values of the newest versions
}

// leaf holds the newest version of each of its keys.
type leaf struct {
	owner owner
	n     int
	marks
	heads [leafMax]chain
}

// inner has n separators and n+1 children, all inner nodes or all leaves. The i-th separator is
// the smallest key that ever began the (i+1)-th child.
type inner struct {
	owner owner
	n     int
	marks
	keys   [innerMax][]byte
	kids   [innerMax + 1]*inner
	leaves [innerMax + 1]*leaf
}

// search returns the first item at or after the key, of which skip bytes are the tree's prefix.
func (l *leaf) search(key []byte, skip int) int {
	side, mark := l.place(key[skip:])
	switch {
	case side < 0:
		return 0
	case side > 0:
		return l.n
	}
	lo, hi := 0, l.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if m := l.at[mid]; m < mark || m == mark && bytes.Compare(l.heads[mid].head.Key(), key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// child returns the index of the child that holds the key, if any does.
func (n *inner) child(key []byte, skip int) int {
	side, mark := n.place(key[skip:])
	switch {
	case side < 0:
		return 0
	case side > 0:
		return n.n
	}
	lo, hi := 0, n.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if m := n.at[mid]; mark < m || mark == m && bytes.Compare(key, n.keys[mid]) < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// find returns the leaf that holds the key, if any does, and the first item there at or after it;
// the index may be the leaf's end.
func (t *tree) find(key []byte) (*leaf, int) {
	skip := len(t.prefix)
	if t.root == nil {
		return t.leaf, t.leaf.search(key, skip)
	}
	n := t.root
	for {
		i := n.child(key, skip)
		if l := n.leaves[i]; l != nil {
			return l, l.search(key, skip)
		}
		n = n.kids[i]
	}
}

// add puts the first version of a key at its place, which locate has found and own made ours.
func (t *tree) add(p *place, v *Version) {
	l := p.leaf
	if l.n < leafMax {
		l.insert(p.index, v, len(t.prefix))
		return
	}
	right := t.splitLeaf(p)
	at := l
	if p.index > l.n || (p.index == l.n && right.n == 0) {
		at, p.index = right, p.index-l.n
	}
	at.insert(p.index, v, len(t.prefix))
	t.grow(p, right)
}

func (l *leaf) insert(i int, v *Version, skip int) {
	copy(l.heads[i+1:l.n+1], l.heads[i:l.n])
	l.heads[i] = chain{head: v}
	l.n++
	l.marks.insert(i, l.n, l.key(skip))
}

// key gives the keys of the leaf without the tree's prefix.
func (l *leaf) key(skip int) func(int) []byte {
	return func(i int) []byte { return l.heads[i].head.Key()[skip:] }
}

// splitLeaf moves the upper half of a full leaf into a new one. At the end of the tree, where keys
// that come in order arrive, it moves nothing: so the leaves of a load in order are full.
func (t *tree) splitLeaf(p *place) *leaf {
	l := p.leaf
	cut := leafMax / 2
	if p.index == leafMax && p.rightmost() {
		cut = leafMax
	}
	r := &leaf{owner: t.owner, n: leafMax - cut}
	copy(r.heads[:], l.heads[cut:])
	clear(l.heads[cut:])
	l.n = cut
	if r.n > 0 {
		l.choose(l.n, l.key(len(t.prefix)))
		r.choose(r.n, r.key(len(t.prefix)))
	}
	return r
}

// grow hangs a leaf that was split off into the inner nodes on the path.
func (t *tree) grow(p *place, right *leaf) {
	key, skip := bytes.Clone(right.heads[0].head.Key()), len(t.prefix)
	var kid *inner
	for d := p.depth - 1; d >= 0; d-- {
		n, i := p.path[d].node, p.path[d].child
		if n.n < innerMax {
			n.insert(i, key, skip, kid, right)
			return
		}
		r, up := n.split(skip)
		if i > n.n {
			r.insert(i-n.n-1, key, skip, kid, right)
		} else {
			n.insert(i, key, skip, kid, right)
		}
		key, kid, right = up, r, nil
	}
	root := &inner{owner: t.owner}
	if kid == nil {
		root.leaves[0] = p.leaf
	} else {
		root.kids[0] = t.root
	}
	root.insert(0, key, skip, kid, right)
	t.root, t.leaf = root, nil
}

// insert adds a separator at i and, right of it, the child kid or, where kid is nil, l.
func (n *inner) insert(i int, key []byte, skip int, kid *inner, l *leaf) {
	copy(n.keys[i+1:n.n+1], n.keys[i:n.n])
	copy(n.kids[i+2:n.n+2], n.kids[i+1:n.n+1])
	copy(n.leaves[i+2:n.n+2], n.leaves[i+1:n.n+1])
	n.keys[i] = key
	n.kids[i+1], n.leaves[i+1] = kid, nil
	if kid == nil {
		n.leaves[i+1] = l
	}
	n.n++
	n.marks.insert(i, n.n, n.key(skip))
}

// key gives the separators without the tree's prefix.
func (n *inner) key(skip int) func(int) []byte {
	return func(i int) []byte { return n.keys[i][skip:] }
}

// split moves the upper half of a full node into a new one; the separator between them goes up.
func (n *inner) split(skip int) (right *inner, key []byte) {
	cut := innerMax / 2
	r := &inner{owner: n.owner, n: innerMax - cut - 1}
	key = n.keys[cut]
	copy(r.keys[:], n.keys[cut+1:])
	copy(r.kids[:], n.kids[cut+1:])
	copy(r.leaves[:], n.leaves[cut+1:])
	clear(n.keys[cut:])
	clear(n.kids[cut+1:])
	clear(n.leaves[cut+1:])
	n.n = cut
	n.choose(n.n, n.key(skip))
	r.choose(r.n, r.key(skip))
	return r, key
}
