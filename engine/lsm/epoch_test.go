package lsm

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestARunningStoreTakesNewEpochs lets several writers use up the numbers of many epochs: nobody is
// refused, Seqs grow along each key, and a crash finds everything.
func TestARunningStoreTakesNewEpochs(t *testing.T) {
	for _, mode := range []SyncMode{SyncAlways, SyncInterval, SyncOff} {
		t.Run(mode.String(), func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			o := faultOptions(fsys)
			o.counterMax, o.Sync = 20, mode
			db := openMem(t, fsys, o)
			useUpNumbers(t, db)
			db.man.mu.Lock()
			epoch := db.super.Epoch
			db.man.mu.Unlock()
			require.Greater(t, epoch, base.Epoch(10))
			again := openMem(t, fsys.CrashClone(vfs.CrashKill, 1), o)
			checkNumbers(t, again)
			require.Greater(t, again.super.Epoch, epoch)
			require.NoError(t, db.Close())
			clean := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), o)
			checkNumbers(t, clean)
			useUpNumbers(t, clean)
		})
	}
}

// TestAStoreInMemoryTakesNewEpochs has no flusher to do it.
func TestAStoreInMemoryTakesNewEpochs(t *testing.T) {
	db, err := Open("", Options{InMemory: true, counterMax: 20})
	require.NoError(t, err)
	useUpNumbers(t, db)
	checkNumbers(t, db)
	require.Greater(t, db.wal.nextLSN().Epoch(), base.Epoch(10))
	require.NoError(t, db.Close())
}

const (
	numbersWriters = 4
	numbersEach    = 100
)

func useUpNumbers(t *testing.T, db *DB) {
	t.Helper()
	ctx := context.Background()
	var wg sync.WaitGroup
	for w := range numbersWriters {
		wg.Go(func() {
			var last storage.Seq
			for i := range numbersEach {
				key := testKey(byte(w*50), fmt.Sprint("k", i))
				var seq storage.Seq
				err := db.Update(ctx, []storage.Named{{Key: key}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
					seq = tx.Seq()
					tx.Put(key, fmt.Appendf(nil, "v%d", i))
					return nil
				})
				if !assert.NoError(t, err) || !assert.Greater(t, seq, last) {
					return
				}
				last = seq
			}
		})
	}
	wg.Wait()
	_, err := db.Watermark(ctx, 1)
	require.NoError(t, err)
}

func checkNumbers(t *testing.T, db *DB) {
	t.Helper()
	for w := range numbersWriters {
		for i := range numbersEach {
			require.Equal(t, fmt.Sprint("v", i), mustGet(t, db, testKey(byte(w*50), fmt.Sprint("k", i))))
		}
	}
}

// TestTheLastEpochEnds: there is none to take, so writers are refused and told what to do.
func TestTheLastEpochEnds(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	o := memOptions(nil)
	o.manual, o.counterMax = true, 20
	db := openMem(t, fsys, o)
	db.super.Epoch = base.EpochMax
	db.begin(base.EpochMax)
	for range 19 {
		mustPut(t, db, testKey(1, "a"), "v")
	}
	require.True(t, db.counterNearEnd())
	require.NoError(t, db.renewEpoch())
	err := applyPut(db, string(testKey(1, "a")), "one too many")
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorIs(t, err, errEpochs)
	require.Equal(t, "v", mustGet(t, db, testKey(1, "a")))
}

// TestACounterThatEndsWakesTheFlusher: every number that is never used twice counts, not the LSN only.
func TestACounterThatEndsWakesTheFlusher(t *testing.T) {
	o := memOptions(nil)
	o.manual, o.counterMax = true, 1000
	db := openMem(t, vfs.NewMemFS(1), o)
	near := uint64(base.MakeLSN(1, 990))
	for name, set := range map[string]func(){
		"lsn":      func() { db.wal.next = base.LSN(near) },
		"object":   func() { db.objects.Store(near) },
		"seq":      func() { db.seqs.last = near },
		"manifest": func() { db.man.next = base.LSN(near) },
	} {
		require.False(t, db.counterNearEnd(), name)
		set()
		require.True(t, db.counterNearEnd(), name)
		require.NoError(t, db.tend())
		near = uint64(base.MakeLSN(db.super.Epoch, 990))
	}
	mustPut(t, db, testKey(1, "a"), "v")
	require.Equal(t, "v", mustGet(t, db, testKey(1, "a")))
}

// TestABackupBesideANewEpoch gives its objects numbers that no object of the copy will get, also when the
// database takes a new epoch while it is copied.
func TestABackupBesideANewEpoch(t *testing.T) {
	db := manualDB(t, vfs.NewMemFS(1), nil)
	mustPut(t, db, testKey(1, "a"), "v")
	require.NoError(t, db.pass(passAll))
	mustPut(t, db, testKey(2, "b"), "v") // in memory: a table of the copy's own
	epoch := db.super.Epoch
	renewed := sync.OnceValue(db.renewEpoch)
	_, err := db.Backup(t.Context(), copyPath, BackupOptions{Progress: func(int64, int64) {
		assert.NoError(t, renewed())
	}})
	require.NoError(t, err)
	require.Greater(t, db.super.Epoch, epoch)
	copied, err := openCopy(db.opts.FS, copyPath, func(*copyFile) error { return nil })
	require.NoError(t, err)
	defer copied.close()
	require.Len(t, copied.state.Tables, 2)
	for num := range copied.state.Tables {
		require.LessOrEqual(t, base.LSN(num).Epoch(), copied.super.Epoch)
	}
	require.LessOrEqual(t, base.LSN(copied.super.ManifestLog).Epoch(), copied.super.Epoch)
}
