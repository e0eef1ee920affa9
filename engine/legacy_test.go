package engine

import (
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
