package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/neighbors"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/ttl"
	"github.com/keystone-db/kstone/engine/validate"
)

// searchMaxBytes bounds the items of an answer, in binary form. What happens to more is not known: unsure,
// here the farthest are left out.
const searchMaxBytes = 16 << 20

// SearchVectors finds the items whose vectors are nearest to a given one.
func (db *core) SearchVectors(ctx context.Context, in *api.SearchVectorsInput) (*api.SearchVectorsOutput, error) {
	if err := validate.SearchVectors(in); err != nil {
		return nil, err
	}
	texts := plan.Texts{
		Search: in.SearchConditionExpression, Projection: in.ProjectionExpression,
		Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
	}
	var x plan.Expressions
	if texts.Any() {
		var err error
		if x, err = db.compiler.Compile(&texts); err != nil {
			return nil, err
		}
	}
	t, err := db.enter(in.TableName.Value, nil)
	if err != nil {
		return nil, err
	}
	defer t.leave()
	s, err := plan.SearchVectors(&plan.SearchRequest{
		Table: &t.Table.Table, IndexName: in.IndexName.Value, Vector: in.SearchVector, K: int(in.TopK.Value),
		Condition: x.Search, Projection: x.Projection,
		Creating: func(ix *schema.Index) bool {
			j := t.Job(ix.Sub)
			return ix.Building && j != nil && !j.Ready && db.exec.Now().UnixMilli() < t.UntilMs
		},
	})
	if err != nil {
		return nil, err
	}
	a, err := db.search(ctx, t.Table, &s)
	if err != nil {
		return nil, err
	}
	out := &api.SearchVectorsOutput{SearchResults: []api.SearchResultItem{}}
	bytes, size := 0, 0
	for _, f := range a.Found {
		item := searched(&s, f.Entry)
		if bytes += len(item); bytes > searchMaxBytes {
			break
		}
		size += returnedSize(s.Index, item)
		out.SearchResults = append(out.SearchResults, api.SearchResultItem{Item: item, Score: api.Some(f.Score)})
	}
	if wantsCapacity(in.ReturnConsumedCapacity) {
		units := capacity.VectorSearchBytes(a.Vectors, s.Index.Vector.Dimensions, size)
		out.ConsumedCapacity = &api.VectorCapacity{VectorSearchRequestBytes: api.Some(units)}
	}
	return out, nil
}

// searched is what a search answers of an entry. The vector is there only for whoever asks for it: public
// reports say so, also of an index that projects all. What the index does not hold is left out without a word.
func searched(s *plan.Search, entry attr.Item) attr.Item {
	name := s.Index.Vector.Attribute
	if s.Projection == nil || !s.Table.Projects(s.Index, name) {
		entry = entry.Without(name)
	}
	return project(entry, s.Projection)
}

// returnedSize is what an item of an answer counts for: a vector as an index holds it.
func returnedSize(ix *schema.Index, item attr.Item) int {
	size := item.Without(ix.Vector.Attribute).Size()
	if item.Has(ix.Vector.Attribute) {
		size += len(ix.Vector.Attribute) + 4*ix.Vector.Dimensions
	}
	return size
}

// search runs a bound search.
func (db *core) search(ctx context.Context, t *catalog.Table, s *plan.Search) (neighbors.Answer, error) {
	x := db.neighbors.Of(t.Table.ID, s.Index)
	if x.Want() {
		switch {
		case db.opts.ReadOnly || db.opts.NoBackground:
			if err := x.Load(ctx); err != nil {
				// A damaged graph is made anew by whoever follows; until then all are compared.
				db.opts.Logger.Warn().Err(err).Str("table", t.Table.Name).Str("index", s.Index.Name).Msg("graph of vectors not loaded")
			}
		default:
			db.background.vectors.look()
		}
	}
	q := neighbors.Query{Vector: s.Vector, K: s.K, Partition: s.Partition}
	if s.Filter != nil {
		q.Match = s.Filter.Eval
	}
	if t.HideBy() != "" {
		q.Visible = db.visible(t, s)
	}
	return x.Search(ctx, &q)
}

// visible says of entries whether their items are past their time.
func (db *core) visible(t *catalog.Table, s *plan.Search) func(context.Context, storage.Snapshot, attr.Item) (bool, error) {
	now, hideBy := db.exec.Now(), t.HideBy()
	projected := t.Table.Projects(s.Index, hideBy)
	return func(ctx context.Context, snap storage.Snapshot, entry attr.Item) (bool, error) {
		if projected {
			return !ttl.Expired(hideBy, entry, now), nil
		}
		k, ok := key.AppendItem(nil, &t.Table, entry)
		if !ok {
			return false, nil
		}
		v, err := snap.Get(ctx, k)
		return err == nil && v.Present && !ttl.Expired(hideBy, attr.Item(v.Data), now), err
	}
}

// vectorsGivenUp tells that an index is searched by reading all of it.
func (db *core) vectorsGivenUp(table uint64, index string, bytes int64) {
	used, bound := db.neighbors.Memory()
	db.opts.Logger.Warn().Uint64("table", table).Str("index", index).Int64("bytes", bytes).
		Int64("used", used).Int64("bound", bound).
		Msg("no room for the graph of an index of vectors: its searches read all vectors")
}

// followInterval is how often the worker looks whether graphs that have come to rest are to be stored.
const followInterval = time.Second

// followTurn is how many steps are done on one graph before it is the next one's turn: one that is written
// to all the time must not keep others waiting.
const followTurn = 64

// followOnce does what is due on the graphs of all indexes of vectors.
func (db *core) followOnce(ctx context.Context) (waiting bool, err error) {
	w := &db.background.vectors
	w.mu.Lock()
	defer w.mu.Unlock()
	for more := true; more && err == nil; {
		more, waiting, err = db.followTurns(ctx)
	}
	return waiting, err
}

// followTurns gives each graph its turn. more says that one has not come to its end, rests that changes
// wait to be stored.
func (db *core) followTurns(ctx context.Context) (more, rests bool, err error) {
	var errs []error
	type name struct {
		table uint64
		sub   uint32
	}
	known := map[name]bool{}
	for _, table := range db.catalog.WithVectors() {
		t, err := db.catalog.Enter(table, 0)
		if err != nil {
			continue // deleted meanwhile
		}
		indexes := vectorIndexes(t)
		t.Leave(0)
		for _, ix := range indexes {
			known[name{t.Table.ID, ix.Sub}] = true
			m, r, err := db.followIndex(ctx, table, t.Table.ID, ix.Sub)
			more, rests = more || m, rests || r
			errs = append(errs, err)
		}
	}
	db.neighbors.Keep(func(table uint64, sub uint32) bool { return known[name{table, sub}] })
	return more, rests, errors.Join(errs...)
}

func vectorIndexes(t *catalog.Table) []schema.Index {
	return slices.DeleteFunc(slices.Clone(t.Table.Indexes), func(ix schema.Index) bool { return ix.Vector == nil })
}

// followIndex does the next steps of one graph. The table is entered for each, so that a change of it waits
// for no more than that.
func (db *core) followIndex(ctx context.Context, table string, id uint64, sub uint32) (more, rests bool, err error) {
	more = true
	for n := 0; more && n < followTurn; n++ {
		if err := ctx.Err(); err != nil {
			return false, false, err
		}
		if err := db.hold(ctx, &db.background.vectors); err != nil {
			return false, false, err
		}
		if more, rests, err = db.followStep(ctx, table, id, sub); err != nil {
			return false, false, err
		}
	}
	return more, rests, nil
}

func (db *core) followStep(ctx context.Context, table string, id uint64, sub uint32) (more, rests bool, err error) {
	t, err := db.catalog.Enter(table, 0)
	if err != nil {
		return false, false, nil // deleted meanwhile
	}
	defer t.Leave(0)
	ix := t.Table.BySub(sub)
	if t.Table.ID != id || ix == nil {
		return false, false, nil
	}
	return db.neighbors.Of(id, ix).Step(ctx, db.background.vectors.lease, db.exec.Now())
}

// followAll is followOnce for DB.Work: what rests is stored, too.
func (db *core) followAll(ctx context.Context) error {
	_, err := db.followOnce(ctx)
	return errors.Join(err, db.saveVectors(ctx))
}

// saveVectors stores what has changed of the graphs in memory.
func (db *core) saveVectors(ctx context.Context) error {
	w := &db.background.vectors
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lease == nil {
		return nil
	}
	var errs []error
	for _, table := range db.catalog.WithVectors() {
		t, err := db.catalog.Enter(table, 0)
		if err != nil {
			continue
		}
		for _, ix := range vectorIndexes(t) {
			errs = append(errs, db.neighbors.Of(t.Table.ID, &ix).Save(ctx, w.lease, db.exec.Now()))
		}
		t.Leave(0)
	}
	return errors.Join(errs...)
}

// seed draws the randomness of a graph. Rand failing leaves zeros: it decides about speed alone.
func (db *core) seed() (seed [2]uint64) {
	var b [16]byte
	if _, err := io.ReadFull(db.opts.Rand, b[:]); err != nil {
		db.opts.Logger.Error().Err(err).Msg("no randomness for a graph of vectors")
	}
	return [2]uint64{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
}
