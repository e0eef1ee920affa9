package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// checkRanges compares what walks from and to keys in the middle of tables find.
func checkRanges(t *testing.T, db *DB, model map[string]string, bound func() []byte) {
	t.Helper()
	s, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	defer s.Close()
	for range 20 {
		r := storage.Range{Start: bound(), End: bound()}
		var want []string
		for k := range model {
			if r.Contains([]byte(k)) {
				want = append(want, k)
			}
		}
		slices.Sort(want)
		for _, reverse := range []bool{false, true} {
			it, err := s.Iter(context.Background(), r, storage.IterOptions{Reverse: reverse})
			require.NoError(t, err)
			var got []string
			for it.Next() {
				got = append(got, string(it.Key()))
			}
			require.NoError(t, it.Err())
			it.Close()
			if reverse {
				slices.Reverse(got)
			}
			require.Equal(t, want, got, "reverse %v", reverse)
		}
	}
}

// compactSomewhere takes tables of any level of a stripe down, level 0 as far as it may go: what only a
// large stripe does.
func compactSomewhere(t *testing.T, db *DB, stripe int, rng *rand.Rand) {
	t.Helper()
	v := db.stripes[stripe].tables.acquire()
	defer db.release(v)
	level := rng.IntN(levelLast)
	if len(v.levels[level]) == 0 {
		return
	}
	c := v.job(stripe, level, &db.opts)
	if level == 0 && rng.IntN(2) == 0 {
		most := 1
		for most < levelLast && len(v.levels[most]) == 0 {
			most++
		}
		c = &compaction{span: span{stripe: stripe}, version: v, to: 1 + rng.IntN(most)}
		c.add(v.levels[0][len(v.levels[0])-1], 0)
		c.expand(v.levels[0], 0)
		c.expand(v.levels[c.to], c.to)
	}
	require.True(t, db.claimCurrent(c))
	defer db.compact.unclaim(&c.span)
	if c.move {
		require.NoError(t, db.moveDown(c))
		return
	}
	require.NoError(t, db.rewrite(context.Background(), c))
}

// TestKeysThatDifferBehindTheirBounds: the bounds of a table are shortened, and its keys differ only
// behind that. No deleted key comes back, and a dropped range takes its keys and no others, however
// tables are cut, moved and merged.
func TestKeysThatDifferBehindTheirBounds(t *testing.T) {
	key := func(i int) []byte { return testKey(1, strings.Repeat("p", 80)+fmt.Sprintf("%04d", i)) }
	tables, seeds, rounds := 0, uint64(4), 60
	if testing.Short() {
		seeds, rounds = 1, 20
	}
	for seed := range seeds {
		fsys := vfs.NewMemFS(seed)
		tune := func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 64<<20, 4<<20, 64<<20 }
		db := manualDB(t, fsys, tune)
		ctx := context.Background()
		rng := rand.New(rand.NewPCG(seed, 5))
		const keys = 300
		model, gone := map[string]string{}, map[int]bool{}
		var low storage.Snapshot
		for round := range rounds {
			for range 40 {
				i := rng.IntN(keys)
				switch k := key(i); {
				case gone[i]:
				case rng.IntN(3) == 0:
					mustDelete(t, db, k)
					delete(model, string(k))
				default:
					model[string(k)] = randomValue(rng, rng.IntN(60<<10))
					mustPut(t, db, k, model[string(k)])
				}
				require.NoError(t, db.tend())
			}
			switch rng.IntN(7) {
			case 0:
				first := rng.IntN(keys)
				end := first + 1 + rng.IntN(12)
				for i := first; i < end; i++ {
					gone[i] = true
					delete(model, string(key(i)))
				}
				require.NoError(t, db.DropRange(ctx, storage.Range{Start: key(first), End: key(end)}))
			case 1:
				require.NoError(t, db.compactAll(ctx))
			case 2:
				db = manualDB(t, fsys.CrashClone(vfs.CrashLoseAll, 1), tune)
				fsys = db.opts.FS.(*vfs.MemFS)
				low = nil
			case 3:
				if low != nil {
					low.Close()
				}
				var err error
				low, err = db.Snapshot(ctx, storage.SnapshotOptions{}) // versions below it are kept
				require.NoError(t, err)
			default:
				flushAll(t, db)
				compactSomewhere(t, db, 1, rng)
			}
			if round%10 == 9 {
				checkModel(t, db, model)
				checkRanges(t, db, model, func() []byte { return key(rng.IntN(keys + 1)) })
			}
		}
		if low != nil {
			low.Close()
		}
		flushAll(t, db)
		require.NoError(t, db.compactAll(ctx))
		checkModel(t, db, model)
		tables = max(tables, db.Metrics().Tables)
	}
	require.Greater(t, tables, 1)
}
