package lsm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// crashPath is the database's file on every memory file system.
const crashPath = "dir/db"

// crashWorkload is a script that is crashed at every write and sync.
type crashWorkload struct {
	name string
	// tune changes the options of every open, those after a crash too.
	tune func(*Options)
	// tuneBy does so by the seed, and after everything else.
	tuneBy func(*Options, uint64)
	run    func(*crashSession) error
	// before and during are the clones taken at each operation; zero means one each.
	before, during int
	// every takes only each n-th operation; zero means all.
	every int
}

// crashState is what a crash has left, and what may be in it.
type crashState struct {
	fs     *vfs.MemFS
	window window
	sure   int // ops that survive a power loss: less than window.lo after a mere kill
	where  string
	seed   uint64
	nested bool // recovery of this state was itself crashed
}

// crashHarness runs one workload and checks every state that a crash in it leaves.
type crashHarness struct {
	load    crashWorkload
	seed    uint64
	led     *ledger
	states  atomic.Int64
	failed  atomic.Pointer[error]
	queue   chan crashState
	workers sync.WaitGroup

	hook struct { // used by one operation at a time
		rng    *rand.Rand
		count  int
		policy int
	}
}

var crashPolicies = [...]vfs.CrashPolicy{
	vfs.CrashAny, vfs.CrashLoseAll, vfs.CrashMostly, vfs.CrashFew, vfs.CrashKeepAll, vfs.CrashKill,
}

// crashQueueMax bounds the states that wait for their check.
const crashQueueMax = 8

// crashWorkers check states on each core: a check waits now and then, for a tick or a paced write.
const crashWorkers = 6

// runCrash runs a workload under the harness. It returns how many states were checked, and the
// first failure.
func runCrash(load crashWorkload, seed uint64) (int64, error) {
	h := &crashHarness{load: load, seed: seed, led: &ledger{}, queue: make(chan crashState, crashQueueMax)}
	h.hook.rng = rand.New(rand.NewPCG(seed, 2))
	for range crashWorkers * runtime.GOMAXPROCS(0) {
		h.workers.Go(func() {
			for st := range h.queue {
				if h.failed.Load() == nil {
					h.fail(h.check(st))
				}
			}
		})
	}
	fsys := vfs.NewMemFS(seed)
	s := &crashSession{fs: fsys, opts: h.options(fsys, seed), led: h.led, seed: seed}
	fsys.SetHooks(vfs.Hooks{
		Before: func(op vfs.Op) error {
			if op.Kind != vfs.OpRead {
				h.capture(fsys, op, "before", max(h.load.before, 1))
			}
			return nil
		},
		During: func(op vfs.Op) { h.capture(fsys, op, "during", max(h.load.during, 1)) },
	})
	if err := load.run(s); err != nil {
		h.fail(fmt.Errorf("workload: %w", err))
	}
	if s.db != nil {
		_ = s.db.Close()
	}
	fsys.SetHooks(vfs.Hooks{})
	close(h.queue)
	h.workers.Wait()
	if err := h.failed.Load(); err != nil {
		return h.states.Load(), fmt.Errorf("%s, seed %d: %w", load.name, seed, *err)
	}
	return h.states.Load(), nil
}

func (h *crashHarness) fail(err error) {
	if err != nil {
		h.failed.CompareAndSwap(nil, &err)
	}
}

func (h *crashHarness) options(fsys *vfs.MemFS, seed uint64) Options {
	o := Options{
		FS: fsys, Rand: &seededReader{rng: rand.New(rand.NewPCG(seed, 3))},
		MemtableBytes: 256 << 10, SegmentBytes: 32 << 10, LogBytes: 128 << 10, Workers: 1,
	}
	if h.seed%2 == uint64(len(h.load.name)%2) { // half of the workloads with one seed, the others with the next
		o.EncryptionKey = ownersKey
	}
	if h.load.tune != nil {
		h.load.tune(&o)
	}
	if h.load.tuneBy != nil {
		h.load.tuneBy(&o, h.seed)
	}
	return o
}

// seededReader makes ids and salts from the seed.
type seededReader struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func (r *seededReader) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range p {
		p[i] = byte(r.rng.Uint32())
	}
	return len(p), nil
}

// capture clones the world in the middle of an operation. Operations stand still meanwhile, so
// nothing that begins later can be in the clone, and whatever is acknowledged already must be.
func (h *crashHarness) capture(fsys *vfs.MemFS, op vfs.Op, phase string, clones int) {
	if h.failed.Load() != nil {
		return
	}
	h.hook.count++
	if h.load.every > 1 && h.hook.count%h.load.every != 0 {
		return
	}
	for range clones {
		policy := crashPolicies[h.hook.policy%len(crashPolicies)]
		h.hook.policy++
		seed := h.hook.rng.Uint64()
		w := h.led.window(policy != vfs.CrashKill)
		h.queue <- crashState{
			fs: fsys.CrashClone(policy, seed), window: w, sure: h.led.window(true).lo, seed: seed,
			where: fmt.Sprintf("%s op %d (%s by %s at %d, %d bytes), policy %d, seed %d",
				phase, op.N, op.Kind, op.Role, op.Off, op.Len, policy, seed),
		}
	}
}

// check recovers a state, compares it, writes on, loses the power again and compares again.
func (h *crashHarness) check(st crashState) error {
	if err := h.recoverAndCompare(st); err != nil {
		return fmt.Errorf("crash %s: %w", st.where, err)
	}
	h.states.Add(1)
	return nil
}

func (h *crashHarness) recoverAndCompare(st crashState) error {
	opts := h.options(st.fs, st.seed)
	if err := h.verify(st); err != nil {
		return err
	}
	again := h.crashRecovery(st)
	db, err := Open(crashPath, opts)
	st.fs.SetHooks(vfs.Hooks{})
	if err != nil {
		if !st.window.opened {
			return nil // creation was interrupted: refused with a remedy
		}
		return fmt.Errorf("open: %w", err)
	}
	j, err := h.compare(db, st.window)
	if err != nil {
		_ = db.Close()
		return err
	}
	// What an open store has shown is durable: recovery has written it again.
	shown := window{lo: j, hi: j, begun: st.window.begun, opened: true}
	if err := h.reopen(st.fs.CrashClone(vfs.CrashLoseAll, st.seed), shown, st.seed); err != nil {
		_ = db.Close()
		return fmt.Errorf("power lost after recovery: %w", err)
	}
	if err := h.writeOn(st, db, j); err != nil {
		return err
	}
	if next := again(); next != nil {
		return h.check(*next)
	}
	return nil
}

// verifyEach of the states is verified before it is opened.
const verifyEach = 4

// verify wants no fault in what a crash has left, but for a copy of the superblock that was cut short. Where
// the other copy has a clean mark that counts as an error: closing writes one after the other, too.
func (h *crashHarness) verify(st crashState) error {
	if !st.window.opened || st.seed%verifyEach != 0 {
		return nil
	}
	r, err := Verify(context.Background(), crashPath, VerifyOptions{
		FS: st.fs, EncryptionKey: h.options(st.fs, st.seed).EncryptionKey,
	})
	r.Faults = slices.DeleteFunc(r.Faults, func(f VerifyFault) bool { return f.Region == "superblock" })
	if err == nil && (len(r.Faults) > 0 || len(r.Unchecked) > 0) {
		err = fmt.Errorf("verify: %v %v", r.Faults, r.Unchecked)
	}
	return errors.Join(err, copyIsWhole(st.fs, h.options(st.fs, st.seed)))
}

// crashRecovery arranges that the open of a state is crashed too, at an operation by the seed. The
// result is called after the open and returns the state that the second crash left.
func (h *crashHarness) crashRecovery(st crashState) func() *crashState {
	rng := rand.New(rand.NewPCG(st.seed, 4))
	if st.nested || rng.IntN(3) != 0 {
		return func() *crashState { return nil }
	}
	var next *crashState
	left := rng.IntN(16)
	capture := func(op vfs.Op) {
		if left--; left != 0 {
			return
		}
		seed := rng.Uint64()
		policy := crashPolicies[rng.IntN(len(crashPolicies)-1)]
		w := st.window
		w.lo = st.sure
		next = &crashState{
			fs: st.fs.CrashClone(policy, seed), window: w, sure: w.lo, seed: seed, nested: true,
			where: fmt.Sprintf("%s, then in recovery at op %d (%s by %s at %d), policy %d, seed %d",
				st.where, op.N, op.Kind, op.Role, op.Off, policy, seed),
		}
	}
	st.fs.SetHooks(vfs.Hooks{
		Before: func(op vfs.Op) error {
			if op.Kind != vfs.OpRead {
				capture(op)
			}
			return nil
		},
		During: capture,
	})
	return func() *crashState { return next }
}

func (h *crashHarness) compare(db storage.Store, w window) (int, error) {
	got, err := readAll(db)
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	return h.led.match(got, w)
}

// reopen opens a state and wants it inside the window.
func (h *crashHarness) reopen(fsys *vfs.MemFS, w window, seed uint64) error {
	db, err := Open(crashPath, h.options(fsys, seed))
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	_, err = h.compare(db, w)
	return errors.Join(err, db.Close())
}

// writeOn writes into a recovered store, closes it and finds everything in the next open.
func (h *crashHarness) writeOn(st crashState, db storage.Store, j int) error {
	before, err := readAll(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	key := crashKey(0xee, byte(st.seed), 1)
	var b storage.Batch
	b.Put([]byte(key), []byte("after"))
	if err := db.Apply(context.Background(), &b, storage.UpdateOptions{}); err != nil {
		return errors.Join(fmt.Errorf("write after recovery: %w", err), db.Close())
	}
	final := st.fs
	if st.seed%2 == 0 && h.options(st.fs, 0).Sync == SyncAlways {
		final = st.fs.CrashClone(vfs.CrashLoseAll, st.seed)
	}
	if err := db.Close(); err != nil {
		return fmt.Errorf("close after recovery: %w", err)
	}
	db, err = Open(crashPath, h.options(final, st.seed+1))
	if err != nil {
		return fmt.Errorf("open after a write after recovery (%d ops): %w", j, err)
	}
	got, err := readAll(db)
	before[key] = "after"
	if err == nil && !maps.Equal(before, got) {
		err = fmt.Errorf("after recovery, a write and a reopen: %s", difference(before, got))
	}
	return errors.Join(err, db.Close())
}
