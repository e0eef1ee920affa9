package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// units is what a capacity answer says, by place: "" the sum, "T" the table, else the index.
func units(c *api.ConsumedCapacity) map[string]float64 {
	m := map[string]float64{"": c.CapacityUnits.Value}
	if c.Table != nil {
		m["T"] = c.Table.CapacityUnits.Value
	}
	for _, e := range append(c.GlobalSecondaryIndexes, c.LocalSecondaryIndexes...) {
		m[e.Key] = e.Value.CapacityUnits.Value
	}
	return m
}

// TestCapacityOfWrites: wire-facts §6.5, each step after the one before on one item.
func TestCapacityOfWrites(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	put := func(b *attr.Builder) *api.ConsumedCapacity {
		out, err := d.PutItem(t.Context(), &api.PutItemInput{
			TableName: api.Some("orders"), Item: d.build(b), ReturnConsumedCapacity: api.Some("INDEXES"),
		})
		require.NoError(t, err)
		return out.ConsumedCapacity
	}
	item := func(g, l string, n int) *attr.Builder {
		b := attr.NewItem().S("pk", "a").N("sk", "1").S("x", strings.Repeat("x", n))
		if g != "" {
			b.S("g", g).N("h", "1")
		}
		if l != "" {
			b.S("l", l)
		}
		return b
	}
	for _, c := range []struct {
		name string
		item *attr.Builder
		want map[string]float64
	}{
		{"new", item("", "", 2000), map[string]float64{"": 2, "T": 2}},
		{"smaller counts the old", item("", "", 10), map[string]float64{"": 2, "T": 2}},
		{"new entries", item("G", "L", 2000), map[string]float64{"": 5, "T": 2, "byG": 2, "byL": 1}},
		{"unchanged", item("G", "L", 2000), map[string]float64{"": 2, "T": 2}},
		{"projected by one", item("G", "L", 10), map[string]float64{"": 4, "T": 2, "byG": 2}},
		{"moved", item("H", "M", 10), map[string]float64{"": 5, "T": 1, "byG": 2, "byL": 2}},
		{"removed", item("", "", 10), map[string]float64{"": 3, "T": 1, "byG": 1, "byL": 1}},
	} {
		require.Equal(t, c.want, units(put(c.item)), c.name)
	}
	out, err := d.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: d.key("none", "1"), ReturnConsumedCapacity: api.Some("TOTAL"),
	})
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"": 1}, units(out.ConsumedCapacity))
}

// TestCapacityOfReads: wire-facts §6.5.
func TestCapacityOfReads(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	for i := range 3 {
		d.put(attr.NewItem().S("pk", "a").N("sk", fmt.Sprint(i)).S("l", "L").S("x", strings.Repeat("x", 3000)))
	}
	query := func(index, sel string, consistent bool, pk string) map[string]float64 {
		return units(d.query(index, "pk = :a", func(in *api.QueryInput) {
			in.ReturnConsumedCapacity = api.Some("INDEXES")
			in.ConsistentRead = api.Some(consistent)
			if sel != "" {
				in.Select = api.Some(sel)
			}
		}, attr.String(pk)).ConsumedCapacity)
	}
	require.Equal(t, map[string]float64{"": 1.5, "T": 1.5}, query("", "", false, "a"), "9 KB together")
	require.Equal(t, map[string]float64{"": 3, "T": 3}, query("", "COUNT", true, "a"))
	require.Equal(t, map[string]float64{"": 0.5, "T": 0.5}, query("", "", false, "none"))
	require.Equal(t, map[string]float64{"": 0.5, "T": 0, "byL": 0.5}, query("byL", "", false, "a"), "keys only")
	require.Equal(t, map[string]float64{"": 2, "T": 1.5, "byL": 0.5}, query("byL", "ALL_ATTRIBUTES", false, "a"),
		"each fetched item is rounded alone")
}

// TestBatchGetSize: of 100 items of 300 KB a batch answers 52 (wire-facts §6.12).
func TestBatchGetSize(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	var keys []attr.Item
	for i := range 100 {
		k := d.key(fmt.Sprint(i), "1")
		keys = append(keys, k)
		d.put(attr.NewItem().S("pk", fmt.Sprint(i)).N("sk", "1").S("x", strings.Repeat("x", 300<<10-k.Size()-1)))
	}
	out, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{
		RequestItems: []api.BatchGetRequestMapEntry{{Key: "orders", Value: api.KeysAndAttributes{
			Keys: keys, ConsistentRead: api.Some(true),
		}}},
		ReturnConsumedCapacity: api.Some("TOTAL"),
	})
	require.NoError(t, err)
	require.Len(t, out.Responses[0].Value, 52)
	require.Equal(t, keys[52:], out.UnprocessedKeys[0].Value.Keys)
	require.True(t, out.UnprocessedKeys[0].Value.ConsistentRead.Value)
	require.Equal(t, 52*75.0, out.ConsumedCapacity[0].CapacityUnits.Value)
}

func BenchmarkFacade(b *testing.B) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(b, err)
	defer func() { require.NoError(b, db.Close()) }()
	str := func(name, typ string) api.AttributeDefinition {
		return api.AttributeDefinition{AttributeName: api.Some(name), AttributeType: api.Some(typ)}
	}
	ctx := b.Context()
	_, err = db.CreateTable(ctx, &api.CreateTableInput{
		TableName: api.Some("bench"), BillingMode: api.Some("PAY_PER_REQUEST"),
		KeySchema: []api.KeySchemaElement{
			{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}, {AttributeName: api.Some("sk"), KeyType: api.Some("RANGE")},
		},
		AttributeDefinitions: []api.AttributeDefinition{str("pk", "S"), str("sk", "N")},
	})
	require.NoError(b, err)
	must := func(builder *attr.Builder) attr.Item {
		it, err := builder.Build()
		require.NoError(b, err)
		return it
	}
	var keys []attr.Item
	var puts []api.WriteRequest
	name := api.Some("bench")
	for i := range 100 {
		keys = append(keys, must(attr.NewItem().S("pk", "p").Int("sk", int64(i))))
		it := must(attr.NewItem().S("pk", "p").Int("sk", int64(i)).Int("n", 1).S("x", strings.Repeat("x", 300)))
		puts = append(puts, api.WriteRequest{PutRequest: &api.PutRequest{Item: it}})
		_, err := db.PutItem(ctx, &api.PutItemInput{TableName: name, Item: it})
		require.NoError(b, err)
	}
	get := &api.GetItemInput{TableName: name, Key: keys[50]}
	put := &api.PutItemInput{TableName: name, Item: puts[50].PutRequest.Item}
	update := &api.UpdateItemInput{
		TableName: name, Key: keys[50], UpdateExpression: api.Some("ADD n :n"),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":n", Value: attr.Int(1)}},
		ReturnValues:              api.Some(api.ReturnValueUpdatedNew),
	}
	query := &api.QueryInput{
		TableName: name, KeyConditionExpression: api.Some("pk = :p"), Limit: api.Some[int64](20),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":p", Value: attr.String("p")}},
	}
	batchGet := &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
		{Key: "bench", Value: api.KeysAndAttributes{Keys: keys}},
	}}
	batchWrite := &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "bench", Value: puts[:25]}}}
	records := streamOf100(b, db)
	tokens, transact := 0, &api.TransactWriteItemsInput{}
	for i := range 4 {
		transact.TransactItems = append(transact.TransactItems, api.TransactWriteItem{
			Put: &api.Put{TableName: name, Item: puts[i].PutRequest.Item},
		})
	}
	for _, c := range []struct {
		name string
		run  func() error
	}{
		{"GetItem", func() error { _, err := db.GetItem(ctx, get); return err }},
		{"PutItem", func() error { _, err := db.PutItem(ctx, put); return err }},
		{"UpdateItemAdd", func() error { _, err := db.UpdateItem(ctx, update); return err }},
		{"Query20", func() error { _, err := db.Query(ctx, query); return err }},
		{"BatchGet100", func() error { _, err := db.BatchGetItem(ctx, batchGet); return err }},
		{"GetRecords100", func() error { _, err := db.GetRecords(ctx, records); return err }},
		{"BatchWrite25", func() error { _, err := db.BatchWriteItem(ctx, batchWrite); return err }},
		{"TransactWrite4", func() error { _, err := db.TransactWriteItems(ctx, transact); return err }},
		{"TransactWrite4Token", func() error {
			tokens++
			transact.ClientRequestToken = api.Some(fmt.Sprintf("%032d", tokens))
			_, err := db.TransactWriteItems(ctx, transact)
			return err
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// streamOf100 makes a table with a stream of 100 changes, images of 300 bytes before and after each,
// and the request for all of them.
func streamOf100(tb testing.TB, db *DB) *api.GetRecordsInput {
	tb.Helper()
	ctx, name := tb.Context(), api.Some("changes")
	_, err := db.CreateTable(ctx, &api.CreateTableInput{
		TableName: name, BillingMode: api.Some("PAY_PER_REQUEST"),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		StreamSpecification: &api.StreamSpecification{
			StreamEnabled: api.Some(true), StreamViewType: api.Some("NEW_AND_OLD_IMAGES"),
		},
	})
	require.NoError(tb, err)
	for i := range 100 {
		it, err := attr.NewItem().S("pk", "p").Int("n", int64(i)).S("x", strings.Repeat("x", 300)).Build()
		require.NoError(tb, err)
		_, err = db.PutItem(ctx, &api.PutItemInput{TableName: name, Item: it})
		require.NoError(tb, err)
	}
	streams, err := db.ListStreams(ctx, &api.ListStreamsInput{TableName: name})
	require.NoError(tb, err)
	arn := streams.Streams[0].StreamArn
	described, err := db.DescribeStream(ctx, &api.DescribeStreamInput{StreamArn: arn})
	require.NoError(tb, err)
	it, err := db.GetShardIterator(ctx, &api.GetShardIteratorInput{
		StreamArn: arn, ShardId: described.StreamDescription.Shards[0].ShardId, ShardIteratorType: api.Some("TRIM_HORIZON"),
	})
	require.NoError(tb, err)
	in := &api.GetRecordsInput{ShardIterator: it.ShardIterator}
	out, err := db.GetRecords(ctx, in)
	require.NoError(tb, err)
	require.Len(tb, out.Records, 100)
	return in
}

// TestAllocationsOfBatches: how many items a batch has does not matter to the collector, as long as
// their keys are of usual length (DESIGN §8). One allocation an item would be 80 more; the race detector
// makes pools forget a few.
func TestAllocationsOfBatches(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	d := &testDB{DB: db, t: t}
	d.orders()
	var keys []attr.Item
	for i := range 100 {
		keys = append(keys, d.key(fmt.Sprint(i), "1"))
		d.put(attr.NewItem().S("pk", fmt.Sprint(i)).N("sk", "1"))
	}
	get := func(n int) float64 {
		in := &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
			{Key: "orders", Value: api.KeysAndAttributes{Keys: keys[:n]}},
		}}
		return testing.AllocsPerRun(20, func() {
			out, err := d.BatchGetItem(t.Context(), in)
			require.NoError(t, err)
			require.Len(t, out.Responses[0].Value, n)
		})
	}
	require.Less(t, get(100)-get(20), 80/4.0)
}

// TestAllocationsOfRecords: a record of a stream costs the collector nothing of its own; a longer page
// grows a few times more. One allocation a record would be 90; the race detector makes pools forget a few.
func TestAllocationsOfRecords(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	in := streamOf100(t, db)
	read := func(limit int64) float64 {
		in.Limit = api.Some(limit)
		return testing.AllocsPerRun(20, func() {
			out, err := db.GetRecords(t.Context(), in)
			require.NoError(t, err)
			require.Len(t, out.Records, int(limit))
		})
	}
	require.Less(t, read(100)-read(10), 90/4.0)
}
