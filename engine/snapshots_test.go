package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestSnapshotsGoBesideReads: on a store whose snapshots do not live for ever, a read that loses its own
// begins again and nobody sees it. That holds for opening, jobs, sweeping and streams as well.
func TestSnapshotsGoBesideReads(t *testing.T) {
	const items, rounds = 40, 60
	opts := memstore.Hostile(5)
	opts.Expire = 0.2
	store, err := memstore.Open(opts)
	require.NoError(t, err)
	c := newClock(time.Unix(1_800_000_000, 0))
	open := func() *testDB {
		db, err := OpenStore(store, Options{
			Clock: c.Now, NoBackground: true, StreamShards: 4, StreamBytes: 1 << 20, TTLRate: 1000,
		})
		require.NoError(t, err)
		return &testDB{DB: db, t: t, clock: c}
	}
	d := open()
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	arn := d.events("NEW_AND_OLD_IMAGES")
	for i := range items {
		d.put(attr.NewItem().S("pk", "a").N("sk", fmt.Sprint(i)).S("g", "g").N("h", fmt.Sprint(i)).S("v", "1"))
	}
	key := func(i int) attr.Item { return d.build(attr.NewItem().S("pk", "a").N("sk", fmt.Sprint(i%items))) }
	for i := range rounds {
		require.Equal(t, [2]int64{items, items}, d.scanned(""))
		q, err := d.Query(t.Context(), &api.QueryInput{
			TableName: api.Some("orders"), IndexName: api.Some("byG"), KeyConditionExpression: api.Some("g = :g"),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":g", Value: attr.String("g")}},
		})
		require.NoError(t, err)
		require.Len(t, q.Items, items)
		b, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
			{Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{key(i), key(i + 1)}}},
		}})
		require.NoError(t, err)
		require.Len(t, b.Responses[0].Value, 2)
		x, err := d.TransactGetItems(t.Context(), &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{
			{Get: &api.Get{TableName: api.Some("orders"), Key: key(i)}},
		}})
		require.NoError(t, err)
		require.NotNil(t, x.Responses[0].Item)
		require.Len(t, d.all(arn), items)
	}
	for i := range 5 { // the sweep, the jobs of its setting, tending, and opening
		at := fmt.Sprint(c.Now().Unix() + 1)
		for n := range items {
			d.put(attr.NewItem().S("pk", "m").N("sk", fmt.Sprint(n)).N("ttl", at))
		}
		require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", true))
		require.NoError(t, d.Work(t.Context()))
		require.Equal(t, int64(2*items), d.scanned("")[0])
		d.later(time.Hour)
		require.NoError(t, d.Work(t.Context()), i)
		require.Equal(t, [2]int64{items, items}, d.scanned(""))
		require.NoError(t, setTTL(t.Context(), d.DB, "orders", "ttl", false))
		d = open()
	}
}

// TestSnapshotsAlwaysGone: a read that no snapshot lives long enough for ends, with the cause.
func TestSnapshotsAlwaysGone(t *testing.T) {
	mem, err := memstore.Open(memstore.Options{Expire: 1})
	require.NoError(t, err)
	d := openSerial(t, mem)
	for i := range memstore.ExpireSteps {
		_, err := d.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some(serialTable), Item: serialItem(i, 1)})
		require.NoError(t, err)
	}
	_, err = d.Scan(t.Context(), &api.ScanInput{TableName: api.Some(serialTable)})
	require.ErrorIs(t, err, storage.ErrSnapshotGone)
	require.Equal(t, api.InternalServerError, api.CodeOf(err))
}
