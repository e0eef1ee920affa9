package lsm

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// archiveDB is a database with an archive, whose rounds and marks a test makes by hand.
type archiveDB struct {
	*crashSession
	t     *testing.T
	to    *memArchive
	clock *testClock
	m     marker
	rng   *rand.Rand
	// points are states and when they were, from the second base backup on.
	points []archivePoint
}

// archivePoint is the state after a mark and at an LSN.
type archivePoint struct {
	lsn   uint64
	at    time.Time
	state map[string]string
	// later is the state half a second later, with what was written right behind the mark.
	later map[string]string
}

func newArchiveDB(t *testing.T, tune func(*Options)) *archiveDB {
	fsys := vfs.NewMemFS(1)
	a := &archiveDB{t: t, to: newMemArchive(), clock: newTestClock(), rng: rand.New(rand.NewPCG(4, 4))}
	o := faultOptions(fsys)
	o.manual, o.Archive, o.Clock = true, a.to, a.clock.read
	if tune != nil {
		tune(&o)
	}
	a.crashSession = &crashSession{fs: fsys, opts: o, led: &ledger{}}
	require.NoError(t, a.open())
	t.Cleanup(func() { _ = a.db.Close() })
	return a
}

func (a *archiveDB) lsm() *DB { return a.db.(*DB) }

func (a *archiveDB) round() error { return a.lsm().archiver.round(a.t.Context()) }

// step writes a little, lets a second pass and marks it.
func (a *archiveDB) step(n int) {
	for range n {
		require.NoError(a.t, randomOp(a.crashSession, a.rng))
		if a.lsm().memBytes.Load() > a.opts.MemtableBytes { // nobody else flushes
			require.NoError(a.t, a.lsm().pass(passAll))
		}
	}
	a.clock.advance(time.Second)
	require.NoError(a.t, a.m.mark(a.t.Context(), a.lsm()))
	state, err := readAll(a.db)
	require.NoError(a.t, err)
	a.points = append(a.points, archivePoint{uint64(a.lsm().wal.visibleLSN()), a.clock.read(), state, state})
	a.clock.advance(time.Millisecond) // what comes is later than the point
}

// kill loses the power and opens again.
func (a *archiveDB) kill() {
	a.fs = a.fs.CrashClone(vfs.CrashMostly, a.rng.Uint64())
	a.opts.FS = a.fs
	require.NoError(a.t, a.open())
	a.m = marker{}
}

// restore returns the state at a point.
func (a *archiveDB) restore(to PointInTime) (map[string]string, Restored, error) {
	fsys := vfs.NewMemFS(2)
	out, err := RestoreArchive(a.t.Context(), copyPath, a.to, to, RestoreOptions{
		FS: fsys, Rand: a.opts.Rand, EncryptionKey: a.opts.EncryptionKey,
	})
	if err != nil {
		require.Empty(a.t, fsys.Names(), "something is left of a restore that failed")
		return nil, out, err
	}
	o := faultOptions(fsys)
	o.EncryptionKey = a.opts.EncryptionKey
	db, err := Open(copyPath, o)
	require.NoError(a.t, err)
	require.Empty(a.t, fsys.Names()[1:])
	state, err := readAll(db)
	require.NoError(a.t, err)
	require.NoError(a.t, applyPut(db, crashKey(8, 8, 8), "goes on"))
	require.NoError(a.t, db.Close())
	return state, out, nil
}

// TestEveryPointOfAnArchiveIsRestored to the state that the database had then: at each mark, between two,
// at each LSN of a mark; over laps of the log, spills, dropped ranges, flushes, kills and clean restarts.
func TestEveryPointOfAnArchiveIsRestored(t *testing.T) {
	for name, tune := range map[string]func(*Options){
		"always":   nil,
		"interval": func(o *Options) { o.Sync, o.SyncInterval = SyncInterval, time.Hour },
		"epochs":   func(o *Options) { o.counterMax = 64 },
		"sealed":   func(o *Options) { o.EncryptionKey = ownersKey },
	} {
		t.Run(name, func(t *testing.T) { everyPoint(t, tune) })
	}
}

func everyPoint(t *testing.T, tune func(*Options)) {
	a := newArchiveDB(t, tune)
	require.NoError(t, a.round())
	for i := range 20 {
		a.step(6)
		switch i % 10 {
		case 2:
			require.NoError(t, a.put(crashKey(1, 2, 3), 100<<10)) // a spill
		case 4:
			require.NoError(t, a.put(crashKey(6, 2, i), 10))
			require.NoError(t, a.drop(6))
		case 5:
			require.NoError(t, a.lsm().pass(passAll))
		case 6:
			require.NoError(t, a.round())
			a.kill()
		case 8:
			require.NoError(t, a.close())
			require.NoError(t, a.open())
			a.m = marker{}
			require.NoError(t, a.round())
		case 9:
			a.clock.advance(25 * time.Hour) // a base backup is due
		}
		later, err := readAll(a.db)
		require.NoError(t, err)
		a.points[i].later = later
		if a.lsm().counterNearEnd() {
			require.NoError(t, a.lsm().renewEpoch())
		}
		require.NoError(t, a.round())
		require.NoError(t, a.lsm().pass(passLog))
	}
	require.Empty(t, a.lsm().ArchiveStatus().Err)
	last := a.points[len(a.points)-1]
	for i, p := range a.points {
		if tune != nil && i%3 != 0 {
			continue
		}
		state, out, err := a.restore(PointInTime{Time: p.at})
		require.NoError(t, err, "point %d", i)
		require.Empty(t, diffOf(p.state, state), "point %d", i)
		require.Equal(t, p.lsn, out.LSN)
		require.Equal(t, p.at.UnixMilli(), out.Time.UnixMilli())
		if i%3 == 0 {
			state, _, err = a.restore(PointInTime{Time: p.at.Add(900 * time.Millisecond)})
			require.NoError(t, err)
			if !maps.Equal(p.state, state) {
				require.Empty(t, diffOf(p.later, state), "a second after point %d", i)
			}
			state, _, err = a.restore(PointInTime{LSN: p.lsn})
			require.NoError(t, err)
			require.Empty(t, diffOf(p.state, state), "lsn of point %d", i)
		}
	}
	state, _, err := a.restore(PointInTime{})
	require.NoError(t, err)
	now, err := readAll(a.db)
	require.NoError(t, err)
	require.Empty(t, diffOf(now, state))
	_, _, err = a.restore(PointInTime{Time: last.at.Add(48 * time.Hour)})
	require.ErrorContains(t, err, "covers the time up to")
	_, _, err = a.restore(PointInTime{LSN: last.lsn + 1000})
	require.ErrorContains(t, err, "the archive ends with LSN")
	_, _, err = a.restore(PointInTime{Time: a.points[0].at.Add(-time.Hour)})
	require.ErrorContains(t, err, "the archive begins at LSN")
}

// diffOf is "" for equal states.
func diffOf(want, got map[string]string) string {
	if maps.Equal(want, got) {
		return ""
	}
	return difference(want, got)
}

// TestAnIdleDatabaseIsCovered until its last shipment, although nothing is written.
func TestAnIdleDatabaseIsCovered(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	a.step(5)
	require.NoError(t, a.round())
	a.clock.advance(time.Hour)
	require.NoError(t, a.round())
	state, _, err := a.restore(PointInTime{Time: a.clock.read()})
	require.NoError(t, err)
	require.Empty(t, diffOf(a.points[0].state, state))
	require.Equal(t, a.clock.read().UnixMilli(), a.lsm().ArchiveStatus().Covered.UnixMilli())
	m := a.lsm().Metrics().ArchiveMetrics
	require.Equal(t, ArchiveMetrics{
		Archived: true, ArchiveLSN: a.points[0].lsn, ArchiveCovered: a.lsm().ArchiveStatus().Covered,
		ArchiveBase: a.lsm().ArchiveStatus().Base,
	}, m)
	a.to.set(errInjected, nil)
	a.lsm().archiver.report(a.round())
	require.True(t, a.lsm().Metrics().ArchiveFailing)
	require.ErrorIs(t, a.lsm().ArchiveStatus().Err, errInjected)
	a.to.set(nil, nil)
}

// TestALostAnswerOfAnArchive is asked for again, and what was stored is not stored twice.
func TestALostAnswerOfAnArchive(t *testing.T) {
	a := newArchiveDB(t, func(o *Options) { o.SegmentBytes, o.LogBytes = 256<<10, 512<<10 })
	require.NoError(t, a.round())
	lost := errors.New("lost")
	for i := range 20 {
		a.step(4)
		switch i % 4 {
		case 0:
			a.to.set(nil, lost)
			require.ErrorIs(t, a.round(), lost)
		case 1:
			a.to.set(lost, nil)
			require.ErrorIs(t, a.round(), lost)
		}
		if i == 9 {
			a.to.set(nil, lost)
			require.ErrorIs(t, a.round(), lost)
			a.kill()
		}
		a.to.set(nil, nil)
		if i%4 != 0 {
			require.NoError(t, a.round())
		}
	}
	require.NoError(t, a.round())
	for i, p := range a.points {
		if i%3 != 0 {
			continue
		}
		state, _, err := a.restore(PointInTime{LSN: p.lsn})
		require.NoError(t, err, "point %d", i)
		require.Empty(t, diffOf(p.state, state), "point %d", i)
	}
}

// TestTheLogWaitsForItsArchive over laps, kills and closes, and is not reused before it is shipped.
func TestTheLogWaitsForItsArchive(t *testing.T) {
	a := newArchiveDB(t, func(o *Options) { o.SegmentBytes, o.LogBytes = 128<<10, 256<<10 })
	require.NoError(t, a.round())
	a.to.set(errInjected, nil)
	for i := range 12 {
		a.step(3)
		require.NoError(t, a.lsm().pass(passLog))
		require.NoError(t, a.lsm().tendRing())
		if i == 4 {
			a.kill()
		}
		if i == 8 {
			require.NoError(t, a.close())
			require.NoError(t, a.open())
			a.m = marker{}
		}
		require.Error(t, a.round())
	}
	require.Zero(t, a.lsm().ArchiveStatus().Gaps)
	a.to.set(nil, nil)
	require.NoError(t, a.round())
	for i, p := range a.points {
		state, _, err := a.restore(PointInTime{Time: p.at})
		require.NoError(t, err, "point %d", i)
		require.Empty(t, diffOf(p.state, state), "point %d", i)
	}
}

// TestAnArchiveThatIsDownForLong does not stop writers: the log goes on without it, a restore into the gap
// is refused, and what comes after the next base backup is restored again.
func TestAnArchiveThatIsDownForLong(t *testing.T) {
	var mu sync.Mutex
	var said []string
	a := newArchiveDB(t, func(o *Options) {
		o.manual = false
		o.ArchiveEvery = time.Millisecond
		o.Logger = func(message string, _ error) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, message)
		}
	})
	db := a.lsm()
	eventually(t, func() bool { return !db.ArchiveStatus().Base.IsZero() })
	require.NoError(t, a.put(crashKey(1, 1, 1), 100))
	before := db.wal.visibleLSN()
	eventually(t, func() bool { return db.ArchiveStatus().LSN >= uint64(before) })
	a.to.set(errInjected, nil)
	for db.ArchiveStatus().Gaps == 0 { // every write is answered
		require.NoError(t, a.put(crashKey(1, 1, 2), 1000))
	}
	inGap := db.wal.visibleLSN()
	base := db.ArchiveStatus().Base
	a.clock.advance(time.Minute)
	a.to.set(nil, nil)
	eventually(t, func() bool { return db.ArchiveStatus().Base.After(base) })
	require.NoError(t, a.put(crashKey(1, 1, 3), 100))
	after := db.wal.visibleLSN()
	eventually(t, func() bool { return db.ArchiveStatus().LSN >= uint64(after) })
	want, err := readAll(db)
	require.NoError(t, err)
	state, _, err := a.restore(PointInTime{LSN: uint64(after)})
	require.NoError(t, err)
	require.Empty(t, diffOf(want, state))
	_, _, err = a.restore(PointInTime{LSN: uint64(before)})
	require.NoError(t, err)
	_, _, err = a.restore(PointInTime{LSN: uint64(inGap) - 1})
	require.ErrorContains(t, err, "are missing in the archive")
	require.NoError(t, a.close())
	require.True(t, slices.ContainsFunc(said, func(s string) bool { return strings.Contains(s, "which has a gap") }))
}

// eventually waits for what background work will bring about.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	require.Eventually(t, done, time.Minute, time.Millisecond)
}

// TestAnArchiveWithPiecesMissing or damaged, or of two histories, is told with their names.
func TestAnArchiveWithPiecesMissing(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	for range 8 {
		a.step(5)
		require.NoError(t, a.round())
	}
	whole := a.to
	var chunks, parts []string
	for name := range whole.objects {
		if _, ok := archived.ParseLog(name); ok {
			chunks = append(chunks, name)
		} else if strings.HasSuffix(name, "/00000000") {
			parts = append(parts, name)
		}
	}
	slices.Sort(chunks)
	first, _ := archived.ParseLog(chunks[3])
	try := func(change func(*memArchive), to PointInTime) error {
		a.to = whole.clone()
		change(a.to)
		_, _, err := a.restore(to)
		return err
	}
	err := try(func(m *memArchive) { delete(m.objects, chunks[3]) }, PointInTime{})
	require.ErrorContains(t, err, fmt.Sprintf("groups %d to %d of the log of timeline", first.First, first.Last))
	require.NoError(t, try(func(m *memArchive) { delete(m.objects, chunks[3]) }, PointInTime{LSN: a.points[1].lsn}))
	flip := func(name string) func(*memArchive) {
		return func(m *memArchive) {
			data := slices.Clone(m.objects[name])
			data[len(data)/2] ^= 1
			m.objects[name] = data
		}
	}
	err = try(flip(chunks[2]), PointInTime{})
	require.ErrorIs(t, err, archived.ErrChunk)
	require.ErrorContains(t, err, chunks[2])
	require.ErrorIs(t, try(flip(parts[0]), PointInTime{}), storage.ErrCorrupt)
	err = try(func(m *memArchive) { delete(m.objects, parts[0]) }, PointInTime{})
	require.ErrorContains(t, err, parts[0])
	require.ErrorIs(t, try(func(m *memArchive) { clear(m.objects) }, PointInTime{}), errNoBase)
	require.ErrorContains(t, try(func(*memArchive) {}, PointInTime{Timeline: "zz"}), "no timeline zz")
	require.Error(t, try(func(m *memArchive) { m.objects[chunks[2]] = m.objects[chunks[3]] }, PointInTime{}))
}

// TestAFileThatWasPutBack in place of a newer one has the timeline of the archive and another history: it
// gets a timeline of its own, and the archive has both.
func TestAFileThatWasPutBack(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	a.step(5)
	require.NoError(t, a.round())
	old := a.fs.CrashClone(vfs.CrashLoseAll, 1)
	id := hexID(a.lsm().super.Timeline)
	a.step(5)
	require.NoError(t, a.round())
	require.NoError(t, a.close())

	put := &archiveDB{t: t, to: a.to, clock: a.clock, rng: a.rng}
	o := a.opts
	o.FS = old
	put.crashSession = &crashSession{fs: old, opts: o, led: &ledger{}}
	require.NoError(t, put.open())
	defer func() { _ = put.db.Close() }()
	put.step(3)
	require.NoError(t, put.round())
	put.step(3)
	require.NoError(t, put.round())
	own := hexID(put.lsm().super.Timeline)
	require.NotEqual(t, id, own)
	_, _, err := put.restore(PointInTime{})
	require.ErrorContains(t, err, "several timelines")
	state, _, err := put.restore(PointInTime{Timeline: own[:8]})
	require.NoError(t, err)
	require.Empty(t, diffOf(put.points[1].state, state))
	state, _, err = put.restore(PointInTime{Timeline: id})
	require.NoError(t, err)
	require.Empty(t, diffOf(a.points[1].state, state))
}

// TestACopyInUse ships to the archive of the file that it was copied from while that one goes on: whichever
// comes second gets a timeline of its own, and both histories can be restored.
func TestACopyInUse(t *testing.T) {
	a := newArchiveDB(t, nil)
	a.step(5)
	require.NoError(t, a.round())
	require.NoError(t, a.close())
	twin := &archiveDB{t: t, to: a.to, clock: a.clock, rng: a.rng}
	o := a.opts
	o.FS = a.fs.CrashClone(vfs.CrashLoseAll, 1)
	twin.crashSession = &crashSession{fs: o.FS.(*vfs.MemFS), opts: o, led: &ledger{}}
	require.NoError(t, a.open())
	require.NoError(t, twin.open())
	defer func() { _ = twin.db.Close() }()
	id := hexID(a.lsm().super.Timeline)
	require.Equal(t, id, hexID(twin.lsm().super.Timeline))
	require.NoError(t, a.round())
	require.NoError(t, twin.round())

	for range 2 { // of different lengths, so that their chunks have other names
		a.step(3)
		twin.step(5)
		require.NoError(t, a.round())
		require.NoError(t, twin.round())
	}
	own := hexID(twin.lsm().super.Timeline)
	require.NotEqual(t, id, own)
	require.Equal(t, id, hexID(a.lsm().super.Timeline))
	require.NoError(t, twin.round()) // what was written before its base backup was whole
	for timeline, db := range map[string]*archiveDB{id: a, own: twin} {
		state, _, err := db.restore(PointInTime{Timeline: timeline})
		require.NoError(t, err)
		require.Empty(t, diffOf(db.points[len(db.points)-1].state, state))
	}
}

// TestAnArchiveThatWasEmptied while the database was in use begins again with a base backup.
func TestAnArchiveThatWasEmptied(t *testing.T) {
	a := newArchiveDB(t, nil)
	a.step(3)
	require.NoError(t, a.round())
	a.to.mu.Lock()
	clear(a.to.objects)
	a.to.mu.Unlock()
	a.step(3)
	require.NoError(t, a.round())
	a.step(3)
	require.NoError(t, a.round())
	require.Equal(t, 1, a.lsm().ArchiveStatus().Gaps)
	state, _, err := a.restore(PointInTime{})
	require.NoError(t, err)
	require.Empty(t, diffOf(a.points[len(a.points)-1].state, state))
}

// TestTwoFilesBeginAnArchive at once, copies of one file: the one that is done second gets a timeline of its
// own.
func TestTwoFilesBeginAnArchive(t *testing.T) {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.lsm().archiver.begin(t.Context())) // looks before the other one is done
	a.lsm().archiver.begun = true
	id := hexID(a.lsm().super.Timeline)
	a.to.mu.Lock()
	a.to.objects[id+"/base/0000000000000001-0000000000001/done"] = nil
	a.to.mu.Unlock()
	a.step(3)
	for range 3 {
		require.NoError(t, a.round())
	}
	own := hexID(a.lsm().super.Timeline)
	require.NotEqual(t, id, own)
	state, _, err := a.restore(PointInTime{Timeline: own})
	require.NoError(t, err)
	require.Empty(t, diffOf(a.points[len(a.points)-1].state, state))
}
