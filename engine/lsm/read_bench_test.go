package lsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

// benchItems is the number of items of 400 bytes, ten sort keys to a partition, half compressible.
const benchItems = 200_000

func benchKey(i int) []byte {
	p := uint32(i / 10)
	k := make([]byte, 0, 48)
	k = append(k, 0x10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	k = binary.BigEndian.AppendUint32(k, p*2654435761)
	k = append(k, 0, 12)
	k = append(k, "user"...)
	k = binary.BigEndian.AppendUint64(k, uint64(p))
	return fmt.Appendf(k, "order#%04d", i%10)
}

// benchDB is a database that was loaded in random order and has compacted everything.
func benchDB(b *testing.B) *DB {
	b.Helper()
	db, err := Open(filepath.Join(b.TempDir(), "db"), Options{Sync: SyncOff})
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	value := bytes.Repeat([]byte("name=value; "), 34)[:400]
	order := r.Perm(benchItems)
	for len(order) > 0 {
		var batch storage.Batch
		for _, i := range order[:100] {
			v := bytes.Clone(value)
			for j := range 200 {
				v[j] = byte(r.Uint32())
			}
			batch.Put(benchKey(i), v)
		}
		order = order[100:]
		require.NoError(b, db.Apply(context.Background(), &batch, storage.UpdateOptions{}))
	}
	require.NoError(b, db.checkpoint())
	require.NoError(b, db.compactAll(context.Background()))
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	return db
}

func BenchmarkRead(b *testing.B) {
	db := benchDB(b)
	ctx := context.Background()
	b.Run("get", func(b *testing.B) {
		r := rand.New(rand.NewPCG(3, 4))
		b.ReportAllocs()
		for b.Loop() {
			v, err := db.Get(ctx, benchKey(r.IntN(benchItems)))
			if err != nil || !v.Present {
				b.Fatal(err)
			}
		}
	})
	b.Run("get hot", func(b *testing.B) {
		r := rand.New(rand.NewPCG(3, 4))
		b.ReportAllocs()
		for b.Loop() {
			v, err := db.Get(ctx, benchKey(r.IntN(benchItems/20)))
			if err != nil || !v.Present {
				b.Fatal(err)
			}
		}
	})
	b.Run("get miss", func(b *testing.B) {
		r := rand.New(rand.NewPCG(3, 4))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := db.Get(ctx, append(benchKey(r.IntN(benchItems)), 'x')); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, reverse := range []bool{false, true} {
		b.Run(fmt.Sprintf("scan 20, reverse=%v", reverse), func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 4))
			b.ReportAllocs()
			for b.Loop() {
				benchScan(b, db, benchKey(r.IntN(benchItems)), reverse)
			}
		})
	}
}

func benchScan(b *testing.B, db *DB, from []byte, reverse bool) {
	ctx := context.Background()
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(b, err)
	defer snap.Close()
	end := bytes.Clone(from[:storage.PrefixBytes])
	end[storage.PrefixBytes-1]++
	r := storage.Range{Start: from, End: end}
	if reverse {
		r = storage.Range{Start: from[:storage.PrefixBytes], End: from}
	}
	it, err := snap.Iter(ctx, r, storage.IterOptions{Reverse: reverse, LimitHint: 20})
	require.NoError(b, err)
	n := 0
	for n < 20 && it.Next() {
		n++
	}
	if it.Err() != nil {
		b.Fatal(it.Err())
	}
	it.Close()
}

// BenchmarkHotStripe reads 20 keys of one stripe with as many goroutines as -cpu says, from a memtable or from
// cached blocks of two tables of level 0, and writes them with one.
func BenchmarkHotStripe(b *testing.B) {
	ctx := context.Background()
	key := func(i int) []byte { return testKey(1, fmt.Sprintf("order#%04d", i)) }
	for _, from := range []string{"memtable", "tables"} {
		db, err := Open(b.TempDir()+"/db", Options{Sync: SyncOff, manual: true})
		require.NoError(b, err)
		for range 2 {
			for i := range 20 {
				mustPut(b, db, key(i), "value")
			}
			if from == "tables" {
				require.NoError(b, db.checkpoint())
			}
		}
		b.Run(from, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				r := rand.New(rand.NewPCG(3, 4))
				var keys [20][]byte
				for i := range keys {
					keys[i] = key(i)
				}
				for pb.Next() {
					if v, err := db.Get(ctx, keys[r.IntN(20)]); err != nil || !v.Present {
						b.Error(err)
						return
					}
				}
			})
		})
		require.NoError(b, db.Close())
	}
}
