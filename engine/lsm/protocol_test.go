package lsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

func memOptions(fsys *vfs.MemFS) Options {
	return Options{
		FS: fsys, SegmentBytes: 64 << 10, LogBytes: 128 << 10, MemtableBytes: 96 << 10,
		CacheBytes: 64 << 10, BlockBytes: 1 << 10,
	}
}

func openMem(t testing.TB, fsys *vfs.MemFS, opts Options) *DB {
	t.Helper()
	opts.FS = fsys
	db, err := Open("dir/db", opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestLaps overwrites the same keys until the log has lapped many times, and reopens in between.
func TestLaps(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	model := map[string]string{}
	rnd := rand.New(rand.NewPCG(3, 4))
	var claims uint64
	for round := range 4 {
		db, err := Open("dir/db", memOptions(fsys))
		require.NoError(t, err)
		for k, v := range model {
			require.Equal(t, v, mustGet(t, db, []byte(k)), "round %d", round)
		}
		for i := range 1500 {
			k := testKey(byte(rnd.IntN(256)), fmt.Sprint(rnd.IntN(300)))
			v := fmt.Sprint(round, i, strings.Repeat("x", rnd.IntN(900)))
			mustPut(t, db, k, v)
			model[string(k)] = v
		}
		m := db.Metrics()
		claims += m.Claims
		assert.Equal(t, 2, m.Segments)
		assert.LessOrEqual(t, m.LogUse, m.LogTotal)
		require.NoError(t, db.Close())
	}
	assert.Greater(t, claims, uint64(40), "segments were used again and again")
}

// TestIterWalksStripesBothWays compares a scan over tables and memtables with a sorted list.
func TestIterWalksStripesBothWays(t *testing.T) {
	db := openMem(t, vfs.NewMemFS(1), memOptions(nil))
	model := map[string]string{}
	rnd := rand.New(rand.NewPCG(5, 6))
	for i := range 2000 {
		k := testKey(byte(rnd.IntN(256)), fmt.Sprintf("%03d", rnd.IntN(500)))
		if rnd.IntN(4) == 0 {
			var b storage.Batch
			b.Delete(k)
			require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
			delete(model, string(k))
			continue
		}
		mustPut(t, db, k, fmt.Sprint(i))
		model[string(k)] = fmt.Sprint(i)
	}
	var keys []string
	for k := range model {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	s, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	defer s.Close()
	prefix := testKey(0, "")[:storage.PrefixBytes]
	after := slices.Clone(prefix)
	after[len(after)-1]++
	for _, r := range []storage.Range{{}, {Start: prefix, End: after}, {Start: prefix}} {
		for _, reverse := range []bool{false, true} {
			it, err := s.Iter(context.Background(), r, storage.IterOptions{Reverse: reverse})
			require.NoError(t, err)
			var got []string
			for it.Next() {
				got = append(got, string(it.Key()))
				require.Equal(t, model[string(it.Key())], string(it.Value()))
			}
			require.NoError(t, it.Err())
			it.Close()
			want := slices.Clone(keys)
			if reverse {
				slices.Reverse(want)
			}
			require.Equal(t, want, got)
		}
	}
}

// TestStallBetweenEnqueueAndInsert holds a writer between steps 5 and 6 during a pass: the tail
// must not pass its frame, and nobody sees a later group before it.
func TestStallBetweenEnqueueAndInsert(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	var stall atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	opts := memOptions(fsys)
	opts.manual = true
	opts.hooks = &hooks{afterEnqueue: func() {
		if stall.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
	}}
	db := openMem(t, fsys, opts)
	mustPut(t, db, testKey(1, "before"), "1")
	stall.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { mustPut(t, db, testKey(2, "stalled"), "2") })
	<-reached
	wg.Go(func() { mustPut(t, db, testKey(3, "behind"), "3") })
	for newest := base.LSN(0); newest == 0; runtime.Gosched() { // the third put goes through step 6
		e, _, err := db.newest(testKey(3, "behind"))
		require.NoError(t, err)
		newest = e.LSN
	}
	passed := make(chan error, 1)
	go func() { passed <- db.pass(passAll) }()
	for frozen := false; !frozen; runtime.Gosched() {
		s := &db.stripes[3]
		s.mu.RLock()
		frozen = len(s.frozen) > 0
		s.mu.RUnlock()
	}
	assert.Equal(t, "1", mustGet(t, db, testKey(1, "before")))
	assert.Equal(t, "-", mustGet(t, db, testKey(2, "stalled")))
	assert.Equal(t, "-", mustGet(t, db, testKey(3, "behind")), "published before the group in front")
	close(release)
	wg.Wait()
	require.NoError(t, <-passed)
	assert.Equal(t, uint64(2), db.tailLSN().Counter(), "the stalled frame is in no table")
	assert.Equal(t, "3", mustGet(t, db, testKey(3, "behind")))
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	again := openMem(t, crashed, memOptions(nil))
	assert.Equal(t, "2", mustGet(t, again, testKey(2, "stalled")))
	assert.Equal(t, "3", mustGet(t, again, testKey(3, "behind")))
}

// visiblePastAStall stalls a writer between steps 5 and 6 while the next group is written, and
// returns how many of the frames 1 (before), 2 (stalled) and 3 (the next group) are visible then.
func visiblePastAStall(t *testing.T) uint64 {
	t.Helper()
	var stall atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	opts := memOptions(nil)
	opts.manual = true
	opts.hooks = &hooks{afterEnqueue: func() {
		if stall.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
	}}
	db := openMem(t, vfs.NewMemFS(1), opts)
	mustPut(t, db, testKey(1, "before"), "1")
	stall.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { mustPut(t, db, testKey(2, "stalled"), "2") })
	<-reached
	w := &db.wal
	w.mu.Lock()
	w.closeOpenLocked() // so that the next frame has a group of its own
	w.mu.Unlock()
	wg.Go(func() { mustPut(t, db, testKey(3, "behind"), "3") })
	var visible base.LSN
	for written := uint64(0); written < 3; runtime.Gosched() {
		w.mu.Lock()
		written, visible = w.stats.groups, w.visibleLSN()
		if w.writing {
			written = 0
		}
		w.mu.Unlock()
	}
	close(release)
	wg.Wait()
	return visible.Counter()
}

// TestPublicationInGroupOrder: a group that is written waits for the one before it, which is written
// too, but whose entries are not all inserted.
func TestPublicationInGroupOrder(t *testing.T) {
	require.Equal(t, uint64(1), visiblePastAStall(t))
}

// TestPoison: a failed write of the log is final, and every waiter hears of it.
func TestPoison(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	boom := errors.New("boom")
	var fail atomic.Bool
	opts := memOptions(nil)
	opts.hooks = &hooks{beforeWrite: func() error {
		if fail.Load() {
			return boom
		}
		return nil
	}}
	db := openMem(t, fsys, opts)
	mustPut(t, db, testKey(1, "a"), "1")
	fail.Store(true)
	var b storage.Batch
	b.Put(testKey(1, "a"), []byte("2"))
	err := db.Apply(context.Background(), &b, storage.UpdateOptions{})
	require.ErrorIs(t, err, storage.ErrUncertain)
	require.ErrorIs(t, err, boom)
	fail.Store(false)
	require.ErrorIs(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}), storage.ErrUnavailable)
	assert.Equal(t, "1", mustGet(t, db, testKey(1, "a")), "reads go on")
	_, err = db.Watermark(context.Background(), 1<<62)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.NoError(t, db.Close())
	require.Nil(t, openMem(t, fsys, memOptions(nil)).Metrics().Poisoned)
}

// TestSpill: a batch above the limit of a frame goes through the heap, and its space comes back.
func TestSpill(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	opts := memOptions(nil)
	opts.manual = true
	db := openMem(t, fsys, opts)
	big := strings.Repeat("b", 200<<10)
	mustPut(t, db, testKey(1, "big"), big)
	assert.Positive(t, db.spillBytes())
	crashed := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
	assert.Equal(t, big, mustGet(t, crashed, testKey(1, "big")))
	require.NoError(t, db.checkpoint())
	assert.Zero(t, db.spillBytes())
	assert.Equal(t, big, mustGet(t, db, testKey(1, "big")))
}

// TestReadOnly opens a crashed file beside another reader and writes nothing.
func TestReadOnly(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := openMem(t, fsys, memOptions(nil))
	mustPut(t, db, testKey(1, "a"), "1")
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	opts := memOptions(nil)
	opts.ReadOnly = true
	one, two := openMem(t, crashed, opts), openMem(t, crashed, opts)
	assert.Equal(t, "1", mustGet(t, one, testKey(1, "a")))
	assert.Equal(t, "1", mustGet(t, two, testKey(1, "a")))
	var b storage.Batch
	b.Put(testKey(1, "a"), nil)
	require.ErrorIs(t, one.Apply(context.Background(), &b, storage.UpdateOptions{}), storage.ErrReadOnly)
	_, err := Open("dir/db", Options{FS: crashed})
	require.Error(t, err, "a writer beside readers")
	require.NoError(t, one.Close())
	require.NoError(t, two.Close())
	assert.Equal(t, "1", mustGet(t, openMem(t, crashed, memOptions(nil)), testKey(1, "a")))
}

// TestManifestIsWrittenAnew makes many records and reopens.
func TestManifestIsWrittenAnew(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	opts := memOptions(nil)
	opts.manual = true
	db := openMem(t, fsys, opts)
	first := db.man.id
	for i := 0; db.man.id == first; i++ {
		mustPut(t, db, testKey(byte(i), fmt.Sprint(i)), "v")
		require.NoError(t, db.pass(passAll))
		if i%64 == 0 {
			require.NoError(t, db.compactAll(context.Background()))
		}
		require.Less(t, i, 20_000)
	}
	mustPut(t, db, testKey(1, "last"), "v")
	again := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
	assert.Equal(t, "v", mustGet(t, again, testKey(1, "last")))
	assert.Equal(t, "v", mustGet(t, again, testKey(0, "0")))
}

// TestManifestSwitchBesideSpillsAndTables: a switch writes the superblock anew while spills, passes
// and readers go on. The race detector judges.
func TestManifestSwitchBesideSpillsAndTables(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	opts := memOptions(nil)
	opts.manual, opts.manifestSwitch, opts.MemtableBytes = true, 1, 8<<20
	db := openMem(t, fsys, opts)
	before := db.super.Generation
	spilled := strings.Repeat("b", 64<<10)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 60 {
			mustPut(t, db, testKey(byte(i), "spilled"), spilled)
		}
	})
	wg.Go(func() {
		for range 60 {
			assert.NoError(t, db.pass(passAll))
			mustPut(t, db, testKey(200, "small"), "v")
		}
	})
	wg.Go(func() {
		for range 60 {
			assert.NoError(t, db.compactAll(context.Background()))
			assert.NoError(t, db.editDead(&manifest.Edit{}))
		}
	})
	wg.Wait()
	assert.Greater(t, db.super.Generation, before+5, "the manifest was switched again and again")
}

// TestCleanMarkIsBelievedAfterPowerLoss: in the mode off the empty group of an idle log is the last
// one; the mark names it, so that it must be durable.
func TestCleanMarkIsBelievedAfterPowerLoss(t *testing.T) {
	for _, mode := range []SyncMode{SyncAlways, SyncInterval, SyncOff} {
		fsys := vfs.NewMemFS(1)
		opts := memOptions(nil)
		opts.Sync, opts.manual = mode, true
		db := openMem(t, fsys, opts)
		mustPut(t, db, testKey(1, "a"), "1")
		require.NoError(t, db.wal.syncThrough(db.wal.visibleLSN()))
		db.wal.idle()
		require.NoError(t, db.Close())
		again := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
		assert.Equal(t, "1", mustGet(t, again, testKey(1, "a")), "%v", mode)
	}
}

// TestCutTail: a long free run at the end of the file goes, and the file grows again.
func TestCutTail(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	opts := memOptions(nil)
	opts.manual = true
	db := openMem(t, fsys, opts)
	mustPut(t, db, testKey(1, "a"), "1")
	e, err := db.heap.alloc(2*cutTailMinBytes, spareNothing)
	require.NoError(t, err)
	db.heap.free(e)
	before := db.Metrics().FileBytes
	require.NoError(t, db.heap.cutTail(cutTailMinBytes))
	assert.Less(t, db.Metrics().FileBytes, before-cutTailMinBytes)
	mustPut(t, db, testKey(1, "big"), strings.Repeat("b", 900<<10))
	require.NoError(t, db.Close())
	again := openMem(t, fsys, opts)
	assert.Equal(t, "1", mustGet(t, again, testKey(1, "a")))
}

// TestCloseJoinsEverything: no goroutine of the database outlives Close. The
// bubble ends only when every goroutine that began in it has, and fails when one
// of them is blocked for good.
func TestCloseJoinsEverything(t *testing.T) {
	for _, mode := range []SyncMode{SyncAlways, SyncInterval, SyncOff} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				opts := memOptions(nil)
				opts.Sync, opts.FS = mode, vfs.NewMemFS(1)
				db, err := Open("dir/db", opts)
				require.NoError(t, err)
				mustPut(t, db, testKey(1, "a"), "1")
				require.NoError(t, db.Close())
				require.NoError(t, db.Close())
			})
		})
	}
}
