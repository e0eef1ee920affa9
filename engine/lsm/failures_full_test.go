package lsm

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// bulkyRange is a range whose record is long.
func bulkyRange(n int) storage.Range {
	start := append(testKey(byte(n), fmt.Sprintf("%06d", n)), bytes.Repeat([]byte{'a'}, 6000)...)
	start[7] = 9
	end := bytes.Clone(start)
	end[len(end)-1] = 'b'
	return storage.Range{Start: start, End: end}
}

// exhaust takes all space of a disk that is full, and returns it.
func exhaust(t *testing.T, db *DB, fsys *vfs.MemFS) (taken []log.Extent) {
	t.Helper()
	fsys.SetCapacity(fsys.Used())
	for n := int64(16 << 20); n >= space.Unit; {
		e, err := db.heap.alloc(n, spareNothing)
		if err != nil {
			require.ErrorIs(t, err, storage.ErrFull)
			n /= 2
			continue
		}
		taken = append(taken, e)
	}
	return taken
}

// TestAManifestThatIsLargerThanItsReserveOnAFullDisk: the new one does not fit, so that the old one goes
// on, and the store with it. What was taken for the new one is free again.
func TestAManifestThatIsLargerThanItsReserveOnAFullDisk(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	ctx := context.Background()
	mustPut(t, db, testKey(1, "a"), "1")
	for n := 0; db.man.snapshot <= manifestReserveBytes || db.man.bytes <= 2*db.man.snapshot; n++ {
		require.NoError(t, db.DropRange(ctx, bulkyRange(n)))
	}
	exhaust(t, db, fsys)
	const left = 3 * manifestExtentBytes
	end := db.heap.space.End()
	db.heap.space.Grow(end + left)
	fsys.SetCapacity(fsys.Used() + left)
	require.NoError(t, db.heap.file.Allocate(end, left))
	require.NoError(t, db.heap.file.SyncFull())
	fsys.SetCapacity(fsys.Used())

	id, free := db.man.id, db.heap.space.FreeBytes()
	require.Equal(t, int64(left), free)
	for range 3 {
		require.NoError(t, db.edit(&manifest.Edit{}, nil), "without a switch")
	}
	require.Equal(t, id, db.man.id)
	require.Equal(t, free, db.heap.space.FreeBytes())
	mustPut(t, db, testKey(1, "a"), "2")
	require.Equal(t, "2", mustGet(t, openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil)), testKey(1, "a")))

	fsys.SetCapacity(0)
	for n := 1000; db.man.id == id; n++ {
		require.Less(t, n, 1200, "it is never tried again")
		require.NoError(t, db.DropRange(ctx, bulkyRange(n)))
	}
	again := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
	require.Equal(t, "2", mustGet(t, again, testKey(1, "a")))
	require.Len(t, again.man.state.Dead, len(db.man.state.Dead))
}

// TestALongDeadListLeaves, and is read back at every length on the way.
func TestALongDeadListLeaves(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	tune := func(o *Options) { o.manifestSwitch = 1 }
	db := manualDB(t, fsys, tune)
	ctx := context.Background()
	const ranges = 200 // 2.4 MB, more than a record may have
	for n := range ranges {
		require.NoError(t, db.DropRange(ctx, bulkyRange(n)))
	}
	require.NoError(t, db.retireDead()) // learns from where on the log is clean
	mustPut(t, db, testKey(1, "a"), "1")
	require.NoError(t, db.pass(passAll))
	seen := 0
	for before := ranges; before > 0; seen++ {
		require.NoError(t, db.retireDead())
		left := len(db.man.state.Dead)
		require.Less(t, left, before)
		again := manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), tune)
		require.Len(t, again.man.state.Dead, left)
		require.Equal(t, "1", mustGet(t, again, testKey(1, "a")))
		require.NoError(t, again.Close())
		before = left
	}
	require.Greater(t, seen, 2)
}

// TestARecordThatIsTooLongIsNotWritten: it could never be read again.
func TestARecordThatIsTooLongIsNotWritten(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	e := &manifest.Edit{}
	for n := range 200 {
		e.DeadAdd = append(e.DeadAdd, bulkyRange(n))
	}
	require.ErrorIs(t, db.edit(e, nil), errLongRecord)
	require.NoError(t, db.pass(passAll))
	again := manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), nil)
	require.Equal(t, "1", mustGet(t, again, testKey(1, "a")))
	require.Empty(t, again.man.state.Dead)
}

// TestATableOfVeryManyTablesIsDropped: one record takes only so many of them, compaction the others.
func TestATableOfVeryManyTablesIsDropped(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	tune := func(o *Options) { o.dropTablesMax = 2 }
	db := manualDB(t, fsys, tune)
	for i := range 7 {
		mustPut(t, db, testKey(byte(i), "k"), "v")
	}
	require.NoError(t, db.pass(passAll))
	require.Equal(t, 7, db.Metrics().Tables)
	require.NoError(t, db.DropRange(context.Background(), spaceRange(1)))
	require.Equal(t, 5, db.Metrics().Tables)
	for _, again := range []*DB{db, manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), tune)} {
		got, err := readAll(again)
		require.NoError(t, err)
		require.Empty(t, got)
		require.NoError(t, again.compactAll(context.Background()))
		require.Zero(t, again.Metrics().Tables)
	}
}

// TestAManifestWithoutSpaceLosesNoOther: free space is in pieces that are too small for an extent of the
// manifest. Whoever wanted a record written gets its space back, and the store goes on when there is some.
func TestAManifestWithoutSpaceLosesNoOther(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	require.NoError(t, db.addSegments(3))
	mustPut(t, db, testKey(1, "a"), "1")
	var pieces []log.Extent
	for range 64 {
		e, err := db.heap.alloc(manifestExtentBytes/2, spareAll)
		require.NoError(t, err)
		pieces = append(pieces, e)
	}
	pieces = append(pieces, exhaust(t, db, fsys)...)
	for i := 0; i < 64; i += 2 {
		db.heap.free(pieces[i])
	}
	for err := error(nil); err == nil; {
		if err = db.edit(&manifest.Edit{}, nil); err != nil {
			require.ErrorIs(t, err, storage.ErrFull)
		}
	}
	free, segments := db.Metrics().FreeBytes, db.Metrics().Segments
	require.ErrorIs(t, db.dropSegment(), storage.ErrFull)
	require.ErrorIs(t, db.addSegments(1), storage.ErrFull)
	require.ErrorIs(t, db.pass(passAll), storage.ErrFull)
	require.Equal(t, segments, db.Metrics().Segments)
	require.Equal(t, free, db.Metrics().FreeBytes)
	mustPut(t, db, testKey(1, "a"), "2")

	fsys.SetCapacity(0)
	for i, e := range pieces {
		if i >= 64 || i%2 == 1 {
			db.heap.free(e)
		}
	}
	require.NoError(t, db.pass(passAll))
	require.NoError(t, db.dropSegment())
	checkSpace(t, db, fsys, "with space again")
	require.Equal(t, "2", mustGet(t, openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil)), testKey(1, "a")))
}

// TestALogThatFindsNoBlocksIsFull: free space is a hole that an earlier open has punched, and nobody
// knows. Neither the manifest nor the ring gets an extent there; the store is well.
func TestALogThatFindsNoBlocksIsFull(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	hole, err := db.heap.alloc(4<<20, spareAll)
	require.NoError(t, err)
	require.NoError(t, db.heap.file.PunchHole(hole.Offset, hole.Length))
	exhaust(t, db, fsys)
	db.heap.free(hole)
	free := db.Metrics().FreeBytes
	for err = nil; err == nil; {
		err = db.edit(&manifest.Edit{}, nil)
	}
	require.ErrorIs(t, err, storage.ErrFull)
	require.NoError(t, db.addSegments(1), "the ring stays as it is")
	require.Equal(t, 2, db.Metrics().Segments)
	require.ErrorIs(t, db.pass(passAll), storage.ErrFull)
	require.Equal(t, free, db.Metrics().FreeBytes)
	mustPut(t, db, testKey(1, "a"), "2")
	fsys.SetCapacity(0)
	require.NoError(t, db.pass(passAll))
	require.NoError(t, db.addSegments(1))
	require.Equal(t, "2", mustGet(t, openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil)), testKey(1, "a")))
}
