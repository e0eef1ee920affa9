package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Sizes of wire-facts §6.5 in the tests below. An item has pk (3 bytes), sk (4) and of these:
//
//	x  2501 bytes, in no index
//	p  1501 bytes, or 501 as small p, in the global index byG (keys and p)
//	g  2 bytes, the key of byG
//	l  2 bytes, the sort key of the local index byL (keys only)
//
// So it is 3 KB with x, 4 KB with x and p; the entry of byG is 2 KB with p and 1 KB with a small one;
// that of byL is 1 KB.
type shape map[string]string

var fillers = map[string]string{
	"x": strings.Repeat("x", 2500), "y": strings.Repeat("y", 2500),
	"p": strings.Repeat("p", 1500), "small": strings.Repeat("p", 500),
	"1": "1", "2": "2",
}

func (s shape) item(d *testDB) attr.Item {
	b := attr.NewItem().S("pk", "a").N("sk", "1")
	for _, name := range slices.Sorted(maps.Keys(s)) {
		b.S(name, fillers[s[name]])
	}
	return d.build(b)
}

// update is the expression that makes any item this one, with its values; join stands between the
// assignments.
func (s shape) update(join string, value func(i int) string) (text string, values []attr.Value) {
	var sets, removes []string
	for _, name := range []string{"x", "p", "g", "l"} {
		if s[name] == "" {
			removes = append(removes, name)
			continue
		}
		sets = append(sets, name+" = "+value(len(values)))
		values = append(values, attr.String(fillers[s[name]]))
	}
	text = "SET " + strings.Join(sets, join)
	return text + " REMOVE " + strings.Join(removes, strings.Replace(join, "SET", "REMOVE", 1)), values
}

// showUnits renders what was consumed: the sum, an "r" or "w" for the members that transactions have
// beside it, and the parts.
func showUnits(t *testing.T, c *api.ConsumedCapacity) string {
	require.NotNil(t, c)
	var text strings.Builder
	text.WriteString(fmt.Sprint(c.CapacityUnits.Value) + showDirection(t, c.CapacityUnits, c.ReadCapacityUnits, c.WriteCapacityUnits))
	if c.Table != nil {
		text.WriteString(fmt.Sprint(" T", c.Table.CapacityUnits.Value) +
			showDirection(t, c.Table.CapacityUnits, c.Table.ReadCapacityUnits, c.Table.WriteCapacityUnits))
	}
	for _, list := range [][]api.SecondaryIndexesCapacityMapEntry{c.GlobalSecondaryIndexes, c.LocalSecondaryIndexes} {
		for _, e := range list {
			text.WriteString(fmt.Sprint(" ", e.Key, " ", e.Value.CapacityUnits.Value) +
				showDirection(t, e.Value.CapacityUnits, e.Value.ReadCapacityUnits, e.Value.WriteCapacityUnits))
		}
	}
	return text.String()
}

func showDirection(t *testing.T, sum, read, write api.Opt[float64]) string {
	switch {
	case read.Set:
		require.Equal(t, sum, read)
		return "r"
	case write.Set:
		require.Equal(t, sum, write)
		return "w"
	}
	return ""
}

// want is what showUnits says of units: table and indexes, of a plain operation or a transaction,
// whose part of the table is doubled and that of the indexes is not.
func want(mode string, table, byG, byL float64, transaction string) string {
	if transaction != "" {
		table *= 2
	}
	text := fmt.Sprint(table+byG+byL) + transaction
	if mode == api.ReturnConsumedCapacityTotal {
		return text
	}
	text += fmt.Sprint(" T", table) + transaction
	if byG > 0 {
		text += fmt.Sprint(" byG ", byG) + transaction
	}
	if byL > 0 {
		text += fmt.Sprint(" byL ", byL) + transaction
	}
	return text
}

func capacityTable(t *testing.T) *testDB { return capacityTableWith(t, Options{}) }

func capacityTableWith(t *testing.T, opts Options) *testDB {
	d := openTest(t, opts)
	in := ordersInput()
	g := &in.GlobalSecondaryIndexes[0]
	g.KeySchema = g.KeySchema[:1]
	g.Projection = &api.Projection{ProjectionType: api.Some("INCLUDE"), NonKeyAttributes: []string{"p"}}
	in.AttributeDefinitions = slices.DeleteFunc(in.AttributeDefinitions, func(a api.AttributeDefinition) bool {
		return a.AttributeName.Value == "h"
	})
	_, err := d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	return d
}

var (
	ordersName   = api.Some("orders")
	capacityPair = []string{api.ReturnConsumedCapacityTotal, api.ReturnConsumedCapacityIndexes}
)

// capacityWrite is one way to write an item: transaction says how its units are shown.
type capacityWrite struct {
	name, transaction string
	run               func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error)
}

func first(list []api.ConsumedCapacity, err error) (*api.ConsumedCapacity, error) {
	if err != nil || len(list) != 1 {
		return nil, fmt.Errorf("%d tables: %w", len(list), err)
	}
	return &list[0], nil
}

func (d *testDB) transact(mode api.Opt[string], x api.TransactWriteItem) (*api.ConsumedCapacity, error) {
	out, err := d.TransactWriteItems(context.Background(), &api.TransactWriteItemsInput{
		TransactItems: []api.TransactWriteItem{x}, ReturnConsumedCapacity: mode,
	})
	if err != nil {
		return nil, err
	}
	return first(out.ConsumedCapacity, nil)
}

func (d *testDB) batchOne(mode api.Opt[string], r api.WriteRequest) (*api.ConsumedCapacity, error) {
	out, err := d.BatchWriteItem(context.Background(), &api.BatchWriteItemInput{
		RequestItems:           []api.BatchWriteItemRequestMapEntry{{Key: "orders", Value: []api.WriteRequest{r}}},
		ReturnConsumedCapacity: mode,
	})
	if err != nil {
		return nil, err
	}
	return first(out.ConsumedCapacity, nil)
}

// sayIn runs a statement in one of the three ways.
func (d *testDB) sayIn(way string, mode api.Opt[string], text string, params []attr.Value) (*api.ConsumedCapacity, error) {
	ctx := context.Background()
	switch way {
	case "ExecuteStatement":
		out, err := d.ExecuteStatement(ctx, &api.ExecuteStatementInput{
			Statement: api.Some(text), Parameters: params, ReturnConsumedCapacity: mode,
		})
		if err != nil {
			return nil, err
		}
		return out.ConsumedCapacity, nil
	case "BatchExecuteStatement":
		out, err := d.BatchExecuteStatement(ctx, &api.BatchExecuteStatementInput{
			Statements:             []api.BatchStatementRequest{{Statement: api.Some(text), Parameters: params}},
			ReturnConsumedCapacity: mode,
		})
		if err != nil {
			return nil, err
		}
		return first(out.ConsumedCapacity, nil)
	}
	out, err := d.ExecuteTransaction(ctx, &api.ExecuteTransactionInput{
		TransactStatements:     []api.ParameterizedStatement{{Statement: api.Some(text), Parameters: params}},
		ReturnConsumedCapacity: mode,
	})
	if err != nil {
		return nil, err
	}
	return first(out.ConsumedCapacity, nil)
}

// ways of statements, with how their units are shown.
var statementWays = []struct{ name, read, write string }{
	{"ExecuteStatement", "", ""}, {"BatchExecuteStatement", "", ""}, {"ExecuteTransaction", "r", "w"},
}

func nativeUpdate(after shape) (expression api.Opt[string], values []api.NamedValue) {
	text, list := after.update(", ", func(i int) string { return fmt.Sprint(":v", i) })
	for i, v := range list {
		values = append(values, api.NamedValue{Placeholder: fmt.Sprint(":v", i), Value: v})
	}
	return api.Some(strings.TrimSuffix(text, " REMOVE ")), values
}

func capacityWrites(created bool) []capacityWrite {
	list := []capacityWrite{
		{"PutItem", "", func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error) {
			out, err := d.PutItem(context.Background(), &api.PutItemInput{
				TableName: ordersName, Item: after.item(d), ReturnConsumedCapacity: mode,
			})
			if err != nil {
				return nil, err
			}
			return out.ConsumedCapacity, nil
		}},
		{"UpdateItem", "", func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error) {
			text, values := nativeUpdate(after)
			out, err := d.UpdateItem(context.Background(), &api.UpdateItemInput{
				TableName: ordersName, Key: d.key("a", "1"), UpdateExpression: text,
				ExpressionAttributeValues: values, ReturnConsumedCapacity: mode,
			})
			if err != nil {
				return nil, err
			}
			return out.ConsumedCapacity, nil
		}},
		{"BatchWriteItem", "", func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error) {
			return d.batchOne(mode, api.WriteRequest{PutRequest: &api.PutRequest{Item: after.item(d)}})
		}},
		{"TransactWriteItems Put", "w", func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error) {
			return d.transact(mode, api.TransactWriteItem{Put: &api.Put{TableName: ordersName, Item: after.item(d)}})
		}},
		{"TransactWriteItems Update", "w", func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error) {
			text, values := nativeUpdate(after)
			return d.transact(mode, api.TransactWriteItem{Update: &api.Update{
				TableName: ordersName, Key: d.key("a", "1"), UpdateExpression: text, ExpressionAttributeValues: values,
			}})
		}},
	}
	for _, way := range statementWays {
		list = append(list, capacityWrite{way.name, way.write, func(d *testDB, mode api.Opt[string], after shape) (*api.ConsumedCapacity, error) {
			if created {
				text, params := "INSERT INTO orders VALUE {'pk': 'a', 'sk': 1", []attr.Value(nil)
				for _, name := range slices.Sorted(maps.Keys(after)) {
					text += ", '" + name + "': ?"
					params = append(params, attr.String(fillers[after[name]]))
				}
				return d.sayIn(way.name, mode, text+"}", params)
			}
			text, params := after.update(" SET ", func(int) string { return "?" })
			text = strings.TrimSuffix(text, " REMOVE ")
			return d.sayIn(way.name, mode, "UPDATE orders "+text+" WHERE pk = 'a' AND sk = 1", params)
		}})
	}
	return list
}

// TestCapacityOfEveryWrite: each way to write × what happens to the indexes × TOTAL and INDEXES.
func TestCapacityOfEveryWrite(t *testing.T) {
	d := capacityTable(t)
	for _, c := range []struct {
		name            string
		before, after   shape
		table, byG, byL float64
	}{
		// 4 KB item; entries of 2 KB and 1 KB are new.
		{"created", nil, shape{"x": "x", "p": "p", "g": "1", "l": "1"}, 4, 2, 1},
		// 3 KB before and after, in no index.
		{"none", shape{"x": "x"}, shape{"x": "y"}, 3, 0, 0},
		// The larger of 3 and 4 KB; the entry of 2 KB is new.
		{"global, sparse to there", shape{"x": "x"}, shape{"x": "x", "p": "p", "g": "1"}, 4, 2, 0},
		// 4 KB; the entry of 2 KB goes.
		{"global, there to sparse", shape{"x": "x", "p": "p", "g": "1"}, shape{"x": "x", "p": "p"}, 4, 2, 0},
		// Another key: 2 KB go and 2 KB come.
		{"global, moved", shape{"x": "x", "p": "p", "g": "1"}, shape{"x": "x", "p": "p", "g": "2"}, 4, 4, 0},
		// Another key and less: 2 KB go and 1 KB comes. Of the item the larger counts, 4 KB.
		{"global, moved and smaller", shape{"x": "x", "p": "p", "g": "1"}, shape{"x": "x", "p": "small", "g": "2"}, 4, 3, 0},
		// The same key: the larger of 2 and 1 KB.
		{"global, changed", shape{"x": "x", "p": "p", "g": "1"}, shape{"x": "x", "p": "small", "g": "1"}, 4, 2, 0},
		// What changed is not projected.
		{"global, unchanged", shape{"x": "x", "p": "p", "g": "1"}, shape{"x": "y", "p": "p", "g": "1"}, 4, 0, 0},
		// 3 KB; the entry of 1 KB is new, moved, gone, unchanged.
		{"local, sparse to there", shape{"x": "x"}, shape{"x": "x", "l": "1"}, 3, 0, 1},
		{"local, moved", shape{"x": "x", "l": "1"}, shape{"x": "x", "l": "2"}, 3, 0, 2},
		{"local, there to sparse", shape{"x": "x", "l": "1"}, shape{"x": "x"}, 3, 0, 1},
		{"local, unchanged", shape{"x": "x", "l": "1"}, shape{"x": "y", "l": "1"}, 3, 0, 0},
		// Nothing changes at all: the item is paid, the entries are not.
		{"same", shape{"x": "x", "p": "p", "g": "1", "l": "1"}, shape{"x": "x", "p": "p", "g": "1", "l": "1"}, 4, 0, 0},
	} {
		for _, op := range capacityWrites(c.before == nil) {
			for _, mode := range capacityPair {
				d.be(c.before)
				got, err := op.run(d, api.Some(mode), c.after)
				require.NoError(t, err, "%s by %s", c.name, op.name)
				require.Equal(t, want(mode, c.table, c.byG, c.byL, op.transaction), showUnits(t, got),
					"%s by %s, %s", c.name, op.name, mode)
				require.Equal(t, c.after.item(d), d.get("a", "1"), "%s by %s", c.name, op.name)
			}
		}
	}
}

// be makes the item what it is before a write.
func (d *testDB) be(s shape) {
	d.t.Helper()
	_, err := d.DeleteItem(context.Background(), &api.DeleteItemInput{TableName: ordersName, Key: d.key("a", "1")})
	require.NoError(d.t, err)
	if s != nil {
		_, err = d.PutItem(context.Background(), &api.PutItemInput{TableName: ordersName, Item: s.item(d)})
		require.NoError(d.t, err)
	}
}

// TestCapacityOfEveryDelete: deletes cost what was there, checks in transactions too.
func TestCapacityOfEveryDelete(t *testing.T) {
	d := capacityTable(t)
	deletes := map[string]func(mode api.Opt[string]) (*api.ConsumedCapacity, error){
		"DeleteItem": func(mode api.Opt[string]) (*api.ConsumedCapacity, error) {
			out, err := d.DeleteItem(t.Context(), &api.DeleteItemInput{
				TableName: ordersName, Key: d.key("a", "1"), ReturnConsumedCapacity: mode,
			})
			return out.ConsumedCapacity, err
		},
		"BatchWriteItem": func(mode api.Opt[string]) (*api.ConsumedCapacity, error) {
			return d.batchOne(mode, api.WriteRequest{DeleteRequest: &api.DeleteRequest{Key: d.key("a", "1")}})
		},
		"TransactWriteItems": func(mode api.Opt[string]) (*api.ConsumedCapacity, error) {
			return d.transact(mode, api.TransactWriteItem{Delete: &api.Delete{TableName: ordersName, Key: d.key("a", "1")}})
		},
	}
	transactions := map[string]string{"TransactWriteItems": "w"}
	for _, way := range statementWays {
		transactions[way.name] = way.write
		deletes[way.name] = func(mode api.Opt[string]) (*api.ConsumedCapacity, error) {
			return d.sayIn(way.name, mode, "DELETE FROM orders WHERE pk = 'a' AND sk = 1", nil)
		}
	}
	for _, c := range []struct {
		name            string
		before          shape
		table, byG, byL float64
	}{
		{"missing", nil, 1, 0, 0}, // the smallest write
		{"none", shape{"x": "x"}, 3, 0, 0},
		{"all", shape{"x": "x", "p": "p", "g": "1", "l": "1"}, 4, 2, 1}, // both entries go
	} {
		for _, mode := range capacityPair {
			for name, run := range deletes {
				d.be(c.before)
				got, err := run(api.Some(mode))
				require.NoError(t, err, name)
				require.Equal(t, want(mode, c.table, c.byG, c.byL, transactions[name]), showUnits(t, got),
					"%s by %s, %s", c.name, name, mode)
			}
			// A check costs as a write of what it looks at, and touches no index.
			d.be(c.before)
			got, err := d.transact(api.Some(mode), api.TransactWriteItem{ConditionCheck: &api.ConditionCheck{
				TableName: ordersName, Key: d.key("a", "1"), ConditionExpression: api.Some("attribute_not_exists(nowhere)"),
			}})
			require.NoError(t, err)
			require.Equal(t, want(mode, c.table, 0, 0, "w"), showUnits(t, got), "check of %s", c.name)
		}
	}
}

// TestCapacityOfTheExpired: what is past its time costs nobody anything when a write meets it: the
// write costs as if it had been swept before. A page that meets it pays for it until the sweep.
func TestCapacityOfTheExpired(t *testing.T) {
	d := capacityTableWith(t, Options{NoBackground: true})
	_, err := d.UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
		TableName: ordersName,
		TimeToLiveSpecification: &api.TimeToLiveSpecification{
			AttributeName: api.Some("ttl"), Enabled: api.Some(true),
		},
	})
	require.NoError(t, err)
	expired := d.build(attr.NewItem().S("pk", "a").N("sk", "1").S("x", fillers["x"]).S("p", fillers["p"]).
		S("g", "1").S("l", "1").N("ttl", fmt.Sprint(d.clock.Now().Add(-time.Minute).Unix())))
	put := func() {
		_, err := d.PutItem(t.Context(), &api.PutItemInput{TableName: ordersName, Item: expired})
		require.NoError(t, err)
	}
	put()
	// Of 4 KB the keys are read in the index, and the whole item behind them.
	page := d.query("byL", "pk = :a", func(in *api.QueryInput) {
		in.Select, in.ReturnConsumedCapacity = api.Some("ALL_ATTRIBUTES"), api.Some("INDEXES")
	}, attr.String("a"))
	require.Equal(t, "1 T0.5 byL 0.5", showUnits(t, page.ConsumedCapacity))
	require.Equal(t, []int64{0, 1}, []int64{page.Count.Value, page.ScannedCount.Value})
	out, err := d.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: ordersName, Key: d.key("a", "1"), ReturnConsumedCapacity: api.Some("INDEXES"),
	})
	require.NoError(t, err)
	require.Equal(t, "1 T1", showUnits(t, out.ConsumedCapacity), "as of a missing item")
	put()
	again, err := d.PutItem(t.Context(), &api.PutItemInput{
		TableName: ordersName, Item: shape{"g": "2"}.item(d), ReturnConsumedCapacity: api.Some("INDEXES"),
	})
	require.NoError(t, err)
	require.Equal(t, "2 T1 byG 1", showUnits(t, again.ConsumedCapacity), "only the new item and its entry")
}

// TestCapacityOfEveryRead: each way to read × table and indexes × TOTAL and INDEXES. Both items are
// 6 KB with a filler of 4,501 bytes: 2 units of 4 KB each, 3 together. Entries of byG are 2 KB with p,
// 3 KB together; those of byL are keys alone.
func TestCapacityOfEveryRead(t *testing.T) {
	d := capacityTable(t)
	for _, sk := range []string{"1", "2"} {
		d.put(attr.NewItem().S("pk", "a").N("sk", sk).S("x", strings.Repeat("x", 4500)).
			S("p", fillers["p"]).S("g", "1").S("l", sk))
	}
	one := func(list []api.ConsumedCapacity) string {
		require.Len(t, list, 1)
		return showUnits(t, &list[0])
	}
	get := func(mode string, consistent bool, sk string) string {
		out, err := d.GetItem(t.Context(), &api.GetItemInput{
			TableName: ordersName, Key: d.key("a", sk), ConsistentRead: api.Some(consistent), ReturnConsumedCapacity: api.Some(mode),
		})
		require.NoError(t, err)
		return showUnits(t, out.ConsumedCapacity)
	}
	batchGet := func(mode string, consistent bool, sks ...string) string {
		in := &api.BatchGetItemInput{
			RequestItems:           []api.BatchGetRequestMapEntry{{Key: "orders", Value: api.KeysAndAttributes{ConsistentRead: api.Some(consistent)}}},
			ReturnConsumedCapacity: api.Some(mode),
		}
		for _, sk := range sks {
			in.RequestItems[0].Value.Keys = append(in.RequestItems[0].Value.Keys, d.key("a", sk))
		}
		out, err := d.BatchGetItem(t.Context(), in)
		require.NoError(t, err)
		return one(out.ConsumedCapacity)
	}
	transactGet := func(mode string, sks ...string) string {
		in := &api.TransactGetItemsInput{ReturnConsumedCapacity: api.Some(mode)}
		for _, sk := range sks {
			in.TransactItems = append(in.TransactItems, api.TransactGetItem{Get: &api.Get{TableName: ordersName, Key: d.key("a", sk)}})
		}
		out, err := d.TransactGetItems(t.Context(), in)
		require.NoError(t, err)
		return one(out.ConsumedCapacity)
	}
	query := func(mode, index, condition, value string, change func(*api.QueryInput)) string {
		return showUnits(t, d.query(index, condition, func(in *api.QueryInput) {
			in.ReturnConsumedCapacity = api.Some(mode)
			if change != nil {
				change(in)
			}
		}, attr.String(value)).ConsumedCapacity)
	}
	scan := func(mode, index string, consistent bool) string {
		in := &api.ScanInput{TableName: ordersName, ConsistentRead: api.Some(consistent), ReturnConsumedCapacity: api.Some(mode)}
		if index != "" {
			in.IndexName = api.Some(index)
		}
		out, err := d.Scan(t.Context(), in)
		require.NoError(t, err)
		return showUnits(t, out.ConsumedCapacity)
	}
	say := func(way, mode, text string) string {
		c, err := d.sayIn(way, api.Some(mode), text, nil)
		require.NoError(t, err)
		return showUnits(t, c)
	}
	const missing = "9"
	all := func(in *api.QueryInput) { in.Select = api.Some("ALL_ATTRIBUTES") }
	limited := func(in *api.QueryInput) { in.Limit = api.Some(int64(1)) }
	consistent := func(in *api.QueryInput) { in.ConsistentRead = api.Some(true) }
	for _, c := range []struct {
		name           string
		read           func(mode string) string
		total, indexes string
	}{
		{"GetItem", func(m string) string { return get(m, false, "1") }, "1", "1 T1"},
		{"GetItem consistent", func(m string) string { return get(m, true, "1") }, "2", "2 T2"},
		{"GetItem missing", func(m string) string { return get(m, false, missing) }, "0.5", "0.5 T0.5"},
		{"GetItem missing, consistent", func(m string) string { return get(m, true, missing) }, "1", "1 T1"},
		// 1 + 1 + 0.5: each is rounded alone.
		{"BatchGetItem", func(m string) string { return batchGet(m, false, "1", "2", missing) }, "2.5", "2.5 T2.5"},
		{"BatchGetItem consistent", func(m string) string { return batchGet(m, true, "1", missing) }, "3", "3 T3"},
		// 2 × 2 + 2 × 1.
		{"TransactGetItems", func(m string) string { return transactGet(m, "1", missing) }, "6r", "6r T6r"},
		// 12 KB together are 3 blocks.
		{"Query", func(m string) string { return query(m, "", "pk = :a", "a", nil) }, "1.5", "1.5 T1.5"},
		{"Query consistent", func(m string) string { return query(m, "", "pk = :a", "a", consistent) }, "3", "3 T3"},
		{"Query of one", func(m string) string { return query(m, "", "pk = :a", "a", limited) }, "1", "1 T1"},
		{"Query of nothing", func(m string) string { return query(m, "", "pk = :a", "b", nil) }, "0.5", "0.5 T0.5"},
		{"Query global", func(m string) string { return query(m, "byG", "g = :a", "1", nil) }, "0.5", "0.5 T0 byG 0.5"},
		{"Query local", func(m string) string { return query(m, "byL", "pk = :a", "a", nil) }, "0.5", "0.5 T0 byL 0.5"},
		{"Query local, consistent", func(m string) string { return query(m, "byL", "pk = :a", "a", consistent) }, "1", "1 T0 byL 1"},
		// The keys, and each item behind them: 0.5 + 1 + 1.
		{"Query local, fetching", func(m string) string { return query(m, "byL", "pk = :a", "a", all) }, "2.5", "2.5 T2 byL 0.5"},
		{"Scan", func(m string) string { return scan(m, "", false) }, "1.5", "1.5 T1.5"},
		{"Scan consistent", func(m string) string { return scan(m, "", true) }, "3", "3 T3"},
		{"Scan global", func(m string) string { return scan(m, "byG", false) }, "0.5", "0.5 T0 byG 0.5"},
		{"Scan local, consistent", func(m string) string { return scan(m, "byL", true) }, "1", "1 T0 byL 1"},
		{"SELECT of one", func(m string) string {
			return say("ExecuteStatement", m, "SELECT * FROM orders WHERE pk = 'a' AND sk = 1")
		}, "1", "1 T1"},
		{"SELECT of a partition", func(m string) string {
			return say("ExecuteStatement", m, "SELECT * FROM orders WHERE pk = 'a'")
		}, "1.5", "1.5 T1.5"},
		{"SELECT of all", func(m string) string { return say("ExecuteStatement", m, "SELECT * FROM orders") }, "1.5", "1.5 T1.5"},
		{"SELECT global", func(m string) string {
			return say("ExecuteStatement", m, `SELECT * FROM "orders"."byG" WHERE g = '1'`)
		}, "0.5", "0.5 T0 byG 0.5"},
		{"SELECT in a batch", func(m string) string {
			return say("BatchExecuteStatement", m, "SELECT * FROM orders WHERE pk = 'a' AND sk = 1")
		}, "1", "1 T1"},
		{"SELECT in a transaction", func(m string) string {
			return say("ExecuteTransaction", m, "SELECT * FROM orders WHERE pk = 'a' AND sk = 1")
		}, "4r", "4r T4r"},
	} {
		require.Equal(t, c.total, c.read(api.ReturnConsumedCapacityTotal), c.name)
		require.Equal(t, c.indexes, c.read(api.ReturnConsumedCapacityIndexes), c.name)
	}
}

// TestCapacityOfReplaysAndRefusals: a repeated transaction costs as its items are read; a condition
// that fails tells nothing of what it cost.
func TestCapacityOfReplaysAndRefusals(t *testing.T) {
	d := capacityTable(t)
	in := &api.TransactWriteItemsInput{
		TransactItems: []api.TransactWriteItem{{Put: &api.Put{
			TableName: ordersName, Item: shape{"x": "x", "p": "p", "g": "1", "l": "1"}.item(d),
		}}},
		ClientRequestToken: api.Some("token"),
	}
	for _, mode := range capacityPair {
		in.ReturnConsumedCapacity = api.Some(mode)
		_, err := d.TransactWriteItems(t.Context(), in)
		require.NoError(t, err)
		out, err := d.TransactWriteItems(t.Context(), in)
		require.NoError(t, err)
		// One block of 4 KB, doubled; indexes are not read.
		require.Equal(t, want(mode, 1, 0, 0, "r"), showUnits(t, &out.ConsumedCapacity[0]))
	}
	_, err := d.PutItem(t.Context(), &api.PutItemInput{
		TableName: ordersName, Item: shape{"x": "x"}.item(d), ReturnConsumedCapacity: api.Some("INDEXES"),
		ConditionExpression: api.Some("attribute_not_exists(pk)"),
	})
	require.Equal(t, api.ConditionalCheckFailed, codeOf(err))
}
