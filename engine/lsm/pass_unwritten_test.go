package lsm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestAPassWaitsForWhatIsNotWritten: memtables hold batches whose group is being written, and a table with
// a batch that the log has not, and never will have, would be half of it, or one that was refused.
func TestAPassWaitsForWhatIsNotWritten(t *testing.T) {
	passes, err := passBesideALostWrite(t)
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.Zero(t, passes)
}

// passBesideALostWrite runs a pass while a group is sealed and not written, and loses the group once the pass
// goes no further. It returns the number of passes that came to their record, and the pass's error.
func passBesideALostWrite(t *testing.T) (passes int64, passed error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &hooks{}
		db := manualDB(t, vfs.NewMemFS(1), func(o *Options) { o.hooks = h })
		require.NoError(t, applyPut(db, crashKey(1, 1, 1), "written"))
		done := make(chan error, 1)
		h.beforeWrite = func() error {
			h.beforeWrite = nil
			go func() { done <- db.pass(passAll) }()
			synctest.Wait()
			return errInjected
		}
		require.ErrorIs(t, applyPut(db, crashKey(1, 1, 2), "lost"), storage.ErrUncertain)
		passed, passes = <-done, int64(db.figures.passes.Load())
	})
	return passes, passed
}

// TestNoAnswerBeforeTheWrite: writers whose group is sealed wait until it is written, however often they are woken.
func TestNoAnswerBeforeTheWrite(t *testing.T) {
	require.Zero(t, answersBeforeTheWrite(t))
}

// answersBeforeTheWrite returns how many of two writers of one group are answered while it is being written.
func answersBeforeTheWrite(t *testing.T) (answers int64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		h := &hooks{}
		db := manualDB(t, vfs.NewMemFS(1), func(o *Options) { o.hooks = h })
		var answered atomic.Int64
		var writers sync.WaitGroup
		put := func(n int) {
			writers.Go(func() {
				assert.NoError(t, applyPut(db, crashKey(1, 1, n), "value"))
				answered.Add(1)
			})
		}
		second := func() error {
			h.beforeWrite = nil
			db.wal.mu.Lock()
			db.wal.cond.Broadcast()
			db.wal.mu.Unlock()
			synctest.Wait()
			answers = answered.Load()
			return nil
		}
		h.beforeWrite = func() error { // the next group fills meanwhile
			h.beforeWrite = second
			put(2)
			put(3)
			synctest.Wait()
			return nil
		}
		require.NoError(t, applyPut(db, crashKey(1, 1, 1), "value"))
		writers.Wait()
		require.Equal(t, uint64(2), db.Metrics().Groups, "two writers and one group")
	})
	return answers
}

// TestAViewIsTakenBetweenEdits: what a copy is made of has no tables of a pass in some stripes only, nor
// such as hold what is behind its LSN.
func TestAViewIsTakenBetweenEdits(t *testing.T) {
	db := manualDB(t, vfs.NewMemFS(1), nil)
	seen := make(chan base.LSN, 1)
	var last base.LSN
	require.NoError(t, db.edit(&manifest.Edit{}, func() {
		begun := make(chan struct{})
		go func() {
			close(begun)
			v := db.view("test")
			seen <- v.lsn
			v.close()
		}()
		<-begun
		for i := range 100 {
			runtime.Gosched()
			require.NoError(t, applyPut(db, crashKey(1, 1, i), "meanwhile"))
		}
		last = db.wal.visibleLSN()
	}))
	require.Equal(t, last, <-seen)
}
