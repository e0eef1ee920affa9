package lsm

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// chunkNames are the names of an archive's chunks, in order.
func (m *memArchive) chunkNames() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.objects)), func(name string) bool {
		_, ok := archived.ParseLog(name)
		return !ok
	})
}

// TestAChunkOfAnotherHistory with the numbers and the timeline of the one that follows is not replayed on
// what it does not follow: each piece verifies, and together they are what no database ever held.
func TestAChunkOfAnotherHistory(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.put(crashKey(1, 1, 0), 10))
	require.NoError(t, a.round())
	twin := &archiveDB{t: t, to: a.to.clone(), clock: a.clock, rng: a.rng}
	o := a.opts
	fsys := a.fs.CrashClone(vfs.CrashLoseAll, 1)
	o.FS, o.Archive = fsys, twin.to
	require.NoError(t, a.close())
	twin.crashSession = &crashSession{fs: fsys, opts: o, led: &ledger{}}
	require.NoError(t, a.open())
	require.NoError(t, twin.open())
	defer func() { _ = twin.db.Close() }()
	for i := range 3 { // as many groups in both, and as long
		require.NoError(t, a.put(crashKey(1, 1, i), 10))
		require.NoError(t, a.round())
		require.NoError(t, twin.put(crashKey(1, 2, i), 10))
		require.NoError(t, twin.round())
	}
	names := a.to.chunkNames()
	require.Equal(t, names, twin.to.chunkNames())
	last := names[len(names)-1]
	a.to = a.to.clone()
	a.to.objects[last] = twin.to.objects[last]
	_, _, err := a.restore(PointInTime{})
	require.ErrorContains(t, err, "it is of another history")
	require.ErrorContains(t, err, last)
}

// TestTheLogGoesOnWhileAChunkIsRead: writers who waited for long enough take the room while it is read, so
// that what was read is not what the chunk should hold. It is not stored.
func TestTheLogGoesOnWhileAChunkIsRead(t *testing.T) {
	a := newArchiveDB(t, func(o *Options) { o.SegmentBytes, o.LogBytes = 128<<10, 256<<10 })
	require.NoError(t, a.round())
	a.step(5)
	require.NoError(t, a.round())
	before := a.to.chunkNames()
	a.step(5)
	db, again := a.lsm(), false
	a.fs.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		c := db.archiver.pending
		if again || op.Kind != vfs.OpRead || c == nil || op.Off != c.Start.Offset || op.Len != c.End.Offset-op.Off {
			return nil
		}
		again = true
		a.goOnWithout()
		return nil
	}})
	require.NoError(t, db.archiver.ship(t.Context()))
	require.True(t, again)
	a.fs.SetHooks(vfs.Hooks{})
	require.Equal(t, before, a.to.chunkNames())
	require.Nil(t, db.archiver.pending)

	require.NoError(t, a.round())
	a.step(5)
	require.NoError(t, a.round())
	require.Equal(t, 1, db.ArchiveStatus().Gaps)
	for _, p := range []archivePoint{a.points[0], a.points[2]} {
		state, _, err := a.restore(PointInTime{LSN: p.lsn})
		require.NoError(t, err)
		require.Empty(t, diffOf(p.state, state))
	}
	_, _, err := a.restore(PointInTime{LSN: a.points[1].lsn})
	require.ErrorContains(t, err, "are missing in the archive")
}

// goOnWithout lets the log go on without the archive, for two laps.
func (a *archiveDB) goOnWithout() {
	db := a.lsm()
	db.archiver.failing.Store(true)
	db.archiver.press(true)
	laps := db.wal.stats.claims + uint64(2*len(db.wal.segmentsLocked()))
	for i := 0; db.wal.stats.claims < laps; i++ {
		require.NoError(a.t, a.put(crashKey(1, 1, i), 3000))
		require.NoError(a.t, db.pass(passAll))
		require.NoError(a.t, db.tendRing())
	}
}

// TestTheLogGoesOnWhileABaseBackupBegins: what stood behind its view is gone before the archive holds it, and
// another base backup is needed.
func TestTheLogGoesOnWhileABaseBackupBegins(t *testing.T) {
	h := &hooks{}
	a := newArchiveDB(t, func(o *Options) { o.SegmentBytes, o.LogBytes, o.hooks = 128<<10, 256<<10, h })
	h.afterView = func() {
		h.afterView = nil
		a.goOnWithout()
	}
	for range 3 {
		require.NoError(t, a.round())
		a.step(3)
	}
	require.NoError(t, a.round())
	require.Nil(t, h.afterView)
	require.Equal(t, 1, a.lsm().ArchiveStatus().Gaps)
	last := a.points[len(a.points)-1]
	state, _, err := a.restore(PointInTime{Time: last.at})
	require.NoError(t, err)
	require.Empty(t, diffOf(last.state, state))
}

// TestTheLastSecondBeforeAGap is restored: the archive has everything up to then, and what is missing is later.
func TestTheLastSecondBeforeAGap(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	a.step(3)
	require.NoError(t, a.round())
	covered := a.lsm().ArchiveStatus().Covered
	a.clock.advance(time.Millisecond)
	a.lsm().archiver.failing.Store(true)
	a.lsm().archiver.press(true)
	a.lsm().archiver.failing.Store(false)
	for range 2 {
		a.step(3)
		require.NoError(t, a.round())
	}
	a.step(3)
	require.NoError(t, a.round())
	require.Equal(t, 1, a.lsm().ArchiveStatus().Gaps)
	for _, at := range []time.Time{a.points[0].at, covered} {
		state, _, err := a.restore(PointInTime{Time: at})
		require.NoError(t, err)
		require.Empty(t, diffOf(a.points[0].state, state))
	}
	_, _, err := a.restore(PointInTime{Time: covered.Add(time.Millisecond)})
	require.ErrorContains(t, err, "are missing in the archive")
}

// TestAnArchiveThatLostItsBase keeps its timeline: the log behind the next base backup, which is made while
// somebody writes, begins with groups that were shipped before, in a chunk that ends elsewhere.
func TestAnArchiveThatLostItsBase(t *testing.T) {
	enqueued := newStop()
	a := newArchiveDB(t, func(o *Options) { o.hooks = &hooks{afterEnqueue: enqueued.here} })
	require.NoError(t, a.round())
	id := a.lsm().super.Timeline
	a.step(3)
	require.NoError(t, a.round())
	a.to.mu.Lock()
	maps.DeleteFunc(a.to.objects, func(name string, _ []byte) bool { return strings.Contains(name, "/base/") })
	a.to.mu.Unlock()
	a.baseBesideWrites(enqueued)
	shipped, err := readEnd(t.Context(), a.to, a.to.chunkNames()[0])
	require.NoError(t, err)
	require.Less(t, a.lsm().archiver.next.Seq, shipped.Seq, "the log of the base backup begins with what was shipped")
	require.NoError(t, a.round())
	require.Equal(t, id, a.lsm().super.Timeline, "a new timeline for no reason")
	a.step(3)
	require.NoError(t, a.round())
	a.kill()
	a.step(3)
	require.NoError(t, a.round())
	require.Equal(t, id, a.lsm().super.Timeline)
	for _, p := range a.points[1:] {
		state, _, err := a.restore(PointInTime{LSN: p.lsn})
		require.NoError(t, err)
		require.Empty(t, diffOf(p.state, state))
	}
}

// baseBesideWrites begins the archive again while a write that is on disk waits for one before it.
func (a *archiveDB) baseBesideWrites(enqueued *stop) {
	w := &a.lsm().wal
	before := w.visibleLSN()
	written := make(chan error, 2)
	write := func(key, value string) {
		var b storage.Batch
		b.Put([]byte(key), []byte(value))
		written <- a.db.Apply(a.t.Context(), &b, storage.UpdateOptions{})
	}
	enqueued.arm(a.t)
	go write(crashKey(1, 1, 1), "waits")
	<-enqueued.reached
	go write(crashKey(1, 2, 2), "is on disk")
	eventually(a.t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.syncedLSN > before
	})
	require.NoError(a.t, a.lsm().archiver.checkBase(a.t.Context()))
	a.lsm().archiver.startBase(a.t.Context(), true)
	enqueued.letGo()
	for range 2 {
		require.NoError(a.t, <-written)
	}
	require.NoError(a.t, <-a.lsm().archiver.working)
	a.lsm().archiver.working = nil
}
