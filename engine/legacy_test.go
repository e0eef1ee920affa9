package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// expected is one entry of Expected.
func expected(name string, v api.ExpectedAttributeValue) api.ExpectedAttributeMapEntry {
	return api.ExpectedAttributeMapEntry{Key: name, Value: v}
}

func operator(name string, values ...attr.Value) api.ExpectedAttributeValue {
	return api.ExpectedAttributeValue{ComparisonOperator: api.Some(name), AttributeValueList: values}
}

// TestExpected: the three writes heed Expected (wire-facts §8.3). "there" exists, "new" does not.
func TestExpected(t *testing.T) {
	one, two := attr.Int(1), attr.Int(2)
	for _, c := range []struct {
		name     string
		pk       string
		operator string
		entries  []api.ExpectedAttributeMapEntry
		holds    bool
	}{
		{"value", "there", "", []api.ExpectedAttributeMapEntry{expected("a", api.ExpectedAttributeValue{Value: one})}, true},
		{"other value", "there", "", []api.ExpectedAttributeMapEntry{expected("a", api.ExpectedAttributeValue{Value: two})}, false},
		{"value of nothing", "new", "", []api.ExpectedAttributeMapEntry{expected("a", api.ExpectedAttributeValue{Value: one})}, false},
		{"exists with value", "there", "", []api.ExpectedAttributeMapEntry{expected("a", api.ExpectedAttributeValue{Value: one, Exists: api.Some(true)})}, true},
		{"absent", "new", "", []api.ExpectedAttributeMapEntry{expected("pk", api.ExpectedAttributeValue{Exists: api.Some(false)})}, true},
		{"not absent", "there", "", []api.ExpectedAttributeMapEntry{expected("pk", api.ExpectedAttributeValue{Exists: api.Some(false)})}, false},
		{"operator with value", "there", "", []api.ExpectedAttributeMapEntry{expected("a", api.ExpectedAttributeValue{Value: two, ComparisonOperator: api.Some("LT")})}, true},
		{"operator with list", "there", "", []api.ExpectedAttributeMapEntry{expected("a", operator("BETWEEN", one, two))}, true},
		{"all", "there", "", []api.ExpectedAttributeMapEntry{expected("a", operator("EQ", one)), expected("b", operator("NULL"))}, true},
		{"all but one", "there", "AND", []api.ExpectedAttributeMapEntry{expected("a", operator("EQ", two)), expected("b", operator("NULL"))}, false},
		{"one", "there", "OR", []api.ExpectedAttributeMapEntry{expected("a", operator("EQ", two)), expected("b", operator("NULL"))}, true},
		{"none", "there", "OR", []api.ExpectedAttributeMapEntry{expected("a", operator("EQ", two)), expected("b", operator("NOT_NULL"))}, false},
		{"existing key", "there", "OR", []api.ExpectedAttributeMapEntry{expected("pk", operator("EQ", attr.String("there"))), expected("b", api.ExpectedAttributeValue{Exists: api.Some(true), Value: one})}, true},
		{"nothing asked", "new", "", []api.ExpectedAttributeMapEntry{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := openTest(t, Options{})
			d.orders()
			d.put(attr.NewItem().S("pk", "there").N("sk", "1").N("a", "1"))
			combined := api.Opt[string]{Value: c.operator, Set: c.operator != ""}
			check := func(err error) {
				if c.holds {
					require.NoError(t, err)
					return
				}
				require.Equal(t, api.ConditionalCheckFailed, api.CodeOf(err), "%v", err)
			}
			_, err := d.UpdateItem(t.Context(), &api.UpdateItemInput{
				TableName: api.Some("orders"), Key: d.key(c.pk, "1"), Expected: c.entries, ConditionalOperator: combined,
			})
			check(err)
			if c.pk == "new" && c.holds { // the update has made it
				_, err = d.DeleteItem(t.Context(), &api.DeleteItemInput{TableName: api.Some("orders"), Key: d.key("new", "1")})
				require.NoError(t, err)
			}
			_, err = d.PutItem(t.Context(), &api.PutItemInput{
				TableName: api.Some("orders"), Expected: c.entries, ConditionalOperator: combined,
				Item: d.build(attr.NewItem().S("pk", c.pk).N("sk", "1").N("a", "1").S("put", "x")),
			})
			check(err)
			require.Equal(t, c.holds, d.get(c.pk, "1").Has("put"))
			if c.pk == "new" {
				return
			}
			_, err = d.DeleteItem(t.Context(), &api.DeleteItemInput{
				TableName: api.Some("orders"), Key: d.key(c.pk, "1"), Expected: c.entries, ConditionalOperator: combined,
			})
			check(err)
			require.Equal(t, c.holds, d.get(c.pk, "1") == nil)
		})
	}
}

// TestExpectedFailure: a failed expectation gives the stored item when it is asked for (wire-facts
// §1.4, §6.6).
func TestExpectedFailure(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "there").N("sk", "1").N("a", "1"))
	_, err := d.PutItem(t.Context(), &api.PutItemInput{
		TableName: api.Some("orders"), Item: d.key("there", "1"),
		Expected: []api.ExpectedAttributeMapEntry{expected("a", operator("NULL"))}, ReturnValuesOnConditionCheckFailure: api.Some("ALL_OLD"),
	})
	var own *api.Error
	require.ErrorAs(t, err, &own)
	require.Equal(t, "The conditional request failed", own.Message)
	require.Equal(t, d.get("there", "1"), own.Item)
}

func updateOf(name, action string, v attr.Value) api.AttributeUpdatesEntry {
	u := api.AttributeUpdatesEntry{Key: name, Value: api.AttributeValueUpdate{Value: v}}
	if action != "" {
		u.Value.Action = api.Some(action)
	}
	return u
}

func (d *testDB) update(pk, returns string, list ...api.AttributeUpdatesEntry) (attr.Item, error) {
	d.t.Helper()
	out, err := d.UpdateItem(d.t.Context(), &api.UpdateItemInput{
		TableName: api.Some("orders"), Key: d.key(pk, "1"), AttributeUpdates: list, ReturnValues: api.Some(returns),
	})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// TestAttributeUpdates: the actions and what ReturnValues gives of them (wire-facts §6.8, §8.4).
func TestAttributeUpdates(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	strs := func(members ...string) attr.Value {
		v, err := attr.StringSet(members...)
		require.NoError(t, err)
		return v
	}
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").N("n", "1").SS("set", "x", "y").S("gone", "x").S("kept", "x"))
	list := []api.AttributeUpdatesEntry{
		updateOf("a.b", "", attr.String("dot")), updateOf("gone", "DELETE", nil), updateOf("n", "ADD", attr.Int(2)),
		updateOf("put", "PUT", attr.List()), updateOf("set", "DELETE", strs("x", "z")),
	}
	old, err := d.update("a", "UPDATED_OLD", list...)
	require.NoError(t, err)
	require.Equal(t, d.build(attr.NewItem().N("n", "1").SS("set", "x", "y").S("gone", "x")), old)
	want := attr.NewItem().S("pk", "a").N("sk", "1").N("n", "3").SS("set", "y").S("kept", "x").S("a.b", "dot").L("put")
	require.Equal(t, d.build(want), d.get("a", "1"))
	updated, err := d.update("a", "UPDATED_NEW", list...)
	require.NoError(t, err)
	require.Equal(t, d.build(attr.NewItem().N("n", "5").SS("set", "y").S("a.b", "dot").L("put")), updated)
	all, err := d.update("a", "ALL_NEW", updateOf("set", "DELETE", strs("y")))
	require.NoError(t, err)
	require.False(t, all.Has("set"), "an emptied set is removed")
}

// TestAttributeUpdatesWithoutItem: PUT and ADD create the item, DELETE alone does not, nothing at
// all does (wire-facts §8.4, §10 #10).
func TestAttributeUpdatesWithoutItem(t *testing.T) {
	d := openTest(t, Options{})
	d.orders()
	set, err := attr.StringSet("x")
	require.NoError(t, err)
	del, part := updateOf("a", "DELETE", nil), updateOf("b", "DELETE", set)
	for name, c := range map[string]struct {
		list []api.AttributeUpdatesEntry
		want *attr.Builder
	}{
		"deletes":    {[]api.AttributeUpdatesEntry{del, part}, nil},
		"delete put": {[]api.AttributeUpdatesEntry{del, updateOf("c", "PUT", attr.Int(1))}, attr.NewItem().N("c", "1")},
		"add":        {[]api.AttributeUpdatesEntry{updateOf("c", "ADD", attr.Int(1)), part}, attr.NewItem().N("c", "1")},
		"add set":    {[]api.AttributeUpdatesEntry{updateOf("c", "ADD", set)}, attr.NewItem().SS("c", "x")},
		"empty":      {[]api.AttributeUpdatesEntry{}, attr.NewItem()},
	} {
		got, err := d.update(name, "ALL_NEW", c.list...)
		require.NoError(t, err, name)
		if c.want == nil {
			require.Nil(t, got, name)
			require.Nil(t, d.get(name, "1"), name)
			continue
		}
		require.Equal(t, d.build(c.want.S("pk", name).N("sk", "1")), got, name)
		require.Equal(t, got, d.get(name, "1"), name)
	}
}

// TestAttributeUpdatesErrors: wire-facts §8.4, §5.9, with the envelope of §3.6 on what the request
// alone tells.
func TestAttributeUpdatesErrors(t *testing.T) {
	const prefix = "One or more parameter values were invalid: "
	d := openTest(t, Options{})
	d.orders()
	d.put(attr.NewItem().S("pk", "a").N("sk", "1").S("s", "x").S("g", "g").N("h", "1"))
	do := func(table string, list ...api.AttributeUpdatesEntry) func() error {
		return func() error {
			_, err := d.UpdateItem(t.Context(), &api.UpdateItemInput{
				TableName: api.Some(table), Key: d.key("a", "1"), AttributeUpdates: list,
			})
			return err
		}
	}
	requireRefusals(t, []refusal{
		{"static before the table", do("none", updateOf("s", "", nil)), api.Validation, "1 validation error detected: " + prefix + "Only DELETE action is allowed when no attribute value is specified"},
		{"unknown table", do("none", updateOf("pk", "", attr.Int(1))), api.ResourceNotFound, textNotFound},
		{"key", do("orders", updateOf("pk", "PUT", attr.String("b"))), api.Validation, prefix + "Cannot update attribute pk. This attribute is part of the key"},
		{"sort key", do("orders", updateOf("a", "PUT", attr.Int(1)), updateOf("sk", "DELETE", nil)), api.Validation, prefix + "Cannot update attribute sk. This attribute is part of the key"},
		{"a dot is no path", do("orders", updateOf("pk.x", "PUT", attr.Int(1))), "", ""},
		{"index key type", do("orders", updateOf("g", "PUT", attr.Int(1))), api.Validation, prefix + "Type mismatch for Index Key g Expected: S Actual: N IndexName: byG"},
		{"number added to a string", do("orders", updateOf("s", "ADD", attr.Int(1))), api.Validation, "Type mismatch for attribute to update"},
		{"number added to an index key", do("orders", updateOf("h", "ADD", attr.Int(1))), "", ""},
		{"too large", do("orders", updateOf("big", "PUT", attr.String(strings.Repeat("x", 409_600)))), api.Validation, "Item size to update has exceeded the maximum allowed size"},
	})
	require.Equal(t, number(t, "2"), d.get("a", "1").Get("h"))
	page := d.query("byG", "g = :a AND h = :b", nil, attr.String("g"), number(t, "2"))
	require.Equal(t, int64(1), page.Count.Value, "the index follows")
	// The condition is looked at before the update.
	_, err := d.UpdateItem(t.Context(), &api.UpdateItemInput{
		TableName: api.Some("orders"), Key: d.key("a", "1"),
		AttributeUpdates: []api.AttributeUpdatesEntry{updateOf("s", "ADD", attr.Int(1))},
		Expected:         []api.ExpectedAttributeMapEntry{expected("s", operator("NULL"))},
	})
	require.Equal(t, api.ConditionalCheckFailed, api.CodeOf(err))
}
