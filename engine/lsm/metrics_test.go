package lsm

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// regions adds up what SpaceMetrics say of the file.
func regions(m Metrics) int64 {
	return m.SuperblockBytes + m.LogTotal + m.ManifestBytes + m.TableSpace + m.SpillBytes + m.HeldBytes + m.FreeBytes
}

// TestMetricsFollowTheWork: after each step the figures are those of what was done.
func TestMetricsFollowTheWork(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := openManual(t, fsys)
	m := db.Metrics()
	require.Equal(t, -1, m.PinnedStripe)
	require.Equal(t, m.FileBytes, regions(m))
	require.Zero(t, m.WriteAmplification)

	for i := range 40 {
		mustPut(t, db, testKey(byte(7+i%2), fmt.Sprintf("%03d", 2*i)), strings.Repeat("v", 100))
	}
	m = db.Metrics()
	require.Equal(t, uint64(40), m.Frames)
	require.Equal(t, uint64(40), m.GroupSizes[0], "one writer, one batch a group")
	require.Equal(t, int64(40), m.MemtableVersions)
	require.Equal(t, 7, m.PinnedStripe, "the first put went there")
	require.Equal(t, m.TailLSN, m.PinnedLSN)
	require.Equal(t, m.VisibleLSN+1, m.NextLSN)
	require.Equal(t, m.VisibleLSN, m.DurableLSN)
	require.Greater(t, m.HeadOffset, m.TailOffset)
	require.Greater(t, m.PayloadBytes, uint64(40*100))
	require.Greater(t, m.WriteAmplification, 1.0)

	flushAll(t, db)
	m = db.Metrics()
	require.Equal(t, -1, m.PinnedStripe)
	require.Equal(t, m.NextLSN, m.TailLSN)
	require.Equal(t, uint64(1), m.Passes)
	require.Equal(t, 2, m.Levels[0].Tables)
	require.Equal(t, 2, m.Levels[0].Stripes)
	require.Equal(t, uint16(1), m.StripeTables[8][0])
	require.Equal(t, m.TableBytes, m.StripeBytes[7]+m.StripeBytes[8])
	require.Equal(t, uint64(40), m.TableEntries)
	require.Equal(t, m.FileBytes, regions(m))
	require.Equal(t, 1.0, m.SpaceAmplification)
	require.Equal(t, 1.0, m.ReadAmplification)

	for i := range 40 {
		require.NotEqual(t, "-", mustGet(t, db, testKey(byte(7+i%2), fmt.Sprintf("%03d", 2*i))))
		require.Equal(t, "-", mustGet(t, db, testKey(byte(7+i%2), fmt.Sprintf("%03d", 2*i+1))))
	}
	m = db.Metrics()
	require.Greater(t, m.FilterNegative, uint64(20), "most of what is absent")
	require.Equal(t, m.FilterNegative+m.FilterFalse+40, m.FilterAsked, "all that is there was found")
	require.Positive(t, m.Cache.Hits)
	require.Equal(t, 2, m.ResidentTables)
	require.NoError(t, db.Close())

	again, err := Open("db", Options{FS: fsys, ReadOnly: true})
	require.NoError(t, err)
	r := again.Metrics()
	require.True(t, r.ReadOnly)
	require.Equal(t, r.FileBytes, regions(r))
	require.Equal(t, m.Levels, r.Levels)
	require.Equal(t, m.TailLSN, r.TailLSN)
	require.NoError(t, again.Close())
}

// TestMetricsOfCompaction: what lies twice in the file shows as space amplification until it is merged.
func TestMetricsOfCompaction(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(2))
	for range 3 {
		for i := range 50 {
			mustPut(t, db, testKey(3, fmt.Sprint(i)), strings.Repeat("v", 200))
		}
		flushAll(t, db)
	}
	m := db.Metrics()
	require.Equal(t, 3, m.ReadAmplificationMax)
	require.NoError(t, db.compactAll(context.Background()))
	m = db.Metrics()
	require.Equal(t, 1, m.ReadAmplificationMax)
	require.Equal(t, uint64(1), m.Compactions)
	require.Greater(t, m.CompactRead, m.CompactWritten)
	require.Equal(t, 1.0, m.SpaceAmplification)
	require.Equal(t, m.FileBytes, regions(m))
	require.NoError(t, db.Close())
}

// TestMetricsOfSpillsAndHeldTables: a batch too large for the log has its region; a table that only a
// reader holds has, too.
func TestMetricsOfSpillsAndHeldTables(t *testing.T) {
	o := memOptions(vfs.NewMemFS(3))
	o.manual = true
	db, err := Open("db", o)
	require.NoError(t, err)
	ctx := context.Background()
	var b storage.Batch
	for i := range 8 {
		b.Put(testKey(5, fmt.Sprint(i)), []byte(strings.Repeat("v", 32<<10)))
	}
	require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
	m := db.Metrics()
	require.Equal(t, uint64(1), m.Spills)
	require.Greater(t, m.SpillBytes, int64(256<<10))
	require.Equal(t, m.FileBytes, regions(m))
	flushAll(t, db)
	require.Zero(t, db.Metrics().SpillBytes)

	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{Owner: "reader"})
	require.NoError(t, err)
	it, err := snap.Iter(ctx, storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	require.True(t, it.Next())
	require.Equal(t, 1, db.Metrics().Snapshots)
	mustPut(t, db, testKey(5, "0"), "v")
	flushAll(t, db)
	before := db.Metrics()
	require.NoError(t, db.compactAll(ctx))
	m = db.Metrics()
	require.Greater(t, m.HeldBytes, before.HeldBytes, "the inputs, which the iterator reads")
	require.Equal(t, m.FileBytes, regions(m))
	it.Close()
	snap.Close()
	require.Zero(t, db.Metrics().Snapshots)
	require.Zero(t, db.Metrics().HeldBytes)
	fork, err := db.Fork()
	require.NoError(t, err)
	require.Equal(t, 1, db.Metrics().Forks)
	require.NoError(t, fork.Close())
	require.Zero(t, db.Metrics().Forks)
	require.NoError(t, db.Close())
}

// TestSizeClasses: each size has one class, whose bound is not below it.
func TestSizeClasses(t *testing.T) {
	for n := 1; n <= 2000; n++ {
		c := sizeClass(n)
		if most := GroupSizeMax(c); most > 0 {
			require.LessOrEqual(t, n, most)
		}
		if c > 0 {
			require.Greater(t, n, GroupSizeMax(c-1))
		}
	}
	require.Equal(t, GroupSizeCount-1, sizeClass(1<<20))
}

// TestMetricsAsJSON: what is marshalled comes back.
func TestMetricsAsJSON(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	mustPut(t, db, testKey(3, "k"), "v")
	m := db.Metrics()
	require.Equal(t, uint64(1), m.Frames)
	require.Equal(t, -1, m.PinnedStripe)
	require.Zero(t, m.FileBytes)
	text, err := json.Marshal(m)
	require.NoError(t, err)
	var back Metrics
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, m, back)
	require.NoError(t, db.Close())
}

func BenchmarkMetrics(b *testing.B) {
	db := openManual(b, vfs.NewMemFS(1))
	defer db.Close()
	for i := range 2000 {
		mustPut(b, db, testKey(byte(i), fmt.Sprint(i)), "v")
		if i%500 == 499 {
			flushAll(b, db)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if db.Metrics().Tables == 0 {
			b.Fatal("no tables")
		}
	}
}
