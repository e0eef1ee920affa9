package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

type kstone struct {
	db      *lsm.DB
	batches sync.Pool
}

func openKstone(dir string, m mode, key []byte) (store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	opts := lsm.Options{CacheBytes: m.cache, MemtableBytes: m.memtable, Sync: lsm.SyncOff, Clock: time.Now, EncryptionKey: key}
	if m.durable {
		opts.Sync = lsm.SyncAlways
	}
	db, err := lsm.Open(filepath.Join(dir, "db.keystone"), opts)
	if err != nil {
		return nil, err
	}
	k := &kstone{db: db}
	k.batches.New = func() any { return new(storage.Batch) }
	return k, nil
}

func (k *kstone) put(key, value []byte) error {
	b := k.batches.Get().(*storage.Batch)
	defer k.batches.Put(b)
	b.Ops = b.Ops[:0]
	b.Put(key, value)
	return k.db.Apply(context.Background(), b, storage.UpdateOptions{})
}

func (k *kstone) batch(keys, values [][]byte) error {
	b := k.batches.Get().(*storage.Batch)
	defer k.batches.Put(b)
	b.Ops = b.Ops[:0]
	for i := range keys {
		b.Put(keys[i], values[i])
	}
	return k.db.Apply(context.Background(), b, storage.UpdateOptions{})
}

func (k *kstone) get(key []byte) (int, error) {
	v, err := k.db.Get(context.Background(), key)
	if err != nil || !v.Present {
		return -1, err
	}
	return len(v.Data), nil
}

func (k *kstone) scan(from []byte, limit int) (int, error) {
	ctx := context.Background()
	snap, err := k.db.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	end := []byte{table, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}
	it, err := snap.Iter(ctx, storage.Range{Start: from, End: end}, storage.IterOptions{LimitHint: limit})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	n := 0
	for n < limit && it.Next() {
		touch(it.Key(), it.Value())
		n++
	}
	return n, it.Err()
}

func (k *kstone) settled(idle bool) bool { return k.db.Settled(idle) }

func (k *kstone) own() map[string]float64 {
	m := k.db.Metrics()
	return map[string]float64{
		"stall ms, largest, own": float64(m.StallMax) / 1e6,
		"stalls, own":            float64(m.Stalls),
		"frames a group, own":    float64(m.Frames) / float64(max(1, m.Groups)),
	}
}

func (k *kstone) close() error { return k.db.Close() }
