package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// vagueStore says of every range half as many keys and bytes more than there are, and not that it is
// exact, as a store with older versions of a key beside the newest. It counts how often it was asked.
type vagueStore struct {
	storage.Store
	asked atomic.Int64
}

func (s *vagueStore) Stats(ctx context.Context, r storage.Range) (storage.Stats, error) {
	s.asked.Add(1)
	st, err := s.Store.Stats(ctx, r)
	return storage.Stats{Keys: st.Keys * 3 / 2, Bytes: st.Bytes * 3 / 2}, err
}

// openCounting opens a database that counts in the background what has more than 50 keys, in steps of
// seven.
func openCounting(t *testing.T, store storage.Store) *testDB {
	t.Helper()
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	db, err := OpenStore(store, Options{Clock: c.Now, NoBackground: true, countMax: 50, countStep: 7})
	require.NoError(t, err)
	return &testDB{DB: db, t: t, clock: c}
}

func openVague(t *testing.T) (*testDB, *vagueStore) {
	t.Helper()
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	s := &vagueStore{Store: mem}
	d := openCounting(t, s)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, s
}

// order is an item of the table orders. Two of three are in the global index, all in the local one.
func order(i int) *attr.Builder {
	b := attr.NewItem().S("pk", fmt.Sprint("p", i%9)).N("sk", fmt.Sprint(i)).S("l", "x").
		S("v", strings.Repeat("v", i%50))
	if i%3 > 0 {
		b.S("g", "g").N("h", fmt.Sprint(i))
	}
	return b
}

func (d *testDB) orderRange(from, to int) {
	d.t.Helper()
	for i := from; i < to; i++ {
		d.put(order(i))
	}
}

// described are the counts and sizes of the table orders and its indexes that DescribeTable shows.
func (d *testDB) described() map[string][2]int64 {
	d.t.Helper()
	var table *api.TableDescription
	settled(d.t, func() error {
		out, err := d.DescribeTable(context.Background(), &api.DescribeTableInput{TableName: api.Some("orders")})
		if err == nil {
			table = out.Table
		}
		return err
	})
	say := map[string][2]int64{"": {table.ItemCount.Value, table.TableSizeBytes.Value}}
	for _, g := range table.GlobalSecondaryIndexes {
		say[g.IndexName.Value] = [2]int64{g.ItemCount.Value, g.IndexSizeBytes.Value}
	}
	for _, l := range table.LocalSecondaryIndexes {
		say[l.IndexName.Value] = [2]int64{l.ItemCount.Value, l.IndexSizeBytes.Value}
	}
	return say
}

// read are the same as Scan finds them.
func (d *testDB) read() map[string][2]int64 {
	d.t.Helper()
	found := map[string][2]int64{}
	for _, index := range []string{"", "byG", "byL"} {
		in := &api.ScanInput{TableName: api.Some("orders"), Limit: api.Some[int64](1000)}
		if index != "" {
			in.IndexName = api.Some(index)
		}
		var out *api.ScanOutput
		settled(d.t, func() (err error) {
			out, err = d.Scan(context.Background(), in)
			return err
		})
		require.Empty(d.t, out.LastEvaluatedKey)
		n := [2]int64{}
		for _, it := range out.Items {
			n[0]++
			n[1] += int64(it.Size())
		}
		found[index] = n
	}
	return found
}

// rows of counts that are stored.
func (d *testDB) countRows() (list []countTask) {
	d.t.Helper()
	settled(d.t, func() (err error) {
		list, err = d.served.Load().countedTables(context.Background())
		return err
	})
	return list
}

// storedCounts are the keys of such rows, those of tables that are gone included.
func (d *testDB) storedCounts() (keys []string) {
	d.t.Helper()
	snap, err := d.served.Load().store.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(d.t, err)
	defer snap.Close()
	it, err := snap.Iter(context.Background(), storage.Range(key.CatalogRange(key.SubCount)), storage.IterOptions{})
	require.NoError(d.t, err)
	defer it.Close()
	for it.Next() {
		keys = append(keys, string(it.Key()))
	}
	require.NoError(d.t, it.Err())
	return keys
}

func (d *testDB) work() {
	d.t.Helper()
	settled(d.t, func() error { return d.Work(context.Background()) })
}

// TestCountsOfALargeTable: what DescribeTable shows is exact after the background has counted, and
// moves with the table until it counts again.
func TestCountsOfALargeTable(t *testing.T) {
	d, _ := openVague(t)
	d.orders()
	d.orderRange(0, 200)
	before := d.described()
	require.NotEqual(t, d.read(), before, "as storage says")
	require.Len(t, d.served.Load().counting.wanted, 3)
	d.work()
	require.Equal(t, d.read(), d.described())
	require.Equal(t, [2]int64{133, d.read()["byG"][1]}, d.described()["byG"])
	require.Empty(t, d.served.Load().counting.wanted, "nothing has changed")

	d.orderRange(200, 300)
	d.work()
	grown := d.described()
	require.Equal(t, int64(300), grown[""][0], "new keys as seen from what storage says")
	d.later(countRestMin)
	d.work()
	require.Equal(t, d.read(), d.described())

	for i := range 290 {
		d.remove(fmt.Sprint("p", i%9), fmt.Sprint(i))
	}
	require.Equal(t, d.read(), d.described(), "a table that is small again is counted at once")
	d.later(countRestMin)
	d.work()
	require.Empty(t, d.countRows())
	for i := 290; i < 300; i++ {
		d.remove(fmt.Sprint("p", i%9), fmt.Sprint(i))
	}
	require.Equal(t, map[string][2]int64{"": {}, "byG": {}, "byL": {}}, d.described())
}

// TestCountWhereStorageIsExact: then the number of items is, and sizes follow when they were counted.
func TestCountWhereStorageIsExact(t *testing.T) {
	d := openTest(t, Options{countMax: 50})
	d.orders()
	d.orderRange(0, 100)
	require.Equal(t, int64(100), d.described()[""][0])
	require.Equal(t, int64(66), d.described()["byG"][0])
	d.work()
	require.Equal(t, d.read(), d.described())
	d.orderRange(100, 101)
	d.remove("p0", "0")
	d.remove("p1", "1")
	d.remove("p2", "2")
	require.Equal(t, int64(98), d.described()[""][0])
	require.NotEqual(t, d.read()[""][1], d.described()[""][1], "estimated")
	d.later(countRestMin)
	d.work()
	require.Equal(t, d.read(), d.described())
}

// TestCountOfLargeItems: few keys are many bytes, and then they are not read for every DescribeTable.
func TestCountOfLargeItems(t *testing.T) {
	d, _ := openVague(t)
	d.served.Load().opts.countBytes = 10_000
	d.orders()
	for i := range 20 {
		d.put(attr.NewItem().S("pk", "p").Int("sk", int64(i)).S("x", strings.Repeat("x", 1000)))
	}
	d.described()
	d.work()
	require.Len(t, d.countRows(), 1, "of the table, not of its sparse indexes")
	require.Equal(t, d.read(), d.described())
}

// TestCountedWithoutBeingDescribed: tables that become large are found, and where nothing is large that
// is one question.
func TestCountedWithoutBeingDescribed(t *testing.T) {
	d, s := openVague(t)
	for i := range 20 {
		in := ordersInput()
		in.TableName = api.Some(fmt.Sprint("small", i))
		_, err := d.CreateTable(t.Context(), in)
		require.NoError(t, err)
	}
	d.work()
	require.Zero(t, s.asked.Load(), "not at once")
	d.later(countSearch)
	d.work()
	require.Equal(t, int64(1), s.asked.Load())
	d.orders()
	d.orderRange(0, 100)
	d.work()
	require.Empty(t, d.countRows())
	d.later(countSearch)
	d.work()
	require.Len(t, d.countRows(), 3)
	require.Equal(t, d.read(), d.described())
}

// TestCountSurvives: a database that is opened again, here with tables that overlap each other, shows
// the last count at once.
func TestCountSurvives(t *testing.T) {
	path := t.TempDir() + "/db"
	open := func() *testDB {
		store, err := lsm.Open(path, lsm.Options{MemtableBytes: 1 << 20, Sync: lsm.SyncOff})
		require.NoError(t, err)
		return openCounting(t, store)
	}
	d := open()
	d.orders()
	for range 3 {
		d.orderRange(0, 100)
		require.NoError(t, d.Close())
		d = open()
	}
	d.described()
	d.work()
	want := d.read()
	require.Equal(t, want, d.described())
	require.NoError(t, d.Close())
	d = open()
	require.Equal(t, want, d.described())
	require.NoError(t, d.Close())
}

// TestCountThatMissedAWrite: a count during which something was written is not the last, but the next one
// comes after a rest only.
func TestCountThatMissedAWrite(t *testing.T) {
	d, _ := openVague(t)
	d.orders()
	d.orderRange(0, 100)
	d.described()
	task := d.served.Load().takeWanted(nil)[0]
	task.sub = key.TableSub
	for done := false; !done; {
		var err error
		done, err = d.served.Load().countStep(t.Context(), task)
		require.NoError(t, err)
		d.orderRange(100, 140)
	}
	row := func() counted {
		c, err := d.served.Load().loadTally(t.Context(), task.countID, "")
		require.NoError(t, err)
		return *c.Last
	}
	first := row()
	d.later(countRestMin - time.Millisecond)
	d.work()
	require.Equal(t, first, row())
	d.later(time.Millisecond)
	d.work()
	second := row()
	require.True(t, second.Settled)
	require.Equal(t, d.read()[""], d.described()[""])
	d.later(time.Hour)
	d.work()
	require.Equal(t, second, row(), "nothing has changed")
}

// TestCountGoesOn: a count that was cut short goes on where it was stored.
func TestCountGoesOn(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	d := openCounting(t, mem)
	d.served.Load().opts.countStep = 1
	d.orders()
	d.orderRange(0, 100)
	held, err := d.served.Load().catalog.Enter("orders", 0)
	require.NoError(t, err)
	task := countTask{countID{held.Table.ID, key.TableSub}, "orders"}
	held.Leave(0)
	for range 80 {
		done, err := d.served.Load().countStep(t.Context(), task)
		require.NoError(t, err)
		require.False(t, done)
	}
	again := openCounting(t, mem)
	again.served.Load().opts.countStep = 1
	steps := 0
	for done := false; !done; steps++ {
		done, err = again.served.Load().countStep(t.Context(), task)
		require.NoError(t, err)
	}
	require.Equal(t, 100-countSave+1, steps)
	for err == nil {
		_, err = d.served.Load().countStep(t.Context(), task)
	}
	require.ErrorIs(t, err, lease.ErrLost, "the work has another owner")
	c, err := again.served.Load().loadTally(t.Context(), task.countID, "")
	require.NoError(t, err)
	require.Nil(t, c.Run)
	require.Equal(t, again.read()[""], [2]int64{c.Last.Items, c.Last.Size})
	require.NoError(t, again.Close())
}

// TestCountOfWhatGoesAway: a table or index that is deleted in the middle of its count leaves no row, and
// the next table of that name has nothing to do with it.
func TestCountOfWhatGoesAway(t *testing.T) {
	d, _ := openVague(t)
	d.served.Load().opts.countStep = 1
	d.orders()
	d.orderRange(0, 200)
	d.described()
	list := d.served.Load().takeWanted(nil)
	require.Len(t, list, 3)
	step := func(n int) (done []bool) {
		for range n {
			done = done[:0]
			for _, task := range list {
				end, err := d.served.Load().countStep(t.Context(), task)
				require.NoError(t, err)
				done = append(done, end)
			}
		}
		return done
	}
	require.Equal(t, []bool{false, false, false}, step(countSave+1))
	require.Len(t, d.countRows(), 3)
	_, err := d.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: api.Some("orders"), GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
			{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: api.Some("byG")}},
		},
	})
	require.NoError(t, err)
	_, err = d.served.Load().doJobs(t.Context())
	require.NoError(t, err)
	step(1)
	require.Len(t, d.served.Load().counting.runs, 2)
	require.Len(t, d.storedCounts(), 2)
	_, err = d.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Empty(t, d.storedCounts(), "deleted with the table")
	require.Equal(t, []bool{true, true, true}, step(1))
	require.Empty(t, d.served.Load().counting.runs)
	d.orders()
	d.orderRange(0, 60)
	d.described()
	d.work()
	require.Equal(t, d.read(), d.described())
	require.Len(t, d.countRows(), 2, "byG has 40 entries")
}

// TestRowLeftByATable: a row whose table is gone is deleted.
func TestRowLeftByATable(t *testing.T) {
	d, _ := openVague(t)
	var batch storage.Batch
	batch.Put(key.AppendCount(nil, 77, 0), []byte(`{"table":"gone"}`))
	require.NoError(t, d.served.Load().store.Apply(t.Context(), &batch, storage.UpdateOptions{}))
	d.work()
	require.Empty(t, d.storedCounts())
}

// TestDamagedCount is reported, by the work and by who asks for the table.
func TestDamagedCount(t *testing.T) {
	d, _ := openVague(t)
	d.orders()
	d.orderRange(0, 60)
	d.described()
	d.work()
	put := func(k []byte) {
		var batch storage.Batch
		batch.Put(k, []byte("no tally"))
		require.NoError(t, d.served.Load().store.Apply(t.Context(), &batch, storage.UpdateOptions{}))
	}
	rows := d.countRows()
	put(key.AppendCatalog(nil, key.SubCount, "short"))
	require.ErrorIs(t, d.Work(t.Context()), storage.ErrCorrupt)
	put(rows[0].row())
	require.ErrorIs(t, d.Work(t.Context()), storage.ErrCorrupt)
	_, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.ErrorIs(t, err, storage.ErrCorrupt)
}

// TestCountBesideWriters: counts come to an end while items come and go, and are exact afterwards, on
// a store that does its worst.
func TestCountBesideWriters(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{
		Seed: 5, Rerun: 0.2, Conflict: 0.05, Uncertain: 0.02, Unavailable: 0.02, Expire: 0.1, Late: 3, Mangle: true,
	})
	require.NoError(t, err)
	var d *testDB
	settled(t, func() error {
		c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		db, err := OpenStore(&vagueStore{Store: mem}, Options{Clock: c.Now, NoBackground: true, countMax: 50, countStep: 7})
		d = &testDB{DB: db, t: t, clock: c}
		return err
	})
	if _, err := d.CreateTable(t.Context(), ordersInput()); err != nil {
		d.described() // is there
	}
	var writers sync.WaitGroup
	const writes = 1500
	var written atomic.Int64
	for w := range 2 {
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			for range writes {
				i := rnd.IntN(400)
				if rnd.IntN(3) > 0 { // the store may refuse either
					it, _ := order(i).Build()
					in := &api.PutItemInput{TableName: api.Some("orders"), Item: it}
					_, _ = d.PutItem(context.Background(), in)
				} else {
					k, _ := attr.NewItem().S("pk", fmt.Sprint("p", i%9)).N("sk", fmt.Sprint(i)).Build()
					in := &api.DeleteItemInput{TableName: api.Some("orders"), Key: k}
					_, _ = d.DeleteItem(context.Background(), in)
				}
				written.Add(1)
			}
		})
	}
	for written.Load() < 2*writes {
		d.described()
		d.work()
		runtime.Gosched() // or the writers come no further on one processor
	}
	writers.Wait()
	d.later(countRestMin)
	d.described()
	d.work()
	require.Equal(t, d.read(), d.described())
	require.Greater(t, d.read()[""][0], int64(50), "or nothing was shown")
	settled(t, d.Close)
}

// TestCountIsPaced: the worker begins when a table is described, pauses after every step, and ends in a
// pause when the database is closed.
func TestCountIsPaced(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	pauses, idle := make(chan chan time.Time), make(chan struct{})
	db, err := OpenStore(mem, Options{
		Clock: func() time.Time { return now }, countMax: 50, countStep: 10,
		After: func(wait time.Duration) <-chan time.Time {
			switch wait {
			case countInterval:
				idle <- struct{}{}
			case countPause:
				end := make(chan time.Time)
				pauses <- end
				return end
			}
			return nil // another worker
		},
	})
	require.NoError(t, err)
	d := &testDB{DB: db, t: t}
	_, err = d.CreateTable(t.Context(), ordersInput())
	require.NoError(t, err)
	d.orderRange(0, 75)
	d.described() // 75 items, 50 and 75 entries
	step := func() bool {
		select {
		case end := <-pauses:
			close(end)
			return true
		case <-idle:
			return false
		}
	}
	for steps := 0; steps < 7+7; { // the worker may have been idle before it was woken
		if step() {
			steps++
		}
	}
	<-idle
	require.Equal(t, d.read(), d.described())
	d.orderRange(75, 100)
	d.described() // 66 entries in the other index, none counted
	for !step() {
	}
	<-pauses
	require.NoError(t, d.Close())
}

// TestAdrift: how a count moves with what storage says.
func TestAdrift(t *testing.T) {
	for _, c := range []struct{ n, then, now, want int64 }{
		{100, 100, 100, 100},
		{100, 100, 130, 130}, // new keys
		{100, 100, 70, 70},   // fewer
		{100, 200, 200, 100}, // twice as many versions as keys
		{100, 200, 110, 100}, // compacted
		{100, 200, 90, 90},   // there were never more than 90 keys
		{100, 200, 220, 110}, // half of all that is written is new
		{100, 80, 80, 100},   // tombstones without values
		{100, 80, 70, 90},
		{100, 80, 90, 110},
		{100, 80, 0, 20},
		{10, 0, 5, 15},
		{0, 50, 20, 0},
	} {
		require.Equal(t, c.want, adrift(c.n, c.then, c.now), "%+v", c)
	}
}
