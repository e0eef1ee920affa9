package lsm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// shaped says whether the ring is what the options ask for: no segment of another length, no more of
// them than there is room for.
func shaped(db *DB) bool {
	w := &db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, list := range [][]*segment{w.live, w.free} {
		for _, s := range list {
			if s.Extent.Length != db.opts.SegmentBytes {
				return false
			}
		}
	}
	return len(w.live)+len(w.free) <= int(db.opts.LogBytes/db.opts.SegmentBytes)
}

// TestTheSizeOfTheLogMayChangeAtAnyOpen: larger and smaller, down to the smallest, whatever the opens
// before have asked for. Values of 256 KiB go through each, spilled where a segment has no room for them;
// nothing is lost, by crashes in between either, and the ring soon has the new form.
func TestTheSizeOfTheLogMayChangeAtAnyOpen(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]string{}
	put := func(db *DB, key string, size int) {
		value := randomValue(rng, size)
		require.NoError(t, applyPut(db, key, value))
		want[key] = value
	}
	sizes := []int64{LogBytesMin, 1 << 20, 100_000, 8 << 20, LogBytesMin, 256 << 10, LogBytesMin}
	if testing.Short() {
		sizes = []int64{LogBytesMin, 512 << 10, 100_000}
	}
	for i, logBytes := range sizes {
		o := faultOptions(fsys)
		o.LogBytes, o.SegmentBytes, o.MemtableBytes = logBytes, 0, 1<<20
		db, err := Open(crashPath, o)
		require.NoError(t, err, "log of %d bytes", logBytes)
		got, err := readAll(db)
		require.NoError(t, err)
		require.True(t, maps.Equal(want, got), difference(want, got))
		put(db, crashKey(1, byte(i), i%3), 256<<10)
		// What is live moves on only with what is written; a large first segment takes as much.
		for n := 0; !shaped(db); n++ {
			require.Less(t, n, 20_000, "log of %d bytes: %+v", logBytes, db.Metrics().LogMetrics)
			put(db, crashKey(2, byte(n*16), n%16), 2000)
		}
		require.LessOrEqual(t, db.Metrics().LogTotal, max(logBytes, 2*db.opts.SegmentBytes))
		for k := range 3 {
			put(db, crashKey(3, byte(k*50), k), 256<<10)
			put(db, crashKey(3, byte(k*50), 10+k), 10)
		}
		if i%2 == 0 {
			require.NoError(t, db.Close())
			continue
		}
		fsys = fsys.CrashClone(vfs.CrashLoseAll, uint64(i))
		_ = db.Close()
	}
}

// TestLargeBatchesThroughTheSmallestLog: a batch that is many times the log, with deletes, from several
// writers at once, and again after a crash.
func TestLargeBatchesThroughTheSmallestLog(t *testing.T) {
	fsys := vfs.NewMemFS(2)
	o := faultOptions(fsys)
	o.LogBytes, o.SegmentBytes, o.MemtableBytes = LogBytesMin, 0, 1<<20
	db, err := Open(crashPath, o)
	require.NoError(t, err)
	errs := make(chan error)
	const writers, keys = 3, 8
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for w := range writers {
		go func() {
			var err error
			for round := 0; round < rounds && err == nil; round++ {
				var b storage.Batch
				for k := range keys {
					b.Put([]byte(crashKey(byte(1+w), byte(k*30), k)), fmt.Appendf(nil, "%d %0*d", round, 256<<10, k))
				}
				b.Delete([]byte(crashKey(byte(1+w), 7, round)))
				if err = db.Apply(context.Background(), &b, storage.UpdateOptions{}); err == nil {
					err = applyPut(db, crashKey(byte(1+w), 7, round+1), "small")
				}
			}
			errs <- err
		}()
	}
	for range writers {
		require.NoError(t, <-errs)
	}
	check := func(db *DB) {
		got, err := readAll(db)
		require.NoError(t, err)
		require.Len(t, got, writers*(keys+1))
		for k, v := range got {
			require.Contains(t, []string{fmt.Sprint(rounds - 1), "s"}, v[:1], k)
		}
	}
	check(db)
	o.FS = fsys.CrashClone(vfs.CrashLoseAll, 1)
	again, err := Open(crashPath, o)
	require.NoError(t, err)
	check(again)
	require.NoError(t, again.Close())
	require.NoError(t, db.Close())
}
