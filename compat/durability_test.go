package compat

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRestartFindsEverything: tables, items, index entries, settings and tokens outlive a clean stop
// and a kill -9 in each sync mode.
func TestRestartFindsEverything(t *testing.T) {
	for _, mode := range []string{"always", "interval", "off"} {
		for _, end := range []string{"stop", "kill"} {
			t.Run(mode+" "+end, func(t *testing.T) { restart(t, mode, end) })
		}
	}
}

func restart(t *testing.T, mode, end string) {
	const n = 200
	table := "kept"
	args := []string{"--db", filepath.Join(t.TempDir(), "r.keystone"), "--sync", mode}
	s := newServer(t, args...)
	c := s.client()
	created, err := c.CreateTable(t.Context(), indexedInput(table))
	require.NoError(t, err)
	_, err = c.TagResource(t.Context(), &dynamodb.TagResourceInput{
		ResourceArn: created.TableDescription.TableArn, Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}},
	})
	require.NoError(t, err)
	for i := range n {
		_, err = c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{
			"pk": str("p"), "sk": str(fmt.Sprintf("%03d", i)), "num": intNum(n - i), "grp": str("g"), "extra": str("x"),
		}})
		require.NoError(t, err)
	}
	_, err = c.DeleteItem(t.Context(), &dynamodb.DeleteItemInput{TableName: &table, Key: item{"pk": str("p"), "sk": str("000")}})
	require.NoError(t, err)
	once := &dynamodb.TransactWriteItemsInput{
		ClientRequestToken: aws.String("once"),
		TransactItems: []types.TransactWriteItem{{Update: &types.Update{
			TableName: &table, Key: item{"pk": str("counter"), "sk": str("c")}, UpdateExpression: aws.String("ADD n :one"),
			ExpressionAttributeValues: item{":one": num("1")},
		}}},
	}
	_, err = c.TransactWriteItems(t.Context(), once)
	require.NoError(t, err)

	if end == "stop" {
		s.stop(t)
	} else {
		s.kill()
	}
	c = newServer(t, args...).client()

	described, err := c.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, created.TableDescription.TableId, described.Table.TableId)
	tags, err := c.ListTagsOfResource(t.Context(), &dynamodb.ListTagsOfResourceInput{ResourceArn: described.Table.TableArn})
	require.NoError(t, err)
	assert.Len(t, tags.Tags, 1)
	for index, condition := range map[string]string{"": "pk = :v", byNumber: "pk = :v", byGroup: "grp = :v"} {
		in := &dynamodb.QueryInput{TableName: &table, KeyConditionExpression: &condition, ExpressionAttributeValues: item{":v": str("p")}}
		if index != "" {
			in.IndexName = &index
		}
		if index == byGroup {
			in.ExpressionAttributeValues = item{":v": str("g")}
		}
		out, err := c.Query(t.Context(), in)
		require.NoError(t, err)
		assert.Len(t, out.Items, n-1, "index %q", index)
	}
	// The token still holds: the transaction is not executed again.
	_, err = c.TransactWriteItems(t.Context(), once)
	require.NoError(t, err)
	got, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: item{"pk": str("counter"), "sk": str("c")}})
	require.NoError(t, err)
	assert.Equal(t, num("1"), got.Item["n"])
}

// TestInMemoryForgets: what was in memory is gone with the process.
func TestInMemoryForgets(t *testing.T) {
	s := newServer(t, "--in-memory")
	_, err := s.client().CreateTable(t.Context(), tableInput("gone", "pk:S"))
	require.NoError(t, err)
	s.stop(t)
	out, err := newServer(t, "--in-memory").client().ListTables(t.Context(), &dynamodb.ListTablesInput{})
	require.NoError(t, err)
	assert.Empty(t, out.TableNames)
}
