package lsm

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestAForgottenSnapshotIsWarnedOf once, with its age; others and young ones are not.
func TestAForgottenSnapshotIsWarnedOf(t *testing.T) {
	clock := newTestClock()
	var warned []string
	db := manualDB(t, vfs.NewMemFS(1), func(o *Options) {
		o.Clock = clock.read
		o.Logger = func(message string, err error) { warned = append(warned, message+": "+err.Error()) }
	})
	ctx := context.Background()
	open := func(owner string) storage.Snapshot {
		s, err := db.Snapshot(ctx, storage.SnapshotOptions{Owner: owner})
		require.NoError(t, err)
		return s
	}
	require.Zero(t, db.Metrics().OldestSnapshotAge)
	forgotten := open("export")
	page := open("page") // of the same moment, and soon gone
	for range 3 {
		mustPut(t, db, testKey(1, "k"), "v")
	}
	clock.advance(snapshotOldAge - time.Second)
	page.Close()
	open("page").Close()
	short := open("page")
	db.warnOfSnapshots()
	require.Empty(t, warned)
	require.Equal(t, snapshotOldAge-time.Second, db.Metrics().OldestSnapshotAge)
	clock.advance(time.Second)
	for range 3 {
		db.warnOfSnapshots()
	}
	require.Len(t, warned, 1)
	require.Contains(t, warned[0], "10m0s")
	require.Contains(t, warned[0], `"export"`)
	require.Equal(t, "export", db.Metrics().OldestSnapshotOwner)
	require.Contains(t, warned[0], "3 batches behind")
	forgotten.Close()
	require.Equal(t, time.Second, db.Metrics().OldestSnapshotAge)
	clock.advance(snapshotOldAge)
	db.warnOfSnapshots()
	require.Len(t, warned, 2, "another one")
	require.Contains(t, warned[1], `"page"`)
	short.Close()
	db.warnOfSnapshots()
	require.Zero(t, db.Metrics().OldestSnapshotAge)
	require.Zero(t, db.Metrics().OldestSnapshot)
	require.Len(t, warned, 2)
}

// TestAForgottenSnapshotDoesNotHideBehindOthers that come and go at the same moment of a database that
// nobody writes into.
func TestAForgottenSnapshotDoesNotHideBehindOthers(t *testing.T) {
	clock := newTestClock()
	db := manualDB(t, vfs.NewMemFS(1), func(o *Options) { o.Clock = clock.read })
	open := func(owner string) storage.Snapshot {
		s, err := db.Snapshot(context.Background(), storage.SnapshotOptions{Owner: owner})
		require.NoError(t, err)
		return s
	}
	first := open("page")
	clock.advance(time.Second)
	forgotten := open("export")
	clock.advance(time.Second)
	require.Equal(t, "page", db.Metrics().OldestSnapshotOwner)
	first.Close()
	page := open("page")
	require.Equal(t, "export", db.Metrics().OldestSnapshotOwner)
	require.Equal(t, time.Second, db.Metrics().OldestSnapshotAge)
	forgotten.Close()
	require.Equal(t, "page", db.Metrics().OldestSnapshotOwner)
	require.Zero(t, db.Metrics().OldestSnapshotAge)
	page.Close()
	require.Empty(t, db.Metrics().OldestSnapshotOwner)
}

// TestHowFarASnapshotIsBehind counts batches, not the numbers that an open or a new epoch leaves out.
func TestHowFarASnapshotIsBehind(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	behind := func(db *DB) {
		for range 2 {
			s, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
			require.NoError(t, err)
			for n := range uint64(50) {
				require.Equal(t, n, db.Metrics().OldestSnapshot)
				mustPut(t, db, testKey(1, "k"), "v")
				if !db.opts.InMemory {
					require.NoError(t, db.tend())
				}
			}
			s.Close()
		}
	}
	for range 2 {
		db := manualDB(t, fsys, func(o *Options) { o.counterMax = 20 })
		before := db.super.Epoch
		behind(db)
		require.Greater(t, db.super.Epoch, before+2)
		fsys = fsys.CrashClone(vfs.CrashLoseAll, 1)
	}
	db, err := Open("", Options{InMemory: true, counterMax: 20})
	require.NoError(t, err)
	behind(db)
	require.NoError(t, db.Close())
}
