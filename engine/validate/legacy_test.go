package validate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// expected is Expected with one entry for the attribute "a".
func expected(v api.ExpectedAttributeValue) []api.ExpectedAttributeMapEntry {
	return []api.ExpectedAttributeMapEntry{{Key: "a", Value: v}}
}

func values(list ...attr.Value) []attr.Value { return append([]attr.Value{}, list...) }

func set(t *testing.T, members ...string) attr.Value {
	t.Helper()
	v, err := attr.StringSet(members...)
	require.NoError(t, err)
	return v
}

// comparisonCases are the rows of wire-facts §8.2: operator, values, text.
func comparisonCases(t *testing.T) []struct {
	operator string
	values   []attr.Value
	want     string
} {
	s, n, b := attr.String("a"), attr.Int(1), attr.Binary([]byte{1})
	ss, l, m, null, yes := set(t, "a"), attr.List(), attr.Map(attr.Item{}), attr.Null(), attr.Bool(true)
	number := func(op string) string {
		return inv + "Invalid number of argument(s) for the " + op + " ComparisonOperator"
	}
	typ := func(op, typ string) string {
		return inv + "ComparisonOperator " + op + " is not valid for " + typ + " AttributeValue type"
	}
	const same = inv + "AttributeValues inside AttributeValueList must be of same type"
	const reversed = "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
	type row = struct {
		operator string
		values   []attr.Value
		want     string
	}
	rows := []row{
		{"IN", values(s), ""},
		{"IN", values(s, s, s), ""},
		{"IN", values(s, n), same},
		{"IN", values(ss), typ("IN", "SS")},
		{"IN", values(ss, n), same},
		{"BETWEEN", values(), number("BETWEEN")},
		{"BETWEEN", values(n), number("BETWEEN")},
		{"BETWEEN", values(n, n, n), number("BETWEEN")},
		{"BETWEEN", values(n, n), ""},
		{"BETWEEN", values(n, s), same},
		{"BETWEEN", values(l, l), typ("BETWEEN", "L")},
		{"BETWEEN", values(attr.Int(2), n), reversed},
		{"BETWEEN", values(attr.String("b"), s), reversed},
		{"BETWEEN", values(attr.Binary([]byte{2}), b), reversed},
		{"BEGINS_WITH", values(n), typ("BEGINS_WITH", "N")},
		{"BEGINS_WITH", values(s), ""},
		{"BEGINS_WITH", values(b), ""},
		{"NULL", values(s), number("NULL")},
		{"NOT_NULL", values(s), number("NOT_NULL")},
		{"NULL", values(), ""},
		{"NOT_NULL", values(), ""},
		{"LT", values(attr.Timestamp(1)), ""},
		{"LT", values(must(attr.Vector([]float32{1}))), typ("LT", "L")},
	}
	for _, op := range []string{"EQ", "NE", "LE", "LT", "GE", "GT", "CONTAINS", "NOT_CONTAINS"} {
		rows = append(rows, row{op, values(s, s), number(op)}, row{op, values(s, n), number(op)})
		for _, v := range []attr.Value{s, n, b} {
			rows = append(rows, row{op, values(v), ""})
		}
		for _, v := range []attr.Value{ss, l, m, null, yes} {
			want := typ(op, v.Type().String())
			if op == "EQ" || op == "NE" {
				want = ""
			}
			rows = append(rows, row{op, values(v), want})
		}
	}
	return rows
}

func must(v attr.Value, err error) attr.Value {
	if err != nil {
		panic(err)
	}
	return v
}

// The values of an operator, in Expected (wire-facts §8.2, §8.3).
func TestExpectedOperands(t *testing.T) {
	for _, c := range comparisonCases(t) {
		in := put(t)
		in.Expected = expected(api.ExpectedAttributeValue{ComparisonOperator: str(c.operator), AttributeValueList: c.values})
		requireText(t, PutItem(in, Options{ClassicErrors: true}), c.want)
	}
}

// Rows of wire-facts §8.3; each has the faults of all rows below that it can have.
func TestExpectedRows(t *testing.T) {
	s := attr.String("x")
	yes, no := api.Some(true), api.Some(false)
	for _, c := range []struct {
		v    api.ExpectedAttributeValue
		want string
	}{
		{
			api.ExpectedAttributeValue{Value: s, AttributeValueList: values(), Exists: no, ComparisonOperator: str("NULL")},
			inv + "Value and AttributeValueList cannot be used together for Attribute: a",
		},
		{
			api.ExpectedAttributeValue{Exists: yes, ComparisonOperator: str("EQ")},
			inv + "Exists and ComparisonOperator cannot be used together for Attribute: a",
		},
		{
			api.ExpectedAttributeValue{ComparisonOperator: str("EQ")},
			inv + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
		},
		{
			api.ExpectedAttributeValue{ComparisonOperator: str("EQ"), AttributeValueList: values()},
			inv + "Invalid number of argument(s) for the EQ ComparisonOperator",
		},
		{
			api.ExpectedAttributeValue{ComparisonOperator: str("NULL"), Value: s},
			inv + "Invalid number of argument(s) for the NULL ComparisonOperator",
		},
		{api.ExpectedAttributeValue{ComparisonOperator: str("NULL")}, ""},
		{api.ExpectedAttributeValue{ComparisonOperator: str("NULL"), AttributeValueList: values()}, ""},
		{api.ExpectedAttributeValue{ComparisonOperator: str("GE"), Value: s}, ""},
		{
			api.ExpectedAttributeValue{AttributeValueList: values(s)},
			inv + "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
		},
		{api.ExpectedAttributeValue{}, inv + "Value must be provided when Exists is null for Attribute: a"},
		{api.ExpectedAttributeValue{Exists: yes}, inv + "Value must be provided when Exists is true for Attribute: a"},
		{api.ExpectedAttributeValue{Exists: no, Value: s}, inv + "Value cannot be used when Exists is false for Attribute: a"},
		{api.ExpectedAttributeValue{Exists: no}, ""},
		{api.ExpectedAttributeValue{Exists: yes, Value: s}, ""},
		{api.ExpectedAttributeValue{Value: set(t, "a")}, ""},
	} {
		in := put(t)
		in.Expected = expected(c.v)
		requireText(t, PutItem(in, Options{ClassicErrors: true}), c.want)
		requireText(t, DeleteItem(&api.DeleteItemInput{TableName: str("Tab"), Key: in.Item, Expected: in.Expected}, Options{}), c.want)
		want := c.want
		if want != "" {
			want = "1 validation error detected: " + want // wire-facts §3.6
		}
		requireText(t, PutItem(in, Options{}), want)
		requireText(t, UpdateItem(&api.UpdateItemInput{TableName: str("Tab"), Key: in.Item, Expected: in.Expected}, Options{}), want)
	}
}

// A bad value of Expected: after what the entry's members tell, before the number of values.
func TestExpectedBadValue(t *testing.T) {
	const empty = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	for _, c := range []struct {
		v    api.ExpectedAttributeValue
		want string
	}{
		{api.ExpectedAttributeValue{}, empty},
		{api.ExpectedAttributeValue{ComparisonOperator: str("BETWEEN")}, empty},
		{api.ExpectedAttributeValue{ComparisonOperator: str("BETWEEN"), AttributeValueList: values(nil)}, empty},
		{
			api.ExpectedAttributeValue{AttributeValueList: values(attr.String("a"))},
			inv + "Value and AttributeValueList cannot be used together for Attribute: a",
		},
		{
			api.ExpectedAttributeValue{AttributeValueList: values(nil)},
			inv + "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
		},
		{
			api.ExpectedAttributeValue{Exists: api.Some(false)},
			inv + "Value cannot be used when Exists is false for Attribute: a",
		},
	} {
		in := put(t)
		in.Expected, in.Bad = expected(c.v), bad("Expected.a", attr.Empty)
		requireText(t, PutItem(in, Options{ClassicErrors: true}), c.want)
	}
}

// ConditionalOperator combines at least two entries. The texts and the place are unsure.
func TestConditionalOperator(t *testing.T) {
	const alone = "One or more parameter values were invalid: ConditionalOperator cannot be used without Filter or Expected"
	const single = "One or more parameter values were invalid: ConditionalOperator can only be used when Filter or Expected has two or more elements"
	one := expected(api.ExpectedAttributeValue{})
	two := append(expected(api.ExpectedAttributeValue{ComparisonOperator: str("NULL")}),
		api.ExpectedAttributeMapEntry{Key: "b", Value: api.ExpectedAttributeValue{ComparisonOperator: str("NULL")}})
	for _, c := range []struct {
		entries []api.ExpectedAttributeMapEntry
		want    string
	}{{nil, alone}, {[]api.ExpectedAttributeMapEntry{}, alone}, {one, single}, {two, ""}} {
		in := put(t)
		in.Expected, in.ConditionalOperator = c.entries, str("OR")
		requireText(t, PutItem(in, Options{ClassicErrors: true}), c.want)
		requireText(t, DeleteItem(&api.DeleteItemInput{
			TableName: str("Tab"), Key: in.Item, Expected: c.entries, ConditionalOperator: str("AND"),
		}, Options{}), c.want)
		requireText(t, UpdateItem(&api.UpdateItemInput{
			TableName: str("Tab"), Key: in.Item, Expected: c.entries, ConditionalOperator: str("AND"),
		}, Options{ClassicErrors: true}), c.want)
	}
}

// There is a bound for the number of conditions of a request, none for the values of IN (unsure).
func TestConditionsMax(t *testing.T) {
	const many = "One or more parameter values were invalid: The expression contains too many operators; operator count: 301"
	for n, want := range map[int]string{300: "", 301: many} {
		var entries []api.ExpectedAttributeMapEntry
		var filters []api.FilterConditionMapEntry
		for i := range n {
			name := fmt.Sprintf("a%03d", i)
			entries = append(entries, api.ExpectedAttributeMapEntry{Key: name, Value: api.ExpectedAttributeValue{ComparisonOperator: str("NULL")}})
			filters = append(filters, api.FilterConditionMapEntry{Key: name, Value: api.Condition{ComparisonOperator: str("NULL")}})
		}
		in := put(t)
		in.Expected = entries
		requireText(t, PutItem(in, Options{ClassicErrors: true}), want)
		requireText(t, DeleteItem(&api.DeleteItemInput{TableName: str("Tab"), Key: in.Item, Expected: entries}, Options{}), want)
		requireText(t, UpdateItem(&api.UpdateItemInput{
			TableName: str("Tab"), Key: in.Item, Expected: entries,
		}, Options{ClassicErrors: true}), want)
		q := legacyQuery()
		q.QueryFilter = filters
		requireText(t, Query(q, Options{}), want)
		requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: filters}, Options{}), want)
	}
	list := make([]attr.Value, 1000)
	for i := range list {
		list[i] = attr.Int(int64(i))
	}
	requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: filter("IN", list...)}, Options{}), "")
}

// Expected stands after the size of the item, and after ReturnValues (wire-facts §6.6, §6.9).
func TestExpectedOrder(t *testing.T) {
	in := put(t)
	in.Expected, in.ReturnValues = expected(api.ExpectedAttributeValue{}), str("ALL_NEW")
	in.Item = item(t, "a", strings.Repeat("x", 409600))
	classic := Options{ClassicErrors: true}
	requireText(t, PutItem(in, classic), "ReturnValues can only be ALL_OLD or NONE")
	requireText(t, DeleteItem(&api.DeleteItemInput{
		TableName: str("Tab"), Key: in.Item, Expected: in.Expected, ReturnValues: in.ReturnValues,
	}, Options{}), "ReturnValues can only be ALL_OLD or NONE")
	in.ReturnValues = str("NONE")
	requireText(t, PutItem(in, classic), "Item size has exceeded the maximum allowed size")
	in.ExpressionAttributeNames = []api.Name{}
	requireText(t, PutItem(in, classic), "ExpressionAttributeNames can only be specified when using expressions")
	requireText(t, UpdateItem(&api.UpdateItemInput{
		TableName: str("Tab"), Expected: in.Expected, Bad: bad("Key", attr.DupNS),
	}, classic), "Input collection contains duplicates")
}

// Rows of wire-facts §8.4.
func TestAttributeUpdates(t *testing.T) {
	one := func(action string, v attr.Value) error {
		u := api.AttributeValueUpdate{Value: v}
		if action != "" {
			u.Action = str(action)
		}
		return UpdateItem(&api.UpdateItemInput{
			TableName: str("Tab"), Key: item(t, "a", "b"), AttributeUpdates: []api.AttributeUpdatesEntry{{Key: "a", Value: u}},
		}, Options{ClassicErrors: true})
	}
	for _, action := range []string{"", "PUT", "ADD"} {
		requireText(t, one(action, nil), inv+"Only DELETE action is allowed when no attribute value is specified")
	}
	requireText(t, one("DELETE", nil), "")
	add, del := "N SS NS BS L", "SS NS BS"
	for _, v := range []attr.Value{
		attr.String("a"), attr.Int(1), attr.Binary([]byte{1}), attr.Bool(true), attr.Null(), attr.List(), attr.Map(attr.Item{}),
		set(t, "a"), must(attr.NumberSet("1")), must(attr.BinarySet([]byte{1})),
	} {
		typ := v.Type().String()
		want := func(text, allowed string) string {
			if slices.Contains(strings.Fields(allowed), typ) {
				return ""
			}
			return inv + text + " is not supported for the type " + typ
		}
		requireText(t, one("", v), "")
		requireText(t, one("PUT", v), "")
		requireText(t, one("ADD", v), want("ADD action", add))
		requireText(t, one("DELETE", v), want("DELETE action with value", del))
	}
	requireText(t, one("SET", attr.Int(1)), ve(cv("'SET'", "attributeUpdates.a.member.action", "Member must satisfy enum value set: [ADD, PUT, DELETE]")))
}

// AttributeUpdates stands between Key and Expected; the first bad attribute wins (wire-facts §6.8).
func TestAttributeUpdatesOrder(t *testing.T) {
	in := &api.UpdateItemInput{
		TableName: str("Tab"), Expected: expected(api.ExpectedAttributeValue{}), Key: item(t, "a", "b"),
		AttributeUpdates: []api.AttributeUpdatesEntry{{Key: "a", Value: api.AttributeValueUpdate{Action: str("DELETE")}}, {Key: "b"}, {Key: "c"}},
		Bad:              bad("AttributeUpdates.c", attr.DupNS),
	}
	requireText(t, UpdateItem(in, Options{}), "1 validation error detected: "+inv+"Only DELETE action is allowed when no attribute value is specified")
	in.Bad = append(in.Bad, bad("AttributeUpdates.a", attr.EmptyNS)...)
	requireText(t, UpdateItem(in, Options{}), "1 validation error detected: "+inv+"An number set  may not be empty")
	in.Bad = append(in.Bad, bad("Key", attr.EmptySS)...)
	requireText(t, UpdateItem(in, Options{}), "1 validation error detected: "+inv+"An string set  may not be empty")
	in.Bad, in.AttributeUpdates = nil, in.AttributeUpdates[:1]
	requireText(t, UpdateItem(in, Options{}), "1 validation error detected: "+inv+"Value must be provided when Exists is null for Attribute: a")
	in.AttributeUpdates[0].Key = ""
	requireText(t, UpdateItem(in, Options{}), "1 validation error detected: "+inv+"Attribute names must not be empty")
	in.AttributeUpdates[0].Key = strings.Repeat("é", 40_000)
	requireText(t, UpdateItem(in, Options{}), "1 validation error detected: Attribute name is too large, must be less than 65536 bytes")
}

// filter is QueryFilter or ScanFilter with one entry for the attribute "a".
func filter(operator string, values ...attr.Value) []api.FilterConditionMapEntry {
	return []api.FilterConditionMapEntry{{Key: "a", Value: api.Condition{
		ComparisonOperator: str(operator), AttributeValueList: values,
	}}}
}

func keyConditions(names ...string) []api.KeyConditionsEntry {
	list := []api.KeyConditionsEntry{}
	for _, name := range names {
		list = append(list, api.KeyConditionsEntry{Key: name, Value: api.Condition{
			ComparisonOperator: str("EQ"), AttributeValueList: values(attr.String("x")),
		}})
	}
	return list
}

func legacyQuery() *api.QueryInput {
	return &api.QueryInput{TableName: str("Tab"), KeyConditions: keyConditions("pk")}
}

// Rows of wire-facts §8.2, at the three places that have them.
func TestConditionOperands(t *testing.T) {
	for _, c := range comparisonCases(t) {
		entries := filter(c.operator, c.values...)
		q := legacyQuery()
		q.QueryFilter = entries
		requireText(t, Query(q, Options{}), c.want)
		requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: entries}, Options{}), c.want)
		q = legacyQuery()
		q.KeyConditions[0].Value = entries[0].Value
		requireText(t, Query(q, Options{}), "")
		requireText(t, KeyConditions(q), c.want)
	}
	// No list is an empty list; no operator and an unknown one are for the constraints.
	requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: filter("EQ")}, Options{}),
		inv+"Invalid number of argument(s) for the EQ ComparisonOperator")
	requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: filter("LIKE")}, Options{}),
		ve(cv("'LIKE'", "scanFilter.a.member.comparisonOperator", "Member must satisfy enum value set: "+
			"[IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS]")))
	requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: []api.FilterConditionMapEntry{{Key: "a"}}}, Options{}),
		ve(cv("null", "scanFilter.a.member.comparisonOperator", null)))
}

// A bad value comes before the number of values (wire-facts §8.2); the first attribute wins.
func TestConditionBadValues(t *testing.T) {
	const empty = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
	q := legacyQuery()
	q.QueryFilter = append(filter("BETWEEN", nil), api.FilterConditionMapEntry{Key: "b", Value: api.Condition{ComparisonOperator: str("EQ")}})
	q.Bad = bad("QueryFilter.a", attr.Empty)
	requireText(t, Query(q, Options{}), empty)
	requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), ScanFilter: q.QueryFilter, Bad: bad("ScanFilter.b", attr.Empty)}, Options{}),
		inv+"Invalid number of argument(s) for the BETWEEN ComparisonOperator")
	q = legacyQuery()
	q.KeyConditions[0].Value.AttributeValueList = values(nil, nil)
	q.Bad = bad("KeyConditions.pk", attr.Empty)
	requireText(t, Query(q, Options{}), "")
	requireText(t, KeyConditions(q), empty)
}

// The number of KeyConditions (wire-facts §6.10 #8): a bad one comes first.
func TestKeyConditionCount(t *testing.T) {
	const count = "Conditions can be of length 1 or 2 only"
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	for n := range len(names) + 1 {
		q := legacyQuery()
		q.KeyConditions = keyConditions(names[:n]...)
		want := count
		if n == 1 || n == 2 {
			want = ""
		}
		requireText(t, KeyConditions(q), want)
		q.IndexName = str("idx")
		if n > 2 && n < 9 {
			want = "" // the index may have as many attributes
		}
		requireText(t, KeyConditions(q), want)
	}
	q := legacyQuery()
	q.KeyConditions = keyConditions("a", "b", "c")
	q.KeyConditions[2].Value.AttributeValueList = nil
	requireText(t, KeyConditions(q), inv+"Invalid number of argument(s) for the EQ ComparisonOperator")
}

// Static order of Query with legacy parameters (wire-facts §6.10): each request has the fault of its
// row and of all rows below.
func TestLegacyQueryOrder(t *testing.T) {
	faults := []struct {
		want string
		edit func(*api.QueryInput)
	}{
		{"One or more parameter values were invalid: ConditionalOperator can only be used when Filter or Expected has two or more elements",
			func(in *api.QueryInput) { in.ConditionalOperator = str("OR") }},
		{inv + "Invalid number of argument(s) for the EQ ComparisonOperator",
			func(in *api.QueryInput) { in.QueryFilter = filter("EQ") }},
		{inv + "Duplicate value in attribute name: b",
			func(in *api.QueryInput) { in.AttributesToGet = []string{"a", "b", "c", "b", "a"} }},
		{"Input collection contains duplicates",
			func(in *api.QueryInput) { in.Bad = bad("ExclusiveStartKey", attr.DupNS) }},
		{"Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
			func(in *api.QueryInput) { in.KeyConditions = nil }},
	}
	for i, f := range faults {
		in := legacyQuery()
		for j := len(faults) - 1; j >= i; j-- {
			faults[j].edit(in)
		}
		requireText(t, Query(in, Options{}), f.want)
	}
}

// Static order of Scan with legacy parameters (wire-facts §6.11).
func TestLegacyScanOrder(t *testing.T) {
	faults := []struct {
		want string
		edit func(*api.ScanInput)
	}{
		{"One or more parameter values were invalid: ConditionalOperator cannot be used without Filter or Expected", func(in *api.ScanInput) {
			in.ConditionalOperator, in.ScanFilter = str("OR"), nil
		}},
		{inv + "Duplicate value in attribute name: a",
			func(in *api.ScanInput) { in.AttributesToGet = []string{"a", "a"} }},
		{inv + "ComparisonOperator LT is not valid for BOOL AttributeValue type",
			func(in *api.ScanInput) { in.ScanFilter = filter("LT", attr.Bool(true)) }},
		{"Input collection contains duplicates",
			func(in *api.ScanInput) { in.Bad = bad("ExclusiveStartKey", attr.DupNS) }},
		{"The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
			func(in *api.ScanInput) { in.Segment = num(0) }},
	}
	for i, f := range faults {
		in := &api.ScanInput{TableName: str("Tab")}
		for j := len(faults) - 1; j >= i; j-- {
			faults[j].edit(in)
		}
		requireText(t, Scan(in, Options{}), f.want)
	}
}

// AttributesToGet: its place in GetItem and BatchGetItem (wire-facts §6.7, §6.12), and with Select.
func TestAttributesToGet(t *testing.T) {
	twice := []string{"a", "b", "a"}
	const want = inv + "Duplicate value in attribute name: a"
	get := &api.GetItemInput{TableName: str("Tab"), Key: item(t, "a", "b"), AttributesToGet: twice, Bad: bad("Key", attr.DupNS)}
	requireText(t, GetItem(get, Options{}), "Input collection contains duplicates")
	get.Bad = nil
	requireText(t, GetItem(get, Options{}), want)
	get.ExpressionAttributeNames = []api.Name{}
	requireText(t, GetItem(get, Options{}), "ExpressionAttributeNames can only be specified when using expressions")
	get = &api.GetItemInput{TableName: str("Tab"), Key: item(t, "a", "b"), AttributesToGet: []string{}}
	requireText(t, GetItem(get, Options{}), ve(cv("'[]'", "attributesToGet", "Member must have length greater than or equal to 1")))
	get.AttributesToGet = []string{"a.b", "a", "b"}
	requireText(t, GetItem(get, Options{}), "")
	k := item(t, "a", "1")
	batch := &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{{Key: "One", Value: api.KeysAndAttributes{
		Keys: []attr.Item{k, k}, AttributesToGet: twice,
	}}}}
	requireText(t, BatchGetItem(batch, Options{}), want)
	batch.RequestItems[0].Value.AttributesToGet = twice[:2]
	requireText(t, BatchGetItem(batch, Options{}), "Provided list of item keys contains duplicates")
	batch.RequestItems[0].Value.ProjectionExpression = str("a")
	requireText(t, BatchGetItem(batch, Options{}), "Can not use both expression and non-expression parameters in the same "+
		"request: Non-expression parameters: {AttributesToGet} Expression parameters: {ProjectionExpression}")
	for sel, want := range map[string]string{
		"SPECIFIC_ATTRIBUTES": "", "ALL_ATTRIBUTES": "Cannot specify the AttributesToGet when choosing to get ALL_ATTRIBUTES",
		"COUNT": "Cannot specify the AttributesToGet when choosing to get only the Count",
	} {
		q := legacyQuery()
		q.Select, q.AttributesToGet = str(sel), []string{"a"}
		requireText(t, Query(q, Options{}), want)
		requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), Select: str(sel), AttributesToGet: []string{"a"}}, Options{}), want)
	}
}

// KeyConditions go with the other expressions, not with their own (wire-facts §8.1).
func TestKeyConditionsMixed(t *testing.T) {
	const a, b = "Can not use both expression and non-expression parameters in the same request: " +
		"Non-expression parameters: {", "} Expression parameters: {"
	q := legacyQuery()
	q.FilterExpression, q.ProjectionExpression = str("a"), str("a")
	requireText(t, Query(q, Options{}), "")
	q.KeyConditionExpression = str("a")
	requireText(t, Query(q, Options{}), a+"KeyConditions"+b+"ProjectionExpression, FilterExpression, KeyConditionExpression}")
	q = legacyQuery()
	q.QueryFilter, q.ProjectionExpression = filter("NULL"), str("a")
	requireText(t, Query(q, Options{}), a+"QueryFilter"+b+"ProjectionExpression}")
	requireText(t, Query(&api.QueryInput{TableName: str("Tab"), ConditionalOperator: str("OR")}, Options{}),
		"One or more parameter values were invalid: ConditionalOperator cannot be used without Filter or Expected")
}
