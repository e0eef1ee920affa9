package lsm

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func putKey(dst []byte, i uint64) []byte {
	dst = append(dst[:0], 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	h := i * 0x9e3779b97f4a7c15
	dst = binary.BigEndian.AppendUint32(dst, uint32(h>>32))
	dst = append(dst, 0, 8)
	return binary.BigEndian.AppendUint64(dst, i)
}

// benchKeys is how many keys the benchmarks write in turn.
const benchKeys = 200_000

func benchUpdate(b *testing.B, db *DB, n *atomic.Uint64, keys uint64, value []byte) {
	key := make([]byte, 0, 32)
	named := make([]storage.Named, 1)
	put := func(tx storage.Tx) error {
		tx.Put(key, value)
		return nil
	}
	key = putKey(key, n.Add(1)%keys)
	named[0] = storage.Named{Key: key, NoWait: true}
	if err := db.Update(context.Background(), named, storage.UpdateOptions{}, put); err != nil {
		b.Error(err)
	}
}

func BenchmarkMemoryPut(b *testing.B) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(b, err)
	defer func() { _ = db.Close() }()
	var n atomic.Uint64
	value := make([]byte, 400)
	b.ReportAllocs()
	for b.Loop() {
		benchUpdate(b, db, &n, benchKeys, value)
	}
}

func BenchmarkMemoryGet(b *testing.B) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(b, err)
	defer func() { _ = db.Close() }()
	var n atomic.Uint64
	value := make([]byte, 400)
	for range benchKeys {
		benchUpdate(b, db, &n, benchKeys, value)
	}
	key := make([]byte, 0, 32)
	var i uint64
	b.ReportAllocs()
	for b.Loop() {
		i++
		key = putKey(key, i*7919%benchKeys)
		if v, err := db.Get(context.Background(), key); err != nil || !v.Present {
			b.Fatal(err, v.Present)
		}
	}
}

func BenchmarkDurablePut(b *testing.B) {
	for _, size := range []int{400, 16 << 10, 100 << 10} {
		for _, writers := range []int{1, 8, 64, 256} {
			b.Run(fmt.Sprintf("%dB/%d", size, writers), func(b *testing.B) {
				benchDurablePut(b, writers, size)
			})
		}
	}
}

func benchDurablePut(b *testing.B, writers, size int) {
	db, err := Open(filepath.Join(b.TempDir(), "x.keystone"), Options{})
	require.NoError(b, err)
	defer func() { _ = db.Close() }()
	var n atomic.Uint64
	value := make([]byte, size)
	// Few enough large values that the benchmark is about the log and not about compaction.
	keys := min(benchKeys, MemtableBytesDefault/4/uint64(size))
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(b.N))
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				benchUpdate(b, db, &n, keys, value)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	m := db.Metrics()
	b.ReportMetric(float64(m.Frames)/float64(max(1, m.Groups)), "frames/group")
}
