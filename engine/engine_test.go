package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	numbers "github.com/keystone-db/kstone/engine/number"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// clock is moved by hand, while storage may look at it in the background.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock(at time.Time) *clock { return &clock{at: at} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

func (c *clock) add(d time.Duration) { c.set(c.Now().Add(d)) }

// testDB is a database on the map of memstore, with a clock of its own.
type testDB struct {
	*DB
	t     *testing.T
	clock *clock
}

func openTest(t *testing.T, opts Options) *testDB {
	t.Helper()
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	c := newClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	opts.Clock, opts.NoBackground = c.Now, true
	db, err := OpenStore(store, opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, consistent(context.Background(), store, c.Now()))
		require.NoError(t, db.Close())
	})
	return &testDB{DB: db, t: t, clock: c}
}

// orders creates the table that most tests use: pk and sk, a global index on g and h that projects
// all, a local one on l that projects keys.
func (d *testDB) orders() {
	d.t.Helper()
	out, err := d.CreateTable(context.Background(), ordersInput())
	require.NoError(d.t, err)
	require.Equal(d.t, "CREATING", out.TableDescription.TableStatus.Value)
}

func ordersInput() *api.CreateTableInput {
	element := func(name, typ string) api.KeySchemaElement {
		return api.KeySchemaElement{AttributeName: api.Some(name), KeyType: api.Some(typ)}
	}
	in := &api.CreateTableInput{
		TableName:   api.Some("orders"),
		BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema:   []api.KeySchemaElement{element("pk", "HASH"), element("sk", "RANGE")},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndex{{
			IndexName:  api.Some("byG"),
			KeySchema:  []api.KeySchemaElement{element("g", "HASH"), element("h", "RANGE")},
			Projection: &api.Projection{ProjectionType: api.Some("ALL")},
		}},
		LocalSecondaryIndexes: []api.LocalSecondaryIndex{{
			IndexName:  api.Some("byL"),
			KeySchema:  []api.KeySchemaElement{element("pk", "HASH"), element("l", "RANGE")},
			Projection: &api.Projection{ProjectionType: api.Some("KEYS_ONLY")},
		}},
	}
	for name, typ := range map[string]string{"pk": "S", "sk": "N", "g": "S", "h": "N", "l": "S"} {
		in.AttributeDefinitions = append(in.AttributeDefinitions, api.AttributeDefinition{
			AttributeName: api.Some(name), AttributeType: api.Some(typ),
		})
	}
	return in
}

func (d *testDB) build(b *attr.Builder) attr.Item {
	d.t.Helper()
	it, err := b.Build()
	require.NoError(d.t, err)
	return it
}

func (d *testDB) put(b *attr.Builder) {
	d.t.Helper()
	_, err := d.PutItem(context.Background(), &api.PutItemInput{
		TableName: api.Some("orders"), Item: d.build(b),
	})
	require.NoError(d.t, err)
}

func (d *testDB) get(pk, sk string) attr.Item {
	d.t.Helper()
	out, err := d.GetItem(context.Background(), &api.GetItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", pk).N("sk", sk)),
	})
	require.NoError(d.t, err)
	return out.Item
}

// query runs a key condition with one value :v, and :w when given.
func (d *testDB) query(index, condition string, change func(*api.QueryInput), values ...attr.Value) *api.QueryOutput {
	d.t.Helper()
	in := &api.QueryInput{TableName: api.Some("orders"), KeyConditionExpression: api.Some(condition)}
	if index != "" {
		in.IndexName = api.Some(index)
	}
	for i, v := range values {
		in.ExpressionAttributeValues = append(in.ExpressionAttributeValues,
			api.NamedValue{Placeholder: ":" + string(rune('a'+i)), Value: v})
	}
	if change != nil {
		change(in)
	}
	out, err := d.Query(context.Background(), in)
	require.NoError(d.t, err)
	return out
}

func number(t *testing.T, text string) attr.Value {
	t.Helper()
	v, err := attr.Number(text)
	require.NoError(t, err)
	return v
}

func sortKeys(items []attr.Item) []int64 {
	var out []int64
	for _, it := range items {
		n, _ := numberOf(it.Get("sk"))
		out = append(out, n)
	}
	return out
}

func requireError(t *testing.T, err error, code api.Code, message string) {
	t.Helper()
	var e *api.Error
	require.True(t, errors.As(err, &e), "got %v", err)
	require.Equal(t, code, e.Code)
	require.Equal(t, message, e.Message)
}

func TestPutGetDelete(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	require.Nil(t, d.get("a", "1"))
	d.put(attr.NewItem().S("pk", "a").N("sk", "1.0").S("x", "y"))
	require.Equal(t, d.build(attr.NewItem().S("pk", "a").N("sk", "1").S("x", "y")), d.get("a", "1e0"))
	out, err := d.DeleteItem(context.Background(), &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "a").N("sk", "1")),
		ReturnValues: api.Some("ALL_OLD"),
	})
	require.NoError(t, err)
	require.Equal(t, "y", out.Attributes.Get("x").Text())
	require.Nil(t, d.get("a", "1"))
}

func TestQueryOrderRangesAndPaging(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	for _, n := range []string{"10", "-3", "2", "0", "1.5"} {
		d.put(attr.NewItem().S("pk", "a").N("sk", n))
	}
	d.put(attr.NewItem().S("pk", "ab").N("sk", "7"))
	a := attr.String("a")
	count := func(c string, values ...attr.Value) int {
		return len(d.query("", "pk = :a AND "+c, nil, append([]attr.Value{a}, values...)...).Items)
	}
	require.Equal(t, 2, count("sk < :b", number(t, "1.5")))
	require.Equal(t, 3, count("sk <= :b", number(t, "1.5")))
	require.Equal(t, 2, count("sk > :b", number(t, "1.5")))
	require.Equal(t, 3, count("sk >= :b", number(t, "1.5")))
	require.Equal(t, 1, count("sk = :b", number(t, "1.5")))
	require.Equal(t, 3, count("sk BETWEEN :b AND :c", number(t, "0"), number(t, "2")))

	var seen []int64
	var start attr.Item
	for page := 0; ; page++ {
		require.Less(t, page, 5)
		out := d.query("", "pk = :a", func(in *api.QueryInput) {
			in.Limit, in.ExclusiveStartKey = api.Some[int64](2), start
			in.ScanIndexForward = api.Some(false)
		}, a)
		seen = append(seen, sortKeys(out.Items)...)
		if start = out.LastEvaluatedKey; start == nil {
			break
		}
	}
	require.Equal(t, []int64{10, 2, 1, 0, -3}, seen)
}

// TestPageForm: four entries count exactly 1 MB on a page of the table and of the index, though their
// sizes are less; without the last byte a fifth is read (wire-facts §4.3).
func TestPageForm(t *testing.T) {
	const text = 1<<18 - 2 - (3 + 3 + 4 + 4) - 85*(18+2) // pk, g, the other number, x; 85 pieces
	d := openTest(t, Options{})
	d.orders()
	entry := func(i, text int) {
		n := fmt.Sprint(i)
		d.put(attr.NewItem().S("pk", "a").N("sk", n).S("g", "G").N("h", n).S("x", strings.Repeat("x", text)))
	}
	for i := range 6 {
		entry(i+1, text)
	}
	both := func() []int {
		return []int{len(d.query("", "pk = :a", nil, attr.String("a")).Items),
			len(d.query("byG", "g = :a", nil, attr.String("G")).Items)}
	}
	require.Equal(t, []int{4, 4}, both())
	entry(4, text-1)
	require.Equal(t, []int{5, 5}, both())
}

func TestIndexesFollowTheItem(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("g", "G").N("h", "5").S("l", "L").S("x", "y"))
	d.put(attr.NewItem().S("pk", "b").N("sk", "2").S("g", "G").N("h", "5"))
	d.put(attr.NewItem().S("pk", "c").N("sk", "3").S("g", "G"))
	g := attr.String("G")
	require.Equal(t, []int64{1, 2}, sortKeys(d.query("byG", "g = :a", nil, g).Items))

	out := d.query("byL", "pk = :a AND begins_with(l, :b)", nil, attr.String("a"), attr.String("L"))
	require.Len(t, out.Items, 1)
	require.False(t, out.Items[0].Has("x"), "keys only")
	out = d.query("byL", "pk = :a", func(in *api.QueryInput) {
		in.Select = api.Some("ALL_ATTRIBUTES")
	}, attr.String("a"))
	require.Equal(t, "y", out.Items[0].Get("x").Text())

	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("g", "H").N("h", "5"))
	require.Equal(t, []int64{2}, sortKeys(d.query("byG", "g = :a", nil, g).Items))
	require.Empty(t, d.query("byL", "pk = :a", nil, attr.String("a")).Items)
}

// TestIndexKeyTypes: DynamoDB rejects the item, it does not leave it out of the index.
func TestIndexKeyTypes(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	_, err := d.PutItem(context.Background(), &api.PutItemInput{
		TableName: api.Some("orders"),
		Item:      d.build(attr.NewItem().S("pk", "a").N("sk", "1").N("g", "1")),
	})
	requireError(t, err, api.Validation, "One or more parameter values were invalid: "+
		"Type mismatch for Index Key g Expected: S Actual: N IndexName: byG")
}

func TestConditionAndUpdate(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	update := func(expression, condition string) (*api.UpdateItemOutput, error) {
		in := &api.UpdateItemInput{
			TableName: api.Some("orders"), Key: d.build(attr.NewItem().S("pk", "a").N("sk", "1")),
			UpdateExpression: api.Some(expression), ReturnValues: api.Some("UPDATED_NEW"),
			ExpressionAttributeValues:           []api.NamedValue{{Placeholder: ":n", Value: number(t, "2")}},
			ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD"),
		}
		if condition != "" {
			in.ConditionExpression = api.Some(condition)
		}
		return d.UpdateItem(context.Background(), in)
	}
	out, err := update("ADD n :n", "attribute_not_exists(pk)")
	require.NoError(t, err)
	require.Equal(t, d.build(attr.NewItem().N("n", "2")), out.Attributes)
	out, err = update("SET n = n + :n", "")
	require.NoError(t, err)
	require.Equal(t, d.build(attr.NewItem().N("n", "4")), out.Attributes)

	_, err = update("ADD n :n", "attribute_not_exists(pk)")
	requireError(t, err, api.ConditionalCheckFailed, api.MsgConditionFailed)
	var e *api.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, d.get("a", "1"), e.Item)

	_, err = update("SET pk = :n", "")
	requireError(t, err, api.Validation, "One or more parameter values were invalid: "+
		"Cannot update attribute pk. This attribute is part of the key")
}

func TestTransactionsAndTokens(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := context.Background()
	put := func(pk, condition string) api.TransactWriteItem {
		p := &api.Put{TableName: api.Some("orders"), Item: d.build(attr.NewItem().S("pk", pk).N("sk", "1"))}
		if condition != "" {
			p.ConditionExpression = api.Some(condition)
		}
		return api.TransactWriteItem{Put: p}
	}
	run := func(token string, items ...api.TransactWriteItem) (*api.TransactWriteItemsOutput, error) {
		return d.TransactWriteItems(ctx, &api.TransactWriteItemsInput{
			TransactItems: items, ClientRequestToken: api.Some(token),
			ReturnConsumedCapacity: api.Some("TOTAL"),
		})
	}
	out, err := run("one", put("a", "attribute_not_exists(pk)"), put("b", ""))
	require.NoError(t, err)
	require.Equal(t, 4.0, out.ConsumedCapacity[0].CapacityUnits.Value)
	require.True(t, out.ConsumedCapacity[0].WriteCapacityUnits.Set)

	// The same call again does nothing, although its condition is false by now.
	d.clock.add(9 * time.Minute)
	out, err = run("one", put("a", "attribute_not_exists(pk)"), put("b", ""))
	require.NoError(t, err)
	require.True(t, out.ConsumedCapacity[0].ReadCapacityUnits.Set, "a replay is reported as reads")
	_, err = run("one", put("c", ""))
	requireError(t, err, api.IdempotentParameterMismatch, api.MsgTokenMismatch)

	d.clock.add(2 * time.Minute)
	_, err = run("one", put("a", "attribute_not_exists(pk)"), put("c", ""))
	requireError(t, err, api.TransactionCanceled, "Transaction cancelled, please refer cancellation "+
		"reasons for specific reasons [ConditionalCheckFailed, None]")
	require.Nil(t, d.get("c", "1"), "nothing of a cancelled transaction is there")
}

func TestBatches(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := context.Background()
	var requests []api.WriteRequest
	var keys []attr.Item
	for i := range 25 {
		k := d.build(attr.NewItem().S("pk", fmt.Sprint(i)).N("sk", "1"))
		keys = append(keys, k)
		requests = append(requests, api.WriteRequest{PutRequest: &api.PutRequest{Item: k}})
	}
	_, err := d.BatchWriteItem(ctx, &api.BatchWriteItemInput{
		RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: requests}},
	})
	require.NoError(t, err)
	keys[3] = d.build(attr.NewItem().S("pk", "none").N("sk", "1"))
	out, err := d.BatchGetItem(ctx, &api.BatchGetItemInput{
		RequestItems: []api.BatchGetRequestMapEntry{{Key: "orders", Value: api.KeysAndAttributes{Keys: keys}}},
	})
	require.NoError(t, err)
	require.Len(t, out.Responses[0].Value, 24)
	require.Empty(t, out.UnprocessedKeys)
}

// TestBatchWriteKeyMismatch: in a batch a missing key is a mismatch without its name.
func TestBatchWriteKeyMismatch(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	_, err := d.BatchWriteItem(context.Background(), &api.BatchWriteItemInput{
		RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: []api.WriteRequest{
			{PutRequest: &api.PutRequest{Item: d.build(attr.NewItem().S("pk", "a"))}},
		}}},
	})
	requireError(t, err, api.Validation, api.MsgKeyMismatch)
}

func TestScanSegmentsAreDisjointAndComplete(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	for i := range 50 {
		d.put(attr.NewItem().S("pk", fmt.Sprint(i)).N("sk", "1"))
	}
	seen := map[string]int{}
	for segment := range int64(4) {
		var start attr.Item
		for {
			out, err := d.Scan(context.Background(), &api.ScanInput{
				TableName: api.Some("orders"), Limit: api.Some[int64](3), ExclusiveStartKey: start,
				Segment: api.Some(segment), TotalSegments: api.Some[int64](4),
			})
			require.NoError(t, err)
			for _, it := range out.Items {
				seen[it.Get("pk").Text()]++
			}
			if start = out.LastEvaluatedKey; start == nil {
				break
			}
		}
	}
	require.Len(t, seen, 50)
	for pk, n := range seen {
		require.Equal(t, 1, n, pk)
	}
}

func TestExpiredItemsAreAbsent(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	ctx := context.Background()
	_, err := d.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName: api.Some("orders"), TimeToLiveSpecification: &api.TimeToLiveSpecification{
			AttributeName: api.Some("ttl"), Enabled: api.Some(true),
		},
	})
	require.NoError(t, err)
	now := d.clock.Now().Unix()
	item := func(pk string, ttl int64) *attr.Builder {
		return attr.NewItem().S("pk", pk).N("sk", "1").S("l", "x").N("ttl", fmt.Sprint(ttl))
	}
	d.put(item("past", now-1))
	d.put(item("future", now+100))
	d.put(item("ancient", now-6*365*24*3600))
	require.Nil(t, d.get("past", "1"))
	require.NotNil(t, d.get("future", "1"))
	require.NotNil(t, d.get("ancient", "1"), "more than five years ago is left alone")
	require.Empty(t, d.query("", "pk = :a", nil, attr.String("past")).Items)
	require.Empty(t, d.query("byL", "pk = :a", nil, attr.String("past")).Items,
		"an index that does not hold the attribute hides the item too")

	d.clock.add(time.Hour)
	require.Nil(t, d.get("future", "1"))
	_, err = d.PutItem(ctx, &api.PutItemInput{
		TableName: api.Some("orders"), Item: d.build(attr.NewItem().S("pk", "future").N("sk", "1")),
		ConditionExpression: api.Some("attribute_not_exists(pk)"),
	})
	require.NoError(t, err, "conditions do not see it either")
	require.Empty(t, d.query("byL", "pk = :a", nil, attr.String("future")).Items,
		"and its index entries go with it")
}

// TestDataPlaneStates: while a table is CREATING or DELETING, the data plane does not find it.
func TestDataPlaneStates(t *testing.T) {
	d := openTest(t, Options{TableDelay: time.Second})
	d.orders()
	ctx := context.Background()
	key := d.build(attr.NewItem().S("pk", "a").N("sk", "1"))
	get := func() error {
		_, err := d.GetItem(ctx, &api.GetItemInput{TableName: api.Some("orders"), Key: key})
		return err
	}
	requireError(t, get(), api.ResourceNotFound, api.MsgNotFound)
	_, err := d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	requireError(t, err, api.ResourceInUse,
		"Attempt to change a resource which is still in use: Table is being created: orders")
	d.clock.add(time.Second)
	require.NoError(t, get())
	d.put(attr.NewItem().S("pk", "a").N("sk", "1"))

	out, err := d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Equal(t, "DELETING", out.TableDescription.TableStatus.Value)
	requireError(t, get(), api.ResourceNotFound, api.MsgNotFound)
	d.clock.add(time.Second)
	_, err = d.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("orders")})
	requireError(t, err, api.ResourceNotFound, "Requested resource not found: Table: orders not found")

	d.orders()
	d.clock.add(time.Second)
	require.Nil(t, d.get("a", "1"), "a new table of the name is empty")
}

// numberOf is the integral part of a number.
func numberOf(v attr.Value) (int64, bool) {
	if n, ok := numbers.Int(v.Payload()); ok {
		return n, true
	}
	return int64(numbers.Float(v.Payload())), true
}
