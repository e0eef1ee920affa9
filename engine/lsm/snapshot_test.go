package lsm

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
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
	require.Contains(t, warned[0], "bytes were written since")
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

// TestSnapshotsEndAtTheirLimits, by age or by what is written, and what they kept is dropped. Backups
// have no limits.
func TestSnapshotsEndAtTheirLimits(t *testing.T) {
	ctx := context.Background()
	for _, inMemory := range []bool{true, false} {
		clock := newTestClock()
		opts := Options{
			InMemory: inMemory, Clock: clock.read, manual: true, SnapshotMaxAge: time.Hour, SnapshotMaxBytes: 4 << 20,
			MemtableBytes: 64 << 20, FS: vfs.NewMemFS(1),
		}
		path := "dir/db"
		if inMemory {
			path = ""
		}
		db, err := Open(path, opts)
		require.NoError(t, err)
		require.Equal(t, time.Hour, db.Limits().MaxSnapshotAge)
		key := testKey(1, "k")
		open := func() storage.Snapshot {
			s, err := db.Snapshot(ctx, storage.SnapshotOptions{Owner: "page"})
			require.NoError(t, err)
			return s
		}
		gone := func(s storage.Snapshot) {
			t.Helper()
			_, err := s.Get(ctx, key)
			require.ErrorIs(t, err, storage.ErrSnapshotGone)
			_, err = s.GetMany(ctx, [][]byte{key})
			require.ErrorIs(t, err, storage.ErrSnapshotGone)
			it, err := s.Iter(ctx, storage.Range{}, storage.IterOptions{})
			require.NoError(t, err)
			require.False(t, it.Next())
			require.ErrorIs(t, it.Err(), storage.ErrSnapshotGone)
			it.Close()
			s.Close()
		}
		mustPut(t, db, key, "old")
		old := open()
		held, kept := db.pin("backup", true)
		it, err := old.Iter(ctx, storage.Range{}, storage.IterOptions{})
		require.NoError(t, err)
		require.True(t, it.Next())
		clock.advance(40 * time.Minute)
		young := open() // of the same moment, and with its own time
		clock.advance(30 * time.Minute)
		db.endSnapshots()
		mustPut(t, db, key, "new")
		gone(old)
		require.False(t, it.Next())
		require.ErrorIs(t, it.Err(), storage.ErrSnapshotGone)
		it.Close()
		v, err := young.Get(ctx, key)
		require.NoError(t, err)
		require.Equal(t, "old", string(v.Data))
		m := db.Metrics()
		require.Equal(t, uint64(1), m.SnapshotsEnded)
		require.Equal(t, 70*time.Minute, m.OldestSnapshotAge)
		require.Equal(t, "backup", m.OldestSnapshotOwner)

		value := strings.Repeat("v", 1<<20)
		for i := range 6 {
			require.Equal(t, i > 3, young.(*snapshot).gone(), i)
			mustPut(t, db, testKey(2, fmt.Sprint(i%2)), value)
		}
		require.GreaterOrEqual(t, db.Metrics().OldestSnapshotBytes, int64(6<<20))
		gone(young)
		require.Equal(t, uint64(held), db.snaps.oldest.Load(), "the backup")
		db.unpin(kept)
		require.Equal(t, noPin, db.snaps.oldest.Load())
		require.Zero(t, db.Metrics().OldestSnapshotBytes)
		require.NoError(t, db.Close())
	}
}

// TestWhatASnapshotReadIsRightOrGone: writers overwrite everything while a snapshot ends under its reader.
func TestWhatASnapshotReadIsRightOrGone(t *testing.T) {
	ctx := context.Background()
	db, err := Open("", Options{InMemory: true, SnapshotMaxBytes: 1})
	require.NoError(t, err)
	const keys = 40
	write := func(round int) {
		var b storage.Batch
		for i := range keys {
			b.Put(testKey(byte(i*6), fmt.Sprint(i)), fmt.Append(nil, round))
		}
		assert.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
	}
	write(0)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for round := 1; ; round++ {
			select {
			case <-stop:
				return
			default:
				write(round)
			}
		}
	})
	ended := 0
	for range 300 {
		s, err := db.Snapshot(ctx, storage.SnapshotOptions{})
		require.NoError(t, err)
		it, err := s.Iter(ctx, storage.Range{}, storage.IterOptions{})
		require.NoError(t, err)
		n, first := 0, ""
		for it.Next() {
			if n == 0 {
				first = string(it.Value())
			}
			if n == keys/2 {
				db.endSnapshots()
			}
			require.Equal(t, first, string(it.Value()))
			n++
		}
		if it.Err() != nil {
			require.ErrorIs(t, it.Err(), storage.ErrSnapshotGone)
			ended++
		} else {
			require.Equal(t, keys, n)
		}
		it.Close()
		s.Close()
	}
	close(stop)
	wg.Wait()
	require.Positive(t, ended)
	require.NoError(t, db.Close())
}
