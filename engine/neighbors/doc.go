// Package neighbors keeps the graph of an index of vectors beside its rows, and searches both.
//
// What a write does to an index of vectors is in its update: the entry, and a row of the tail that says
// that the entry has changed (package key, vector.go). The graph follows: whoever has the lease of the work
// reads the tail up to the watermark, looks at what the entries are now, and changes the graph in memory.
// Now and then it stores the pages that have changed, together with how far it came, in one update that
// names the lease; only then are rows of the tail dropped. So a crash leaves a graph as of some row of the
// tail, and all rows behind it.
//
// A search opens the graph first and a snapshot second: all that the graph holds is in the snapshot, and
// what the graph lacks is in the tail behind its cursor. Entries that the tail names are compared one by
// one, whatever the graph says of them, so that an acknowledged write is always seen. Where there is no
// graph, where there are few vectors, and where the tail is long, all entries are compared.
//
// Graphs are in memory, all of them together within a bound (memory.go). An index for whose graph there is no
// room is searched by comparing all entries until there is. When much of it changes meanwhile, or when it is
// its graph that outgrows the room, the graph is given up: what is stored of it goes, and the tail with it.
package neighbors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/vector"
)

// Set holds what is in memory of all indexes of vectors of a database.
type Set struct {
	store storage.Store
	opts  Options

	mu      sync.Mutex
	indexes map[id]*Index // guarded by mu
	used    int64         // by graphs; guarded by mu
}

// Options of a Set.
type Options struct {
	// Exact is how many vectors a search compares one by one rather than asking the graph, 0 for ExactMax.
	Exact int
	// Bytes bounds the memory of all graphs, 0 for BytesDefault.
	Bytes int64
	// Seed is asked for each graph's randomness, Now for the time.
	Seed func() [2]uint64
	Now  func() time.Time
	// GivenUp is told of an index for whose graph of about so many bytes there is no room; nil tells nobody.
	GivenUp func(table uint64, index string, bytes int64)
}

// id names an index.
type id struct {
	table uint64
	sub   uint32
}

// NewSet makes an empty set.
func NewSet(store storage.Store, o Options) *Set {
	if o.Exact == 0 {
		o.Exact = ExactMax
	}
	if o.Bytes == 0 {
		o.Bytes = BytesDefault
	}
	return &Set{store: store, opts: o, indexes: map[id]*Index{}}
}

// Of returns an index of a table. The definition is kept.
func (s *Set) Of(table uint64, ix *schema.Index) *Index {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := id{table, ix.Sub}
	x := s.indexes[at]
	if x == nil {
		x = &Index{set: s, table: table, ix: ix, metric: vector.Metric(ix.Vector.Distance)}
		s.indexes[at] = x
	}
	return x
}

// Keep forgets the indexes that known does not name: they are gone.
func (s *Set) Keep(known func(table uint64, sub uint32) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, x := range s.indexes {
		if !known(at.table, at.sub) {
			delete(s.indexes, at)
			s.used -= x.bytes
			x.bytes = 0
		}
	}
}

// Index is one index of vectors. It is safe for concurrent use, but Step and Save are for one goroutine at a
// time.
type Index struct {
	set    *Set
	table  uint64
	ix     *schema.Index
	metric vector.Metric

	loading sync.Mutex
	graph   atomic.Pointer[following] // nil before it is loaded
	wanted  atomic.Bool
	// searched is when a search last could use the graph, in Unix milliseconds.
	searched atomic.Int64
	bytes    int64 // of the graph; guarded by set.mu
}

// following is a graph and how far it follows the rows.
type following struct {
	*vector.Graph
	// cursor is the Seq up to which all rows of the tail are in the graph.
	cursor atomic.Uint64
	// filling: the entries that were there when the graph was begun are being put in.
	filling atomic.Bool

	// These are the follower's.
	after   []byte // how far filling came
	unsaved int    // changes since then
	kept    int    // changes whose rows of the tail are still there
	savedAt time.Time
}

// Forms of the row with a graph's state: of one that is stored, and of one that was given up. A newer one is
// refused.
const (
	stateVersion      = 1
	stateVersionGiven = 2
)

// stateRow is how far a graph follows, as it is stored.
type stateRow struct {
	Version int    `json:"version"`
	Cursor  uint64 `json:"cursor"`
	// Nodes is the number of nodes that its pages have.
	Nodes int `json:"nodes"`
	// M is the number of neighbors that its nodes have.
	M int `json:"m"`
	// Filling and After say how far the entries are put in that were there at the beginning.
	Filling bool   `json:"filling,omitempty"`
	After   []byte `json:"after,omitempty"`
	// Bytes is how much memory the graph took.
	Bytes int64 `json:"bytes,omitempty"`
	// Given: the graph was given up and is not stored, as there was no room.
	Given bool `json:"given,omitempty"`
	// Few and Many are the widths of searches.
	Few  int `json:"few,omitempty"`
	Many int `json:"many,omitempty"`
	// Far is the distance beyond which the widths do not hold.
	Far float32 `json:"far,omitempty"`
}

func decodeState(b []byte) (stateRow, error) {
	var r stateRow
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("neighbors: state of a graph: %w: %w", storage.ErrCorrupt, err)
	}
	if r.Version > stateVersionGiven {
		return r, fmt.Errorf("neighbors: state of a graph: version %d is newer than this program", r.Version)
	}
	return r, nil
}

// State is how far a graph that is stored follows the rows.
type State struct {
	// Cursor is the Seq up to which it does.
	Cursor uint64
	// Filling: entries that were there at its beginning are still being put in.
	Filling bool
	// Given: it was given up and is not stored.
	Given bool
}

// Inspect reads a graph that is stored, by the row with its state, for whoever verifies it.
func Inspect(ctx context.Context, snap storage.Snapshot, table uint64, ix *schema.Index, row []byte) (*vector.Graph, State, error) {
	r, err := decodeState(row)
	if err != nil {
		return nil, State{}, err
	}
	if r.Given {
		return nil, State{Cursor: r.Cursor, Given: true}, nil
	}
	p := params(ix, [2]uint64{})
	p.M = r.M
	g, err := read(ctx, snap, table, ix, p, r.Nodes)
	return g, State{Cursor: r.Cursor, Filling: r.Filling}, err
}

// params of a graph of the set's.
func (x *Index) params() vector.Params {
	p := params(x.ix, x.set.opts.Seed())
	if x.set.opts.Exact < ExactMax {
		p.Least = x.set.opts.Exact // a test's
	}
	return p
}

// params of the graph of an index.
func params(ix *schema.Index, seed [2]uint64) vector.Params {
	return vector.Params{Dims: ix.Vector.Dimensions, Metric: vector.Metric(ix.Vector.Distance), M: vector.MDefault, Seed: seed}
}

// nameOf is what a graph calls an entry: its key from the hash on.
func nameOf(entry []byte) string { return string(entry[storage.PrefixBytes:]) }

// entryOf is the key of an entry that a graph names.
func (x *Index) entryOf(name string) []byte {
	return append(key.AppendPrefix(make([]byte, 0, storage.PrefixBytes+len(name)), key.TableSpace(x.table), x.ix.Sub), name...)
}

// partOf is the partition of an entry that a graph names.
func (x *Index) partOf(name string) string {
	return string(key.VectorPartition(x.ix, x.entryOf(name))[storage.PrefixBytes:])
}

// noteOf are the attributes of an entry that conditions of searches look at; nil when there are none.
func (x *Index) noteOf(entry attr.Item) []byte {
	if len(x.ix.Vector.Filters) == 0 {
		return nil
	}
	names := make([]string, 0, len(x.ix.Vector.Filters)+1)
	for _, a := range slices.Concat(x.ix.Key.Hash, x.ix.Vector.Filters) {
		names = append(names, a.Name)
	}
	slices.Sort(names)
	return entry.Project(names)
}

// Want says that a search could use the graph. It reports whether it is not there yet.
func (x *Index) Want() bool {
	x.wanted.Store(true)
	x.searched.Store(x.set.opts.Now().UnixMilli())
	return x.graph.Load() == nil
}

// Load brings the graph into memory if one is stored.
func (x *Index) Load(ctx context.Context) error {
	x.loading.Lock()
	defer x.loading.Unlock()
	if x.graph.Load() != nil {
		return nil
	}
	var f *following
	err := storage.Fresh(ctx, func() (err error) {
		f, err = x.load(ctx)
		return err
	})
	if err != nil || f == nil {
		return err
	}
	if x.graph.Store(f); !x.set.take(x, f.Bytes()) {
		x.forget() // its keys are longer than was thought
	}
	return nil
}

// load reads the graph; nil when none is stored, or when there is no room for it.
func (x *Index) load(ctx context.Context) (f *following, err error) {
	snap, err := x.set.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "load of a graph"})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	v, err := snap.Get(ctx, key.AppendGraph(nil, x.table, x.ix))
	if err != nil || !v.Present {
		return nil, err
	}
	state, err := decodeState(v.Data)
	if err != nil {
		return nil, err
	}
	p := x.params()
	p.M = state.M
	if state.Given || !x.set.take(x, x.bytesOf(state)) {
		return nil, nil
	}
	defer func() {
		if f == nil {
			x.set.give(x)
		}
	}()
	g, err := read(ctx, snap, x.table, x.ix, p, state.Nodes)
	if err != nil {
		return nil, err
	}
	g.SetWidths(vector.Widths{Few: state.Few, Many: state.Many, Far: state.Far})
	f = &following{Graph: g, after: state.After}
	f.cursor.Store(state.Cursor)
	f.filling.Store(state.Filling)
	return f, nil
}

// read reads a graph of so many nodes from its pages.
func read(ctx context.Context, snap storage.Snapshot, table uint64, ix *schema.Index, p vector.Params, nodes int) (*vector.Graph, error) {
	x := Index{table: table, ix: ix}
	if nodes < 0 || p.M <= 0 {
		return nil, fmt.Errorf("neighbors: %w", vector.ErrCorrupt)
	}
	l, err := vector.NewLoader(p, nodes, x.partOf)
	if err != nil {
		return nil, err
	}
	r := storage.Range(key.SpaceRange(key.TableSpace(table), ix.Vector.Graph))
	it, err := snap.Iter(ctx, r, storage.IterOptions{Once: true})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	for it.Next() {
		kind, number, ok := key.SplitPage(it.Key())
		if !ok || uint64(number)*vector.PageNodes >= uint64(nodes) {
			continue // the state, or a page of a graph before this one
		}
		if err := l.Page(vector.PageID{Kind: vector.PageKind(kind), Number: number}, it.Value()); err != nil {
			return nil, err
		}
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	return l.Graph()
}

// forget lets go of the graph in memory. What changed since it was stored is in the tail.
func (x *Index) forget() {
	x.graph.Store(nil)
	x.set.give(x)
}

// damaged says whether a graph that is stored cannot be used.
func damaged(err error) bool {
	return errors.Is(err, vector.ErrCorrupt) || errors.Is(err, storage.ErrCorrupt)
}
