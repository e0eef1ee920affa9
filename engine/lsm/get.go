package lsm

import (
	"context"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// Get returns the newest committed value; see storage.Store.
func (db *DB) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if err := ctx.Err(); err != nil {
		return storage.Value{}, err
	}
	return db.get(key, 0)
}

// get reads at a snapshot's LSN, or at visible with 0. The stripe's lock is taken before visible is
// loaded: a version is dropped under the lock only when its next newer one is visible. It is held while
// everything is found in memory; before the first read of the file the tables are held instead.
func (db *DB) get(key []byte, at base.LSN) (storage.Value, error) {
	if db.closed.Load() {
		return storage.Value{}, storage.ErrClosed
	}
	s := &db.stripes[base.StripeOf(key)]
	place := s.mu.lockGet()
	if s.tables.dead.Has(key) {
		s.mu.unlockGet(place)
		return storage.Value{}, nil
	}
	if at == 0 {
		at = db.wal.visibleLSN()
	}
	if v := s.newestLocked(key, at); v != nil {
		s.mu.unlockGet(place)
		return present(v.Kind(), v.Value()), nil
	}
	if s.tables.count == 0 {
		s.mu.unlockGet(place)
		if db.closed.Load() { // which empties stripes in memory
			return storage.Value{}, storage.ErrClosed
		}
		return storage.Value{}, nil
	}
	tables, held := s.tables, false
	db.askOnce(s, tables)
	e, ok, err := tables.get(key, at, func() {
		if !held {
			held = true
			tables.acquire()
			s.mu.unlockGet(place)
		}
	})
	if held {
		db.release(tables)
	} else {
		s.mu.unlockGet(place)
	}
	if err != nil || !ok {
		return storage.Value{}, db.readError(err)
	}
	return present(e.Kind, e.Value), nil
}

// readError is what a reader is told: a store that was closed meanwhile has no file to read.
func (db *DB) readError(err error) error {
	if err != nil && db.closed.Load() {
		return storage.ErrClosed
	}
	return err
}

func present(kind base.Kind, value []byte) storage.Value {
	if kind != base.KindPut {
		return storage.Value{}
	}
	if value == nil {
		value = []byte{}
	}
	return storage.Value{Data: value, Present: true}
}
