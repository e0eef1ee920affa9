package memstore

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/tidwall/btree"

	"github.com/keystone-db/kstone/engine/storage"
)

// entry is one visible key. sum is of the value, and 0 unless slices are mangled.
type entry struct {
	key   string
	value []byte
	sum   uint64
}

// core is the bytes that all stores opened on one backend share.
type core struct {
	opts       Options
	dice       *dice
	locks      *lockTable
	seqs       *seqTable
	background sync.WaitGroup

	mu        sync.Mutex
	visible   *btree.BTreeG[entry]   // guarded by mu; copies of it are immutable
	past      []*btree.BTreeG[entry] // guarded by mu: older states, oldest first
	traces    map[string]*trace      // guarded by mu
	pending   map[*commit]struct{}   // guarded by mu
	guards    guardBook              // guarded by mu
	losses    []loss                 // guarded by mu: answers to lose next
	stalls    int                    // guarded by mu: above 0 nothing is published
	poisoned  bool                   // guarded by mu: a log write failed
	snapshots int                    // guarded by mu: open ones
}

// Store is one opened store. Several share their bytes where Options.Shared is set.
type Store struct {
	core    *core
	closing sync.Once
	closed  chan struct{}
}

var _ storage.Store = (*Store)(nil)

// Open returns an empty store, or an error that lists every fault of opts.
func Open(opts Options) (*Store, error) {
	opts = opts.withDefaults()
	if err := opts.validate(); err != nil {
		return nil, err
	}
	c := &core{
		opts:    opts,
		dice:    newDice(opts.Seed),
		locks:   newLockTable(),
		seqs:    newSeqTable(),
		visible: btree.NewBTreeGOptions(lessEntry, btree.Options{NoLocks: true}),
		traces:  map[string]*trace{},
		pending: map[*commit]struct{}{},
		guards:  guardBook{},
	}
	c.rememberLocked()
	return c.open(), nil
}

func (c *core) open() *Store { return &Store{core: c, closed: make(chan struct{})} }

// Second opens another store on the same bytes, as another process would. It needs Options.Shared.
func (s *Store) Second() (storage.Store, error) {
	if !s.core.opts.Shared {
		return nil, fmt.Errorf("%w: Second needs Options.Shared", ErrMisuse)
	}
	return s.core.open(), nil
}

func lessEntry(a, b entry) bool { return a.key < b.key }

func newEntry(key string, value []byte, summed bool) entry {
	e := entry{key: key, value: value}
	if summed {
		e.sum = maphash.Bytes(sumSeed, value)
	}
	return e
}

// sumSeed is never changed: sums live as long as the process.
var sumSeed = maphash.MakeSeed()

// hand returns an entry's value as the caller may have it: a copy where slices are mangled.
func (c *core) hand(e entry) (storage.Value, error) {
	if !c.opts.Mangle {
		return storage.Value{Data: e.value, Present: true}, nil
	}
	if maphash.Bytes(sumSeed, e.value) != e.sum {
		return storage.Value{}, fmt.Errorf("%w: value of key %x was changed", storage.ErrCorrupt, e.key)
	}
	return storage.Value{Data: append([]byte{}, e.value...), Present: true}, nil
}

func (c *core) lookup(tree *btree.BTreeG[entry], key []byte) (storage.Value, error) {
	e, ok := tree.Get(entry{key: string(key)})
	if !ok {
		return storage.Value{}, nil
	}
	return c.hand(e)
}

// enter is the gate of every call.
func (s *Store) enter(ctx context.Context) error {
	select {
	case <-s.closed:
		return storage.ErrClosed
	default:
		return ctx.Err()
	}
}

// Get implements storage.Store.
func (s *Store) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if err := s.enter(ctx); err != nil {
		return storage.Value{}, err
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	return s.core.lookup(s.core.visible, key)
}

// Update implements storage.Store.
func (s *Store) Update(
	ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error,
) error {
	c := s.core
	if err := s.enter(ctx); err != nil {
		return err
	}
	for _, n := range named {
		if len(n.Key) > storage.KeyMaxBytes {
			return storage.ErrTooLarge
		}
	}
	claims := claimsOf(named, opts.Multi)
	if err := c.misfortune(claims); err != nil {
		return err
	}
	if err := c.rehearse(ctx, named, fn); err != nil {
		return err
	}
	locks, err := c.locks.lock(ctx, claims, s.closed)
	if err != nil {
		return err
	}
	defer locks.release()
	values, err := c.newest(named, claims)
	if err != nil {
		return err
	}
	t, verdict := c.runTx(values, fn)
	if verdict == nil {
		verdict = t.checkUnchanged()
	}
	t.end()
	return s.commit(ctx, t, locks, opts, verdict)
}

// commit takes a finished run to its answer. With an error of fn it is a pure read.
func (s *Store) commit(
	ctx context.Context, t *tx, locks *held, opts storage.UpdateOptions, verdict error,
) error {
	c, claims := s.core, locks.claims
	writes := t.writes
	if verdict != nil {
		writes = nil
	}
	cm, err := c.commitOf(writes, claims, opts.Multi)
	if err == nil && len(cm.writes) > 0 {
		err = c.inTime(opts)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.seqs.finish(t.seq)
		return err
	}
	cm.seq = t.seq
	return s.finish(ctx, cm, locks, verdict)
}

// inTime refuses a commit whose catalog lease has ended.
func (c *core) inTime(opts storage.UpdateOptions) error {
	if c.opts.Clock != nil && !opts.NotAfter.IsZero() && c.opts.Clock().After(opts.NotAfter) {
		return fmt.Errorf("%w: the commit's time is over", storage.ErrUnavailable)
	}
	return nil
}

// Apply implements storage.Store.
func (s *Store) Apply(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
	c := s.core
	if err := s.enter(ctx); err != nil {
		return err
	}
	t := &tx{core: c}
	named := make([]storage.Named, 0, len(batch.Ops))
	for _, op := range batch.Ops {
		if len(op.Key) > storage.KeyMaxBytes {
			return storage.ErrTooLarge
		}
		named = append(named, storage.Named{Key: op.Key, NoWait: op.NoWait})
		if op.Delete {
			t.Delete(op.Key)
		} else {
			t.Put(op.Key, op.Value)
		}
	}
	claims := claimsOf(named, opts.Multi)
	if err := c.misfortune(claims); err != nil {
		return err
	}
	locks, err := c.locks.lock(ctx, claims, s.closed)
	if err != nil {
		return err
	}
	defer locks.release()
	c.mu.Lock()
	err = c.refuseLocked(claims)
	c.mu.Unlock()
	if err != nil {
		return err
	}
	return s.commit(ctx, t, locks, opts, nil)
}

// DropRange implements storage.Store. Pending commits in the range are the caller's broken promise.
func (s *Store) DropRange(ctx context.Context, r storage.Range) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	c := s.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.poisoned {
		return storage.ErrUnavailable
	}
	var dead []entry
	c.visible.Ascend(entry{key: string(r.Start)}, func(e entry) bool {
		if !r.Contains([]byte(e.key)) {
			return false
		}
		dead = append(dead, e)
		return true
	})
	for _, e := range dead {
		c.visible.Delete(e)
		delete(c.guards, e.key)
	}
	c.rememberLocked()
	return nil
}

// Stats implements storage.Store. The figures are exact.
func (s *Store) Stats(ctx context.Context, r storage.Range) (storage.Stats, error) {
	if err := s.enter(ctx); err != nil {
		return storage.Stats{}, err
	}
	s.core.mu.Lock()
	tree := s.core.visible.Copy()
	s.core.mu.Unlock()
	out := storage.Stats{Exact: true}
	tree.Ascend(entry{key: string(r.Start)}, func(e entry) bool {
		if !r.Contains([]byte(e.key)) {
			return false
		}
		out.Keys++
		out.Bytes += int64(len(e.key) + len(e.value))
		return true
	})
	return out, nil
}

// Watermark implements storage.Store.
func (s *Store) Watermark(ctx context.Context, after storage.Seq) (storage.Seq, error) {
	for {
		if err := s.enter(ctx); err != nil {
			return 0, err
		}
		w, wake := s.core.seqs.watermark()
		if after == 0 || w > after {
			return w, nil
		}
		if s.core.isPoisoned() {
			return 0, storage.ErrUnavailable
		}
		select {
		case <-wake:
		case <-ctx.Done():
		case <-s.closed:
		}
	}
}

// Presplit implements storage.Store: a hint, ignored.
func (s *Store) Presplit(ctx context.Context, _ [][]byte) error { return s.enter(ctx) }

// Limits implements storage.Store.
func (s *Store) Limits() storage.Limits { return s.core.opts.limits() }

// Close implements storage.Store. Updates that are past their locks are finished first by whoever
// began them; later calls answer ErrClosed. It may be called again.
func (s *Store) Close() error {
	s.closing.Do(func() { close(s.closed) })
	s.core.background.Wait()
	return nil
}

// OpenSnapshots is the number of snapshots that nobody closed, for tests that look for leaks.
func (s *Store) OpenSnapshots() int {
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	return s.core.snapshots
}
