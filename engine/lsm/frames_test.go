package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// stalledFrame is a database in which a writer has its place in the log and is held up before its
// frame is in it, while another one leads their group.
type stalledFrame struct {
	db       *DB
	fsys     *vfs.MemFS
	reserved *stop
	enqueued chan struct{} // told by each writer behind step 5
	// The outcome of the writer that is held up, and of the leader.
	stalled, leader chan error
	groups          uint64 // written before
}

func stallFrame(t *testing.T) *stalledFrame {
	t.Helper()
	s := &stalledFrame{
		fsys: vfs.NewMemFS(1), reserved: newStop(), enqueued: make(chan struct{}, 8),
		stalled: make(chan error, 1), leader: make(chan error, 1),
	}
	waits := make(chan struct{}, 1)
	opts := memOptions(nil)
	opts.manual = true
	opts.hooks = &hooks{
		afterReserve: s.reserved.here,
		afterEnqueue: func() { s.enqueued <- struct{}{} },
		beforeFrames: func() { waits <- struct{}{} },
	}
	s.db = openMem(t, s.fsys, opts)
	mustPut(t, s.db, testKey(1, "before"), "1")
	<-s.enqueued
	s.groups = s.db.Metrics().Groups
	s.reserved.arm(t)
	go func() { s.stalled <- applyPut(s.db, string(testKey(2, "stalled")), "2") }()
	<-s.reserved.reached
	go func() { s.leader <- applyPut(s.db, string(testKey(3, "leader")), "3") }()
	<-s.enqueued
	<-waits
	return s
}

// TestAFrameThatIsNotWholeHoldsItsGroup, and nothing else: the next group is filled meanwhile, and
// reads go on. A crash finds nothing of the groups.
func TestAFrameThatIsNotWholeHoldsItsGroup(t *testing.T) {
	s := stallFrame(t)
	behind := make(chan error, 1)
	go func() { behind <- applyPut(s.db, string(testKey(4, "behind")), "4") }()
	for newest := base.LSN(0); newest == 0; runtime.Gosched() { // it goes through step 6
		e, _, err := s.db.newest(testKey(4, "behind"))
		require.NoError(t, err)
		newest = e.LSN
	}
	require.Equal(t, s.groups, s.db.Metrics().Groups, "written before all frames were whole")
	require.Equal(t, "1", mustGet(t, s.db, testKey(1, "before")))
	require.Equal(t, "-", mustGet(t, s.db, testKey(3, "leader")))
	crashed := openMem(t, s.fsys.CrashClone(vfs.CrashKeepAll, 1), memOptions(nil))
	require.Equal(t, "1", mustGet(t, crashed, testKey(1, "before")))
	for i, name := range []string{"stalled", "leader", "behind"} {
		require.Equal(t, "-", mustGet(t, crashed, testKey(byte(2+i), name)))
	}
	s.reserved.letGo()
	for _, outcome := range []chan error{s.stalled, s.leader, behind} {
		require.NoError(t, <-outcome)
	}
	require.Equal(t, s.groups+2, s.db.Metrics().Groups)
	crashed = openMem(t, s.fsys.CrashClone(vfs.CrashLoseAll, 1), memOptions(nil))
	for i, name := range []string{"stalled", "leader", "behind"} {
		require.Equal(t, fmt.Sprint(2+i), mustGet(t, crashed, testKey(byte(2+i), name)))
	}
}

// TestPoisonBeforeAllFramesAreWhole: the group is not sealed and so is never written, and its writers
// know that.
func TestPoisonBeforeAllFramesAreWhole(t *testing.T) {
	s := stallFrame(t)
	boom := errors.New("boom")
	s.db.poison(boom)
	s.reserved.letGo()
	for _, outcome := range []chan error{s.stalled, s.leader} {
		err := <-outcome
		require.ErrorIs(t, err, storage.ErrUnavailable)
		require.ErrorIs(t, err, boom)
		require.NotErrorIs(t, err, storage.ErrUncertain)
	}
	require.Equal(t, s.groups, s.db.Metrics().Groups)
	require.NoError(t, s.db.Close())
	again := openMem(t, s.fsys, memOptions(nil))
	require.Equal(t, "-", mustGet(t, again, testKey(2, "stalled")))
	require.Equal(t, "-", mustGet(t, again, testKey(3, "leader")))
}

// TestAWriterAloneFindsItsFrameWhole: nothing is waited for, in any sync mode.
func TestAWriterAloneFindsItsFrameWhole(t *testing.T) {
	for _, mode := range []SyncMode{SyncAlways, SyncInterval, SyncOff} {
		opts := memOptions(nil)
		opts.Sync = mode
		opts.hooks = &hooks{beforeFrames: func() { t.Error("waited") }}
		db := openMem(t, vfs.NewMemFS(1), opts)
		for i := range 20 {
			mustPut(t, db, testKey(byte(i), "a"), strings.Repeat("x", i*3000)) // spills, too
		}
	}
}

// TestInMemoryNothingIsEncoded: there is no log to write it into.
func TestInMemoryNothingIsEncoded(t *testing.T) {
	db, err := Open("", Options{InMemory: true, hooks: &hooks{
		afterReserve: func() { t.Error("a frame") },
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	mustPut(t, db, testKey(1, "a"), "1")
	assert.Equal(t, "1", mustGet(t, db, testKey(1, "a")))
	assert.Empty(t, db.wal.spareBufs)
}

// TestFramesBesideEachOther: many writers fill groups of small and large frames at a time, in buffers
// that are used again and again. Every byte is found in the log.
func TestFramesBesideEachOther(t *testing.T) {
	const writers, puts = 8, 40
	sizes := []int{0, 30, 400, 9000, 30 << 10, 150 << 10} // the last one is spilled
	fsys := vfs.NewMemFS(1)
	opts := memOptions(nil)
	opts.manual, opts.SegmentBytes, opts.LogBytes, opts.MemtableBytes = true, 256<<10, 4<<20, 16<<20
	db := openMem(t, fsys, opts)
	require.NoError(t, db.addSegments(14))
	value := func(w, i int) []byte {
		return bytes.Repeat([]byte{byte(w), byte(i), byte(w * i)}, sizes[(w+i)%len(sizes)]/3)
	}
	key := func(w, i int) []byte { return testKey(byte(w*16+i), fmt.Sprint(w, i)) }
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range puts {
				var b storage.Batch
				b.Put(key(w, i), value(w, i))
				assert.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, len(db.wal.spareBufs), spareBufsMax)
	again := openMem(t, fsys.CrashClone(vfs.CrashLoseAll, 1), opts)
	for w := range writers {
		for i := range puts {
			v, err := again.Get(context.Background(), key(w, i))
			require.NoError(t, err)
			require.True(t, bytes.Equal(value(w, i), v.Data), "writer %d, put %d", w, i)
		}
	}
}

// TestOpsBytesIsWhatIsAppended at all lengths where a length takes one byte more.
func TestOpsBytesIsWhatIsAppended(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 1<<14 - 1, 1 << 14, 1<<21 - 1, 1 << 21} {
		ops := []storage.Op{
			{Key: make([]byte, min(n, storage.KeyMaxBytes)), Value: make([]byte, n)},
			{Key: make([]byte, min(n, storage.KeyMaxBytes)), Delete: true},
			{Value: []byte("v")},
		}
		require.Len(t, appendOps(nil, ops), opsBytes(ops), "%d", n)
	}
}

// TestAFrameOfAnotherLengthIsNotSealed over what an earlier group left in the buffer.
func TestAFrameOfAnotherLengthIsNotSealed(t *testing.T) {
	ops := []storage.Op{{Key: []byte("key"), Value: []byte("value")}}
	n := 1 + opsBytes(ops)
	encodePayload(make([]byte, n), ops, nil)
	for _, wrong := range []int{n - 1, n + 1} {
		require.Panics(t, func() { encodePayload(make([]byte, wrong), ops, nil) })
	}
}
