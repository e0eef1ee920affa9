package lsm

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

// BenchmarkScanOfSources scans 1,000 items over a memtable, three tables of level 0 and the last level.
// An operation is one item.
func BenchmarkScanOfSources(b *testing.B) {
	const items, perScan = 100_000, 1000
	ctx := context.Background()
	db, err := Open(b.TempDir()+"/db", Options{Sync: SyncOff, manual: true})
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	key := func(i int) []byte { return append(testKey(1, "order#"), byte(i>>16), byte(i>>8), byte(i)) }
	value := bytes.Repeat([]byte("name=value; "), 34)[:400]
	write := func(n int, which func(i int) int) {
		for i := 0; i < n; {
			var batch storage.Batch
			for range min(100, n-i) {
				batch.Put(key(which(i)), value)
				i++
			}
			require.NoError(b, db.Apply(ctx, &batch, storage.UpdateOptions{}))
			if n == items && i%5000 == 0 {
				require.NoError(b, db.checkpoint())
			}
		}
	}
	write(items, func(i int) int { return i })
	require.NoError(b, db.checkpoint())
	require.NoError(b, db.compactAll(ctx))
	for range 3 {
		write(items/20, func(int) int { return r.IntN(items) })
		require.NoError(b, db.checkpoint())
	}
	write(items/50, func(int) int { return r.IntN(items) })
	end := testKey(2, "")[:storage.PrefixBytes+1]
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(b, err)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; {
		it, err := snap.Iter(ctx, storage.Range{Start: key(r.IntN(items - perScan)), End: end}, storage.IterOptions{LimitHint: perScan})
		require.NoError(b, err)
		for i := 0; i < perScan && it.Next(); i++ {
			n++
		}
		require.NoError(b, it.Err())
		it.Close()
	}
	b.StopTimer()
	snap.Close()
	require.NoError(b, db.Close())
}
