package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestExactFiguresAreExact: whatever memtables and tables hold of a prefix, an estimate that says that it
// is exact has the number of its keys; and it says so where one source holds all.
func TestExactFiguresAreExact(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(6))
	ctx := context.Background()
	prefix := func(p byte) storage.Range {
		start, end := make([]byte, storage.PrefixBytes), make([]byte, storage.PrefixBytes)
		start[7], end[7] = p, p+1
		return storage.Range{Start: start, End: end}
	}
	rnd := rand.New(rand.NewPCG(6, 1))
	model := [3]map[string]bool{{}, {}, {}}
	exact := 0
	check := func(always bool) {
		for p := range byte(3) {
			s, err := db.estimate(ctx, prefix(p))
			require.NoError(t, err)
			if always || s.Exact {
				require.Equal(t, storage.Stats{Keys: int64(len(model[p])), Bytes: s.Bytes, Exact: true}, s)
				exact++
			}
		}
	}
	check(true)
	for round := range 60 {
		for range 30 {
			p := byte(rnd.IntN(3))
			k := testKey(byte(rnd.IntN(3)*80), fmt.Sprintf("k%03d", rnd.IntN(60)))
			k[7] = p
			if rnd.IntN(2) == 0 {
				delete(model[p], string(k))
				require.NoError(t, db.Apply(ctx, &storage.Batch{Ops: []storage.Op{{Key: k, Delete: true}}}, storage.UpdateOptions{}))
			} else {
				model[p][string(k)] = true
				mustPut(t, db, k, "value")
			}
			check(round == 0)
		}
		switch rnd.IntN(4) {
		case 0:
			flushAll(t, db)
		case 1:
			_, err := db.compactOnce(ctx, rnd.IntN(2) == 0)
			require.NoError(t, err)
		case 2:
			flushAll(t, db)
			require.NoError(t, db.compactAll(ctx))
		}
		check(false)
	}
	require.Greater(t, exact, 3*31, "exact later than in the first memtable")
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	check(true)
	require.NoError(t, db.Close())
}

// TestFiguresReadOnlyWhatIsAskedAbout: the properties of tables outside the range are left alone.
func TestFiguresReadOnlyWhatIsAskedAbout(t *testing.T) {
	fs := vfs.NewMemFS(7)
	db := openManual(t, fs)
	for _, p := range []byte{1, 2} {
		for i := range 10 {
			k := testKey(0, fmt.Sprint(i))
			k[7] = p
			mustPut(t, db, k, "value")
		}
		flushAll(t, db)
	}
	require.NoError(t, db.Close())
	db = openManual(t, fs)
	before := db.Metrics().ResidentBytes
	for _, c := range []struct {
		start, end []byte
		keys       int64
		reads      bool
	}{
		{[]byte{0, 0, 0, 0, 0, 0, 0, 3}, nil, 0, false},
		{nil, []byte{0, 0, 0, 0, 0, 0, 0, 1}, 0, false},
		{[]byte{0, 0, 0, 0, 0, 0, 0, 1}, []byte{0, 0, 0, 0, 0, 0, 0, 2}, 10, true},
		{nil, nil, 20, true},
	} {
		s, err := db.estimate(context.Background(), storage.Range{Start: c.start, End: c.end})
		require.NoError(t, err)
		require.Equal(t, c.keys, s.Keys)
		require.True(t, s.Exact)
		after := db.Metrics().ResidentBytes
		require.Equal(t, c.reads, after > before)
		before = after
	}
	require.NoError(t, db.Close())
}

// TestFiguresOfManyPrefixes: of memtables and tables that hold many prefixes a range counts its own.
func TestFiguresOfManyPrefixes(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(8))
	key := func(p int) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, byte(p), 0, 0, 0, 0, 0, 1, 2, 3} }
	for p := range 40 {
		mustPut(t, db, key(2*p), "value")
	}
	step := 1
	if testing.Short() {
		step = 3 // both parities still
	}
	check := func() {
		for from := range 82 {
			for to := from; to < 82; to += step {
				want := 0
				for p := range 40 {
					if from <= 2*p && 2*p < to {
						want++
					}
				}
				for _, n := range []int{8, storage.PrefixBytes} { // both ends with and without a sub
					s, err := db.estimate(context.Background(), storage.Range{Start: key(from)[:n], End: key(to)[:n]})
					require.NoError(t, err)
					require.Equal(t, int64(want), s.Keys, "%d to %d", from, to)
				}
			}
		}
		s, err := db.estimate(context.Background(), storage.Range{Start: key(41)})
		require.NoError(t, err)
		require.Equal(t, int64(19), s.Keys)
	}
	check()
	flushAll(t, db)
	check()
	require.NoError(t, db.Close())
}
