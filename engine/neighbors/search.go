package neighbors

import (
	"cmp"
	"context"
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/vector"
)

const (
	// ExactMax is how many vectors are compared one by one: up to so many, that costs no more.
	ExactMax = 1000
	// tailMax is how many rows of the tail are looked up one by one; beyond it all entries are read in order.
	tailMax = 20_000
	// spare is how many results more the graph is asked for: some may come out in another order when they
	// are measured exactly.
	spare = 8
)

// Query is a search.
type Query struct {
	Vector []float32
	K      int
	// Partition is what the keys of all entries begin with that the search is about.
	Partition []byte
	// Match says of an entry, or of the attributes of it that the search schema names, whether it counts;
	// nil for all.
	Match func(attr.Item) bool
	// Visible says whether an entry that matches may be returned; nil for yes.
	Visible func(ctx context.Context, snap storage.Snapshot, entry attr.Item) (bool, error)
}

// Found is an entry that a search found.
type Found struct {
	Entry attr.Item
	Score float64
	key   string
	rank  float64
}

func compareFound(a, b Found) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.key, b.key))
}

// Answer of a search.
type Answer struct {
	// Found is the nearest first.
	Found []Found
	// Vectors is about how many vectors there are among which the search was.
	Vectors int
	// Exact: all of them were compared.
	Exact bool
}

// Search finds the nearest entries.
func (x *Index) Search(ctx context.Context, q *Query) (a Answer, err error) {
	err = storage.Fresh(ctx, func() error {
		a, err = x.search(ctx, q)
		return err
	})
	return a, err
}

func (x *Index) search(ctx context.Context, q *Query) (Answer, error) {
	f := x.graph.Load()
	if f == nil || f.filling.Load() {
		return x.exactly(ctx, q)
	}
	part := string(q.Partition[storage.PrefixBytes:])
	view := f.View()
	live, cursor := view.Live(part), f.cursor.Load()
	if live <= x.set.opts.Exact || !view.Comparable(q.Vector) {
		view.Close()
		return x.exactly(ctx, q)
	}
	a, ok, err := x.ask(ctx, q, view, part, cursor)
	if ok || err != nil {
		return a, err
	}
	return x.exactly(ctx, q)
}

// ask asks the graph and compares what the tail names; ok is false if that is no way to an answer. It closes
// the view.
func (x *Index) ask(ctx context.Context, q *Query, view *vector.View, part string, cursor uint64) (a Answer, ok bool, err error) {
	snap, err := x.set.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerSearch})
	if err != nil {
		view.Close()
		return a, false, err
	}
	defer snap.Close()
	changed, ok, err := x.changed(ctx, snap, cursor)
	if err != nil || !ok {
		view.Close()
		return a, false, err
	}
	var match vector.Match
	if len(changed) > 0 || q.Match != nil {
		match = func(name string, note []byte) bool {
			return !changed[name] && (q.Match == nil || q.Match(note))
		}
	}
	want := q.K + spare
	if q.Visible != nil {
		want += q.K // some may be past their time
	}
	hits := view.Search(part, q.Vector, want, 0, match)
	a.Vectors = view.Live(part)
	view.Close()
	keys := make([][]byte, 0, len(hits)+len(changed))
	for _, h := range hits {
		keys = append(keys, x.entryOf(h.Key))
	}
	for name := range changed {
		if k := x.entryOf(name); x.partOf(name) == part {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, slices.Compare)
	values, err := snap.GetMany(ctx, keys)
	if err != nil {
		return a, false, err
	}
	c := x.collect(q, snap)
	for i, v := range values {
		if v.Present {
			if err := c.add(ctx, keys[i], v.Data); err != nil {
				return a, false, err
			}
		}
	}
	if len(c.found) < q.K && len(hits) == want {
		return a, false, nil // so many cannot be shown that others must be looked for
	}
	a.Found = c.sorted()
	return a, true, nil
}

// changed are the entries that the tail names behind the graph's cursor. ok is false when they are too
// many, or when somebody else follows and has dropped rows.
func (x *Index) changed(ctx context.Context, snap storage.Snapshot, cursor uint64) (names map[string]bool, ok bool, err error) {
	v, err := snap.Get(ctx, key.AppendGraph(nil, x.table, x.ix))
	if err != nil {
		return nil, false, err
	}
	if v.Present {
		state, err := decodeState(v.Data)
		if err != nil || state.Cursor > cursor {
			x.forget()
			return nil, false, err
		}
	}
	rows, last, err := x.tail(ctx, snap, cursor, ^uint64(0), tailMax)
	if err != nil || last != ^uint64(0) {
		return nil, false, err
	}
	names = make(map[string]bool, len(rows))
	for _, r := range rows {
		names[nameOf(r)] = true
	}
	return names, true, nil
}

// ownerSearch names the snapshots of searches.
const ownerSearch = "search of vectors"

// exactly compares all entries.
func (x *Index) exactly(ctx context.Context, q *Query) (Answer, error) {
	snap, err := x.set.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerSearch})
	if err != nil {
		return Answer{}, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.PrefixRange(q.Partition)), storage.IterOptions{})
	if err != nil {
		return Answer{}, err
	}
	defer it.Close()
	c := x.collect(q, snap)
	a := Answer{Exact: true}
	for it.Next() {
		a.Vectors++
		if err := c.add(ctx, it.Key(), it.Value()); err != nil {
			return Answer{}, err
		}
	}
	a.Found = c.sorted()
	return a, it.Err()
}

// collector keeps the nearest of the entries that it is given.
type collector struct {
	*Index
	q      *Query
	snap   storage.Snapshot
	floats []float32
	found  []Found // a heap, the farthest first, once there are K
}

func (x *Index) collect(q *Query, snap storage.Snapshot) *collector {
	return &collector{Index: x, q: q, snap: snap}
}

// add looks at an entry, which it copies if it keeps it.
func (c *collector) add(ctx context.Context, k, entry []byte) error {
	if c.q.Match != nil && !c.q.Match(entry) {
		return nil
	}
	c.floats = attr.Item(entry).Get(c.ix.Vector.Attribute).Float32s(c.floats[:0])
	if len(c.floats) != len(c.q.Vector) {
		return nil // damaged: verification says so
	}
	f := Found{Score: c.metric.Score(c.q.Vector, c.floats)}
	f.rank = c.metric.Rank(f.Score)
	full := len(c.found) == c.q.K
	if full && f.rank > c.found[0].rank {
		return nil
	}
	f.key = string(k)
	if full && compareFound(f, c.found[0]) > 0 {
		return nil
	}
	if c.q.Visible != nil {
		if ok, err := c.q.Visible(ctx, c.snap, entry); err != nil || !ok {
			return err
		}
	}
	f.Entry = append(attr.Item(nil), entry...)
	c.keep(f)
	return nil
}

// keep takes an entry in, in place of the farthest if there are K.
func (c *collector) keep(f Found) {
	if len(c.found) < c.q.K {
		c.found = append(c.found, f)
		for i := len(c.found) - 1; i > 0; {
			up := (i - 1) / 2
			if compareFound(c.found[i], c.found[up]) <= 0 {
				break
			}
			c.found[i], c.found[up] = c.found[up], c.found[i]
			i = up
		}
		return
	}
	h := c.found
	h[0] = f
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			return
		}
		if down+1 < len(h) && compareFound(h[down+1], h[down]) > 0 {
			down++
		}
		if compareFound(h[i], h[down]) >= 0 {
			return
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

func (c *collector) sorted() []Found {
	slices.SortFunc(c.found, compareFound)
	return c.found
}
