package main

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

type pebbleStore struct {
	db    *pebble.DB
	write *pebble.WriteOptions
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, _ ...any) {
	panic(format)
}

// filterBits a key, as in kstone's tables.
const filterBits = 10

func openPebble(dir string, m mode) (store, error) {
	cache := pebble.NewCache(m.cache)
	defer cache.Unref()
	opts := &pebble.Options{
		Cache: cache, MemTableSize: uint64(m.memtable), FormatMajorVersion: pebble.FormatNewest,
		Logger: silent{},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(filterBits)
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	p := &pebbleStore{db: db, write: pebble.NoSync}
	if m.durable {
		p.write = pebble.Sync
	}
	return p, nil
}

func (p *pebbleStore) put(key, value []byte) error { return p.db.Set(key, value, p.write) }

func (p *pebbleStore) batch(keys, values [][]byte) error {
	b := p.db.NewBatch()
	defer func() { _ = b.Close() }()
	for i := range keys {
		if err := b.Set(keys[i], values[i], nil); err != nil {
			return err
		}
	}
	return b.Commit(p.write)
}

func (p *pebbleStore) get(key []byte) (int, error) {
	v, c, err := p.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	n := len(v)
	return n, c.Close()
}

func (p *pebbleStore) scan(from []byte, limit int) (int, error) {
	it, err := p.db.NewIter(nil)
	if err != nil {
		return 0, err
	}
	n := 0
	for ok := it.SeekGE(from); ok && n < limit; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return n, errors.Join(err, it.Close())
		}
		touch(it.Key(), v)
		n++
	}
	return n, it.Close()
}

// settled: Pebble begins whatever is due at once. Its EstimatedDebt stays above zero for ever.
func (p *pebbleStore) settled(bool) bool {
	m := p.db.Metrics()
	return m.Compact.NumInProgress == 0 && m.Flush.NumInProgress == 0
}

func (p *pebbleStore) own() map[string]float64 { return nil }

func (p *pebbleStore) close() error { return p.db.Close() }
