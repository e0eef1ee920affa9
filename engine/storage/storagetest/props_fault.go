package storagetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func faultProperties() []Property {
	return []Property{
		{"LostAnswer", checkLostAnswer},
		{"FailedConditionOnInvisible", checkConditionWaits},
		{"FailedConditionUnderFailedSync", checkFailedSync},
		{"TwoStores", checkTwoStores},
	}
}

// checkLostAnswer resolves an uncertain update by its token, which it writes beside the item.
func checkLostAnswer(t testing.TB, open Open) {
	e := newEnv(t, open)
	loser, ok := e.s.(AnswerLoser)
	if !ok {
		t.Skip("the store cannot lose an answer")
	}
	for i, applied := range []bool{true, false, true, false} {
		item, token := spread("item", i), spread("token", i)
		transact := func() error {
			return e.update(exclusive(item, token), func(tx storage.Tx) error {
				if tx.Value(1).Present {
					return errMine // executed before
				}
				tx.Put(item, decimal(number(tx.Value(0))+1))
				tx.Put(token, []byte("done"))
				return nil
			})
		}
		loser.LoseNextAnswer(applied)
		require.ErrorIs(t, transact(), storage.ErrUncertain)
		err := transact()
		if applied {
			require.ErrorIs(t, err, errMine, "the first execution counts")
		} else {
			require.NoError(t, err)
		}
		assert.Equal(t, []string{"1", "done"}, []string{e.get(item), e.get(token)})
	}
}

// checkConditionWaits: an answer that rests on what is not visible yet comes after it.
func checkConditionWaits(t testing.TB, open Open) {
	e := newEnv(t, open)
	staller, ok := e.s.(Staller)
	if !ok {
		t.Skip("the store cannot stall publication")
	}
	k := key(1, "k")
	release := staller.StallPublish()
	defer release()
	writing, condition := e.dependentCondition(k)
	_, done := linger(condition)
	require.False(t, done, "answered from a state that may vanish")
	release()
	require.NoError(t, <-writing)
	require.ErrorIs(t, <-condition, errMine)
	assert.Equal(t, "x", e.get(k))
}

// dependentCondition starts a write that stays invisible and an update whose condition fails
// because of it.
func (e *env) dependentCondition(k []byte) (writing, condition <-chan error) {
	writing = start(func() error {
		return e.update(exclusive(k), func(tx storage.Tx) error {
			tx.Put(k, []byte("x"))
			return nil
		})
	})
	e.awaitPending(k, "x")
	condition = start(func() error {
		return e.update(exclusive(k), func(tx storage.Tx) error {
			if tx.Value(0).Present {
				return errMine
			}
			return errors.New("storagetest: the pending version is not read")
		})
	})
	return writing, condition
}

func checkFailedSync(t testing.TB, open Open) {
	e := newEnv(t, open)
	staller, stalls := e.s.(Staller)
	failer, fails := e.s.(LogFailer)
	if !stalls || !fails {
		t.Skip("the store cannot fail its log")
	}
	k, old := key(1, "k"), key(2, "old")
	e.put(old, "kept")
	mark, err := e.s.Watermark(e.ctx, 0)
	require.NoError(t, err)
	release := staller.StallPublish()
	defer release()
	writing, condition := e.dependentCondition(k)
	waiting := start(func() error {
		_, err := e.s.Watermark(e.ctx, mark+1_000_000)
		return err
	})
	_, done := linger(condition)
	require.False(t, done, "answered from a state that may vanish")
	failer.FailLog()
	release()
	err = <-writing
	require.True(t, errors.Is(err, storage.ErrUncertain) || errors.Is(err, storage.ErrUnavailable), "%v", err)
	err = <-condition
	require.NotErrorIs(t, err, errMine, "a condition that failed on what vanished")
	require.ErrorIs(t, err, storage.ErrUnavailable)
	require.ErrorIs(t, <-waiting, storage.ErrUnavailable, "the error reaches every waiter")
	assert.Equal(t, []string{absent, "kept"}, []string{e.get(k), e.get(old)}, "reads go on")
	var b storage.Batch
	b.Put(old, []byte("new"))
	require.ErrorIs(t, e.apply(&b), storage.ErrUnavailable, "no write after a failed sync")
	err = e.update(exclusive(old), func(storage.Tx) error { return nil })
	require.True(t, err == nil || errors.Is(err, storage.ErrUnavailable),
		"what is visible may be answered, %v", err)
	assert.Equal(t, "kept", e.get(old))
}

// checkTwoStores: two processes on one backend are as ordered as one.
func checkTwoStores(t testing.TB, open Open) {
	e := newEnv(t, open)
	sharer, ok := e.s.(Sharer)
	if !ok || !e.s.Limits().Shared {
		t.Skip("the store is not shared")
	}
	second, err := sharer.Second()
	require.NoError(t, err)
	defer func() { require.NoError(t, second.Close()) }()
	stores := []*env{e, {t: t, s: second, ctx: e.ctx}}
	counter := key(4, "counter")
	rounds := work(40)
	require.NoError(t, crowd(6, func(w int) error {
		mine := stores[w%2]
		for range rounds {
			var seq storage.Seq
			if err := mine.update(exclusive(counter), func(tx storage.Tx) error {
				seq = tx.Seq()
				n := number(tx.Value(0)) + 1
				tx.Put(counter, decimal(n))
				tx.Put(recordKey(seq), decimal(n))
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}))
	records, err := stores[1].readStream(^storage.Seq(0))
	require.NoError(t, err)
	require.Len(t, records, 6*rounds)
	for i, r := range records {
		require.Equal(t, string(decimal(i+1)), r.value, "Seqs of both stores are one order")
	}
	stores[1].put(key(9, "seen"), "by the first")
	assert.Equal(t, "by the first", e.get(key(9, "seen")))
}
