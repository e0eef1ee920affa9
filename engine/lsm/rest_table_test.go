package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// idler drives a store as its background does, without time.
type idler struct {
	t     *testing.T
	db    *DB
	quiet *quiet
	ticks int64
}

// idle lets so many ticks go by; a compaction worker has its turn every second.
func (i *idler) idle(ticks int64) {
	for range ticks {
		i.ticks++
		i.db.tick(i.ticks, i.quiet)
		require.NoError(i.t, i.db.tend())
		for i.ticks%20 == 0 {
			worked, err := i.db.compactOnce(context.Background(), i.db.isIdle())
			require.NoError(i.t, err)
			if !worked {
				break
			}
		}
	}
}

// heapWritten counts what is written beside the log.
func heapWritten(db *DB) uint64 {
	m := db.Metrics()
	return m.FlushedBytes + m.CompactWritten + m.ManifestWritten
}

const ticksAMinute = 60 * 20

// TestAFileThatIdlesBecomesSmall deletes everything from a file with a small log and leaves it open: a
// minute later it is small, though somebody goes on writing the time, and nothing is written any more.
func TestAFileThatIdlesBecomesSmall(t *testing.T) {
	ctx := context.Background()
	fsys := vfs.NewMemFS(1)
	clock := newTestClock() // stands still: no memtable is flushed for its age
	opts := Options{
		FS: fsys, manual: true, LogBytes: 1 << 20, SegmentBytes: 128 << 10, MemtableBytes: 4 << 20, Clock: clock.read,
		EncryptionKey: ownersKey,
	}
	db, err := Open("dir/db", opts)
	require.NoError(t, err)
	db.compact.calm.Store(true) // compaction does not wait
	size := 20 << 20
	if testing.Short() {
		size /= 4 // the tenth is less than the reserve then
	}
	keys := fillForRest(t, db, 1, size)
	var b storage.Batch
	for i, k := range keys {
		b.Delete(k)
		if len(b.Ops) == 25 || i == len(keys)-1 {
			require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
			b.Ops = b.Ops[:0]
			require.NoError(t, db.tend())
		}
	}
	largest := db.Metrics()
	require.Greater(t, largest.FileBytes, int64(2*size))
	require.Positive(t, largest.MemtableBytes)
	i := &idler{t: t, db: db, quiet: newQuiet()}
	for range 8 {
		i.idle(ticksAMinute / 4)
		mustPut(t, db, testKey(1, "time"), "now")
	}
	m := db.Metrics()
	require.Less(t, m.FileBytes, max(largest.FileBytes/10, 5<<20))
	require.LessOrEqual(t, m.Tables, 1)
	// At rest it stays.
	written, logged := heapWritten(db), m.LogBytes
	i.idle(6 * ticksAMinute)
	require.Equal(t, written, heapWritten(db))
	require.Less(t, db.Metrics().LogBytes-logged, uint64(64<<10))
	require.Equal(t, "now", mustGet(t, db, testKey(1, "time")))
	require.NoError(t, db.Close())
	db, err = Open("dir/db", opts)
	require.NoError(t, err)
	for _, k := range keys {
		v, err := db.Get(ctx, k)
		require.NoError(t, err)
		require.False(t, v.Present)
	}
	require.NoError(t, db.Close())
}

// behindFreeSpace fills tables whose extents come after free ones of so many bytes.
func behindFreeSpace(t *testing.T, db *DB, free int64) (want map[string]string) {
	t.Helper()
	e, err := db.heap.alloc(free, spareAll)
	require.NoError(t, err)
	want = map[string]string{}
	for i := range 40 {
		key := testKey(byte(i%8*31), fmt.Sprintf("k%02d", i))
		want[string(key)] = string(bytes.Repeat([]byte{byte(i)}, 100+i))
		mustPut(t, db, key, want[string(key)])
	}
	flushAll(t, db)
	db.freeExtent(e)
	return want
}

// TestTablesMoveToTheFront: a table at the end of the file moves into free space before it, while a
// reader and a snapshot keep the old copy, whose space is given back when they are done.
func TestTablesMoveToTheFront(t *testing.T) {
	ctx := context.Background()
	for _, key := range [][]byte{nil, ownersKey} {
		fsys := vfs.NewMemFS(1)
		tune := func(o *Options) { o.EncryptionKey = key }
		db := manualDB(t, fsys, tune)
		want := behindFreeSpace(t, db, 16<<20)
		before := db.Metrics()
		snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
		require.NoError(t, err)
		it, err := snap.Iter(ctx, storage.Range{}, storage.IterOptions{})
		require.NoError(t, err)
		require.True(t, it.Next())
		fork, err := db.Fork()
		require.NoError(t, err)
		require.NoError(t, db.restAll())
		require.Equal(t, before.Tables, db.Metrics().Tables)
		n := 0
		for ok := true; ok; ok = it.Next() {
			require.Equal(t, want[string(it.Key())], string(it.Value()))
			n++
		}
		require.NoError(t, it.Err())
		require.Equal(t, len(want), n)
		got, err := readAll(fork)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, before.FileBytes, db.Metrics().FileBytes, "the end is still read")
		it.Close()
		snap.Close()
		require.NoError(t, fork.Close())
		require.NoError(t, db.restAll())
		if key == nil {
			checkSpace(t, db, fsys, "moved")
		}
		require.Less(t, db.Metrics().FileBytes, before.FileBytes/2)
		for _, db := range []*DB{db, manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), tune)} {
			for k, v := range want {
				require.Equal(t, v, mustGet(t, db, []byte(k)))
			}
		}
	}
}

// movesTables has tables at the end of the file, and makes them move to its front, under every crash.
func movesTables(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	db := s.db.(*DB)
	moved := uint64(0)
	for i := range 3 {
		free, err := db.heap.alloc(5<<20, spareAll)
		if err != nil {
			return err
		}
		for k := range 6 {
			if err := s.put(crashKey(1, byte(k*40), i), 2000); err != nil {
				return err
			}
			if err := s.del(crashKey(1, byte(k*40), i-1)); err != nil {
				return err
			}
		}
		if err := db.pass(passAll); err != nil {
			return err
		}
		db.freeExtent(free)
		before := db.figures.compactWrote.Load()
		if err := errors.Join(db.restAll(), s.put(crashKey(2, byte(i*40), i), 500)); err != nil {
			return err
		}
		moved += db.figures.compactWrote.Load() - before
	}
	if moved < 48<<10 {
		return fmt.Errorf("only %d bytes were moved", moved)
	}
	return s.close()
}
