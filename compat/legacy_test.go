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
