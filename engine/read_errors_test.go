package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const textInvalid = "One or more parameter values were invalid: "

// TestDeleteItemErrors: wire-facts §6.9, §6.33; no envelope (§3.6).
func TestDeleteItemErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1"))
	remove := func(table string, key attr.Item, change func(*api.DeleteItemInput)) func() error {
		return func() error {
			in := &api.DeleteItemInput{TableName: api.Some(table), Key: key}
			if change != nil {
				change(in)
			}
			_, err := d.DeleteItem(t.Context(), in)
			return err
		}
	}
	condition := func(text string) func(*api.DeleteItemInput) {
		return func(in *api.DeleteItemInput) { in.ConditionExpression = api.Some(text) }
	}
	returns := func(what string) func(*api.DeleteItemInput) {
		return func(in *api.DeleteItemInput) { in.ReturnValues = api.Some(what) }
	}
	key := d.key("a", "1")
	requireRefusals(t, []refusal{
		{"no name", func() error { _, err := d.DeleteItem(t.Context(), &api.DeleteItemInput{Key: key}); return err }, api.Validation,
			"1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null"},
		{"return values, unknown table", remove("none", key, returns("ALL_NEW")), api.Validation, "ReturnValues can only be ALL_OLD or NONE"},
		{"enum", remove("none", key, returns("SOME")), api.Validation, "1 validation error detected: Value 'SOME' at 'returnValues' " +
			"failed to satisfy constraint: Member must satisfy enum value set: [ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"},
		{"empty condition, unknown table", remove("none", key, condition("")), api.Validation,
			"Invalid ConditionExpression: The expression can not be empty;"},
		{"unknown table, bad key", remove("none", attr.Item{}, nil), api.ResourceNotFound, textNotFound},
		{"bad key, false condition", remove("orders", attr.Item{}, condition("attribute_not_exists(pk)")), api.Validation, textMismatch},
		{"key type", remove("orders", d.build(attr.NewItem().N("pk", "1").N("sk", "1")), nil), api.Validation, textMismatch},
		{"one attribute too many", remove("orders", key.With("x", attr.String("y")), nil), api.Validation, textMismatch},
		{"empty key", remove("orders", d.key("", "1"), nil), api.Validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"key size", remove("orders", d.key(strings.Repeat("x", 2049), "1"), nil), api.Validation,
			textInvalid + "Size of hashkey has exceeded the maximum size limit of2048 bytes"},
		{"nested key", remove("orders", key, condition("attribute_exists(sk.x)")), api.Validation, textScalar + "Key: sk"},
		{"false", remove("orders", key, condition("attribute_not_exists(pk)")), api.ConditionalCheckFailed, "The conditional request failed"},
		{"false without an item", remove("orders", d.key("b", "1"), condition("attribute_exists(pk)")), api.ConditionalCheckFailed,
			"The conditional request failed"},
		{"no item", remove("orders", d.key("b", "1"), nil), "", ""},
	})
	require.NotNil(t, d.get("a", "1"), "nothing refused was done")
}

// TestListTablesErrors: wire-facts §6.4.
func TestListTablesErrors(t *testing.T) {
	d := openTest(t, Options{})
	list := func(in *api.ListTablesInput) func() error {
		return func() error { _, err := d.ListTables(t.Context(), in); return err }
	}
	const at = "1 validation error detected: Value '"
	requireRefusals(t, []refusal{
		{"none", list(&api.ListTablesInput{Limit: api.Some[int64](0)}), api.Validation,
			at + "0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		{"many", list(&api.ListTablesInput{Limit: api.Some[int64](101)}), api.Validation,
			at + "101' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"most", list(&api.ListTablesInput{Limit: api.Some[int64](100)}), "", ""},
		{"start that is no table", list(&api.ListTablesInput{ExclusiveStartTableName: api.Some("none")}), "", ""},
	})
}

// TestQueryErrors: wire-facts §6.10, the table order; that of the static checks is in validate.
func TestQueryErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	query := func(table, index, condition string, change func(*api.QueryInput), values ...attr.Value) func() error {
		return func() error {
			in := &api.QueryInput{TableName: api.Some(table), KeyConditionExpression: api.Some(condition)}
			if index != "" {
				in.IndexName = api.Some(index)
			}
			for i, v := range values {
				in.ExpressionAttributeValues = append(in.ExpressionAttributeValues, named(":"+string(rune('a'+i)), v)...)
			}
			if change != nil {
				change(in)
			}
			_, err := d.Query(t.Context(), in)
			return err
		}
	}
	start := func(key attr.Item) func(*api.QueryInput) {
		return func(in *api.QueryInput) { in.ExclusiveStartKey = key }
	}
	consistent := func(in *api.QueryInput) { in.ConsistentRead = api.Some(true) }
	s, one := attr.String("a"), number(t, "1")
	requireRefusals(t, []refusal{
		{"OR, unknown table", query("none", "", "pk = :a OR sk = :a", nil, s), api.Validation, "Invalid operator used in KeyConditionExpression: OR"},
		{"unknown table, unknown index", query("none", "nope", "pk = :a", nil, s), api.ResourceNotFound, textNotFound},
		{"unknown index", query("orders", "nope", "x = :a", consistent, s), api.Validation, "The table does not have the specified index: nope"},
		{"consistent, bad start key", query("orders", "byG", "g = :a",
			func(in *api.QueryInput) { consistent(in); in.ExclusiveStartKey = attr.Item{} }, s), api.Validation,
			"Consistent reads are not supported on global secondary indexes"},
		{"start key short, bad condition", query("orders", "", "x = :a", start(d.build(attr.NewItem().S("pk", "a"))), s), api.Validation,
			"The provided starting key is invalid"},
		{"start key type", query("orders", "", "pk = :a", start(d.build(attr.NewItem().S("pk", "a").S("sk", "1"))), s), api.Validation, textMismatch},
		{"missed hash key", query("orders", "", "x = :a", nil, s), api.Validation, "Query condition missed key schema element: pk"},
		{"missed sort key", query("orders", "", "pk = :a AND x = :a", nil, s), api.Validation, "Query condition missed key schema element: sk"},
		{"type", query("orders", "", "pk = :a AND sk = :a", nil, s), api.Validation, textInvalid + "Condition parameter type does not match schema type"},
		{"hash key not EQ", query("orders", "", "pk < :a", nil, s), api.Validation, "Query key condition not supported"},
		{"other partition", query("orders", "", "pk = :a", start(d.key("b", "1")), s), api.Validation,
			"The provided starting key is outside query boundaries based on provided conditions"},
		{"sort condition", query("orders", "", "pk = :a AND sk > :b", start(d.key("a", "0")), s, one), api.Validation,
			"The provided starting key does not match the range key predicate"},
		{"filter on a key", query("orders", "", "pk = :a", func(in *api.QueryInput) { in.FilterExpression = api.Some("sk = :a") }, s), api.Validation,
			"Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"},
		{"nested key", query("orders", "", "pk = :a", func(in *api.QueryInput) { in.ProjectionExpression = api.Some("sk.x") }, s), api.Validation,
			textScalar + "Key: sk"},
		{"empty key", query("orders", "", "pk = :a", nil, attr.String("")), api.Validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"none found", query("orders", "byL", "pk = :a AND begins_with(l, :a)", nil, s), "", ""},
	})
}

// TestScanErrors: wire-facts §6.11.
func TestScanErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	scan := func(table, index string, change func(*api.ScanInput)) func() error {
		return func() error {
			in := &api.ScanInput{TableName: api.Some(table)}
			if index != "" {
				in.IndexName = api.Some(index)
			}
			if change != nil {
				change(in)
			}
			_, err := d.Scan(t.Context(), in)
			return err
		}
	}
	start := func(key attr.Item) func(*api.ScanInput) {
		return func(in *api.ScanInput) { in.ExclusiveStartKey = key }
	}
	// The key "a" lies in one of the two segments.
	outside := func() error {
		first := scan("orders", "", func(in *api.ScanInput) {
			in.ExclusiveStartKey, in.Segment, in.TotalSegments = d.key("a", "1"), api.Some[int64](0), api.Some[int64](2)
		})()
		second := scan("orders", "", func(in *api.ScanInput) {
			in.ExclusiveStartKey, in.Segment, in.TotalSegments = d.key("a", "1"), api.Some[int64](1), api.Some[int64](2)
		})()
		require.True(t, (first == nil) != (second == nil), "the start key belongs to one segment")
		if first != nil {
			return first
		}
		return second
	}
	requireRefusals(t, []refusal{
		{"segment, unknown table", scan("none", "", func(in *api.ScanInput) { in.Segment = api.Some[int64](1) }), api.Validation,
			"The TotalSegments parameter is required but was not present in the request when Segment parameter is present"},
		{"unknown table, unknown index", scan("none", "nope", nil), api.ResourceNotFound, textNotFound},
		{"unknown index", scan("orders", "nope", start(attr.Item{})), api.Validation, "The table does not have the specified index: nope"},
		{"consistent", scan("orders", "byG", func(in *api.ScanInput) { in.ConsistentRead = api.Some(true) }), api.Validation,
			"Consistent reads are not supported on global secondary indexes"},
		{"start key short", scan("orders", "", start(d.build(attr.NewItem().S("pk", "a")))), api.Validation,
			"The provided starting key is invalid: " + textMismatch},
		{"start key of an index short", scan("orders", "byG", start(d.key("a", "1"))), api.Validation, "The provided starting key is invalid"},
		{"nested key", scan("orders", "", func(in *api.ScanInput) { in.FilterExpression = api.Some("attribute_exists(pk.x)") }), api.Validation,
			textScalar + "Key: pk"},
		{"consistent local", scan("orders", "byL", func(in *api.ScanInput) { in.ConsistentRead = api.Some(true) }), "", ""},
	})
	var own *api.Error
	require.ErrorAs(t, outside(), &own)
	require.Contains(t, own.Message, "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey "+
		"with correct Segment. TotalSegments: 2 Segment: ")
}

// TestGetManyErrors: wire-facts §6.12, §6.14; what needs the table comes after all that does not.
func TestGetManyErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	a := d.key("a", "1")
	batch := func(table, projection string, keys ...attr.Item) func() error {
		return func() error {
			e := api.BatchGetRequestMapEntry{Key: table, Value: api.KeysAndAttributes{Keys: keys}}
			if projection != "" {
				e.Value.ProjectionExpression = api.Some(projection)
			}
			_, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{e}})
			return err
		}
	}
	transact := func(tables, projection string, keys ...attr.Item) func() error {
		return func() error {
			in := &api.TransactGetItemsInput{}
			for i, table := range strings.Fields(tables) {
				g := &api.Get{TableName: api.Some(table), Key: keys[i]}
				if projection != "" {
					g.ProjectionExpression = api.Some(projection)
				}
				in.TransactItems = append(in.TransactItems, api.TransactGetItem{Get: g})
			}
			_, err := d.TransactGetItems(t.Context(), in)
			return err
		}
	}
	const syntax = `Invalid ProjectionExpression: Syntax error; token: "=", near: "x = y"`
	many := make([]attr.Item, 101)
	for i := range many {
		many[i] = d.build(attr.NewItem().S("pk", "a").Int("sk", int64(i)))
	}
	requireRefusals(t, []refusal{
		{"batch: projection, unknown table", batch("none", "x = y", a), api.Validation, syntax},
		{"batch: unknown table, bad key", batch("none", "", attr.Item{}), api.ResourceNotFound, textNotFound},
		{"batch: bad key", batch("orders", "", a, d.build(attr.NewItem().S("pk", "a"))), api.Validation, textMismatch},
		{"batch: nested key", batch("orders", "pk.x", a), api.Validation, textScalar + "Key: pk"},
		{"batch: too many", batch("none", "", many...), api.Validation, "1 validation error detected: Value at 'requestItems.none.member.keys' " +
			"failed to satisfy constraint: Member must have length less than or equal to 100"},
		{"batch: as many as may be", batch("orders", "", many[:100]...), "", ""},
		{"transact: projection, unknown table", transact("none", "x = y", a), api.Validation, syntax},
		{"transact: second table unknown, first key bad", transact("orders none", "", attr.Item{}, a), api.ResourceNotFound, textNotFound},
		{"transact: bad key", transact("orders", "", attr.Item{}), api.Validation, textMismatch},
		{"transact: empty key", transact("orders", "", d.key("", "1")), api.Validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"transact: nested index key", transact("orders", "g[0]", a), api.Validation, textScalar + "IndexKey: g"},
		{"transact: none", transact("", ""), api.Validation, "1 validation error detected: Value null at 'transactItems' failed to satisfy " +
			"constraint: Member must not be null"},
	})
}
