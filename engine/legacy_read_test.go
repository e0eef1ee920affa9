package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func condition(operator string, values ...attr.Value) api.Condition {
	return api.Condition{ComparisonOperator: api.Some(operator), AttributeValueList: values}
}

// keyed is KeyConditions for the partition "a" and, with an operator, for another attribute.
func keyed(name, operator string, values ...attr.Value) []api.KeyConditionsEntry {
	list := []api.KeyConditionsEntry{{Key: "pk", Value: condition("EQ", attr.String("a"))}}
	if operator == "" {
		return list
	}
	return append(list, api.KeyConditionsEntry{Key: name, Value: condition(operator, values...)})
}

func filtered(name, operator string, values ...attr.Value) []api.FilterConditionMapEntry {
	return []api.FilterConditionMapEntry{{Key: name, Value: condition(operator, values...)}}
}

// sorts are the sort keys of a page.
func sorts(page []attr.Item) string {
	var out strings.Builder
	for _, item := range page {
		v := item.Get("sk")
		for n := range 10 {
			if attr.Equal(v, attr.Int(int64(n))) {
				out.WriteString(string(rune('0' + n)))
			}
		}
	}
	return out.String()
}

// numbered fills the partition "a" with sort keys 1 to 5 and "b" with 6; l is "x" and the number.
func (d *testDB) numbered() {
	d.t.Helper()
	d.orders()
	for i, l := range []string{"xa", "xb", "xc", "ya", "yb"} {
		d.put(attr.NewItem().S("pk", "a").Int("sk", int64(i+1)).S("l", l).Int("n", int64(i%2)).S("a.b", "dot"))
	}
	d.put(attr.NewItem().S("pk", "b").N("sk", "6"))
}

// TestKeyConditions: each operator that a key can serve, on a number and on a string (wire-facts
// §8.2).
func TestKeyConditions(t *testing.T) {
	d := openTest(t, Options{})
	d.numbered()
	three, four := attr.Int(3), attr.Int(4)
	query := func(index string, conditions []api.KeyConditionsEntry) string {
		in := &api.QueryInput{TableName: api.Some("orders"), KeyConditions: conditions}
		if index != "" {
			in.IndexName = api.Some(index)
		}
		out, err := d.Query(t.Context(), in)
		require.NoError(t, err)
		return sorts(out.Items)
	}
	require.Equal(t, "12345", query("", keyed("", "")))
	require.Equal(t, "3", query("", keyed("sk", "EQ", three)))
	require.Equal(t, "12", query("", keyed("sk", "LT", three)))
	require.Equal(t, "123", query("", keyed("sk", "LE", three)))
	require.Equal(t, "45", query("", keyed("sk", "GT", three)))
	require.Equal(t, "345", query("", keyed("sk", "GE", three)))
	require.Equal(t, "34", query("", keyed("sk", "BETWEEN", three, four)))
	require.Equal(t, "123", query("byL", keyed("l", "BEGINS_WITH", attr.String("x"))))
	require.Equal(t, "234", query("byL", keyed("l", "BETWEEN", attr.String("xb"), attr.String("ya"))))
	require.Equal(t, "45", query("byL", keyed("l", "GT", attr.String("xc"))))
}

// TestKeyConditionErrors: what needs the table, in its order (wire-facts §6.10 #8 to #21).
func TestKeyConditionErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.numbered()
	_, err := d.CreateTable(t.Context(), &api.CreateTableInput{
		TableName: api.Some("single"), BillingMode: api.Some(api.BillingModePayPerRequest),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
	})
	require.NoError(t, err)
	one, text := attr.Int(1), attr.String("x")
	query := func(table string, conditions []api.KeyConditionsEntry, change func(*api.QueryInput)) func() error {
		return func() error {
			in := &api.QueryInput{TableName: api.Some(table), KeyConditions: conditions}
			if change != nil {
				change(in)
			}
			_, err := d.Query(t.Context(), in)
			return err
		}
	}
	hash := func(operator string, values ...attr.Value) []api.KeyConditionsEntry {
		return []api.KeyConditionsEntry{{Key: "pk", Value: condition(operator, values...)}}
	}
	const notIndexable = "Attempted conditional constraint is not an indexable operation"
	const unsupported = "Query key condition not supported"
	const typ = "One or more parameter values were invalid: Condition parameter type does not match schema type"
	bad := func(in *api.QueryInput) { in.FilterExpression = api.Some("") }
	list := []refusal{
		{"filter expression first", query("none", hash("EQ"), bad), api.Validation, "Invalid FilterExpression: The expression can not be empty;"},
		{"values before the table", query("none", hash("EQ"), nil), api.Validation, "One or more parameter values were invalid: Invalid number of argument(s) for the EQ ComparisonOperator"},
		{"none", query("none", []api.KeyConditionsEntry{}, nil), api.Validation, "Conditions can be of length 1 or 2 only"},
		{"unknown table", query("none", hash("NULL"), nil), api.ResourceNotFound, textNotFound},
		{"two for one", query("single", keyed("sk", "EQ", one), nil), api.Validation, unsupported},
		{"three of an index", query("orders", append(keyed("sk", "EQ", one), api.KeyConditionsEntry{Key: "z", Value: condition("NULL")}), func(in *api.QueryInput) { in.IndexName = api.Some("byL") }), api.Validation, "Conditions can be of length 1 or 2 only"},
		{"no hash", query("orders", keyed("sk", "NULL")[1:], nil), api.Validation, "Query condition missed key schema element: pk"},
		{"other attribute", query("orders", keyed("z", "NULL"), nil), api.Validation, "Query condition missed key schema element: sk"},
		{"not indexable before type", query("orders", append(hash("EQ", one), keyed("sk", "NE", one)[1:]...), nil), api.Validation, notIndexable},
		{"type", query("orders", keyed("sk", "EQ", text), nil), api.Validation, typ},
		{"type before operator", query("orders", append(hash("LT", text), keyed("sk", "EQ", text)[1:]...), nil), api.Validation, typ},
		{"hash not EQ", query("orders", hash("BEGINS_WITH", text), nil), api.Validation, unsupported},
		{"empty", query("orders", hash("EQ", attr.String("")), nil), api.Validation, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"filter on the key", query("orders", keyed("", ""), func(in *api.QueryInput) { in.QueryFilter = filtered("sk", "EQ", one) }), api.Validation, "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk"},
		{"filter on the table's key in an index", query("orders", keyed("", ""), func(in *api.QueryInput) {
			in.QueryFilter, in.IndexName = filtered("sk", "EQ", one), api.Some("byL")
		}), "", ""},
		{"filter on the index's key", query("orders", keyed("", ""), func(in *api.QueryInput) {
			in.QueryFilter, in.IndexName = filtered("l", "EQ", text), api.Some("byL")
		}), api.Validation, "QueryFilter can only contain non-primary key attributes: Primary key attribute: l"},
		{"expression on the key", query("orders", keyed("", ""), func(in *api.QueryInput) {
			in.FilterExpression = api.Some("attribute_exists(sk)")
		}), api.Validation, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"},
	}
	for operator, values := range map[string][]attr.Value{
		"NULL": nil, "NOT_NULL": nil, "NE": {one}, "CONTAINS": {one}, "NOT_CONTAINS": {one}, "IN": {one, one},
	} {
		list = append(list, refusal{operator, query("orders", keyed("sk", operator, values...), nil), api.Validation, notIndexable})
	}
	requireRefusals(t, list)
}

// TestQueryFilter: filters with AND and OR, beside KeyConditions and instead of them the other
// expressions; counts are those of expressions.
func TestQueryFilter(t *testing.T) {
	d := openTest(t, Options{})
	d.numbered()
	query := func(change func(*api.QueryInput)) *api.QueryOutput {
		in := &api.QueryInput{TableName: api.Some("orders"), KeyConditions: keyed("", "")}
		change(in)
		out, err := d.Query(t.Context(), in)
		require.NoError(t, err)
		return out
	}
	out := query(func(in *api.QueryInput) { in.QueryFilter = filtered("n", "EQ", attr.Int(1)) })
	require.Equal(t, "24", sorts(out.Items))
	require.Equal(t, int64(2), out.Count.Value)
	require.Equal(t, int64(5), out.ScannedCount.Value)
	two := append(filtered("l", "BEGINS_WITH", attr.String("y")), filtered("n", "EQ", attr.Int(1))...)
	require.Equal(t, "4", sorts(query(func(in *api.QueryInput) { in.QueryFilter = two }).Items))
	require.Equal(t, "4", sorts(query(func(in *api.QueryInput) {
		in.QueryFilter, in.ConditionalOperator = two, api.Some("AND")
	}).Items))
	require.Equal(t, "245", sorts(query(func(in *api.QueryInput) {
		in.QueryFilter, in.ConditionalOperator = two, api.Some("OR")
	}).Items))
	require.Equal(t, "12345", sorts(query(func(in *api.QueryInput) { in.QueryFilter = []api.FilterConditionMapEntry{} }).Items))
	out = query(func(in *api.QueryInput) {
		in.FilterExpression, in.ProjectionExpression = api.Some("n = :n"), api.Some("sk")
		in.ExpressionAttributeValues = named(":n", attr.Int(1))
	})
	require.Equal(t, []attr.Item{d.build(attr.NewItem().N("sk", "2")), d.build(attr.NewItem().N("sk", "4"))}, out.Items)
	out = query(func(in *api.QueryInput) {
		in.AttributesToGet, in.QueryFilter = []string{"sk", "a.b", "no"}, filtered("n", "EQ", attr.Int(1))
		in.Limit, in.ScanIndexForward = api.Some(int64(2)), api.Some(false)
	})
	require.Equal(t, []attr.Item{d.build(attr.NewItem().N("sk", "4").S("a.b", "dot"))}, out.Items)
	require.Equal(t, d.key("a", "4"), out.LastEvaluatedKey)
	out = query(func(in *api.QueryInput) {
		in.AttributesToGet, in.IndexName = []string{"n"}, api.Some("byL")
		in.ExclusiveStartKey = d.build(attr.NewItem().S("pk", "a").N("sk", "4").S("l", "ya"))
	})
	require.Equal(t, []attr.Item{d.build(attr.NewItem().N("n", "0"))}, out.Items, "fetched behind a local index")
}

// TestScanFilter may use key attributes.
func TestScanFilter(t *testing.T) {
	d := openTest(t, Options{})
	d.numbered()
	scan := func(change func(*api.ScanInput)) *api.ScanOutput {
		in := &api.ScanInput{TableName: api.Some("orders")}
		change(in)
		out, err := d.Scan(t.Context(), in)
		require.NoError(t, err)
		return out
	}
	out := scan(func(in *api.ScanInput) { in.ScanFilter = filtered("n", "NULL") })
	require.Equal(t, "6", sorts(out.Items))
	require.Equal(t, int64(6), out.ScannedCount.Value)
	out = scan(func(in *api.ScanInput) { in.ScanFilter = filtered("pk", "EQ", attr.String("a")) })
	require.Equal(t, "12345", sorts(out.Items))
	two := append(filtered("n", "NULL"), filtered("sk", "IN", attr.Int(1), attr.Int(3), attr.Int(9))...)
	require.Empty(t, scan(func(in *api.ScanInput) { in.ScanFilter = two }).Items)
	out = scan(func(in *api.ScanInput) {
		in.ScanFilter, in.ConditionalOperator, in.AttributesToGet = two, api.Some("OR"), []string{"n"}
	})
	require.ElementsMatch(t, []attr.Item{
		d.build(attr.NewItem().N("n", "0")), d.build(attr.NewItem().N("n", "0")), {},
	}, out.Items)
}

// TestAttributesToGet of single reads and batches: literal top-level names (wire-facts §8.5).
func TestAttributesToGet(t *testing.T) {
	d := openTest(t, Options{})
	d.numbered()
	get := func(pk string, names ...string) attr.Item {
		out, err := d.GetItem(t.Context(), &api.GetItemInput{TableName: api.Some("orders"), Key: d.key(pk, "1"), AttributesToGet: names})
		require.NoError(t, err)
		return out.Item
	}
	require.Equal(t, d.build(attr.NewItem().S("a.b", "dot").S("pk", "a")), get("a", "pk", "a.b", "no"))
	require.NotNil(t, get("a", "no"))
	require.Empty(t, get("a", "no"), "nothing found is an empty item")
	require.Nil(t, get("none", "pk"))
	out, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{{
		Key: "orders", Value: api.KeysAndAttributes{Keys: []attr.Item{d.key("a", "1"), d.key("a", "2"), d.key("none", "1")}, AttributesToGet: []string{"l"}},
	}}})
	require.NoError(t, err)
	require.ElementsMatch(t, []attr.Item{d.build(attr.NewItem().S("l", "xa")), d.build(attr.NewItem().S("l", "xb"))}, out.Responses[0].Value)
	_, err = d.Query(t.Context(), &api.QueryInput{
		TableName: api.Some("orders"), KeyConditions: keyed("", ""), AttributesToGet: []string{"a", "a"},
	})
	require.ErrorContains(t, err, "Duplicate value in attribute name: a")
}
