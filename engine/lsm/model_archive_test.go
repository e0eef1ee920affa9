package lsm

import (
	"context"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// modelPointsMax bounds the states that are kept for restores.
const modelPointsMax = 24

// modelArchive is the archive of a model's file, and what should be in it.
type modelArchive struct {
	store *flakyArchive
	clock *testClock
	mark  marker
	// points are states of the file's database, by LSN. All of them are in the archive or will be, unless
	// the log goes on without it.
	points   []archivePoint
	timeline [16]byte
	// shipped is the last LSN that the archive had when the log went on without it; behind it nothing
	// can be restored up to the next base backup.
	shipped uint64
	gap     bool
}

// flakyArchive is one that can be away, or lose its answers.
type flakyArchive struct {
	archive.Store
	fail, lost error
}

func (f *flakyArchive) Put(ctx context.Context, name string, body io.ReadSeeker, replace bool) error {
	if f.fail != nil {
		return f.fail
	}
	if err := f.Store.Put(ctx, name, body, replace); err != nil {
		return err
	}
	return f.lost
}

func (f *flakyArchive) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	return f.Store.Get(ctx, name)
}

func (f *flakyArchive) List(ctx context.Context, prefix, after string) ([]string, error) {
	if f.fail != nil {
		return nil, f.fail
	}
	return f.Store.List(ctx, prefix, after)
}

// attachArchive gives the file an archive in a folder.
func (m *model) attachArchive() {
	dir, err := archive.OpenDir(m.t.TempDir(), false)
	require.NoError(m.t, err)
	m.arch = &modelArchive{store: &flakyArchive{Store: dir}, clock: newTestClock()}
	m.opts.Archive, m.opts.Clock = m.arch.store, m.arch.clock.read
}

// archiveOpened is called behind each open.
func (m *model) archiveOpened() {
	a := m.arch
	if a == nil {
		return
	}
	a.mark = marker{}
	if a.timeline == ([16]byte{}) {
		a.timeline = m.root.db.super.Timeline
	}
	m.ship()
}

// archived ships when writers would soon wait for it, and at random.
func (m *model) archived() {
	switch a := m.arch; {
	case a == nil:
	case len(m.root.db.wal.free) == 0 || m.root.db.spillBytes() > m.now.LogBytes || m.r.IntN(20) == 0:
		m.ship()
	case m.r.IntN(8) == 0:
		m.point()
	}
}

// point remembers a state, behind a mark or without one.
func (m *model) point() {
	a, db := m.arch, m.root.db
	a.clock.advance(time.Millisecond) // what was written is earlier
	p := archivePoint{state: maps.Clone(m.root.want)}
	if m.r.IntN(2) == 0 {
		a.clock.advance(time.Second)
		require.NoError(m.t, a.mark.mark(context.Background(), db))
		if a.mark.last == a.clock.read().UnixMilli() { // unless nothing was written since the last one
			p.at = a.clock.read()
		}
		a.clock.advance(time.Millisecond)
	}
	p.lsn = uint64(db.wal.visibleLSN())
	a.points = append(a.points, p)
	if len(a.points) > modelPointsMax {
		i := m.r.IntN(len(a.points))
		a.points = slices.Delete(a.points, i, i+1)
	}
}

// ship makes a round, now and then after some that fail.
func (m *model) ship() {
	a, db := m.arch, m.root.db
	ctx := context.Background()
	switch m.r.IntN(12) {
	case 0:
		m.note("ship, and the answers are lost")
		a.store.lost = errInjected
		if err := db.archiver.round(ctx); err != nil {
			require.ErrorIs(m.t, err, errInjected)
		}
	case 1:
		m.note("the archive is away")
		a.store.fail = errInjected
		require.ErrorIs(m.t, db.archiver.round(ctx), errInjected)
		if m.r.IntN(3) == 0 {
			m.goOnWithoutArchive()
		}
	case 2:
		m.note("a base backup is due")
		a.clock.advance(ArchiveBaseEveryDefault)
	}
	a.store.fail, a.store.lost = nil, nil
	m.note("ship")
	for range 2 { // a base backup that failed is heard of first
		if err := db.archiver.round(ctx); err != nil {
			require.ErrorIs(m.t, err, errInjected)
			a.clock.advance(2 * baseRetry)
		}
	}
	require.NoError(m.t, db.archiver.round(ctx))
	require.Equal(m.t, a.timeline, db.super.Timeline, "a new timeline for no reason")
	status := db.ArchiveStatus()
	if a.gap {
		a.points = slices.DeleteFunc(a.points, func(p archivePoint) bool { return p.lsn > a.shipped })
		a.gap = false
	}
	for _, p := range a.points {
		require.LessOrEqual(m.t, p.lsn, status.LSN)
	}
	require.NoError(m.t, db.tend())
}

// goOnWithoutArchive is what a full log does.
func (m *model) goOnWithoutArchive() {
	a, db := m.arch, m.root.db
	if db.archiver.holdLSN() == noHold {
		return
	}
	m.note("the log goes on without the archive")
	a.gap, a.shipped = true, uint64(db.archiver.nextLSN-1)
	db.archiver.failing.Store(true)
	db.archiver.press(true)
	db.archiver.failing.Store(false)
	require.NoError(m.t, db.pass(passAll))
	require.NoError(m.t, db.tend())
}

// restorePoint restores one of the points, or all that there is.
func (m *model) restorePoint() {
	a := m.arch
	if a == nil {
		return
	}
	m.point()
	m.ship()
	if len(a.points) == 0 {
		return
	}
	p := a.points[m.r.IntN(len(a.points))]
	to := PointInTime{LSN: p.lsn}
	switch {
	case m.r.IntN(4) == 0:
		to, p = PointInTime{}, archivePoint{state: m.root.want}
	case !p.at.IsZero():
		to = PointInTime{Time: p.at}
	}
	m.note("restore to %+v", to)
	fsys := vfs.NewMemFS(m.r.Uint64())
	out, err := RestoreArchive(context.Background(), copyPath, a.store, to, RestoreOptions{
		FS: fsys, Rand: &seededReader{rng: rand.New(rand.NewPCG(m.r.Uint64(), 4))}, EncryptionKey: m.opts.EncryptionKey,
	})
	require.NoError(m.t, err)
	if p.lsn != 0 {
		require.Equal(m.t, p.lsn, out.LSN)
	}
	o := m.copyOptions()
	o.FS = fsys
	db, err := Open(copyPath, o)
	require.NoError(m.t, err)
	m.checkAll(&modelled{db: db, want: p.state})
	require.NoError(m.t, db.Close())
}

// copyOptions open a copy of the file, which has no part in its archive.
func (m *model) copyOptions() Options {
	o := m.now
	o.Archive = nil
	return o
}
