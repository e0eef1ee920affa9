package lsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// manualDB is a small database whose flusher and compaction are the test's.
func manualDB(t *testing.T, fsys *vfs.MemFS, tune func(*Options)) *DB {
	t.Helper()
	o := faultOptions(fsys)
	o.manual = true
	if tune != nil {
		tune(&o)
	}
	return openMem(t, fsys, o)
}

// randomValue does not compress.
func randomValue(rng *rand.Rand, n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, rng.Uint64())
	}
	return string(b[:n])
}

// fullRoom on the disk is less than the reserve: compaction has to work in little space.
const fullRoom = 512 << 10

// fillDisk puts until the store says that it is full, and compaction does not change that. It returns
// the keys.
func fillDisk(t *testing.T, db *DB, fsys *vfs.MemFS, room int64) (keys []string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	fsys.SetCapacity(fsys.Used() + room)
	refused := 0
	for i := range 20_000 {
		key := crashKey(1, byte(i%4), i)
		err := applyPut(db, key, randomValue(rng, 900))
		if err == nil {
			keys = append(keys, key)
			refused = 0
			_ = db.tend()
			continue
		}
		require.ErrorIs(t, err, storage.ErrFull, "after %d puts", i)
		if refused++; refused > 3 {
			return keys
		}
		_ = db.compactAll(context.Background())
		_ = db.tend()
	}
	t.Fatal("the disk is never full")
	return nil
}

// TestDeletesMakeRoomOnAFullDisk: nothing but deletes, the reserve and compaction gets a full store
// going again.
func TestDeletesMakeRoomOnAFullDisk(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	keys := fillDisk(t, db, fsys, fullRoom)
	const batch = 20
	left := keys
	for round := 0; len(left) > batch; round++ {
		require.Less(t, round, len(keys), "no room is made")
		var b storage.Batch
		for _, k := range left[:batch] {
			b.Delete([]byte(k))
		}
		if err := db.Apply(context.Background(), &b, storage.UpdateOptions{}); err == nil {
			left = left[batch:]
		} else {
			require.ErrorIs(t, err, storage.ErrFull)
			_ = db.compactAll(context.Background())
		}
		_ = db.tend()
	}
	for range 3 {
		_ = db.tend()
		_ = db.compactAll(context.Background())
	}
	require.NoError(t, db.tend())
	require.NoError(t, applyPut(db, keys[0], "again"), "it resumes by itself")
	clone := faultDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1))
	got, err := readAll(clone)
	require.NoError(t, err)
	require.Len(t, got, len(left)+1)
}

// TestDeletingAQuarterMakesRoomOnAFullDisk: the rest may stay. What is free of a full disk is in pieces,
// none of which takes a stripe's whole last level.
func TestDeletingAQuarterMakesRoomOnAFullDisk(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	keys := fillDisk(t, db, fsys, 8*fullRoom)
	const batch = 20
	for at := 0; at+batch <= len(keys)/4; at += batch {
		var b storage.Batch
		for _, k := range keys[at : at+batch] {
			b.Delete([]byte(k))
		}
		for err := errors.New("not tried"); err != nil; {
			err = db.Apply(t.Context(), &b, storage.UpdateOptions{})
			if err != nil {
				require.ErrorIs(t, err, storage.ErrFull)
				require.NoError(t, db.compactAll(t.Context()), "deletes wait for room that is not made")
			}
			_ = db.tend()
		}
	}
	for range 3 {
		_ = db.tend()
		_ = db.compactAll(t.Context())
	}
	require.NoError(t, db.tend())
	require.NoError(t, applyPut(db, keys[0], "again"), "it resumes by itself")
	clone := faultDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1))
	got, err := readAll(clone)
	require.NoError(t, err)
	require.Len(t, got, len(keys)-len(keys)/4/batch*batch+1)
}

// TestAFullDiskTakesTheSpareLog: a log that was quick to grow gives its free segments up, and does not
// take them back, before puts are refused.
func TestAFullDiskTakesTheSpareLog(t *testing.T) {
	const segments = 24
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.LogBytes = (segments + 2) * o.SegmentBytes })
	require.NoError(t, db.addSegments(segments))
	keys := fillDisk(t, db, fsys, fullRoom)
	m := db.Metrics()
	require.LessOrEqual(t, m.Segments, 4+fullRingSpare)
	require.Greater(t, m.TableBytes, (segments-8)*db.opts.SegmentBytes)
	clone := faultDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1))
	got, err := readAll(clone)
	require.NoError(t, err)
	require.Len(t, got, len(keys))
}

// TestADroppedTableMakesRoomOnAFullDisk: its tables leave with the record, which has a reserve.
func TestADroppedTableMakesRoomOnAFullDisk(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	keys := fillDisk(t, db, fsys, fullRoom)
	require.NoError(t, db.DropRange(context.Background(), spaceRange(1)))
	require.NoError(t, db.tend())
	require.NoError(t, applyPut(db, crashKey(2, 1, 1), "again"))
	require.Equal(t, "(absent)", getString(t, db, keys[0]))
}

// TestMemoryThatCannotBeFlushedIsFull: the log is long, so that the memtables come to their end first;
// writers are told, and do not wait for ever.
func TestMemoryThatCannotBeFlushedIsFull(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.SegmentBytes, o.LogBytes = 1<<20, 2<<20 })
	fillDisk(t, db, fsys, 64<<10)
	use, total, _ := db.ringUse()
	require.Less(t, use*4, total*3)
}

// TestThePutThatFindsTheLogFullIsNotKeptWaiting: a delete neither.
func TestTheWriteThatFindsTheLogFullIsNotKeptWaiting(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	keys := fillDisk(t, db, fsys, 64<<10)
	var err error
	for i := 0; err == nil; i++ {
		require.Less(t, i, 10_000)
		var b storage.Batch
		b.Delete([]byte(keys[i%len(keys)]))
		err = db.Apply(context.Background(), &b, storage.UpdateOptions{})
	}
	require.ErrorIs(t, err, storage.ErrFull)
	use, total, _ := db.ringUse()
	require.Greater(t, use*10, total*9, "deletes took what was left of the log")
}

func usedBytes(db *DB) int64 {
	m := db.Metrics()
	return m.FileBytes - m.FreeBytes
}

// TestAFailedHeapWriteGivesItsSpaceBack, a failed sync does not: nothing is known of its blocks.
func TestAFailedHeapWriteGivesItsSpaceBack(t *testing.T) {
	for _, c := range []struct {
		name string
		kind vfs.OpKind
		back bool
	}{{"write", vfs.OpWrite, true}, {"sync", vfs.OpSync, false}} {
		t.Run(c.name, func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 8<<20, 4<<20, 16<<20 })
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range 3000 { // several pieces and tables
				mustPut(t, db, testKey(byte(i%3), fmt.Sprint(i)), randomValue(rng, 1000))
			}
			var left atomic.Int32
			fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
				if op.Role == vfs.Heap && op.Kind == c.kind && left.Add(-1) == 0 {
					return errInjected
				}
				return nil
			}})
			require.NoError(t, db.heap.grow(16<<20)) // so that only what is used changes
			before := usedBytes(db)
			for n := range int32(3) {
				left.Store(n + 1)
				err := db.pass(passAll)
				if err == nil {
					require.Greater(t, n, int32(0))
					break
				}
				require.ErrorIs(t, err, errInjected)
				require.Equal(t, c.back, usedBytes(db) == before, "operation %d", n+1)
			}
			left.Store(0)
			big := randomValue(rng, 900<<10)
			batch := storage.Batch{}
			for i := range 3 {
				batch.Put(testKey(9, fmt.Sprint("spilled", i)), []byte(big))
			}
			before = usedBytes(db)
			left.Store(1)
			err := db.Apply(context.Background(), &batch, storage.UpdateOptions{})
			require.ErrorIs(t, err, storage.ErrUnavailable)
			require.Equal(t, c.back, usedBytes(db) == before, "spill")
			require.NoError(t, db.pass(passAll))
			require.Equal(t, "-", mustGet(t, db, testKey(9, "spilled0")))
		})
	}
}

// TestAHoleThatMeetsAFullDiskIsFull: after an open nothing is known of holes, and the write says it.
func TestAWriteThatFindsNoBlocksIsFull(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "v")
	e, err := db.heap.alloc(8<<20, spareAll)
	require.NoError(t, err)
	require.NoError(t, db.heap.file.PunchHole(e.Offset, e.Length))
	db.heap.free(e) // as one that has its blocks
	fsys.SetCapacity(fsys.Used())
	for err = nil; err == nil; {
		mustPut(t, db, testKey(1, "a"), "v")
		err = db.pass(passBudget)
		if e, ok := db.heap.alloc(1<<20, spareNothing); ok == nil {
			t.Log(e) // take what has blocks
		}
	}
	require.ErrorIs(t, err, storage.ErrFull)
	fsys.SetCapacity(0)
	require.NoError(t, db.pass(passAll))
	require.Equal(t, "v", mustGet(t, db, testKey(1, "a")))
}

// TestALargeHoleWithoutBlocksHidesNoSmallPiece: a flush asks for much at first, and gets less.
func TestALargeHoleWithoutBlocksHidesNoSmallPiece(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	e, err := db.heap.alloc(2*runExtentBytes, spareAll)
	require.NoError(t, err)
	db.heap.free(e)
	require.NoError(t, db.heap.tidy(100, space.HoleMinBytes))
	require.Greater(t, db.Metrics().HoleBytes, int64(runExtentBytes))
	fsys.SetCapacity(fsys.Used())
	got, err := db.heap.allocBetween(space.Unit, runExtentBytes, spareHalf)
	require.NoError(t, err)
	require.Equal(t, int64(space.Unit), got.Length)
}

// TestAStoreOnAFullDiskIsClosed: what does not fit into tables stays in the log.
func TestAStoreOnAFullDiskIsClosed(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	tune := func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 8<<20, 1<<20, 16<<20 }
	db := manualDB(t, fsys, tune)
	keys := []string{crashKey(1, 1, 1), crashKey(1, 200, 2)}
	for _, k := range keys {
		require.NoError(t, applyPut(db, k, "value"))
	}
	exhaust(t, db, fsys)
	require.ErrorIs(t, db.pass(passAll), storage.ErrFull)
	require.NoError(t, db.Close())
	again := manualDB(t, fsys, tune)
	got, err := readAll(again)
	require.NoError(t, err)
	require.Len(t, got, len(keys))
	fsys.SetCapacity(0)
	require.NoError(t, applyPut(again, keys[0], "again"))
}

// testClock is a clock that stands still unless it is told.
type testClock struct{ now atomic.Int64 }

func newTestClock() *testClock {
	c := &testClock{}
	c.now.Store(int64(time.Hour))
	return c
}

func (c *testClock) read() time.Time         { return time.Unix(0, c.now.Load()) }
func (c *testClock) advance(d time.Duration) { c.now.Add(int64(d)) }

// TestTheRingFollowsTheTimeOfALap: quick laps let it grow to its target, slow ones do not, and long
// rest lets it shrink to two segments.
func TestTheRingFollowsTheTimeOfALap(t *testing.T) {
	clock := newTestClock()
	const target = 16
	db := manualDB(t, vfs.NewMemFS(1), func(o *Options) {
		o.Clock, o.LogBytes = clock.read, target*o.SegmentBytes
	})
	lap := func(took time.Duration) {
		for range 2 * db.Metrics().Segments {
			mustPut(t, db, testKey(1, "k"), string(make([]byte, 7<<10)))
			mustPut(t, db, testKey(1, "k"), string(make([]byte, 7<<10)))
			clock.advance(took / time.Duration(2*db.Metrics().Segments))
			require.NoError(t, db.tend())
		}
	}
	for range 10 {
		lap(2 * lapFast)
	}
	require.Equal(t, 2, db.Metrics().Segments, "laps are slow")
	for range 10 {
		lap(lapFast / 4)
	}
	require.Equal(t, target, db.Metrics().Segments, "laps are quick")
	before := usedBytes(db)
	clock.advance(2 * lapSlow)
	require.NoError(t, db.pass(passAge))
	for range 2 * target {
		require.NoError(t, db.tend())
	}
	require.LessOrEqual(t, db.Metrics().Segments, 3, "nobody writes")
	require.Less(t, usedBytes(db), before-(target-4)*db.opts.SegmentBytes, "their space is free")
	for range 3 {
		lap(lapFast / 4)
	}
	require.Greater(t, db.Metrics().Segments, 3, "quick again")
}

// TestIdleStripesAreFlushedByAge: what nobody adds to for long does not stay in memory only.
func TestIdleStripesAreFlushedByAge(t *testing.T) {
	clock := newTestClock()
	db := manualDB(t, vfs.NewMemFS(1), func(o *Options) { o.Clock = clock.read })
	mustPut(t, db, testKey(1, "old"), "v")
	clock.advance(FlushAgeDefault / 2)
	mustPut(t, db, testKey(2, "young"), "v")
	require.NoError(t, db.pass(passAge))
	require.Zero(t, db.Metrics().Tables)
	clock.advance(FlushAgeDefault / 2)
	require.NoError(t, db.pass(passAge))
	require.Equal(t, 1, db.Metrics().Tables)
	require.True(t, db.stripes[1].active.Empty())
	require.False(t, db.stripes[2].active.Empty())
}

// TestFreedSpaceIsPunched: large free runs go back to the disk, but for the reserve.
func TestFreedSpaceIsPunched(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 32<<20, 4<<20, 32<<20 })
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 200 {
		mustPut(t, db, testKey(1, fmt.Sprint(i)), randomValue(rng, 100<<10))
		require.NoError(t, db.tend())
	}
	require.NoError(t, db.pass(passAll))
	full := fsys.Used()
	all := testKey(1, "")
	require.NoError(t, db.DropRange(context.Background(), storage.Range{Start: all[:8], End: append(append([]byte{}, all[:7]...), 2)}))
	require.NoError(t, db.compactAll(context.Background()))
	require.NoError(t, db.heap.tidy(100, space.HoleMinBytes))
	require.Less(t, fsys.Used(), full-10<<20)
	db.heap.mu.Lock()
	solid := db.heap.space.SolidBytes()
	db.heap.mu.Unlock()
	require.GreaterOrEqual(t, solid, spareAll.bytes(0))
}
