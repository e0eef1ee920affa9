package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// iteratedDB has keys in three stripes, in tables of two levels and in memtables, and returns them in
// order. The value of each is its key and its stripe.
func iteratedDB(t *testing.T) (*DB, []string) {
	db := manualDB(t, vfs.NewMemFS(1), nil)
	var keys []string
	for part := range 3 {
		for i := part; i < 240; i += 3 {
			key := testKey(byte(i/80), fmt.Sprintf("%04d", i))
			mustPut(t, db, key, string(key))
			keys = append(keys, string(key))
		}
		switch part {
		case 0:
			require.NoError(t, db.checkpoint())
			require.NoError(t, db.compactAll(context.Background()))
		case 1:
			require.NoError(t, db.checkpoint())
		}
	}
	slices.Sort(keys)
	return db, keys
}

// walked is an iterator of a test with what it must show next.
type walked struct {
	storage.Iterator
	left []string
}

func walkSomewhere(t *testing.T, snap storage.Snapshot, keys []string, r *rand.Rand) *walked {
	from := r.IntN(len(keys))
	to := from + r.IntN(len(keys)-from)
	opts := storage.IterOptions{Reverse: r.IntN(2) == 0, KeepValues: r.IntN(2) == 0}
	it, err := snap.Iter(context.Background(), storage.Range{Start: []byte(keys[from]), End: []byte(keys[to])}, opts)
	require.NoError(t, err)
	left := slices.Clone(keys[from:to])
	if opts.Reverse {
		slices.Reverse(left)
	}
	return &walked{Iterator: it, left: left}
}

// step moves on and looks at what is shown; false at the end.
func (w *walked) step(t *testing.T) bool {
	require.Equal(t, len(w.left) > 0, w.Next())
	if len(w.left) == 0 {
		require.NoError(t, w.Err())
		return false
	}
	require.Equal(t, w.left[0], string(w.Key()))
	require.Equal(t, w.left[0], string(w.Value()))
	w.left = w.left[1:]
	return true
}

// TestAClosedIteratorShowsNothing, closed once or twice, while others use its memory.
func TestAClosedIteratorShowsNothing(t *testing.T) {
	db, keys := iteratedDB(t)
	snap, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	var all sync.WaitGroup
	for seed := range uint64(2) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, 1))
			var open, closed []*walked
			for range 3000 {
				switch i := r.IntN(10); {
				case i == 0 || len(open) == 0:
					open = append(open, walkSomewhere(t, snap, keys, r))
				case i == 1:
					w := open[0]
					w.Close()
					open, closed = open[1:], append(closed, w)
				case i == 2 && len(closed) > 0:
					w := closed[r.IntN(len(closed))]
					w.Close()
					require.False(t, w.Next())
					require.Nil(t, w.Key())
					require.Nil(t, w.Value())
					require.NoError(t, w.Err())
				default:
					open[r.IntN(len(open))].step(t)
				}
			}
			for _, w := range open {
				for w.step(t) {
				}
				w.Close()
			}
		})
	}
	all.Wait()
	snap.Close()
	require.NoError(t, db.Close())
}

// TestAClosedIteratorSaysWhatEndedIt.
func TestAClosedIteratorSaysWhatEndedIt(t *testing.T) {
	db, keys := iteratedDB(t)
	snap, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	it, err := snap.Iter(ctx, storage.Range{Start: []byte(keys[0])}, storage.IterOptions{})
	require.NoError(t, err)
	cancel()
	require.False(t, it.Next())
	it.Close()
	require.ErrorIs(t, it.Err(), context.Canceled)
	snap.Close()
	require.NoError(t, db.Close())
}

// TestAClosedWalkKeepsNothing that it read: what it may be used for again is room.
func TestAClosedWalkKeepsNothing(t *testing.T) {
	db, keys := iteratedDB(t)
	snap, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	for _, reverse := range []bool{false, true} {
		for _, steps := range []int{0, 1, 100, len(keys) + 1} {
			prefix := []byte(keys[0][:storage.PrefixBytes])
			end := append(slices.Clone(prefix), 3)
			it, err := snap.Iter(context.Background(), storage.Range{Start: prefix, End: end},
				storage.IterOptions{Reverse: reverse})
			require.NoError(t, err)
			for range steps {
				it.Next()
			}
			require.NoError(t, it.Err())
			w := it.(*iter).w
			it.Close()
			require.Equal(t, course{}, w.course)
			require.Empty(t, w.sources)
			for _, v := range w.held[:cap(w.held)] {
				require.Nil(t, v)
			}
			for _, m := range w.memtables.all {
				require.Equal(t, memtable.Iter{}, *m)
			}
			for _, l := range w.levels.all {
				require.Nil(t, l.cur)
				for _, in := range l.tables[:cap(l.tables)] {
					require.Nil(t, in)
				}
			}
			for _, b := range w.scan.Key()[:cap(w.scan.Key())] {
				require.Zero(t, b)
			}
			if steps > 0 {
				require.NotZero(t, len(w.memtables.all)+len(w.levels.all))
			}
		}
	}
	snap.Close()
	require.NoError(t, db.Close())
}
