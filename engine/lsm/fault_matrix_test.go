package lsm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// The fault matrix: in each state of a database each operation of each kind on its file fails, once or
// from then on. Whatever that does to the state's action, nothing that was answered is lost, nothing is
// invented, reads go on, and when the fault is over the store either goes on by itself or says that it
// takes no more writes; then the next open finds everything.

// faultKind is a class of operations on files.
type faultKind struct {
	name string
	is   func(vfs.Op) bool
	// ends: what fails is not tried again, the store may be poisoned by it.
	ends bool
}

func faultKinds() []faultKind {
	kind := func(kinds ...vfs.OpKind) func(vfs.Op) bool {
		return func(op vfs.Op) bool { return slices.Contains(kinds, op.Kind) }
	}
	return []faultKind{
		{name: "write of the heap", is: func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Role == vfs.Heap }},
		{name: "write of the log", is: func(op vfs.Op) bool { return op.Kind == vfs.OpWrite && op.Role != vfs.Heap }, ends: true},
		{name: "sync", is: kind(vfs.OpSync, vfs.OpSyncFull), ends: true},
		{name: "read", is: kind(vfs.OpRead)},
		{name: "growth", is: kind(vfs.OpAllocate, vfs.OpTruncate, vfs.OpPunch), ends: true},
		{name: "names", is: kind(vfs.OpCreate, vfs.OpRename, vfs.OpRemove, vfs.OpSyncDir)},
	}
}

// faultRun is a database in a state.
type faultRun struct {
	t    *testing.T
	fs   *vfs.MemFS
	opts Options
	db   *DB // nil when an open has failed
	rng  *rand.Rand
	// want is what was answered; doubt what an Uncertain answer leaves open, nil for absent.
	want  map[string]string
	doubt map[string][]*string
	// halfDead: a drop of space 9 has failed, its keys may be there or not.
	halfDead bool
	n        int
}

// put writes a batch of keys and keeps the books of its answer.
func (f *faultRun) put(size int, keys ...string) error {
	f.n++
	puts := map[string]string{}
	var b storage.Batch
	for _, k := range keys {
		puts[k] = fmt.Sprintf("%d:%s", f.n, randomValue(f.rng, size))
		b.Put([]byte(k), []byte(puts[k]))
	}
	err := f.db.Apply(context.Background(), &b, storage.UpdateOptions{})
	switch {
	case err == nil:
		for k, v := range puts {
			f.want[k] = v
			delete(f.doubt, k)
		}
	case errors.Is(err, storage.ErrUncertain):
		for k, v := range puts {
			f.doubt[k] = append(f.doubt[k], &v)
		}
	default:
		require.True(f.t, errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrFull), "%v", err)
	}
	return err
}

// compare wants what was answered, or what was in doubt.
func (f *faultRun) compare(db *DB) {
	got, err := readAll(db)
	require.NoError(f.t, err)
	maps.DeleteFunc(got, func(k, _ string) bool { return f.halfDead && k[7] == 9 })
	for k, doubts := range f.doubt {
		v, there := got[k]
		for _, d := range doubts {
			if there && v == *d {
				if old, ok := f.want[k]; ok {
					got[k] = old
				} else {
					delete(got, k)
				}
			}
		}
	}
	if !maps.Equal(f.want, got) {
		f.t.Fatal(difference(f.want, got))
	}
}

func faultKey(stripe, n int) string { return crashKey(1, byte(stripe*40), n) }

// faultState is a state and what the database is doing in it.
type faultState struct {
	name string
	tune func(*Options)
	// prepare leads to the state, act is what is disturbed.
	prepare func(*faultRun)
	act     func(*faultRun) error
}

// fill writes some dozen keys and flushes in between, so that there are tables to read and to merge.
func (f *faultRun) fill(flushes int) {
	for i := range 24 * (flushes + 1) {
		require.NoError(f.t, f.put(300, faultKey(i%3, i%20)))
		if i%24 == 23 && i/24 < flushes {
			require.NoError(f.t, f.db.pass(passAll))
		}
	}
}

func faultStates() []faultState {
	ctx := context.Background()
	return []faultState{
		{name: "write", prepare: func(f *faultRun) { f.fill(1) }, act: func(f *faultRun) error {
			var errs []error
			for i := range 6 {
				errs = append(errs, f.put(200, faultKey(i, 50)))
			}
			return errors.Join(append(errs, f.put(40<<10, faultKey(1, 51), faultKey(2, 51)))...) // spilled
		}},
		{name: "flush", prepare: func(f *faultRun) { f.fill(1) }, act: func(f *faultRun) error { return f.db.pass(passAll) }},
		{name: "compaction", prepare: func(f *faultRun) { f.fill(4) }, act: func(f *faultRun) error { return f.db.compactAll(ctx) }},
		{name: "checkpoint", prepare: func(f *faultRun) { f.fill(2) }, act: func(f *faultRun) error { return f.db.Close() }},
		{name: "manifest", tune: func(o *Options) { o.manifestSwitch = 1 << 10 }, prepare: func(f *faultRun) { f.fill(1) },
			act: func(f *faultRun) error {
				var errs []error
				for i := range 8 {
					errs = append(errs, f.put(100, faultKey(i, 60)), f.db.pass(passAll))
				}
				return errors.Join(errs...)
			}},
		{name: "log grows and moves on", prepare: func(f *faultRun) { f.fill(1) }, act: func(f *faultRun) error {
			errs := []error{f.db.addSegments(2)}
			for i := range 12 {
				errs = append(errs, f.put(6<<10, faultKey(i%4, 70)), f.db.tend())
			}
			return errors.Join(append(errs, f.db.dropSegment())...)
		}},
		{name: "epoch", prepare: func(f *faultRun) { f.fill(1) }, act: func(f *faultRun) error {
			return errors.Join(f.db.renewEpoch(), f.put(100, faultKey(1, 80)))
		}},
		{name: "drop range", prepare: func(f *faultRun) {
			f.fill(2)
			for i := range 30 {
				require.NoError(f.t, f.put(300, crashKey(9, byte(i), i)))
				delete(f.want, crashKey(9, byte(i), i))
			}
			require.NoError(f.t, f.db.pass(passAll))
		}, act: func(f *faultRun) error {
			err := f.db.DropRange(ctx, spaceRange(9))
			f.halfDead = err != nil
			return errors.Join(err, f.db.compactAll(ctx))
		}},
		{name: "rest", prepare: func(f *faultRun) { f.fill(3) }, act: func(f *faultRun) error {
			return errors.Join(f.db.compactAll(ctx), f.db.restAll())
		}},
		{name: "backup", prepare: func(f *faultRun) { f.fill(2) }, act: func(f *faultRun) error {
			_, err := f.db.Backup(ctx, "dir/copy", BackupOptions{})
			return err
		}},
		{name: "save", prepare: func(f *faultRun) { f.fill(2) }, act: func(f *faultRun) error {
			return f.db.Save(ctx, "dir/copy", SaveOptions{EncryptionKey: f.opts.EncryptionKey})
		}},
		{name: "open", prepare: func(f *faultRun) {
			f.fill(1)
			require.NoError(f.t, f.put(40<<10, faultKey(1, 51), faultKey(2, 51)))
			require.NoError(f.t, f.db.Close())
		}, act: (*faultRun).reopen},
		{name: "recovery", prepare: func(f *faultRun) {
			f.fill(1)
			require.NoError(f.t, f.put(40<<10, faultKey(1, 51), faultKey(2, 51)))
			f.fill(0)
			policy := vfs.CrashAny
			if f.opts.Sync != SyncAlways {
				policy = vfs.CrashKill // an answer survives that only
			}
			f.fs = f.fs.CrashClone(policy, 1)
			_ = f.db.Close()
			f.db, f.opts.MemtableBytes = nil, memtableBytesMin // so that replay flushes
		}, act: (*faultRun).reopen},
	}
}

func (f *faultRun) reopen() error {
	f.opts.FS = f.fs
	db, err := Open(crashPath, f.opts)
	if err == nil {
		f.db = db
	}
	return err
}

// newFaultRun leads a new database into a state.
func newFaultRun(t *testing.T, s *faultState, sync SyncMode) *faultRun {
	f := &faultRun{
		t: t, fs: vfs.NewMemFS(1), rng: rand.New(rand.NewPCG(3, 4)),
		want: map[string]string{}, doubt: map[string][]*string{},
	}
	f.opts = faultOptions(f.fs)
	f.opts.manual, f.opts.MemtableBytes, f.opts.LogBytes, f.opts.Sync = true, 1<<20, 256<<10, sync
	if sync == SyncInterval { // one mode in three is enough
		f.opts.EncryptionKey = ownersKey
	}
	if s.tune != nil {
		s.tune(&f.opts)
	}
	require.NoError(t, f.reopen())
	s.prepare(f)
	return f
}

// fault is one of an operation of a kind, or a disk that has little space left.
type fault struct {
	kind faultKind
	at   int // which one, from 1
	rest bool
	full bool
	left int64 // bytes
}

// disturb runs the action with the fault and counts the operations of its kind.
func (f *faultRun) disturb(s *faultState, x fault) (count int, err error) {
	if x.full {
		f.fs.SetCapacity(f.fs.Used() + x.left)
		defer f.fs.SetCapacity(0)
		return 0, s.act(f)
	}
	f.fs.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if !x.kind.is(op) {
			return nil
		}
		count++
		if count == x.at || x.rest && x.at > 0 && count > x.at {
			return errInjected
		}
		return nil
	}})
	err = s.act(f)
	f.fs.SetHooks(vfs.Hooks{})
	return count, err
}

// over checks everything once the fault is over.
func (f *faultRun) over(err error) {
	if f.db == nil || f.db.closed.Load() {
		f.db = nil
		require.NoError(f.t, f.reopen(), "the action ended with %v", err)
	}
	f.compare(f.db)
	lost := f.fs.CrashClone(vfs.CrashLoseAll, 1)
	if f.db.Metrics().Poisoned == nil {
		require.NoError(f.t, f.db.tend(), "the fault is over") // or a writer might wait for room for ever
	}
	poisoned := f.db.Metrics().Poisoned
	write := f.put(50, faultKey(2, 90))
	switch {
	case write == nil:
		require.NoError(f.t, f.db.pass(passAll))
		require.NoError(f.t, f.db.compactAll(context.Background()))
	case errors.Is(write, storage.ErrUncertain): // the first to meet a log that ends here
	default:
		require.NotNil(f.t, poisoned, "%v after %v, and nobody says why", write, err)
		require.ErrorIs(f.t, write, storage.ErrUnavailable)
		require.ErrorIs(f.t, f.put(50, faultKey(2, 91)), storage.ErrUnavailable, "for good")
	}
	f.compare(f.db)
	if f.opts.Sync == SyncAlways {
		before := maps.Clone(f.want)
		delete(before, faultKey(2, 90))
		f.onClone(lost, before)
		f.onClone(f.fs.CrashClone(vfs.CrashLoseAll, 2), f.want)
	}
	if err := f.db.Close(); poisoned == nil && write == nil {
		require.NoError(f.t, err)
	}
	f.db = nil
	f.verify(f.fs)
	require.NoError(f.t, f.reopen())
	f.compare(f.db)
	require.NoError(f.t, f.put(50, faultKey(2, 92)))
	f.compare(f.db)
	require.NoError(f.t, f.db.Close())
}

// onClone opens what a power loss would have left.
func (f *faultRun) onClone(fsys *vfs.MemFS, want map[string]string) {
	f.verify(fsys)
	o := f.opts
	o.FS = fsys
	db, err := Open(crashPath, o)
	require.NoError(f.t, err)
	g := *f
	g.want = want
	g.compare(db)
	require.NoError(f.t, db.Close())
}

// verify wants no fault that the injected errors have not brought about, and a copy whole or not there.
func (f *faultRun) verify(fsys *vfs.MemFS) {
	for _, path := range []string{crashPath, "dir/copy"} {
		report, err := Verify(context.Background(), path, VerifyOptions{FS: fsys, EncryptionKey: f.opts.EncryptionKey})
		if err != nil && path != crashPath {
			continue // not there
		}
		require.NoError(f.t, err)
		require.Zero(f.t, report.Errors, "%s: %v", path, report.Faults)
	}
}

// faultsMax of a kind in a state are tried, spread over its operations; the short form tries fewer, that of
// the night all.
const faultsMax, faultsMaxShort, faultsMaxNight = 5, 1, 1 << 20

func TestFaultMatrix(t *testing.T) {
	most := faultsMax
	switch {
	case testing.Short():
		most = faultsMaxShort
	case os.Getenv("KSTONE_NIGHT") != "":
		most = faultsMaxNight
	}
	runs := 0
	for _, s := range faultStates() {
		for _, kind := range faultKinds() {
			count, err := newFaultRun(t, &s, SyncAlways).disturb(&s, fault{kind: kind})
			require.NoError(t, err, "%s without a fault", s.name)
			for i := 0; i < min(count, most); i++ {
				at := 1 + i*count/min(count, most)
				for _, rest := range []bool{false, true} {
					runs++
					ok := t.Run(fmt.Sprintf("%s/%s %d, from then on %v", s.name, kind.name, at, rest), func(t *testing.T) {
						f := newFaultRun(t, &s, SyncMode(at%3))
						_, err := f.disturb(&s, fault{kind: kind, at: at, rest: rest})
						f.over(err)
					})
					if !ok {
						return
					}
				}
			}
		}
	}
	t.Logf("%d faults", runs)
	if !testing.Short() {
		require.Greater(t, runs, 200)
	}
}

// TestFullDiskMatrix: in each state the disk has little space left, down to none. Nothing is lost, reads go
// on, a write that is refused says Full, the store is not poisoned, and it goes on by itself.
func TestFullDiskMatrix(t *testing.T) {
	lefts := []int64{0, 200 << 10, vfs.SectorBytes, 16 << 10, 1 << 20}
	if testing.Short() {
		lefts = lefts[:2]
	}
	for _, s := range faultStates() {
		for _, left := range lefts {
			t.Run(fmt.Sprintf("%s/%d left", s.name, left), func(t *testing.T) {
				f := newFaultRun(t, &s, SyncMode(left>>10%3))
				_, err := f.disturb(&s, fault{full: true, left: left})
				if err != nil {
					require.ErrorIs(t, err, storage.ErrFull)
				}
				if f.db != nil {
					require.NoError(t, f.db.Metrics().Poisoned)
				}
				f.over(err)
			})
		}
	}
}
