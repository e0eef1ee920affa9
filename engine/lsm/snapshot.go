package lsm

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// snapshot is one registered LSN.
type snapshot struct {
	db     *DB
	lsn    base.LSN
	pin    pin
	closed atomic.Bool
}

// Snapshot opens a consistent view; see storage.Store.
func (db *DB) Snapshot(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if db.closed.Load() {
		return nil, storage.ErrClosed
	}
	s := &snapshot{db: db}
	s.lsn, s.pin = db.pin(opts.Owner)
	return s, nil
}

func (s *snapshot) check(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrSnapshotGone
	}
	return ctx.Err()
}

// at is the LSN to read at. A snapshot of an empty database reads at the smallest LSN, which
// nothing has, since 0 stands for the newest.
func (s *snapshot) at() base.LSN { return max(s.lsn, 1) }

// Get reads one key.
func (s *snapshot) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if err := s.check(ctx); err != nil {
		return storage.Value{}, err
	}
	return s.db.get(key, s.at())
}

// GetMany reads keys in the given order.
func (s *snapshot) GetMany(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
	values := make([]storage.Value, len(keys))
	for i, key := range keys {
		if err := s.check(ctx); err != nil {
			return nil, err
		}
		v, err := s.db.get(key, s.at())
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

// Iter walks a range.
func (s *snapshot) Iter(
	ctx context.Context, r storage.Range, opts storage.IterOptions,
) (storage.Iterator, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	return newIter(ctx, s, r, opts), nil
}

// Close gives the snapshot back; iterators opened before must be closed too.
func (s *snapshot) Close() {
	if s.closed.CompareAndSwap(false, true) {
		s.db.unpin(s.pin)
	}
}

// snapshotOldAge is when an open snapshot counts as forgotten: it keeps every version and every table
// that it may still read, and the file grows with what is written meanwhile.
const snapshotOldAge = 10 * time.Minute

// oldestSnapshot says whose the oldest snapshot is, how long it has been open and by how many batches
// it is behind.
func (db *DB) oldestSnapshot() (owner string, age time.Duration, behind uint64) {
	w := &db.wal
	s := &db.snaps
	s.mu.Lock()
	if len(s.pins) == 0 {
		s.mu.Unlock()
		return "", 0, 0
	}
	oldest := s.pins[0]
	s.mu.Unlock()
	w.mu.Lock()
	behind = w.framesBetweenLocked(oldest.lsn, w.visibleLSN())
	w.mu.Unlock()
	return oldest.owner, time.Duration(db.clock() - oldest.since), behind
}

// warnOfSnapshots logs the oldest snapshot once, when it has been open for too long.
func (db *DB) warnOfSnapshots() {
	owner, age, behind := db.oldestSnapshot()
	if age < snapshotOldAge {
		return
	}
	s := &db.snaps
	s.mu.Lock()
	warn := len(s.pins) > 0 && s.pins[0].owner == owner && !s.pins[0].warned &&
		time.Duration(db.clock()-s.pins[0].since) >= snapshotOldAge
	if warn {
		s.pins[0].warned = true
	}
	s.mu.Unlock()
	if warn {
		db.log("a snapshot that is open for long keeps space from being used again",
			fmt.Errorf("lsm: its owner is %q; it is open for %v and %d batches behind",
				owner, age.Round(time.Second), behind))
	}
}
