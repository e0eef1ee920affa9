package compat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const kinesisARN = "arn:aws:kinesis:us-east-1:123456789012:stream/"

// kinesis is a service that speaks as Kinesis does and has one data stream, "orders".
type kinesis struct {
	*httptest.Server
	mu   sync.Mutex
	data []string
	came chan struct{} // holds one call
}

func newKinesis(t *testing.T) *kinesis {
	k := &kinesis{came: make(chan struct{}, 1)}
	k.Server = httptest.NewServer(k)
	t.Cleanup(k.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "local")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "local")
	return k
}

func (k *kinesis) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		StreamName string
		Records    []struct {
			Data         []byte
			PartitionKey string
		}
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	switch operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Kinesis_20131202."); {
	case err != nil || in.StreamName != "orders":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"__type":"ResourceNotFoundException","message":"not found"}`))
	case operation == "DescribeStreamSummary":
		_, _ = w.Write([]byte(`{"StreamDescriptionSummary":{"StreamStatus":"ACTIVE"}}`))
	case operation == "PutRecords":
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, rec := range in.Records {
			k.data = append(k.data, string(rec.Data))
		}
		_, _ = fmt.Fprintf(w, `{"FailedRecordCount":0,"Records":[%s]}`, strings.TrimSuffix(strings.Repeat(`{"SequenceNumber":"1"},`, len(in.Records)), ","))
		select {
		case k.came <- struct{}{}:
		default:
		}
	}
}

// records waits for so many.
func (k *kinesis) records(t *testing.T, n int) []string {
	for {
		k.mu.Lock()
		data := k.data
		k.mu.Unlock()
		if len(data) >= n {
			return data
		}
		select {
		case <-k.came:
		case <-t.Context().Done():
			t.Fatal("no more records")
		}
	}
}

// TestKinesisDestination: the whole way of a destination with the SDK and its waiter.
func TestKinesisDestination(t *testing.T) {
	k := newKinesis(t)
	s, err := startServer("--in-memory", "--kinesis-endpoint-url", k.URL)
	require.NoError(t, err)
	t.Cleanup(s.kill)
	c, ctx, table, arn := s.client(), t.Context(), aws.String("orders"), aws.String(kinesisARN+"orders")
	_, err = c.CreateTable(ctx, tableInput(*table, "pk:S"))
	require.NoError(t, err)
	enabled, err := c.EnableKinesisStreamingDestination(ctx, &dynamodb.EnableKinesisStreamingDestinationInput{TableName: table, StreamArn: arn})
	require.NoError(t, err)
	assert.Equal(t, types.DestinationStatusEnabling, enabled.DestinationStatus)
	active := func() types.KinesisDataStreamDestination {
		out, err := dynamodb.NewKinesisStreamingDestinationActiveWaiter(c, func(o *dynamodb.KinesisStreamingDestinationActiveWaiterOptions) {
			o.MinDelay, o.MaxDelay = 10*time.Millisecond, 100*time.Millisecond
		}).WaitForOutput(ctx, &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: table}, waitMax)
		require.NoError(t, err)
		return out.KinesisDataStreamDestinations[0]
	}
	assert.Equal(t, types.KinesisDataStreamDestination{StreamArn: arn, DestinationStatus: types.DestinationStatusActive}, active())

	_, err = c.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item{"pk": str("a"), "v": num("1")}})
	require.NoError(t, err)
	_, err = c.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item{"pk": str("a"), "v": num("2")}})
	require.NoError(t, err)
	records := k.records(t, 2)
	assert.Contains(t, records[0], `"eventName":"INSERT","userIdentity":null,"recordFormat":"application/json","tableName":"orders"`)
	assert.Contains(t, records[1], `"Keys":{"pk":{"S":"a"}},"NewImage":{"pk":{"S":"a"},"v":{"N":"2"}},"OldImage":{"pk":{"S":"a"},"v":{"N":"1"}},"SizeBytes":`)
	assert.NotContains(t, records[1], "Precision")

	_, err = c.EnableKinesisStreamingDestination(ctx, &dynamodb.EnableKinesisStreamingDestinationInput{TableName: table, StreamArn: arn})
	wantError(t, err, validation, "Table is not in a valid state to enable Kinesis Streaming Destination: EnableKinesisStreamingDestination must be DISABLED or ENABLE_FAILED to perform ENABLE operation.")
	updated, err := c.UpdateKinesisStreamingDestination(ctx, &dynamodb.UpdateKinesisStreamingDestinationInput{
		TableName: table, StreamArn: arn, UpdateKinesisStreamingConfiguration: &types.UpdateKinesisStreamingConfiguration{
			ApproximateCreationDateTimePrecision: types.ApproximateCreationDateTimePrecisionMicrosecond,
		},
	})
	require.NoError(t, err)
	assert.Equal(t, types.DestinationStatusUpdating, updated.DestinationStatus)
	assert.Equal(t, types.ApproximateCreationDateTimePrecisionMicrosecond, active().ApproximateCreationDateTimePrecision)
	_, err = c.DeleteItem(ctx, &dynamodb.DeleteItemInput{TableName: table, Key: item{"pk": str("a")}})
	require.NoError(t, err)
	disabled, err := c.DisableKinesisStreamingDestination(ctx, &dynamodb.DisableKinesisStreamingDestinationInput{TableName: table, StreamArn: arn})
	require.NoError(t, err)
	assert.Equal(t, types.DestinationStatusDisabling, disabled.DestinationStatus)
	assert.Contains(t, k.records(t, 3)[2], `"ApproximateCreationDateTimePrecision":"MICROSECOND"},"eventSource":"aws:dynamodb"}`)
	require.Eventually(t, func() bool {
		out, err := c.DescribeKinesisStreamingDestination(ctx, &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: table})
		return err == nil && out.KinesisDataStreamDestinations[0].DestinationStatus == types.DestinationStatusDisabled
	}, waitMax, 10*time.Millisecond)
	_, err = c.DisableKinesisStreamingDestination(ctx, &dynamodb.DisableKinesisStreamingDestinationInput{TableName: table, StreamArn: arn})
	wantError(t, err, validation, "Table is not in a valid state to enable Kinesis Streaming Destination: KinesisStreamingDestination must be ACTIVE to perform DISABLE operation.")
	_, err = c.UpdateKinesisStreamingDestination(ctx, &dynamodb.UpdateKinesisStreamingDestinationInput{TableName: table, StreamArn: arn})
	wantError(t, err, validation, "Streaming destination cannot be updated with given parameters: UpdateKinesisStreamingConfiguration cannot be null or contain only null values")

	_, err = c.EnableKinesisStreamingDestination(ctx, &dynamodb.EnableKinesisStreamingDestinationInput{TableName: table, StreamArn: aws.String(kinesisARN + "no-such-stream")})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		out, err := c.DescribeKinesisStreamingDestination(ctx, &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: table})
		return err == nil && out.KinesisDataStreamDestinations[0].DestinationStatus == types.DestinationStatusEnableFailed &&
			aws.ToString(out.KinesisDataStreamDestinations[0].DestinationStatusDescription) == "User does not have a permission to use kinesis stream"
	}, waitMax, 10*time.Millisecond)
}

// TestKinesisWithoutConfiguration: a server that was given no data streams has none.
func TestKinesisWithoutConfiguration(t *testing.T) {
	table := aws.String(name(t))
	_, err := db.CreateTable(t.Context(), tableInput(*table, "pk:S"))
	require.NoError(t, err)
	_, err = db.EnableKinesisStreamingDestination(t.Context(), &dynamodb.EnableKinesisStreamingDestinationInput{TableName: table, StreamArn: aws.String(kinesisARN + "orders")})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		out, err := db.DescribeKinesisStreamingDestination(t.Context(), &dynamodb.DescribeKinesisStreamingDestinationInput{TableName: table})
		return err == nil && out.KinesisDataStreamDestinations[0].DestinationStatus == types.DestinationStatusEnableFailed
	}, waitMax, 10*time.Millisecond)
}
