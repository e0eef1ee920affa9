package storagetest

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// largeBatch must be accepted by every backend.
	largeBatch = 8 << 20
	// updateMaxShort is the largest MaxUpdate that a short run exceeds on purpose.
	updateMaxShort = 64 << 20
)

func limitProperties() []Property {
	return []Property{
		{"LimitsAreEnough", checkLimits},
		{"LongestKey", checkLongestKey},
		{"LargestValue", checkLargestValue},
		{"LargeBatch", checkLargeBatch},
		{"TooLargeBatch", checkTooLargeBatch},
	}
}

func checkLimits(t testing.TB, open Open) {
	l := newEnv(t, open).s.Limits()
	assert.GreaterOrEqual(t, l.MaxKey, storage.KeyMaxBytes)
	assert.GreaterOrEqual(t, l.MaxValue, storage.ValueMaxBytes)
	assert.GreaterOrEqual(t, l.MaxUpdate, storage.ValueMaxBytes)
	assert.GreaterOrEqual(t, l.MaxSnapshotAge, 0*l.MaxSnapshotAge)
}

// refused asserts that neither Update nor Apply writes k, and that they say why.
func (e *env) refused(k, value []byte) {
	e.t.Helper()
	other := key(1, "other")
	var b storage.Batch
	b.Put(other, []byte("x"))
	b.Put(k, value)
	require.ErrorIs(e.t, e.apply(&b), storage.ErrTooLarge)
	require.ErrorIs(e.t, e.update(exclusive(other), func(tx storage.Tx) error {
		tx.Put(other, []byte("x"))
		tx.Put(k, value)
		return nil
	}), storage.ErrTooLarge)
	assert.Equal(e.t, absent, e.get(other), "nothing is written")
}

func checkLongestKey(t testing.TB, open Open) {
	e := newEnv(t, open)
	long := append(key(1, ""), bytes.Repeat([]byte{'k'}, e.s.Limits().MaxKey)...)
	fits := long[:e.s.Limits().MaxKey]
	e.put(fits, "blind")
	require.NoError(t, e.update(exclusive(fits), func(tx storage.Tx) error {
		tx.Put(fits, append([]byte("update after "), tx.Value(0).Data...))
		return nil
	}))
	assert.Equal(t, "update after blind", e.get(fits))
	got, err := e.scan(e.snapshotUntilEnd(), storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	assert.Equal(t, []pair{{string(fits), "update after blind"}}, got)
	e.refused(long[:len(fits)+1], []byte("x"))
	require.ErrorIs(t, e.update(exclusive(long[:len(fits)+1]),
		func(storage.Tx) error { return nil }), storage.ErrTooLarge, "a key that is only named")
}

func checkLargestValue(t testing.TB, open Open) {
	e := newEnv(t, open)
	largest := bytes.Repeat([]byte("0123456789abcde\n"), e.s.Limits().MaxValue/16)
	k := key(1, "k")
	e.put(k, string(largest))
	require.NoError(t, e.update(exclusive(k, key(2, "l")), func(tx storage.Tx) error {
		tx.Put(key(2, "l"), tx.Value(0).Data)
		return nil
	}))
	v, err := e.s.Get(e.ctx, key(2, "l"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(largest, v.Data), "the largest value comes back")
	e.refused(k, append(largest, 'x'))
	v, err = e.s.Get(e.ctx, k)
	require.NoError(t, err)
	require.True(t, bytes.Equal(largest, v.Data), "a refused write changes nothing")
}

// batchOf returns a batch of about n bytes, whose values share one slice.
func batchOf(n int) (*storage.Batch, int) {
	value := bytes.Repeat([]byte{7}, 1<<19)
	var b storage.Batch
	i := 0
	for ; i*len(value) < n; i++ {
		b.Put(spread("large", i), value)
	}
	return &b, i
}

func checkLargeBatch(t testing.TB, open Open) {
	e := newEnv(t, open)
	b, n := batchOf(min(largeBatch, e.s.Limits().MaxUpdate/2))
	require.NoError(t, e.apply(b))
	got, err := e.scan(e.snapshotUntilEnd(), storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	require.Len(t, got, n)
	for _, p := range got {
		require.Len(t, p.value, 1<<19)
	}
}

func checkTooLargeBatch(t testing.TB, open Open) {
	e := newEnv(t, open)
	limit := e.s.Limits().MaxUpdate
	if limit > updateMaxShort && os.Getenv(LongEnv) == "" {
		t.Skipf("a batch above %d bytes is for the long run", limit)
	}
	b, n := batchOf(limit + 1)
	require.ErrorIs(t, e.apply(b), storage.ErrTooLarge)
	for i := range n {
		require.Equal(t, absent, e.get(spread("large", i)))
	}
	require.ErrorIs(t, e.update(exclusive(key(1, "k")), func(tx storage.Tx) error {
		for _, op := range b.Ops {
			tx.Put(op.Key, op.Value)
		}
		return nil
	}), storage.ErrTooLarge)
	require.Equal(t, absent, e.get(spread("large", 0)))
}
