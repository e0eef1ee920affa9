package lsm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestTheSegmentOfATailAtItsEndIsNotFree: nothing is read there any more, but a replay begins there. All
// room that there is is written full, and a crash finds everything.
func TestTheSegmentOfATailAtItsEndIsNotFree(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 8<<20, 64<<10, 256<<10 })
	require.NoError(t, db.addSegments(1))
	w := &db.wal
	want := map[string]string{}
	put := func(n int) {
		key, value := testKey(byte(len(want)), fmt.Sprintf("%05d", len(want))), string(make([]byte, n))
		mustPut(t, db, key, value)
		want[string(key)] = value
	}
	rest := func() int { return int(w.current.Extent.End() - w.pos) }
	for rest() > 20<<10 {
		put(8 << 10)
	}
	put(rest() - vfs.SectorBytes - log.HeaderBytes - 200)
	require.Equal(t, vfs.SectorBytes, rest())
	w.idle()
	require.Zero(t, rest())
	require.NoError(t, db.pass(passAll))
	tail := db.man.state.Tail
	require.Equal(t, w.current.Num, tail.Segment)
	require.Equal(t, w.current.Extent.Length, tail.Offset)
	const size = 1000
	for len(w.free) > 0 || rest() > 3*size {
		put(size)
	}
	require.Equal(t, tail, db.man.state.Tail)
	got, err := readAll(manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), nil))
	require.NoError(t, err)
	require.Equal(t, len(want), len(got))
}

// TestASegmentIsUsedWhenItsRecordIsVouchedFor: the last record of a manifest may be damaged unseen. Were
// that the one that adds a segment, what was acknowledged there would be missing unseen, too.
func TestASegmentIsUsedWhenItsRecordIsVouchedFor(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	damage := func(off int64) error {
		clone := fsys.CrashClone(vfs.CrashLoseAll, 1)
		overwrite(t, clone, make([]byte, vfs.SectorBytes), off)
		_, err := Open(crashPath, faultOptions(clone))
		return err
	}
	first := db.man.extents[0].Offset // the snapshot, with the segments of a new file
	require.ErrorIs(t, damage(first), storage.ErrCorrupt)
	at := db.man.chain.Position()
	require.NoError(t, db.addSegments(1))
	require.ErrorIs(t, damage(at.Offset), storage.ErrCorrupt)
}

// TestAManifestGoesOnInALinkThatIsVouchedFor: damage of the link would end the manifest there, unseen.
func TestAManifestGoesOnInALinkThatIsVouchedFor(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	var link int64
	for len(db.man.extents) == 1 {
		link = db.man.chain.Position().Offset
		require.NoError(t, db.vouchManifest())
	}
	require.NoError(t, db.pass(passAll))
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	require.Equal(t, "1", mustGet(t, manualDB(t, crashed.CrashClone(vfs.CrashLoseAll, 1), nil), testKey(1, "a")))
	for off := link; off < db.man.extents[0].End(); off += vfs.SectorBytes {
		clone := crashed.CrashClone(vfs.CrashLoseAll, 1)
		overwrite(t, clone, make([]byte, vfs.SectorBytes), off)
		_, err := Open(crashPath, faultOptions(clone))
		require.ErrorIs(t, err, storage.ErrCorrupt, "the sector at %d", off)
	}
}

// TestAPassThatLeavesFrozenStripesOutKeepsTheirLog: on a full disk a pass takes a few stripes, and the
// tail stops at what is frozen of the others.
func TestAPassThatLeavesFrozenStripesOutKeepsTheirLog(t *testing.T) {
	const stripes = 5
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 8<<20, 1<<20, 4<<20 })
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]string{}
	for i := range 4 * stripes {
		key, value := testKey(byte(i%stripes), fmt.Sprint(i)), randomValue(rng, 3000)
		mustPut(t, db, key, value)
		want[string(key)] = value
	}
	on := failing(fsys, errInjected, func(op vfs.Op) bool { return op.Kind == vfs.OpSync && op.Role == vfs.Heap })
	on.Store(true)
	require.ErrorIs(t, db.pass(passAll), errInjected)
	on.Store(false)
	require.Equal(t, stripes, db.Metrics().FrozenStripes)
	for i := range stripes {
		chosen := []frozenStripe{{index: i, tables: db.stripes[i].frozen}}
		tail, at := db.newTail(db.wal.visibleLSN(), chosen)
		r := db.newRun(spareAll, nil)
		require.NoError(t, db.writePass(r, chosen))
		require.NoError(t, db.recordPass(r.tables, chosen, tail, at))
		require.Equal(t, stripes-1-i, db.Metrics().FrozenStripes)
		got, err := readAll(manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), nil))
		require.NoError(t, err)
		require.True(t, maps.Equal(want, got), "after %d stripes: %s", i+1, difference(want, got))
	}
	require.Greater(t, db.tailLSN(), db.wal.visibleLSN())
}

// TestALinkThatACrashLeftAloneIsVouchedForByTheOpen, before anything is written behind it.
func TestALinkThatACrashLeftAloneIsVouchedForByTheOpen(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	var link int64
	var crashed *vfs.MemFS // of the last edit, before its second group
	for len(db.man.extents) == 1 {
		link = db.man.chain.Position().Offset
		groups := 0
		fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
			if op.Kind == vfs.OpWrite && op.Role == vfs.Log && op.Off >= link && op.Off < db.man.extents[0].End() {
				if groups++; groups == 2 {
					crashed = fsys.CrashClone(vfs.CrashLoseAll, 1)
				}
			}
			return nil
		}})
		require.NoError(t, db.vouchManifest())
	}
	require.NotNil(t, crashed)
	again := manualDB(t, crashed, nil)
	require.NoError(t, again.pass(passAll))
	require.Len(t, again.man.extents, 2)
	crashed = crashed.CrashClone(vfs.CrashLoseAll, 1)
	require.Equal(t, "1", mustGet(t, manualDB(t, crashed.CrashClone(vfs.CrashLoseAll, 1), nil), testKey(1, "a")))
	for _, off := range []int64{link, link + vfs.SectorBytes} {
		clone := crashed.CrashClone(vfs.CrashLoseAll, 1)
		overwrite(t, clone, make([]byte, vfs.SectorBytes), off)
		_, err := Open(crashPath, faultOptions(clone))
		require.ErrorIs(t, err, storage.ErrCorrupt, "the sector at %d", off)
	}
}

// TestACleanMarkEndsWithTheOpen: behind it the log goes on, and damage there is no end.
func TestACleanMarkEndsWithTheOpen(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	require.NoError(t, db.Close())
	db = manualDB(t, fsys, nil)
	walAt, manifestAt := db.wal.chain.Position().Offset, db.man.chain.Position().Offset
	for range 3 {
		mustPut(t, db, testKey(1, "a"), "2")
		require.NoError(t, db.vouchManifest())
	}
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	require.Equal(t, "2", mustGet(t, manualDB(t, crashed.CrashClone(vfs.CrashLoseAll, 1), nil), testKey(1, "a")))
	for _, off := range []int64{walAt, manifestAt} {
		clone := crashed.CrashClone(vfs.CrashLoseAll, 1)
		overwrite(t, clone, make([]byte, vfs.SectorBytes), off)
		_, err := Open(crashPath, faultOptions(clone))
		require.ErrorIs(t, err, storage.ErrCorrupt, "the sector at %d", off)
	}
}

// TestADropDoesNotOutliveItsReason: the row that says so was written before, and is not lost while the
// drop is kept.
func TestADropDoesNotOutliveItsReason(t *testing.T) {
	for _, mode := range []SyncMode{SyncAlways, SyncInterval, SyncOff} {
		fsys := vfs.NewMemFS(1)
		db := manualDB(t, fsys, func(o *Options) { o.Sync = mode })
		require.NoError(t, applyPut(db, crashKey(1, 1, 1), "dropped"))
		require.NoError(t, db.wal.syncThrough(db.wal.visibleLSN()))
		require.NoError(t, applyPut(db, crashKey(2, 1, 1), "the reason"))
		require.NoError(t, db.DropRange(context.Background(), spaceRange(1)))
		again := manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), nil)
		require.Equal(t, "(absent)", getString(t, again, crashKey(1, 1, 1)))
		require.Equal(t, "the reason", getString(t, again, crashKey(2, 1, 1)), "%v", mode)
	}
}
