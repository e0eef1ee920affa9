package compat

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestLegacyExpected writes on conditions as programs did before there were expressions.
func TestLegacyExpected(t *testing.T) {
	key := hashKey(t)
	absent := map[string]types.ExpectedAttributeValue{"pk": {Exists: aws.Bool(false)}}
	_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(hashTable), Item: key, Expected: absent})
	require.NoError(t, err)
	_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(hashTable), Item: key, Expected: absent})
	var failed *types.ConditionalCheckFailedException
	require.ErrorAs(t, err, &failed)
	_, err = db.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{
		TableName: aws.String(hashTable), Key: key, ConditionalOperator: types.ConditionalOperatorOr,
		Expected: map[string]types.ExpectedAttributeValue{
			"pk": {ComparisonOperator: types.ComparisonOperatorBeginsWith, AttributeValueList: []types.AttributeValue{str("no such beginning")}},
			"a":  {ComparisonOperator: types.ComparisonOperatorNull},
		},
	})
	require.NoError(t, err)
	assert.Nil(t, get(t, hashTable, key))
	_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String(hashTable), Item: key,
		Expected: map[string]types.ExpectedAttributeValue{"a": {Exists: aws.Bool(true)}},
	})
	require.ErrorContains(t, err, "Value must be provided when Exists is true for Attribute: a")
}

// TestLegacyAttributeUpdates changes an item as programs did before there were expressions.
func TestLegacyAttributeUpdates(t *testing.T) {
	key := hashKey(t)
	set := &types.AttributeValueMemberSS{Value: []string{"a", "b"}}
	update := func(list map[string]types.AttributeValueUpdate) (map[string]types.AttributeValue, error) {
		out, err := db.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
			TableName: aws.String(hashTable), Key: key, AttributeUpdates: list, ReturnValues: types.ReturnValueUpdatedNew,
		})
		if err != nil {
			return nil, err
		}
		return out.Attributes, nil
	}
	got, err := update(map[string]types.AttributeValueUpdate{"gone": {Action: types.AttributeActionDelete}})
	require.NoError(t, err)
	assert.Empty(t, got)
	assert.Nil(t, get(t, hashTable, key), "DELETE alone makes no item")
	got, err = update(map[string]types.AttributeValueUpdate{
		"n": {Action: types.AttributeActionAdd, Value: num("2")}, "s": {Action: types.AttributeActionAdd, Value: set},
		"a.b": {Value: str("x")},
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]types.AttributeValue{"n": num("2"), "s": set, "a.b": str("x")}, got)
	got, err = update(map[string]types.AttributeValueUpdate{
		"n": {Action: types.AttributeActionAdd, Value: num("-3")}, "a.b": {Action: types.AttributeActionDelete},
		"s": {Action: types.AttributeActionDelete, Value: &types.AttributeValueMemberSS{Value: []string{"a"}}},
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]types.AttributeValue{"n": num("-1"), "s": &types.AttributeValueMemberSS{Value: []string{"b"}}}, got)
	_, err = update(map[string]types.AttributeValueUpdate{"s": {Action: types.AttributeActionAdd, Value: num("1")}})
	require.ErrorContains(t, err, "Type mismatch for attribute to update")
	_, err = update(map[string]types.AttributeValueUpdate{"s": {}})
	require.ErrorContains(t, err, "Only DELETE action is allowed when no attribute value is specified")
}

func legacy(operator types.ComparisonOperator, values ...types.AttributeValue) types.Condition {
	return types.Condition{ComparisonOperator: operator, AttributeValueList: values}
}

// TestLegacyReads queries, scans and gets as programs did before there were expressions.
func TestLegacyReads(t *testing.T) {
	fill(t, 6)
	own := legacy(types.ComparisonOperatorEq, str(t.Name()))
	keys := map[string]types.Condition{"pk": own, "sk": legacy(types.ComparisonOperatorBetween, intNum(1), intNum(4))}
	out, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String(rangeTable), KeyConditions: keys, ScanIndexForward: aws.Bool(false),
		QueryFilter: map[string]types.Condition{"even": legacy(types.ComparisonOperatorNe, boolean(true))},
	})
	require.NoError(t, err)
	assert.Equal(t, "3 1", sortKeys(out.Items))
	assert.Equal(t, int32(4), out.ScannedCount)
	out, err = db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String(rangeTable), KeyConditions: keys, AttributesToGet: []string{"sk"}, Limit: aws.Int32(1),
	})
	require.NoError(t, err)
	assert.Equal(t, []map[string]types.AttributeValue{{"sk": num("1")}}, out.Items)
	scan, err := db.Scan(t.Context(), &dynamodb.ScanInput{
		TableName: aws.String(rangeTable), AttributesToGet: []string{"sk"}, ConditionalOperator: types.ConditionalOperatorAnd,
		ScanFilter: map[string]types.Condition{"pk": own, "sk": legacy(types.ComparisonOperatorIn, intNum(5))},
	})
	require.NoError(t, err)
	assert.Equal(t, []map[string]types.AttributeValue{{"sk": num("5")}}, scan.Items)
	key := item{"pk": str(t.Name()), "sk": intNum(2)}
	got, err := db.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String(rangeTable), Key: key, AttributesToGet: []string{"even", "no"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]types.AttributeValue{"even": boolean(true)}, got.Item)
	batch, err := db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		rangeTable: {Keys: []map[string]types.AttributeValue{key}, AttributesToGet: []string{"sk"}},
	}})
	require.NoError(t, err)
	assert.Equal(t, []map[string]types.AttributeValue{{"sk": num("2")}}, batch.Responses[rangeTable])
	for _, c := range []struct {
		keys map[string]types.Condition
		want string
	}{
		{map[string]types.Condition{"pk": legacy(types.ComparisonOperatorNotNull)}, "Attempted conditional constraint is not an indexable operation"},
		{map[string]types.Condition{"pk": legacy(types.ComparisonOperatorEq)}, "Invalid number of argument(s) for the EQ ComparisonOperator"},
		{map[string]types.Condition{}, "Conditions can be of length 1 or 2 only"},
	} {
		_, err = db.Query(t.Context(), &dynamodb.QueryInput{TableName: aws.String(rangeTable), KeyConditions: c.keys})
		require.ErrorContains(t, err, c.want)
	}
	_, err = db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String(rangeTable), KeyConditions: keys, KeyConditionExpression: aws.String("pk = :pk"),
		ExpressionAttributeValues: item{":pk": str("x")},
	})
	require.ErrorContains(t, err, "Non-expression parameters: {KeyConditions} Expression parameters: {KeyConditionExpression}")
}
