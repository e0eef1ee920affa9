package validate

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Two texts that many clients know (wire-facts §3.1, §3.4, §6.4).
func TestConstraintTexts(t *testing.T) {
	requireText(t, PutItem(&api.PutItemInput{}, Options{}),
		"2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: "+
			"Member must not be null; Value null at 'item' failed to satisfy constraint: "+
			"Member must not be null")
	requireText(t, ListTables(&api.ListTablesInput{Limit: num(0)}, Options{}),
		"1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: "+
			"Member must have value greater than or equal to 1")
	requireText(t, ListTables(&api.ListTablesInput{Limit: num(101)}, Options{}),
		"1 validation error detected: Value '101' at 'limit' failed to satisfy constraint: "+
			"Member must have value less than or equal to 100")
	requireText(t, ListTables(&api.ListTablesInput{ExclusiveStartTableName: str("")}, Options{}), ve(
		cv("''", "exclusiveStartTableName",
			"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
		cv("''", "exclusiveStartTableName", "Member must have length greater than or equal to 3")))
	requireText(t, ListTables(&api.ListTablesInput{ExclusiveStartTableName: str("a/" + strings.Repeat("b", 254))}, Options{}),
		ve(cv("'a/"+strings.Repeat("b", 254)+"'", "exclusiveStartTableName",
			"Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"),
			cv("'a/"+strings.Repeat("b", 254)+"'", "exclusiveStartTableName",
				"Member must have length less than or equal to 255")))
}

// Printed orders of enums (wire-facts §3.3) and order of members (§3.4).
func TestConstraintOrder(t *testing.T) {
	q := str("Q")
	enum := func(path, set string) string {
		return cv("'Q'", path, "Member must satisfy enum value set: ["+set+"]")
	}
	consumed := enum("returnConsumedCapacity", "INDEXES, TOTAL, NONE")
	metrics := enum("returnItemCollectionMetrics", "SIZE, NONE")
	values := enum("returnValues", "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW")
	failure := enum("returnValuesOnConditionCheckFailure", "ALL_OLD, NONE")
	operator := enum("conditionalOperator", "OR, AND")
	sel := enum("select", "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES")
	table, key := cv("null", "tableName", null), cv("null", "key", null)

	requireText(t, PutItem(&api.PutItemInput{
		ReturnValues: q, ReturnConsumedCapacity: q, ReturnItemCollectionMetrics: q,
		ConditionalOperator: q, ReturnValuesOnConditionCheckFailure: q,
	}, Options{}), ve(consumed, table, cv("null", "item", null), operator, values, metrics, failure))
	requireText(t, GetItem(&api.GetItemInput{ReturnConsumedCapacity: q, AttributesToGet: []string{}}, Options{}),
		ve(consumed, cv("'[]'", "attributesToGet", "Member must have length greater than or equal to 1"),
			table, key))
	requireText(t, UpdateItem(&api.UpdateItemInput{
		ReturnValues: q, ReturnConsumedCapacity: q, ReturnItemCollectionMetrics: q,
		AttributeUpdates: []api.AttributeUpdatesEntry{{Key: "a", Value: api.AttributeValueUpdate{Action: q}}},
	}, Options{}), ve(consumed, table, metrics, values, key,
		enum("attributeUpdates.a.member.action", "ADD, PUT, DELETE")))
	requireText(t, DeleteItem(&api.DeleteItemInput{
		ReturnValues: q, ReturnConsumedCapacity: q, ReturnItemCollectionMetrics: q,
		Expected: []api.ExpectedAttributeMapEntry{{
			Key: "a", Value: api.ExpectedAttributeValue{ComparisonOperator: q},
		}},
	}, Options{}), ve(consumed, table, values, metrics, key, enum("expected.a.member.comparisonOperator",
		"IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS")))
	requireText(t, Query(&api.QueryInput{
		Select: q, IndexName: str("a"), ReturnConsumedCapacity: q, Limit: num(0),
		QueryFilter:   []api.FilterConditionMapEntry{{Key: "a"}},
		KeyConditions: []api.KeyConditionsEntry{{Key: "b"}},
	}, Options{ClassicErrors: true}), ve(sel, cv("'a'", "indexName", "Member must have length greater than or equal to 3"), consumed,
		cv("null", "queryFilter.a.member.comparisonOperator", null), table,
		cv("'0'", "limit", "Member must have value greater than or equal to 1"),
		cv("null", "keyConditions.b.member.comparisonOperator", null)))
	requireText(t, Scan(&api.ScanInput{
		Select: q, TotalSegments: num(1000001), Segment: num(-1), Limit: num(0), TableName: str("t"),
	}, Options{}), ve(sel,
		cv("'1000001'", "totalSegments", "Member must have value less than or equal to 1000000"),
		cv("'-1'", "segment", "Member must have value greater than or equal to 0"),
		cv("'0'", "limit", "Member must have value greater than or equal to 1")))
}

// At most ten errors are collected (wire-facts §3.1); structures print in the Java form.
func TestConstraintCreateTable(t *testing.T) {
	e := api.KeySchemaElement{AttributeName: str("a"), KeyType: str("HASH")}
	in := &api.CreateTableInput{
		TableName:            str("abc"),
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: str(""), AttributeType: str("X")}},
		ProvisionedThroughput: &api.ProvisionedThroughput{
			ReadCapacityUnits: num(0), WriteCapacityUnits: num(-1),
		},
		KeySchema: []api.KeySchemaElement{e, e, {KeyType: str("RANGE")}},
	}
	requireText(t, CreateTable(in, Options{}), ve(
		cv("''", "attributeDefinitions.1.member.attributeName",
			"Member must have length greater than or equal to 1"),
		cv("'X'", "attributeDefinitions.1.member.attributeType",
			"Member must satisfy enum value set: [B, N, S]"),
		cv("'-1'", "provisionedThroughput.writeCapacityUnits",
			"Member must have value greater than or equal to 1"),
		cv("'0'", "provisionedThroughput.readCapacityUnits",
			"Member must have value greater than or equal to 1"),
		cv("'[KeySchemaElement(attributeName=a, keyType=HASH), "+
			"KeySchemaElement(attributeName=a, keyType=HASH), "+
			"KeySchemaElement(attributeName=null, keyType=RANGE)]'", "keySchema",
			"Member must have length less than or equal to 2"),
		cv("null", "keySchema.3.member.attributeName", null)))

	in = &api.CreateTableInput{TableName: str("abc")}
	for range 4 {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, api.GlobalSecondaryIndex{})
	}
	err := CreateTable(in, Options{})
	require.Contains(t, err.Error(), "10 validation errors detected: ")
	require.Equal(t, 10, strings.Count(err.Error(), "failed to satisfy constraint"))
	require.Contains(t, err.Error(), "'globalSecondaryIndexes.1.member.projection'")
	require.NotContains(t, err.Error(), "projectionType", "members of absent parents are not reported")
}

// Maps report keys and value sizes once, about the whole map (wire-facts §3.2, §6.12).
func TestBatchGetConstraints(t *testing.T) {
	entry := func(table string, keys int) api.BatchGetRequestMapEntry {
		e := api.BatchGetRequestMapEntry{Key: table, Value: api.KeysAndAttributes{Keys: []attr.Item{}}}
		for i := range keys {
			e.Value.Keys = append(e.Value.Keys, item(t, "a", "b"+strings.Repeat("b", i)))
		}
		return e
	}
	get := func(entries ...api.BatchGetRequestMapEntry) error {
		return BatchGetItem(&api.BatchGetItemInput{RequestItems: entries}, Options{})
	}
	requireText(t, get(), ve(cv("null", "requestItems", null)))
	requireText(t, BatchGetItem(&api.BatchGetItemInput{RequestItems: []api.BatchGetRequestMapEntry{}}, Options{}),
		ve(cv("'{}'", "requestItems", "Member must have length greater than or equal to 1")))
	requireText(t, get(entry("Tab", 0)), ve(cv("'[]'", "requestItems.Tab.member.keys",
		"Member must have length greater than or equal to 1")))
	requireText(t, get(entry("Tab", 101)), "1 validation error detected: Value at "+
		"'requestItems.Tab.member.keys' failed to satisfy constraint: "+
		"Member must have length less than or equal to 100")
	requireText(t, get(entry("", 1)), ve(cv("'{=KeysAndAttributes(keys=[{a=AttributeValue(s=b, n=null, "+
		"b=null, sS=null, nS=null, bS=null, m=null, l=null, nULL=null, bOOL=null)}], "+
		"attributesToGet=null, consistentRead=null, projectionExpression=null, "+
		"expressionAttributeNames=null)}'", "requestItems",
		"Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "+
			"Member must have length greater than or equal to 1]")))
	requireText(t, get(api.BatchGetRequestMapEntry{Key: "Tab"}),
		ve(cv("null", "requestItems.Tab.member.keys", null)))
	requireText(t, get(entry("Tab", 100)), "")
}

func TestBatchWriteConstraints(t *testing.T) {
	write := func(reqs ...api.WriteRequest) error {
		if reqs == nil {
			reqs = []api.WriteRequest{}
		}
		return BatchWriteItem(&api.BatchWriteItemInput{
			RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "Tab", Value: reqs}},
		}, Options{})
	}
	requireText(t, write(), ve(cv("'{Tab=[]}'", "requestItems",
		"Map value must satisfy constraint: [Member must have length less than or equal to 25, "+
			"Member must have length greater than or equal to 1]")))
	requireText(t, write(api.WriteRequest{PutRequest: &api.PutRequest{}}, api.WriteRequest{
		DeleteRequest: &api.DeleteRequest{},
	}), ve(cv("null", "requestItems.Tab.member.1.member.putRequest.item", null),
		cv("null", "requestItems.Tab.member.2.member.deleteRequest.key", null)))
	many := make([]api.WriteRequest, 26)
	require.Contains(t, write(many...).Error(), "Value '{Tab=[WriteRequest(putRequest=null, "+
		"deleteRequest=null), ")
}

func TestTransactConstraints(t *testing.T) {
	requireText(t, TransactWriteItems(&api.TransactWriteItemsInput{}, Options{}),
		ve(cv("null", "transactItems", null)))
	requireText(t, TransactWriteItems(&api.TransactWriteItemsInput{
		TransactItems:      []api.TransactWriteItem{},
		ClientRequestToken: str(strings.Repeat("x", 37)),
	}, Options{}), ve(cv("'[]'", "transactItems", "Member must have length greater than or equal to 1"),
		cv("'"+strings.Repeat("x", 37)+"'", "clientRequestToken",
			"Member must have length less than or equal to 36")))
	requireText(t, TransactWriteItems(&api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
		{ConditionCheck: &api.ConditionCheck{TableName: str("Tab"), Key: item(t, "a", "b")}},
		{Put: &api.Put{TableName: str("Tab")}},
		{Update: &api.Update{TableName: str("Tab"), Key: item(t, "a", "b")}},
	}}, Options{}), ve(cv("null", "transactItems.1.member.conditionCheck.conditionExpression", null),
		cv("null", "transactItems.2.member.put.item", null),
		cv("null", "transactItems.3.member.update.updateExpression", null)))
	requireText(t, TransactGetItems(&api.TransactGetItemsInput{TransactItems: []api.TransactGetItem{{}}}, Options{}),
		ve(cv("null", "transactItems.1.member.get", null)))
	require.Contains(t, TransactGetItems(&api.TransactGetItemsInput{
		TransactItems: make([]api.TransactGetItem, 101),
	}, Options{}).Error(), "]' at 'transactItems' failed to satisfy constraint: Member must have length less "+
		"than or equal to 100; ")
}

// A bad value leaves its member nil; it is not missing for that.
func TestBadValueIsThere(t *testing.T) {
	requireText(t, PutItem(&api.PutItemInput{TableName: str("Tab"), Bad: bad("Item", attr.EmptySS)},
		Options{ClassicErrors: true}),
		"One or more parameter values were invalid: An string set  may not be empty")
	in := &api.TransactWriteItemsInput{
		TransactItems: []api.TransactWriteItem{{Put: &api.Put{TableName: str("Tab")}}},
		Bad:           bad("TransactItems.0.Put.Item", attr.Overflow),
	}
	requireText(t, TransactWriteItems(in, Options{}),
		"Number overflow. Attempting to store a number with magnitude larger than supported range")
	del := &api.BatchWriteItemInput{
		RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "my.table", Value: []api.WriteRequest{
			{PutRequest: &api.PutRequest{Item: item(t, "a", "b")}},
			{DeleteRequest: &api.DeleteRequest{}},
		}}},
		Bad: bad("RequestItems.my.table.1.DeleteRequest.Key", attr.Underflow),
	}
	requireText(t, BatchWriteItem(del, Options{}),
		"Number underflow. Attempting to store a number with magnitude smaller than supported range")
}

// Every operation has a request shape whose members are the fields of its struct, and every
// pattern compiles.
func TestTablesFitTheContract(t *testing.T) {
	var check func(s *shape)
	seen := make(map[*shape]bool)
	check = func(s *shape) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		if s.pattern != "" {
			re := s.re
			if re == "" {
				re = s.pattern
			}
			_, err := regexp.Compile(`\A(?:` + re + `)\z`)
			require.NoError(t, err, s.name)
		}
		for _, m := range s.members {
			check(m.shape)
		}
		check(s.of)
		check(s.key)
	}
	for _, op := range api.Operations() {
		s := inputShape(op.Name)
		require.NotNil(t, s, op.Name)
		check(s)
	}
	require.Nil(t, inputShape("Nothing"))
	require.Equal(t, api.UnknownOperation, api.CodeOf(Constraints("Nothing", nil)))
}

// Patterns other than that of names (wire-facts: the model beside it).
func TestPatterns(t *testing.T) {
	for _, tc := range []struct {
		s    *shape
		in   string
		want bool
	}{
		{shapeClientToken, "abc", true},
		{shapeClientToken, "a$c", false},
		{shapeS3BucketOwner, "123456789012", true},
		{shapeS3BucketOwner, "12345678901", false},
		{shapeS3BucketOwner, "1234567890123", false},
		{shapeAutoScalingRoleArn, "arn:aws\U0001F600", true},
		{shapeAutoScalingRoleArn, "a\x00", false},
		{shapeAutoScalingPolicyName, "a name", true},
		{shapeAutoScalingPolicyName, "a\nname", false},
		{shapeCsvDelimiter, "\t", true},
		{shapeCsvDelimiter, "x", false},
	} {
		require.Equal(t, tc.want, matches(tc.in, tc.s), "%s %q", tc.s.name, tc.in)
	}
}

// Lengths count UTF-16 units, as the service's language does.
func TestJavaLength(t *testing.T) {
	for in, want := range map[string]int64{"": 0, "abc": 3, "é": 1, "\U0001F600": 2, "\xff": 1} {
		require.Equal(t, want, javaLen(in), strconv.Quote(in))
	}
}

func TestPrintedForms(t *testing.T) {
	b := attr.NewItem().N("n", "1.50").B("b", []byte{0, 1}).Bool("t", true).Null("z").
		SS("ss", "y", "x").NS("ns", "2").BS("bs", []byte{0}).L("l", attr.String("e"), attr.Bool(false))
	it, err := b.Build()
	require.NoError(t, err)
	got := string(appendItem(nil, it))
	for _, want := range []string{
		"n=AttributeValue(s=null, n=1.5, b=null", "b=AttributeValue(s=null, n=null, b=AAE=,",
		"bOOL=true)", "nULL=true, bOOL=null)", "sS=[x, y],", "nS=[2],", "bS=[AA==],",
		"l=[AttributeValue(s=e, ", "bOOL=false)],",
	} {
		require.Contains(t, got, want)
	}
}
