package memtable

import (
	"bytes"
	"encoding/binary"
)

const (
	// leafMax and innerMax are the most items of a node. Keys are rarely removed, so that nodes only
	// split, and go when they are empty: the tree has neither merges nor rebalancing.
	leafMax  = 64
	innerMax = 64
	// heightMax bounds the inner levels of a tree: 32^12 keys are more than fit into memory.
	heightMax = 12
	// markBytes of a key, after its prefix, stand beside the pointer to it.
	markBytes = 8
)

// tree is a B+-tree of the keys that share one prefix of storage.PrefixBytes.
//
// Each node keeps, beside its keys, their marks: the eight bytes after the prefix (hash, length
// and first bytes of the partition) as one number, in key order. Most comparisons end with the
// marks, which lie next to each other, without a cache miss for the key.
type tree struct {
	prefix []byte
	root   *inner // nil while one leaf is enough
	first  *leaf
	last   *leaf

	keys       int64 // newest version is a value
	tombstones int64 // newest version is a tombstone
	bytes      int64 // keys and values of the newest versions
}

// leaf holds the newest version of each of its keys.
type leaf struct {
	n          int
	marks      [leafMax]uint64
	heads      [leafMax]*Version
	prev, next *leaf
}

// inner has n separators and n+1 children, all inner nodes or all leaves. The i-th separator is
// the smallest key that ever began the (i+1)-th child.
type inner struct {
	n      int
	marks  [innerMax]uint64
	keys   [innerMax][]byte
	kids   [innerMax + 1]*inner
	leaves [innerMax + 1]*leaf
}

// markOf returns the mark of a key that has the prefix of a tree.
func markOf(key []byte, prefixLen int) uint64 {
	if len(key) >= prefixLen+markBytes {
		return binary.BigEndian.Uint64(key[prefixLen:])
	}
	var b [markBytes]byte
	copy(b[:], key[prefixLen:])
	return binary.BigEndian.Uint64(b[:])
}

// search returns the first item at or after the key.
func (l *leaf) search(mark uint64, key []byte) int {
	lo, hi := 0, l.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		// Equal marks decide nothing; only then is the key worth its cache miss.
		if m := l.marks[mid]; m < mark || m == mark && bytes.Compare(l.heads[mid].Key(), key) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// child returns the index of the child that holds the key, if any does.
func (n *inner) child(mark uint64, key []byte) int {
	lo, hi := 0, n.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if m := n.marks[mid]; mark < m || mark == m && bytes.Compare(key, n.keys[mid]) < 0 {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// find returns the leaf that holds the key, if any does, and the first item there at or after it;
// the index may be the leaf's end.
func (t *tree) find(mark uint64, key []byte) (*leaf, int) {
	if t.root == nil {
		return t.first, t.first.search(mark, key)
	}
	n := t.root
	for {
		i := n.child(mark, key)
		if l := n.leaves[i]; l != nil {
			return l, l.search(mark, key)
		}
		n = n.kids[i]
	}
}

// step is a place on the way from the root to a leaf.
type step struct {
	node  *inner
	child int
}

// place is where a key is or belongs.
type place struct {
	path  [heightMax]step
	depth int
	leaf  *leaf
	index int
	mark  uint64
}

// locate fills in where the key is or belongs and says whether it is there.
func (t *tree) locate(p *place, key []byte) bool {
	p.mark = markOf(key, len(t.prefix))
	p.depth = 0
	p.leaf = t.first
	for n := t.root; n != nil; {
		i := n.child(p.mark, key)
		p.path[p.depth] = step{n, i}
		p.depth++
		p.leaf = n.leaves[i]
		n = n.kids[i]
	}
	p.index = p.leaf.search(p.mark, key)
	return p.index < p.leaf.n && bytes.Equal(p.leaf.heads[p.index].Key(), key)
}

// add puts the first version of a key at its place, which locate has found.
func (t *tree) add(p *place, v *Version) {
	l := p.leaf
	if l.n < leafMax {
		l.insert(p.index, p.mark, v)
		return
	}
	right := t.splitLeaf(l, p.index)
	at := l
	if p.index > l.n || (p.index == l.n && right.n == 0) {
		at, p.index = right, p.index-l.n
	}
	at.insert(p.index, p.mark, v)
	t.grow(p, right)
}

func (l *leaf) insert(i int, mark uint64, v *Version) {
	copy(l.marks[i+1:l.n+1], l.marks[i:l.n])
	copy(l.heads[i+1:l.n+1], l.heads[i:l.n])
	l.marks[i], l.heads[i] = mark, v
	l.n++
}

// splitLeaf moves the upper half of a full leaf into a new one. At the end of the tree, where keys
// that come in order arrive, it moves nothing: so the leaves of a load in order are full.
func (t *tree) splitLeaf(l *leaf, at int) *leaf {
	cut := leafMax / 2
	if l.next == nil && at == leafMax {
		cut = leafMax
	}
	r := &leaf{n: leafMax - cut, prev: l, next: l.next}
	copy(r.marks[:], l.marks[cut:])
	copy(r.heads[:], l.heads[cut:])
	clear(l.heads[cut:])
	l.n = cut
	if r.next != nil {
		r.next.prev = r
	} else {
		t.last = r
	}
	l.next = r
	return r
}

// grow hangs a leaf that was split off into the inner nodes on the path.
func (t *tree) grow(p *place, right *leaf) {
	mark, key := right.marks[0], bytes.Clone(right.heads[0].Key())
	var kid *inner
	for d := p.depth - 1; d >= 0; d-- {
		n, i := p.path[d].node, p.path[d].child
		if n.n < innerMax {
			n.insert(i, mark, key, kid, right)
			return
		}
		r, upMark, upKey := n.split()
		if i > n.n {
			r.insert(i-n.n-1, mark, key, kid, right)
		} else {
			n.insert(i, mark, key, kid, right)
		}
		mark, key, kid, right = upMark, upKey, r, nil
	}
	root := &inner{n: 1}
	root.marks[0], root.keys[0] = mark, key
	if kid == nil {
		root.leaves[0], root.leaves[1] = right.prev, right
	} else {
		root.kids[0], root.kids[1] = t.root, kid
	}
	t.root = root
}

// insert adds a separator at i and, right of it, the child kid or, where kid is nil, l.
func (n *inner) insert(i int, mark uint64, key []byte, kid *inner, l *leaf) {
	copy(n.marks[i+1:n.n+1], n.marks[i:n.n])
	copy(n.keys[i+1:n.n+1], n.keys[i:n.n])
	copy(n.kids[i+2:n.n+2], n.kids[i+1:n.n+1])
	copy(n.leaves[i+2:n.n+2], n.leaves[i+1:n.n+1])
	n.marks[i], n.keys[i] = mark, key
	n.kids[i+1], n.leaves[i+1] = kid, nil
	if kid == nil {
		n.leaves[i+1] = l
	}
	n.n++
}

// split moves the upper half of a full node into a new one; the separator between them goes up.
func (n *inner) split() (right *inner, mark uint64, key []byte) {
	cut := innerMax / 2
	r := &inner{n: innerMax - cut - 1}
	mark, key = n.marks[cut], n.keys[cut]
	copy(r.marks[:], n.marks[cut+1:])
	copy(r.keys[:], n.keys[cut+1:])
	copy(r.kids[:], n.kids[cut+1:])
	copy(r.leaves[:], n.leaves[cut+1:])
	clear(n.keys[cut:])
	clear(n.kids[cut+1:])
	clear(n.leaves[cut+1:])
	n.n = cut
	return r, mark, key
}
