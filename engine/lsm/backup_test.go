package lsm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

const copyPath = "dir/copy"

// openCopyAt opens a copy as the database that it is.
func openCopyAt(t *testing.T, fsys *vfs.MemFS, path string) *DB {
	t.Helper()
	db, err := Open(path, faultOptions(fsys))
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestBackupWhileWritten takes backups beside a writer: each is the state after some op that was begun
// before its end and not answered before its beginning.
func TestBackupWhileWritten(t *testing.T) {
	for _, mode := range []SyncMode{SyncAlways, SyncInterval} {
		t.Run(mode.String(), func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			s := &crashSession{fs: fsys, opts: faultOptions(fsys), led: &ledger{}}
			s.opts.Sync = mode
			require.NoError(t, s.open())
			var writer sync.WaitGroup
			stop := make(chan struct{})
			writer.Go(func() { assert.NoError(t, writeRandom(s, 3, stop)) })
			for i := range 12 {
				path := fmt.Sprintf("dir/copy%d", i)
				lo := s.led.window(false).lo
				_, err := s.db.(*DB).Backup(t.Context(), path, BackupOptions{})
				require.NoError(t, err)
				w := s.led.window(false)
				w.lo = lo
				copied := openCopyAt(t, fsys, path)
				got, err := readAll(copied)
				require.NoError(t, err)
				_, err = s.led.match(got, w)
				require.NoError(t, err)
				require.NoError(t, applyPut(copied, crashKey(9, 9, i), "goes on"))
				require.NoError(t, copied.Close())
			}
			close(stop)
			writer.Wait()
			require.NoError(t, s.close())
		})
	}
}

// writeRandom issues ops until it is stopped.
func writeRandom(s *crashSession, seed uint64, stop <-chan struct{}) error {
	rng := rand.New(rand.NewPCG(seed, seed))
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := randomOp(s, rng); err != nil {
			return err
		}
	}
}

func randomOp(s *crashSession, rng *rand.Rand) error {
	switch rng.IntN(10) {
	case 0:
		return s.del(crashKey(1, byte(rng.IntN(3)*90), rng.IntN(12)))
	case 1, 2:
		op := ledgerOp{puts: map[string]string{}}
		for range 1 + rng.IntN(6) {
			op.puts[crashKey(1, byte(rng.IntN(4)*60), rng.IntN(12))] = s.value(rng.IntN(900))
		}
		return s.do(op)
	default:
		return s.put(crashKey(1, byte(rng.IntN(4)*60), rng.IntN(40)), rng.IntN(1500))
	}
}

// TestACrashDuringABackup at any of its writes leaves the database as it is and, under the name of the
// backup, a whole one or nothing.
func TestACrashDuringABackup(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	want := fillFor(t, db)
	var clones []*vfs.MemFS
	n := 0
	capture := func(op vfs.Op) {
		if op.Kind != vfs.OpRead {
			n++
			clones = append(clones, fsys.CrashClone(crashPolicies[n%len(crashPolicies)], uint64(n)))
		}
	}
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error { capture(op); return nil }, During: capture})
	_, err := db.Backup(t.Context(), copyPath, BackupOptions{})
	fsys.SetHooks(vfs.Hooks{})
	require.NoError(t, err)
	clones = append(clones, fsys.CrashClone(vfs.CrashLoseAll, 1))
	whole := 0
	for i, c := range clones {
		for _, path := range []string{crashPath, copyPath} {
			if path == copyPath && !slices.Contains(c.Names(), path) {
				continue
			}
			got, err := Open(path, faultOptions(c))
			require.NoError(t, err, "crash %d: %s", i, path)
			state, err := readAll(got)
			require.NoError(t, err)
			require.Equal(t, want, state, "crash %d: %s", i, path)
			require.NoError(t, got.Close())
			if path == copyPath {
				whole++
			}
		}
		// The next try is not hindered by what this one has left.
		if i%7 == 0 && !slices.Contains(c.Names(), copyPath) {
			again := openCopyAt(t, c, crashPath)
			_, err := again.Backup(t.Context(), copyPath, BackupOptions{})
			require.NoError(t, err)
			require.NoError(t, again.Close())
		}
	}
	require.NotZero(t, whole)
	require.Less(t, whole, len(clones))
}

// fillFor writes into a few stripes, with flushes, deletions and a dropped range between.
func fillFor(t *testing.T, db *DB) map[string]string {
	t.Helper()
	s := &crashSession{opts: db.opts, led: &ledger{}, db: db}
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 120 {
		require.NoError(t, randomOp(s, rng))
		if i == 60 {
			require.NoError(t, s.put(crashKey(2, 7, 1), 100))
			require.NoError(t, s.drop(2))
		}
	}
	want, err := readAll(db)
	require.NoError(t, err)
	return want
}

// TestABackupThatFails for any reason leaves no file, and the database goes on.
func TestABackupThatFails(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	want := fillFor(t, db)
	injected := errors.New("injected")
	ops := countOps(fsys, func() { backupTo(t, db, copyPath+"0") })
	require.Greater(t, ops, 10)
	for at := range ops {
		left := at
		fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
			if isCopyOp(op) && op.Kind != vfs.OpRemove {
				if left--; left == -1 {
					return injected
				}
			}
			return nil
		}})
		_, err := db.Backup(t.Context(), copyPath, BackupOptions{})
		fsys.SetHooks(vfs.Hooks{})
		if left >= 0 {
			require.NoError(t, err) // shorter than the first: what was in memory is in tables
			require.NoError(t, fsys.Remove(copyPath))
			continue
		}
		require.ErrorIs(t, err, injected)
		names := fsys.Names()
		if slices.Contains(names, copyPath) { // the folder was not synced: the name is there, and nobody was told
			require.NoError(t, fsys.Remove(copyPath))
		}
		require.NotContains(t, names, copyPath+".partial")
		require.NoError(t, applyPut(db, crashKey(3, 3, 3), "goes on"))
	}
	fsys.SetCapacity(fsys.Used() + 100<<10)
	_, err := db.Backup(t.Context(), copyPath, BackupOptions{})
	require.Error(t, err)
	require.True(t, vfs.IsNoSpace(err), "%v", err)
	require.NotContains(t, fsys.Names(), copyPath+".partial")
	fsys.SetCapacity(0)
	backupTo(t, db, copyPath)
	want[crashKey(3, 3, 3)] = "goes on"
	got, err := readAll(openCopyAt(t, fsys, copyPath))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func isCopyOp(op vfs.Op) bool {
	return op.Path != crashPath && (op.Kind != vfs.OpRead || op.Role == vfs.Heap && op.Len > 0)
}

func countOps(fsys *vfs.MemFS, fn func()) (n int) {
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if isCopyOp(op) && op.Kind != vfs.OpRemove {
			n++
		}
		return nil
	}})
	defer fsys.SetHooks(vfs.Hooks{})
	fn()
	return n
}

func backupTo(t *testing.T, db *DB, path string) CopyInfo {
	t.Helper()
	info, err := db.Backup(context.Background(), path, BackupOptions{})
	require.NoError(t, err)
	return info
}

// TestABackupIsNotInTheWay of an existing file, of another backup, of its caller or of Close.
func TestABackupIsNotInTheWay(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	fillFor(t, db)
	backupTo(t, db, copyPath)
	_, err := db.Backup(t.Context(), copyPath, BackupOptions{})
	require.ErrorIs(t, err, newfile.ErrExists)
	_, err = db.Backup(t.Context(), crashPath, BackupOptions{Overwrite: true})
	require.ErrorIs(t, err, ErrLocked)
	_, err = db.Backup(t.Context(), copyPath, BackupOptions{Overwrite: true})
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = db.Backup(ctx, copyPath+"2", BackupOptions{Progress: func(int64, int64) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)

	closed := make(chan error, 1)
	var once sync.Once
	_, err = db.Backup(t.Context(), copyPath+"3", BackupOptions{Progress: func(int64, int64) {
		once.Do(func() {
			go func() { closed <- db.Close() }()
			<-db.closing.Done()
		})
	}})
	require.ErrorIs(t, err, storage.ErrClosed)
	require.NoError(t, <-closed)
	require.Equal(t, []string{copyPath, crashPath}, fsys.Names())
}

// TestBackupOfAReadOnlyDatabase copies what is in the log, too.
func TestBackupOfAReadOnlyDatabase(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	want := fillFor(t, db)
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	o := faultOptions(crashed)
	o.ReadOnly = true
	reader, err := Open(crashPath, o)
	require.NoError(t, err)
	backupTo(t, reader, copyPath)
	require.NoError(t, reader.Close())
	got, err := readAll(openCopyAt(t, crashed, copyPath))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestIncrementalBackups makes a chain of them beside a writer that also compacts; each beginning of the
// chain is restored to the state of its last backup.
func TestIncrementalBackups(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	s := &crashSession{fs: fsys, opts: db.opts, led: &ledger{}, db: db}
	rng := rand.New(rand.NewPCG(8, 8))
	var chain []string
	var states []map[string]string
	var bytes []int64
	for i := range 6 {
		for range 60 {
			require.NoError(t, randomOp(s, rng))
		}
		if i == 2 {
			require.NoError(t, s.put(crashKey(4, 7, 1), 100))
			require.NoError(t, s.drop(4))
		}
		require.NoError(t, s.put(crashKey(7, byte(i), i), 4000)) // a stripe of its own
		require.NoError(t, db.checkpoint())
		opts := BackupOptions{}
		if i > 0 {
			opts.Base = chain[i-1]
		}
		path := fmt.Sprintf("dir/backup%d", i)
		info, err := db.Backup(t.Context(), path, opts)
		require.NoError(t, err)
		state, err := readAll(db)
		require.NoError(t, err)
		chain, states, bytes = append(chain, path), append(states, state), append(bytes, info.Bytes)
	}
	full := backupTo(t, db, "dir/full")
	require.Less(t, bytes[5], full.Bytes, "it has what its base has")
	for i := range chain {
		info, err := RestoreBackups(t.Context(), fmt.Sprintf("dir/restored%d", i), chain[:i+1], RestoreOptions{FS: fsys})
		require.NoError(t, err)
		require.NotEqual(t, full.Timeline, info.Timeline)
		restored := openCopyAt(t, fsys, fmt.Sprintf("dir/restored%d", i))
		got, err := readAll(restored)
		require.NoError(t, err)
		require.Equal(t, states[i], got)
		require.NoError(t, restored.Close())
	}
	for _, path := range append(chain, "dir/restored3") {
		report, err := Verify(t.Context(), path, VerifyOptions{FS: fsys})
		require.NoError(t, err)
		require.Empty(t, report.Faults, path)
		require.NotZero(t, report.Counts.Tables)
	}
	_, err := Open(chain[1], faultOptions(fsys))
	require.ErrorIs(t, err, superblock.ErrIncremental)
}

// TestAWrongChainIsRefused says what is wrong with it, and leaves no file.
func TestAWrongChainIsRefused(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	fillFor(t, db)
	incremental := func(path, base string) {
		require.NoError(t, applyPut(db, crashKey(5, 5, 5), path))
		require.NoError(t, db.checkpoint())
		_, err := db.Backup(t.Context(), path, BackupOptions{Base: base})
		require.NoError(t, err)
	}
	backupTo(t, db, "dir/a")
	incremental("dir/b", "dir/a")
	incremental("dir/c", "dir/b")
	restore := func(chain ...string) error {
		_, err := RestoreBackups(t.Context(), "dir/restored", chain, RestoreOptions{FS: fsys})
		return err
	}
	require.ErrorContains(t, restore("dir/b", "dir/c"), "its base")
	require.ErrorContains(t, restore("dir/a", "dir/c"), "its base")
	require.ErrorContains(t, restore("dir/a", "dir/a"), "full backup")
	require.ErrorContains(t, restore("dir/a", "dir/none"), "dir/none")
	require.ErrorIs(t, func() error { _, err := openCopy(fsys, crashPath, chainKey{}.unlock); return err }(), ErrLocked)

	damage(t, fsys, "dir/b")
	require.ErrorIs(t, restore("dir/a", "dir/b"), storage.ErrCorrupt)

	opened := openCopyAt(t, fsys, "dir/a")
	require.NoError(t, opened.Close())
	require.ErrorIs(t, restore("dir/a"), errChangedSince)
	_, err := db.Backup(t.Context(), "dir/d", BackupOptions{Base: "dir/a"})
	require.ErrorIs(t, err, errChangedSince)

	// A restored copy has a history of its own.
	backupTo(t, db, "dir/e")
	opened = openCopyAt(t, fsys, "dir/a")
	_, err = opened.Backup(t.Context(), "dir/f", BackupOptions{Base: "dir/e"})
	require.ErrorIs(t, err, errOtherTimeline)
	o := faultOptions(fsys)
	o.Rand = nil
	other, err := Open("dir/other", o)
	require.NoError(t, err)
	_, err = other.Backup(t.Context(), "dir/f", BackupOptions{Base: "dir/e"})
	require.ErrorIs(t, err, errOtherDatabase)
	require.NoError(t, errors.Join(opened.Close(), other.Close()))
	require.NotContains(t, fsys.Names(), "dir/restored")
	require.NotContains(t, fsys.Names(), "dir/f")
}

// damage flips a bit of the first table of a backup.
func damage(t *testing.T, fsys *vfs.MemFS, path string) {
	t.Helper()
	c, err := openCopy(fsys, path, chainKey{}.unlock)
	require.NoError(t, err)
	var at int64
	for _, table := range c.state.Tables {
		if table.Offset != 0 {
			at = table.Offset + table.Meta.Length/2
		}
	}
	c.close()
	require.NotZero(t, at)
	f, err := fsys.Open(path, vfs.OpenOptions{})
	require.NoError(t, err)
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	require.NoError(t, err)
	b[0] ^= 1
	_, err = f.WriteAt(b[:], at)
	require.NoError(t, errors.Join(err, f.Close()))
}
