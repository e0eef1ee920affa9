package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
	"github.com/keystone-db/kstone/engine/stream"
)

// listening collects what a consumer is given.
type listening struct {
	lines []string
	fail  error
	pages int
}

func (l *listening) deliver(_ context.Context, _ *catalog.Table, _ string, found []stream.Found) error {
	l.pages++
	if l.fail != nil {
		return l.fail
	}
	for i := range found {
		r := &found[i].Record
		l.lines = append(l.lines, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s", r.Event, r.Keys.Get("pk").Payload(),
			valueIn(r.Old), valueIn(r.New), map[bool]string{true: "expired"}[r.Expired])))
	}
	return nil
}

// valueIn is the attribute v of an image.
func valueIn(item attr.Item) string {
	if item == nil {
		return "-"
	}
	return string(item.Get("v").Payload())
}

// took returns what came since the last time.
func (l *listening) took() string {
	text := strings.Join(l.lines, "\n")
	l.lines = nil
	return text
}

func (d *testDB) follow(name string, keep bool, from *stream.Position) {
	d.t.Helper()
	_, err := d.served.Load().setConsumers(d.t.Context(), "orders", func(r *catalog.Record) error {
		r.Follow(catalog.Consumer{Name: name, Keep: keep}, from)
		return nil
	})
	require.NoError(d.t, err)
}

func (d *testDB) unfollow(name string) {
	d.t.Helper()
	_, err := d.served.Load().setConsumers(d.t.Context(), "orders", func(r *catalog.Record) error {
		r.Unfollow(name)
		return nil
	})
	require.NoError(d.t, err)
}

// TestConsumersGetEveryChange: whatever writes, in order, once, and nothing that is a client's to see.
func TestConsumersGetEveryChange(t *testing.T) {
	d, ctx, l := openTest(t, Options{StreamShards: 3}), t.Context(), new(listening)
	d.orders()
	require.NoError(t, setTTL(ctx, d.DB, "orders", "ttl", true))
	d.served.Load().serveConsumers("test", l.deliver)
	d.put(item1("before", "0"))
	d.follow("test/a", false, nil)
	d.put(item1("a", "1"))
	d.put(item1("a", "1")) // changes nothing
	d.remove("before", "1")
	_, err := d.UpdateItem(ctx, &api.UpdateItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "a").N("sk", "1")),
		UpdateExpression: api.Some("SET v = :v"), ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":v", Value: attr.String("2")}},
	})
	require.NoError(t, err)
	write := api.WriteRequest{PutRequest: &api.PutRequest{Item: d.build(item1("b", "1"))}}
	_, err = d.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{
		{Key: "orders", Value: []api.WriteRequest{write}},
	}})
	require.NoError(t, err)
	_, err = d.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: api.Some("orders"), Item: d.build(item1("c", "1"))}},
		{Put: &api.Put{TableName: api.Some("orders"), Item: d.build(item1("b", "2"))}},
	}})
	require.NoError(t, err)
	_, err = d.ExecuteStatement(ctx, &api.ExecuteStatementInput{Statement: api.Some(`DELETE FROM orders WHERE pk = 'c' AND sk = 1`)})
	require.NoError(t, err)
	d.put(item1("mortal", "1").N("ttl", fmt.Sprint(d.clock.Now().Unix()+5)))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "INSERT a - 1\nREMOVE before 0 -\nMODIFY a 1 2\nINSERT b - 1\nINSERT c - 1\nMODIFY b 1 2\nREMOVE c 1 -\nINSERT mortal - 1", l.took())
	d.clock.add(10 * time.Second)
	require.NoError(t, d.Work(ctx))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "REMOVE mortal 1 - expired", l.took())
	require.NoError(t, d.Work(ctx))
	require.Empty(t, l.took())

	streams, err := d.ListStreams(ctx, &api.ListStreamsInput{})
	require.NoError(t, err)
	require.Empty(t, streams.Streams)
	table, err := d.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.False(t, table.Table.LatestStreamArn.Set)
}

// TestConsumersGoOn: what was not passed comes again, to another process too, and what all have passed is
// forgotten.
func TestConsumersGoOn(t *testing.T) {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	c := newClock(time.Unix(1_800_000_000, 0))
	open := func(l *listening) *testDB {
		db, err := OpenStore(store, Options{NoBackground: true, Clock: c.Now})
		require.NoError(t, err)
		db.served.Load().serveConsumers("test", l.deliver)
		return &testDB{DB: db, t: t, clock: c}
	}
	l, ctx := new(listening), t.Context()
	d := open(l)
	d.orders()
	d.follow("test/a", false, nil)
	d.put(item1("a", "1"))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "INSERT a - 1", l.took())
	d.follow("test/b", false, nil)
	l.fail = errors.New("not now")
	d.put(item1("a", "2"))
	require.ErrorIs(t, d.Work(ctx), l.fail)

	l = new(listening)
	d = open(l) // as after a crash
	d.put(item1("a", "3"))
	require.NoError(t, d.Work(ctx))
	require.ElementsMatch(t, []string{"MODIFY a 1 2", "MODIFY a 2 3", "MODIFY a 1 2", "MODIFY a 2 3"}, l.lines)
	l.took()

	table, err := d.served.Load().catalog.Lookup(ctx, "orders")
	require.NoError(t, err)
	kept := func() int {
		keys, _ := stored(t, store, key.WholeSpace(key.StreamSpace(table.Feed.ID)))
		return len(keys)
	}
	d.put(item1("a", "3 again"))
	d.put(item1("a", "3"))
	require.NoError(t, d.Work(ctx))
	l.took()
	require.NotZero(t, kept())
	c.add(time.Hour)
	require.NoError(t, d.Work(ctx))
	require.Zero(t, kept(), "both have passed all")

	l.fail = errors.New("not now")
	d.put(item1("a", "4"))
	require.ErrorIs(t, d.Work(ctx), l.fail)
	c.add(23 * time.Hour)
	require.ErrorIs(t, d.Work(ctx), l.fail)
	require.NotZero(t, kept())
	c.add(2 * time.Hour)
	require.ErrorIs(t, d.Work(ctx), l.fail)
	require.Zero(t, kept(), "too old")
	l.fail = nil
	d.put(item1("a", "5"))
	require.NoError(t, d.Work(ctx))
	require.Equal(t, "MODIFY a 4 5\nMODIFY a 4 5", l.took())
	cursors, err := d.served.Load().catalog.Cursors(ctx, table)
	require.NoError(t, err)
	require.EqualValues(t, 1, cursors["test/a"].Missed)
	require.EqualValues(t, 6, cursors["test/a"].Passed)
	require.EqualValues(t, 5, cursors["test/b"].Passed)

	// One that must not lose any keeps them for all.
	d.unfollow("test/b")
	at := stream.Position{Seq: cursors["test/a"].At.Seq}
	d.follow("test/keeper", true, &at)
	l.fail = errors.New("not now")
	d.put(item1("a", "6"))
	c.add(48 * time.Hour)
	require.ErrorIs(t, d.Work(ctx), l.fail)
	require.NotZero(t, kept())
	require.NoError(t, consistent(ctx, store, c.Now()))

	d.unfollow("test/a")
	d.unfollow("test/keeper")
	require.Zero(t, kept(), "the feed has ended")
	cursorRows, _ := stored(t, store, key.CatalogRange(key.SubCursor))
	require.Empty(t, cursorRows)
	d.put(item1("a", "7"))
	require.Zero(t, kept())
	require.NoError(t, consistent(ctx, store, c.Now()))

	d.follow("test/a", false, nil)
	d.put(item1("a", "8"))
	_, err = d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.NoError(t, d.Work(ctx))
	require.NoError(t, consistent(ctx, store, c.Now()))
	require.Empty(t, d.served.Load().catalog.Feeds())
}

// TestConsumersInTheBackground: a change wakes them, without a timer.
func TestConsumersInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db, err := Open("", Options{InMemory: true, After: func(time.Duration) <-chan time.Time { return nil }, Clock: time.Now})
		require.NoError(t, err)
		d, l := &testDB{DB: db, t: t}, new(listening)
		d.orders()
		db.served.Load().serveConsumers("test", l.deliver)
		d.follow("test/a", false, nil)
		d.put(item1("a", "1"))
		synctest.Wait()
		require.Equal(t, "INSERT a - 1", l.took())
		for i := range 3 {
			d.put(item1("b", fmt.Sprint(i)))
		}
		synctest.Wait()
		require.Equal(t, "INSERT b - 0\nMODIFY b 0 1\nMODIFY b 1 2", l.took())
		cursors, err := db.served.Load().catalog.Cursors(t.Context(), tableOf(t, db))
		require.NoError(t, err)
		at := cursors["test/a"].At
		d.put(item1("c", "1"))
		synctest.Wait()
		require.Equal(t, "INSERT c - 1", l.took())
		d.follow("test/a", false, &at)
		synctest.Wait()
		require.Equal(t, "INSERT c - 1", l.took(), "from another place")
		d.unfollow("test/a")
		d.put(item1("a", "2"))
		synctest.Wait()
		require.Empty(t, l.took())
		require.NoError(t, db.Close())
	})
}

func tableOf(t *testing.T, db *DB) *catalog.Table {
	table, err := db.served.Load().catalog.Lookup(t.Context(), "orders")
	require.NoError(t, err)
	return table
}

// TestCrossReferencesOfFeeds: what is lost of a feed is told and made anew.
func TestCrossReferencesOfFeeds(t *testing.T) {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	c := newClock(time.Unix(1_800_000_000, 0))
	db, err := OpenStore(store, Options{NoBackground: true, Clock: c.Now})
	require.NoError(t, err)
	d, ctx := &testDB{DB: db, t: t, clock: c}, t.Context()
	d.orders()
	d.follow("test/a", false, nil)
	d.put(item1("a", "1"))
	for name, rows := range map[string]key.Range{
		"the feed that consumers follow": key.CatalogRange(key.SubStream), `the consumer "test/a" has no cursor`: key.CatalogRange(key.SubCursor),
	} {
		keys, _ := stored(t, store, rows)
		require.Len(t, keys, 1)
		require.NoError(t, store.Apply(ctx, &storage.Batch{Ops: []storage.Op{{Key: keys[0], Delete: true}}}, storage.UpdateOptions{}))
		r, err := crossref.Check(ctx, store, crossref.Options{Now: c.Now(), Repair: true})
		require.NoError(t, err)
		require.Len(t, r.Faults, 1)
		require.Contains(t, r.Faults[0].What, name)
		require.NoError(t, consistent(ctx, store, c.Now()))
	}
	l := new(listening)
	db, err = OpenStore(store, Options{NoBackground: true, Clock: c.Now})
	require.NoError(t, err)
	db.served.Load().serveConsumers("test", l.deliver)
	require.NoError(t, db.Work(ctx))
	require.Equal(t, "INSERT a - 1", l.took())
}
