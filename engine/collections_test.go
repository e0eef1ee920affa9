package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// kilo is a value of so many kilobytes.
func kilo(n int) string { return strings.Repeat("x", n<<10) }

// collections reads the rows with the sizes of the collections of the table orders, and adds up what
// the items and their entries in the local index count.
func (d *testDB) collections() (rows, counted map[string]int64) {
	d.t.Helper()
	held, err := d.served.Load().catalog.Enter("orders", 0)
	require.NoError(d.t, err)
	defer held.Leave(0)
	rows, counted = map[string]int64{}, map[string]int64{}
	value := func(k string) []byte {
		var v storage.Value
		settled(d.t, func() (err error) { v, err = d.served.Load().store.Get(context.Background(), []byte(k)); return err })
		return v.Data
	}
	id := held.Table.ID
	for _, sub := range []uint32{key.TableSub, held.Table.Index("byL").Sub} {
		for _, k := range subRows(d.t, d.DB, id, sub) {
			it := attr.Item(value(k))
			counted[it.Get("pk").Text()] += int64(it.Size())
		}
	}
	for _, k := range subRows(d.t, d.DB, id, held.Table.CollectionSub) {
		b, n := value(k), int64(0)
		for _, c := range b {
			n = n<<8 | int64(c)
		}
		rows[k[18:]] = n
	}
	return rows, counted
}

// TestCollectionSizes: whatever writes, the size row of a collection is the sum of its items and of
// their entries in local indexes.
func TestCollectionSizes(t *testing.T) {
	for name, open := range indexStores() {
		t.Run(name, func(t *testing.T) {
			d := &testDB{t: t, clock: newClock(time.Unix(1_800_000_000, 0))}
			store := open(t)
			settled(t, func() (err error) {
				d.DB, err = OpenStore(store, Options{NoBackground: true, Clock: d.clock.Now})
				return err
			})
			t.Cleanup(func() { _ = d.Close() })
			settled(t, func() error {
				_, err := d.CreateTable(t.Context(), ordersInput())
				if api.CodeOf(err) == api.ResourceInUse {
					return nil // an answer that was lost
				}
				return err
			})
			settled(t, func() error {
				if err := setTTL(t.Context(), d.DB, "orders", "ttl", true); api.CodeOf(err) != api.Validation {
					return err
				}
				return nil
			})
			var writers sync.WaitGroup
			for w := range 4 {
				rnd := rand.New(rand.NewPCG(uint64(w), 7))
				writers.Go(func() {
					for range 150 {
						d.writeCollections(rnd)
					}
				})
			}
			writers.Wait()
			rows, counted := d.collections()
			require.NotEmpty(t, counted)
			require.Equal(t, counted, rows)
			d.clock.add(time.Hour)
			settled(t, func() error { return d.Work(t.Context()) })
			rows, after := d.collections()
			require.Equal(t, after, rows)
			require.NotEqual(t, counted, after, "some were swept")
		})
	}
}

// writeCollections does one random write of few collections.
func (d *testDB) writeCollections(rnd *rand.Rand) {
	item := func() (k, it attr.Item) {
		pk, sk := fmt.Sprint(rnd.IntN(3)), fmt.Sprint(rnd.IntN(8))
		k, _ = attr.NewItem().S("pk", pk).N("sk", sk).Build()
		b := attr.NewItem().S("pk", pk).N("sk", sk).S("v", kilo(rnd.IntN(3)))
		if rnd.IntN(2) == 0 {
			b = b.S("l", fmt.Sprint(rnd.IntN(9)))
		}
		if rnd.IntN(2) == 0 {
			b = b.N("ttl", fmt.Sprint(1_800_000_000+rnd.IntN(20)-10))
		}
		it, _ = b.Build()
		return k, it
	}
	k, it := item()
	table := api.Some("orders")
	ctx := context.Background()
	switch rnd.IntN(5) {
	case 0:
		_, _ = d.DeleteItem(ctx, &api.DeleteItemInput{TableName: table, Key: k})
	case 1:
		_, _ = d.UpdateItem(ctx, &api.UpdateItemInput{
			TableName: table, Key: k, UpdateExpression: api.Some("SET l = :l"),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":l", Value: attr.String(kilo(1)[:rnd.IntN(1000)+1])}},
		})
	case 2:
		_, more := item()
		_, _ = d.TransactWriteItems(ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{Put: &api.Put{TableName: table, Item: it}}, {Put: &api.Put{TableName: table, Item: more}},
		}})
	case 3:
		other, _ := item()
		_, _ = d.BatchWriteItem(ctx, &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
			Key: "orders", Value: []api.WriteRequest{
				{PutRequest: &api.PutRequest{Item: it}}, {DeleteRequest: &api.DeleteRequest{Key: other}},
			},
		}}})
	default:
		_, _ = d.PutItem(ctx, &api.PutItemInput{TableName: table, Item: it})
	}
}

// TestCollectionLimit: a write that makes a collection larger than it may be is refused, whichever
// operation it is of; one that makes it smaller is not, and other collections do not care.
func TestCollectionLimit(t *testing.T) {
	d := openTest(t, Options{CollectionBytes: 10 << 10})
	d.orders()
	item := func(pk, sk string, size int) attr.Item {
		return d.build(attr.NewItem().S("pk", pk).N("sk", sk).S("v", kilo(size)))
	}
	put := func(it attr.Item) error {
		_, err := d.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("orders"), Item: it})
		return err
	}
	transact := func(items ...attr.Item) error {
		in := &api.TransactWriteItemsInput{}
		for _, it := range items {
			in.TransactItems = append(in.TransactItems, api.TransactWriteItem{Put: &api.Put{TableName: api.Some("orders"), Item: it}})
		}
		_, err := d.TransactWriteItems(t.Context(), in)
		return err
	}
	require.NoError(t, put(item("a", "1", 6)))
	const alone = "Item collection size limit exceeded"
	requireError(t, put(item("a", "2", 4)), api.ItemCollectionSizeLimit, alone)
	require.Nil(t, d.get("a", "2"))
	require.NoError(t, put(item("b", "2", 4)), "another collection")
	require.NoError(t, put(item("a", "1", 9)), "what is replaced does not count")
	err := transact(item("b", "3", 3), item("b", "4", 4))
	require.ErrorContains(t, err, "[None, ItemCollectionSizeLimitExceeded]")
	var own *api.Error
	require.ErrorAs(t, err, &own)
	require.Equal(t, "Collection size exceeded.", own.Reasons[1].Message.Value)
	require.NoError(t, transact(item("a", "1", 1), item("a", "2", 8)))
	_, err = d.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{
		Key: "orders", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: item("a", "3", 2)}}},
	}}})
	requireError(t, err, api.ItemCollectionSizeLimit, alone)
	d.remove("a", "2")
	require.NoError(t, put(item("a", "3", 8)))
	rows, counted := d.collections()
	require.Equal(t, counted, rows)
}

// TestCollectionJustFits: a collection may be as large as the limit and no byte larger.
func TestCollectionJustFits(t *testing.T) {
	write := func(limit int64) (*testDB, error) {
		d := openTest(t, Options{CollectionBytes: limit})
		d.orders()
		_, err := d.PutItem(t.Context(), &api.PutItemInput{
			TableName: api.Some("orders"), Item: d.build(attr.NewItem().S("pk", "a").N("sk", "1").S("l", "x")),
		})
		return d, err
	}
	d, err := write(DefaultCollectionBytes)
	require.NoError(t, err)
	rows, _ := d.collections()
	require.Positive(t, rows["a"])
	_, err = write(rows["a"])
	require.NoError(t, err)
	_, err = write(rows["a"] - 1)
	requireError(t, err, api.ItemCollectionSizeLimit, "Item collection size limit exceeded")
}

// TestCollectionMetrics: the estimate is the gigabyte in which the size lies, the same for each kind of
// write (wire-facts §6.5).
func TestCollectionMetrics(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	held, err := d.served.Load().catalog.Enter("orders", 0)
	require.NoError(t, err)
	sub := held.Table.CollectionSub
	held.Leave(0)
	it := d.build(attr.NewItem().S("pk", "a").N("sk", "1"))
	k, ok := key.AppendItem(nil, &held.Table, it)
	require.True(t, ok)
	var batch storage.Batch
	batch.Put(key.AppendCollection(nil, sub, k), []byte{0, 0, 0, 0, 0xC0, 0, 0, 0}) // 3 GiB
	require.NoError(t, d.served.Load().store.Apply(t.Context(), &batch, storage.UpdateOptions{}))
	want := api.ItemCollectionMetrics{
		ItemCollectionKey: d.build(attr.NewItem().S("pk", "a")), SizeEstimateRangeGB: []float64{3, 4},
	}
	size := api.Some(api.ReturnItemCollectionMetricsSize)
	one, err := d.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("orders"), Item: it, ReturnItemCollectionMetrics: size})
	require.NoError(t, err)
	require.Equal(t, want, *one.ItemCollectionMetrics)
	many, err := d.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{
		ReturnItemCollectionMetrics: size, RequestItems: []api.BatchWriteItemRequestMapEntry{{
			Key: "orders", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: it}}},
		}},
	})
	require.NoError(t, err)
	require.Equal(t, []api.ItemCollectionMetrics{want}, many.ItemCollectionMetrics[0].Value)
	all, err := d.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{
		ReturnItemCollectionMetrics: size,
		TransactItems:               []api.TransactWriteItem{{Put: &api.Put{TableName: api.Some("orders"), Item: it}}},
	})
	require.NoError(t, err)
	require.Equal(t, []api.ItemCollectionMetrics{want}, all.ItemCollectionMetrics[0].Value)
	// The size was a lie.
	batch = storage.Batch{}
	batch.Delete(k)
	batch.Delete(key.AppendCollection(nil, sub, k))
	require.NoError(t, d.served.Load().store.Apply(t.Context(), &batch, storage.UpdateOptions{}))
}
