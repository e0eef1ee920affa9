package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func updateProperties() []Property {
	return []Property{
		{"PutGetDelete", checkPutGetDelete},
		{"EmptyValueIsPresent", checkEmptyValue},
		{"EmptyUpdates", checkEmptyUpdates},
		{"ValuesInNamedOrder", checkNamedOrder},
		{"BatchLaterOpWins", checkLaterOpWins},
		{"UpdateLaterWriteWins", checkLaterWriteWins},
		{"UnnamedWriteUnderGuard", checkUnnamedWrite},
		{"FnErrorUnchanged", checkFnError},
		{"FnPanicLeavesNothing", checkFnPanic},
		{"RerunResults", checkRerunResults},
		{"SlicesAreCopied", checkSlicesAreCopied},
		{"GuardNeeded", checkGuardNeeded},
		{"GuardIsOne", checkGuardIsOne},
	}
}

func checkPutGetDelete(t testing.TB, open Open) {
	e := newEnv(t, open)
	for i := range 20 {
		k := spread("a", i)
		assert.Equal(t, absent, e.get(k))
		e.put(k, "one")
		assert.Equal(t, "one", e.get(k))
		require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
			tx.Put(k, append([]byte("two after "), tx.Value(0).Data...))
			return nil
		}))
		assert.Equal(t, "two after one", e.get(k))
		require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
			tx.Delete(k)
			return nil
		}))
		assert.Equal(t, absent, e.get(k))
		e.put(k, "three")
		e.delete(k)
		e.delete(k) // of an absent key too
		assert.Equal(t, absent, e.get(k))
	}
}

func checkEmptyValue(t testing.TB, open Open) {
	e := newEnv(t, open)
	k, l := key(1, "k"), key(2, "l")
	e.put(k, "")
	require.NoError(t, e.update(exclusive(k, l), func(tx storage.Tx) error {
		if v := tx.Value(0); !v.Present || len(v.Data) != 0 {
			return fmt.Errorf("empty value in fn: %v", v)
		}
		tx.Put(l, nil)
		return nil
	}))
	assert.Equal(t, "", e.get(k))
	assert.Equal(t, "", e.get(l))
	got, err := e.scan(e.snapshotUntilEnd(), storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	assert.Equal(t, []pair{{string(k), ""}, {string(l), ""}}, got)
}

func (e *env) snapshotUntilEnd() storage.Snapshot {
	snap := e.snapshot()
	e.t.Cleanup(snap.Close)
	return snap
}

func checkEmptyUpdates(t testing.TB, open Open) {
	e := newEnv(t, open)
	require.NoError(t, e.apply(&storage.Batch{}))
	require.NoError(t, e.update(nil, func(storage.Tx) error { return nil }))
	require.NoError(t, e.update(exclusive(key(1, "k")), func(storage.Tx) error { return nil }))
	assert.Equal(t, absent, e.get(key(1, "k")))
}

func checkNamedOrder(t testing.TB, open Open) {
	e := newEnv(t, open)
	keys := [][]byte{key(9, "z"), key(1, "b"), key(200, "c"), key(1, "a"), key(5, "absent")}
	for _, k := range keys[:4] {
		e.put(k, "value of "+string(k[18:]))
	}
	var got []string
	named := exclusive(keys...)
	named[1].Shared, named[4].Shared = true, true
	require.NoError(t, e.update(named, func(tx storage.Tx) error {
		got = got[:0]
		for i := range keys {
			got = append(got, text(tx.Value(i)))
		}
		return nil
	}))
	assert.Equal(t, []string{"value of z", "value of b", "value of c", "value of a", absent}, got)
}

func checkLaterOpWins(t testing.TB, open Open) {
	e := newEnv(t, open)
	a, b, c := key(1, "a"), key(2, "b"), key(3, "c")
	e.put(c, "old")
	var batch storage.Batch
	batch.Put(a, []byte("1"))
	batch.Put(b, []byte("1"))
	batch.Delete(c)
	batch.Put(a, []byte("2"))
	batch.Delete(b)
	batch.Put(c, []byte("new"))
	require.NoError(t, e.apply(&batch))
	assert.Equal(t, []string{"2", absent, "new"}, []string{e.get(a), e.get(b), e.get(c)})
}

func checkLaterWriteWins(t testing.TB, open Open) {
	e := newEnv(t, open)
	a, b := key(1, "a"), key(2, "b")
	require.NoError(t, e.update(exclusive(a, b), func(tx storage.Tx) error {
		tx.Put(a, []byte("1"))
		tx.Put(b, []byte("1"))
		tx.Put(a, []byte("2"))
		tx.Delete(b)
		return nil
	}))
	assert.Equal(t, []string{"2", absent}, []string{e.get(a), e.get(b)})
}

func checkUnnamedWrite(t testing.TB, open Open) {
	e := newEnv(t, open)
	item, entry := key(1, "item"), keyIn(spaceTest, 1, 77, "entry")
	for i := range 5 {
		require.NoError(t, e.update(exclusive(item), func(tx storage.Tx) error {
			tx.Put(item, decimal(i))
			tx.Put(entry, decimal(i))
			return nil
		}))
		assert.Equal(t, e.get(item), e.get(entry))
	}
	require.NoError(t, e.update(exclusive(item), func(tx storage.Tx) error {
		tx.Delete(entry)
		return nil
	}))
	assert.Equal(t, []string{"4", absent}, []string{e.get(item), e.get(entry)})
}

func checkFnError(t testing.TB, open Open) {
	e := newEnv(t, open)
	k, l := key(1, "k"), key(2, "l")
	e.put(k, "old")
	err := e.update(exclusive(k, l), func(tx storage.Tx) error {
		tx.Put(k, []byte("new"))
		tx.Put(l, []byte("new"))
		tx.Seq()
		return errMine
	})
	require.True(t, err == errMine, "fn's error must come back unchanged, got %v", err) //nolint:errorlint // identity is the point
	assert.Equal(t, []string{"old", absent}, []string{e.get(k), e.get(l)})
	wrapped := fmt.Errorf("wrapped: %w", storage.ErrConflict)
	calls := 0
	err = e.s.Update(e.ctx, exclusive(k), storage.UpdateOptions{}, func(storage.Tx) error {
		calls++
		return wrapped
	})
	if calls > 0 { // else the backend refused before
		require.True(t, err == wrapped, "fn's own error is not looked into, got %v", err) //nolint:errorlint // identity
	}
}

func checkFnPanic(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	panicked := func() (out any) {
		defer func() { out = recover() }()
		return e.update(exclusive(k), func(tx storage.Tx) error {
			tx.Seq()
			tx.Put(k, []byte("never"))
			panic(errMine)
		})
	}()
	require.Equal(t, errMine, panicked, "the panic of fn reaches its caller")
	require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
		if tx.Value(0).Present {
			return errors.New("written by a run that panicked")
		}
		return nil
	}), "the key is free again")
}

// checkRerunResults: results leave through variables that fn overwrites, and the last run counts.
func checkRerunResults(t testing.TB, open Open) {
	e := newEnv(t, open)
	const workers, rounds = 6, 30
	k := key(7, "counter")
	var mu sync.Mutex
	seen := map[int]bool{}
	err := crowd(workers, func(int) error {
		for range rounds {
			var out int
			if err := e.update(exclusive(k), func(tx storage.Tx) error {
				out = number(tx.Value(0)) + 1
				tx.Put(k, decimal(out))
				return nil
			}); err != nil {
				return err
			}
			mu.Lock()
			twice := seen[out]
			seen[out] = true
			mu.Unlock()
			if twice {
				return fmt.Errorf("two updates returned %d", out)
			}
		}
		return nil
	})
	require.NoError(t, err)
	assert.Len(t, seen, workers*rounds)
}

func checkSlicesAreCopied(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(3, "k")
	kept := append([]byte{}, k...)
	buf := []byte("first")
	require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
		tx.Put(k, buf)
		return nil
	}))
	copy(buf, "XXXXX")
	var b storage.Batch
	l := key(4, "l")
	buf2 := []byte("blind")
	b.Put(l, buf2)
	require.NoError(t, e.apply(&b))
	copy(buf2, "YYYYY")
	copy(k[16:], "zzz") // the caller's key too
	v, err := e.s.Get(e.ctx, kept)
	require.NoError(t, err)
	require.Equal(t, "first", text(v))
	assert.Equal(t, "blind", e.get(l))
	e.put(kept, "second")
	assert.Equal(t, "first", text(v), "what Get returned may be kept")
	require.NoError(t, e.update(exclusive(kept, l), func(tx storage.Tx) error {
		tx.Put(l, tx.Value(0).Data) // a value may be passed on
		return nil
	}))
	assert.Equal(t, "second", e.get(l))
}

// checkGuardNeeded: a key that is not named is written only under a key that is named exclusively.
func checkGuardNeeded(t testing.TB, open Open) {
	e := newEnv(t, open)
	item, entry := key(1, "item"), key(2, "entry")
	write := func(tx storage.Tx) error {
		tx.Put(entry, []byte("x"))
		return nil
	}
	require.Error(t, e.update(nil, write), "no named key")
	require.Error(t, e.update([]storage.Named{{Key: item, Shared: true}}, write), "only a shared one")
	require.Error(t, e.update([]storage.Named{{Key: item}, {Key: entry, Shared: true}}, write),
		"the key itself is named as only read")
	assert.Equal(t, absent, e.get(entry))
}

// checkGuardIsOne: no key is ever guarded by two.
func checkGuardIsOne(t testing.TB, open Open) {
	e := newEnv(t, open)
	a, b, entry := key(1, "a"), key(2, "b"), key(3, "entry")
	write := func(tx storage.Tx) error {
		tx.Put(entry, []byte("x"))
		return nil
	}
	require.NoError(t, e.update(exclusive(a), write))
	require.Error(t, e.update(exclusive(b), write), "another guard")
	require.NoError(t, e.update(exclusive(a, b), write), "both")
	require.Error(t, e.update(exclusive(entry), write), "itself, without its guard")
	require.NoError(t, e.update(exclusive(a), func(tx storage.Tx) error {
		tx.Delete(entry)
		return nil
	}))
	require.NoError(t, e.update(exclusive(b), write), "a deleted key may get a new guard")
}
