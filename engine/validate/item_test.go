package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const badName = "Invalid table/index name.  Table/index names must be between 3 and 255 characters " +
	"long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"

// Table names (wire-facts §3.5).
func TestTableNames(t *testing.T) {
	get := func(name string) error {
		return GetItem(&api.GetItemInput{TableName: str(name), Key: item(t, "a", "b")}, Options{})
	}
	requireText(t, get(""), ve(cv("''", "tableName", "Member must have length greater than or equal to 1")))
	requireText(t, get("ab"), badName)
	requireText(t, get("a b"), badName)
	requireText(t, get(strings.Repeat("a", 256)), badName)
	requireText(t, get(strings.Repeat("a", 1025)), ve(cv("'"+strings.Repeat("a", 1025)+"'", "tableName",
		"Member must have length less than or equal to 1024")))
	requireText(t, get(strings.Repeat("a", 255)), "")
	requireText(t, get("arn:aws:dynamodb:us-east-1:123456789012:table/abc"), "")
	requireText(t, get("arn:aws:dynamodb:us-east-1:123456789012:table/abc/index/i"), badName)
	requireText(t, get("arn:aws:s3:us-east-1:123456789012:table/abc"), badName)
	requireText(t, get("arn:aws"), badName)

	for _, control := range []func(api.Opt[string]) error{
		func(n api.Opt[string]) error { return CreateTable(&api.CreateTableInput{TableName: n}, Options{}) },
		func(n api.Opt[string]) error { return UpdateTable(&api.UpdateTableInput{TableName: n}, Options{}) },
		func(n api.Opt[string]) error { return DeleteTable(&api.DeleteTableInput{TableName: n}, Options{}) },
		func(n api.Opt[string]) error { return DescribeTable(&api.DescribeTableInput{TableName: n}, Options{}) },
		func(n api.Opt[string]) error {
			return UpdateTimeToLive(&api.UpdateTimeToLiveInput{TableName: n}, Options{})
		},
		func(n api.Opt[string]) error {
			return DescribeTimeToLive(&api.DescribeTimeToLiveInput{TableName: n}, Options{})
		},
	} {
		requireText(t, control(api.Opt[string]{}),
			"The parameter 'TableName' is required but was not present in the request")
		for _, n := range []string{"", "ab", strings.Repeat("a", 256)} {
			requireText(t, control(str(n)),
				"TableName must be at least 3 characters long and at most 255 characters long")
		}
	}
	requireText(t, DeleteTable(&api.DeleteTableInput{TableName: str("a b")}, Options{}), badName)
	requireText(t, DescribeTable(&api.DescribeTableInput{
		TableName: str("arn:aws:dynamodb:us-east-1:123456789012:table/" + strings.Repeat("x", 255)),
	}, Options{}), "")
	name, ok := Table("arn:aws:dynamodb:eu-west-1:1:table/Pets")
	require.True(t, ok)
	require.Equal(t, "Pets", name)
}

func put(t *testing.T) *api.PutItemInput {
	return &api.PutItemInput{TableName: str("Tab"), Item: item(t, "pk", "a")}
}

// The checks of the parameters of expressions (wire-facts §5.1 #1–9), bare.
func TestExpressionParameters(t *testing.T) {
	names := []api.Name{{Placeholder: "#a", Name: "x"}}
	values := []api.NamedValue{{Placeholder: ":a", Value: attr.String("x")}}
	long := strings.Repeat("x", 255)
	for _, tc := range []struct {
		name string
		edit func(*api.PutItemInput)
		want string
	}{
		{"1", func(in *api.PutItemInput) {
			in.Expected, in.ConditionExpression = []api.ExpectedAttributeMapEntry{}, str("")
		}, "Can not use both expression and non-expression parameters in the same request: " +
			"Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}"},
		{"2", func(in *api.PutItemInput) {
			in.ExpressionAttributeNames, in.ExpressionAttributeValues = []api.Name{}, values
		}, "ExpressionAttributeNames can only be specified when using expressions"},
		{"3", func(in *api.PutItemInput) { in.ExpressionAttributeValues = values },
			"ExpressionAttributeValues can only be specified when using expressions: " +
				"ConditionExpression is null"},
		{"4", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames, in.ExpressionAttributeValues = []api.Name{}, []api.NamedValue{}
		}, "ExpressionAttributeNames must not be empty"},
		{"5", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames = []api.Name{{Placeholder: "a#", Name: "x"}}
		}, `ExpressionAttributeNames contains invalid key: Syntax error; key: "a#"`},
		{"5 bare sigil", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames = []api.Name{{Placeholder: "#", Name: "x"}}
		}, `ExpressionAttributeNames contains invalid key: Syntax error; key: "#"`},
		{"6", func(in *api.PutItemInput) {
			in.ConditionExpression, in.ExpressionAttributeValues = str("a"), []api.NamedValue{}
		}, "ExpressionAttributeValues must not be empty"},
		{"7", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":a-b"}}
			in.Bad = bad("ExpressionAttributeValues.:a-b", attr.Empty)
		}, `ExpressionAttributeValues contains invalid key: Syntax error; key: ":a-b"`},
		{"8", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":a"}}
			in.Bad = bad("ExpressionAttributeValues.:a", attr.Empty)
		}, "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must " +
			"contain exactly one of the supported datatypes for key :a"},
		{"9 names", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames = []api.Name{{Placeholder: "#" + long, Name: "x"}}
		}, `ExpressionAttributeNames contains invalid key: The attribute name placeholder is too ` +
			`long; key: "#` + long + `"`},
		{"9 empty name", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames = []api.Name{{Placeholder: "#a"}}
		}, `ExpressionAttributeNames contains invalid value: Empty attribute name; key: "#a"`},
		{"9 values", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":" + long}}
		}, `ExpressionAttributeValues contains invalid key: The attribute value placeholder is too ` +
			`long; key: ":` + long + `"`},
		{"size", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeValues = []api.NamedValue{{
				Placeholder: ":a", Value: attr.String(strings.Repeat("x", 2<<20)),
			}}
		}, "ExpressionAttributeNames and ExpressionAttributeValues exceed the maximum allowed size of 2 MB"},
		{"good", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames, in.ExpressionAttributeValues = names, values
		}, ""},
		{"longest", func(in *api.PutItemInput) {
			in.ConditionExpression = str("a")
			in.ExpressionAttributeNames = []api.Name{{Placeholder: "#" + long[1:], Name: "x"}}
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := put(t)
			tc.edit(in)
			requireText(t, PutItem(in, Options{ClassicErrors: true}), tc.want)
			if tc.want != "" {
				requireText(t, PutItem(in, Options{}), "1 validation error detected: "+tc.want)
			}
		})
	}
}

// Texts that list the expressions of the operation (wire-facts §5.1 #3).
func TestValuesWithoutExpression(t *testing.T) {
	v := []api.NamedValue{}
	const text = "ExpressionAttributeValues can only be specified when using expressions: "
	classic := Options{ClassicErrors: true}
	k := item(t, "a", "b")
	requireText(t, UpdateItem(&api.UpdateItemInput{
		TableName: str("Tab"), Key: k, ExpressionAttributeValues: v,
	}, classic), text+"UpdateExpression and ConditionExpression are null")
	requireText(t, DeleteItem(&api.DeleteItemInput{
		TableName: str("Tab"), Key: k, ExpressionAttributeValues: v,
	}, Options{}), text+"ConditionExpression is null")
	requireText(t, Query(&api.QueryInput{
		TableName: str("Tab"), ExpressionAttributeValues: v, ProjectionExpression: str("a"),
	}, Options{}), text+"FilterExpression and KeyConditionExpression are null")
	requireText(t, Scan(&api.ScanInput{
		TableName: str("Tab"), ExpressionAttributeValues: v, ProjectionExpression: str("a"),
	}, Options{}), text+"FilterExpression is null")
}

// Names of mixed parameters in the order of wire-facts §8.1.
func TestMixedParameters(t *testing.T) {
	const a, b = "Can not use both expression and non-expression parameters in the same request: " +
		"Non-expression parameters: {", "} Expression parameters: {"
	k, tab, x := item(t, "a", "b"), str("Tab"), str("x")
	cond := api.Condition{ComparisonOperator: str("NULL")}
	requireText(t, UpdateItem(&api.UpdateItemInput{
		TableName: tab, Key: k, ConditionExpression: x, UpdateExpression: x,
		Expected: []api.ExpectedAttributeMapEntry{}, AttributeUpdates: []api.AttributeUpdatesEntry{},
	}, Options{ClassicErrors: true}),
		a+"AttributeUpdates, Expected"+b+"UpdateExpression, ConditionExpression}")
	requireText(t, UpdateItem(&api.UpdateItemInput{
		TableName: tab, Key: k, UpdateExpression: x, Expected: []api.ExpectedAttributeMapEntry{},
		ConditionalOperator: x,
	}, Options{ClassicErrors: true}), ve(cv("'x'", "conditionalOperator", "Member must satisfy enum value set: [OR, AND]")))
	requireText(t, UpdateItem(&api.UpdateItemInput{
		TableName: tab, Key: k, UpdateExpression: x, Expected: []api.ExpectedAttributeMapEntry{},
		ConditionalOperator: str("OR"),
	}, Options{ClassicErrors: true}), a+"Expected, ConditionalOperator"+b+"UpdateExpression}")
	requireText(t, PutItem(&api.PutItemInput{
		TableName: tab, Item: k, ConditionExpression: x, ConditionalOperator: str("OR"),
	}, Options{ClassicErrors: true}), a+"ConditionalOperator"+b+"ConditionExpression}")
	requireText(t, DeleteItem(&api.DeleteItemInput{
		TableName: tab, Key: k, ConditionExpression: x, ConditionalOperator: str("OR"),
		Expected: []api.ExpectedAttributeMapEntry{},
	}, Options{}), a+"Expected, ConditionalOperator"+b+"ConditionExpression}")
	requireText(t, GetItem(&api.GetItemInput{
		TableName: tab, Key: k, AttributesToGet: []string{"a"}, ProjectionExpression: x,
	}, Options{}), a+"AttributesToGet"+b+"ProjectionExpression}")
	requireText(t, Query(&api.QueryInput{
		TableName: tab, AttributesToGet: []string{"a"}, ConditionalOperator: str("AND"),
		QueryFilter: []api.FilterConditionMapEntry{{Key: "a", Value: cond}}, KeyConditions: []api.KeyConditionsEntry{},
		KeyConditionExpression: x, FilterExpression: x, ProjectionExpression: x,
	}, Options{}), a+"AttributesToGet, QueryFilter, ConditionalOperator, KeyConditions"+b+
		"ProjectionExpression, FilterExpression, KeyConditionExpression}")
	requireText(t, Query(&api.QueryInput{
		TableName: tab, KeyConditions: []api.KeyConditionsEntry{}, FilterExpression: x,
	}, Options{}), "")
	requireText(t, Scan(&api.ScanInput{
		TableName: tab, ScanFilter: []api.FilterConditionMapEntry{}, FilterExpression: x,
	}, Options{}), a+"ScanFilter"+b+"FilterExpression}")
}

// Static order of PutItem (wire-facts §6.6, §6.33): each request has the fault of its row and of
// all rows below.
func TestPutItemOrder(t *testing.T) {
	faults := []struct {
		want string
		edit func(*api.PutItemInput)
	}{
		{ve(cv("'Q'", "returnConsumedCapacity", "Member must satisfy enum value set: [INDEXES, TOTAL, NONE]")),
			func(in *api.PutItemInput) { in.ReturnConsumedCapacity = str("Q") }},
		{badName, func(in *api.PutItemInput) { in.TableName = str("a!") }},
		{"ExpressionAttributeNames can only be specified when using expressions",
			func(in *api.PutItemInput) { in.ExpressionAttributeNames = []api.Name{} }},
		{"One or more parameter values were invalid: An string set  may not be empty",
			func(in *api.PutItemInput) { in.Bad = bad("Item", attr.EmptySS) }},
		{"ReturnValues can only be ALL_OLD or NONE",
			func(in *api.PutItemInput) { in.ReturnValues = str("ALL_NEW") }},
		{"Item size has exceeded the maximum allowed size", func(in *api.PutItemInput) {
			in.Item = item(t, "a", strings.Repeat("x", 409600))
		}},
		{"ExpressionAttributeValues must not be empty", func(in *api.PutItemInput) {
			in.ConditionExpression, in.ExpressionAttributeValues = str("a"), []api.NamedValue{}
		}},
	}
	for i, f := range faults {
		in := put(t)
		for j := len(faults) - 1; j >= i; j-- {
			faults[j].edit(in)
		}
		if i == 2 { // a condition would take the names
			in.ConditionExpression = api.Opt[string]{}
		}
		if i > 2 && i < 6 {
			in.ExpressionAttributeNames = nil
		}
		requireText(t, PutItem(in, Options{ClassicErrors: true}), f.want)
	}
}

// Item size: 409,600 bytes pass, one more does not (wire-facts §4.3).
func TestItemSize(t *testing.T) {
	in := put(t)
	in.Item = item(t, "a", strings.Repeat("x", 409599))
	requireText(t, PutItem(in, Options{}), "")
	in.Item = item(t, "a", strings.Repeat("x", 409600))
	requireText(t, PutItem(in, Options{}),
		"1 validation error detected: Item size has exceeded the maximum allowed size")
	// Elements of a list count more than their bytes.
	elems := make([]attr.Value, 102_400)
	for i := range elems {
		elems[i] = attr.List()
	}
	it, err := attr.NewItem().L("a", elems...).Build()
	require.NoError(t, err)
	in.Item = it
	requireText(t, PutItem(in, Options{ClassicErrors: true}), "Item size has exceeded the maximum allowed size")
}

func TestReturnValues(t *testing.T) {
	for _, v := range []string{"ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"} {
		requireText(t, DeleteItem(&api.DeleteItemInput{
			TableName: str("Tab"), Key: item(t, "a", "b"), ReturnValues: str(v),
		}, Options{}), "ReturnValues can only be ALL_OLD or NONE")
		requireText(t, UpdateItem(&api.UpdateItemInput{
			TableName: str("Tab"), Key: item(t, "a", "b"), ReturnValues: str(v),
		}, Options{}), "")
	}
}

// Key values of the three operations with a key.
func TestBadKey(t *testing.T) {
	b := []api.BadValue{{Place: "Key", Err: attr.ValueError{Kind: attr.NotNumber, Text: "x"}}}
	const want = "The parameter cannot be converted to a numeric value: x"
	requireText(t, GetItem(&api.GetItemInput{TableName: str("Tab"), Bad: b}, Options{}), want)
	requireText(t, DeleteItem(&api.DeleteItemInput{TableName: str("Tab"), Bad: b}, Options{}), want)
	requireText(t, UpdateItem(&api.UpdateItemInput{TableName: str("Tab"), Bad: b}, Options{}),
		"1 validation error detected: "+want)
}

// A too long name carries the envelope already, everywhere (wire-facts §4.1).
func TestEnvelope(t *testing.T) {
	in := put(t)
	in.Bad = bad("Item", attr.NameTooLong)
	want := "1 validation error detected: Attribute name is too large, must be less than 65536 bytes"
	requireText(t, PutItem(in, Options{}), want)
	requireText(t, PutItem(in, Options{ClassicErrors: true}), want)
	e := api.Errorf(api.Validation, "text")
	require.Same(t, e, Envelope(e, Options{ClassicErrors: true}))
	requireText(t, Envelope(e, Options{}), "1 validation error detected: text")
	require.Equal(t, "text", e.Message, "the error itself stays")
	nf := api.Errorf(api.ResourceNotFound, "text")
	require.Same(t, nf, Envelope(nf, Options{}))
	two := api.Errorf(api.Validation, "2 validation errors detected: a; b")
	require.Same(t, two, Envelope(two, Options{}))
	require.NoError(t, Envelope(nil, Options{}))
}
