package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// twin is one operation, told natively and as a statement.
type twin struct {
	native    func(*testDB) (items []attr.Item, last attr.Item, consumed *api.ConsumedCapacity, err error)
	statement string
	params    []attr.Value
	reverse   bool
	limit     int64
	// absent: the condition of the native put is that of an INSERT, whose failure has another name.
	absent bool
}

func one(it attr.Item) []attr.Item {
	if it == nil {
		return nil
	}
	return []attr.Item{it}
}

// twinMaker makes random operations on the table of testDB.orders.
type twinMaker struct{ conditionMaker }

func (r twinMaker) key() (attr.Item, string, []attr.Value) {
	pk, sk := attr.String(r.pick("a", "b")), attr.Int(int64(r.IntN(4)))
	return attr.Item{}.With("pk", pk).With("sk", sk), "pk = ? AND sk = ?", []attr.Value{pk, sk}
}

var (
	parityNames    = api.Some(api.ReturnConsumedCapacityIndexes)
	parityOnFailed = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
)

// value is a number.
func (r twinMaker) value() attr.Value { return attr.Int(int64(r.IntN(5))) }

func (r twinMaker) put() twin {
	key, _, params := r.key()
	it := key
	names := []string{"'pk': ?", "'sk': ?"}
	for _, a := range []api.NamedValue{
		{Placeholder: "g", Value: attr.String(r.pick("x", "y"))}, {Placeholder: "h", Value: r.value()},
		{Placeholder: "n", Value: r.value()}, {Placeholder: "l", Value: attr.String(r.pick("p", "q"))},
		{Placeholder: "big", Value: attr.String(strings.Repeat("z", r.IntN(3)*900))},
	} {
		if r.IntN(2) == 0 {
			it = it.With(a.Placeholder, a.Value)
			names, params = append(names, "'"+a.Placeholder+"': ?"), append(params, a.Value)
		}
	}
	return twin{
		statement: "INSERT INTO orders VALUE {" + strings.Join(names, ", ") + "}", params: params, absent: true,
		native: func(d *testDB) ([]attr.Item, attr.Item, *api.ConsumedCapacity, error) {
			out, err := d.PutItem(context.Background(), &api.PutItemInput{
				TableName: api.Some("orders"), Item: it, ReturnConsumedCapacity: parityNames,
				ConditionExpression: api.Some("attribute_not_exists(pk)"),
			})
			if err != nil {
				return nil, nil, nil, err
			}
			return nil, nil, out.ConsumedCapacity, nil
		},
	}
}

// change is a part of an update in both languages; :v is the value.
type change struct{ native, statement string }

func (r twinMaker) update() twin {
	key, where, params := r.key()
	c := []change{
		{"SET n = :v", "SET n = ?"},
		{"SET n = n + :v", "SET n = n + ?"},
		{"SET n = :v - n", "SET n = ? - n"},
		{"SET h = :v REMOVE g", "SET h = ? REMOVE g"},
		{"REMOVE l SET m = :v", "REMOVE l SET m = ?"},
		{"SET m = list_append(m, :l), n = :v", "SET m = list_append(m, [1, 'x']), n = ?"},
		{"SET m = :l, n = :v", "SET m = [1, 'x'], n = ?"},
		{"SET m[0] = :v", "SET m[0] = ?"},
		{"ADD s :s SET n = :v", "SET s = set_add(s, <<'u', 'w'>>), n = ?"},
		{"DELETE s :s SET n = :v", "SET s = set_delete(s, <<'w', 'u'>>), n = ?"},
	}[r.IntN(10)]
	v, bound := r.value(), r.value()
	returns := [...]string{"ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"}[r.IntN(4)]
	returning := strings.NewReplacer("UPDATED", "MODIFIED", "_", " ").Replace(returns)
	condition, more := "attribute_exists(pk)", ""
	values := []api.NamedValue{{Placeholder: ":v", Value: v}}
	if strings.Contains(c.native, ":l") {
		values = append([]api.NamedValue{{Placeholder: ":l", Value: attr.List(attr.Int(1), attr.String("x"))}}, values...)
	}
	if strings.Contains(c.native, ":s") {
		set, _ := attr.StringSet("u", "w")
		values = append([]api.NamedValue{{Placeholder: ":s", Value: set}}, values...)
	}
	params = append([]attr.Value{v}, params...)
	if r.IntN(3) == 0 {
		condition, more = condition+" AND n >= :b", " AND n >= ?"
		values = append([]api.NamedValue{{Placeholder: ":b", Value: bound}}, values...)
		params = append(params, bound)
	}
	return twin{
		statement: "UPDATE orders " + c.statement + " WHERE " + where + more + " RETURNING " + returning + " *", params: params,
		native: func(d *testDB) ([]attr.Item, attr.Item, *api.ConsumedCapacity, error) {
			out, err := d.UpdateItem(context.Background(), &api.UpdateItemInput{
				TableName: api.Some("orders"), Key: key, UpdateExpression: api.Some(c.native),
				ConditionExpression: api.Some(condition), ExpressionAttributeValues: values,
				ReturnValues: api.Some(returns), ReturnConsumedCapacity: parityNames,
				ReturnValuesOnConditionCheckFailure: parityOnFailed,
			})
			if err != nil {
				return nil, nil, nil, err
			}
			return one(out.Attributes), nil, out.ConsumedCapacity, nil
		},
	}
}

func (r twinMaker) remove() twin {
	key, where, params := r.key()
	in := &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: key, ReturnValues: api.Some(api.ReturnValueAllOld),
		ReturnConsumedCapacity: parityNames, ReturnValuesOnConditionCheckFailure: parityOnFailed,
	}
	if r.IntN(2) == 0 {
		v := r.value()
		where, params = where+" AND (n = ? OR n IS MISSING)", append(params, v)
		in.ConditionExpression = api.Some("n = :v OR attribute_not_exists(n)")
		in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":v", Value: v}}
	}
	return twin{
		statement: "DELETE FROM orders WHERE " + where + " RETURNING ALL OLD *", params: params,
		native: func(d *testDB) ([]attr.Item, attr.Item, *api.ConsumedCapacity, error) {
			out, err := d.DeleteItem(context.Background(), in)
			if err != nil {
				return nil, nil, nil, err
			}
			return one(out.Attributes), nil, out.ConsumedCapacity, nil
		},
	}
}

func (r twinMaker) get() twin {
	key, where, params := r.key()
	return twin{
		statement: "SELECT n, m, g FROM orders WHERE " + where, params: params,
		native: func(d *testDB) ([]attr.Item, attr.Item, *api.ConsumedCapacity, error) {
			out, err := d.GetItem(context.Background(), &api.GetItemInput{
				TableName: api.Some("orders"), Key: key, ReturnConsumedCapacity: parityNames,
				ProjectionExpression: api.Some("n, m, g"),
			})
			if err != nil {
				return nil, nil, nil, err
			}
			return one(out.Item), nil, out.ConsumedCapacity, nil
		},
	}
}

func (r twinMaker) query() twin {
	// A statement may filter only by what its index holds.
	c := []struct{ table, index, key, where, order, filter string }{
		{"orders", "", "pk = :k AND sk > :v", "pk = ? AND sk > ?", "sk", "n"},
		{"orders.byG", "byG", "g = :k AND h <= :v", "g = ? AND h <= ?", "h", "n"},
		{"orders.byL", "byL", "pk = :k", "pk = ?", "l", "sk"},
	}[r.IntN(3)]
	k, v, f := attr.String(r.pick("a", "b", "x", "y")), r.value(), r.value()
	t := twin{params: []attr.Value{k}, reverse: r.IntN(2) == 0, limit: int64(1 + r.IntN(4))}
	in := &api.QueryInput{
		TableName: api.Some("orders"), KeyConditionExpression: api.Some(c.key), Limit: api.Some(t.limit),
		FilterExpression: api.Some(c.filter + " <> :f"), ScanIndexForward: api.Some(!t.reverse), ReturnConsumedCapacity: parityNames,
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":f", Value: f}, {Placeholder: ":k", Value: k}},
	}
	if strings.Contains(c.key, ":v") {
		t.params = append(t.params, v)
		in.ExpressionAttributeValues = append(in.ExpressionAttributeValues, api.NamedValue{Placeholder: ":v", Value: v})
	}
	if c.index != "" {
		in.IndexName = api.Some(c.index)
	}
	t.params = append(t.params, f)
	t.statement = "SELECT * FROM " + c.table + " WHERE " + c.where + " AND " + c.filter + " <> ? ORDER BY " + c.order
	if t.reverse {
		t.statement += " DESC"
	}
	t.native = func(d *testDB) ([]attr.Item, attr.Item, *api.ConsumedCapacity, error) {
		out, err := d.Query(context.Background(), in)
		if err != nil {
			return nil, nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, out.ConsumedCapacity, nil
	}
	return t
}

func (r twinMaker) scan() twin {
	f := r.value()
	t := twin{statement: "SELECT * FROM orders WHERE n > ?", params: []attr.Value{f}, limit: int64(1 + r.IntN(9))}
	t.native = func(d *testDB) ([]attr.Item, attr.Item, *api.ConsumedCapacity, error) {
		out, err := d.Scan(context.Background(), &api.ScanInput{
			TableName: api.Some("orders"), FilterExpression: api.Some("n > :f"), Limit: api.Some(t.limit),
			ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":f", Value: f}}, ReturnConsumedCapacity: parityNames,
		})
		if err != nil {
			return nil, nil, nil, err
		}
		return out.Items, out.LastEvaluatedKey, out.ConsumedCapacity, nil
	}
	return t
}

// TestPartiQLParity runs the same random operations natively on one database and as statements on
// another: items, last keys, capacity of table and indexes, and errors with their items are the same.
func TestPartiQLParity(t *testing.T) {
	const operations = 4000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := twinMaker{conditionMaker{rand.New(rand.NewPCG(seed, 2))}}
	native, statements := openTest(t, Options{}), openTest(t, Options{})
	native.orders()
	statements.orders()
	seen := map[string]int{}
	for i := range operations {
		w := [...]func() twin{r.put, r.put, r.update, r.update, r.update, r.remove, r.get, r.query, r.scan}[r.IntN(9)]()
		items, last, consumed, err := w.native(native)
		in := &api.ExecuteStatementInput{
			Statement: api.Some(w.statement), Parameters: w.params, ReturnConsumedCapacity: parityNames,
			ReturnValuesOnConditionCheckFailure: parityOnFailed,
		}
		if w.limit > 0 {
			in.Limit = api.Some(w.limit)
		}
		out, stmtErr := statements.ExecuteStatement(context.Background(), in)
		word, _, _ := strings.Cut(w.statement, " ")
		if err != nil {
			require.Error(t, stmtErr, "%d: %s", i, w.statement)
			want := showError(err)
			if w.absent {
				want = strings.ReplaceAll(want, "ConditionalCheckFailedException: "+api.MsgConditionFailed, "DuplicateItemException: "+api.MsgDuplicateItem)
			}
			require.Equal(t, want, showError(stmtErr), "%d: %s", i, w.statement)
			seen[word+" fails"]++
			continue
		}
		require.NoError(t, stmtErr, "%d: %s", i, w.statement)
		seen[word]++
		require.Equal(t, fmt.Sprint(showItems(items)), fmt.Sprint(showItems(out.Items)), "%d: %s", i, w.statement)
		require.Equal(t, last, out.LastEvaluatedKey, "%d: %s", i, w.statement)
		require.Equal(t, last != nil, out.NextToken.Set, "%d: %s", i, w.statement)
		require.Equal(t, consumed, out.ConsumedCapacity, "%d: %s", i, w.statement)
	}
	for _, word := range []string{"INSERT", "INSERT fails", "UPDATE", "UPDATE fails", "DELETE", "DELETE fails", "SELECT"} {
		require.Greater(t, seen[word], 50, "too few of these: the test is blind there: %s %v", word, seen)
	}
}

func showItems(items []attr.Item) []string {
	list := []string{}
	for _, it := range items {
		list = append(list, showItem(it))
	}
	return list
}
