package engine

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
)

// openMemory is openTest on the LSM in memory.
func openMemory(t *testing.T, opts Options) *testDB {
	t.Helper()
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	opts.Clock, opts.NoBackground = c.Now, true
	db, err := OpenInMemory(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return &testDB{DB: db, t: t, clock: c}
}

func (d *testDB) fork() *testDB {
	d.t.Helper()
	f, err := d.Fork()
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, f.Close()) })
	return &testDB{DB: f, t: d.t, clock: d.clock}
}

func (d *testDB) found(index string) (pks []string) {
	for _, it := range d.query(index, "g = :a", nil, attr.String("g")).Items {
		pks = append(pks, it.Get("pk").Text())
	}
	return pks
}

// seqs are the sequence numbers of records, which must grow.
func (d *testDB) seqs(arn string) (all []string) {
	d.t.Helper()
	for _, r := range d.all(arn) {
		all = append(all, r.Dynamodb.SequenceNumber.Value)
		if n := len(all); n > 1 {
			require.Less(d.t, all[n-2], all[n-1])
		}
	}
	return all
}

// TestForkHoldsEverything: items, indexes, streams, time to live and settings, each going on its own way.
func TestForkHoldsEverything(t *testing.T) {
	parents := map[string]func(t *testing.T) *testDB{
		"memory": func(t *testing.T) *testDB { return openMemory(t, Options{}) },
		"file": func(t *testing.T) *testDB {
			c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
			db, err := Open(filepath.Join(t.TempDir(), "x"), Options{Clock: c.Now, NoBackground: true, Sync: SyncOff})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return &testDB{DB: db, t: t, clock: c}
		},
	}
	for name, parent := range parents {
		t.Run(name, func(t *testing.T) {
			d := parent(t)
			arn := d.events("NEW_AND_OLD_IMAGES")
			require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
			d.put(d.mortal("short", 10))
			d.put(d.mortal("long", 1000))
			d.put(item1("gone", "1"))
			d.remove("gone", "1")
			before := d.seqs(arn)
			require.Len(t, before, 4)

			f := d.fork()
			require.Equal(t, before, f.seqs(arn))
			require.ElementsMatch(t, []string{"short", "long"}, f.found("byG"))
			f.put(d.mortal("of the fork", 1000))
			d.put(d.mortal("of the parent", 1000))
			g := f.fork()
			g.remove("long", "1")
			d.clock.add(20 * time.Second)
			require.NoError(t, f.Work(t.Context()))

			require.ElementsMatch(t, []string{"long", "of the fork"}, f.found("byG"))
			require.ElementsMatch(t, []string{"short", "long", "of the parent"}, d.unswept())
			require.ElementsMatch(t, []string{"short", "of the fork"}, g.unswept())
			require.Equal(t, "INSERT of the fork - .\nREMOVE short . - by dynamodb.amazonaws.com Service", tell(f.all(arn)[4:]))
			require.Equal(t, "INSERT of the parent - .", tell(d.all(arn)[4:]))
			require.Equal(t, "INSERT of the fork - .\nREMOVE long . -", tell(g.all(arn)[4:]))
			require.Equal(t, before, f.seqs(arn)[:4])
			require.Less(t, before[3], d.seqs(arn)[4])

			_, err := f.DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("orders")})
			require.NoError(t, err)
			require.NoError(t, f.Work(t.Context()))
			_, err = f.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
			require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
			require.NoError(t, d.Close())
			require.Equal(t, []string{"of the fork"}, g.found("byG"))
			f.orders()
			f.put(item1("anew", "1"))
			require.Nil(t, g.get("anew", "1"))
		})
	}
}

// unswept are the items of the index that were not removed, past their time or not.
func (d *testDB) unswept() (pks []string) {
	d.t.Helper()
	now := d.clock.Now()
	d.clock.set(now.Add(-20 * time.Second))
	defer func() { d.clock.set(now) }()
	return d.found("byG")
}

// TestForkIsWritable where its parent, a file opened for reading, is not.
func TestForkIsWritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	db, err := Open(path, Options{NoBackground: true, Sync: SyncOff})
	require.NoError(t, err)
	d := &testDB{DB: db, t: t}
	d.orders()
	d.put(item1("a", "1"))
	require.NoError(t, db.Close())
	db, err = Open(path, Options{ReadOnly: true})
	require.NoError(t, err)
	d = &testDB{DB: db, t: t}
	f := d.fork()
	require.NoError(t, db.Close())
	f.put(item1("a", "2"))
	f.put(item1("b", "1"))
	require.Equal(t, "2", f.get("a", "1").Get("v").Text())
	require.NoError(t, f.Checkpoint("here"))
	f.remove("a", "1")
	require.NoError(t, f.Reset("here"))
	require.Equal(t, "2", f.get("a", "1").Get("v").Text())
	require.NoError(t, f.Close())
	db, err = Open(path, Options{NoBackground: true})
	require.NoError(t, err)
	d = &testDB{DB: db, t: t}
	require.Equal(t, "1", d.get("a", "1").Get("v").Text())
	require.Nil(t, d.get("b", "1"))
	require.NoError(t, db.Close())
}

func TestReset(t *testing.T) {
	d := openMemory(t, Options{})
	arn := d.events("NEW_IMAGE")
	d.put(item1("a", "1"))
	shard := d.describeStream(arn).Shards[0].ShardId.Value
	iterator := func(typ string) string {
		it, err := d.iterator(arn, shard, typ, "")
		require.NoError(t, err)
		return it
	}
	early := iterator(api.ShardIteratorTypeTrimHorizon)
	latest := iterator(api.ShardIteratorTypeLatest)
	require.NoError(t, d.Checkpoint("one"))
	d.put(item1("a", "2"))
	undone := d.seqs(arn)[1]
	late := iterator(api.ShardIteratorTypeLatest)
	feed := subscribe(t, d.DB, from(arn, api.StartLatest))
	d.put(item1("a", "3"))
	feed.take(1)
	require.NoError(t, d.Checkpoint("three"))

	require.NoError(t, d.Reset("one"))
	require.Equal(t, "1", d.get("a", "1").Get("v").Text())
	require.Equal(t, api.TrimmedDataAccess, api.CodeOf(feed.end()))
	_, err := d.records(late, 0)
	require.Equal(t, api.TrimmedDataAccess, api.CodeOf(err), "it stands behind what was undone")
	_, err = d.iterator(arn, shard, api.ShardIteratorTypeAfterSequenceNumber, undone)
	require.Equal(t, api.TrimmedDataAccess, api.CodeOf(err))
	d.put(item1("a", "4"))
	for _, it := range []string{early, latest} {
		out, err := d.records(it, 0)
		require.NoError(t, err)
		require.Contains(t, tell(out.Records), "MODIFY a - 4")
	}
	require.Equal(t, "INSERT a - 1\nMODIFY a - 4", tell(d.all(arn)))
	require.Less(t, undone, d.seqs(arn)[1], "numbers go on")

	require.NoError(t, d.Reset("three"))
	require.Equal(t, "INSERT a - 1\nMODIFY a - 2\nMODIFY a - 3", tell(d.all(arn)))
	require.ErrorIs(t, d.Reset("four"), ErrNoCheckpoint)
	require.Equal(t, "3", d.get("a", "1").Get("v").Text())
	require.NoError(t, d.Checkpoint("one"), "in place of the earlier")
	require.NoError(t, d.Reset("one"))
	require.Equal(t, "3", d.get("a", "1").Get("v").Text())
	require.NoError(t, d.DropCheckpoint("three"))
	require.ErrorIs(t, d.Reset("three"), ErrNoCheckpoint)

	feed = subscribe(t, d.DB, from(arn, api.StartLatest))
	require.NoError(t, d.Reset(""))
	require.Equal(t, api.ResourceNotFound, api.CodeOf(feed.end()))
	_, err = d.records(late, 0)
	require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
	out, err := d.ListTables(t.Context(), &api.ListTablesInput{})
	require.NoError(t, err)
	require.Empty(t, out.TableNames)
	d.orders()
	d.put(item1("a", "5"))
	require.NoError(t, d.Reset("one"))
	require.Equal(t, "3", d.get("a", "1").Get("v").Text())
	require.Error(t, d.Checkpoint(""))
	require.NoError(t, d.Close())
	require.ErrorIs(t, d.Reset(""), storage.ErrClosed)
	require.ErrorIs(t, d.Checkpoint("late"), storage.ErrClosed)
}

func TestResetOfOthersIsRefused(t *testing.T) {
	d := openTest(t, Options{})
	require.ErrorIs(t, d.Reset(""), ErrNotInMemory)
	require.ErrorIs(t, d.Checkpoint("x"), ErrNotInMemory)
	_, err := d.Fork()
	require.Error(t, err)
}

// TestResetBesideRequests: whatever runs meanwhile is answered by one state or the other.
func TestResetBesideRequests(t *testing.T) {
	db, err := OpenInMemory(Options{})
	require.NoError(t, err)
	d := &testDB{DB: db, t: t}
	d.orders()
	d.put(item1("count", "0"))
	require.NoError(t, db.Checkpoint("start"))
	var stop atomic.Bool
	var wg sync.WaitGroup
	ctx := context.Background()
	tolerated := func(err error) {
		if err != nil && api.CodeOf(err) != api.ResourceNotFound {
			assert.NoError(t, err)
			stop.Store(true)
		}
	}
	for w := range 3 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				it, err := item1(fmt.Sprint("w", w, "-", i%20), fmt.Sprint(i)).Build()
				assert.NoError(t, err)
				_, err = db.PutItem(ctx, &api.PutItemInput{TableName: api.Some("orders"), Item: it})
				tolerated(err)
				_, err = db.Scan(ctx, &api.ScanInput{TableName: api.Some("orders")})
				tolerated(err)
				_, err = db.TransactWriteItems(ctx, &api.TransactWriteItemsInput{
					TransactItems: []api.TransactWriteItem{{Put: &api.Put{TableName: api.Some("orders"), Item: it}}},
				})
				if api.CodeOf(err) != api.TransactionCanceled { // the table is away
					tolerated(err)
				}
				_, err = db.ListTables(ctx, &api.ListTablesInput{})
				tolerated(err)
			}
		})
	}
	for i := range 60 {
		name := "start"
		if i%5 == 4 {
			name = ""
		}
		assert.NoError(t, db.Reset(name))
		if name != "" {
			_, err := db.Fork() // forgotten
			assert.NoError(t, err)
		}
	}
	stop.Store(true)
	wg.Wait()
	require.NoError(t, db.Reset("start"))
	out, err := db.Scan(ctx, &api.ScanInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Equal(t, int64(1), out.Count.Value)
	require.NoError(t, db.Close())
	require.ErrorIs(t, errors.Join(db.Reset("start")), storage.ErrClosed)
}

func BenchmarkFork(b *testing.B) {
	db, err := OpenInMemory(Options{})
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	_, err = db.CreateTable(b.Context(), ordersInput())
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		f, err := db.Fork()
		require.NoError(b, err)
		require.NoError(b, f.Close())
	}
}

// TestAForkHasNoArchive: that is of the file, and a database in memory cannot be opened with one.
func TestAForkHasNoArchive(t *testing.T) {
	dir := t.TempDir()
	to, err := OpenArchive(filepath.Join(dir, "archive"))
	require.NoError(t, err)
	db, err := Open(filepath.Join(dir, "x"), Options{Archive: to, NoBackground: true, Sync: SyncOff})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	f := (&testDB{DB: db, t: t}).fork()
	require.NoError(t, f.Checkpoint("here"))
	require.NoError(t, f.Reset(""))
	require.NoError(t, f.Reset("here"))
}
