package engine

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// refusal is one request and the error that it gets.
type refusal struct {
	name string
	call func() error
	code api.Code
	want string
}

func requireRefusals(t *testing.T, list []refusal) {
	t.Helper()
	for _, c := range list {
		err := c.call()
		if c.code == "" {
			require.NoError(t, err, c.name)
			continue
		}
		var own *api.Error
		require.ErrorAs(t, err, &own, c.name)
		require.Equal(t, c.code, own.Code, c.name)
		require.Equal(t, c.want, own.Message, c.name)
	}
}

const (
	textNotFound = "Requested resource not found"
	textMismatch = "The provided key element does not match the schema"
	textScalar   = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: "
)

func (d *testDB) key(pk, sk string) attr.Item {
	d.t.Helper()
	return d.build(attr.NewItem().S("pk", pk).N("sk", sk))
}

func named(placeholder string, v attr.Value) []api.NamedValue {
	return []api.NamedValue{{Placeholder: placeholder, Value: v}}
}

// TestGetItemErrors: wire-facts §6.7, §6.33.
func TestGetItemErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	get := func(table string, key attr.Item, projection string) func() error {
		return func() error {
			in := &api.GetItemInput{TableName: api.Some(table), Key: key}
			if projection != "" {
				in.ProjectionExpression = api.Some(strings.TrimSpace(projection))
			}
			_, err := d.GetItem(t.Context(), in)
			return err
		}
	}
	requireRefusals(t, []refusal{
		{"expression before table", get("none", d.key("a", "1"), ""), api.ResourceNotFound, textNotFound},
		{"empty projection", get("none", d.key("a", "1"), " "), api.Validation, "Invalid ProjectionExpression: The expression can not be empty;"},
		{"empty key, unknown table", get("none", attr.Item{}, ""), api.ResourceNotFound, textNotFound},
		{"empty key", get("orders", attr.Item{}, "pk.x"), api.Validation, textMismatch},
		{"nested key", get("orders", d.key("a", "1"), "pk.x"), api.Validation, textScalar + "Key: pk"},
		{"nested index key", get("orders", d.key("a", "1"), "g[1]"), api.Validation, textScalar + "IndexKey: g"},
		{"by ARN", get("arn:aws:dynamodb:eu-west-1:000000000000:table/orders", d.key("a", "1"), ""), "", ""},
	})
}

// TestGetItemProjection: nothing found is an empty item, a missing item is absent.
func TestGetItemProjection(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1"))
	get := func(pk string) attr.Item {
		out, err := d.GetItem(t.Context(), &api.GetItemInput{
			TableName: api.Some("orders"), Key: d.key(pk, "1"), ProjectionExpression: api.Some("z"),
		})
		require.NoError(t, err)
		return out.Item
	}
	require.NotNil(t, get("a"))
	require.Empty(t, get("a"))
	require.Nil(t, get("b"))
}

// TestPutItemErrors: wire-facts §6.6, §6.33, with the envelope of §3.6.
func TestPutItemErrors(t *testing.T) {
	const envelope = "1 validation error detected: "
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "there").N("sk", "1"))
	put := func(table string, item attr.Item, condition string) func() error {
		return func() error {
			in := &api.PutItemInput{TableName: api.Some(table), Item: item}
			if condition != "" {
				in.ConditionExpression = api.Some(strings.TrimSpace(condition))
			}
			_, err := d.PutItem(t.Context(), in)
			return err
		}
	}
	big := d.build(attr.NewItem().S("x", strings.Repeat("x", 409_600)))
	bare := d.build(attr.NewItem().S("x", "y"))
	requireRefusals(t, []refusal{
		{"empty condition, unknown table", put("none", bare, " "), api.Validation, envelope + "Invalid ConditionExpression: The expression can not be empty;"},
		{"too large, unknown table", put("none", big, ""), api.Validation, envelope + "Item size has exceeded the maximum allowed size"},
		{"no key, unknown table", put("none", bare, ""), api.ResourceNotFound, textNotFound},
		{"no key", put("orders", bare, "pk.x = pk"), api.Validation, "One or more parameter values were invalid: Missing the key pk in the item"},
		{"nested key in the condition", put("orders", d.key("there", "1"), "attribute_exists(pk.x)"), api.Validation, textScalar + "Key: pk"},
		{"false", put("orders", d.key("there", "1"), "attribute_not_exists(pk)"), api.ConditionalCheckFailed, "The conditional request failed"},
		{"false without an item", put("orders", d.key("new", "1"), "attribute_exists(pk)"), api.ConditionalCheckFailed, "The conditional request failed"},
	})
}

// TestUpdateItemErrors: wire-facts §6.8, §5.9, §5.10.
func TestUpdateItemErrors(t *testing.T) {
	const envelope = "1 validation error detected: "
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("s", "text").L("els").S("big", strings.Repeat("x", 300_000)))
	update := func(table string, key attr.Item, expression, condition string, values ...api.NamedValue) func() error {
		return func() error {
			in := &api.UpdateItemInput{TableName: api.Some(table), Key: key, UpdateExpression: api.Some(expression)}
			if condition != "" {
				in.ConditionExpression = api.Some(condition)
			}
			in.ExpressionAttributeValues = values
			_, err := d.UpdateItem(t.Context(), in)
			return err
		}
	}
	key := d.key("a", "1")
	v := func(v attr.Value) api.NamedValue { return api.NamedValue{Placeholder: ":v", Value: v} }
	one := v(number(t, "1"))
	requireRefusals(t, []refusal{
		{"unused, unknown table", update("none", key, "REMOVE x", "", one), api.Validation,
			envelope + "Value provided in ExpressionAttributeValues unused in expressions: keys: {:v}"},
		{"unknown table", update("none", attr.Item{}, "SET pk = :v", "", one), api.ResourceNotFound, textNotFound},
		{"key schema", update("orders", attr.Item{}, "SET pk = :v", "", one), api.Validation, textMismatch},
		{"key attribute, false condition", update("orders", key, "SET pk = :v", "attribute_not_exists(pk)", one), api.Validation,
			"One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"},
		{"false condition, failing arithmetic", update("orders", key, "SET n = s + :v", "attribute_not_exists(pk)", one),
			api.ConditionalCheckFailed, "The conditional request failed"},
		{"missing operand", update("orders", key, "SET n = nope + :v", "", one), api.Validation,
			"The provided expression refers to an attribute that does not exist in the item"},
		{"wrong operand", update("orders", key, "SET n = s + :v", "", one), api.Validation,
			"An operand in the update expression has an incorrect data type"},
		{"wrong parent", update("orders", key, "SET s.x = :v", "", one), api.Validation,
			"The document path provided in the update expression is invalid for update"},
		{"overflow", update("orders", key, "SET n = :v + :v", "", v(number(t, "9E125"))), api.Validation,
			"Number overflow. Attempting to store a number with magnitude larger than supported range"},
		{"index key by evaluation", update("orders", key, "SET g = els", ""), api.Validation,
			"The update expression attempted to update the secondary index key to unsupported type"},
		{"too large afterwards", update("orders", key, "SET y = big", ""), api.Validation,
			"Item size to update has exceeded the maximum allowed size"},
	})
}

// TestReturnValues: wire-facts §6.6, §6.8, §6.9.
func TestReturnValues(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	m := d.build(attr.NewItem().S("x", "1").S("y", "2"))
	build := func() *attr.Builder { return attr.NewItem().S("pk", "a").N("sk", "1").N("n", "1").M("m", m) }
	old := d.build(build())
	update := func(pk, returns, expression string) attr.Item {
		in := &api.UpdateItemInput{
			TableName: api.Some("orders"), Key: d.key(pk, "1"), UpdateExpression: api.Some(expression),
			ReturnValues: api.Some(returns),
		}
		if strings.Contains(expression, ":v") {
			in.ExpressionAttributeValues = named(":v", number(t, "5"))
		}
		out, err := d.UpdateItem(t.Context(), in)
		require.NoError(t, err)
		return out.Attributes
	}
	nested := func(v attr.Value) attr.Item { return d.build(attr.NewItem().M("m", attr.Item{}.With("x", v))) }
	for _, c := range []struct {
		returns, expression string
		want                attr.Item
	}{
		{"NONE", "SET n = :v", nil},
		{"ALL_OLD", "SET n = :v", old},
		{"ALL_NEW", "SET n = :v", old.With("n", number(t, "5"))},
		{"UPDATED_OLD", "SET n = :v", d.build(attr.NewItem().N("n", "1"))},
		{"UPDATED_NEW", "SET n = :v", d.build(attr.NewItem().N("n", "5"))},
		{"UPDATED_NEW", "SET n = n", d.build(attr.NewItem().N("n", "1"))},
		{"UPDATED_OLD", "SET m.x = :v", nested(attr.String("1"))},
		{"UPDATED_NEW", "SET m.x = :v", nested(number(t, "5"))},
		{"UPDATED_OLD", "SET z = :v", nil},
		{"UPDATED_OLD", "REMOVE n", d.build(attr.NewItem().N("n", "1"))},
		{"UPDATED_NEW", "REMOVE n", nil},
	} {
		d.put(build())
		require.Equal(t, c.want, update("a", c.returns, c.expression), "%s of %s", c.returns, c.expression)
	}
	require.Nil(t, update("new", "ALL_OLD", "SET n = :v"))
	require.Equal(t, d.build(attr.NewItem().S("pk", "new2").N("sk", "1").N("n", "5")), update("new2", "ALL_NEW", "SET n = :v"))

	d.put(build())
	put, err := d.PutItem(t.Context(), &api.PutItemInput{
		TableName: api.Some("orders"), Item: d.key("a", "1"), ReturnValues: api.Some("ALL_OLD"),
	})
	require.NoError(t, err)
	require.Equal(t, old, put.Attributes)
	del, err := d.DeleteItem(t.Context(), &api.DeleteItemInput{
		TableName: api.Some("orders"), Key: d.key("none", "1"), ReturnValues: api.Some("ALL_OLD"),
	})
	require.NoError(t, err)
	require.Nil(t, del.Attributes)
}

// TestBatchErrors: wire-facts §6.12, §6.33.
func TestBatchErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	get := func(tables ...api.BatchGetRequestMapEntry) func() error {
		return func() error {
			_, err := d.BatchGetItem(t.Context(), &api.BatchGetItemInput{RequestItems: tables})
			return err
		}
	}
	keys := func(table string, keys ...attr.Item) api.BatchGetRequestMapEntry {
		return api.BatchGetRequestMapEntry{Key: table, Value: api.KeysAndAttributes{Keys: keys}}
	}
	write := func(table string, items ...attr.Item) func() error {
		return func() error {
			var list []api.WriteRequest
			for i, it := range items {
				if i%2 == 0 {
					list = append(list, api.WriteRequest{PutRequest: &api.PutRequest{Item: it}})
				} else {
					list = append(list, api.WriteRequest{DeleteRequest: &api.DeleteRequest{Key: it}})
				}
			}
			_, err := d.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{
				RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: table, Value: list}},
			})
			return err
		}
	}
	a, b := d.key("a", "1"), d.key("b", "1")
	const duplicates = "Provided list of item keys contains duplicates"
	requireRefusals(t, []refusal{
		{"get: duplicates, unknown table", get(keys("none", a, a)), api.Validation, duplicates},
		{"get: one of two tables unknown", get(keys("orders", a), keys("none", a)), api.ResourceNotFound, textNotFound},
		{"get: bad key", get(keys("orders", a, attr.Item{})), api.Validation, textMismatch},
		{"write: duplicates, unknown table", write("none", a, a), api.ResourceNotFound, textNotFound},
		{"write: duplicates", write("orders", a, b, a), api.Validation, duplicates},
		{"write: put and delete of one", write("orders", a, a), api.Validation, duplicates},
		{"write: bad key", write("orders", a, d.build(attr.NewItem().S("pk", "x"))), api.Validation, textMismatch},
		{"write: empty key", write("orders", d.key("", "1")), api.Validation,
			"One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
	})
	require.Nil(t, d.get("a", "1"), "nothing was written by refused batches")
}

// TestTransactionErrors: wire-facts §6.13, §6.14, §6.33.
func TestTransactionErrors(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	run := func(items ...api.TransactWriteItem) func() error {
		return func() error {
			_, err := d.TransactWriteItems(t.Context(), &api.TransactWriteItemsInput{TransactItems: items})
			return err
		}
	}
	check := func(table string, key attr.Item) api.TransactWriteItem {
		return api.TransactWriteItem{ConditionCheck: &api.ConditionCheck{
			TableName: api.Some(table), Key: key, ConditionExpression: api.Some("attribute_exists(pk)"),
		}}
	}
	put := func(table string, item attr.Item) api.TransactWriteItem {
		return api.TransactWriteItem{Put: &api.Put{TableName: api.Some(table), Item: item}}
	}
	get := func(keys ...attr.Item) func() error {
		return func() error {
			in := &api.TransactGetItemsInput{}
			for _, k := range keys {
				in.TransactItems = append(in.TransactItems, api.TransactGetItem{
					Get: &api.Get{TableName: api.Some("orders"), Key: k},
				})
			}
			_, err := d.TransactGetItems(t.Context(), in)
			return err
		}
	}
	a, b := d.key("a", "1"), d.key("b", "1")
	const twice = "Transaction request cannot include multiple operations on one item"
	requireRefusals(t, []refusal{
		{"empty entry", run(api.TransactWriteItem{}), api.Validation, "TransactItems can only contain one of Check, Put, Update or Delete"},
		{"unknown table, false condition", run(check("orders", a), put("none", b)), api.ResourceNotFound, textNotFound},
		{"key", run(put("orders", attr.Item{})), api.Validation, "One or more parameter values were invalid: Missing the key pk in the item"},
		{"twice", run(put("orders", a), check("orders", a)), api.Validation, twice},
		{"twice, by name and by ARN", run(put("orders", a), put("arn:aws:dynamodb:us-east-1:123456789012:table/orders", a)), api.Validation, twice},
		{"false", run(put("orders", b), check("orders", a)), api.TransactionCanceled,
			"Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"},
		{"get twice", get(a, b, a), api.Validation, twice},
		{"get bad key", get(a, attr.Item{}), api.Validation, textMismatch},
	})
	require.Nil(t, d.get("b", "1"))
}

// TestTableErrors: wire-facts §6.1 to §6.4, §6.16, §6.17, §6.29.
func TestTableErrors(t *testing.T) { //nolint:funlen // one table
	d := openTest(t, Options{TableDelay: time.Second})
	d.orders()
	ctx := t.Context()
	remove := func(name string) func() error {
		return func() error {
			_, err := d.DeleteTable(ctx, &api.DeleteTableInput{TableName: api.Some(name)})
			return err
		}
	}
	protect := func(name string, on bool) func() error {
		return func() error {
			_, err := d.UpdateTable(ctx, &api.UpdateTableInput{TableName: api.Some(name), DeletionProtectionEnabled: api.Some(on)})
			return err
		}
	}
	create := func() error {
		_, err := d.CreateTable(ctx, &api.CreateTableInput{
			TableName: api.Some("orders"), BillingMode: api.Some("PAY_PER_REQUEST"),
			KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
			AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
		})
		return err
	}
	ttl := func(name, attribute string, on bool) func() error {
		return func() error {
			_, err := d.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
				TableName: api.Some(name), TimeToLiveSpecification: &api.TimeToLiveSpecification{
					AttributeName: api.Some(attribute), Enabled: api.Some(on),
				},
			})
			return err
		}
	}
	const arn = "arn:aws:dynamodb:us-east-1:123456789012:table/"
	tag := func(name string) func() error {
		return func() error {
			_, err := d.TagResource(ctx, &api.TagResourceInput{
				ResourceArn: api.Some(arn + name), Tags: []api.Tag{{Key: api.Some("k"), Value: api.Some("v")}},
			})
			return err
		}
	}
	untag := func(name string) func() error {
		return func() error {
			_, err := d.UntagResource(ctx, &api.UntagResourceInput{ResourceArn: api.Some(arn + name), TagKeys: []string{"k", "none"}})
			return err
		}
	}
	pass := func() error { d.clock.add(time.Second); return nil }
	busy := func(word string) string {
		return "Attempt to change a resource which is still in use: Table is being " + word + ": orders"
	}
	const gone = "Requested resource not found: Table: none not found"
	requireRefusals(t, []refusal{
		{"delete unknown", remove("none"), api.ResourceNotFound, gone},
		{"update unknown", protect("none", true), api.ResourceNotFound, gone},
		{"ttl unknown", ttl("none", "t", true), api.ResourceNotFound, gone},
		{"tag unknown", tag("none"), api.ResourceNotFound, "Requested resource not found: ResourcArn: " + arn + "none not found"},
		{"untag unknown", untag("none"), api.ResourceNotFound, textNotFound},
		{"create while creating", create, api.ResourceInUse, "Table already exists: orders"},
		{"delete while creating", remove("orders"), api.ResourceInUse, busy("created")},
		{"update while creating", protect("orders", true), api.ResourceInUse, busy("created")},
		{"ttl while creating", ttl("orders", "t", true), api.ResourceInUse, busy("created")},
		{"pass", pass, "", ""},
		{"tag", tag("orders"), "", ""},
		{"untag", untag("orders"), "", ""},
		{"create while active", create, api.ResourceInUse, "Table already exists: orders"},
		{"protect", protect("orders", true), "", ""},
		{"delete while updating", remove("orders"), api.ResourceInUse, busy("updated")},
		{"update while updating", protect("orders", true), api.ResourceInUse, busy("updated")},
		{"pass", pass, "", ""},
		{"delete protected", remove("orders"), api.Validation,
			"Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first."},
		{"ttl off", ttl("orders", "t", false), api.Validation, "TimeToLive is already disabled"},
		{"ttl on", ttl("orders", "t", true), "", ""},
		{"ttl on again", ttl("orders", "t", true), api.Validation, "TimeToLive is already enabled"},
		{"ttl on by another", ttl("orders", "u", true), api.Validation, "TimeToLive is active on a different AttributeName: current AttributeName is t"},
		{"ttl off by another", ttl("orders", "u", false), api.Validation, "TimeToLive is active on a different AttributeName: current AttributeName is t"},
		{"unprotect", protect("orders", false), "", ""},
		{"pass", pass, "", ""},
		{"delete", remove("orders"), "", ""},
		{"delete while deleting", remove("orders"), api.ResourceInUse, busy("deleted")},
		{"update while deleting", protect("orders", true), api.ResourceInUse, busy("deleted")},
		{"create while deleting", create, api.ResourceInUse, "Table already exists: orders"},
		{"pass", pass, "", ""},
		{"delete when gone", remove("orders"), api.ResourceNotFound, "Requested resource not found: Table: orders not found"},
	})
}
