package lsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// comeToRest does what the background does once nothing is written.
func comeToRest(t *testing.T, db *DB) {
	t.Helper()
	require.NoError(t, db.checkpoint())
	require.NoError(t, db.compactAll(context.Background()))
	require.NoError(t, db.retireDead())
	require.NoError(t, db.restAll())
	require.NoError(t, db.heap.tidy(1<<20, space.HoleQuietBytes))
}

// restAll makes the file as small as it can be without a compaction.
func (db *DB) restAll() error {
	moves := db.tableBytes()
	for {
		if more, err := db.rest(&moves); err != nil || !more {
			return err
		}
	}
}

// TestDeletingEverythingMakesTheFileSmall fills a database and deletes everything, item by item or
// as a range. What is left is a tenth of the file at its largest, in length and not only in blocks,
// and it works.
func TestDeletingEverythingMakesTheFileSmall(t *testing.T) {
	ctx := context.Background()
	ways := map[string]func(*testing.T, *DB, [][]byte){
		"items": func(t *testing.T, db *DB, keys [][]byte) {
			var b storage.Batch
			for i, k := range keys {
				b.Delete(k)
				if len(b.Ops) == 50 || i == len(keys)-1 {
					require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
					b.Ops = b.Ops[:0]
					require.NoError(t, db.tend())
				}
			}
		},
		"range": func(t *testing.T, db *DB, keys [][]byte) {
			require.NoError(t, db.DropRange(ctx, spaceRange(keys[0][7])))
		},
	}
	for name, way := range ways {
		for _, fs := range []vfs.FS{vfs.NewMemFS(1), vfs.OS()} {
			t.Run(fmt.Sprintf("%s, %T", name, fs), func(t *testing.T) {
				if testing.Short() && (name == "items") == (fs == vfs.OS()) {
					t.Skip("one file system for each way is enough for the race detector")
				}
				path := "dir/db"
				if fs == vfs.OS() {
					path = filepath.Join(t.TempDir(), "db")
				}
				clock := newTestClock()
				opts := Options{
					FS: fs, manual: true, LogBytes: 16 << 20, SegmentBytes: 1 << 20, MemtableBytes: 4 << 20, Clock: clock.read,
				}
				db, err := Open(path, opts)
				require.NoError(t, err)
				keys := fillForRest(t, db, 1, 32<<20)
				largest := db.Metrics()
				require.Greater(t, largest.Segments, 8, "the log has grown")
				way(t, db, keys)
				comeToRest(t, db)
				m := db.Metrics()
				size, err := db.heap.file.Size()
				require.NoError(t, err)
				require.Equal(t, m.FileBytes, size)
				require.Zero(t, m.Tables)
				require.Less(t, m.FileBytes, largest.FileBytes/10)
				require.Equal(t, 2, m.Segments)
				// It takes writes and grows again; nothing comes back.
				more := fillForRest(t, db, 2, 1<<20)
				require.NoError(t, db.Close())
				db, err = Open(path, opts)
				require.NoError(t, err)
				for i, k := range append(more, keys...) {
					v, err := db.Get(ctx, k)
					require.NoError(t, err)
					require.Equal(t, i < len(more), v.Present)
				}
				require.NoError(t, db.Close())
			})
		}
	}
}

// fillForRest puts so many bytes of values that do not compress, with flushes and compactions.
func fillForRest(t *testing.T, db *DB, table byte, n int) (keys [][]byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	const valueBytes, batch = 4000, 50
	var b storage.Batch
	for i := 0; i*valueBytes < n; i++ {
		k := testKey(byte(i*37), fmt.Sprintf("k%06d", i))
		k[7] = table
		keys = append(keys, k)
		b.Put(k, []byte(randomValue(r, valueBytes)))
		if len(b.Ops) == batch {
			require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
			b.Ops = b.Ops[:0]
			require.NoError(t, db.tend())
			_, err := db.compactOnce(context.Background(), false)
			require.NoError(t, err)
		}
	}
	require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
	return keys
}

// resting makes a ring of some segments and leaves all work to the workload.
func resting(o *Options) {
	o.SegmentBytes, o.LogBytes, o.MemtableBytes = 32<<10, 512<<10, 1<<20
	o.manual = true
}

func restingOff(o *Options) {
	resting(o)
	o.Sync = SyncOff
}

// comingToRest makes the log and the manifest move to the front of the file, and write on from there,
// under every crash.
func comingToRest(s *crashSession) error {
	if err := s.open(); err != nil {
		return err
	}
	db := s.db.(*DB)
	logs, manifests := 0, 0
	for i := range 5 {
		for k := range 6 {
			if err := s.put(crashKey(1, byte(k*40), i), 4000); err != nil {
				return err
			}
		}
		// The segments behind the tables: the log moves into them, and then away from them.
		if err := errors.Join(db.pass(passAll), db.addSegments(2)); err != nil {
			return err
		}
		db.wal.mu.Lock()
		slices.Reverse(db.wal.free)
		db.wal.mu.Unlock()
		if i%2 == 0 {
			if err := db.switchNow(); err != nil {
				return err
			}
		}
		for k := range 6 {
			if err := s.del(crashKey(1, byte(k*40), i)); err != nil {
				return err
			}
			if err := s.put(crashKey(2, byte(k*40), i), 6000); err != nil {
				return err
			}
		}
		if err := errors.Join(db.checkpoint(), db.compactAll(context.Background())); err != nil {
			return err
		}
		db.wal.mu.Lock()
		current := db.wal.current
		db.wal.mu.Unlock()
		manifest := db.man.id
		if err := db.restAll(); err != nil {
			return err
		}
		db.wal.mu.Lock()
		if db.wal.current != current {
			logs++
		}
		db.wal.mu.Unlock()
		if db.man.id != manifest {
			manifests++
		}
	}
	if logs < 2 || manifests < 1 {
		return fmt.Errorf("the log has moved %d times, the manifest %d times", logs, manifests)
	}
	return s.close()
}
