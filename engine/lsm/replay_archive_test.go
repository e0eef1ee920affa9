package lsm

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestAReplayKeepsWhatTheArchiveHasNot: a log that an archive was waited for may hold much more than the
// memtables take, and the passes of its replay do not move the tail past what is not shipped.
func TestAReplayKeepsWhatTheArchiveHasNot(t *testing.T) {
	a := newArchiveDB(t, func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = memtableBytesMin, 512<<10, 1<<20 })
	require.NoError(t, a.round())
	a.to.set(errInjected, nil)
	for i := 0; a.lsm().figures.passes.Load() < 3; i++ {
		require.Less(t, i, 30)
		require.NoError(t, a.put(crashKey(1, 2, i), 8<<10))
		a.step(3)
	}
	a.kill()
	require.NotZero(t, a.lsm().figures.passes.Load(), "the replay came without a pass")
	a.to.set(nil, nil)
	require.NoError(t, a.round())
	require.Zero(t, a.lsm().ArchiveStatus().Gaps)
	for i, p := range a.points {
		state, _, err := a.restore(PointInTime{Time: p.at})
		require.NoError(t, err, "point %d", i)
		require.Empty(t, diffOf(p.state, state), "point %d", i)
	}
}

// TestAnArchiveThatIsDownOnAFullDisk does not keep writers waiting: the log, which cannot grow, goes on
// without it.
func TestAnArchiveThatIsDownOnAFullDisk(t *testing.T) {
	a := newArchiveDB(t, func(o *Options) { o.MemtableBytes, o.LogBytes = 8<<20, 64*o.SegmentBytes })
	db := a.lsm()
	require.NoError(t, a.round())
	require.NoError(t, a.put(crashKey(1, 1, 0), 100))
	a.to.set(errInjected, nil)
	db.archiver.report(a.round())
	require.NoError(t, db.pass(passAll))
	a.fs.SetCapacity(a.fs.Used())
	written := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && db.ArchiveStatus().Gaps == 0; i++ {
			err = a.put(crashKey(1, 1, i), 1000)
		}
		written <- err
	}()
	for range 400 {
		require.NoError(t, db.tend())
		select {
		case err := <-written:
			require.NoError(t, err)
			require.NotZero(t, db.ArchiveStatus().Gaps)
			return
		case <-db.wakeup:
		}
	}
	require.Fail(t, "the writer waits for an archive that is away")
}

// TestAChunkIsBounded, with its spills: it is in memory when it is shipped and restored.
func TestAChunkIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("60 MB are much for the race detector")
	}
	a := newArchiveDB(t, func(o *Options) { o.MemtableBytes = 256 << 20 })
	require.NoError(t, a.round())
	for i := range 5 {
		ops := &storage.Batch{}
		for j := range 12 {
			ops.Put([]byte(crashKey(1, byte(i), j)), make([]byte, 1<<20))
		}
		require.NoError(t, a.db.Apply(t.Context(), ops, storage.UpdateOptions{}))
	}
	require.NoError(t, a.round())
	names, err := a.to.List(t.Context(), archived.LogPrefix(a.lsm().archiver.timeline()), "")
	require.NoError(t, err)
	require.Greater(t, len(names), 1)
	for _, name := range names {
		r, err := a.to.Get(t.Context(), name)
		require.NoError(t, err)
		data, err := io.ReadAll(r)
		require.NoError(t, errors.Join(err, r.Close()))
		require.Less(t, len(data), 2*chunkTargetBytes)
	}
	state, _, err := a.restore(PointInTime{})
	require.NoError(t, err)
	require.Len(t, state, 60)
}

// TestAFileThatWasPutBackAndGrewAsLong: the log of the file that was put back has as many groups as the
// archive knows, and other ones.
func TestAFileThatWasPutBackAndGrewAsLong(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	a.step(5)
	require.NoError(t, a.round())
	id := a.lsm().super.Timeline
	old := a.fs.CrashClone(vfs.CrashLoseAll, 1)
	for i := range 4 {
		require.NoError(t, a.put(crashKey(1, 1, i), 10))
	}
	require.NoError(t, a.round())
	end := a.lsm().archiver.next.Seq

	o := a.opts
	o.FS = old
	db := openMem(t, old, o)
	for i := 0; db.wal.end.Seq < end; i++ {
		require.NoError(t, applyPut(db, crashKey(1, 2, i), "other"))
	}
	require.Equal(t, end, db.wal.end.Seq)
	require.NoError(t, db.archiver.round(t.Context()))
	require.NotEqual(t, id, db.super.Timeline)
}
