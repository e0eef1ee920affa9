package lsm

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// stop is a step of the protocol that a test holds up once, after arm.
type stop struct {
	armed            atomic.Bool
	reached, release chan struct{}
	once             sync.Once
}

func newStop() *stop {
	return &stop{reached: make(chan struct{}), release: make(chan struct{})}
}

// arm is called when the database is open: a test that fails must let it close.
func (s *stop) arm(t *testing.T) {
	t.Cleanup(s.letGo)
	s.armed.Store(true)
}

func (s *stop) here() {
	if s.armed.CompareAndSwap(true, false) {
		close(s.reached)
		<-s.release
	}
}

func (s *stop) letGo() { s.once.Do(func() { close(s.release) }) }

// view reads keys through a snapshot in every way that there is.
func view(t *testing.T, s storage.Snapshot, keys ...[]byte) (values []string) {
	t.Helper()
	ctx := context.Background()
	many, err := s.GetMany(ctx, keys)
	require.NoError(t, err)
	scanned := map[string]string{}
	it, err := s.Iter(ctx, storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	defer it.Close()
	for it.Next() {
		scanned[string(it.Key())] = string(it.Value())
	}
	require.NoError(t, it.Err())
	for i, k := range keys {
		one, err := s.Get(ctx, k)
		require.NoError(t, err)
		require.Equal(t, many[i], one)
		v, present := scanned[string(k)]
		require.Equal(t, one.Present, present)
		require.Equal(t, string(one.Data), v)
		if !present {
			v = "-"
		}
		values = append(values, v)
	}
	return values
}

// TestASnapshotBetweenInsertAndPublish: the entries are in the memtables and their group is written,
// but not published. The snapshot never sees them, and what it sees is kept.
func TestASnapshotBetweenInsertAndPublish(t *testing.T) {
	written := newStop()
	opts := memOptions(nil)
	opts.manual = true
	opts.hooks = &hooks{afterWrite: written.here}
	db := openMem(t, vfs.NewMemFS(1), opts)
	old, gone, fresh := testKey(1, "old"), testKey(1, "gone"), testKey(2, "fresh")
	mustPut(t, db, old, "1")
	mustPut(t, db, gone, "1")
	written.arm(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		var b storage.Batch
		b.Put(old, []byte("2"))
		b.Delete(gone)
		b.Put(fresh, []byte("2"))
		assert.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
	})
	<-written.reached
	e, _, err := db.newest(fresh)
	require.NoError(t, err)
	require.Equal(t, "2", string(e.Value), "inserted")
	s, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, []string{"1", "1", "-"}, view(t, s, old, gone, fresh))
	require.Equal(t, "1", mustGet(t, db, old))
	written.letGo()
	wg.Wait()
	require.Equal(t, []string{"1", "1", "-"}, view(t, s, old, gone, fresh), "published meanwhile")
	for i := range 3 {
		mustPut(t, db, old, fmt.Sprint(i))
		mustPut(t, db, gone, "again")
		mustDelete(t, db, fresh)
		require.NoError(t, db.checkpoint())
		require.NoError(t, db.compactAll(context.Background()))
		require.Equal(t, []string{"1", "1", "-"}, view(t, s, old, gone, fresh), "compacted meanwhile")
	}
	require.Equal(t, "2", mustGet(t, db, old))
	require.Equal(t, "again", mustGet(t, db, gone))
	require.Equal(t, "-", mustGet(t, db, fresh))
}

// TestAStallAtTheCrashItself: a writer is between steps 5 and 6 when the machine goes down. What is
// found is what the log says, whole and in order, whatever of it was in the memtables.
func TestAStallAtTheCrashItself(t *testing.T) {
	stalled, behind := newStop(), newStop()
	opts := memOptions(nil)
	opts.manual = true
	opts.hooks = &hooks{afterEnqueue: stalled.here, afterWrite: behind.here}
	fsys := vfs.NewMemFS(1)
	db := openMem(t, fsys, opts)
	mustPut(t, db, testKey(1, "before"), "1")
	stalled.arm(t)
	var wg sync.WaitGroup
	wg.Go(func() { mustPut(t, db, testKey(2, "stalled"), "2") })
	<-stalled.reached
	// crash opens what every kind of crash leaves now.
	crash := func(what string, want ...string) {
		for policy := vfs.CrashAny; policy <= vfs.CrashKill; policy++ {
			again := openMem(t, fsys.CrashClone(policy, 7), memOptions(nil))
			var got []string
			for i, name := range []string{"before", "stalled", "behind"} {
				got = append(got, mustGet(t, again, testKey(byte(i+1), name)))
			}
			require.Equal(t, want, got, "%s, policy %d", what, policy)
			require.NoError(t, again.Close())
		}
	}
	crash("nothing of it is written", "1", "-", "-")
	require.NoError(t, db.pass(passAll), "nothing that waits for the stalled writer")
	require.Equal(t, uint64(2), db.tailLSN().Counter(), "the tail stops at the stalled frame")
	crash("after a pass", "1", "-", "-")
	behind.arm(t)
	wg.Go(func() { mustPut(t, db, testKey(3, "behind"), "3") })
	<-behind.reached
	crash("its group is written by another", "1", "2", "3")
	behind.letGo()
	stalled.letGo()
	wg.Wait()
	require.Equal(t, "3", mustGet(t, db, testKey(3, "behind")))
	crash("after all", "1", "2", "3")
}

// waitForRoom returns when a writer waits for room in the log.
func waitForRoom(db *DB) {
	for waiting := false; !waiting; {
		_, _, waiting = db.ringUse()
	}
}

// fullLogDB has a log that is full long before the memtables are.
func fullLogDB(t *testing.T, fsys *vfs.MemFS, h *hooks) *DB {
	opts := memOptions(nil)
	opts.manual, opts.MemtableBytes, opts.hooks = true, 8<<20, h
	return openMem(t, fsys, opts)
}

const fullLogPuts = 300

// fillLog puts until all is written, which waits for room again and again.
func fillLog(t *testing.T, db *DB) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		for i := range fullLogPuts {
			var b storage.Batch
			b.Put(testKey(byte(i), fmt.Sprint(i)), []byte(strings.Repeat("x", 1000)))
			if !assert.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{})) {
				return
			}
		}
	}()
	return done
}

func checkFilledLog(t *testing.T, db *DB) {
	t.Helper()
	for i := range fullLogPuts {
		require.Len(t, mustGet(t, db, testKey(byte(i), fmt.Sprint(i))), 1000, "key %d", i)
	}
}

// tendUntil is the flusher, until a writer is through.
func tendUntil(t *testing.T, db *DB, done chan struct{}) {
	t.Helper()
	for {
		select {
		case <-done:
			return
		default:
		}
		w := &db.wal
		w.mu.Lock()
		waiting := w.waiting > 0 && len(w.free) == 0 // and not just woken
		visible := w.visibleLSN()
		w.mu.Unlock()
		if waiting {
			require.NoError(t, db.tend())
			require.Greater(t, db.tailLSN(), visible, "a writer waits, and the tail stands still")
		}
	}
}

// TestTheLogIsFullAndEverythingIsFrozen: a pass has frozen all and failed; nothing is active, and the
// writers wait for room that only what is frozen already can make.
func TestTheLogIsFullAndEverythingIsFrozen(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := fullLogDB(t, fsys, nil)
	done := fillLog(t, db)
	waitForRoom(db)
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && op.Role == vfs.Heap {
			return errInjected
		}
		return nil
	}})
	for range 3 {
		require.ErrorIs(t, db.pass(passLog), errInjected)
	}
	fsys.SetHooks(vfs.Hooks{})
	for i := range db.stripes {
		require.True(t, db.stripes[i].active.Empty())
	}
	require.Positive(t, db.Metrics().FrozenStripes)
	before := db.tailLSN()
	require.NoError(t, db.pass(passLog))
	require.Greater(t, db.tailLSN(), before)
	tendUntil(t, db, done)
	checkFilledLog(t, db)
	checkFilledLog(t, openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil)))
}

// TestTheLogFillsWhileEverythingIsBeingFlushed: the pass was begun early, so that its tail lets go of
// little; the next one must follow.
func TestTheLogFillsWhileEverythingIsBeingFlushed(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	record := newStop()
	db := fullLogDB(t, fsys, &hooks{beforeRecord: record.here})
	mustPut(t, db, testKey(0, "first"), "1")
	record.arm(t)
	passed := make(chan error, 1)
	go func() { passed <- db.pass(passLog) }()
	<-record.reached
	done := fillLog(t, db)
	waitForRoom(db)
	record.letGo()
	require.NoError(t, <-passed)
	require.Equal(t, uint64(2), db.tailLSN().Counter(), "all but the first write is in no table")
	tendUntil(t, db, done)
	checkFilledLog(t, db)
	checkFilledLog(t, openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil)))
}
