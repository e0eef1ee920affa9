package compat

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func putRequest(it item) types.WriteRequest {
	return types.WriteRequest{PutRequest: &types.PutRequest{Item: it}}
}

func deleteRequest(key item) types.WriteRequest {
	return types.WriteRequest{DeleteRequest: &types.DeleteRequest{Key: key}}
}

// numbered is the i-th key of the test in hashTable.
func numbered(t *testing.T, i int) item { return item{"pk": str(fmt.Sprintf("%s-%d", t.Name(), i))} }

func batchWrite(t *testing.T, table string, requests ...types.WriteRequest) (*dynamodb.BatchWriteItemOutput, error) {
	t.Helper()
	return db.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: requests}})
}

func batchGet(t *testing.T, table string, keys ...map[string]types.AttributeValue) (*dynamodb.BatchGetItemOutput, error) {
	t.Helper()
	return db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{table: {Keys: keys}}})
}

func TestBatchWriteAndGet(t *testing.T) {
	put(t, hashTable, with(numbered(t, 99), item{"v": num("1")}))
	var requests []types.WriteRequest
	for i := range 24 {
		requests = append(requests, putRequest(with(numbered(t, i), item{"v": intNum(i)})))
	}
	requests = append(requests, deleteRequest(numbered(t, 99)))
	out, err := batchWrite(t, hashTable, requests...)
	require.NoError(t, err)
	assert.Empty(t, out.UnprocessedItems)

	var keys []map[string]types.AttributeValue
	for i := range 100 {
		keys = append(keys, numbered(t, i))
	}
	got, err := batchGet(t, hashTable, keys...)
	require.NoError(t, err)
	assert.Len(t, got.Responses[hashTable], 24)
	assert.Empty(t, got.UnprocessedKeys)

	// Two tables, one with a projection; a table without hits answers an empty list.
	got, err = db.BatchGetItem(t.Context(), &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{
		hashTable:  {Keys: keys[3:4], ProjectionExpression: aws.String("#v"), ExpressionAttributeNames: map[string]string{"#v": "v"}},
		rangeTable: {Keys: []map[string]types.AttributeValue{{"pk": str(t.Name()), "sk": num("1")}}, ConsistentRead: aws.Bool(true)},
	}})
	require.NoError(t, err)
	assert.Equal(t, []map[string]types.AttributeValue{{"v": num("3")}}, got.Responses[hashTable])
	assert.Empty(t, got.Responses[rangeTable])
	assert.Contains(t, got.Responses, rangeTable)
}

// TestBatchGetLeavesKeysOver16MB: 100 items of 300 KB yield 52 or so (wire-facts §6.12); what is left
// comes with the next call.
func TestBatchGetLeavesKeysOver16MB(t *testing.T) {
	const items, size = 60, 300 << 10
	for i := range items {
		put(t, hashTable, with(numbered(t, i), item{"v": str(strings.Repeat("x", size))}))
	}
	var keys []map[string]types.AttributeValue
	for i := range items {
		keys = append(keys, numbered(t, i))
	}
	in := &dynamodb.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{hashTable: {Keys: keys, ProjectionExpression: nil}}}
	out, err := db.BatchGetItem(t.Context(), in)
	require.NoError(t, err)
	first := len(out.Responses[hashTable])
	assert.InDelta(t, 54, first, 3)
	require.Len(t, out.UnprocessedKeys[hashTable].Keys, items-first)
	in.RequestItems = out.UnprocessedKeys
	out, err = db.BatchGetItem(t.Context(), in)
	require.NoError(t, err)
	assert.Len(t, out.Responses[hashTable], items-first)
	assert.Empty(t, out.UnprocessedKeys)
}

func TestBatchErrors(t *testing.T) {
	key := hashKey(t)
	many := make([]types.WriteRequest, 26)
	for i := range many {
		many[i] = deleteRequest(numbered(t, i))
	}
	for _, tt := range []struct {
		label, table string
		requests     []types.WriteRequest
		code, text   string // wire-facts §6.12
	}{
		{"twice", hashTable, []types.WriteRequest{putRequest(key), deleteRequest(key)}, validation, "Provided list of item keys contains duplicates"},
		{"unknown table", "no-such-table", []types.WriteRequest{putRequest(key), putRequest(key)}, notFound, "Requested resource not found"},
		{"missing key", hashTable, []types.WriteRequest{putRequest(item{"v": num("1")})}, validation, "The provided key element does not match the schema"},
		{"empty key", hashTable, []types.WriteRequest{putRequest(item{"pk": str("")})}, validation, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"},
		{"too large", hashTable, []types.WriteRequest{putRequest(with(key, item{"v": str(strings.Repeat("x", 409600))}))}, validation, "Item size has exceeded the maximum allowed size"},
	} {
		t.Run(tt.label, func(t *testing.T) {
			_, err := batchWrite(t, tt.table, tt.requests...)
			wantError(t, err, tt.code, tt.text)
		})
	}
	_, err := batchWrite(t, hashTable, many...)
	require.ErrorContains(t, err, "Map value must satisfy constraint: [Member must have length less than or equal to 25, Member must have length greater than or equal to 1]")
	// Nothing is written when a request is bad.
	_, err = batchWrite(t, hashTable, putRequest(key), putRequest(item{"pk": num("1")}))
	wantError(t, err, validation, "The provided key element does not match the schema")
	assert.Nil(t, get(t, hashTable, key))

	_, err = batchGet(t, "no-such-table", key, key)
	wantError(t, err, validation, "Provided list of item keys contains duplicates")
	_, err = batchGet(t, "no-such-table", key)
	wantError(t, err, notFound, "Requested resource not found")
	_, err = batchGet(t, hashTable, item{"other": str("x")})
	wantError(t, err, validation, "The provided key element does not match the schema")
	var keys []map[string]types.AttributeValue
	for i := range 101 {
		keys = append(keys, numbered(t, i))
	}
	_, err = batchGet(t, hashTable, keys...)
	require.ErrorContains(t, err, "at 'requestItems."+hashTable+".member.keys' failed to satisfy constraint: Member must have length less than or equal to 100")
}
