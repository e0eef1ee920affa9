package storagetest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func serialProperties() []Property {
	return []Property{
		{"BlindAgainstUpdatePresent", func(t testing.TB, open Open) { checkBlind(t, open, true) }},
		{"BlindAgainstUpdateAbsent", func(t testing.TB, open Open) { checkBlind(t, open, false) }},
		{"LostUpdate", checkLostUpdate},
		{"WriteSkewPresent", func(t testing.TB, open Open) { checkWriteSkew(t, open, true) }},
		{"WriteSkewAbsent", func(t testing.TB, open Open) { checkWriteSkew(t, open, false) }},
		{"BankSum", checkBankSum},
		{"BatchesAreWhole", checkWhole},
		{"GetIsLinearizable", checkGetLinearizable},
		{"AcknowledgedIsVisible", checkAcknowledged},
	}
}

// checkBlind lets a blind batch arrive while fn runs. It is ordered wholly before the update, which
// then has read it, or wholly after, and then it is what remains.
func checkBlind(t testing.TB, open Open, present bool) {
	e := newEnv(t, open)
	for i := range work(20) {
		k := spread("k", i)
		if present {
			e.put(k, "old")
		}
		var once sync.Once
		var blind <-chan error
		require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
			read := text(tx.Value(0))
			once.Do(func() {
				blind = start(func() error {
					var b storage.Batch
					b.Put(k, []byte("blind"))
					return e.apply(&b)
				})
				replayLinger(&blind)
			})
			tx.Put(k, []byte("update that read "+read))
			return nil
		}))
		require.NoError(t, <-blind)
		assert.Contains(t, []string{"blind", "update that read blind"}, e.get(k))
	}
}

// replayLinger lingers and puts an answer that it took back.
func replayLinger(done *<-chan error) {
	if err, ok := linger(*done); ok {
		*done = start(func() error { return err })
	}
}

func checkLostUpdate(t testing.TB, open Open) {
	e := newEnv(t, open)
	const workers = 8
	rounds := work(40)
	keys := [][]byte{key(0, "hot"), key(128, "warm")}
	require.NoError(t, crowd(workers, func(w int) error {
		for i := range rounds {
			k := keys[(w+i)%len(keys)]
			if err := e.update(exclusive(k), func(tx storage.Tx) error {
				tx.Put(k, decimal(number(tx.Value(0))+1))
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}))
	assert.Equal(t, []string{fmt.Sprint(workers * rounds / 2), fmt.Sprint(workers * rounds / 2)},
		[]string{e.get(keys[0]), e.get(keys[1])})
}

// checkWriteSkew lets two updates read both keys and write one each, if the other's is free. At
// most one may find it so.
func checkWriteSkew(t testing.TB, open Open, present bool) {
	e := newEnv(t, open)
	for i := range work(20) {
		x, y := spread("x", i), spread("y", i)
		if present {
			e.put(x, "free")
			e.put(y, "free")
		}
		take := func(mine, other []byte, during func()) error {
			named := []storage.Named{{Key: other, Shared: true}, {Key: mine}}
			return e.update(named, func(tx storage.Tx) error {
				taken := text(tx.Value(0)) == "taken"
				during()
				if !taken {
					tx.Put(mine, []byte("taken"))
				}
				return nil
			})
		}
		var once sync.Once
		var rival <-chan error
		require.NoError(t, take(x, y, func() {
			once.Do(func() {
				rival = start(func() error { return take(y, x, func() {}) })
				replayLinger(&rival)
			})
		}))
		require.NoError(t, <-rival)
		taken := 0
		for _, k := range [][]byte{x, y} {
			if e.get(k) == "taken" {
				taken++
			}
		}
		require.Equal(t, 1, taken, "exactly one of two updates that exclude each other")
	}
}

// checkBankSum moves money about. Every consistent view sees the same sum.
func checkBankSum(t testing.TB, open Open) {
	const accounts, balance, movers, watchers = 12, 100, 5, 3
	e := newEnv(t, open)
	keys := make([][]byte, accounts)
	shared := make([]storage.Named, accounts)
	for i := range keys {
		keys[i] = spread("acct", i)
		shared[i] = storage.Named{Key: keys[i], Shared: true}
		e.put(keys[i], fmt.Sprint(balance))
	}
	moves := work(40)
	var over atomic.Bool
	var moving sync.WaitGroup
	moving.Add(movers)
	go func() { moving.Wait(); over.Store(true) }()
	require.NoError(t, crowd(movers+watchers, func(w int) error {
		rnd := rand.New(rand.NewPCG(uint64(w), 1))
		if w < movers {
			defer moving.Done()
			for range moves {
				if err := e.move(keys, rnd); err != nil {
					return err
				}
			}
			return nil
		}
		for last := false; ; last = over.Load() {
			if err := e.sums(keys, shared, accounts*balance); err != nil || last {
				return err
			}
			runtime.Gosched() // or the movers come no further on one processor
		}
	}))
}

func (e *env) move(keys [][]byte, rnd *rand.Rand) error {
	from, to := rnd.IntN(len(keys)), rnd.IntN(len(keys)-1)
	if to >= from {
		to++
	}
	amount := 1 + rnd.IntN(30)
	return e.update(exclusive(keys[from], keys[to]), func(tx storage.Tx) error {
		a, b := number(tx.Value(0)), number(tx.Value(1))
		if a < amount {
			return nil
		}
		tx.Put(keys[from], decimal(a-amount))
		tx.Put(keys[to], decimal(b+amount))
		return nil
	})
}

// sums adds the accounts up in three ways.
func (e *env) sums(keys [][]byte, shared []storage.Named, want int) error {
	snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	defer snap.Close()
	entries, err := e.scan(snap, storage.Range{}, storage.IterOptions{})
	if err != nil {
		return err
	}
	byIter := 0
	for _, p := range entries {
		byIter += number(storage.Value{Data: []byte(p.value), Present: true})
	}
	values, err := snap.GetMany(e.ctx, keys)
	if err != nil {
		return err
	}
	byGet := 0
	for _, v := range values {
		byGet += number(v)
	}
	byUpdate := 0
	if err := e.update(shared, func(tx storage.Tx) error {
		byUpdate = 0
		for i := range shared {
			byUpdate += number(tx.Value(i))
		}
		return nil
	}); err != nil {
		return err
	}
	if byIter != want || byGet != want || byUpdate != want {
		return fmt.Errorf("sum is %d by iterator, %d by GetMany, %d by Update, not %d",
			byIter, byGet, byUpdate, want)
	}
	return nil
}

// checkWhole: a batch or update over many stripes is visible at once or not at all.
func checkWhole(t testing.TB, open Open) {
	const width, writers, readers = 8, 4, 2
	e := newEnv(t, open)
	keys := make([][]byte, width)
	var first storage.Batch
	for i := range keys {
		keys[i] = spread("w", i)
		first.Put(keys[i], []byte("0"))
	}
	require.NoError(t, e.apply(&first))
	rounds := work(30)
	var written atomic.Int64
	require.NoError(t, crowd(writers+readers, func(w int) error {
		for i := range rounds {
			value := fmt.Appendf(nil, "%d-%d", w, i)
			var err error
			switch {
			case w >= writers:
				// They would be through before anything is written, on one processor: each looks after another
				// writer has come so far, while the others are on their way.
				for written.Load() < int64(i*writers) {
					runtime.Gosched()
				}
				err = e.sameEverywhere(keys)
			case w%2 == 0:
				var b storage.Batch
				for _, k := range keys {
					b.Put(k, value)
				}
				err = e.apply(&b)
			default:
				err = e.update(exclusive(keys...), func(tx storage.Tx) error {
					for _, k := range keys {
						tx.Put(k, value)
					}
					return nil
				})
			}
			if w < writers {
				written.Add(1)
			}
			if err != nil {
				written.Add(int64(rounds * writers)) // nobody waits for what does not come
				return err
			}
		}
		return nil
	}))
	require.NoError(t, e.sameEverywhere(keys))
}

func (e *env) sameEverywhere(keys [][]byte) error {
	snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	defer snap.Close()
	values, err := snap.GetMany(e.ctx, keys)
	if err != nil {
		return err
	}
	for i, v := range values {
		if text(v) != text(values[0]) {
			return fmt.Errorf("half a batch: key 0 has %s, key %d has %s", text(values[0]), i, text(v))
		}
	}
	return nil
}

// checkGetLinearizable: what anybody has read or been acknowledged is never unread later.
func checkGetLinearizable(t testing.TB, open Open) {
	const writers, readers = 2, 4
	e := newEnv(t, open)
	k := key(5, "clock")
	e.put(k, "0")
	var floor atomic.Int64
	raise := func(n int64) {
		for old := floor.Load(); n > old && !floor.CompareAndSwap(old, n); old = floor.Load() {
		}
	}
	rounds := work(60)
	require.NoError(t, crowd(writers+readers, func(w int) error {
		for range rounds {
			before := floor.Load()
			var got int
			if w < writers {
				if err := e.update(exclusive(k), func(tx storage.Tx) error {
					got = number(tx.Value(0)) + 1
					tx.Put(k, decimal(got))
					return nil
				}); err != nil {
					return err
				}
			} else {
				v, err := e.s.Get(e.ctx, k)
				if err != nil {
					return err
				}
				got = number(v)
				runtime.Gosched() // or they are through before anything is written, on one processor
			}
			if int64(got) < before {
				return fmt.Errorf("read %d after %d was known", got, before)
			}
			raise(int64(got))
		}
		return nil
	}))
}

func checkAcknowledged(t testing.TB, open Open) {
	e := newEnv(t, open)
	require.NoError(t, crowd(6, func(w int) error {
		k := spread("mine", w)
		for i := range work(20) {
			var b storage.Batch
			b.Put(k, decimal(i))
			if err := e.apply(&b); err != nil {
				return err
			}
			v, err := e.s.Get(e.ctx, k)
			if err != nil {
				return err
			}
			snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
			if err != nil {
				return err
			}
			inSnap, err := snap.Get(e.ctx, k)
			snap.Close()
			if err != nil {
				return err
			}
			if number(v) != i || number(inSnap) != i {
				return fmt.Errorf("wrote %d, Get says %s, a new snapshot %s", i, text(v), text(inSnap))
			}
		}
		return nil
	}))
}
