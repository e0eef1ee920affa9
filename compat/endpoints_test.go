package compat

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"
)

// TestEndpointDiscovery: a client that asks where to send its requests sends them here.
func TestEndpointDiscovery(t *testing.T) {
	table, _ := newTable(t)
	c := newClient(shared.url, func(o *dynamodb.Options) {
		o.EndpointDiscovery.EnableEndpointDiscovery = aws.EndpointDiscoveryEnabled
		o.EndpointOptions.DisableHTTPS = true
	})
	for range 2 {
		_, err := c.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: item{"pk": str("a")}})
		require.NoError(t, err)
	}
	require.Equal(t, item{"pk": str("a")}, get(t, table, item{"pk": str("a")}))
}
