package compat

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// front is an address that stays while the server behind it is another one, or none.
type front struct {
	url string
	to  atomic.Pointer[url.URL]
	// left counts down the calls of other servers; at zero the call waits until trip is done, and is lost.
	left atomic.Int64
	trip func()
	// step, a string, is that of the calls that are counted; unset or empty for all.
	step atomic.Value
}

// counts says whether a request is counted down.
func (f *front) counts(r *http.Request) bool {
	if !strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".Replicate") {
		return false
	}
	step, _ := f.step.Load().(string)
	if step == "" {
		return true
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return err == nil && bytes.Contains(body, []byte(`"Step":"`+step+`"`))
}

func newFront(t *testing.T) *front {
	f := &front{}
	proxy := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(f.to.Load()); r.Out.Host = r.In.Host },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.counts(r) && f.left.Add(-1) == 0 {
			f.trip()
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		if f.to.Load() == nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// coast is a server of one region that may die and come back.
type coast struct {
	*server
	front *front
	args  []string
	// signed: the client signs with a key of accessKeys.
	signed bool
}

func (c *coast) client() *dynamodb.Client {
	if c.signed {
		region := c.args[slices.Index(c.args, "--region")+1]
		return c.as("AKIAOWNER", "owner/secret+1", "", func(o *dynamodb.Options) { o.Region = region })
	}
	return c.server.client()
}

func (c *coast) start(t *testing.T) {
	t.Helper()
	c.server = newServer(t, c.args...)
	at, err := url.Parse(c.url)
	require.NoError(t, err)
	c.front.to.Store(at)
}

// newCoasts starts servers of two regions that know each other.
func newCoasts(t *testing.T, args ...string) (east, west *coast) {
	east, west = twoCoasts(t, args...)
	east.start(t)
	west.start(t)
	return east, west
}

// twoCoasts are those servers before they start.
func twoCoasts(t *testing.T, args ...string) (east, west *coast) {
	dir := t.TempDir()
	east, west = &coast{front: newFront(t)}, &coast{front: newFront(t)}
	east.args = []string{"--db", filepath.Join(dir, "east.keystone"), "--region", "us-east-1", "--replica", "us-west-2=" + west.front.url}
	west.args = []string{"--db", filepath.Join(dir, "west.keystone"), "--region", "us-west-2", "--replica", "us-east-1=" + east.front.url}
	east.args, west.args = append(east.args, args...), append(west.args, args...)
	return east, west
}

// signedCoasts are two servers that verify signatures and replicate with a key that may do everything.
func signedCoasts(t *testing.T) (east, west *coast) {
	path := filepath.Join(t.TempDir(), "keys.ini")
	require.NoError(t, os.WriteFile(path, []byte(accessKeys), 0o600))
	east, west = twoCoasts(t, "--credentials", path)
	east.signed, west.signed = true, true
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOWNER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "owner/secret+1")
	east.start(t)
	west.start(t)
	return east, west
}

// items are those of a table by their keys; nil when it cannot be read.
func (c *coast) items(t *testing.T, table string) map[string]string {
	out := map[string]string{}
	pages := dynamodb.NewScanPaginator(c.client(), &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			return nil
		}
		for _, item := range page.Items {
			out[item["pk"].(*types.AttributeValueMemberS).Value] = item["v"].(*types.AttributeValueMemberN).Value
		}
	}
	return out
}

func (c *coast) put(t *testing.T, table, key string, v int) {
	t.Helper()
	_, err := c.client().PutItem(t.Context(), &dynamodb.PutItemInput{TableName: &table, Item: map[string]types.AttributeValue{
		"pk": &types.AttributeValueMemberS{Value: key}, "v": &types.AttributeValueMemberN{Value: fmt.Sprint(v)},
	}})
	require.NoError(t, err)
}

// TestGlobalTable: a replica at another server is made, follows and is followed over kills of either, and parts
// (wire-facts §6.20).
func TestGlobalTable(t *testing.T) {
	east, west := newCoasts(t)
	table := "orders"
	_, err := east.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	for i := range 40 {
		east.put(t, table, fmt.Sprint("early", i), i)
	}
	update := func(c *coast, u types.ReplicationGroupUpdate) error {
		_, err := c.client().UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, ReplicaUpdates: []types.ReplicationGroupUpdate{u}})
		return err
	}
	create := types.ReplicationGroupUpdate{Create: &types.CreateReplicationGroupMemberAction{RegionName: aws.String("us-west-2")}}
	require.NoError(t, update(east, create))
	active := func() bool {
		d, err := east.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		return err == nil && len(d.Table.Replicas) == 1 && d.Table.Replicas[0].ReplicaStatus == types.ReplicaStatusActive
	}
	require.Eventually(t, active, waitMax, 10*time.Millisecond)
	require.Len(t, west.items(t, table), 40)

	// Writes on both sides, while first one and then the other dies.
	for i := range 20 {
		east.put(t, table, fmt.Sprint("east", i), i)
		west.put(t, table, fmt.Sprint("west", i), i)
	}
	west.kill()
	for i := range 20 {
		east.put(t, table, fmt.Sprint("alone", i), i)
	}
	west.start(t)
	west.put(t, table, "early0", 1000)
	equal := func() bool {
		a, b := east.items(t, table), west.items(t, table)
		return len(a) == 100 && assert.ObjectsAreEqual(a, b)
	}
	require.Eventually(t, equal, waitMax, 20*time.Millisecond)
	assert.Equal(t, "1000", east.items(t, table)["early0"])
	east.put(t, table, "early0", 2000)
	east.kill()
	west.put(t, table, "early1", 3000)
	east.start(t)
	require.Eventually(t, func() bool {
		return equal() && east.items(t, table)["early1"] == "3000" && west.items(t, table)["early0"] == "2000"
	}, waitMax, 20*time.Millisecond)

	// What is not there is not pretended.
	wants := func(err error, text string) {
		t.Helper()
		var e smithy.APIError
		require.ErrorAs(t, err, &e)
		assert.Equal(t, "ValidationException", e.ErrorCode())
		assert.ErrorContains(t, err, text)
	}
	wants(update(east, create), "already existed as tables")
	wants(update(east, types.ReplicationGroupUpdate{Create: &types.CreateReplicationGroupMemberAction{RegionName: aws.String("eu-west-1")}}),
		"Region eu-west-1 is not supported")
	_, err = east.client().CreateGlobalTable(t.Context(), &dynamodb.CreateGlobalTableInput{
		GlobalTableName: &table, ReplicationGroup: []types.Replica{{RegionName: aws.String("us-east-1")}},
	})
	wants(err, "already existed as tables")
	_, err = east.client().DescribeGlobalTable(t.Context(), &dynamodb.DescribeGlobalTableInput{GlobalTableName: &table})
	var none *types.GlobalTableNotFoundException
	require.ErrorAs(t, err, &none)

	// The replica goes.
	require.NoError(t, update(east, types.ReplicationGroupUpdate{Delete: &types.DeleteReplicationGroupMemberAction{RegionName: aws.String("us-west-2")}}))
	require.Eventually(t, func() bool {
		d, err := east.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		return err == nil && d.Table.Replicas == nil && d.Table.GlobalTableVersion == nil
	}, waitMax, 10*time.Millisecond)
	_, err = west.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	var gone *types.ResourceNotFoundException
	require.ErrorAs(t, err, &gone)
}

// TestGlobalTable2017: tables of two servers are linked, follow each other over a kill, and part (wire-facts §6.20).
func TestGlobalTable2017(t *testing.T) {
	east, west := newCoasts(t, "--strict-limits")
	table := "old"
	for _, c := range []*coast{east, west} {
		in := tableInput(table, "pk:S")
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: types.StreamViewTypeNewAndOldImages}
		_, err := c.client().CreateTable(t.Context(), in)
		require.NoError(t, err)
	}
	_, err := east.client().CreateGlobalTable(t.Context(), &dynamodb.CreateGlobalTableInput{
		GlobalTableName: &table, ReplicationGroup: []types.Replica{{RegionName: aws.String("eu-west-1")}, {RegionName: aws.String("us-east-1")}},
	})
	var noTable *types.TableNotFoundException
	require.ErrorAs(t, err, &noTable)
	made, err := east.client().CreateGlobalTable(t.Context(), &dynamodb.CreateGlobalTableInput{
		GlobalTableName: &table, ReplicationGroup: []types.Replica{{RegionName: aws.String("us-east-1")}, {RegionName: aws.String("us-west-2")}},
	})
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:dynamodb::123456789012:global-table/old", *made.GlobalTableDescription.GlobalTableArn)
	status := func(c *coast) types.GlobalTableStatus {
		d, err := c.client().DescribeGlobalTable(t.Context(), &dynamodb.DescribeGlobalTableInput{GlobalTableName: &table})
		if err != nil {
			return ""
		}
		return d.GlobalTableDescription.GlobalTableStatus
	}
	both := func() bool {
		return status(east) == types.GlobalTableStatusActive && status(west) == types.GlobalTableStatusActive
	}
	require.Eventually(t, both, waitMax, 10*time.Millisecond)
	east.put(t, table, "a", 1)
	west.kill()
	east.put(t, table, "b", 2)
	west.start(t)
	west.put(t, table, "c", 3)
	equal := func() bool {
		a, b := east.items(t, table), west.items(t, table)
		return len(a) == 3 && assert.ObjectsAreEqual(a, b)
	}
	require.Eventually(t, equal, waitMax, 20*time.Millisecond)
	list, err := west.client().ListGlobalTables(t.Context(), &dynamodb.ListGlobalTablesInput{RegionName: aws.String("us-east-1")})
	require.NoError(t, err)
	require.Len(t, list.GlobalTables, 1)
	assert.Len(t, list.GlobalTables[0].ReplicationGroup, 2)
	_, err = east.client().UpdateGlobalTableSettings(t.Context(), &dynamodb.UpdateGlobalTableSettingsInput{
		GlobalTableName: &table, GlobalTableBillingMode: types.BillingModeProvisioned, GlobalTableProvisionedWriteCapacityUnits: aws.Int64(7),
	})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := west.client().DescribeGlobalTableSettings(t.Context(), &dynamodb.DescribeGlobalTableSettingsInput{GlobalTableName: &table})
		return err == nil && aws.ToInt64(d.ReplicaSettings[0].ReplicaProvisionedWriteCapacityUnits) == 7
	}, waitMax, 10*time.Millisecond)
	scale := func(table string) (*dynamodb.UpdateTableReplicaAutoScalingOutput, error) {
		return east.client().UpdateTableReplicaAutoScaling(t.Context(), &dynamodb.UpdateTableReplicaAutoScalingInput{
			TableName: &table, ProvisionedWriteCapacityAutoScalingUpdate: &types.AutoScalingSettingsUpdate{MinimumUnits: aws.Int64(1), MaximumUnits: aws.Int64(9)},
		})
	}
	_, err = scale(table)
	require.NoError(t, err)
	scaled, err := west.client().DescribeTableReplicaAutoScaling(t.Context(), &dynamodb.DescribeTableReplicaAutoScalingInput{TableName: &table})
	require.NoError(t, err)
	assert.Len(t, scaled.TableAutoScalingDescription.Replicas, 2)
	globalRefusals(t, east.as("any", "key", ""), table)
	requireRefusals(t, []refusal{{"UpdateTableReplicaAutoScaling", func() error { return failing(scale("none")) }, notFound}})
	leave := func(c *coast, region string) error {
		_, err := c.client().UpdateGlobalTable(t.Context(), &dynamodb.UpdateGlobalTableInput{
			GlobalTableName: &table, ReplicaUpdates: []types.ReplicaUpdate{{Delete: &types.DeleteReplicaAction{RegionName: &region}}},
		})
		return err
	}
	require.Eventually(t, both, waitMax, 10*time.Millisecond)
	var none *types.ReplicaNotFoundException
	require.ErrorAs(t, leave(east, "eu-west-1"), &none)
	west.kill()
	require.NoError(t, leave(east, "us-west-2"))
	requireRefusals(t, []refusal{ // until it is there to be told
		{"UpdateGlobalTableSettings", func() error {
			return failing(east.client().UpdateGlobalTableSettings(t.Context(), &dynamodb.UpdateGlobalTableSettingsInput{
				GlobalTableName: &table, GlobalTableProvisionedWriteCapacityUnits: aws.Int64(8),
			}))
		}, inUse},
		{"UpdateTableReplicaAutoScaling", func() error { return failing(scale(table)) }, inUse},
	})
	west.start(t)
	require.Eventually(t, func() bool { return status(west) == "" }, waitMax, 10*time.Millisecond)
	assert.Len(t, west.items(t, table), 3)
}

// globalRefusals are what the operations of 2017 refuse of a table with replicas in both regions.
func globalRefusals(t *testing.T, c *dynamodb.Client, table string) {
	ctx, none := t.Context(), aws.String("none")
	here, there := types.Replica{RegionName: aws.String("us-east-1")}, types.Replica{RegionName: aws.String("us-west-2")}
	join := func(table *string, region string) error {
		return failing(c.UpdateGlobalTable(ctx, &dynamodb.UpdateGlobalTableInput{
			GlobalTableName: table, ReplicaUpdates: []types.ReplicaUpdate{{Create: &types.CreateReplicaAction{RegionName: &region}}},
		}))
	}
	settings := func(in dynamodb.UpdateGlobalTableSettingsInput) error {
		if in.GlobalTableName == nil {
			in.GlobalTableName = &table
		}
		return failing(c.UpdateGlobalTableSettings(ctx, &in))
	}
	requireRefusals(t, []refusal{
		{"CreateGlobalTable", func() error {
			return failing(c.CreateGlobalTable(ctx, &dynamodb.CreateGlobalTableInput{GlobalTableName: &table, ReplicationGroup: []types.Replica{here, there}}))
		}, "GlobalTableAlreadyExistsException"},
		{"UpdateGlobalTable", func() error { return join(none, "us-west-2") }, "GlobalTableNotFoundException"},
		{"UpdateGlobalTable", func() error { return join(&table, "us-west-2") }, "ReplicaAlreadyExistsException"},
		{"UpdateGlobalTable", func() error { return join(&table, "eu-west-1") }, "TableNotFoundException"},
		{"DescribeGlobalTableSettings", func() error {
			return failing(c.DescribeGlobalTableSettings(ctx, &dynamodb.DescribeGlobalTableSettingsInput{GlobalTableName: none}))
		}, "GlobalTableNotFoundException"},
		{"UpdateGlobalTableSettings", func() error {
			return settings(dynamodb.UpdateGlobalTableSettingsInput{GlobalTableName: none, GlobalTableProvisionedWriteCapacityUnits: aws.Int64(8)})
		}, "GlobalTableNotFoundException"},
		{"UpdateGlobalTableSettings", func() error {
			return settings(dynamodb.UpdateGlobalTableSettingsInput{ReplicaSettingsUpdate: []types.ReplicaSettingsUpdate{{RegionName: aws.String("eu-west-1")}}})
		}, "ReplicaNotFoundException"},
		{"UpdateGlobalTableSettings", func() error {
			return settings(dynamodb.UpdateGlobalTableSettingsInput{GlobalTableGlobalSecondaryIndexSettingsUpdate: []types.GlobalTableGlobalSecondaryIndexSettingsUpdate{{IndexName: none}}})
		}, "IndexNotFoundException"},
		{"UpdateGlobalTableSettings", func() error {
			return settings(dynamodb.UpdateGlobalTableSettingsInput{GlobalTableProvisionedWriteCapacityUnits: aws.Int64(40001)})
		}, "LimitExceededException"},
		{"DescribeTableReplicaAutoScaling", func() error {
			return failing(c.DescribeTableReplicaAutoScaling(ctx, &dynamodb.DescribeTableReplicaAutoScalingInput{TableName: none}))
		}, notFound},
	})
}
