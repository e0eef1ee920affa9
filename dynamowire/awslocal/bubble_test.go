package awslocal_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/awslocal"
)

// TestBubble: in a bubble of testing/synctest the database lives in the bubble's time, so that a test of
// items that expire takes no time.
func TestBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		local := awslocal.New(t)
		createOrders(t, local.Client)
		_, err := local.Client.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName: aws.String("Orders"),
			TimeToLiveSpecification: &types.TimeToLiveSpecification{
				AttributeName: aws.String("ends"), Enabled: aws.Bool(true),
			},
		})
		require.NoError(t, err)
		item := order("a")
		item["ends"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)}
		_, err = local.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("Orders"), Item: item})
		require.NoError(t, err)
		<-time.After(59 * time.Minute)
		get := &dynamodb.GetItemInput{TableName: aws.String("Orders"), Key: order("a")}
		got, err := local.Client.GetItem(t.Context(), get)
		require.NoError(t, err)
		require.Equal(t, item, got.Item)
		<-time.After(2 * time.Minute)
		got, err = local.Client.GetItem(t.Context(), get)
		require.NoError(t, err)
		require.Nil(t, got.Item)
		require.Equal(t, 2, recordsOf(t, local), "the write and the sweep's removal")
	})
}
