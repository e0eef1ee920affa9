package lsm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

var errInjected = errors.New("injected")

// faultDB opens a small database on a memory file system.
func faultDB(t *testing.T, fsys *vfs.MemFS) *DB {
	t.Helper()
	o := faultOptions(fsys)
	db, err := Open(crashPath, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func faultOptions(fsys *vfs.MemFS) Options {
	o := Options{FS: fsys, Rand: &seededReader{rng: rand.New(rand.NewPCG(1, 1))}, Workers: 1}
	tiny(&o)
	return o
}

func applyPut(db storage.Store, key, value string) error {
	var b storage.Batch
	b.Put([]byte(key), []byte(value))
	return db.Apply(context.Background(), &b, storage.UpdateOptions{})
}

func getString(t *testing.T, db storage.Store, key string) string {
	t.Helper()
	v, err := db.Get(context.Background(), []byte(key))
	require.NoError(t, err)
	if !v.Present {
		return "(absent)"
	}
	return string(v.Data)
}

// failLogWrites makes every log write fail from the moment that on is set.
func failLogWrites(fsys *vfs.MemFS, on *atomic.Bool) {
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if on.Load() && op.Kind == vfs.OpWrite && op.Role == vfs.Log {
			return errInjected
		}
		return nil
	}})
}

// TestClientsAreToldOfAFailedLog: why, and neither paths nor keys.
func TestClientsAreToldOfAFailedLog(t *testing.T) {
	for cause, text := range map[error]string{
		&fs.PathError{Op: "sync", Path: "/secret", Err: syscall.EIO}: "read-only after a failed write or sync: input/output error.",
		fmt.Errorf("out of order: secret"):                           "read-only after a failed write or sync.",
		&CorruptError{Region: "manifest", Offset: 4096, Reason: "r"}: "sync: corrupt manifest at offset 4096: r.",
	} {
		for _, kind := range []error{storage.ErrUncertain, storage.ErrUnavailable} {
			err := fmt.Errorf("put: %w", failed(kind, cause))
			require.ErrorIs(t, err, kind)
			require.ErrorIs(t, err, cause)
			told, ok := errors.AsType[interface {
				error
				ClientText() string
			}](err)
			require.True(t, ok)
			require.Contains(t, told.ClientText(), text)
			require.NotContains(t, told.ClientText(), "secret")
			require.Contains(t, err.Error(), kind.Error()+": the log has failed: "+cause.Error())
		}
	}
}

func TestAFailedLogWritePoisonsTheStore(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	key := crashKey(1, 1, 1)
	require.NoError(t, applyPut(db, key, "good"))
	var on atomic.Bool
	failLogWrites(fsys, &on)
	on.Store(true)
	err := applyPut(db, key, "lost")
	require.ErrorIs(t, err, storage.ErrUncertain)
	require.ErrorIs(t, err, ErrFailed)
	on.Store(false)
	for range 3 {
		err = applyPut(db, key, "later")
		require.ErrorIs(t, err, storage.ErrUnavailable, "never again, though the disk is well")
		require.ErrorIs(t, err, ErrFailed)
		require.NotErrorIs(t, err, storage.ErrUncertain)
	}
	require.Equal(t, "good", getString(t, db, key), "reads go on, and show nothing unpublished")

	fsys.SetHooks(vfs.Hooks{})
	_ = db.Close()
	again := faultDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1))
	require.Contains(t, []string{"good", "lost"}, getString(t, again, key))
	require.NoError(t, applyPut(again, key, "well"))
}

func TestAFailedConditionThatDependsOnALostWriteIsUnavailable(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	ctx := context.Background()
	key := crashKey(1, 1, 1)
	require.NoError(t, applyPut(db, key, "free"))

	entered, release := make(chan struct{}), make(chan struct{})
	var stalled atomic.Bool
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Kind != vfs.OpWrite || op.Role != vfs.Log {
			return nil
		}
		if stalled.CompareAndSwap(false, true) {
			close(entered)
			<-release
		}
		return errInjected
	}})
	first := make(chan error, 1)
	go func() { first <- applyPut(db, key, "taken") }()
	<-entered

	errTaken := errors.New("condition failed")
	read, second := make(chan string, 1), make(chan error, 1)
	go func() {
		named := []storage.Named{{Key: []byte(key)}}
		second <- db.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
			select {
			case read <- string(tx.Value(0).Data):
			default:
			}
			return errTaken
		})
	}()
	require.Equal(t, "taken", <-read, "the next update of a key reads the version before it")
	select {
	case err := <-second:
		t.Fatalf("answered before what it depends on: %v", err)
	default:
	}
	close(release)
	require.ErrorIs(t, <-first, storage.ErrUncertain)
	err := <-second
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.NotErrorIs(t, err, errTaken)
	require.Equal(t, "free", getString(t, db, key))
}

func TestPoisonReachesThoseWhoWaitForTheWatermark(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	ctx := context.Background()
	now, err := db.Watermark(ctx, 0)
	require.NoError(t, err)
	var on atomic.Bool
	failLogWrites(fsys, &on)
	got := make(chan error, 1)
	go func() {
		_, err := db.Watermark(ctx, now+1000)
		got <- err
	}()
	on.Store(true)
	require.Error(t, applyPut(db, crashKey(1, 1, 1), "x"))
	require.ErrorIs(t, <-got, storage.ErrUnavailable)
}

func TestAFailedSyncOfTheHeapLosesNothing(t *testing.T) {
	// Tables whose sync failed are written again elsewhere from their memtables, however often.
	for seed := range uint64(2) {
		fsys := vfs.NewMemFS(seed)
		db := faultDB(t, fsys)
		rng := rand.New(rand.NewPCG(seed, 9))
		fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
			if (op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncFull) && op.Role == vfs.Heap &&
				rng.IntN(3) == 0 {
				return errInjected
			}
			return nil
		}})
		want := map[string]string{}
		var failed error
		for i := range 120 {
			key, value := crashKey(1, byte(i*13), i%40), fmt.Sprint(i, string(make([]byte, 800)))
			if failed = applyPut(db, key, value); failed != nil {
				break
			}
			want[key] = value
		}
		fsys.SetHooks(vfs.Hooks{})
		got, err := readAll(db)
		require.NoError(t, err)
		require.Equal(t, len(want), len(got))
		clone := faultDB(t, fsys.CrashClone(vfs.CrashLoseAll, seed))
		got, err = readAll(clone)
		require.NoError(t, err)
		for k, v := range want {
			require.Equal(t, v, got[k], "seed %d, the workload ended with %v", seed, failed)
		}
		require.NoError(t, clone.Close())
		_ = db.Close()
	}
}

func TestFullDiskRefusesWritesAndResumes(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	want := map[string]string{}
	fsys.SetCapacity(fsys.Used() + 256<<10)
	var err error
	i := 0
	for ; i < 4000; i++ {
		key, value := crashKey(1, byte(i*13), i), fmt.Sprint(i, string(make([]byte, 700)))
		if err = applyPut(db, key, value); err != nil {
			break
		}
		want[key] = value
	}
	require.ErrorIs(t, err, storage.ErrFull, "after %d puts", i)
	for k, v := range want {
		require.Equal(t, v, getString(t, db, k))
	}
	clone := faultDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1))
	got, err := readAll(clone)
	require.NoError(t, err)
	require.Equal(t, len(want), len(got), "a full disk loses nothing that was acknowledged")

	fsys.SetCapacity(0)
	for err = storage.ErrFull; err != nil; runtime.Gosched() { // it resumes by itself
		err = applyPut(db, crashKey(2, 1, 1), "again")
		if err != nil {
			require.ErrorIs(t, err, storage.ErrFull)
		}
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"memory": vfs.NewMemFS(1), "disk": vfs.OS()} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir() + "/db"
			db, err := Open(path, Options{FS: fsys})
			require.NoError(t, err)
			_, err = Open(path, Options{FS: fsys})
			require.ErrorIs(t, err, vfs.ErrLocked)
			_, err = Open(path, Options{FS: fsys, ReadOnly: true})
			require.ErrorIs(t, err, vfs.ErrLocked)
			require.NoError(t, applyPut(db, crashKey(1, 1, 1), "still mine"))
			require.NoError(t, db.Close())
			db, err = Open(path, Options{FS: fsys})
			require.NoError(t, err)
			require.Equal(t, "still mine", getString(t, db, crashKey(1, 1, 1)))
			require.NoError(t, db.Close())
		})
	}
}

// lastPut is the key of the last put of an unclean database.
var lastPut = crashKey(2, 0, 0)

// filled returns a closed database of some hundred keys with tables and log, and what is in it.
func filled(t *testing.T, clean bool) (*vfs.MemFS, map[string]string) {
	t.Helper()
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	want := map[string]string{}
	for i := range 150 {
		key, value := crashKey(1, byte(i%5*50), i%100), fmt.Sprintf("%d-%0*d", i, 100+i*7%900, i)
		require.NoError(t, applyPut(db, key, value))
		want[key] = value
	}
	if !clean {
		// Damage of the very last group cannot be told from a torn tail before it has a successor
		// (STORAGE §4): the last put is given one, and what the successor holds may be lost.
		require.NoError(t, applyPut(db, lastPut, "may be lost"))
		return fsys.CrashClone(vfs.CrashKeepAll, 1), want
	}
	require.NoError(t, db.Close())
	return fsys, want
}

// damaged opens and reads a database that something is wrong with: right data or an error.
func damaged(t *testing.T, fsys *vfs.MemFS, want map[string]string, what string) (found bool) {
	t.Helper()
	db, err := Open(crashPath, faultOptions(fsys))
	if err != nil {
		return true
	}
	got, err := readAll(db)
	_ = db.Close()
	if err != nil {
		return true
	}
	delete(got, lastPut)
	require.Equal(t, len(want), len(got), what)
	for k, v := range want {
		require.Equal(t, v, got[k], what)
	}
	return false
}

// writtenSectors are the places of those sectors of the database that are not all zeros.
func writtenSectors(t *testing.T, fsys *vfs.MemFS) (places []int64) {
	t.Helper()
	f, err := fsys.Open(crashPath, vfs.OpenOptions{})
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	buf := make([]byte, vfs.SectorBytes)
	for off := int64(0); off+vfs.SectorBytes <= size; off += vfs.SectorBytes {
		_, err := f.ReadAt(buf, off)
		require.NoError(t, err)
		if strings.Trim(string(buf), "\x00") != "" {
			places = append(places, off)
		}
	}
	return places
}

func TestFlippedBitsAreNeverReturnedAsData(t *testing.T) {
	for _, clean := range []bool{true, false} {
		fsys, want := filled(t, clean)
		written := writtenSectors(t, fsys)
		rng := rand.New(rand.NewPCG(5, 5))
		found := 0
		flips := 300
		if testing.Short() {
			flips = 60
		}
		// How much of an open file is in use depends on its background work: there it may take more flips.
		tried := 0
		for ; tried < flips || found <= flips/20; tried++ {
			require.Less(t, tried, 20*flips, "only %d were met", found)
			clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
			f, err := clone.Open(crashPath, vfs.OpenOptions{})
			require.NoError(t, err)
			off := written[rng.IntN(len(written))] + rng.Int64N(vfs.SectorBytes)
			bit := rng.IntN(8)
			b := make([]byte, 1)
			_, err = f.ReadAt(b, off)
			require.NoError(t, err)
			b[0] ^= 1 << bit
			_, err = f.WriteAt(b, off)
			require.NoError(t, err)
			if damaged(t, clone, want, fmt.Sprintf("clean %v, bit %d at %d", clean, bit, off)) {
				found++
			}
		}
		t.Logf("clean %v: %d of %d flips met, the others lie in old logs and filler", clean, found, tried)
	}
}

func TestTruncatedFileIsNeverReadAsWhole(t *testing.T) {
	fsys, want := filled(t, true)
	f, err := fsys.Open(crashPath, vfs.OpenOptions{})
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	for cut := int64(0); cut < size; cut += size/60 + 13 {
		clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
		f, err := clone.Open(crashPath, vfs.OpenOptions{})
		require.NoError(t, err)
		require.NoError(t, f.Truncate(cut))
		found := damaged(t, clone, want, fmt.Sprintf("cut at %d of %d", cut, size))
		if cut < 16<<10 {
			require.True(t, found, "cut at %d", cut)
		}
	}
}

func TestReadErrorsAreErrors(t *testing.T) {
	fsys, want := filled(t, true)
	db := faultDB(t, fsys)
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Kind == vfs.OpRead {
			return errInjected
		}
		return nil
	}})
	failed := 0
	for k, v := range want {
		got, err := db.Get(context.Background(), []byte(k))
		if err != nil {
			require.ErrorIs(t, err, errInjected)
			failed++
			continue
		}
		require.Equal(t, v, string(got.Data), "an error is not an absent key")
	}
	require.NotZero(t, failed)
	fsys.SetHooks(vfs.Hooks{})
	for k, v := range want {
		require.Equal(t, v, getString(t, db, k), "and it is not remembered")
	}
}

func TestAFileThatIsNoDatabaseIsRefused(t *testing.T) {
	for name, content := range map[string][]byte{
		"empty": nil, "zeros": make([]byte, 64<<10), "text": []byte("hello, this is a letter"),
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			f, err := fsys.Open(crashPath, vfs.OpenOptions{Create: true})
			require.NoError(t, err)
			if len(content) > 0 {
				_, err = f.WriteAt(content, 0)
				require.NoError(t, err)
			}
			_, err = Open(crashPath, faultOptions(fsys))
			require.Error(t, err)
			require.NotErrorIs(t, err, fs.ErrNotExist)
			size, err := f.Size()
			require.NoError(t, err)
			require.Equal(t, int64(len(content)), size, "and left as it was")
		})
	}
}

// TestHundredsOfLapsOfASmallLog: the space stays small. What the background does is done after each put here: how
// far it is behind a writer depends on the machine.
func TestHundredsOfLapsOfASmallLog(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	value := string(make([]byte, 3000))
	var most int64
	const laps, ring = 300, 64 << 10
	for i := range laps * ring / 3000 {
		require.NoError(t, applyPut(db, crashKey(1, byte(i%16*16), i%16), value))
		require.NoError(t, db.tend())
		_, err := db.compactOnce(t.Context(), false)
		require.NoError(t, err)
		most = max(most, fsys.Used())
	}
	t.Logf("%d bytes at most", most)
	require.Less(t, most, int64(6<<20), "48 KB of data, overwritten %d times", laps)
	got, err := readAll(db)
	require.NoError(t, err)
	require.Len(t, got, 16)
}
