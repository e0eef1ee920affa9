// Package insights counts which keys of a table or an index are asked for most and throttled most.
//
// Keys are counted by the space-saving method (Metwally, Agrawal, El Abbadi 2005): of all keys the most
// frequent ones have a counter each; a key without one takes over that of the least frequent, with its
// count, which is then how much too high the new count may be. A key that is asked for more often than one
// time in CountersMax is always among them.
package insights

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
)

// CountersMax is the number of keys that a counter follows.
const CountersMax = 1000

// Contributor is one key and how often it was counted.
type Contributor struct {
	Key   string
	Count uint64
	// Over is by how much Count may be too high.
	Over uint64
}

// Counter follows the most frequent keys. The zero value is empty; it is safe for concurrent use.
type Counter struct {
	mu    sync.Mutex
	byKey map[string]*node
	least minHeap
	total uint64
}

type node struct {
	Contributor
	at int
}

// Add counts a key. It keeps no reference to it.
func (c *Counter) Add(key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	if n := c.byKey[string(key)]; n != nil {
		n.Count++
		heap.Fix(&c.least, n.at)
		return
	}
	if c.byKey == nil {
		c.byKey = map[string]*node{}
	}
	if len(c.least) < CountersMax {
		n := &node{Contributor: Contributor{Key: string(key), Count: 1}}
		c.byKey[n.Key] = n
		heap.Push(&c.least, n)
		return
	}
	n := c.least[0]
	delete(c.byKey, n.Key)
	n.Contributor = Contributor{Key: string(key), Count: n.Count + 1, Over: n.Count}
	c.byKey[n.Key] = n
	heap.Fix(&c.least, 0)
}

// Top returns the n most frequent keys, most frequent first, and how many times keys were counted in all.
func (c *Counter) Top(n int) (top []Contributor, total uint64) {
	c.mu.Lock()
	for _, e := range c.least {
		top = append(top, e.Contributor)
	}
	total = c.total
	c.mu.Unlock()
	slices.SortFunc(top, func(a, b Contributor) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Over, b.Over), cmp.Compare(a.Key, b.Key))
	})
	return top[:min(n, len(top))], total
}

// minHeap has the node with the lowest count first.
type minHeap []*node

func (h minHeap) Len() int           { return len(h) }
func (h minHeap) Less(i, j int) bool { return h[i].Count < h[j].Count }
func (h minHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *minHeap) Push(x any) {
	n := x.(*node)
	n.at = len(*h)
	*h = append(*h, n)
}

// Pop implements heap.Interface.
func (h *minHeap) Pop() any {
	last := len(*h) - 1
	n := (*h)[last]
	*h = (*h)[:last]
	return n
}

// Keys are the counters of one table or index. A key here is a row's key without its head: the length of
// the partition part, the part, and what follows it.
type Keys struct {
	Partitions          Counter
	Items               Counter
	ThrottledPartitions Counter
	ThrottledItems      Counter
	// kept is the sum of the totals when the counters were last stored or loaded.
	kept uint64
}

// ID names a table, or with a name one of its indexes.
type ID struct {
	Table uint64
	Index string
}

// Registry holds the counters of all tables that have some. The zero value is empty.
type Registry struct{ keys sync.Map } // ID → *Keys

// Of returns the counters of a table or index, new ones when there are none.
func (r *Registry) Of(id ID) *Keys {
	if k, ok := r.keys.Load(id); ok {
		return k.(*Keys)
	}
	k, _ := r.keys.LoadOrStore(id, new(Keys))
	return k.(*Keys)
}

// Forget drops counters.
func (r *Registry) Forget(id ID) { r.keys.Delete(id) }
