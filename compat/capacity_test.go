package compat

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const total, perIndex = types.ReturnConsumedCapacityTotal, types.ReturnConsumedCapacityIndexes

// TestCapacity pins the units of wire-facts §6.5.
func TestCapacity(t *testing.T) {
	ctx, key := t.Context(), hashKey(t)
	table := aws.String(hashTable)
	sized := func(n int) item { return with(key, item{"v": str(strings.Repeat("x", n-1-2-len(t.Name())))}) }
	write := func(it item) float64 {
		out, err := db.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: it, ReturnConsumedCapacity: total})
		require.NoError(t, err)
		assert.Equal(t, hashTable, *out.ConsumedCapacity.TableName)
		return *out.ConsumedCapacity.CapacityUnits
	}
	read := func(consistent bool) float64 {
		out, err := db.GetItem(ctx, &dynamodb.GetItemInput{TableName: table, Key: key, ConsistentRead: &consistent, ReturnConsumedCapacity: total})
		require.NoError(t, err)
		return *out.ConsumedCapacity.CapacityUnits
	}
	remove := func() float64 {
		out, err := db.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: key, ReturnConsumedCapacity: total})
		require.NoError(t, err)
		return *out.ConsumedCapacity.CapacityUnits
	}
	assert.Equal(t, 0.5, read(false), "a missing item")
	assert.Equal(t, 1.0, read(true))
	assert.Equal(t, 1.0, remove(), "of nothing")
	assert.Equal(t, 1.0, write(sized(1024)))
	assert.Equal(t, 2.0, write(sized(1025)))
	assert.Equal(t, 2.0, write(sized(100)), "the larger of old and new")
	assert.Equal(t, 5.0, write(sized(4097)))
	assert.Equal(t, 1.0, read(false))
	assert.Equal(t, 2.0, read(true))
	assert.Equal(t, 5.0, remove())

	out, err := db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{
		TransactItems: []types.TransactWriteItem{txPut(hashTable, sized(1025))}, ReturnConsumedCapacity: total,
	})
	require.NoError(t, err)
	require.Len(t, out.ConsumedCapacity, 1)
	assert.Equal(t, 4.0, *out.ConsumedCapacity[0].CapacityUnits)
	assert.Equal(t, 4.0, *out.ConsumedCapacity[0].WriteCapacityUnits)
	got, err := db.TransactGetItems(ctx, &dynamodb.TransactGetItemsInput{
		TransactItems:          []types.TransactGetItem{{Get: &types.Get{TableName: table, Key: key}}},
		ReturnConsumedCapacity: total,
	})
	require.NoError(t, err)
	assert.Equal(t, 2.0, *got.ConsumedCapacity[0].ReadCapacityUnits)
}

func TestCapacityOfIndexes(t *testing.T) {
	key := item{"pk": str(t.Name()), "sk": str("s")}
	write := func(it item) *types.ConsumedCapacity {
		out, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String(indexedTable), Item: it, ReturnConsumedCapacity: perIndex})
		require.NoError(t, err)
		return out.ConsumedCapacity
	}
	got := write(with(key, item{"num": num("1"), "grp": str("g" + t.Name())}))
	assert.Equal(t, 3.0, *got.CapacityUnits, "table, LSI and one GSI")
	assert.Equal(t, 1.0, *got.Table.CapacityUnits)
	assert.Equal(t, 1.0, *got.LocalSecondaryIndexes[byNumber].CapacityUnits)
	assert.Equal(t, 1.0, *got.GlobalSecondaryIndexes[byGroup].CapacityUnits)
	assert.NotContains(t, got.GlobalSecondaryIndexes, byTag)
	got = write(with(key, item{"num": num("2"), "grp": str("g" + t.Name())}))
	assert.Equal(t, 5.0, *got.CapacityUnits, "a changed index key: delete and insert in both indexes")

	out, err := db.Query(t.Context(), &dynamodb.QueryInput{
		TableName: aws.String(indexedTable), IndexName: aws.String(byGroup), KeyConditionExpression: aws.String("grp = :g"),
		ExpressionAttributeValues: item{":g": str("g" + t.Name())}, ReturnConsumedCapacity: perIndex,
	})
	require.NoError(t, err)
	assert.Equal(t, 0.5, *out.ConsumedCapacity.CapacityUnits)
	assert.Equal(t, 0.5, *out.ConsumedCapacity.GlobalSecondaryIndexes[byGroup].CapacityUnits)
	assert.Equal(t, 0.0, *out.ConsumedCapacity.Table.CapacityUnits)
}

// TestItemCollectionMetrics come only from tables with an LSI.
func TestItemCollectionMetrics(t *testing.T) {
	in := &dynamodb.PutItemInput{
		TableName: aws.String(indexedTable), Item: item{"pk": str(t.Name()), "sk": str("s")},
		ReturnItemCollectionMetrics: types.ReturnItemCollectionMetricsSize,
	}
	out, err := db.PutItem(t.Context(), in)
	require.NoError(t, err)
	require.NotNil(t, out.ItemCollectionMetrics)
	assert.Equal(t, item{"pk": str(t.Name())}, item(out.ItemCollectionMetrics.ItemCollectionKey))
	assert.Len(t, out.ItemCollectionMetrics.SizeEstimateRangeGB, 2)
	in.TableName, in.Item = aws.String(hashTable), hashKey(t)
	out, err = db.PutItem(t.Context(), in)
	require.NoError(t, err)
	assert.Nil(t, out.ItemCollectionMetrics)
}
