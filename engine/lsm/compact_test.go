package lsm

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// openManual opens a database without background work, in a memory file system.
func openManual(t testing.TB, fs vfs.FS) *DB {
	t.Helper()
	db, err := Open("db", Options{FS: fs, manual: true, SegmentBytes: 1 << 20, LogBytes: 64 << 20})
	require.NoError(t, err)
	return db
}

// flushAll writes every memtable into a table.
func flushAll(t testing.TB, db *DB) {
	t.Helper()
	require.NoError(t, db.pass(passAll))
}

func tablesOf(db *DB) (level0, all int, size int64) {
	m := db.Metrics()
	return m.Level0, m.Tables, m.TableBytes
}

// checkModel compares every way to read with a map.
func checkModel(t *testing.T, db *DB, model map[string]string) {
	t.Helper()
	ctx := context.Background()
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(t, err)
	defer snap.Close()
	keys := slices.Sorted(maps.Keys(model))
	for _, reverse := range []bool{false, true} {
		it, err := snap.Iter(ctx, storage.Range{}, storage.IterOptions{Reverse: reverse})
		require.NoError(t, err)
		n := 0
		for it.Next() {
			k := keys[n]
			if reverse {
				k = keys[len(keys)-1-n]
			}
			require.Equal(t, k, string(it.Key()))
			require.Equal(t, model[k], string(it.Value()))
			n++
		}
		require.NoError(t, it.Err())
		it.Close()
		require.Len(t, keys, n)
	}
	for k, v := range model {
		require.Equal(t, v, mustGet(t, db, []byte(k)))
	}
}

func TestCompactionAgainstModel(t *testing.T) {
	fs := vfs.NewMemFS(1)
	db := openManual(t, fs)
	r := rand.New(rand.NewPCG(4, 2))
	model := map[string]string{}
	ctx := context.Background()
	type held struct {
		snap  storage.Snapshot
		model map[string]string
	}
	var snaps []held
	for round := range 30 {
		for range 150 {
			k := string(testKey(byte(r.IntN(3)*80), fmt.Sprintf("k%04d", r.IntN(300))))
			if r.IntN(3) == 0 {
				delete(model, k)
				require.NoError(t, db.Apply(ctx, &storage.Batch{Ops: []storage.Op{{Key: []byte(k), Delete: true}}}, storage.UpdateOptions{}))
				continue
			}
			v := strings.Repeat(fmt.Sprint(round, "."), 1+r.IntN(300))
			model[k] = v
			mustPut(t, db, []byte(k), v)
		}
		if round%7 == 3 {
			s, err := db.Snapshot(ctx, storage.SnapshotOptions{})
			require.NoError(t, err)
			snaps = append(snaps, held{s, maps.Clone(model)})
		}
		flushAll(t, db)
		if round%2 == 1 {
			_, err := db.compactOnce(ctx, round%4 == 1)
			require.NoError(t, err)
		}
		if round%10 == 9 {
			require.NoError(t, db.compactAll(ctx))
			checkModel(t, db, model)
			for _, h := range snaps {
				for k, v := range h.model {
					got, err := h.snap.Get(ctx, []byte(k))
					require.NoError(t, err)
					require.Equal(t, v, string(got.Data))
				}
				h.snap.Close()
			}
			snaps = nil
		}
	}
	require.NoError(t, db.compactAll(ctx))
	l0, _, _ := tablesOf(db)
	require.Zero(t, l0, "an idle database has nothing in level 0 of so small a stripe")
	require.NoError(t, db.Close())

	db = openManual(t, fs)
	checkModel(t, db, model)
	for i := range db.stripes {
		for _, level := range db.stripes[i].tables.levels {
			for _, tb := range level {
				require.NoError(t, tb.reader.Verify(ctx))
			}
		}
	}
	require.NoError(t, db.Close())
}

func TestSpaceAfterOverwrites(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(2))
	r := rand.New(rand.NewPCG(1, 1))
	value := make([]byte, 800)
	load := func() {
		for i := range 4000 {
			for j := range value {
				value[j] = byte(r.Uint32())
			}
			mustPut(t, db, testKey(byte(i%2), fmt.Sprintf("k%06d", i)), string(value))
			if i%500 == 499 {
				flushAll(t, db)
				for {
					worked, err := db.compactOnce(context.Background(), false)
					require.NoError(t, err)
					if !worked {
						break
					}
				}
			}
		}
	}
	load()
	require.NoError(t, db.compactAll(context.Background()))
	_, _, once := tablesOf(db)
	load()
	load()
	require.NoError(t, db.compactAll(context.Background()))
	_, _, thrice := tablesOf(db)
	t.Logf("%d bytes after a load, %d after two overwrites", once, thrice)
	require.LessOrEqual(t, float64(thrice), 1.6*float64(once))
	require.NoError(t, db.Close())
}

func TestDeletedKeysLeave(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(3))
	ctx := context.Background()
	for i := range 1000 {
		mustPut(t, db, testKey(9, fmt.Sprintf("k%06d", i)), strings.Repeat("v", 300))
	}
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	var b storage.Batch
	for i := range 1000 {
		b.Delete(testKey(9, fmt.Sprintf("k%06d", i)))
	}
	require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	_, tables, _ := tablesOf(db)
	require.Zero(t, tables)
	require.NoError(t, db.Close())
}

func TestTablesThatOverlapNothingMove(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(4))
	ctx := context.Background()
	value := make([]byte, 1000)
	r := rand.New(rand.NewPCG(3, 1))
	for i := range 1000 {
		for j := range value {
			value[j] = byte(r.Uint32())
		}
		mustPut(t, db, testKey(7, fmt.Sprintf("k%06d", i)), string(value))
		if i%200 == 199 {
			flushAll(t, db)
		}
	}
	require.NoError(t, db.compactAll(ctx))
	l0, tables, _ := tablesOf(db)
	require.Zero(t, l0)
	require.Equal(t, 5, tables)
	require.Zero(t, db.Metrics().CompactWritten)
	require.NoError(t, db.Close())
}

func TestDropRange(t *testing.T) {
	fs := vfs.NewMemFS(5)
	db := openManual(t, fs)
	ctx := context.Background()
	key := func(table byte, i int) []byte {
		k := testKey(byte(i*50), fmt.Sprintf("k%06d", i))
		k[7] = table
		return k
	}
	whole := func(table byte) storage.Range {
		start := make([]byte, storage.PrefixBytes)
		end := make([]byte, storage.PrefixBytes)
		start[7], end[7] = table, table+1
		return storage.Range{Start: start, End: end}
	}
	model := map[string]string{}
	for i := range 300 {
		for table := byte(1); table < 5; table++ {
			mustPut(t, db, key(table, i), "value")
			if table != 2 && table != 4 {
				model[string(key(table, i))] = "value"
			}
		}
		if i%100 == 99 {
			flushAll(t, db)
		}
	}
	for i := range 50 { // these stay in the memtable
		mustPut(t, db, key(4, 1000+i), "value")
	}
	require.NoError(t, db.DropRange(ctx, whole(2)))
	require.NoError(t, db.DropRange(ctx, whole(4)))
	require.NoError(t, db.DropRange(ctx, whole(4)), "again")
	checkModel(t, db, model)
	s, err := db.Stats(ctx, whole(4))
	require.NoError(t, err)
	require.Equal(t, storage.Stats{Exact: true}, s)
	s, err = db.Stats(ctx, whole(3))
	require.NoError(t, err)
	require.Equal(t, int64(300), s.Keys)
	require.True(t, s.Exact)

	require.NoError(t, db.retireDead())
	require.Len(t, db.man.state.Dead, 2, "tables still hold such keys")
	require.NoError(t, db.compactAll(ctx))
	require.NoError(t, db.retireDead())
	require.Len(t, db.man.state.Dead, 2, "the log still holds such keys")
	require.NoError(t, db.Close())

	db = openManual(t, fs)
	checkModel(t, db, model)
	mustPut(t, db, key(1, 0), "value")
	require.NoError(t, db.retireDead()) // learns from where on the log is clean
	mustPut(t, db, key(1, 0), "value")
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	require.NoError(t, db.retireDead())
	require.Empty(t, db.man.state.Dead)
	require.Empty(t, db.compact.deadSince, "nor is anything kept in memory")
	require.Empty(t, db.compact.clean)
	checkModel(t, db, model)
	require.NoError(t, db.Close())
}

func TestDropRangeInMemory(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	for i := range 100 {
		mustPut(t, db, testKey(byte(i), fmt.Sprint(i)), "value")
	}
	used := db.memBytes.Load()
	start := testKey(10, "")[:storage.PrefixBytes+1]
	end := bytes.Clone(start)
	end[storage.PrefixBytes] = 60
	require.NoError(t, db.DropRange(context.Background(), storage.Range{Start: start, End: end}))
	require.Less(t, db.memBytes.Load(), used)
	for i := range 100 {
		want := "value"
		if i >= 10 && i < 60 {
			want = "-"
		}
		require.Equal(t, want, mustGet(t, db, testKey(byte(i), fmt.Sprint(i))))
	}
	require.NoError(t, db.Close())
}

func TestDisjointRangesRunInParallel(t *testing.T) {
	var c compactions
	a := &span{3, []byte("a"), []byte("c")}
	require.True(t, c.claim(a))
	require.False(t, c.claim(&span{3, []byte("c"), []byte("d")}))
	require.True(t, c.claim(&span{3, []byte("d"), []byte("e")}))
	require.True(t, c.claim(&span{4, []byte("a"), []byte("c")}))
	c.unclaim(a)
	require.True(t, c.claim(&span{3, []byte("c"), []byte("c5")}))
}

func TestPace(t *testing.T) {
	require.Zero(t, pressure(0, 0))
	require.Zero(t, pressure(l0Start, logPressLow))
	require.InDelta(t, 0.5, pressure((l0Start+l0SlowTables)/2, 0), 1e-9)
	require.InDelta(t, 0.5, pressure(0, 0.625), 1e-9)
	require.InDelta(t, 1, pressure(l0SlowTables, 0), 1e-9)
	require.InDelta(t, 1, pressure(0, 0.9), 1e-9)
	require.Equal(t, time.Second, paceFor(64_000_000, 0))
	require.Equal(t, time.Second/2, paceFor(64_000_000, 0.5))
	require.Zero(t, paceFor(64_000_000, 1))
}

func TestAStaleJobIsNotClaimed(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(6))
	for i := range 3 {
		mustPut(t, db, testKey(1, "k"), fmt.Sprint(i))
		flushAll(t, db)
	}
	s := &db.stripes[1]
	old := s.tables.acquire()
	stale := old.job(1, 0, &db.opts)
	require.Len(t, stale.inputs, 3)
	require.NoError(t, db.compactAll(context.Background()))
	require.False(t, db.claimCurrent(stale))
	require.Empty(t, db.compact.running)
	db.release(old)
	require.NoError(t, db.Close())
}

func TestACorruptStripeDoesNotHoldUpTheOthers(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(7))
	ctx := context.Background()
	for i := range l0Start {
		mustPut(t, db, testKey(1, "k"), fmt.Sprint(i))
		mustPut(t, db, testKey(2, "k"), fmt.Sprint(i))
		flushAll(t, db)
	}
	bad := db.stripes[1].tables.levels[0][0]
	_, err := db.heap.file.WriteAt([]byte{0xff}, bad.Offset+90)
	require.NoError(t, err)
	require.ErrorIs(t, db.compactAll(ctx), storage.ErrCorrupt)
	require.NoError(t, db.compactAll(ctx))
	require.Len(t, db.stripes[1].tables.levels[0], l0Start)
	require.Empty(t, db.stripes[2].tables.levels[0])
	require.Equal(t, fmt.Sprint(l0Start-1), mustGet(t, db, testKey(2, "k")))
	require.NoError(t, db.Close())
}

// TestTablesWithEqualBoundsKeepTheirOrder fills several tables of one level with keys whose first 64
// bytes are the same, so that the tables' shortened bounds do not tell their order.
func TestTablesWithEqualBoundsKeepTheirOrder(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := openManual(t, fsys)
	rnd := rand.NewChaCha8([32]byte{1})
	ctx := context.Background()
	value := make([]byte, 512<<10)
	const count = 56 // 28 MiB: seven tables
	key := func(i int) []byte { return testKey(1, strings.Repeat("p", 64)+fmt.Sprintf("%04d", i)) }
	for i := range count {
		_, _ = rnd.Read(value) // does not compress
		var b storage.Batch
		b.Put(key(i), value)
		require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
		if i%8 == 7 {
			flushAll(t, db)
		}
	}
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	for round := range 4 {
		snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
		require.NoError(t, err)
		for _, reverse := range []bool{false, true} {
			it, err := snap.Iter(ctx, storage.Range{}, storage.IterOptions{Reverse: reverse})
			require.NoError(t, err)
			for i := range count {
				want := i
				if reverse {
					want = count - 1 - i
				}
				require.True(t, it.Next(), "round %d, entry %d, reverse %v", round, i, reverse)
				require.Equal(t, string(key(want)), string(it.Key()), "round %d, entry %d", round, i)
			}
			require.False(t, it.Next())
			it.Close()
		}
		snap.Close()
		require.NoError(t, db.Close())
		db = openManual(t, fsys)
	}
	require.NoError(t, db.Close())
}
