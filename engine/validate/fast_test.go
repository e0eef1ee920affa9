package validate

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// picker draws members of requests, good and bad ones.
type picker struct {
	*rand.Rand
	item attr.Item
}

func (p picker) opt(values ...string) api.Opt[string] {
	i := p.IntN(len(values) + 1)
	if i == len(values) {
		return api.Opt[string]{}
	}
	return str(values[i])
}

func (p picker) num(values ...int64) api.Opt[int64] {
	i := p.IntN(len(values) + 1)
	if i == len(values) {
		return api.Opt[int64]{}
	}
	return num(values[i])
}

func (p picker) table() api.Opt[string] {
	return p.opt("Tab", "Table", "", "x", strings.Repeat("x", 1024), strings.Repeat("x", 1025))
}
func (p picker) consumed() api.Opt[string] { return p.opt("NONE", "TOTAL", "INDEXES", "x", "") }
func (p picker) metrics() api.Opt[string]  { return p.opt("NONE", "SIZE", "x") }
func (p picker) values() api.Opt[string] {
	return p.opt("NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "x")
}
func (p picker) failure() api.Opt[string] { return p.opt("NONE", "ALL_OLD", "ALL_NEW") }
func (p picker) sel() api.Opt[string] {
	return p.opt("COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "x")
}
func (p picker) index() api.Opt[string] {
	return p.opt("idx", "id", "i/x", "", strings.Repeat("i", 255), strings.Repeat("i", 256))
}

func (p picker) key() attr.Item {
	if p.IntN(4) == 0 {
		return nil
	}
	return p.item
}

func (p picker) names() []api.Name {
	switch p.IntN(4) {
	case 0:
		return []api.Name{{Placeholder: "#a", Name: strings.Repeat("x", 65536)}}
	case 1:
		return []api.Name{{Placeholder: "#a", Name: strings.Repeat("x", 65535)}}
	}
	return nil
}

func (p picker) keys() []attr.Item {
	n := []int{0, 1, 2, 100, 101}[p.IntN(5)]
	out := make([]attr.Item, n)
	for i := range out {
		out[i] = p.item
	}
	return out
}

// trial is a request, whether the fast path takes it, and its operation.
type trial struct {
	operation string
	in        any
	fits      bool
}

func (p picker) single() []trial {
	put := &api.PutItemInput{
		TableName: p.table(), Item: p.key(), ReturnConsumedCapacity: p.consumed(),
		ReturnItemCollectionMetrics: p.metrics(), ReturnValues: p.values(),
		ReturnValuesOnConditionCheckFailure: p.failure(), ExpressionAttributeNames: p.names(),
	}
	get := &api.GetItemInput{
		TableName: p.table(), Key: p.key(), ReturnConsumedCapacity: p.consumed(),
		ExpressionAttributeNames: p.names(),
	}
	update := &api.UpdateItemInput{
		TableName: p.table(), Key: p.key(), ReturnConsumedCapacity: p.consumed(),
		ReturnItemCollectionMetrics: p.metrics(), ReturnValues: p.values(),
		ReturnValuesOnConditionCheckFailure: p.failure(), ExpressionAttributeNames: p.names(),
	}
	del := &api.DeleteItemInput{
		TableName: p.table(), Key: p.key(), ReturnConsumedCapacity: p.consumed(),
		ReturnItemCollectionMetrics: p.metrics(), ReturnValues: p.values(),
		ReturnValuesOnConditionCheckFailure: p.failure(), ExpressionAttributeNames: p.names(),
	}
	query := &api.QueryInput{
		TableName: p.table(), IndexName: p.index(), Select: p.sel(), Limit: p.num(0, 1, 5, -1),
		ReturnConsumedCapacity: p.consumed(), ExpressionAttributeNames: p.names(),
	}
	scan := &api.ScanInput{
		TableName: p.table(), IndexName: p.index(), Select: p.sel(), Limit: p.num(0, 1, 5, -1),
		ReturnConsumedCapacity: p.consumed(), ExpressionAttributeNames: p.names(),
		Segment:       p.num(-1, 0, 999999, 1000000),
		TotalSegments: p.num(0, 1, 1000000, 1000001),
	}
	return []trial{
		{opPutItem, put, fitsPut(put)}, {opGetItem, get, fitsGet(get)},
		{opUpdateItem, update, fitsUpdate(update)}, {opDeleteItem, del, fitsDelete(del)},
		{opQuery, query, fitsQuery(query)}, {opScan, scan, fitsScan(scan)},
	}
}

func (p picker) many() []trial {
	get := &api.BatchGetItemInput{ReturnConsumedCapacity: p.consumed()}
	write := &api.BatchWriteItemInput{
		ReturnConsumedCapacity: p.consumed(), ReturnItemCollectionMetrics: p.metrics(),
	}
	tw := &api.TransactWriteItemsInput{
		ReturnConsumedCapacity: p.consumed(), ReturnItemCollectionMetrics: p.metrics(),
		ClientRequestToken: p.opt("", "x", strings.Repeat("x", 36), strings.Repeat("x", 37)),
	}
	tg := &api.TransactGetItemsInput{ReturnConsumedCapacity: p.consumed()}
	for i := range p.IntN(4) {
		name := p.table().Value + string(rune('a'+i))
		get.RequestItems = append(get.RequestItems, api.BatchGetRequestMapEntry{
			Key:   name,
			Value: api.KeysAndAttributes{Keys: p.keys(), ExpressionAttributeNames: p.names()},
		})
		var reqs []api.WriteRequest
		for range p.IntN(28) {
			reqs = append(reqs, api.WriteRequest{PutRequest: &api.PutRequest{Item: p.key()}})
			if p.IntN(2) == 0 {
				reqs[len(reqs)-1] = api.WriteRequest{DeleteRequest: &api.DeleteRequest{Key: p.key()}}
			}
		}
		write.RequestItems = append(write.RequestItems, api.BatchWriteItemRequestMapEntry{Key: name, Value: reqs})
		tw.TransactItems = append(tw.TransactItems, p.action())
		g := api.TransactGetItem{}
		if p.IntN(8) > 0 {
			g.Get = &api.Get{TableName: p.table(), Key: p.key(), ExpressionAttributeNames: p.names()}
		}
		tg.TransactItems = append(tg.TransactItems, g)
	}
	return []trial{
		{opBatchGetItem, get, fitsBatchGet(get)}, {opBatchWriteItem, write, fitsBatchWrite(write)},
		{opTransactWriteItems, tw, fitsTransactWrite(tw)}, {opTransactGetItems, tg, fitsTransactGet(tg)},
	}
}

func (p picker) action() api.TransactWriteItem {
	switch p.IntN(4) {
	case 0:
		return api.TransactWriteItem{ConditionCheck: &api.ConditionCheck{
			TableName: p.table(), Key: p.key(), ConditionExpression: p.opt("a"),
			ReturnValuesOnConditionCheckFailure: p.failure(), ExpressionAttributeNames: p.names(),
		}}
	case 1:
		return api.TransactWriteItem{Put: &api.Put{
			TableName: p.table(), Item: p.key(), ReturnValuesOnConditionCheckFailure: p.failure(),
		}}
	case 2:
		return api.TransactWriteItem{Delete: &api.Delete{
			TableName: p.table(), Key: p.key(), ReturnValuesOnConditionCheckFailure: p.failure(),
		}}
	}
	return api.TransactWriteItem{Update: &api.Update{
		TableName: p.table(), Key: p.key(), UpdateExpression: p.opt("a"),
		ReturnValuesOnConditionCheckFailure: p.failure(),
	}}
}

// What the hand-written checks take, the tables take, and the other way round but for what the
// fast path leaves to the tables (legacy parameters, odd entries of transactions).
func TestFastPathAgrees(t *testing.T) {
	const rounds, seed = 1_500, 7
	p := picker{rand.New(rand.NewPCG(seed, seed)), item(t, "a", "b")}
	good := make(map[string]int)
	for round := range rounds {
		trials := p.single()
		if round%10 == 0 {
			trials = append(trials, p.many()...)
		}
		for _, tr := range trials {
			err := Constraints(tr.operation, tr.in)
			require.Equal(t, tr.fits, err == nil, "round %d: %s %+v: %v", round, tr.operation, tr.in, err)
			if tr.fits {
				good[tr.operation]++
			}
		}
	}
	require.Len(t, good, 10, "every operation was good at times: %v", good)
}

// benchRequests are good requests of the hot operations.
func benchRequests(t testing.TB) map[string]func() error {
	k := item(t, "pk", "a")
	names := []api.Name{{Placeholder: "#a", Name: "x"}}
	values := []api.NamedValue{{Placeholder: ":a", Value: attr.String("x")}}
	put := &api.PutItemInput{
		TableName: str("Table"), Item: item(t, "pk", "a", "data", strings.Repeat("x", 400)),
		ConditionExpression: str("#a = :a"), ExpressionAttributeNames: names,
		ExpressionAttributeValues: values, ReturnConsumedCapacity: str("TOTAL"),
	}
	get := &api.GetItemInput{TableName: str("Table"), Key: k}
	update := &api.UpdateItemInput{
		TableName: str("Table"), Key: k, UpdateExpression: str("SET #a = :a"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values, ReturnValues: str("ALL_NEW"),
	}
	del := &api.DeleteItemInput{TableName: str("Table"), Key: k}
	query := &api.QueryInput{
		TableName: str("Table"), IndexName: str("index"), KeyConditionExpression: str("#a = :a"),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values, Limit: num(10),
	}
	scan := &api.ScanInput{TableName: str("Table"), Segment: num(0), TotalSegments: num(4)}
	bg := &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
		{Key: "Table", Value: api.KeysAndAttributes{Keys: []attr.Item{k, item(t, "pk", "b")}}},
	}}
	bw := &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{
		{Key: "Table", Value: []api.WriteRequest{{PutRequest: &api.PutRequest{Item: put.Item}}}},
	}}
	tw := &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{Put: &api.Put{TableName: str("Table"), Item: put.Item}},
		{Delete: &api.Delete{TableName: str("Table"), Key: k}},
	}}
	tg := &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{
		{Get: &api.Get{TableName: str("Table"), Key: k}},
	}}
	opt := Options{}
	return map[string]func() error{
		opPutItem:            func() error { return PutItem(put, opt) },
		opGetItem:            func() error { return GetItem(get, opt) },
		opUpdateItem:         func() error { return UpdateItem(update, opt) },
		opDeleteItem:         func() error { return DeleteItem(del, opt) },
		opQuery:              func() error { return Query(query, opt) },
		opScan:               func() error { return Scan(scan, opt) },
		opBatchGetItem:       func() error { return BatchGetItem(bg, opt) },
		opBatchWriteItem:     func() error { return BatchWriteItem(bw, opt) },
		opTransactWriteItems: func() error { return TransactWriteItems(tw, opt) },
		opTransactGetItems:   func() error { return TransactGetItems(tg, opt) },
	}
}

// Good requests of hot operations allocate nothing.
func TestHotAllocations(t *testing.T) {
	for name, check := range benchRequests(t) {
		require.NoError(t, check(), name)
		require.Zero(t, testing.AllocsPerRun(100, func() { _ = check() }), name)
	}
}

func BenchmarkHot(b *testing.B) {
	for name, check := range benchRequests(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if check() != nil {
					b.Fatal("bad request")
				}
			}
		})
	}
}

func BenchmarkCreateTable(b *testing.B) {
	in := onDemand("a", "b")
	in.AttributeDefinitions = define("a", "b")
	b.ReportAllocs()
	for b.Loop() {
		if CreateTable(in, Options{}) != nil {
			b.Fatal("bad request")
		}
	}
}
