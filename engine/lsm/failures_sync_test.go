package lsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// failing makes the operations that which admits fail, while it is on.
func failing(fsys *vfs.MemFS, err error, which func(vfs.Op) bool) (on *atomic.Bool) {
	on = new(atomic.Bool)
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if on.Load() && which(op) {
			return err
		}
		return nil
	}})
	return on
}

// requirePoisoned: no write is taken any more, though the disk is well again, and reads go on.
func requirePoisoned(t *testing.T, db *DB, key []byte, want string) {
	t.Helper()
	for range 2 {
		err := applyPut(db, string(key), "later")
		require.ErrorIs(t, err, storage.ErrUnavailable)
		require.NotErrorIs(t, err, storage.ErrUncertain)
	}
	_, err := db.Watermark(context.Background(), 1<<62)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.Equal(t, want, mustGet(t, db, key))
}

// TestAFailedWriteReachesEveryWaiter: both writers of the group, those of the groups behind it, those
// who wait for the watermark, and those whose answer rests on one of these.
func TestAFailedWriteReachesEveryWaiter(t *testing.T) {
	s := stallFrame(t)
	on := failing(s.fsys, errInjected, func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Role == vfs.Log })
	behind, watermark := make(chan error, 1), make(chan error, 1)
	key := testKey(4, "behind")
	go func() { behind <- applyPut(s.db, string(key), "4") }()
	<-s.enqueued
	go func() {
		_, err := s.db.Watermark(context.Background(), 1<<62)
		watermark <- err
	}()
	read, condition := make(chan string, 1), make(chan error, 1)
	go func() {
		condition <- s.db.Update(context.Background(), []storage.Named{{Key: key}}, storage.UpdateOptions{},
			func(tx storage.Tx) error {
				read <- string(tx.Value(0).Data)
				return errors.New("a condition that failed on what vanishes")
			})
	}()
	require.Equal(t, "4", <-read)
	on.Store(true)
	s.reserved.letGo()
	for _, outcome := range []chan error{s.stalled, s.leader} {
		err := <-outcome
		require.ErrorIs(t, err, storage.ErrUncertain)
		require.ErrorIs(t, err, errInjected)
	}
	for _, outcome := range []chan error{behind, watermark, condition} {
		err := <-outcome
		require.ErrorIs(t, err, storage.ErrUnavailable)
		require.ErrorIs(t, err, errInjected)
		require.NotErrorIs(t, err, storage.ErrUncertain)
	}
	on.Store(false)
	requirePoisoned(t, s.db, testKey(1, "before"), "1")
}

// TestAFailedSyncOfTheLogIsFinal in the modes that answer before it. The sync was one of the whole
// file and its error is told once: tables and spills that are on their way are lost with it, however
// well the next sync goes.
func TestAFailedSyncOfTheLogIsFinal(t *testing.T) {
	for _, mode := range []SyncMode{SyncInterval, SyncOff} {
		t.Run(mode.String(), func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			db := manualDB(t, fsys, func(o *Options) { o.Sync = mode })
			key := testKey(1, "a")
			mustPut(t, db, key, "synced")
			require.NoError(t, db.wal.syncThrough(db.wal.visibleLSN()))
			mustPut(t, db, key, "shown")
			w := db.heap.begin()
			e, err := db.heap.alloc(4<<10, spareNothing)
			require.NoError(t, err)
			require.NoError(t, w.writeAt(make([]byte, e.Length), e.Offset))
			on := failing(fsys, errInjected, func(op vfs.Op) bool {
				return op.Kind == vfs.OpSync && op.Role == vfs.RelaxedLog
			})
			on.Store(true)
			require.ErrorIs(t, db.pass(passAll), errInjected)
			on.Store(false)
			require.ErrorIs(t, w.sync(), errLostWrites)
			require.ErrorIs(t, db.pass(passAll), storage.ErrUnavailable, "never again")
			requirePoisoned(t, db, key, "shown")
			require.NoError(t, db.Close(), "and no clean mark")
			again := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
			require.Contains(t, []string{"synced", "shown"}, mustGet(t, again, key))
		})
	}
}

// TestWhatAnOpenAfterAFailedSyncShowsIsDurable: the page cache shows what the disk lacks and calls it
// clean, so that the sync of the next open alone would not write it.
func TestWhatAnOpenAfterAFailedSyncShowsIsDurable(t *testing.T) {
	key, shown := testKey(1, "a"), 0
	for seed := range uint64(8) {
		fsys := vfs.NewMemFS(seed)
		db := manualDB(t, fsys, func(o *Options) { o.Sync = SyncOff })
		mustPut(t, db, key, "1")
		on := failing(fsys, errInjected, func(op vfs.Op) bool {
			return op.Kind == vfs.OpSync && op.Role == vfs.RelaxedLog
		})
		on.Store(true)
		require.ErrorIs(t, db.pass(passAll), errInjected)
		killed := fsys.CrashClone(vfs.CrashKill, seed)
		first := mustGet(t, openMem(t, killed, memOptions(nil)), key)
		again := openMem(t, killed.CrashClone(vfs.CrashLoseAll, seed), memOptions(nil))
		require.Equal(t, first, mustGet(t, again, key))
		shown += len(first)
	}
	require.Positive(t, shown)
}

// TestAFailedSyncAtCloseLeavesNoCleanMark: the mark would say that nothing may be missing.
func TestAFailedSyncAtCloseLeavesNoCleanMark(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.Sync = SyncOff })
	mustPut(t, db, testKey(1, "a"), "1")
	require.NoError(t, db.checkpoint())
	db.wal.idle() // writes what only the sync at the end covers
	on := failing(fsys, errInjected, func(op vfs.Op) bool { return op.Kind == vfs.OpSync && op.Role == vfs.RelaxedLog })
	on.Store(true)
	require.ErrorIs(t, db.Close(), errInjected)
	again := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
	require.Equal(t, "1", mustGet(t, again, testKey(1, "a")))
}

// TestAFailedWriteOfManifestOrSuperblockIsFinal: of a record, of a link to a new extent, of a new
// manifest, and of either copy of the superblock. What was acknowledged is found.
func TestAFailedWriteOfManifestOrSuperblockIsFinal(t *testing.T) {
	super := func(copyAt int64) func(vfs.Op) bool {
		return func(op vfs.Op) bool { return op.Role == vfs.Log && op.Off == copyAt*superblock.CopyBytes }
	}
	step := map[string]func(*DB) error{
		"record":                func(db *DB) error { return db.pass(passAll) },
		"switch":                (*DB).switchNow,
		"superblock 0":          (*DB).switchNow,
		"superblock 1":          (*DB).switchNow,
		"superblock 0 of epoch": (*DB).renewEpoch,
		"superblock 1 of epoch": (*DB).renewEpoch,
	}
	which := map[string]func(vfs.Op) bool{
		"record":       func(op vfs.Op) bool { return op.Role == vfs.Log },
		"switch":       func(op vfs.Op) bool { return op.Role == vfs.Log && op.Len < manifestExtentBytes },
		"superblock 0": super(0), "superblock 1": super(1),
		"superblock 0 of epoch": super(0), "superblock 1 of epoch": super(1),
	}
	for name, fails := range which {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			db := manualDB(t, fsys, nil)
			want := map[string]string{}
			for i := range 20 {
				key := testKey(byte(i), "k")
				mustPut(t, db, key, fmt.Sprint(i))
				want[string(key)] = fmt.Sprint(i)
				if i == 10 {
					require.NoError(t, db.pass(passAll))
				}
			}
			on := failing(fsys, errInjected, func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && fails(op) })
			on.Store(true)
			require.ErrorIs(t, step[name](db), errInjected)
			on.Store(false)
			requirePoisoned(t, db, testKey(3, "k"), "3")
			require.ErrorIs(t, db.edit(&manifest.Edit{}, nil), errInjected, "not tried again")
			require.ErrorIs(t, db.renewEpoch(), errInjected)
			require.NoError(t, db.Close())
			for policy := vfs.CrashAny; policy <= vfs.CrashKill; policy++ {
				got, err := readAll(manualDB(t, fsys.CrashClone(policy, 3), nil))
				require.NoError(t, err)
				require.Equal(t, want, got)
			}
		})
	}
}

// TestADiskThatIsFullOnlyAtTheSync, as one with thin volumes: writers are told so and do not wait for
// ever, nothing is lost, and it resumes by itself.
func TestADiskThatIsFullOnlyAtTheSync(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.SegmentBytes, o.LogBytes = 1<<20, 2<<20 })
	on := failing(fsys, syscall.ENOSPC, func(op vfs.Op) bool {
		return op.Role == vfs.Heap && (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncFull)
	})
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]string{}
	put := func(i int, n int) error {
		key, value := string(testKey(byte(i%4), fmt.Sprint(i))), randomValue(rng, n)
		err := applyPut(db, key, value)
		if err == nil {
			want[key] = value
		}
		return err
	}
	require.NoError(t, put(0, 100))
	on.Store(true)
	err := put(1, 600<<10) // a spill
	require.ErrorIs(t, err, storage.ErrFull)
	require.NotErrorIs(t, err, storage.ErrUnavailable)
	err = nil
	for i := 2; err == nil; i++ {
		require.Less(t, db.memBytes.Load(), db.wal.memCap-4<<10, "the next writer would wait for ever")
		err = put(i, 900)
		_ = db.tend()
	}
	require.ErrorIs(t, err, storage.ErrFull)
	on.Store(false)
	require.NoError(t, db.tend())
	require.NoError(t, put(1, 600<<10), "it resumes by itself")
	for _, again := range []*DB{db, manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), nil)} {
		got, err := readAll(again)
		require.NoError(t, err)
		require.Equal(t, len(want), len(got))
		for k, v := range want {
			require.True(t, got[k] == v, "%x", k)
		}
	}
}

// TestErrorsOfTheBackgroundAreTold, each in words that say whose they are.
func TestErrorsOfTheBackgroundAreTold(t *testing.T) {
	type told struct {
		message string
		err     error
	}
	listen := func(o *Options) chan told {
		all := make(chan told, 100)
		o.Logger = func(message string, err error) {
			select {
			case all <- told{message, err}:
			default:
			}
		}
		return all
	}
	t.Run("flush", func(t *testing.T) {
		fsys := vfs.NewMemFS(1)
		o := faultOptions(fsys)
		all := listen(&o)
		on := failing(fsys, errInjected, func(op vfs.Op) bool { return op.Role == vfs.Heap && op.Kind == vfs.OpWrite })
		db := openMem(t, fsys, o)
		on.Store(true)
		for i := range 9 {
			mustPut(t, db, testKey(byte(i), "k"), string(make([]byte, 4000)))
		}
		got := <-all
		require.Equal(t, "a flush failed", got.message)
		require.ErrorIs(t, got.err, errInjected)
		on.Store(false)
	})
	t.Run("compaction", func(t *testing.T) {
		fsys := vfs.NewMemFS(1)
		made := manualDB(t, fsys, nil)
		for i := range l0Start {
			mustPut(t, made, testKey(1, "k"), fmt.Sprint(i))
			flushAll(t, made)
		}
		bad := made.stripes[1].tables.levels[0][0]
		_, err := made.heap.file.WriteAt([]byte{0xff}, bad.Offset+90)
		require.NoError(t, err)
		require.NoError(t, made.Close())
		o := faultOptions(fsys)
		all := listen(&o)
		db := openMem(t, fsys, o)
		mustPut(t, db, testKey(2, "k"), "goes on")
		got := <-all
		require.Equal(t, "a compaction was given up", got.message)
		require.ErrorIs(t, got.err, storage.ErrCorrupt)
		require.Equal(t, "goes on", mustGet(t, db, testKey(2, "k")))
	})
}

// TestTablesUnderAFailedSyncOfAnotherAreNotUsedAgain, for whatever reason their run is given up: the disk
// may hold any of their bytes, and the cache says that it has them.
func TestTablesUnderAFailedSyncOfAnotherAreNotUsedAgain(t *testing.T) {
	for _, failed := range []bool{false, true} {
		fsys := vfs.NewMemFS(1)
		db := manualDB(t, fsys, nil)
		require.NoError(t, db.heap.grow(16<<20))
		before := usedBytes(db)
		r := db.newRun(spareAll, nil)
		r.begin(1, 0)
		require.NoError(t, r.add(base.Entry{Key: testKey(1, "a"), LSN: 1, Kind: base.KindPut}, true))
		require.NoError(t, errors.Join(r.endTable(), r.flush()))
		other := db.heap.begin()
		on := failing(fsys, errInjected, func(op vfs.Op) bool { return op.Kind == vfs.OpSync })
		on.Store(failed)
		if err := other.sync(); failed {
			require.ErrorIs(t, err, errLostWrites)
		}
		on.Store(false)
		r.abandon(errInjected)
		require.Equal(t, failed, usedBytes(db) > before)
	}
}
