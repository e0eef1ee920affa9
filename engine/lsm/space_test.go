package lsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// usedOnDisk derives from the file alone, manifest and live log, which extents have an owner.
func usedOnDisk(t *testing.T, fsys *vfs.MemFS) []log.Extent {
	t.Helper()
	db := newDB(Options{FS: fsys, ReadOnly: true}.withDefaults())
	defer func() { require.NoError(t, db.closeFiles()) }()
	require.NoError(t, db.openDescriptors("dir/db", vfs.AlignMaxBytes))
	copies, err := superblock.Read(db.man.file)
	require.NoError(t, err)
	db.super, db.ident = copies.Newest, copies.Newest.Database
	db.setAlign(db.super.Align)
	m, err := ondisk.ReadManifest(db.man.file, &db.super)
	require.NoError(t, err)
	scan, err := ondisk.ScanLog(db.man.file, &db.super, m.State, nil)
	require.NoError(t, err)
	return ondisk.UsedExtents(m, scan)
}

// checkSpace compares the free space of a store that stands still with what the file says.
func checkSpace(t *testing.T, db *DB, fsys *vfs.MemFS, what string) {
	t.Helper()
	used := usedOnDisk(t, fsys.CrashClone(vfs.CrashKeepAll, 1))
	db.heap.mu.Lock()
	defer db.heap.mu.Unlock()
	require.NoError(t, db.heap.space.Check(used), what)
}

// TestFreeSpaceIsWhatNobodyOwns makes everything that takes and gives back space happen many times,
// failures and snapshots included: no extent is lost, none has two owners.
func TestFreeSpaceIsWhatNobodyOwns(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	clock := newTestClock()
	tune := func(o *Options) {
		o.manual, o.Clock, o.manifestSwitch = true, clock.read, 8<<10
		o.LogBytes = 6 * o.SegmentBytes
	}
	db := manualDB(t, fsys, tune)
	var fail atomic.Bool
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Role == vfs.Heap && op.Kind == vfs.OpWrite && fail.Load() {
			return errInjected
		}
		return nil
	}})
	rng := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	var held []storage.Snapshot
	seen := map[string]int{}
	for round := range 400 {
		step := []string{"put", "put", "put", "spill", "pass", "compact", "drop", "snapshot", "fail", "shrink"}[rng.IntN(10)]
		seen[step]++
		switch step {
		case "put":
			for range 20 {
				mustPut(t, db, testKey(byte(rng.IntN(4)), fmt.Sprint(rng.IntN(60))), randomValue(rng, 400))
			}
		case "spill":
			mustPut(t, db, testKey(9, fmt.Sprint(rng.IntN(9))), randomValue(rng, 40<<10))
		case "pass":
			require.NoError(t, db.pass(passKind(rng.IntN(int(passAll)+1))))
		case "compact":
			require.NoError(t, db.compactAll(ctx))
			require.NoError(t, db.heap.tidy(2, space.HoleQuietBytes))
		case "drop":
			require.NoError(t, db.DropRange(ctx, spaceRange(byte(2+round%100))))
		case "snapshot":
			s, err := db.Snapshot(ctx, storage.SnapshotOptions{})
			require.NoError(t, err)
			held = append(held, s)
		case "fail":
			fail.Store(true)
			var b storage.Batch
			b.Put(testKey(8, "fails"), []byte(randomValue(rng, 40<<10)))
			require.Error(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
			_ = db.pass(passAll)
			_ = db.compactAll(ctx)
			fail.Store(false)
		case "shrink":
			for _, s := range held {
				s.Close()
			}
			held = nil
			require.NoError(t, db.restAll())
			require.NoError(t, db.heap.cutTail(cutTailMinBytes))
		}
		clock.advance(lapFast / 100)
		require.NoError(t, db.tend())
		checkSpace(t, db, fsys, step)
	}
	m := db.Metrics()
	require.Len(t, seen, 8)
	require.Greater(t, m.Compactions, uint64(20))
	require.Greater(t, db.super.Generation, uint64(5), "manifests were switched")
	require.NoError(t, db.Close())
	again := manualDB(t, fsys, tune)
	checkSpace(t, again, fsys, "opened again")
}

// extentsTakeTurns gives segments of the log and extents of the manifest the same length, and each
// what the other has given back, under every crash.
func extentsTakeTurns(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	db := s.db.(*DB)
	toManifest, toLog := 0, 0
	for i := range 12 {
		for k := range 4 {
			if err := s.put(crashKey(1, byte(k*50), i%3), 2000); err != nil {
				return err
			}
		}
		db.wal.mu.Lock()
		last := db.wal.free[len(db.wal.free)-1]
		db.wal.mu.Unlock()
		old := db.man.extents
		if err := errors.Join(db.dropSegment(), db.switchNow(), db.addSegments(1), db.pass(passAll)); err != nil {
			return err
		}
		if db.man.extents[0] == last.Extent {
			toManifest++
		}
		db.wal.mu.Lock()
		for _, f := range db.wal.free {
			if f.Extent == old[0] {
				toLog++
			}
		}
		// The segment that was a manifest is written next.
		db.wal.free[0], db.wal.free[len(db.wal.free)-1] = db.wal.free[len(db.wal.free)-1], db.wal.free[0]
		db.wal.mu.Unlock()
	}
	if toManifest < 3 || toLog < 3 {
		return fmt.Errorf("%d segments became manifests, %d manifests segments", toManifest, toLog)
	}
	return s.close()
}

// switchNow begins a new manifest.
func (db *DB) switchNow() error {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	return db.switchManifest()
}

// takeTurns makes segments as long as extents of the manifest.
func takeTurns(o *Options) {
	o.SegmentBytes, o.LogBytes, o.MemtableBytes = manifestExtentBytes, 4*manifestExtentBytes, 1<<20
	o.manual, o.manifestSwitch = true, 1 // an edit may begin a manifest, too
}

// TestOffsetsBeyond4GiB puts one of each kind of extent behind, and one across, what 32 bits reach.
func TestOffsetsBeyond4GiB(t *testing.T) {
	if testing.Short() {
		t.Skip("a file of 8 million sectors shows nothing about races")
	}
	const edge = 1 << 32
	fsys := vfs.NewMemFS(1)
	tune := func(o *Options) { o.manifestSwitch, o.MemtableBytes = 1, 1<<20 }
	db := manualDB(t, fsys, tune)
	// The file is long and empty, and everything up to the edge is taken.
	end := db.heap.space.End()
	require.NoError(t, db.heap.file.Truncate(edge+16<<20))
	require.NoError(t, db.heap.file.SyncFull())
	db.heap.space.Grow(edge + 16<<20)
	const across = 128 << 10
	_, _, ok := db.heap.space.Alloc(edge-across/2-end, 0)
	require.True(t, ok)
	for {
		e, _, ok := db.heap.space.Alloc(space.Unit, 0)
		require.True(t, ok)
		if e.Offset >= edge-across/2 {
			db.heap.free(e)
			break
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	spilled := randomValue(rng, across)
	mustPut(t, db, testKey(1, "spilled"), spilled)
	require.Less(t, db.spills[0].Extents[0].Offset, int64(edge))
	require.Greater(t, db.spills[0].Extents[0].End(), int64(edge), "across the edge")
	mustPut(t, db, testKey(2, "spilled"), spilled)
	require.Greater(t, db.spills[1].Extents[0].Offset, int64(edge), "beyond")
	require.NoError(t, db.addSegments(4))
	db.wal.mu.Lock()
	added := db.wal.free[len(db.wal.free)-4:]
	db.wal.free = added
	db.wal.mu.Unlock()
	for _, s := range added {
		require.Greater(t, s.Extent.Offset, int64(edge))
	}
	crashed := manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), tune)
	require.Equal(t, spilled, mustGet(t, crashed, testKey(1, "spilled")), "replayed from a spill")
	require.Equal(t, spilled, mustGet(t, crashed, testKey(2, "spilled")), "replayed from a spill")
	want, logged := map[string]string{}, map[bool]int{}
	for i := range 100 {
		key, value := testKey(byte(i%3), fmt.Sprint(i%30)), randomValue(rng, 2000)
		mustPut(t, db, key, value)
		want[string(key)] = value
		logged[db.wal.current.Extent.Offset > edge]++
		require.NoError(t, db.tend())
	}
	require.Greater(t, logged[true], 30, "the log was written there")
	if db.man.extents[0].End() < edge { // a switch before has given back the first manifest's
		require.NoError(t, db.switchNow())
	}
	require.Greater(t, db.man.extents[0].End(), int64(edge))
	require.NoError(t, db.checkpoint())
	require.NoError(t, db.compactAll(context.Background()))
	beyond := 0
	for _, table := range db.man.state.Tables {
		if table.Offset > edge {
			beyond++
		}
	}
	require.Positive(t, beyond)
	mustPut(t, db, testKey(1, "last"), "in the log")
	want[string(testKey(1, "last"))] = "in the log"
	want[string(testKey(1, "spilled"))] = spilled
	for _, again := range []*DB{db, manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), tune)} {
		for k, v := range want {
			require.Equal(t, v, mustGet(t, again, []byte(k)))
		}
	}
}
