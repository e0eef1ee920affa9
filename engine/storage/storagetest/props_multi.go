package storagetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func multiProperties() []Property {
	return []Property{
		{"NoWaitRefusedWhileMultiHolds", checkNoWaitHeld},
		{"NoWaitWaitsForPlain", checkNoWaitPlain},
		{"WaitingIsTheRule", checkWaiting},
		{"BatchesWaitToo", checkBlindWaits},
		{"NoWaitRefusedWhileMultiInvisible", checkNoWaitInvisible},
		{"NoWaitAfterMultiIsVisible", checkNoWaitAfter},
		{"SharedKeysShare", checkSharedShare},
	}
}

// requireMulti asserts that err blames a transaction on key k.
func requireMulti(t testing.TB, err error, k []byte) {
	t.Helper()
	require.ErrorIs(t, err, storage.ErrConflict)
	var conflict *storage.ConflictError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, k, conflict.Key)
	require.True(t, conflict.Multi, "the holder is a transaction")
}

// probe writes to k without waiting for a transaction.
func (e *env) probe(k []byte) error {
	return e.update([]storage.Named{{Key: k, NoWait: true}}, func(tx storage.Tx) error {
		tx.Put(k, []byte("probe"))
		return nil
	})
}

// probeBlind is probe with a batch.
func (e *env) probeBlind(k []byte) error {
	return e.apply(&storage.Batch{Ops: []storage.Op{{Key: k, Value: []byte("blind probe"), NoWait: true}}})
}

func (e *env) multi(named []storage.Named, fn func(storage.Tx) error) error {
	return e.retry(func() error {
		return e.s.Update(e.ctx, named, storage.UpdateOptions{Multi: true}, fn)
	})
}

// checkNoWaitHeld probes from inside a transaction's fn. In a run that is thrown away the key may
// not be held; the run that counts holds it.
func checkNoWaitHeld(t testing.TB, open Open) {
	e := newEnv(t, open)
	k, l := key(1, "k"), key(2, "l")
	var probed, blind, free error
	require.NoError(t, e.multi(exclusive(k), func(tx storage.Tx) error {
		probed = <-start(func() error { return e.probe(k) })
		blind = <-start(func() error { return e.probeBlind(k) })
		free = <-start(func() error { return e.probe(l) })
		tx.Put(k, []byte("multi"))
		return nil
	}))
	requireMulti(t, probed, k)
	requireMulti(t, blind, k)
	require.NoError(t, free, "another key is free")
	require.Equal(t, "multi", e.get(k))
}

// checkBlindWaits: a batch without NoWait waits for a transaction, and is behind it.
func checkBlindWaits(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	var once sync.Once
	var waited <-chan error
	require.NoError(t, e.multi(exclusive(k), func(tx storage.Tx) error {
		once.Do(func() {
			waited = start(func() error {
				return e.apply(&storage.Batch{Ops: []storage.Op{{Key: k, Value: []byte("blind")}}})
			})
			replayLinger(&waited)
		})
		tx.Put(k, []byte("multi after "+text(tx.Value(0))))
		return nil
	}))
	require.NoError(t, <-waited)
	require.Contains(t, []string{"blind", "multi after blind"}, e.get(k))
}

func checkNoWaitPlain(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	var once sync.Once
	var probed <-chan error
	require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
		once.Do(func() {
			probed = start(func() error { return e.probe(k) })
			replayLinger(&probed)
		})
		tx.Put(k, []byte("plain"))
		return nil
	}))
	require.NoError(t, <-probed, "plain writes wait for each other")
	require.Contains(t, []string{"probe", "plain"}, e.get(k))
}

// checkWaiting: without NoWait an update waits even for a transaction.
func checkWaiting(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	var once sync.Once
	var waited <-chan error
	require.NoError(t, e.multi(exclusive(k), func(tx storage.Tx) error {
		once.Do(func() {
			waited = start(func() error {
				return e.update(exclusive(k), func(tx storage.Tx) error {
					tx.Put(k, append([]byte("after "), text(tx.Value(0))...))
					return nil
				})
			})
			replayLinger(&waited)
		})
		tx.Put(k, append([]byte("multi after "), text(tx.Value(0))...))
		return nil
	}))
	require.NoError(t, <-waited)
	require.Contains(t, []string{
		"after multi after " + absent, "multi after after " + absent,
	}, e.get(k))
}

// checkNoWaitInvisible: a transaction that has given its key back, but is not visible yet, still
// refuses; a plain update in the same place does not.
func checkNoWaitInvisible(t testing.TB, open Open) {
	e := newEnv(t, open)
	staller, ok := e.s.(Staller)
	if !ok {
		t.Skip("the store cannot stall publication")
	}
	k, plain := key(1, "k"), key(2, "plain")
	release := staller.StallPublish()
	defer release()
	multi := start(func() error {
		return e.multi(exclusive(k), func(tx storage.Tx) error {
			tx.Put(k, []byte("multi"))
			return nil
		})
	})
	single := start(func() error {
		return e.update(exclusive(plain), func(tx storage.Tx) error {
			tx.Put(plain, []byte("single"))
			return nil
		})
	})
	e.awaitPending(k, "multi")
	e.awaitPending(plain, "single")
	requireMulti(t, e.probe(k), k)
	requireMulti(t, e.probeBlind(k), k)
	after := start(func() error { return e.probe(plain) })
	require.Equal(t, absent, e.get(k), "not visible yet")
	release()
	require.NoError(t, errors.Join(<-multi, <-single, <-after))
	require.Equal(t, []string{"multi", "probe"}, []string{e.get(k), e.get(plain)})
	require.NoError(t, e.probe(k))
	require.NoError(t, e.probeBlind(k))
}

// awaitPending returns once updaters of k read want: whoever wrote it has given the key back.
func (e *env) awaitPending(k []byte, want string) {
	e.t.Helper()
	for {
		seen := make(chan string, 1)
		reader := start(func() error {
			return e.update([]storage.Named{{Key: k, Shared: true}}, func(tx storage.Tx) error {
				select {
				case <-seen:
				default:
				}
				seen <- text(tx.Value(0))
				return nil
			})
		})
		select {
		case got := <-seen:
			if got == want {
				return // reader stays behind, until publication goes on
			}
		case <-e.ctx.Done():
			e.t.Fatalf("storagetest: nobody sees %q", want)
		}
		select { // a thrown-away run may have seen more; ask again when this reader is done
		case err := <-reader:
			require.NoError(e.t, err)
		case got := <-seen:
			if got == want {
				return
			}
		case <-e.ctx.Done():
			e.t.Fatalf("storagetest: nobody sees %q", want)
		}
	}
}

func checkNoWaitAfter(t testing.TB, open Open) {
	e := newEnv(t, open)
	k := key(1, "k")
	for i := range work(20) {
		require.NoError(t, e.multi(exclusive(k), func(tx storage.Tx) error {
			tx.Put(k, decimal(i))
			return nil
		}))
		require.NoError(t, e.probeBlind(k), "an acknowledged transaction is in nobody's way")
		require.NoError(t, e.probe(k))
	}
}

// checkSharedShare: updates that share a key run side by side.
func checkSharedShare(t testing.TB, open Open) {
	e := newEnv(t, open)
	lease := key(1, "lease")
	e.put(lease, "epoch 1")
	var inner error
	var once sync.Once
	require.NoError(t, e.update([]storage.Named{{Key: lease, Shared: true}, {Key: key(2, "a")}},
		func(tx storage.Tx) error {
			once.Do(func() {
				inner = <-start(func() error {
					named := []storage.Named{{Key: lease, Shared: true}, {Key: key(3, "b")}}
					return e.update(named, func(tx storage.Tx) error {
						if got := text(tx.Value(0)); got != "epoch 1" {
							return fmt.Errorf("read %q", got)
						}
						tx.Put(key(3, "b"), []byte("inside"))
						return nil
					})
				})
			})
			tx.Put(key(2, "a"), []byte("outside"))
			return nil
		}))
	require.NoError(t, inner)
	require.Equal(t, []string{"outside", "inside"}, []string{e.get(key(2, "a")), e.get(key(3, "b"))})
}
