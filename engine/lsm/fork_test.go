package lsm

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

func mustFork(t testing.TB, db *DB) *DB {
	t.Helper()
	f, err := db.Fork()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, f.Close()) })
	return f
}

// TestStorageOfForks: a fork keeps the whole contract, also over a file whose tables hold what was
// deleted since.
func TestStorageOfForks(t *testing.T) {
	for name, parent := range map[string]func(testing.TB) *DB{
		"of memory": func(tb testing.TB) *DB {
			db, err := Open("", Options{InMemory: true})
			require.NoError(tb, err)
			return db
		},
		"of a file": func(tb testing.TB) *DB {
			db := openMem(tb, vfs.NewMemFS(1), memOptions(nil))
			for i := range 40 {
				mustPut(tb, db, fmt.Append(nil, i%10), "of before")
				mustPut(tb, db, testKey(byte(i), "k"), "of before")
			}
			require.NoError(tb, db.pass(passAll))
			for i := range 40 {
				mustDelete(tb, db, fmt.Append(nil, i%10))
				mustDelete(tb, db, testKey(byte(i), "k"))
			}
			return db
		},
	} {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(tb testing.TB) storage.Store {
				db := parent(tb)
				tb.Cleanup(func() { require.NoError(tb, db.Close()) })
				f, err := db.Fork()
				require.NoError(tb, err)
				return f
			}, storagetest.Skip{
				Name: "GuardIsOne", Reason: "the guard of a key is the caller's promise: the LSM keeps no list",
			})
		})
	}
}

// relative is one database of a family, what it should hold and how it once was.
type relative struct {
	db    *DB
	model map[string]string
	snap  storage.Snapshot
	then  map[string]string
}

func (f *relative) step(t *testing.T, r *rand.Rand) {
	ctx := context.Background()
	key := func() string { return string(testKey(byte(r.IntN(5)*50), fmt.Sprintf("k%03d", r.IntN(120)))) }
	k := key()
	switch op := r.IntN(100); {
	case op < 60:
		v := strings.Repeat(fmt.Sprint(r.IntN(1000), "."), 1+r.IntN(40))
		mustPut(t, f.db, []byte(k), v)
		f.model[k] = v
	case op < 85:
		mustDelete(t, f.db, []byte(k))
		delete(f.model, k)
	case op < 95:
		var b storage.Batch
		for range 5 {
			k := key()
			b.Put([]byte(k), []byte("batch"))
			f.model[k] = "batch"
		}
		require.NoError(t, f.db.Apply(ctx, &b, storage.UpdateOptions{}))
	case op < 97:
		var err error
		f.release()
		f.snap, err = f.db.Snapshot(ctx, storage.SnapshotOptions{})
		require.NoError(t, err)
		f.then = maps.Clone(f.model)
	default:
		want := "-"
		if v, ok := f.model[k]; ok {
			want = v
		}
		require.Equal(t, want, mustGet(t, f.db, []byte(k)))
	}
}

func (f *relative) release() {
	if f.snap != nil {
		f.snap.Close()
		f.snap = nil
	}
}

func (f *relative) check(t *testing.T) {
	t.Helper()
	checkModel(t, f.db, f.model)
	if f.snap == nil {
		return
	}
	for k := range f.model {
		if _, ok := f.then[k]; !ok {
			v, err := f.snap.Get(context.Background(), []byte(k))
			require.NoError(t, err)
			require.False(t, v.Present)
		}
	}
	for k, want := range f.then {
		v, err := f.snap.Get(context.Background(), []byte(k))
		require.NoError(t, err)
		require.Equal(t, want, string(v.Data))
	}
}

// TestForksAgainstModel runs random operations on a family of databases that fork each other, and
// flushes and compacts the file below them at any moment.
func TestForksAgainstModel(t *testing.T) {
	for _, kind := range []string{"memory", "file"} {
		t.Run(kind, func(t *testing.T) {
			seed, rounds := uint64(8), 60
			if os.Getenv("KSTONE_NIGHT") != "" {
				seed, rounds = rand.Uint64(), 5000
			}
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 5))
			var root *DB
			var err error
			if kind == "memory" {
				root, err = Open("", Options{InMemory: true})
				require.NoError(t, err)
			} else {
				root = manualDB(t, vfs.NewMemFS(1), nil)
			}
			all := []*relative{{db: root, model: map[string]string{}}}
			for range rounds {
				for range 60 {
					all[r.IntN(len(all))].step(t, r)
				}
				if kind == "file" && (r.IntN(2) == 0 || root.memBytes.Load() > root.opts.MemtableBytes/4) {
					flushAll(t, root)
				}
				if kind == "file" && r.IntN(3) == 0 {
					require.NoError(t, root.compactAll(context.Background()))
				}
				f := all[r.IntN(len(all))]
				child, err := f.db.Fork()
				require.NoError(t, err)
				all = append(all, &relative{db: child, model: maps.Clone(f.model)})
				if len(all) > 6 {
					i := 1 + r.IntN(len(all)-1) // the root stays
					all[i].release()
					require.NoError(t, all[i].db.Close())
					all = slices.Delete(all, i, i+1)
				}
			}
			for _, f := range all {
				f.check(t)
				f.release()
			}
			for i := range all { // the file is closed before its forks
				require.NoError(t, all[i].db.Close())
				for _, f := range all[i+1:] {
					checkModel(t, f.db, f.model)
				}
			}
		})
	}
}

// TestAForkHoldsNoHalfUpdate stands a writer between its number and its entries: the fork waits for
// it, writers that come meanwhile wait for the fork, and what it holds is what was answered.
func TestAForkHoldsNoHalfUpdate(t *testing.T) {
	var stall atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	db, err := Open("", Options{InMemory: true, hooks: &hooks{afterEnqueue: func() {
		if stall.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
	}}})
	require.NoError(t, err)
	first, second, third := testKey(1, "first"), testKey(2, "second"), testKey(3, "third")
	mustPut(t, db, first, "of before")
	stall.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		var b storage.Batch
		b.Put(first, []byte("changed"))
		b.Put(second, []byte("new"))
		assert.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
	})
	<-reached
	var f *DB
	wg.Go(func() { f = mustFork(t, db) })
	for held := false; !held; runtime.Gosched() {
		db.wal.mu.Lock()
		held = db.wal.held > 0
		db.wal.mu.Unlock()
	}
	wg.Go(func() { mustPut(t, db, third, "later") })
	for waiting := 0; waiting == 0; runtime.Gosched() {
		db.wal.mu.Lock()
		waiting = db.wal.waiting
		db.wal.mu.Unlock()
	}
	require.Equal(t, "of before", mustGet(t, db, first))
	close(release)
	wg.Wait()
	require.Equal(t, "changed", mustGet(t, f, first))
	require.Equal(t, "new", mustGet(t, f, second))
	require.Equal(t, "-", mustGet(t, f, third))
	require.Equal(t, "later", mustGet(t, db, third))
	require.NoError(t, db.Close())
}

// TestForksBesideWriters: each batch is in a fork whole or not at all, and a later fork has what an
// earlier one had.
func TestForksBesideWriters(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	const keys, writers = 8, 3
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				var b storage.Batch
				for k := range keys {
					b.Put(testKey(byte(k*30), fmt.Sprint(w)), fmt.Append(nil, i))
				}
				assert.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
			}
		})
	}
	var last [writers]string
	for range 200 {
		f, err := db.Fork()
		require.NoError(t, err)
		for w := range writers {
			v := mustGet(t, f, testKey(0, fmt.Sprint(w)))
			for k := range keys {
				require.Equal(t, v, mustGet(t, f, testKey(byte(k*30), fmt.Sprint(w))))
			}
			require.GreaterOrEqual(t, len(v), len(last[w]))
			last[w] = v
		}
		require.NoError(t, f.Close())
	}
	close(stop)
	wg.Wait()
	require.NoError(t, db.Close())
}

// TestAForkGoesOnWithTheOrder: numbers of streams never go back in a fork, and a database that takes
// the place of another can be told to go on behind it.
func TestAForkGoesOnWithTheOrder(t *testing.T) {
	ctx := context.Background()
	for _, readOnly := range []bool{false, true} {
		fsys := vfs.NewMemFS(1)
		db := openMem(t, fsys, memOptions(nil))
		seq := func(db *DB) (s storage.Seq) {
			named := []storage.Named{{Key: testKey(1, "k")}}
			require.NoError(t, db.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
				s = tx.Seq()
				tx.Put(testKey(1, "k"), fmt.Append(nil, s))
				return nil
			}))
			return s
		}
		before := seq(db)
		value := mustGet(t, db, testKey(1, "k"))
		if readOnly {
			require.NoError(t, db.Close())
			o := memOptions(nil)
			o.ReadOnly = true
			db = openMem(t, fsys, o)
		}
		f := mustFork(t, db)
		require.NoError(t, db.Close())
		require.Equal(t, value, mustGet(t, f, testKey(1, "k")))
		w, err := f.Watermark(ctx, 0)
		require.NoError(t, err)
		require.GreaterOrEqual(t, w, before)
		after := seq(f)
		require.Greater(t, after, w)
		require.Equal(t, fmt.Sprint(uint64(after)), mustGet(t, f, testKey(1, "k")))
		f.SkipSeq(after + 1000)
		require.Greater(t, seq(f), after+1000)
	}
}

// TestAFileStaysWhileAForkReadsIt: its lock, and every table that the fork reads, until it is closed.
func TestAFileStaysWhileAForkReadsIt(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	r := rand.New(rand.NewPCG(1, 9))
	model := map[string]string{}
	write := func() {
		for i := range 200 {
			k := string(testKey(byte(i%7), fmt.Sprintf("%03d", i)))
			model[k] = randomValue(r, 700)
			mustPut(t, db, []byte(k), model[k])
			if i%20 == 19 {
				flushAll(t, db)
			}
		}
		require.NoError(t, db.compactAll(context.Background()))
	}
	write()
	f, err := db.Fork()
	require.NoError(t, err)
	grandchild, err := f.Fork()
	require.NoError(t, err)
	then := maps.Clone(model)
	for range 4 {
		write()
	}
	pinned := db.Metrics().FreeBytes
	checkModel(t, f, then)
	require.NoError(t, db.Close())
	_, err = Open("dir/db", memOptions(fsys))
	require.ErrorContains(t, err, "dir/db")
	require.NoError(t, f.Close())
	checkModel(t, grandchild, then)
	require.Equal(t, pinned, db.Metrics().FreeBytes, "the grandchild holds the same tables")
	require.NoError(t, grandchild.Close())
	require.Greater(t, db.Metrics().FreeBytes, pinned+100_000)
	o := memOptions(fsys)
	o.FS = fsys
	db, err = Open("dir/db", o)
	require.NoError(t, err)
	checkModel(t, db, model)
	require.NoError(t, db.Close())
}

// TestADroppedRangeOfAFork is gone there, and there only.
func TestADroppedRangeOfAFork(t *testing.T) {
	db := manualDB(t, vfs.NewMemFS(1), nil)
	model := map[string]string{}
	put := func(db *DB, stripe byte, name, value string) {
		mustPut(t, db, testKey(stripe, name), value)
		model[string(testKey(stripe, name))] = value
	}
	for i := range 20 {
		put(db, byte(i%3), fmt.Sprintf("a%02d", i), "in a table")
	}
	flushAll(t, db)
	for i := range 20 {
		put(db, byte(i%3), fmt.Sprintf("b%02d", i), "in a memtable")
	}
	f := mustFork(t, db)
	whole := testKey(1, "")[:13]
	r := storage.Range{Start: whole, End: append(slices.Clone(whole[:12]), whole[12]+1)}
	require.NoError(t, f.DropRange(context.Background(), r))
	checkModel(t, db, model)
	for k := range model {
		if r.Contains([]byte(k)) {
			delete(model, k)
		}
	}
	checkModel(t, f, model)
	checkModel(t, mustFork(t, f), model)
}

// TestClosingAForkFrees what only it held, and readers that are under way learn that it is closed.
func TestClosingAForkFrees(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	mustPut(t, db, testKey(1, "k"), "v")
	f, err := db.Fork()
	require.NoError(t, err)
	mustPut(t, f, testKey(2, "k"), "v")
	snap, err := f.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	it, err := snap.Iter(context.Background(), storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.False(t, it.Next())
	require.ErrorIs(t, it.Err(), storage.ErrClosed)
	it.Close()
	snap.Close()
	require.Zero(t, f.Metrics().MemtableBytes)
	_, err = f.Get(context.Background(), testKey(1, "k"))
	require.ErrorIs(t, err, storage.ErrClosed)
	_, err = f.Fork()
	require.ErrorIs(t, err, storage.ErrClosed)
	require.Equal(t, "v", mustGet(t, db, testKey(1, "k")))
	require.Equal(t, "-", mustGet(t, db, testKey(2, "k")))
	require.NoError(t, db.Close())
}

// TestForksInARow: each is the fork of the one before, which is forgotten. Nothing piles up.
func TestForksInARow(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	const keys = 2000
	forks := 3000
	if os.Getenv("KSTONE_NIGHT") != "" {
		forks = 100_000
	}
	for i := range keys {
		mustPut(t, db, testKey(byte(i), fmt.Sprint(i)), strings.Repeat("v", 100))
	}
	size := db.Metrics().MemtableBytes
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range forks {
		f, err := db.Fork()
		require.NoError(t, err)
		mustPut(t, f, testKey(byte(i%keys), fmt.Sprint(i%keys)), strings.Repeat("w", 100))
		mustDelete(t, f, testKey(byte(i), "nothing"))
		if i%2 == 0 {
			require.NoError(t, db.Close())
		}
		db = f
	}
	require.Less(t, db.Metrics().MemtableBytes, 2*size+50_000, "of each key two versions")
	require.Less(t, heap()-before, int64(4<<20))
	require.NoError(t, db.Close())
}
