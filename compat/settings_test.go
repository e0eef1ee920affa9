package compat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newTable(t *testing.T) (table, arn string) {
	t.Helper()
	table = name(t)
	out, err := db.CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	return table, *out.TableDescription.TableArn
}

func TestTags(t *testing.T) {
	_, arn := newTable(t)
	tag := func(k, v string) types.Tag { return types.Tag{Key: &k, Value: &v} }
	_, err := db.TagResource(t.Context(), &dynamodb.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{tag("a", "1"), tag("b", "2")}})
	require.NoError(t, err)
	_, err = db.TagResource(t.Context(), &dynamodb.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{tag("a", "3")}})
	require.NoError(t, err)
	_, err = db.UntagResource(t.Context(), &dynamodb.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"b", "unknown"}})
	require.NoError(t, err)
	out, err := db.ListTagsOfResource(t.Context(), &dynamodb.ListTagsOfResourceInput{ResourceArn: &arn})
	require.NoError(t, err)
	assert.Equal(t, []types.Tag{tag("a", "3")}, out.Tags)

	_, err = db.TagResource(t.Context(), &dynamodb.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{}})
	wantError(t, err, validation, "Atleast one Tag needs to be provided as Input.")
	gone := arn + "x"
	_, err = db.ListTagsOfResource(t.Context(), &dynamodb.ListTagsOfResourceInput{ResourceArn: &gone})
	wantError(t, err, notFound, "Requested resource not found: ResourcArn: "+gone+" not found")
}

func TestTimeToLive(t *testing.T) {
	table, _ := newTable(t)
	set := func(attribute string, enabled bool) error {
		_, err := db.UpdateTimeToLive(t.Context(), &dynamodb.UpdateTimeToLiveInput{
			TableName: &table, TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: &attribute, Enabled: &enabled},
		})
		return err
	}
	describe := func() *types.TimeToLiveDescription {
		out, err := db.DescribeTimeToLive(t.Context(), &dynamodb.DescribeTimeToLiveInput{TableName: &table})
		require.NoError(t, err)
		return out.TimeToLiveDescription
	}
	assert.Equal(t, types.TimeToLiveStatusDisabled, describe().TimeToLiveStatus)
	wantError(t, set("ttl", false), validation, "TimeToLive is already disabled")
	require.NoError(t, set("ttl", true))
	assert.Equal(t, types.TimeToLiveStatusEnabled, describe().TimeToLiveStatus)
	assert.Equal(t, "ttl", *describe().AttributeName)
	wantError(t, set("ttl", true), validation, "TimeToLive is already enabled")
	wantError(t, set("other", true), validation, "TimeToLive is active on a different AttributeName: current AttributeName is ttl")

	// From its expiry on an item is gone for reads and writes alike; other types and times do not count.
	now := time.Now().Unix()
	for label, tt := range map[string]struct {
		ttl  types.AttributeValue
		gone bool
	}{
		"past":            {num(fmt.Sprint(now - 10)), true},
		"future":          {num(fmt.Sprint(now + 1000)), false},
		"over five":       {num(fmt.Sprint(now - 6*366*24*3600)), false},
		"a string":        {str(fmt.Sprint(now - 10)), false},
		"no ttl at all":   {null(), false},
		"within the five": {num(fmt.Sprint(now - 4*365*24*3600)), true},
	} {
		key := item{"pk": str(label)}
		put(t, table, with(key, item{"ttl": tt.ttl}))
		assert.Equal(t, tt.gone, get(t, table, key) == nil, label)
		_, err := db.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: key, ConditionExpression: aws.String("attribute_not_exists(pk)")})
		assert.Equal(t, tt.gone, err == nil, label)
	}
}

func TestLimitsAndEndpoints(t *testing.T) {
	limits, err := db.DescribeLimits(t.Context(), &dynamodb.DescribeLimitsInput{})
	require.NoError(t, err)
	// Wire-facts §6.24.
	assert.Equal(t, []int64{80000, 80000, 40000, 40000}, []int64{*limits.AccountMaxReadCapacityUnits,
		*limits.AccountMaxWriteCapacityUnits, *limits.TableMaxReadCapacityUnits, *limits.TableMaxWriteCapacityUnits})
	endpoints, err := db.DescribeEndpoints(t.Context(), &dynamodb.DescribeEndpointsInput{})
	require.NoError(t, err)
	require.Len(t, endpoints.Endpoints, 1)
	assert.Equal(t, strings.TrimPrefix(shared.url, "http://"), *endpoints.Endpoints[0].Address)
	assert.Equal(t, int64(1440), endpoints.Endpoints[0].CachePeriodInMinutes)
}

// TestRegionAndAccount: ARNs carry the server's flags, whatever the client signs with; one database
// serves all regions and keys.
func TestRegionAndAccount(t *testing.T) {
	s := newServer(t, "--db", filepath.Join(t.TempDir(), "r.keystone"), "--region", "eu-central-1", "--account", "000000000042")
	out, err := s.client().CreateTable(t.Context(), tableInput("placed", "pk:S"))
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:dynamodb:eu-central-1:000000000042:table/placed", *out.TableDescription.TableArn)
	other := newClient(s.url, func(o *dynamodb.Options) { o.Region = "ap-south-1" })
	_, err = other.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String("placed")})
	require.NoError(t, err)
}
