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
	table := func(name string) *dynamodb.CreateTableInput {
		in := tableInput(name, "pk:S")
		in.BillingMode = types.BillingModeProvisioned
		in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: aws.Int64(1), WriteCapacityUnits: aws.Int64(1)}
		return in
	}
	put := func(c *dynamodb.Client, name string, bytes int) error {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{
			TableName: &name, Item: with(hashKey(t), item{"x": str(string(make([]byte, bytes)))}),
		})
		return err
	}
	s := newServer(t, "--in-memory")
	once := s.as("any", "key", "")
	_, err := once.CreateTable(t.Context(), table("slow"))
	require.NoError(t, err)
	for range 20 {
		require.NoError(t, put(once, "slow", 3000))
	}

	s = newServer(t, "--in-memory", "--throttle")
	once = s.as("any", "key", "")
	for _, name := range []string{"slow", "soon"} {
		_, err = once.CreateTable(t.Context(), table(name))
		require.NoError(t, err)
	}
	// 391 units of one a second: what comes next would have to wait for more than six minutes.
	require.NoError(t, put(once, "slow", 390<<10))
	err = put(once, "slow", 0)
	var exceeded *types.ProvisionedThroughputExceededException
	require.True(t, errors.As(err, &exceeded), err)
	require.Len(t, exceeded.ThrottlingReasons, 1)
	assert.Equal(t, "TableWriteProvisionedThroughputExceeded", *exceeded.ThrottlingReasons[0].Reason)
	assert.Equal(t, "arn:aws:dynamodb:us-east-1:123456789012:table/slow", *exceeded.ThrottlingReasons[0].Resource)
	patient := s.as("any", "key", "", func(o *dynamodb.Options) {
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts = 20 })
	})
	require.NoError(t, put(patient, "soon", 2000)) // two units
	require.NoError(t, put(patient, "soon", 2000), "a second later there is capacity")
}
