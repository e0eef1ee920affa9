package storagetest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func snapshotProperties() []Property {
	return []Property{
		{"SnapshotIsRepeatable", checkRepeatable},
		{"SnapshotsAreMonotonic", checkMonotonic},
		{"GetManyInOrder", checkGetMany},
		{"SnapshotIsConcurrent", checkSnapshotConcurrent},
		{"InvisibleIsUnseen", checkInvisible},
		{"RecentIsConsistent", checkRecent},
	}
}

// checkRepeatable: a snapshot stays as it is, whatever is written, overwritten or deleted.
func checkRepeatable(t testing.TB, open Open) {
	e := newEnv(t, open)
	var keys [][]byte
	for i := range 30 {
		keys = append(keys, spread("s", i))
		if i%3 != 0 {
			e.put(keys[i], fmt.Sprint("old", i))
		}
	}
	snap := e.snapshotUntilEnd()
	view := func() (string, []pair, []pair) {
		values, err := snap.GetMany(e.ctx, keys)
		require.NoError(t, err)
		var all strings.Builder
		for i, v := range values {
			one, err := snap.Get(e.ctx, keys[i])
			require.NoError(t, err)
			require.Equal(t, text(v), text(one))
			all.WriteString(text(v) + " ")
		}
		forward, err := e.scan(snap, storage.Range{}, storage.IterOptions{})
		require.NoError(t, err)
		back, err := e.scan(snap, storage.Range{}, storage.IterOptions{Reverse: true})
		require.NoError(t, err)
		return all.String(), forward, back
	}
	all, forward, back := view()
	require.Len(t, forward, 20)
	it, err := snap.Iter(e.ctx, storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	defer it.Close()
	for i, k := range keys {
		switch i % 4 {
		case 0:
			e.delete(k)
		case 1:
			e.put(k, "new")
		default:
			require.NoError(t, e.update(exclusive(k), func(tx storage.Tx) error {
				tx.Put(k, append([]byte("newer"), tx.Value(0).Data...))
				return nil
			}))
		}
		e.put(spread("later", i), "x")
	}
	allAgain, forwardAgain, backAgain := view()
	assert.Equal(t, all, allAgain)
	assert.Equal(t, forward, forwardAgain)
	assert.Equal(t, back, backAgain)
	var opened []pair
	for it.Next() {
		opened = append(opened, pair{string(it.Key()), string(it.Value())})
	}
	require.NoError(t, it.Err())
	assert.Equal(t, forward, opened, "an iterator that was open before")
}

// checkMonotonic: one update is in a snapshot only with all that it saw.
func checkMonotonic(t testing.TB, open Open) {
	e := newEnv(t, open)
	x, y := key(10, "x"), key(200, "y")
	rounds := work(60)
	require.NoError(t, crowd(3, func(w int) error {
		for i := range rounds {
			if w == 0 { // y follows x
				if err := e.update([]storage.Named{{Key: x, Shared: true}, {Key: y}},
					func(tx storage.Tx) error {
						tx.Put(y, decimal(number(tx.Value(0))))
						return nil
					}); err != nil {
					return err
				}
				continue
			}
			if w == 1 {
				if err := e.update(exclusive(x), func(tx storage.Tx) error {
					tx.Put(x, decimal(number(tx.Value(0))+1))
					return nil
				}); err != nil {
					return err
				}
				continue
			}
			snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{})
			if err != nil {
				return err
			}
			values, err := snap.GetMany(e.ctx, [][]byte{x, y})
			snap.Close()
			if err != nil {
				return err
			}
			if a, b := number(values[0]), number(values[1]); b > a {
				return fmt.Errorf("round %d: y is %d, x only %d", i, b, a)
			}
		}
		return nil
	}))
}

func checkGetMany(t testing.TB, open Open) {
	e := newEnv(t, open)
	for i := range 10 {
		e.put(spread("g", i), fmt.Sprint(i))
	}
	snap := e.snapshotUntilEnd()
	order := []int{7, 3, 99, 3, 0, 9, 50, 1}
	var keys [][]byte
	for _, i := range order {
		keys = append(keys, spread("g", i))
	}
	values, err := snap.GetMany(e.ctx, keys)
	require.NoError(t, err)
	require.Len(t, values, len(order))
	var got []string
	for _, v := range values {
		got = append(got, text(v))
	}
	assert.Equal(t, []string{"7", "3", absent, "3", "0", "9", absent, "1"}, got)
	values, err = snap.GetMany(e.ctx, nil)
	require.NoError(t, err)
	assert.Empty(t, values)
}

func checkSnapshotConcurrent(t testing.TB, open Open) {
	e := newEnv(t, open)
	for i := range 50 {
		e.put(spread("c", i), fmt.Sprint(i))
	}
	snap := e.snapshotUntilEnd()
	require.NoError(t, crowd(6, func(w int) error {
		for i := range work(5) {
			got, err := e.scan(snap, storage.Range{}, storage.IterOptions{Reverse: w%2 == 0})
			if err != nil {
				return err
			}
			if len(got) != 50 {
				return fmt.Errorf("%d entries", len(got))
			}
			v, err := snap.Get(e.ctx, spread("c", w))
			if err != nil || text(v) != fmt.Sprint(w) {
				return fmt.Errorf("got %s: %w", text(v), err)
			}
			if w == 0 {
				var b storage.Batch
				b.Put(spread("c", i), []byte("changed"))
				if err := e.apply(&b); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// checkInvisible: what is inserted but not published is seen by updaters only.
func checkInvisible(t testing.TB, open Open) {
	e := newEnv(t, open)
	staller, ok := e.s.(Staller)
	if !ok {
		t.Skip("the store cannot stall publication")
	}
	k, l := key(1, "k"), key(99, "l")
	e.put(k, "old")
	release := staller.StallPublish()
	defer release()
	writing := start(func() error {
		return e.update(exclusive(k, l), func(tx storage.Tx) error {
			tx.Put(k, []byte("new"))
			tx.Put(l, []byte("new"))
			return nil
		})
	})
	e.awaitPending(k, "new")
	snap := e.snapshotUntilEnd()
	inSnap := func() []pair {
		got, err := e.scan(snap, storage.Range{}, storage.IterOptions{})
		require.NoError(t, err)
		return got
	}
	assert.Equal(t, []string{"old", absent}, []string{e.get(k), e.get(l)})
	assert.Equal(t, []pair{{string(k), "old"}}, inSnap())
	_, done := linger(writing)
	require.False(t, done, "acknowledged before it is visible")
	release()
	require.NoError(t, <-writing)
	assert.Equal(t, []string{"new", "new"}, []string{e.get(k), e.get(l)})
	assert.Equal(t, []pair{{string(k), "old"}}, inSnap(), "the snapshot was taken before")
}

// checkRecent: a Recent snapshot may lag, but is whole.
func checkRecent(t testing.TB, open Open) {
	e := newEnv(t, open)
	keys := [][]byte{key(1, "a"), key(90, "b"), key(180, "c")}
	for i := range work(30) {
		var b storage.Batch
		for _, k := range keys {
			b.Put(k, decimal(i))
		}
		require.NoError(t, e.apply(&b))
		snap, err := e.s.Snapshot(e.ctx, storage.SnapshotOptions{Freshness: storage.Recent})
		require.NoError(t, err)
		values, err := snap.GetMany(e.ctx, keys)
		require.NoError(t, err)
		snap.Close()
		require.Equal(t, text(values[0]), text(values[1]))
		require.Equal(t, text(values[0]), text(values[2]))
		require.LessOrEqual(t, number(values[0]), i)
	}
}
