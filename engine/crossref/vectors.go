package crossref

import (
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/neighbors"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/vector"
)

// graphs checks the graphs of indexes of vectors: each entry is in its graph, or a row of the tail says that
// it has changed, and so is each node. A repair takes away the graphs that are wrong, and those of entries
// that it has changed: whoever follows makes them anew from the entries.
func (t *tableCheck) graphs(ctx context.Context) error {
	for i := range t.Table.Indexes {
		ix := &t.Table.Indexes[i]
		if ix.Vector == nil {
			continue
		}
		what, err := t.graph(ctx, ix)
		if err != nil {
			return err
		}
		if what != "" {
			t.fault(Vectors, ix.Name, key.AppendGraph(nil, t.Table.ID, ix), "%s", what)
		}
		if t.opts.Repair && (what != "" || !t.indexes[i].equal() || t.unreadable(ix)) {
			for _, sub := range []uint32{ix.Vector.Graph, ix.Vector.Tail} {
				if err := t.walk(ctx, t.rows(sub), func(k, _ []byte) error { return t.remove(ctx, k) }); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// unreadable says whether part of an index cannot be read.
func (t *tableCheck) unreadable(ix *schema.Index) bool {
	return t.touched(t.rows(ix.Sub)) || t.touched(t.rows(ix.Vector.Graph)) || t.touched(t.rows(ix.Vector.Tail))
}

// graph says what is wrong with a graph; "" for nothing.
func (t *tableCheck) graph(ctx context.Context, ix *schema.Index) (what string, err error) {
	if t.unreadable(ix) {
		return "", nil
	}
	state, ok, err := t.get(ctx, key.AppendGraph(nil, t.Table.ID, ix))
	if err != nil || !ok || !state.Present {
		return "", err // it is not begun
	}
	g, s, err := neighbors.Inspect(ctx, t.snap, t.Table.ID, ix, state.Data)
	switch {
	case errors.Is(err, vector.ErrCorrupt), errors.Is(err, storage.ErrCorrupt):
		return "the graph is malformed: " + err.Error(), nil
	case err != nil:
		return "", err
	}
	if s.Given {
		return "", nil
	}
	changed := map[string]bool{}
	err = t.walk(ctx, t.rows(ix.Vector.Tail), func(k, _ []byte) error {
		seq, entry, ok := key.SplitTail(ix, k)
		if !ok {
			what = "a row of the tail is malformed"
		} else if seq > s.Cursor {
			changed[string(entry[storage.PrefixBytes:])] = true
		}
		return nil
	})
	if err != nil || what != "" || s.Filling {
		return what, err
	}
	return t.nodes(ctx, ix, g, changed)
}

// nodes compares entries and nodes, but for those that have changed since.
func (t *tableCheck) nodes(ctx context.Context, ix *schema.Index, g *vector.Graph, changed map[string]bool) (what string, err error) {
	nodes := g.Live()
	for name := range changed {
		if g.Has(name) {
			nodes--
		}
	}
	err = t.walk(ctx, t.rows(ix.Sub), func(k, v []byte) error {
		name := string(k[storage.PrefixBytes:])
		if changed[name] || attr.CheckItem(v) != nil {
			return nil
		}
		nodes--
		if !g.Holds(name, attr.Item(v).Get(ix.Vector.Attribute).Float32s(nil)) {
			what = "an entry is not in the graph"
		}
		return nil
	})
	if what == "" && nodes > 0 {
		what = "the graph holds vectors that have no entry"
	}
	return what, err
}
