package compat

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"
)

// TestStrictLimits: with the flag a second change of time to live has to wait, without it none has.
func TestStrictLimits(t *testing.T) {
	for _, flags := range [][]string{{"--in-memory"}, {"--in-memory", "--strict-limits"}} {
		c := newServer(t, flags...).client()
		_, err := c.CreateTable(t.Context(), tableInput("paced", "pk:S"))
		require.NoError(t, err)
		set := func(on bool) error {
			_, err := c.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
				TableName: aws.String("paced"), TimeToLiveSpecification: &types.TimeToLiveSpecification{
					AttributeName: aws.String("ttl"), Enabled: aws.Bool(on),
				},
			})
			return err
		}
		require.NoError(t, set(true))
		if len(flags) == 1 {
			require.NoError(t, set(false))
			continue
		}
		require.ErrorContains(t, set(false), "Time to live has been modified multiple times within a fixed interval")
	}
}
