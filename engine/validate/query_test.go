package validate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func query() *api.QueryInput {
	return &api.QueryInput{TableName: str("Tab"), KeyConditionExpression: str("a = :a")}
}

// Select against what it needs (wire-facts §6.10).
func TestSelect(t *testing.T) {
	for _, tc := range []struct {
		sel, projection, index, want string
	}{
		{"SPECIFIC_ATTRIBUTES", "", "", "Must specify the AttributesToGet or ProjectionExpression when " +
			"choosing to get SPECIFIC_ATTRIBUTES"},
		{"SPECIFIC_ATTRIBUTES", "a", "", ""},
		{"ALL_ATTRIBUTES", "a", "", "Cannot specify the ProjectionExpression when choosing to get " +
			"ALL_ATTRIBUTES"},
		{"ALL_PROJECTED_ATTRIBUTES", "a", "idx", "Cannot specify the ProjectionExpression when choosing " +
			"to get ALL_PROJECTED_ATTRIBUTES"},
		{"COUNT", "a", "", "Cannot specify the ProjectionExpression when choosing to get only the Count"},
		{"COUNT", "", "", ""},
		{"ALL_PROJECTED_ATTRIBUTES", "", "", "ALL_PROJECTED_ATTRIBUTES can be used only when Querying " +
			"using an IndexName"},
		{"ALL_PROJECTED_ATTRIBUTES", "", "idx", ""},
	} {
		q, s := query(), &api.ScanInput{TableName: str("Tab")}
		q.Select, s.Select = str(tc.sel), str(tc.sel)
		if tc.projection != "" {
			q.ProjectionExpression, s.ProjectionExpression = str(tc.projection), str(tc.projection)
		}
		if tc.index != "" {
			q.IndexName, s.IndexName = str(tc.index), str(tc.index)
		}
		requireText(t, Query(q, Options{ClassicErrors: true}), tc.want)
		requireText(t, Scan(s, Options{}), tc.want)
	}
}

// Since 2026 two texts of Query differ from Scan's (nubo-db/dynoxide issues 15 and 121).
func TestQueryEnvelope(t *testing.T) {
	q := query()
	q.Select = str(api.SelectSpecificAttributes)
	requireText(t, Query(q, Options{}), "1 validation error detected: Must specify the AttributesToGet or "+
		"ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES")
	q = query()
	q.Limit = num(0)
	const constraint = " failed to satisfy constraint: Member must have value greater than or equal to 1"
	requireText(t, Query(q, Options{}), "1 validation error detected: Value at 'Limit'"+constraint)
	requireText(t, Query(q, Options{ClassicErrors: true}), "1 validation error detected: Value '0' at 'limit'"+constraint)
	requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), Limit: num(0)}, Options{}),
		"1 validation error detected: Value '0' at 'limit'"+constraint)
}

// DynamoDB does leave the prefix off for some faults of a start key (wire-facts §4.1, last row).
func TestStartKeyValues(t *testing.T) {
	for kind, want := range map[attr.ErrorKind]string{
		attr.Empty: "The provided starting key is invalid: Supplied AttributeValue is empty, must " +
			"contain exactly one of the supported datatypes",
		attr.EmptySS: "The provided starting key is invalid: " + inv + "An string set  may not be empty",
		attr.NullFalse: "The provided starting key is invalid: " + inv +
			"Null attribute value types must have the value of true",
		attr.EmptyNS:   inv + "An number set  may not be empty",
		attr.DupNS:     "Input collection contains duplicates",
		attr.Precision: "Attempting to store more than 38 significant digits in a Number",
		attr.Overflow: "Number overflow. Attempting to store a number with magnitude larger than " +
			"supported range",
		attr.NotNumber: "The parameter cannot be converted to a numeric value",
	} {
		q := query()
		q.Bad = bad("ExclusiveStartKey", kind)
		requireText(t, Query(q, Options{}), want)
		requireText(t, Scan(&api.ScanInput{TableName: str("Tab"), Bad: q.Bad}, Options{}), want)
	}
}

// Order of Query: start key before the missing condition, that before placeholders (§6.10).
func TestQueryOrder(t *testing.T) {
	q := &api.QueryInput{
		TableName: str("Tab"), FilterExpression: str("a"), Bad: bad("ExclusiveStartKey", attr.DupNS),
		ExpressionAttributeNames: []api.Name{},
	}
	requireText(t, Query(q, Options{}), "Input collection contains duplicates")
	q.Bad = nil
	const absent = "Either the KeyConditions or KeyConditionExpression parameter must be specified in " +
		"the request."
	requireText(t, Query(q, Options{}), absent)
	q.KeyConditionExpression = str("")
	requireText(t, Query(q, Options{}), "ExpressionAttributeNames must not be empty")
}

// Segments (wire-facts §6.11, §6.33: before a bad filter).
func TestSegments(t *testing.T) {
	scan := func(segment, total api.Opt[int64]) error {
		return Scan(&api.ScanInput{
			TableName: str("Tab"), Segment: segment, TotalSegments: total,
			FilterExpression: str(""), ExpressionAttributeNames: []api.Name{},
		}, Options{})
	}
	none := api.Opt[int64]{}
	requireText(t, scan(num(0), none), "The TotalSegments parameter is required but was not present in "+
		"the request when Segment parameter is present")
	requireText(t, scan(none, num(1)), "The Segment parameter is required but was not present in the "+
		"request when parameter TotalSegments is present")
	requireText(t, scan(num(2), num(2)), "The Segment parameter is zero-based and must be less than "+
		"parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2")
	requireText(t, scan(num(1), num(2)), "ExpressionAttributeNames must not be empty")
}

// Static order of BatchGetItem, table by table (wire-facts §6.12, §6.33).
func TestBatchGetStatic(t *testing.T) {
	k1, k2 := item(t, "a", "1"), item(t, "a", "2")
	in := &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
		{Key: "One", Value: api.KeysAndAttributes{Keys: []attr.Item{k1, k2, k1}, ProjectionExpression: str("a")}},
		{Key: "Two", Value: api.KeysAndAttributes{
			Keys: []attr.Item{k1}, ExpressionAttributeNames: []api.Name{{Placeholder: "#a", Name: "x"}},
		}},
	}}
	var compiled []int
	compile := func(i int) error {
		compiled = append(compiled, i)
		return nil
	}
	requireText(t, BatchGetItemWith(in, Options{}, compile), "Provided list of item keys contains duplicates")
	require.Equal(t, []int{0}, compiled)
	bug := api.Errorf(api.Validation, "bad projection")
	require.Same(t, bug, BatchGetItemWith(in, Options{}, func(int) error { return bug }))
	in.RequestItems[0].Value.Keys = []attr.Item{k1, k2}
	requireText(t, BatchGetItem(in, Options{}),
		"ExpressionAttributeNames can only be specified when using expressions")
	in.Bad = bad("RequestItems.One.Keys.1", attr.Overflow)
	requireText(t, BatchGetItem(in, Options{}),
		"Number overflow. Attempting to store a number with magnitude larger than supported range")
	many := func(from, n int) []attr.Item {
		keys := make([]attr.Item, n)
		for i := range keys {
			keys[i] = item(t, "a", strings.Repeat("x", from+i))
		}
		return keys
	}
	in = &api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{
		{Key: "One", Value: api.KeysAndAttributes{Keys: many(1, 51)}},
		{Key: "Two", Value: api.KeysAndAttributes{Keys: many(1, 50)}},
	}}
	requireText(t, BatchGetItem(in, Options{}), "Too many items requested for the BatchGetItem call")
	in.RequestItems[0].Value.Keys = many(1, 50)
	requireText(t, BatchGetItem(in, Options{}), "")
	in.RequestItems[0].Value.Keys[49] = in.RequestItems[0].Value.Keys[3]
	requireText(t, BatchGetItem(in, Options{}), "Provided list of item keys contains duplicates")
	in.RequestItems[1].Key = "x y"
	requireText(t, BatchGetItem(in, Options{}), badName)
}

func TestBatchWriteStatic(t *testing.T) {
	put := api.WriteRequest{PutRequest: &api.PutRequest{Item: item(t, "a", "b")}}
	both := api.WriteRequest{PutRequest: put.PutRequest, DeleteRequest: &api.DeleteRequest{Key: item(t, "a", "b")}}
	write := func(reqs ...api.WriteRequest) *api.BatchWriteItemInput {
		return &api.BatchWriteItemInput{RequestItems: []api.BatchWriteItemRequestMapEntry{
			{Key: "Tab", Value: reqs},
		}}
	}
	for _, r := range []api.WriteRequest{{}, both} {
		requireText(t, BatchWriteItem(write(put, r), Options{}), "Supplied AttributeValue has more than one "+
			"datatypes set, must contain exactly one of the supported datatypes")
	}
	large := api.WriteRequest{PutRequest: &api.PutRequest{Item: item(t, "a", strings.Repeat("x", 409600))}}
	requireText(t, BatchWriteItem(write(put, large), Options{}), "Item size has exceeded the maximum allowed size")
	in := write(put)
	in.RequestItems = append(in.RequestItems, api.BatchWriteItemRequestMapEntry{Key: "Two"})
	for range 25 {
		in.RequestItems[1].Value = append(in.RequestItems[1].Value, put)
	}
	requireText(t, BatchWriteItem(in, Options{}), "Too many items requested for the BatchWriteItem call")
	requireText(t, BatchWriteItem(write(put, put), Options{}), "") // duplicates need the schema
}

// Rows of wire-facts §6.13 and §6.14.
func TestTransactStatic(t *testing.T) {
	k := item(t, "a", "b")
	check := &api.ConditionCheck{TableName: str("Tab"), Key: k, ConditionExpression: str("a")}
	write := func(items ...api.TransactWriteItem) error {
		return TransactWriteItems(&api.TransactWriteItemsInput{TransactItems: items}, Options{})
	}
	const entry = "TransactItems can only contain one of Check, Put, Update or Delete"
	requireText(t, write(api.TransactWriteItem{}), entry)
	requireText(t, write(api.TransactWriteItem{
		ConditionCheck: check, Delete: &api.Delete{TableName: str("Tab"), Key: k},
	}), entry)
	requireText(t, write(api.TransactWriteItem{ConditionCheck: check}, api.TransactWriteItem{
		Put: &api.Put{TableName: str("T!"), Item: k},
	}), badName)
	requireText(t, write(api.TransactWriteItem{Put: &api.Put{
		TableName: str("Tab"), Item: k, ExpressionAttributeValues: []api.NamedValue{},
	}}), "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null")
	requireText(t, write(api.TransactWriteItem{Delete: &api.Delete{
		TableName: str("Tab"), Key: k, ExpressionAttributeNames: []api.Name{},
	}}), "ExpressionAttributeNames can only be specified when using expressions")
	requireText(t, write(api.TransactWriteItem{Put: &api.Put{
		TableName: str("Tab"), Item: item(t, "a", strings.Repeat("x", 409600)),
	}}), "Item size has exceeded the maximum allowed size")
	bug := api.Errorf(api.Validation, "bad expression")
	in := &api.TransactWriteItemsInput{
		TransactItems: []api.TransactWriteItem{
			{ConditionCheck: check},
			{Update: &api.Update{
				TableName: str("Tab"), Key: k, UpdateExpression: str("SET a = :a"),
				ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":a"}},
			}},
		},
		Bad: bad("TransactItems.1.Update.ExpressionAttributeValues.:a", attr.DupNS),
	}
	requireText(t, TransactWriteItems(in, Options{}), "ExpressionAttributeValues contains invalid value: "+
		"Input collection contains duplicates for key :a")
	require.Same(t, bug, TransactWriteItemsWith(in, Options{}, func(i int) error {
		require.Zero(t, i, "the first action compiles before the second one's values are looked at")
		return bug
	}))
	large := item(t, "a", strings.Repeat("x", 400_000))
	items := make([]api.TransactWriteItem, 11)
	for i := range items {
		items[i].Put = &api.Put{TableName: str("Tab"), Item: large}
	}
	require.ErrorContains(t, write(items...), "exceeded the maximum allowed size of 4194304 bytes")
	requireText(t, write(items[:10]...), "")

	get := &api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{
		{Get: &api.Get{TableName: str("Tab"), Key: k}},
		{Get: &api.Get{TableName: str("Tab"), Key: k, ExpressionAttributeNames: []api.Name{}}},
	}}
	requireText(t, TransactGetItems(get, Options{}), "ExpressionAttributeNames can only be specified when "+
		"using expressions")
	get.Bad = bad("TransactItems.0.Get.Key", attr.DupNS)
	requireText(t, TransactGetItems(get, Options{}), "Input collection contains duplicates")
	require.Same(t, bug, TransactGetItemsWith(&api.TransactGetItemsInput{
		TransactItems: get.TransactItems[:1],
	}, Options{}, func(int) error { return bug }))
}
