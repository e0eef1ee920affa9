package memtable

import (
	"bytes"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// chunkMax is how many keys an iterator copies under one read lock.
	chunkMax = 64
	// chunkFirst is the size of the first chunk: most scans are short.
	chunkFirst = 16
	// lookMax is how many keys are looked at under one read lock, shown or not.
	lookMax = 256
)

// IterOptions say what an iterator shows.
type IterOptions struct {
	// MaxLSN, when not 0, leaves of each key only the newest version at or below it. With 0 all
	// versions are shown, as a flush wants them.
	MaxLSN base.LSN
	// Bounds are where the caller stops: keys at or after its end, going forward, and keys before
	// its start, going backward, may be left out. The zero value bounds nothing.
	Bounds storage.Range
}

// Iter implements base.Iterator. It shows a memtable as it was when each chunk was copied. Whoever needs one state passes
// MaxLSN, a registered snapshot: versions up to it neither come nor go.
type Iter struct {
	m    *Memtable
	mu   *sync.RWMutex
	opts IterOptions

	// chunk holds the chains of keys that follow each other, in key order; with MaxLSN, of each the
	// one version that is shown.
	chunk    [chunkMax]chain
	n        int
	size     int  // of the next chunk
	pos      int  // in chunk; outside 0..n-1 when not valid
	backward bool // how the chunk was filled: it ends where the next one in that direction begins

	cur   *Version // at pos, or older
	older *chain   // than cur, without MaxLSN
	// from is where the chunk ended, of use while m.places is still fromPlaces; edge is the last
	// key looked at, nil when there is nothing behind it.
	from       cursor
	fromPlaces uint64
	edge       []byte
}

// cursor stands on an item of a leaf.
type cursor struct {
	tree int
	place
}

// NewIter returns an iterator. mu is the stripe's mutex, not held by the caller during any call of
// the iterator; nil for a frozen memtable.
func (m *Memtable) NewIter(mu *sync.RWMutex, opts IterOptions) *Iter {
	it := &Iter{}
	it.Reset(m, mu, opts)
	return it
}

// Reset makes a new iterator of one that is closed or was never used; see NewIter.
func (it *Iter) Reset(m *Memtable, mu *sync.RWMutex, opts IterOptions) {
	it.m, it.mu, it.opts, it.size = m, mu, opts, chunkFirst
}

func (it *Iter) lock() {
	if it.mu != nil {
		it.mu.RLock()
	}
}

func (it *Iter) unlock() {
	if it.mu != nil {
		it.mu.RUnlock()
	}
}

// lower moves a cursor to the first item at or after key; it may stand behind the last item of a
// leaf then, and has no leaf behind the last tree.
func (m *Memtable) lower(c *cursor, key []byte) {
	i, same := m.lowerTree(key)
	switch c.tree = i; {
	case i == len(m.trees):
		c.leaf = nil
	case same:
		c.descend(m.trees[i], key)
	default:
		c.first(m.trees[i])
	}
}

// settle moves a cursor that stands behind the last item of a leaf to the next item.
func (m *Memtable) settle(c *cursor) {
	for c.leaf != nil && c.index >= c.leaf.n && !c.nextLeaf() {
		c.leaf = nil
		if c.tree++; c.tree < len(m.trees) {
			c.first(m.trees[c.tree])
		}
	}
}

// back moves a cursor that stands on the first item of a leaf behind the item before it; false when
// there is none.
func (m *Memtable) back(c *cursor) bool {
	for c.leaf == nil || c.index == 0 {
		if c.leaf != nil && c.prevLeaf() {
			continue
		}
		if c.tree == 0 {
			return false
		}
		c.tree--
		c.last(m.trees[c.tree])
	}
	return true
}

// fence is where a walk may stop, told without a look at the keys of the walk: a tree, and a place
// in its leaves.
type fence struct {
	tree int
	// whole: the tree lies wholly at or after the key that the fence stands for.
	whole bool
	key   []byte // without the tree's prefix
}

func (m *Memtable) fence(key []byte) fence {
	i, same := m.lowerTree(key)
	if !same {
		return fence{tree: i, whole: true}
	}
	return fence{tree: i, key: key[len(m.trees[i].prefix):]}
}

// cut says where the fence is among the items of a leaf: those from behind on are at or after its
// key, those under before are before it, and between them only the keys could tell.
func (f *fence) cut(tree int, l *leaf) (before, behind int) {
	if tree != f.tree || f.whole {
		if tree < f.tree {
			return l.n, l.n
		}
		return 0, 0
	}
	side, mark := l.place(f.key)
	switch {
	case side < 0:
		return 0, 0
	case side > 0:
		return l.n, l.n
	}
	at := l.at[:l.n]
	before, _ = slices.BinarySearch(at, mark)
	behind = before
	for behind < len(at) && at[behind] == mark {
		behind++
	}
	return before, behind
}

// pick puts what the iterator shows of a chain into out; false if it shows nothing.
func (it *Iter) pick(out, c *chain) bool {
	if it.opts.MaxLSN == 0 {
		*out = *c
		return true
	}
	v := c.at(it.opts.MaxLSN)
	*out = chain{head: v}
	return v != nil
}

// fill copies a chunk forward, from the first key at or after key or, when resume, from where the
// last chunk ended.
func (it *Iter) fill(key []byte, resume bool) {
	it.lock()
	defer it.unlock()
	c := &it.from
	switch {
	case !resume:
		it.m.lower(c, key)
	case it.fromPlaces != it.m.places:
		it.m.lower(c, it.edge)
		it.m.settle(c)
		if c.leaf != nil && bytes.Equal(c.leaf.heads[c.index].head.Key(), it.edge) {
			c.index++
		}
	}
	it.n, it.edge, it.backward = 0, nil, false
	end := fence{tree: len(it.m.trees)}
	if it.opts.Bounds.End != nil {
		end = it.m.fence(it.opts.Bounds.End)
	}
	looks, n, out := lookMax, 0, false
	var last *Version // looked at
	for it.m.settle(c); c.leaf != nil && n < it.size && looks > 0; it.m.settle(c) {
		l, i := c.leaf, c.index
		_, stop := end.cut(c.tree, l)
		for ; i < stop && n < it.size && looks > 0; i++ {
			looks--
			versions := &l.heads[i]
			last = versions.head
			if it.pick(&it.chunk[n], versions) {
				n++
			}
		}
		c.index = i
		if out = i >= stop && stop < l.n; out {
			break
		}
	}
	if c.leaf != nil && !out {
		it.edge = last.Key()
	}
	it.n, it.fromPlaces, it.size = n, it.m.places, chunkMax
}

// fillBack copies a chunk backward, of what is before key, before the end of all when last, or
// before where the last chunk ended when resume.
func (it *Iter) fillBack(key []byte, last, resume bool) {
	it.lock()
	defer it.unlock()
	c := &it.from
	switch {
	case last:
		c.tree, c.leaf = len(it.m.trees), nil
	case !resume:
		it.m.lower(c, key)
	case it.fromPlaces != it.m.places:
		it.m.lower(c, it.edge)
	}
	it.edge, it.backward = nil, true
	start := it.m.fence(it.opts.Bounds.Start)
	looks, at, out := lookMax, it.size, false
	var edge *Version // looked at last
	for at > 0 && looks > 0 && !out {
		if out = !it.m.back(c); out {
			break
		}
		l, i := c.leaf, c.index
		stop, _ := start.cut(c.tree, l)
		for ; i > stop && at > 0 && looks > 0; i-- {
			looks--
			versions := &l.heads[i-1]
			edge = versions.head
			if it.pick(&it.chunk[at-1], versions) {
				at--
			}
		}
		c.index = i
		out = i <= stop && stop > 0
	}
	if !out {
		it.edge = edge.Key()
	}
	it.n = copy(it.chunk[:], it.chunk[at:it.size])
	it.fromPlaces, it.size = it.m.places, chunkMax
}

// onward goes on with chunks until one shows something or the end is reached.
func (it *Iter) onward() bool {
	for it.n == 0 && it.edge != nil {
		it.fill(nil, true)
	}
	return it.stand(0)
}

// back is onward in the other direction.
func (it *Iter) back() bool {
	for it.n == 0 && it.edge != nil {
		it.fillBack(nil, false, true)
	}
	return it.standOldest(it.n - 1)
}

func (it *Iter) start() {
	it.size = chunkFirst
	if it.mu == nil && it.opts.MaxLSN == 0 {
		it.size = chunkMax // a flush
	}
}

// First moves to the first version.
func (it *Iter) First() bool { return it.SeekGE(nil) }

// SeekGE moves to the first version whose key is at or after key.
func (it *Iter) SeekGE(key []byte) bool {
	it.start()
	it.fill(key, false)
	return it.onward()
}

// Last moves to the last version.
func (it *Iter) Last() bool {
	it.start()
	it.fillBack(nil, true, false)
	return it.back()
}

// SeekLT moves to the last version whose key is before key.
func (it *Iter) SeekLT(key []byte) bool {
	it.start()
	it.fillBack(key, false, false)
	return it.back()
}

// stand moves to the newest version of a key of the chunk.
func (it *Iter) stand(pos int) bool {
	it.pos, it.cur, it.older = pos, nil, nil
	if pos >= 0 && pos < it.n {
		it.show(&it.chunk[pos])
	}
	return it.cur != nil
}

func (it *Iter) show(c *chain) { it.cur, it.older = c.head, c.older }

// standOldest moves to the oldest version of a key of the chunk.
func (it *Iter) standOldest(pos int) bool {
	it.stand(pos)
	for it.older != nil {
		it.show(it.older)
	}
	return it.cur != nil
}

// Next moves forward.
func (it *Iter) Next() bool {
	if it.cur == nil {
		return false
	}
	if it.older != nil {
		it.show(it.older)
		return true
	}
	if it.pos+1 < it.n {
		return it.stand(it.pos + 1)
	}
	if it.backward {
		last := it.chunk[it.pos].head.Key()
		it.fill(last, false)
		if it.n > 0 && bytes.Equal(it.chunk[0].head.Key(), last) {
			it.stand(0)
			return it.skipKey()
		}
		return it.onward()
	}
	it.n = 0
	return it.onward()
}

// skipKey moves to the next key from the first of a chunk, which has been shown already.
func (it *Iter) skipKey() bool {
	if it.n > 1 {
		return it.stand(1)
	}
	it.n = 0
	return it.onward()
}

// Prev moves backward.
func (it *Iter) Prev() bool {
	if it.cur == nil {
		return false
	}
	if c := &it.chunk[it.pos]; c.head != it.cur {
		for c.older.head != it.cur {
			c = c.older
		}
		it.show(c)
		return true
	}
	if it.pos > 0 {
		return it.standOldest(it.pos - 1)
	}
	if !it.backward {
		it.fillBack(it.chunk[0].head.Key(), false, false)
	} else {
		it.n = 0
	}
	return it.back()
}

// Valid says whether the iterator stands on a version.
func (it *Iter) Valid() bool { return it.cur != nil }

// Key stays valid and unchanged.
func (it *Iter) Key() []byte { return it.cur.Key() }

// LSN of the version.
func (it *Iter) LSN() base.LSN { return it.cur.lsn }

// Kind of the version.
func (it *Iter) Kind() base.Kind { return it.cur.kind }

// Value stays valid and unchanged.
func (it *Iter) Value() []byte { return it.cur.Value() }

// Err is always nil.
func (it *Iter) Err() error { return nil }

// Close lets go of the memtable.
func (it *Iter) Close() error {
	*it = Iter{}
	return nil
}
