package compat

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestThrottling: the SDK knows the exception and its reasons, and by itself tries again until there is
// capacity. Without --throttle nothing is refused.
func TestThrottling(t *testing.T) {
	in := tableInput("slow", "pk:S")
	in.BillingMode = types.BillingModeProvisioned
	in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(1), WriteCapacityUnits: aws.Int64(1)}
	large := &dynamodb.PutItemInput{TableName: in.TableName, Item: with(hashKey(t), item{"x": str(string(make([]byte, 3000)))})}

	s := newServer(t, "--in-memory")
	once := s.as("any", "key", "")
	_, err := once.CreateTable(t.Context(), in)
	require.NoError(t, err)
	for range 20 {
		_, err = once.PutItem(t.Context(), large)
		require.NoError(t, err)
	}

	s = newServer(t, "--in-memory", "--throttle")
	once = s.as("any", "key", "")
	_, err = once.CreateTable(t.Context(), in)
	require.NoError(t, err)
	// Three units of one a second: what comes next has to wait for two seconds.
	_, err = once.PutItem(t.Context(), large)
	require.NoError(t, err)
	_, err = once.PutItem(t.Context(), large)
	var exceeded *types.ProvisionedThroughputExceededException
	require.True(t, errors.As(err, &exceeded), err)
	require.Len(t, exceeded.ThrottlingReasons, 1)
	assert.Equal(t, "TableWriteProvisionedThroughputExceeded", *exceeded.ThrottlingReasons[0].Reason)
	assert.Equal(t, "arn:aws:dynamodb:us-east-1:123456789012:table/slow", *exceeded.ThrottlingReasons[0].Resource)
	patient := s.as("any", "key", "", func(o *dynamodb.Options) {
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts = 20 })
	})
	_, err = patient.PutItem(t.Context(), large)
	require.NoError(t, err)
}
