package memstore

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/keystone-db/kstone/engine/storage"
)

// snapshot is a copy-on-write tree and a remaining life.
type snapshot struct {
	store  *Store
	tree   *btree.BTreeG[entry]
	until  time.Time    // zero: no limit
	life   atomic.Int64 // calls that are still answered, when mortal
	mortal bool
	closed atomic.Bool
}

// Snapshot implements storage.Store.
func (s *Store) Snapshot(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	c := s.core
	snap := &snapshot{store: s}
	if c.opts.Clock != nil && c.opts.MaxSnapshotAge > 0 {
		snap.until = c.opts.Clock().Add(c.opts.MaxSnapshotAge)
	}
	if c.dice.roll(c.opts.Expire) {
		snap.mortal = true
		snap.life.Store(int64(c.dice.upTo(ExpireSteps)))
	}
	if opts.Freshness == storage.Recent {
		snap.tree = c.pastState()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if snap.tree == nil {
		snap.tree = c.visible.Copy()
	}
	c.snapshots++
	return snap, nil
}

// use is the gate of every call.
func (s *snapshot) use(ctx context.Context) error {
	if err := s.store.enter(ctx); err != nil {
		return err
	}
	switch {
	case s.closed.Load():
		return storage.ErrSnapshotGone
	case s.mortal && s.life.Add(-1) < 0:
		return storage.ErrSnapshotGone
	case !s.until.IsZero() && s.store.core.opts.Clock().After(s.until):
		return storage.ErrSnapshotGone
	}
	return nil
}

// Get implements storage.Snapshot.
func (s *snapshot) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if err := s.use(ctx); err != nil {
		return storage.Value{}, err
	}
	return s.store.core.lookup(s.tree, key)
}

// GetMany implements storage.Snapshot.
func (s *snapshot) GetMany(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	out := make([]storage.Value, len(keys))
	for i, key := range keys {
		v, err := s.store.core.lookup(s.tree, key)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// Iter implements storage.Snapshot.
func (s *snapshot) Iter(
	ctx context.Context, r storage.Range, opts storage.IterOptions,
) (storage.Iterator, error) {
	if err := s.use(ctx); err != nil {
		return nil, err
	}
	return &iterator{ctx: ctx, snap: s, tree: s.tree.Iter(), bounds: r, reverse: opts.Reverse,
		keep: opts.KeepValues}, nil
}

// Close implements storage.Snapshot. It may be called again.
func (s *snapshot) Close() {
	if s.closed.Swap(true) {
		return
	}
	s.store.core.mu.Lock()
	defer s.store.core.mu.Unlock()
	s.store.core.snapshots--
}

// iterator walks a snapshot's tree.
type iterator struct {
	ctx     context.Context // of the Iter call: the iterator is part of that call
	snap    *snapshot
	tree    btree.IterG[entry]
	bounds  storage.Range
	reverse bool
	keep    bool // values outlive the step
	begun   bool
	over    bool
	key     []byte
	value   []byte
	err     error
}

// Next implements storage.Iterator.
func (it *iterator) Next() bool {
	it.drop()
	if it.over {
		return false
	}
	if it.err = it.snap.use(it.ctx); it.err != nil || !it.step() {
		it.over = true
		return false
	}
	e := it.tree.Item()
	if !it.bounds.Contains([]byte(e.key)) {
		it.over = true
		return false
	}
	v, err := it.snap.store.core.hand(e)
	if err != nil {
		it.err, it.over = err, true
		return false
	}
	it.key, it.value = []byte(e.key), v.Data
	return true
}

// step moves the tree's iterator to the next candidate.
func (it *iterator) step() bool {
	if it.begun {
		if it.reverse {
			return it.tree.Prev()
		}
		return it.tree.Next()
	}
	it.begun = true
	if !it.reverse {
		return it.tree.Seek(entry{key: string(it.bounds.Start)})
	}
	if it.bounds.End == nil || !it.tree.Seek(entry{key: string(it.bounds.End)}) {
		return it.tree.Last()
	}
	return it.tree.Prev()
}

// drop ends the validity of what the last step returned.
func (it *iterator) drop() {
	if it.snap.store.core.opts.Mangle {
		mangle(it.key)
		if !it.keep {
			mangle(it.value)
		}
	}
	it.key, it.value = nil, nil
}

// Key implements storage.Iterator.
func (it *iterator) Key() []byte { return it.key }

// Value implements storage.Iterator.
func (it *iterator) Value() []byte { return it.value }

// Err implements storage.Iterator.
func (it *iterator) Err() error { return it.err }

// Close implements storage.Iterator. It may be called again.
func (it *iterator) Close() {
	it.drop()
	it.over = true
}
