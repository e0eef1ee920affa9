package storagetest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// broken is a store with one planted bug: a function that is set replaces the method.
type broken struct {
	*memstore.Store
	update    func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error
	apply     func(ctx context.Context, b *storage.Batch, opts storage.UpdateOptions) error
	get       func(ctx context.Context, key []byte) (storage.Value, error)
	snapshot  func(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error)
	watermark func(ctx context.Context, after storage.Seq) (storage.Seq, error)
	drop      func(ctx context.Context, r storage.Range) error
	stats     func(ctx context.Context, r storage.Range) (storage.Stats, error)
	closeFn   func() error
}

func (b *broken) Update(
	ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error,
) error {
	if b.update != nil {
		return b.update(ctx, named, opts, fn)
	}
	return b.Store.Update(ctx, named, opts, fn)
}

func (b *broken) Apply(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
	if b.apply != nil {
		return b.apply(ctx, batch, opts)
	}
	return b.Store.Apply(ctx, batch, opts)
}

func (b *broken) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if b.get != nil {
		return b.get(ctx, key)
	}
	return b.Store.Get(ctx, key)
}

func (b *broken) Snapshot(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error) {
	if b.snapshot != nil {
		return b.snapshot(ctx, opts)
	}
	return b.Store.Snapshot(ctx, opts)
}

func (b *broken) Watermark(ctx context.Context, after storage.Seq) (storage.Seq, error) {
	if b.watermark != nil {
		return b.watermark(ctx, after)
	}
	return b.Store.Watermark(ctx, after)
}

func (b *broken) DropRange(ctx context.Context, r storage.Range) error {
	if b.drop != nil {
		return b.drop(ctx, r)
	}
	return b.Store.DropRange(ctx, r)
}

func (b *broken) Stats(ctx context.Context, r storage.Range) (storage.Stats, error) {
	if b.stats != nil {
		return b.stats(ctx, r)
	}
	return b.Store.Stats(ctx, r)
}

func (b *broken) Close() error {
	if b.closeFn != nil {
		return b.closeFn()
	}
	return b.Store.Close()
}

// fakeTx lets fn run outside an update.
type fakeTx struct {
	values []storage.Value
	batch  storage.Batch
	seq    storage.Seq
}

func (t *fakeTx) Value(i int) storage.Value { return t.values[i] }
func (t *fakeTx) Put(key, value []byte)     { t.batch.Put(bytes.Clone(key), bytes.Clone(value)) }
func (t *fakeTx) Delete(key []byte)         { t.batch.Delete(bytes.Clone(key)) }
func (t *fakeTx) Seq() storage.Seq          { return t.seq }

// hookTx passes everything on but what a bug replaces.
type hookTx struct {
	storage.Tx
	value  func(i int) storage.Value
	delete func(key []byte)
	seq    func(storage.Seq) storage.Seq
}

func (t hookTx) Value(i int) storage.Value {
	if t.value != nil {
		return t.value(i)
	}
	return t.Tx.Value(i)
}

func (t hookTx) Delete(key []byte) {
	if t.delete != nil {
		t.delete(key)
		return
	}
	t.Tx.Delete(key)
}

func (t hookTx) Seq() storage.Seq {
	if t.seq != nil {
		return t.seq(t.Tx.Seq())
	}
	return t.Tx.Seq()
}

// unlocked runs an update as read, compute, write, without protecting what it read.
func (b *broken) unlocked(ctx context.Context, named []storage.Named, fn func(storage.Tx) error) error {
	tx := &fakeTx{seq: 1}
	for _, n := range named {
		v, err := b.Store.Get(ctx, n.Key)
		if err != nil {
			return err
		}
		tx.values = append(tx.values, v)
	}
	if err := fn(tx); err != nil {
		return err
	}
	runtime.Gosched()
	return b.Store.Apply(ctx, &tx.batch, storage.UpdateOptions{})
}

// viewSnapshot replaces parts of a snapshot.
type viewSnapshot struct {
	storage.Snapshot
	get     func(ctx context.Context, key []byte) (storage.Value, error)
	getMany func(ctx context.Context, keys [][]byte) ([]storage.Value, error)
	iter    func(ctx context.Context, r storage.Range, opts storage.IterOptions) (storage.Iterator, error)
}

func (v viewSnapshot) Get(ctx context.Context, key []byte) (storage.Value, error) {
	if v.get != nil {
		return v.get(ctx, key)
	}
	return v.Snapshot.Get(ctx, key)
}

func (v viewSnapshot) GetMany(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
	if v.getMany != nil {
		return v.getMany(ctx, keys)
	}
	return v.Snapshot.GetMany(ctx, keys)
}

func (v viewSnapshot) Iter(
	ctx context.Context, r storage.Range, opts storage.IterOptions,
) (storage.Iterator, error) {
	if v.iter != nil {
		return v.iter(ctx, r, opts)
	}
	return v.Snapshot.Iter(ctx, r, opts)
}

// view plants a bug into snapshots.
func (b *broken) view(change func(ctx context.Context, v *viewSnapshot)) {
	b.snapshot = func(ctx context.Context, opts storage.SnapshotOptions) (storage.Snapshot, error) {
		s, err := b.Store.Snapshot(ctx, opts)
		if err != nil {
			return nil, err
		}
		v := &viewSnapshot{Snapshot: s}
		change(ctx, v)
		return *v, nil
	}
}

// plant is one bug and the properties that must find it.
type plant struct {
	name  string
	bug   func(b *broken)
	finds []string
}

func isolationPlants() []plant {
	return []plant{
		{"updates are lost", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, _ storage.UpdateOptions, fn func(storage.Tx) error) error {
				return b.unlocked(ctx, named, fn)
			}
		}, []string{
			"LostUpdate", "BlindAgainstUpdatePresent", "BlindAgainstUpdateAbsent", "BankSum",
			"LinearizableRegister", "StrictlySerializable", "RerunResults",
		}},
		{"write skew", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				var own []storage.Named
				values := map[int]storage.Value{} // of shared keys, read without a lock
				at := map[int]int{}
				for i, n := range named {
					if n.Shared {
						v, err := b.Store.Get(ctx, n.Key)
						if err != nil {
							return err
						}
						values[i] = v
						runtime.Gosched()
						continue
					}
					at[i] = len(own)
					own = append(own, n)
				}
				return b.Store.Update(ctx, own, opts, func(tx storage.Tx) error {
					return fn(hookTx{Tx: tx, value: func(i int) storage.Value {
						if j, ok := at[i]; ok {
							return tx.Value(j)
						}
						return values[i]
					}})
				})
			}
		}, []string{"WriteSkewPresent", "WriteSkewAbsent", "StrictlySerializable"}},
		{"absent keys are not protected", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				for _, n := range named {
					if v, err := b.Store.Get(ctx, n.Key); err != nil || v.Present {
						return errors.Join(err, b.Store.Update(ctx, named, opts, fn))
					}
				}
				return b.unlocked(ctx, named, fn)
			}
		}, []string{"BlindAgainstUpdateAbsent", "WriteSkewAbsent"}},
		{"batches are torn", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				for _, op := range batch.Ops {
					if err := b.Store.Apply(ctx, &storage.Batch{Ops: []storage.Op{op}}, opts); err != nil {
						return err
					}
					runtime.Gosched()
				}
				return nil
			}
		}, []string{"BatchesAreWhole", "StrictlySerializable"}},
		{"Get is stale", func(b *broken) {
			b.get = func(ctx context.Context, key []byte) (storage.Value, error) {
				s, err := b.Store.Snapshot(ctx, storage.SnapshotOptions{Freshness: storage.Recent})
				if err != nil {
					return storage.Value{}, err
				}
				defer s.Close()
				return s.Get(ctx, key)
			}
		}, []string{"GetIsLinearizable", "AcknowledgedIsVisible", "LinearizableRegister"}},
		{"snapshots move", func(b *broken) {
			b.view(func(_ context.Context, v *viewSnapshot) {
				v.get = b.Store.Get
				v.getMany = func(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
					var out []storage.Value
					for _, k := range keys {
						got, err := b.Store.Get(ctx, k)
						if err != nil {
							return nil, err
						}
						out = append(out, got)
						runtime.Gosched()
					}
					return out, nil
				}
			})
		}, []string{"SnapshotIsRepeatable", "BankSum", "BatchesAreWhole"}},
		{"snapshots mix two states", func(b *broken) {
			b.view(func(ctx context.Context, v *viewSnapshot) {
				old, err := b.Store.Snapshot(ctx, storage.SnapshotOptions{Freshness: storage.Recent})
				v.getMany = func(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
					out, err2 := v.Snapshot.GetMany(ctx, keys)
					if err := errors.Join(err, err2); err != nil {
						return nil, err
					}
					defer old.Close()
					out[0], err = old.Get(ctx, keys[0])
					return out, err
				}
			})
		}, []string{"BankSum", "StrictlySerializable"}},
		{"answers come before visibility", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				copied := &storage.Batch{Ops: slices.Clone(batch.Ops)}
				go func() { _ = b.Store.Apply(ctx, copied, opts) }()
				return nil
			}
		}, []string{"AcknowledgedIsVisible"}},
		{"failed conditions do not wait", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				out := make(chan error, 2)
				go func() {
					out <- b.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
						err := fn(tx)
						if err != nil {
							out <- err
						}
						return err
					})
				}()
				return <-out
			}
		}, []string{"FailedConditionOnInvisible", "FailedConditionUnderFailedSync"}},
	}
}

func semanticPlants() []plant {
	return []plant{
		{"fn's error writes", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				var verdict error
				err := b.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
					verdict = fn(tx)
					return nil
				})
				return errors.Join(err, verdict)
			}
		}, []string{"FnErrorUnchanged", "RandomAgainstModel", "RandomAgainstModelConcurrent"}},
		{"fn's error is wrapped", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				if err := b.Store.Update(ctx, named, opts, fn); err != nil {
					return fmt.Errorf("update: %w", err)
				}
				return nil
			}
		}, []string{"FnErrorUnchanged"}},
		{"named values are sorted", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				sorted := slices.Clone(named)
				slices.SortFunc(sorted, func(x, y storage.Named) int { return bytes.Compare(x.Key, y.Key) })
				return b.Store.Update(ctx, sorted, opts, fn)
			}
		}, []string{"ValuesInNamedOrder"}},
		{"earlier op wins", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				backwards := slices.Clone(batch.Ops)
				slices.Reverse(backwards)
				return b.Store.Apply(ctx, &storage.Batch{Ops: backwards}, opts)
			}
		}, []string{"BatchLaterOpWins"}},
		{"deleted keys stay as empty ones", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				ops := slices.Clone(batch.Ops)
				for i := range ops {
					ops[i].Delete = false
				}
				return b.Store.Apply(ctx, &storage.Batch{Ops: ops}, opts)
			}
		}, []string{"PutGetDelete", "IterAfterDelete", "RandomAgainstModel", "StatsArePlausible"}},
		{"slices are kept", func(b *broken) {
			b.get = func(ctx context.Context, key []byte) (storage.Value, error) {
				v, err := b.Store.Get(ctx, key)
				if text := []byte("first"); bytes.Equal(v.Data, text) {
					v.Data = []byte("XXXXX")
				}
				return v, err
			}
		}, []string{"SlicesAreCopied"}},
		{"no guard is needed", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				hidden := []storage.Named{{Key: []byte("hidden")}}
				for _, n := range named {
					hidden = append(hidden, storage.Named{Key: n.Key, NoWait: n.NoWait})
				}
				return b.Store.Update(ctx, hidden, opts, func(tx storage.Tx) error {
					return fn(hookTx{Tx: tx, value: func(i int) storage.Value { return tx.Value(i + 1) }})
				})
			}
		}, []string{"GuardNeeded", "GuardIsOne"}},
		{"NoWait is ignored", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				err := b.Store.Update(ctx, named, opts, fn)
				if errors.Is(err, storage.ErrConflict) {
					return nil // waiting would hang the property
				}
				return err
			}
		}, []string{"NoWaitRefusedWhileMultiHolds", "NoWaitRefusedWhileMultiInvisible"}},
		{"NoWait of batches is ignored", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				err := b.Store.Apply(ctx, batch, opts)
				if errors.Is(err, storage.ErrConflict) {
					return nil // waiting would hang the property
				}
				return err
			}
		}, []string{"NoWaitRefusedWhileMultiHolds", "NoWaitRefusedWhileMultiInvisible"}},
		{"batches never wait", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				ops := slices.Clone(batch.Ops)
				for i := range ops {
					ops[i].NoWait = true
				}
				return b.Store.Apply(ctx, &storage.Batch{Ops: ops}, opts)
			}
		}, []string{"BatchesWaitToo"}},
		{"everybody is a transaction", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				opts.Multi = true
				return b.Store.Update(ctx, named, opts, fn)
			}
		}, []string{"NoWaitWaitsForPlain"}},
		{"a transaction is nobody", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				opts.Multi = false
				for i := range named {
					if named[i].NoWait {
						return storage.ErrUnavailable // waiting would hang the property
					}
				}
				return b.Store.Update(ctx, named, opts, fn)
			}
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				if slices.ContainsFunc(batch.Ops, func(op storage.Op) bool { return op.NoWait }) {
					return storage.ErrUnavailable
				}
				return b.Store.Apply(ctx, batch, opts)
			}
		}, []string{"NoWaitRefusedWhileMultiHolds", "NoWaitAfterMultiIsVisible"}},
		{"lost answers are retried", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				err := b.Store.Update(ctx, named, opts, fn)
				if errors.Is(err, storage.ErrUncertain) {
					return b.Store.Update(ctx, named, opts, fn)
				}
				return err
			}
		}, []string{"LostAnswer"}},
		{"contexts are ignored", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				return b.Store.Update(context.WithoutCancel(ctx), named, opts, fn)
			}
		}, []string{"CancelledBefore"}},
		{"limits are silent", func(b *broken) {
			b.apply = func(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
				err := b.Store.Apply(ctx, batch, opts)
				if errors.Is(err, storage.ErrTooLarge) {
					return nil
				}
				return err
			}
		}, []string{"LongestKey", "LargestValue", "TooLargeBatch"}},
		{"closing is ignored", func(b *broken) {
			b.closeFn = func() error { return nil }
		}, []string{"Closed"}},
	}
}

func orderPlants() []plant {
	return []plant{
		{"the watermark is the last Seq", func(b *broken) {
			var mu sync.Mutex
			var last storage.Seq
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				return b.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
					return fn(hookTx{Tx: tx, seq: func(s storage.Seq) storage.Seq {
						mu.Lock()
						defer mu.Unlock()
						last = max(last, s)
						return s
					}})
				})
			}
			b.watermark = func(context.Context, storage.Seq) (storage.Seq, error) {
				mu.Lock()
				defer mu.Unlock()
				return last, nil
			}
		}, []string{"WatermarkBelowUnfinished", "SeqAndWatermarkConcurrent"}},
		{"Seqs repeat", func(b *broken) {
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				return b.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
					return fn(hookTx{Tx: tx, seq: func(s storage.Seq) storage.Seq { return s/2 + 1 }})
				})
			}
		}, []string{"SeqOfOneUpdate", "SeqAndWatermarkConcurrent"}},
		{"Seq is taken before the locks", func(b *broken) {
			var mu sync.Mutex
			var next storage.Seq
			b.update = func(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
				mu.Lock()
				next++
				mine := next
				mu.Unlock()
				for range mine % 2 * 4 { // every other one is overtaken
					runtime.Gosched()
				}
				return b.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
					tx.Seq()
					return fn(hookTx{Tx: tx, seq: func(storage.Seq) storage.Seq { return mine }})
				})
			}
		}, []string{"SeqAndWatermarkConcurrent"}},
		{"the end is inclusive", func(b *broken) {
			b.view(func(_ context.Context, v *viewSnapshot) {
				v.iter = func(ctx context.Context, r storage.Range, opts storage.IterOptions) (storage.Iterator, error) {
					if r.End != nil {
						r.End = append(bytes.Clone(r.End), 0)
					}
					return v.Snapshot.Iter(ctx, r, opts)
				}
			})
		}, []string{"IterRanges", "IterStripeBorders", "IterRandom", "IterShortKeys"}},
		{"reverse leaves out the first stripe", func(b *broken) {
			b.view(func(_ context.Context, v *viewSnapshot) {
				v.iter = func(ctx context.Context, r storage.Range, opts storage.IterOptions) (storage.Iterator, error) {
					if opts.Reverse && len(r.Start) == storage.PrefixBytes {
						r.Start = append(bytes.Clone(r.Start), 1)
					}
					return v.Snapshot.Iter(ctx, r, opts)
				}
			})
		}, []string{"IterStripeBorders"}},
		{"GetMany sorts", func(b *broken) {
			b.view(func(_ context.Context, v *viewSnapshot) {
				v.getMany = func(ctx context.Context, keys [][]byte) ([]storage.Value, error) {
					sorted := slices.Clone(keys)
					slices.SortFunc(sorted, bytes.Compare)
					return v.Snapshot.GetMany(ctx, sorted)
				}
			})
		}, []string{"GetManyInOrder"}},
		{"DropRange is too wide", func(b *broken) {
			b.drop = func(ctx context.Context, r storage.Range) error {
				return b.Store.DropRange(ctx, storage.Range{Start: r.Start, End: append(bytes.Clone(r.End), 9)})
			}
		}, []string{"DropRange"}},
		{"stats are empty", func(b *broken) {
			b.stats = func(context.Context, storage.Range) (storage.Stats, error) { return storage.Stats{}, nil }
		}, []string{"StatsArePlausible"}},
	}
}

// attemptsMax is how often a property may look for a planted bug: finding one takes a race, and the
// scheduler owes nobody a race. Most are found at once.
const attemptsMax = 40

// TestPlantedBugs proves the suite: each wrong store fails the properties that speak of it, and the
// same properties pass without the bug.
func TestPlantedBugs(t *testing.T) {
	properties := map[string]storagetest.Property{}
	for _, p := range storagetest.Properties() {
		properties[p.Name] = p
	}
	for _, p := range slices.Concat(isolationPlants(), semanticPlants(), orderPlants()) {
		t.Run(p.name, func(t *testing.T) {
			for _, name := range p.finds {
				property, ok := properties[name]
				require.True(t, ok, "no property %s", name)
				assert.False(t, failed(t, property, nil), "%s fails without a bug", name)
				found, attempts := false, 0
				for ; attempts < attemptsMax && !found; attempts++ {
					found = failed(t, property, p.bug)
				}
				assert.True(t, found, "%s does not find it", name)
				t.Logf("%s: %d attempts", name, attempts)
			}
		})
	}
}

// failed runs one property on a store with a bug, and says whether it fails.
func failed(t *testing.T, property storagetest.Property, bug func(*broken)) bool {
	p := &probe{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		property.Check(p, func(testing.TB) storage.Store {
			s, err := memstore.Open(memstore.Options{
				Late: 20, Stale: 8, Shared: true, MaxUpdate: maxUpdateTest,
			})
			require.NoError(t, err)
			b := &broken{Store: s}
			if bug != nil {
				bug(b)
			}
			return b
		})
	}()
	<-done
	p.clean()
	return p.broke
}

// maxUpdateTest lets TooLargeBatch run in a short test.
const maxUpdateTest = 24 << 20

// probe is a testing.TB that keeps a failure to itself.
type probe struct {
	testing.TB
	mu       sync.Mutex
	broke    bool
	cleanups []func()
}

func (p *probe) Helper() {}

func (p *probe) Cleanup(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cleanups = append(p.cleanups, f)
}

func (p *probe) clean() {
	for _, f := range slices.Backward(p.cleanups) {
		f()
	}
}

func (p *probe) Fail() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broke = true
}

func (p *probe) Failed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broke
}

func (p *probe) FailNow()              { p.Fail(); runtime.Goexit() }
func (p *probe) Errorf(string, ...any) { p.Fail() }
func (p *probe) Error(...any)          { p.Fail() }
func (p *probe) Fatalf(string, ...any) { p.FailNow() }
func (p *probe) Fatal(...any)          { p.FailNow() }
func (p *probe) Logf(string, ...any)   {}
func (p *probe) Log(...any)            {}

func (p *probe) Skip(args ...any)                 { p.TB.Errorf("skipped: %v", args); runtime.Goexit() }
func (p *probe) Skipf(format string, args ...any) { p.Skip(fmt.Sprintf(format, args...)) }
