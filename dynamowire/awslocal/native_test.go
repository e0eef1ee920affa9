package awslocal_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/awslocal"
	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// TestNativeTypes: what becomes of a VecF32 and a Ts, which the wire does not have, when an SDK reads and
// writes their item (package codec says it).
func TestNativeTypes(t *testing.T) {
	t.Parallel()
	local := awslocal.New(t)
	createOrders(t, local.Client)
	native, err := attr.NewItem().S("pk", "a").Vec("vec", 0.1, -1, 3e30).Ts("at", 1_767_225_600_123).N("n", "1").Build()
	require.NoError(t, err)
	table, key := api.Some("Orders"), order("a")
	_, err = local.DB.PutItem(t.Context(), &api.PutItemInput{TableName: table, Item: native})
	require.NoError(t, err)
	stored := func() attr.Item {
		nativeKey, err := attr.NewItem().S("pk", "a").Build()
		require.NoError(t, err)
		out, err := local.DB.GetItem(t.Context(), &api.GetItemInput{TableName: table, Key: nativeKey})
		require.NoError(t, err)
		return out.Item
	}

	// Read, they are a list of the shortest numbers that stand for the same floats, and a number.
	got, err := local.Client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("Orders"), Key: key})
	require.NoError(t, err)
	require.Equal(t, &types.AttributeValueMemberL{Value: []types.AttributeValue{
		&types.AttributeValueMemberN{Value: "0.1"}, &types.AttributeValueMemberN{Value: "-1"},
		&types.AttributeValueMemberN{Value: "3000000000000000000000000000000"},
	}}, got.Item["vec"])
	require.Equal(t, &types.AttributeValueMemberN{Value: "1767225600123"}, got.Item["at"])

	// An update of something else leaves them what they are, also where a condition compares them.
	_, err = local.Client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("Orders"), Key: key, UpdateExpression: aws.String("SET n = :n"),
		ConditionExpression: aws.String("vec = :vec AND #at = :at AND attribute_type(vec, :list) AND attribute_type(#at, :number)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":n": &types.AttributeValueMemberN{Value: "2"}, ":vec": got.Item["vec"], ":at": got.Item["at"],
			":list": &types.AttributeValueMemberS{Value: "L"}, ":number": &types.AttributeValueMemberS{Value: "N"},
		},
		ExpressionAttributeNames: map[string]string{"#at": "at"},
	})
	require.NoError(t, err)
	require.Equal(t, attr.VecF32, stored().Get("vec").Type())
	require.Equal(t, attr.Ts, stored().Get("at").Type())

	// Written back, they are an L and an N for everybody, and the values are equal to what they were.
	before := stored()
	got, err = local.Client.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: aws.String("Orders"), Key: key})
	require.NoError(t, err)
	got.Item["n"] = &types.AttributeValueMemberN{Value: "3"}
	_, err = local.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("Orders"), Item: got.Item})
	require.NoError(t, err)
	after := stored()
	require.Equal(t, attr.L, after.Get("vec").Type())
	require.Equal(t, attr.N, after.Get("at").Type())
	for _, name := range []string{"vec", "at"} {
		require.True(t, attr.Equal(before.Get(name), after.Get(name)), name)
		require.Equal(t, before.Get(name).Size(), after.Get(name).Size(), "the limits count them alike")
	}

	// Streams see no change in a write that changes nothing but that, and it is made all the same.
	require.Equal(t, 3, recordsOf(t, local), "one a write so far")
	_, err = local.DB.PutItem(t.Context(), &api.PutItemInput{TableName: table, Item: before})
	require.NoError(t, err)
	require.Equal(t, 4, recordsOf(t, local), "n changed")
	got.Item["n"] = &types.AttributeValueMemberN{Value: "2"}
	_, err = local.Client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("Orders"), Item: got.Item})
	require.NoError(t, err)
	require.Equal(t, 4, recordsOf(t, local))
	require.Equal(t, after.Get("vec"), stored().Get("vec"))
	require.Equal(t, after.Get("at"), stored().Get("at"))

	// Nor does an update in part leave them what they are.
	_, err = local.DB.PutItem(t.Context(), &api.PutItemInput{TableName: table, Item: native})
	require.NoError(t, err)
	_, err = local.Client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String("Orders"), Key: key, UpdateExpression: aws.String("SET vec[1] = :one, #at = #at + :one"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":one": &types.AttributeValueMemberN{Value: "1"}},
		ExpressionAttributeNames:  map[string]string{"#at": "at"},
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"L":[{"N":"0.1"},{"N":"1"},{"N":"3000000000000000000000000000000"}]}`, jsonOf(stored().Get("vec")))
	require.JSONEq(t, `{"N":"1767225600124"}`, jsonOf(stored().Get("at")))
	require.Equal(t, attr.L, stored().Get("vec").Type())
	require.Equal(t, attr.N, stored().Get("at").Type())
}

func jsonOf(v attr.Value) string {
	return string(codec.AppendValue(nil, v))
}

// recordsOf counts what the stream of Orders holds.
func recordsOf(t *testing.T, local *awslocal.Local) int {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	list, err := local.Streams.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{})
	require.NoError(t, err)
	arn := list.Streams[0].StreamArn
	stream, err := local.Streams.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: arn})
	require.NoError(t, err)
	it, err := local.Streams.GetShardIterator(ctx, &dynamodbstreams.GetShardIteratorInput{
		StreamArn: arn, ShardId: stream.StreamDescription.Shards[0].ShardId, ShardIteratorType: "TRIM_HORIZON",
	})
	require.NoError(t, err)
	records, err := local.Streams.GetRecords(ctx, &dynamodbstreams.GetRecordsInput{ShardIterator: it.ShardIterator})
	require.NoError(t, err)
	return len(records.Records)
}
