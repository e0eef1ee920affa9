package lsm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// snapshot is one registered LSN.
type snapshot struct {
	db     *DB
	lsn    base.LSN
	pin    *pin
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
	if db.opts.InMemory && db.snaps.oldest.Load() != noPin { // nobody else looks while nothing is written
		db.endSnapshots()
	}
	s.lsn, s.pin = db.pin(opts.Owner, false)
	return s, nil
}

func (s *snapshot) check(ctx context.Context) error {
	if s.closed.Load() {
		return storage.ErrSnapshotGone
	}
	return ctx.Err()
}

// gone says, after something was read, whether it may have been taken away meanwhile.
func (s *snapshot) gone() bool { return s.pin.gone.Load() }

// at is the LSN to read at. A snapshot of an empty database reads at the smallest LSN, which
// nothing has, since 0 stands for the newest.
func (s *snapshot) at() base.LSN { return max(s.lsn, 1) }

// Get reads one key.
func (s *snapshot) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if err := s.check(ctx); err != nil {
		return storage.Value{}, err
	}
	v, err := s.db.get(key, s.at())
	if s.gone() {
		return storage.Value{}, storage.ErrSnapshotGone
	}
	return v, err
}

const (
	// getsPerReader is how many keys are worth a goroutine of their own.
	getsPerReader = 16
	// readersMax read for one GetMany at once: a disk answers so many in little more time than one.
	readersMax = 8
)

// GetMany reads keys, and returns their values in the given order. Many keys are read by several
// goroutines: each read may wait for the disk.
func (s *snapshot) GetMany(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
	values := make([]storage.Value, len(keys))
	readers := min(len(keys)/getsPerReader, readersMax)
	if readers < 2 || s.db.opts.InMemory {
		if err := s.getEach(ctx, keys, values); err != nil {
			return nil, err
		}
		return values, nil
	}
	errs := make([]error, readers)
	var wg sync.WaitGroup
	share := (len(keys) + readers - 1) / readers
	for i := range readers {
		from, to := min(i*share, len(keys)), min((i+1)*share, len(keys))
		read := func() { errs[i] = s.getEach(ctx, keys[from:to], values[from:to]) }
		if i < readers-1 {
			wg.Go(read)
		} else {
			read()
		}
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return values, nil
}

// getEach reads keys into values, one after the other.
func (s *snapshot) getEach(ctx context.Context, keys [][]byte, values []storage.Value) error {
	for i, key := range keys {
		if err := s.check(ctx); err != nil {
			return err
		}
		v, err := s.db.get(key, s.at())
		if err != nil {
			return err
		}
		values[i] = v
	}
	if s.gone() {
		return storage.ErrSnapshotGone
	}
	return nil
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

// snapshotMetrics says whose the oldest snapshot is, how long it has been open, and by how many batches
// and bytes it is behind.
func (db *DB) snapshotMetrics() (m SnapshotMetrics) {
	w := &db.wal
	s := &db.snaps
	now := db.clock()
	s.mu.Lock()
	m.SnapshotsEnded = s.ended
	for _, p := range s.pins {
		m.Snapshots += p.count
	}
	if len(s.pins) == 0 {
		s.mu.Unlock()
		return m
	}
	p := s.pins[0]
	lsn, since, written := p.lsn, p.since, p.written
	m.OldestSnapshotOwner = p.owner
	s.mu.Unlock()
	w.mu.Lock()
	m.OldestSnapshot = w.framesBetweenLocked(lsn, w.visibleLSN())
	w.mu.Unlock()
	m.OldestSnapshotAge, m.OldestSnapshotBytes = max(0, time.Duration(now-since)), w.taken.Load()-written
	return m
}

func snapshotError(owner string, age time.Duration, written int64) error {
	return fmt.Errorf("lsm: its owner is %q; it is open for %v, and %d bytes were written since",
		owner, age.Round(time.Second), written)
}

// warnOfSnapshots logs the oldest snapshot once, when it has been open for too long.
func (db *DB) warnOfSnapshots() {
	s := &db.snaps
	now := db.clock()
	s.mu.Lock()
	var old *pin
	var err error
	if len(s.pins) > 0 && !s.pins[0].warned && time.Duration(now-s.pins[0].since) >= snapshotOldAge {
		old = s.pins[0]
		old.warned = true
		err = snapshotError(old.owner, time.Duration(now-old.since), db.wal.taken.Load()-old.written)
	}
	s.mu.Unlock()
	if old != nil {
		db.log("a snapshot that is open for long keeps space from being used again", err)
	}
}
