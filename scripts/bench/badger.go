package main

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

type badgerStore struct{ db *badger.DB }

func openBadger(dir string, m mode) (store, error) {
	opts := badger.DefaultOptions(dir).WithLogger(nil).WithSyncWrites(m.durable).
		WithMemTableSize(m.memtable).WithBlockCacheSize(m.cache).WithDetectConflicts(false)
	db, err := badger.Open(opts)
	if err != nil {
		return nil, err
	}
	return &badgerStore{db}, nil
}

func (b *badgerStore) put(key, value []byte) error {
	return b.db.Update(func(tx *badger.Txn) error { return tx.Set(key, value) })
}

func (b *badgerStore) batch(keys, values [][]byte) error {
	return b.db.Update(func(tx *badger.Txn) error {
		for i := range keys {
			if err := tx.Set(keys[i], values[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *badgerStore) get(key []byte) (n int, err error) {
	err = b.db.View(func(tx *badger.Txn) error {
		item, err := tx.Get(key)
		if errors.Is(err, badger.ErrKeyNotFound) {
			n = -1
			return nil
		}
		if err != nil {
			return err
		}
		return item.Value(func(v []byte) error {
			n = len(v)
			return nil
		})
	})
	return n, err
}

func (b *badgerStore) scan(from []byte, limit int) (n int, err error) {
	err = b.db.View(func(tx *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.PrefetchSize = min(limit, opts.PrefetchSize)
		it := tx.NewIterator(opts)
		defer it.Close()
		for it.Seek(from); it.Valid() && n < limit; it.Next() {
			item := it.Item()
			err := item.Value(func(v []byte) error {
				touch(item.Key(), v)
				return nil
			})
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

func (b *badgerStore) settled(bool) bool {
	for _, l := range b.db.Levels() {
		if l.Score >= 1 {
			return false
		}
	}
	return true
}

func (b *badgerStore) own() map[string]float64 { return nil }

func (b *badgerStore) close() error { return b.db.Close() }
