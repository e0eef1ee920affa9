package lsm

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
)

// prunedDays is how many base backups the archive of these tests has, a day apart.
const prunedDays = 4

// archiveOfDays has a base backup a day, three points after each, and the log between them.
func archiveOfDays(t *testing.T) *archiveDB {
	a := newArchiveDB(t, nil)
	require.NoError(t, a.round())
	for range prunedDays {
		for range 3 {
			a.step(4)
			require.NoError(t, a.round())
			require.NoError(t, a.lsm().pass(passLog))
		}
		a.clock.advance(25 * time.Hour)
		require.NoError(t, a.round())
	}
	require.NoError(t, a.lsm().ArchiveStatus().Err)
	return a
}

// at makes the database restore from another archive.
func (a *archiveDB) at(m *memArchive) *archiveDB {
	b := *a
	b.to = m
	return &b
}

// mustRestore restores points from the first one on, and the newest state.
func (a *archiveDB) mustRestore(first, step int) {
	a.t.Helper()
	for i := first; i < len(a.points); i += step {
		p := a.points[i]
		state, _, err := a.restore(PointInTime{Time: p.at})
		require.NoError(a.t, err, "point %d", i)
		require.Empty(a.t, diffOf(p.state, state), "point %d", i)
		state, _, err = a.restore(PointInTime{LSN: p.lsn})
		require.NoError(a.t, err, "LSN of point %d", i)
		require.Empty(a.t, diffOf(p.state, state), "LSN of point %d", i)
	}
	state, _, err := a.restore(PointInTime{})
	require.NoError(a.t, err)
	require.Empty(a.t, diffOf(a.points[len(a.points)-1].state, state))
}

func TestListArchive(t *testing.T) {
	a := archiveOfDays(t)
	list, err := ListArchive(t.Context(), a.to)
	require.NoError(t, err)
	require.Len(t, list, 1)
	l := list[0]
	require.Equal(t, hexID(a.lsm().archiver.timeline()), l.Timeline)
	require.Len(t, l.Bases, prunedDays+1)
	require.Len(t, l.Spans, 1)
	require.Equal(t, l.Bases[0].LSN, l.Spans[0].FromLSN)
	require.Equal(t, l.Bases[0].Time, l.Spans[0].From)
	status := a.lsm().ArchiveStatus()
	require.Equal(t, status.LSN, l.Spans[0].ToLSN)
	require.Equal(t, status.Covered.UnixMilli(), l.Spans[0].To.UnixMilli())
	require.Zero(t, l.Unused)
	sizes, err := a.to.Sizes(t.Context(), "")
	require.NoError(t, err)
	all := l.Log
	for _, b := range l.Bases {
		require.Empty(t, b.Broken)
		all.Objects, all.Bytes = all.Objects+b.Objects, all.Bytes+b.Bytes
	}
	var bytes int64
	for name, n := range sizes {
		if !strings.HasSuffix(name, "/covered") {
			bytes += n
			all.Objects--
		}
	}
	require.Zero(t, all.Objects)
	require.Equal(t, bytes, all.Bytes)

	// A chunk is missing: there are two spans, and what lies between cannot be restored.
	b := a.at(a.to.clone())
	names, err := b.to.List(t.Context(), l.Timeline+"/log/", "")
	require.NoError(t, err)
	lost, ok := archived.ParseLog(names[4])
	require.True(t, ok)
	require.NoError(t, b.to.Delete(t.Context(), names[4]))
	list, err = ListArchive(t.Context(), b.to)
	require.NoError(t, err)
	spans := list[0].Spans
	require.Len(t, spans, 2)
	require.Less(t, spans[0].ToLSN, uint64(lost.LSN))
	require.GreaterOrEqual(t, spans[1].FromLSN, uint64(lost.LSN))
	for i, p := range a.points {
		_, _, err := b.restore(PointInTime{LSN: p.lsn})
		inside := slices.ContainsFunc(spans, func(s ArchiveSpan) bool { return s.FromLSN <= p.lsn && p.lsn <= s.ToLSN })
		require.Equal(t, inside, err == nil, "point %d: %v", i, err)
	}
}

// TestPruneArchive deletes what is older than the base backup that is needed for a moment, and says so.
func TestPruneArchive(t *testing.T) {
	a := archiveOfDays(t)
	before := a.points[7] // of the third day
	opts := PruneOptions{Before: before.at, DryRun: true}
	was := maps.Clone(a.to.objects)
	dry, err := PruneArchive(t.Context(), a.to, opts)
	require.NoError(t, err)
	require.Equal(t, was, a.to.objects)
	opts.DryRun = false
	var verified int64
	opts.Progress = func(done, _ int64) { verified = done }
	got, err := PruneArchive(t.Context(), a.to, opts)
	require.NoError(t, err)
	require.Equal(t, dry, got)
	require.Positive(t, verified)
	require.Len(t, got, 1)
	require.Equal(t, 2, got[0].Bases)
	require.Len(t, was, len(a.to.objects)+int(got[0].Objects))
	a.mustRestore(6, 1)
	_, _, err = a.restore(PointInTime{Time: a.points[5].at})
	require.ErrorContains(t, err, "the archive begins at LSN")
	list, err := ListArchive(t.Context(), a.to)
	require.NoError(t, err)
	require.Zero(t, list[0].Unused)
	require.Equal(t, []uint64{got[0].Oldest.LSN}, []uint64{list[0].Spans[0].FromLSN})
	require.Len(t, list[0].Spans, 1)

	again, err := PruneArchive(t.Context(), a.to, opts)
	require.NoError(t, err)
	require.Zero(t, again[0].ArchiveSize)
	require.Equal(t, got[0].Oldest, again[0].Oldest)

	// The server goes on, and the newest base backup always stays.
	a.step(4)
	require.NoError(t, a.round())
	require.NoError(t, a.lsm().ArchiveStatus().Err)
	require.Zero(t, a.lsm().ArchiveStatus().Gaps)
	opts.Before = a.clock.read().Add(1000 * time.Hour)
	_, err = PruneArchive(t.Context(), a.to, opts)
	require.NoError(t, err)
	a.step(4)
	require.NoError(t, a.round())
	a.mustRestore(len(a.points)-2, 1)

	opts.Before = a.points[0].at.Add(-time.Hour)
	none, err := PruneArchive(t.Context(), a.to, opts)
	require.NoError(t, err)
	require.Zero(t, none[0].ArchiveSize)
	opts.Timeline = "no"
	_, err = PruneArchive(t.Context(), a.to, opts)
	require.ErrorIs(t, err, errNoTimeline)
	_, err = PruneArchive(t.Context(), a.to, PruneOptions{})
	require.Error(t, err)
}

// TestPruneIsCutOff at any deletion: what is to stay can be restored, and another prune ends the work.
func TestPruneIsCutOff(t *testing.T) {
	a := archiveOfDays(t)
	opts := PruneOptions{Before: a.points[7].at, NoCheck: true}
	whole := a.to.clone()
	done, err := PruneArchive(t.Context(), whole, opts)
	require.NoError(t, err)
	for n := range int(done[0].Objects) {
		b := a.at(a.to.clone())
		b.to.deletes, b.to.failDelete = n, errInjected
		_, err := PruneArchive(t.Context(), b.to, opts)
		require.ErrorIs(t, err, errInjected)
		b.to.failDelete = nil
		b.mustRestore(6, 2)
		list, err := ListArchive(t.Context(), b.to)
		require.NoError(t, err)
		for i, p := range a.points[:6] { // what is listed can be restored
			if p.lsn >= list[0].Spans[0].FromLSN {
				_, _, err := b.restore(PointInTime{LSN: p.lsn})
				require.NoError(t, err, "point %d", i)
			}
		}
		_, err = PruneArchive(t.Context(), b.to, opts)
		require.NoError(t, err)
		require.Equal(t, whole.objects, b.to.objects)
	}
}

// TestPruneKeepsWhatItNeeds: a base backup that cannot be used is none to begin with.
func TestPruneKeepsWhatItNeeds(t *testing.T) {
	a := archiveOfDays(t)
	opts := PruneOptions{Before: a.points[7].at}
	bases, err := listBases(t.Context(), a.to, "")
	require.NoError(t, err)
	piece := bases[2].Part(0)

	damaged := a.at(a.to.clone())
	damaged.to.objects[piece] = slices.Clone(damaged.to.objects[piece])
	damaged.to.objects[piece][100] ^= 1
	was := maps.Clone(damaged.to.objects)
	_, err = PruneArchive(t.Context(), damaged.to, opts)
	require.ErrorContains(t, err, "nothing is deleted")
	require.Equal(t, was, damaged.to.objects)

	missing := a.at(a.to.clone())
	delete(missing.to.objects, piece)
	list, err := ListArchive(t.Context(), missing.to)
	require.NoError(t, err)
	require.NotEmpty(t, list[0].Bases[2].Broken)
	got, err := PruneArchive(t.Context(), missing.to, opts)
	require.NoError(t, err)
	require.Equal(t, uint64(bases[1].LSN), got[0].Oldest.LSN)
	require.Equal(t, 1, got[0].Bases)

	// What a crash left of a base backup goes with the next prune.
	left := a.at(a.to.clone())
	delete(left.to.objects, bases[0].Prefix()+archived.Done)
	list, err = ListArchive(t.Context(), left.to)
	require.NoError(t, err)
	require.Positive(t, list[0].Unused.Objects)
	_, err = PruneArchive(t.Context(), left.to, opts)
	require.NoError(t, err)
	list, err = ListArchive(t.Context(), left.to)
	require.NoError(t, err)
	require.Zero(t, list[0].Unused)

	down := a.to.clone()
	down.fail = errors.New("down")
	_, err = ListArchive(t.Context(), down)
	require.ErrorIs(t, err, down.fail)
	_, err = PruneArchive(t.Context(), down, opts)
	require.ErrorIs(t, err, down.fail)
}
