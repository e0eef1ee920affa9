package neighbors

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/vector"
)

const (
	// BytesDefault bounds the memory of all graphs of a database.
	BytesDefault = 2 << 30
	// idleMillis is how long a graph was not searched that makes room for another one.
	idleMillis = 60_000
	// regainShare: a graph that was given up is begun anew when there is room for it and one part in so many
	// more.
	regainShare = 8
	// waitRows is how many rows the tail of a graph has at most that waits for room.
	waitRows = 1000
	// deletePages is how many pages are deleted at a time.
	deletePages = 1000
)

// Memory is how many bytes the graphs take, about, and their bound.
func (s *Set) Memory() (used, bound int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used, s.opts.Bytes
}

// take says that the graph of an index takes so many bytes from now on. It reports false, and changes nothing,
// if there is no room for it, even without those that were not searched for a while.
func (s *Set) take(x *Index, bytes int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.indexes[id{x.table, x.ix.Sub}] != x {
		return true // it is gone
	}
	missing := s.used - x.bytes + bytes - s.opts.Bytes
	idle := s.opts.Now().UnixMilli() - idleMillis
	var others []*Index
	for _, o := range s.indexes {
		if missing <= 0 {
			break
		}
		if o != x && o.bytes > 0 && o.searched.Load() <= idle {
			others = append(others, o)
			missing -= o.bytes
		}
	}
	if missing > 0 {
		return false
	}
	for _, o := range others {
		o.graph.Store(nil)
		o.wanted.Store(false)
		s.used -= o.bytes
		o.bytes = 0
	}
	s.used += bytes - x.bytes
	x.bytes = bytes
	return true
}

// give says that an index has no graph in memory.
func (s *Set) give(x *Index) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= x.bytes
	x.bytes = 0
}

// bytesOf is what a graph that is stored takes in memory.
func (x *Index) bytesOf(state stateRow) int64 {
	return max(state.Bytes, vector.BytesOf(params(x.ix, [2]uint64{}), state.Nodes))
}

// waits says whether a graph is stored for which there is no room now. One from which too much has changed is
// given up.
func (x *Index) waits(ctx context.Context, l *lease.Lease) (bool, error) {
	v, err := x.set.store.Get(ctx, key.AppendGraph(nil, x.table, x.ix))
	if err != nil || !v.Present {
		return false, err
	}
	state, err := decodeState(v.Data)
	if err != nil || state.Given {
		return false, err
	}
	rows, err := x.behind(ctx, state.Cursor, ^uint64(0), waitRows)
	if err == nil && rows == waitRows {
		err = x.giveUp(ctx, l, x.bytesOf(state))
	}
	return true, err
}

// giveUp lets go of a graph of so many bytes for which there is no room, in memory and as it is stored.
func (x *Index) giveUp(ctx context.Context, l *lease.Lease, bytes int64) error {
	x.forget()
	mark, err := x.set.store.Watermark(ctx, 0)
	if err != nil {
		return err
	}
	b, err := json.Marshal(stateRow{Version: stateVersionGiven, Cursor: uint64(mark), M: vector.MDefault, Given: true, Bytes: bytes})
	if err != nil {
		return fmt.Errorf("neighbors: state of a graph: %w", err)
	}
	state := key.AppendGraph(nil, x.table, x.ix)
	err = x.set.store.Update(ctx, []storage.Named{l.Named(), {Key: state}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(0)); err != nil {
			return err
		}
		tx.Put(state, b)
		return nil
	})
	if err != nil {
		return err
	}
	if x.set.opts.GivenUp != nil {
		x.set.opts.GivenUp(x.table, x.ix.Name, bytes)
	}
	pages := storage.Range(key.SpaceRange(key.TableSpace(x.table), x.ix.Vector.Graph))
	pages.Start = append(state, 0)
	if err := x.deletePages(ctx, pages); err != nil {
		return err
	}
	return x.set.store.DropRange(ctx, storage.Range(key.TailRange(x.table, x.ix, 0, uint64(mark))))
}

// deletePages deletes what is stored of a graph but for its state. They may be written again, so that their
// range cannot be dropped.
func (x *Index) deletePages(ctx context.Context, r storage.Range) error {
	for more := true; more; {
		var batch storage.Batch
		err := storage.Fresh(ctx, func() error {
			batch = storage.Batch{}
			snap, err := x.set.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerFollow})
			if err != nil {
				return err
			}
			defer snap.Close()
			it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: deletePages, Once: true})
			if err != nil {
				return err
			}
			defer it.Close()
			for len(batch.Ops) < deletePages && it.Next() {
				batch.Delete(slices.Clone(it.Key()))
			}
			return it.Err()
		})
		if err != nil {
			return err
		}
		if more = len(batch.Ops) > 0; more {
			r.Start = append(slices.Clone(batch.Ops[len(batch.Ops)-1].Key), 0)
			if err := x.set.store.Apply(ctx, &batch, storage.UpdateOptions{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// regain says whether a graph that was given up is to be begun anew. If not, the rows of the tail go: nobody
// follows them.
func (x *Index) regain(ctx context.Context, state stateRow) (bool, error) {
	if x.wanted.Load() && x.set.take(x, state.Bytes+state.Bytes/regainShare) {
		return true, nil
	}
	x.set.give(x)
	mark, err := x.set.store.Watermark(ctx, 0)
	if err != nil {
		return false, err
	}
	if rows, err := x.behind(ctx, 0, uint64(mark), dropLeast); err != nil || rows < dropLeast {
		return false, err
	}
	return false, x.set.store.DropRange(ctx, storage.Range(key.TailRange(x.table, x.ix, 0, uint64(mark))))
}
