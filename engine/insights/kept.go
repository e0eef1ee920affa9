package insights

import (
	"container/heap"
	"encoding/json"
)

// KeptMax is how many keys of each counter are kept beyond the process.
const KeptMax = 100

// kept is a counter as it is stored.
type kept struct {
	Total uint64
	Keys  []keptKey
}

type keptKey struct {
	Key         []byte
	Count, Over uint64
}

func (k *Keys) counters() [4]*Counter {
	return [...]*Counter{&k.Partitions, &k.Items, &k.ThrottledPartitions, &k.ThrottledItems}
}

// Dump returns the most frequent keys of each counter, up to KeptMax, for Load. changed is false, and there is nothing,
// when no key was counted since the last Dump or Load. Calls of Dump and Load must not overlap.
func (k *Keys) Dump() (b []byte, changed bool, err error) {
	var out [4]kept
	all := uint64(0)
	for i, c := range k.counters() {
		top, total := c.Top(KeptMax)
		all += total
		out[i].Total = total
		for _, e := range top {
			out[i].Keys = append(out[i].Keys, keptKey{[]byte(e.Key), e.Count, e.Over})
		}
	}
	if all == k.kept {
		return nil, false, nil
	}
	b, err = json.Marshal(out)
	if err == nil {
		k.kept = all
	}
	return b, err == nil, err
}

// Load puts what Dump returned into counters that are empty. Keys that were not kept are counted from the beginning.
func (k *Keys) Load(b []byte) error {
	var in [4]kept
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	k.kept = 0
	for i, c := range k.counters() {
		c.load(&in[i])
		k.kept += in[i].Total
	}
	return nil
}

func (c *Counter) load(in *kept) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total, c.byKey, c.least = in.Total, map[string]*node{}, nil
	for _, e := range in.Keys[:min(len(in.Keys), KeptMax)] {
		n := &node{Contributor: Contributor{Key: string(e.Key), Count: e.Count, Over: e.Over}}
		c.byKey[n.Key] = n
		heap.Push(&c.least, n)
	}
}

// Each calls f for all counters that there are.
func (r *Registry) Each(f func(id ID, k *Keys)) {
	r.keys.Range(func(id, k any) bool {
		f(id.(ID), k.(*Keys))
		return true
	})
}
