package storagetest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func contextProperties() []Property {
	return []Property{
		{"CancelledBefore", checkCancelledBefore},
		{"CancelledWhileWaiting", checkCancelledWaiting},
		{"CancelledInFn", checkCancelledInFn},
		{"CancelledWatermark", checkCancelledWatermark},
		{"Closed", checkClosed},
		{"ClosedWakesWatermark", checkClosedWatermark},
	}
}

func checkCancelledBefore(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	var b storage.Batch
	b.Put(k, []byte("never"))
	require.ErrorIs(t, e.s.Apply(ctx, &b, storage.UpdateOptions{}), context.Canceled)
	ran := false
	err := e.s.Update(ctx, exclusive(k), storage.UpdateOptions{}, func(tx storage.Tx) error {
		ran = true
		tx.Put(k, []byte("never"))
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, ran, "fn ran under a cancelled context")
	_, err = e.s.Get(ctx, k)
	require.ErrorIs(t, err, context.Canceled)
	_, err = e.s.Snapshot(ctx, storage.SnapshotOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, e.s.DropRange(ctx, storage.Range{Start: k, End: key(1, "l")}), context.Canceled)
	assert.Equal(t, absent, e.get(k))
}

// checkCancelledWaiting cancels an update that waits for a key.
func checkCancelledWaiting(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	var once sync.Once
	var waiting <-chan error
	var waited error
	ranBefore := false
	require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
		once.Do(func() {
			waiting = start(func() error {
				return e.s.Update(ctx, exclusive(k), storage.UpdateOptions{}, func(tx storage.Tx) error {
					tx.Put(k, []byte("waiter"))
					return nil
				})
			})
			err, done := linger(waiting)
			ranBefore = done && err == nil // possible where this run is thrown away
			cancel()
			if !done {
				waited = <-waiting // inside fn: the key is still held
			}
		})
		tx.Put(k, []byte("holder"))
		return nil
	}))
	if waited != nil {
		require.ErrorIs(t, waited, context.Canceled)
		assert.Equal(t, "holder", e.get(k))
	} else {
		assert.True(t, ranBefore || e.get(k) == "holder")
	}
	require.NoError(t, e.update(exclusive(k), func(storage.Tx) error { return nil }), "the key is free")
}

// checkCancelledInFn: the answer says whether it was written.
func checkCancelledInFn(t testing.TB, open Open) {
	e := newEnv(t, open)
	for i := range work(10) {
		k, l := spread("k", i), spread("l", i)
		ctx, cancel := context.WithCancel(e.ctx)
		err := e.retry(func() error {
			return e.s.Update(ctx, exclusive(k, l), storage.UpdateOptions{}, func(tx storage.Tx) error {
				tx.Seq()
				tx.Put(k, []byte("x"))
				tx.Put(l, []byte("x"))
				cancel()
				return nil
			})
		})
		cancel()
		want := "x"
		if err != nil {
			require.ErrorIs(t, err, context.Canceled)
			want = absent
		}
		assert.Equal(t, []string{want, want}, []string{e.get(k), e.get(l)})
	}
	// What was given up holds nothing back.
	wm, err := e.s.Watermark(e.ctx, 0)
	require.NoError(t, err)
	var seq storage.Seq
	require.NoError(t, e.update(exclusive(key(1, "z")), func(tx storage.Tx) error {
		seq = tx.Seq()
		return nil
	}))
	assert.GreaterOrEqual(t, seq, wm)
	_, err = e.s.Watermark(e.ctx, seq-1)
	require.NoError(t, err)
}

func checkCancelledWatermark(t testing.TB, open Open) {
	e := newEnv(t, open)
	wm, err := e.s.Watermark(e.ctx, 0)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(e.ctx)
	waiting := start(func() error {
		_, err := e.s.Watermark(ctx, wm+1_000_000)
		return err
	})
	_, done := linger(waiting)
	require.False(t, done, "it waits for a Seq that nobody has")
	cancel()
	require.ErrorIs(t, <-waiting, context.Canceled)
}

func checkClosed(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	e.put(k, "v")
	snap := e.snapshot()
	snap.Close()
	require.NoError(t, e.s.Close())
	var b storage.Batch
	b.Put(k, []byte("new"))
	_, getErr := e.s.Get(e.ctx, k)
	_, snapErr := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
	_, statErr := e.s.Stats(e.ctx, storage.Range{})
	_, markErr := e.s.Watermark(e.ctx, 0)
	calls := map[string]error{
		"Get": getErr, "Snapshot": snapErr, "Stats": statErr, "Watermark": markErr,
		"Apply":     e.s.Apply(e.ctx, &b, storage.UpdateOptions{}),
		"DropRange": e.s.DropRange(e.ctx, storage.Range{Start: k, End: key(1, "l")}),
		"Update": e.s.Update(e.ctx, exclusive(k), storage.UpdateOptions{},
			func(storage.Tx) error { return errors.New("fn ran on a closed store") }),
	}
	for name, err := range calls {
		assert.ErrorIs(t, err, storage.ErrClosed, name)
		assert.ErrorIs(t, err, storage.ErrUnavailable, name)
	}
}

func checkClosedWatermark(t testing.TB, open Open) {
	e := newEnv(t, open)
	wm, err := e.s.Watermark(e.ctx, 0)
	require.NoError(t, err)
	waiting := start(func() error {
		_, err := e.s.Watermark(e.ctx, wm+1_000_000)
		return err
	})
	_, done := linger(waiting)
	require.False(t, done)
	require.NoError(t, e.s.Close())
	require.ErrorIs(t, <-waiting, storage.ErrClosed)
}
