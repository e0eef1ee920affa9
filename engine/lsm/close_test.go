package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestCloseAndTheMarksOfAnArchive do not wait for each other: Close stands before updates that are under way,
// and waits for whoever writes the marks.
func TestCloseAndTheMarksOfAnArchive(t *testing.T) {
	a := newArchiveDB(t, nil)
	db := a.lsm()
	begun, release := make(chan struct{}), make(chan struct{})
	updated, closed := make(chan error, 1), make(chan error, 1)
	key := []byte(crashKey(1, 1, 1))
	go func() {
		updated <- db.Update(t.Context(), []storage.Named{{Key: key}}, storage.UpdateOptions{}, func(storage.Tx) error {
			close(begun)
			<-release
			return nil
		})
	}()
	<-begun
	go func() { closed <- db.Close() }()
	for db.inFlight.TryRLock() { // until Close waits
		db.inFlight.RUnlock()
		runtime.Gosched()
	}
	_, err := db.note(t.Context(), markBytes, func([]byte) {})
	require.ErrorIs(t, err, storage.ErrClosed)
	close(release)
	require.NoError(t, <-updated)
	require.NoError(t, <-closed)
}

const (
	// closeAfter calls the database is closed, failAfter calls what fails begins to, healAfter it ends.
	closeAfter, failAfter, healAfter = 300, 100, 200
	// writtenSpace has the keys that are written; from droppedSpace on spaces are dropped.
	writtenSpace, droppedSpace = 1, 10
)

// besideClose is a database that everybody uses while it is closed, or fails.
type besideClose struct {
	*DB
	t      *testing.T
	calls  atomic.Int64
	enough context.Context //nolint:containedctx // ends after closeAfter calls
	called context.CancelFunc
	// fail and heal are called once, some calls before Close; allowed are errors that calls may answer then.
	fail, heal func()
	allowed    []error

	mu       sync.Mutex
	answered map[string]string // what was written
}

func smallBesideClose(o Options) Options {
	tiny(&o)
	o.Workers = 2
	return o
}

// TestEveryCallBesideClose does what it is asked or says that the database is closed: no other error, no wait
// without an end, and nothing that was answered is lost.
func TestEveryCallBesideClose(t *testing.T) {
	for name, opts := range map[string]Options{
		"in memory": {InMemory: true},
		"mapped":    smallBesideClose(Options{MmapReads: true, Sync: SyncOff}),
		"interval":  smallBesideClose(Options{Sync: SyncInterval, SyncInterval: time.Millisecond, FS: vfs.NewMemFS(1)}),
		"sealed": smallBesideClose(Options{
			FS: vfs.NewMemFS(1), EncryptionKey: ownersKey,
			Archive: newMemArchive(), Clock: newTestClock().read, ArchiveEvery: time.Millisecond,
		}),
	} {
		t.Run(name, func(t *testing.T) { (&besideClose{t: t}).run(opts) })
	}
}

// TestEveryCallBesideAFailure ends, too, with an error that says what is the matter: while the log, the
// manifest, a flush or a compaction fails, the disk is full, or the archive is away.
func TestEveryCallBesideAFailure(t *testing.T) {
	ill := []error{storage.ErrUnavailable, storage.ErrUncertain, errInjected}
	failing := func(fsys *vfs.MemFS, kind vfs.OpKind, role vfs.Role) func() {
		return func() {
			fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
				if op.Kind == kind && op.Role == role && op.Path == crashPath {
					return errInjected
				}
				return nil
			}})
		}
	}
	for name, tune := range map[string]func(b *besideClose, o *Options, fsys *vfs.MemFS){
		"log": func(b *besideClose, _ *Options, fsys *vfs.MemFS) {
			b.fail, b.allowed = failing(fsys, vfs.OpWrite, vfs.Log), ill
		},
		"sync": func(b *besideClose, o *Options, fsys *vfs.MemFS) {
			o.Sync, o.SyncInterval = SyncInterval, time.Millisecond
			b.fail, b.allowed = failing(fsys, vfs.OpSync, vfs.RelaxedLog), ill
		},
		"tables": func(b *besideClose, _ *Options, fsys *vfs.MemFS) {
			b.fail, b.allowed = failing(fsys, vfs.OpWrite, vfs.Heap), ill
		},
		"reads": func(b *besideClose, o *Options, fsys *vfs.MemFS) {
			o.CacheBytes, o.ResidentBytes = cacheBytesMin, cacheBytesMin
			b.fail, b.allowed = failing(fsys, vfs.OpRead, vfs.Heap), ill
		},
		"full": func(b *besideClose, _ *Options, fsys *vfs.MemFS) {
			b.fail = func() { fsys.SetCapacity(fsys.Used()) }
			b.allowed = []error{storage.ErrFull}
		},
		"archive": func(b *besideClose, o *Options, fsys *vfs.MemFS) {
			to := newMemArchive()
			o.Archive, o.Clock, o.ArchiveEvery = to, newTestClock().read, time.Millisecond
			b.fail, b.heal = func() { to.set(errInjected, nil) }, func() { to.set(nil, nil) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := vfs.NewMemFS(1)
			b := &besideClose{t: t, heal: func() {
				fsys.SetHooks(vfs.Hooks{})
				fsys.SetCapacity(0)
			}}
			opts := smallBesideClose(Options{FS: fsys})
			tune(b, &opts, fsys)
			b.run(opts)
		})
	}
}

// run opens a database, which everybody calls while it is closed, and looks whether what was answered is there.
func (b *besideClose) run(opts Options) {
	path := ""
	switch {
	case opts.FS != nil:
		path = crashPath
	case !opts.InMemory:
		path = filepath.Join(b.t.TempDir(), "x.keystone")
	}
	var err error
	b.DB, err = Open(path, opts)
	require.NoError(b.t, err)
	b.answered = map[string]string{}
	b.enough, b.called = context.WithCancel(b.t.Context())
	b.callAll()
	if opts.InMemory {
		return
	}
	if b.heal != nil { // whoever was to fail it may have come late
		b.heal()
	}
	again, err := Open(path, opts)
	require.NoError(b.t, err)
	defer func() { require.NoError(b.t, again.Close()) }()
	for key, value := range b.answered {
		require.Equal(b.t, value, getString(b.t, again, key))
	}
}

// callAll closes the database while everybody calls, and returns when all were told.
func (b *besideClose) callAll() {
	ctx := context.Background()
	var callers sync.WaitGroup
	for name, call := range map[string]func(i int) error{
		"write": func(i int) error { return b.write(0, i) },
		"more":  func(i int) error { return b.write(1, i) },
		"get": func(i int) error {
			_, err := b.Get(ctx, []byte(crashKey(writtenSpace, byte(i), i%100)))
			return err
		},
		"scan":  func(i int) error { return b.scan(i%2 == 0) },
		"stats": func(int) error { _, err := b.Stats(ctx, storage.Range{}); return err },
		"drop":  b.drop,
		"fork":  func(int) error { return b.fork() },
		"copy":  b.copyOut,
		"wait":  func(int) error { return b.wait() },
	} {
		callers.Go(func() { b.callOn(name, call) })
	}
	<-b.enough.Done()
	assert.True(b.t, b.may(b.Close()), "Close")
	b.Metrics()
	callers.Wait()
}

// callOn calls until it is told that the database is closed.
func (b *besideClose) callOn(name string, call func(i int) error) {
	for i := 0; ; i++ {
		over := b.closed.Load()
		err := call(i)
		switch n := b.calls.Add(1); {
		case n == failAfter && b.fail != nil:
			b.fail()
		case n == healAfter && b.heal != nil:
			b.heal()
		case n >= closeAfter:
			b.called()
		}
		if errors.Is(err, storage.ErrClosed) || !assert.True(b.t, b.may(err), "%s: %v", name, err) ||
			!assert.False(b.t, over, "%s goes on after Close: %v", name, err) {
			b.called()
			return
		}
	}
}

// may says whether a call may answer so.
func (b *besideClose) may(err error) bool {
	return err == nil || slices.ContainsFunc(b.allowed, func(allowed error) bool { return errors.Is(err, allowed) })
}

// write has keys of its own for each writer.
func (b *besideClose) write(writer, i int) error {
	key := crashKey(writtenSpace, byte(i), 2*(i%50)+writer)
	value := fmt.Sprintf("%0300d", i)
	err := applyPut(b.DB, key, value)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.answered[key] = value
	case errors.Is(err, storage.ErrUncertain):
		delete(b.answered, key)
	}
	return err
}

func (b *besideClose) scan(reverse bool) error {
	ctx := context.Background()
	snap, err := b.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range{}, storage.IterOptions{Reverse: reverse})
	if err != nil {
		return err
	}
	defer it.Close()
	var keys [][]byte
	for it.Next() {
		keys = append(keys, bytes.Clone(it.Key()))
	}
	if err := it.Err(); err != nil {
		return err
	}
	_, err = snap.GetMany(ctx, keys)
	return err
}

func (b *besideClose) drop(i int) error {
	space := byte(droppedSpace + i%200)
	if i < 200 { // nothing is written into it again
		if err := applyPut(b.DB, crashKey(space, 1, i), "goes"); err != nil {
			return err
		}
	}
	return b.DropRange(context.Background(), spaceRange(space))
}

// fork makes one, which goes on when its parent is closed.
func (b *besideClose) fork() error {
	f, err := b.Fork()
	if err != nil {
		return err
	}
	_, err = readAll(f)
	assert.NotErrorIs(b.t, err, storage.ErrClosed)
	return errors.Join(err, f.Close())
}

func (b *besideClose) copyOut(i int) error {
	ctx := context.Background()
	if !b.opts.InMemory && i%2 == 0 {
		_, err := b.BackupTo(ctx, io.Discard, BackupOptions{})
		return err
	}
	return b.Save(ctx, filepath.Join(b.t.TempDir(), "saved"), SaveOptions{})
}

// wait waits for a number of its own.
func (b *besideClose) wait() error {
	ctx := context.Background()
	var seq storage.Seq
	err := b.Update(ctx, []storage.Named{{Key: []byte(crashKey(writtenSpace, 0, 1000))}}, storage.UpdateOptions{},
		func(tx storage.Tx) error {
			seq = tx.Seq()
			return nil
		})
	if err == nil {
		_, err = b.Watermark(ctx, seq-1)
	}
	return err
}
