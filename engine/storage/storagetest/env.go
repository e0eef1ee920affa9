package storagetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// conflictsMax bounds the retries of an update that a backend refuses with Conflict.
	conflictsMax = 10_000
	// yieldsMax is the chance that a wrong backend gets to be wrong, in scheduler yields.
	yieldsMax = 300
	// hangMax ends a test whose backend never answers. No passing test waits for it.
	hangMax = 60 * time.Second
)

// errMine is an error that only fn makes.
var errMine = errors.New("storagetest: error of fn")

// env is one test's store and its shorthands.
type env struct {
	t   testing.TB
	s   storage.Store
	ctx context.Context
}

func newEnv(t testing.TB, open Open) *env {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangMax)
	t.Cleanup(cancel)
	s := open(t)
	t.Cleanup(func() { _ = s.Close() })
	return &env{t: t, s: s, ctx: ctx}
}

// spaceTest is the space of the suite's keys.
const spaceTest = 0x7000_0000_0000_0001

// key builds a key as the layers above do: head, partition part, and a stripe of choice.
func key(stripe byte, name string) []byte { return keyIn(spaceTest, 0, stripe, name) }

func keyIn(space uint64, sub uint32, stripe byte, name string) []byte {
	k := binary.BigEndian.AppendUint64(nil, space)
	k = binary.BigEndian.AppendUint32(k, sub)
	k = append(k, stripe, 0x01, 0x02, 0x03)
	k = binary.BigEndian.AppendUint16(k, uint16(len(name)))
	return append(k, name...)
}

// spread returns the i-th of many keys, spread over stripes.
func spread(name string, i int) []byte { return key(byte(i*37), fmt.Sprintf("%s%04d", name, i)) }

func exclusive(keys ...[]byte) []storage.Named {
	out := make([]storage.Named, len(keys))
	for i, k := range keys {
		out[i] = storage.Named{Key: k}
	}
	return out
}

// retry runs an update until it is not refused with a plain Conflict, as a caller does.
func (e *env) retry(update func() error) error {
	for range conflictsMax {
		err := update()
		var conflict *storage.ConflictError
		if !errors.As(err, &conflict) || conflict.Multi {
			return err
		}
		runtime.Gosched()
	}
	return storage.ErrConflict
}

func (e *env) update(named []storage.Named, fn func(storage.Tx) error) error {
	return e.retry(func() error {
		return e.s.Update(e.ctx, named, storage.UpdateOptions{}, fn)
	})
}

func (e *env) apply(b *storage.Batch) error {
	return e.retry(func() error { return e.s.Apply(e.ctx, b, storage.UpdateOptions{}) })
}

func (e *env) put(k []byte, value string) {
	e.t.Helper()
	var b storage.Batch
	b.Put(k, []byte(value))
	require.NoError(e.t, e.apply(&b))
}

func (e *env) delete(k []byte) {
	e.t.Helper()
	var b storage.Batch
	b.Delete(k)
	require.NoError(e.t, e.apply(&b))
}

// absent is what text returns for an absent key.
const absent = "<absent>"

// text shows a value.
func text(v storage.Value) string {
	if !v.Present {
		return absent
	}
	return string(v.Data)
}

func (e *env) get(k []byte) string {
	e.t.Helper()
	v, err := e.s.Get(e.ctx, k)
	require.NoError(e.t, err)
	return text(v)
}

func (e *env) snapshot() storage.Snapshot {
	e.t.Helper()
	snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
	require.NoError(e.t, err)
	return snap
}

// pair is one entry of an iterator, copied.
type pair struct{ key, value string }

// scan collects a range of a snapshot.
func (e *env) scan(snap storage.Snapshot, r storage.Range, opts storage.IterOptions) ([]pair, error) {
	it, err := snap.Iter(e.ctx, r, opts)
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []pair
	for it.Next() {
		out = append(out, pair{string(it.Key()), string(it.Value())})
	}
	return out, it.Err()
}

// number reads a decimal value; an absent one is 0.
func number(v storage.Value) int {
	if !v.Present {
		return 0
	}
	n, err := strconv.Atoi(string(v.Data))
	if err != nil {
		return -1 << 31 // no test writes it
	}
	return n
}

func decimal(n int) []byte { return strconv.AppendInt(nil, int64(n), 10) }

// crowd runs f in n goroutines and returns their first error when all are done.
func crowd(n int, f func(worker int) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// start runs f in a goroutine and returns where its error arrives.
func start(f func() error) <-chan error {
	out := make(chan error, 1)
	go func() { out <- f() }()
	return out
}

// linger yields until done has something or the backend had its chance to go wrong.
func linger(done <-chan error) (err error, ok bool) {
	for range yieldsMax {
		select {
		case err := <-done:
			return err, true
		default:
			runtime.Gosched()
		}
	}
	return nil, false
}
