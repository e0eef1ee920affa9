package compat

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"
	streams "github.com/aws/aws-sdk-go-v2/service/dynamodbstreams/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newStreams(url string, options ...func(*dynamodbstreams.Options)) *dynamodbstreams.Client {
	return dynamodbstreams.New(dynamodbstreams.Options{
		BaseEndpoint: &url, Region: "eu-west-3",
		Credentials: credentials.NewStaticCredentialsProvider("any", "key", ""),
		APIOptions:  []func(*middleware.Stack) error{witnessed.watch},
	}, options...)
}

// streamed makes a table with a stream of both images and returns the stream's ARN.
func streamed(t *testing.T, name string) string {
	t.Helper()
	in := tableInput(name, "pk:S")
	in.StreamSpecification = &types.StreamSpecification{
		StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages,
	}
	out, err := db.CreateTable(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, types.StreamViewTypeNewAndOldImages, out.TableDescription.StreamSpecification.StreamViewType)
	return *out.TableDescription.LatestStreamArn
}

// readShard reads a shard from the trim horizon until a page is empty or the shard ends.
func readShard(t *testing.T, c *dynamodbstreams.Client, arn string, shard *string) (records []streams.Record, open bool) {
	t.Helper()
	it, err := c.GetShardIterator(t.Context(), &dynamodbstreams.GetShardIteratorInput{
		StreamArn: &arn, ShardId: shard, ShardIteratorType: streams.ShardIteratorTypeTrimHorizon,
	})
	require.NoError(t, err)
	next := it.ShardIterator
	for next != nil {
		out, err := c.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: next, Limit: aws.Int32(2)})
		require.NoError(t, err)
		records, next = append(records, out.Records...), out.NextShardIterator
		if len(out.Records) == 0 {
			break
		}
	}
	return records, next != nil
}

func TestStreams(t *testing.T) {
	ctx, c, name := t.Context(), newStreams(shared.url), "compat-streams"
	arn := streamed(t, name)
	key := item{"pk": str("a")}
	put(t, name, with(key, item{"v": num("1")}))
	_, err := db.UpdateItem(ctx, &dynamodb.UpdateItemInput{
		TableName: &name, Key: key, UpdateExpression: aws.String("ADD v :one"),
		ExpressionAttributeValues: item{":one": num("1")},
	})
	require.NoError(t, err)
	put(t, name, with(key, item{"v": num("2.0")})) // changes nothing
	_, err = db.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{
		name: {{DeleteRequest: &types.DeleteRequest{Key: key}}, {PutRequest: &types.PutRequest{Item: item{"pk": str("b")}}}},
	}})
	require.NoError(t, err)
	_, err = db.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{
		{Delete: &types.Delete{TableName: &name, Key: item{"pk": str("b")}}},
	}})
	require.NoError(t, err)

	list, err := c.ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &name})
	require.NoError(t, err)
	require.Len(t, list.Streams, 1)
	assert.Equal(t, arn, *list.Streams[0].StreamArn)
	d, err := c.DescribeStream(ctx, &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	require.NoError(t, err)
	assert.Equal(t, streams.StreamStatusEnabled, d.StreamDescription.StreamStatus)
	assert.Equal(t, name, *d.StreamDescription.TableName)
	assert.Equal(t, "pk", *d.StreamDescription.KeySchema[0].AttributeName)
	require.Len(t, d.StreamDescription.Shards, 1)
	records, open := readShard(t, c, arn, d.StreamDescription.Shards[0].ShardId)
	assert.True(t, open)
	var events []string
	for _, r := range records {
		events = append(events, fmt.Sprint(r.EventName, image(r.Dynamodb.Keys), image(r.Dynamodb.OldImage), image(r.Dynamodb.NewImage)))
		assert.Equal(t, "us-east-1", *r.AwsRegion)
		assert.Nil(t, r.UserIdentity)
	}
	assert.Equal(t, []string{
		"INSERT[a] [] [a 1]", "MODIFY[a] [a 1] [a 2]", "REMOVE[a] [a 2] []", "INSERT[b] [] [b]", "REMOVE[b] [b] []",
	}, events)

	// A deleted table's stream is read to its end.
	_, err = db.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &name})
	require.NoError(t, err)
	again, open := readShard(t, c, arn, d.StreamDescription.Shards[0].ShardId)
	assert.False(t, open)
	assert.Equal(t, records, again)
}

// image is an image in short: pk and v.
func image(it map[string]streams.AttributeValue) []string {
	out := []string{}
	for _, name := range []string{"pk", "v"} {
		switch v := it[name].(type) {
		case *streams.AttributeValueMemberS:
			out = append(out, v.Value)
		case *streams.AttributeValueMemberN:
			out = append(out, v.Value)
		}
	}
	return out
}

func TestStreamSpecification(t *testing.T) {
	ctx, name := t.Context(), "compat-stream-setting"
	_, err := db.CreateTable(ctx, tableInput(name, "pk:S"))
	require.NoError(t, err)
	set := func(spec types.StreamSpecification) error {
		_, err := db.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &name, StreamSpecification: &spec})
		return err
	}
	on := types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeKeysOnly}
	require.NoError(t, set(on))
	wantError(t, set(on), validation, "Table already has an enabled stream: TableName: "+name)
	require.NoError(t, set(types.StreamSpecification{StreamEnabled: aws.Bool(false)}))
	require.NoError(t, set(on))
	list, err := newStreams(shared.url).ListStreams(ctx, &dynamodbstreams.ListStreamsInput{TableName: &name})
	require.NoError(t, err)
	require.Len(t, list.Streams, 2, "the disabled one stays listed")
}

func TestStreamErrors(t *testing.T) {
	c := newStreams(shared.url)
	arn := "arn:aws:dynamodb:us-east-1:123456789012:table/none/stream/2026-01-01T00:00:00.000"
	_, err := c.DescribeStream(t.Context(), &dynamodbstreams.DescribeStreamInput{StreamArn: &arn})
	wantError(t, err, notFound, "Requested resource not found: Stream: "+arn+" not found")
	_, err = c.GetRecords(t.Context(), &dynamodbstreams.GetRecordsInput{ShardIterator: aws.String("x")})
	wantError(t, err, validation, "Invalid ShardIterator")
	status, body := raw(t, "DynamoDBStreams_20120810.DescribeStream", `{"StreamArn":"short"}`)
	assert.Equal(t, 400, status)
	assert.Contains(t, body, "at 'streamArn' failed to satisfy constraint: Member must have length greater than or equal to 37")
	// The operations of streams belong to their own target.
	status, body = raw(t, "DynamoDB_20120810.ListStreams", `{}`)
	assert.Equal(t, 400, status)
	assert.Contains(t, body, "UnknownOperationException")
}

// TestStreamWire: the JSON of a record, with times as whole seconds and identities as the model
// spells them.
func TestStreamWire(t *testing.T) {
	name := "compat-stream-wire"
	arn := streamed(t, name)
	put(t, name, item{"pk": str("a"), "gone": num("100")})
	call := func(operation, body string, into any) {
		status, answer := raw(t, "DynamoDBStreams_20120810."+operation, body)
		require.Equal(t, 200, status, answer)
		require.NoError(t, json.Unmarshal([]byte(answer), into))
	}
	var d struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	call("DescribeStream", `{"StreamArn":"`+arn+`"}`, &d)
	var it struct{ ShardIterator string }
	call("GetShardIterator", `{"StreamArn":"`+arn+`","ShardIteratorType":"TRIM_HORIZON","ShardId":"`+
		d.StreamDescription.Shards[0].ShardId+`"}`, &it)
	var page struct{ Records []map[string]json.RawMessage }
	call("GetRecords", `{"ShardIterator":"`+it.ShardIterator+`"}`, &page)
	require.Len(t, page.Records, 1)
	r := page.Records[0]
	assert.Equal(t, `"INSERT"`, string(r["eventName"]))
	assert.Equal(t, `"aws:dynamodb"`, string(r["eventSource"]))
	assert.NotContains(t, r, "userIdentity")
	var change map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(r["dynamodb"], &change))
	assert.Regexp(t, "^[0-9]{10}$", string(change["ApproximateCreationDateTime"]))
	assert.JSONEq(t, `{"pk":{"S":"a"}}`, string(change["Keys"]))
	assert.JSONEq(t, `{"pk":{"S":"a"},"gone":{"N":"100"}}`, string(change["NewImage"]))
	assert.NotContains(t, change, "OldImage")
	assert.Equal(t, `12`, string(change["SizeBytes"]), "3 of the key, 3 and 4+2 of the image")
}
