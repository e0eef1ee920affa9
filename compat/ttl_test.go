package compat

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mortalTable creates a table with one item that is past its time.
func mortalTable(t *testing.T, db *dynamodb.Client) string {
	t.Helper()
	table := name(t)
	_, err := db.CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	_, err = db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{
		"pk": str("a"), "ttl": num(fmt.Sprint(time.Now().Unix() - 10)),
	}})
	require.NoError(t, err)
	_, err = db.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
		TableName: &table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: aws.String("ttl"), Enabled: aws.Bool(true)},
	})
	require.NoError(t, err)
	return table
}

// TestItemsAreSwept: an item that was there before time to live was enabled is absent at once and
// removed soon.
func TestItemsAreSwept(t *testing.T) {
	table := mortalTable(t, db)
	assert.Nil(t, get(t, table, item{"pk": str("a")}))
	for {
		out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		require.NoError(t, err)
		require.Empty(t, out.Items)
		if out.ScannedCount == 0 {
			break
		}
	}
}

// TestTTLLag: with it an item stays until it is swept.
func TestTTLLag(t *testing.T) {
	s := newServer(t, "--in-memory", "--ttl-lag", "--ttl-interval", "200ms")
	db := s.client()
	table := mortalTable(t, db)
	for {
		out, err := db.Scan(t.Context(), &dynamodb.ScanInput{TableName: &table})
		require.NoError(t, err)
		require.Len(t, out.Items, int(out.ScannedCount), "what is there is shown")
		if out.ScannedCount == 0 {
			break
		}
	}
}
