package compat

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fillItems are some megabytes, so that a replica is not filled at once.
const fillItems = 300

// makeReplica makes a table of some megabytes in the east, and a replica of it.
func (c *coast) makeReplica(t *testing.T, table string) {
	t.Helper()
	_, err := c.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	long := strings.Repeat("x", 20_000)
	for i := 0; i < fillItems; i += 25 {
		var puts []types.WriteRequest
		for k := range 25 {
			puts = append(puts, putRequest(map[string]types.AttributeValue{
				"pk": &types.AttributeValueMemberS{Value: fmt.Sprint(i + k)}, "v": &types.AttributeValueMemberN{Value: fmt.Sprint(i)},
				"long": &types.AttributeValueMemberS{Value: long},
			}))
		}
		_, err := c.client().BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: puts}})
		require.NoError(t, err)
	}
	c.addReplica(t, table, "us-west-2")
}

func (c *coast) addReplica(t *testing.T, table, region string) {
	t.Helper()
	_, err := c.client().UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, ReplicaUpdates: []types.ReplicationGroupUpdate{
		{Create: &types.CreateReplicationGroupMemberAction{RegionName: &region}},
	}})
	require.NoError(t, err)
}

// TestReplicaIsFilledOverKills: either side dies while a new replica is filled; it goes on, and nobody has lost a write.
func TestReplicaIsFilledOverKills(t *testing.T) {
	east, west := newCoasts(t)
	table := "filled"
	// killing makes the n-th call to the west from now on kill a server.
	killing := func(c *coast, n int64) (killed <-chan struct{}) {
		done := make(chan struct{})
		west.front.trip = func() {
			c.kill()
			close(done)
		}
		west.front.left.Store(n)
		return done
	}
	killed := killing(west, 5) // describe, greet, create, and then items
	east.makeReplica(t, table)
	<-killed
	killed = killing(east, 3)
	west.start(t)
	<-killed
	d, err := west.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	require.NoError(t, err)
	assert.Equal(t, types.TableStatusCreating, d.Table.TableStatus, "half a replica is none")
	east.start(t)
	active := func() bool {
		d, err := east.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		return err == nil && len(d.Table.Replicas) == 1 && d.Table.Replicas[0].ReplicaStatus == types.ReplicaStatusActive
	}
	require.Eventually(t, active, waitMax, 20*time.Millisecond)
	west.put(t, table, "west", 1)
	east.put(t, table, "east", 2)
	require.Eventually(t, func() bool {
		a, b := east.items(t, table), west.items(t, table)
		return len(a) == fillItems+2 && assert.ObjectsAreEqual(a, b)
	}, waitMax, 20*time.Millisecond)
}

// TestHalfAReplicaWhoseSourceWentBack: a source that is opened from a copy of before, when its replica is half filled, does
// not know of it. Half a replica is not read, and can be deleted.
func TestHalfAReplicaWhoseSourceWentBack(t *testing.T) {
	east, west := newCoasts(t)
	file, table := east.args[1], "half"
	east.kill()
	before, err := os.ReadFile(file)
	require.NoError(t, err)
	east.start(t)
	dead := make(chan bool)
	west.front.trip = func() {
		east.kill()
		close(dead)
	}
	west.front.left.Store(5) // describe, greet, create, and then items
	east.makeReplica(t, table)
	<-dead
	for _, name := range []string{file + ".wal", file + "-wal"} {
		_ = os.Remove(name)
	}
	require.NoError(t, os.WriteFile(file, before, 0o600))
	east.start(t)
	assert.Nil(t, west.items(t, table), "half a replica is none")
	_, err = west.client().DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table})
	var gone *types.ResourceNotFoundException
	if !errors.As(err, &gone) { // or it has noticed
		require.NoError(t, err)
	}
	east.makeReplica(t, table)
	require.Eventually(t, func() bool { return len(west.items(t, table)) == fillItems }, waitMax, 20*time.Millisecond)
}

// TestReplicaIsRemovedOverKills: either side dies while a replica is removed; it goes, and can be made again.
func TestReplicaIsRemovedOverKills(t *testing.T) {
	east, west := newCoasts(t)
	table := "removed"
	_, err := east.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	east.put(t, table, "a", 1)
	for _, dies := range []*coast{west, east} {
		east.addReplica(t, table, "us-west-2")
		require.Eventually(t, func() bool { return len(west.items(t, table)) == 1 }, waitMax, 20*time.Millisecond)
		dead := make(chan bool)
		west.front.trip = func() {
			dies.kill()
			close(dead)
		}
		west.front.step.Store("delete")
		west.front.left.Store(1)
		_, err := east.client().UpdateTable(t.Context(), &dynamodb.UpdateTableInput{TableName: &table, ReplicaUpdates: []types.ReplicationGroupUpdate{
			{Delete: &types.DeleteReplicationGroupMemberAction{RegionName: aws.String("us-west-2")}},
		}})
		require.NoError(t, err)
		<-dead
		dies.start(t)
		require.Eventually(t, func() bool {
			d, err := east.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
			return err == nil && len(d.Table.Replicas) == 0
		}, waitMax, 20*time.Millisecond)
		_, err = west.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		var gone *types.ResourceNotFoundException
		require.ErrorAs(t, err, &gone)
		assert.Len(t, east.items(t, table), 1)
	}
}

// TestSignedReplicas: servers that verify signatures replicate with a key that may do everything, and with no other.
func TestSignedReplicas(t *testing.T) {
	east, west := signedCoasts(t)
	table := "Orders"
	_, err := east.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
	require.NoError(t, err)
	east.put(t, table, "a", 1)
	east.addReplica(t, table, "us-west-2")
	arrives := func(c *coast, key string) {
		t.Helper()
		require.Eventually(t, func() bool { return c.items(t, table)[key] != "" }, waitMax, 20*time.Millisecond)
	}
	arrives(west, "a")
	west.put(t, table, "b", 2)
	arrives(east, "b")

	// A key that is bound to the very table may not.
	west.kill()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIACLERK")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "clerk-secret")
	west.start(t)
	west.put(t, table, "c", 3)
	east.put(t, table, "d", 4)
	arrives(west, "d")
	assert.Empty(t, east.items(t, table)["c"])
	in := &dynamodb.UpdateTableInput{TableName: aws.String("Old-1"), ReplicaUpdates: []types.ReplicationGroupUpdate{
		{Create: &types.CreateReplicationGroupMemberAction{RegionName: aws.String("us-east-1")}},
	}}
	_, err = west.client().CreateTable(t.Context(), tableInput("Old-1", "pk:S"))
	require.NoError(t, err)
	_, err = west.client().UpdateTable(t.Context(), in)
	require.ErrorContains(t, err, "Region us-east-1 cannot be reached now")
	west.kill()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOWNER")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "owner/secret+1")
	west.start(t)
	arrives(east, "c")
}

// TestReplicasOfRubbish: what stands behind --replica may be anything.
func TestReplicasOfRubbish(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"rubbish":         func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"an empty object": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) },
		"null":            func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("null")) },
		"nothing":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"an error":        func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) },
		"a list":          func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[1]`)) },
		"another version": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"__type":"com.amazon.coral.validate#ValidationException","message":"Replication: version 1, this database has 9"}`))
		},
	}
	for what, answer := range answers {
		t.Run(what, func(t *testing.T) {
			other := httptest.NewServer(answer)
			defer other.Close()
			s := newServer(t, "--in-memory", "--region", "us-east-1", "--replica", "us-west-2="+other.URL)
			table := "tab"
			_, err := s.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
			require.NoError(t, err)
			for _, region := range []string{"us-west-2", "us-east-1", "eu-west-1"} {
				_, err = newClient(s.url, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
					TableName: &table, ReplicaUpdates: []types.ReplicationGroupUpdate{{Create: &types.CreateReplicationGroupMemberAction{RegionName: &region}}},
				})
				require.Error(t, err)
			}
			d, err := s.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
			require.NoError(t, err)
			assert.Empty(t, d.Table.Replicas, "nothing is half done")
		})
	}
	t.Run("itself", func(t *testing.T) {
		f := newFront(t)
		c := &coast{front: f, args: []string{"--in-memory", "--region", "us-east-1", "--replica", "us-west-2=" + f.url}}
		c.start(t)
		table := "tab"
		_, err := c.client().CreateTable(t.Context(), tableInput(table, "pk:S"))
		require.NoError(t, err)
		region := "us-west-2"
		_, err = newClient(c.url, func(o *dynamodb.Options) { o.Retryer = aws.NopRetryer{} }).UpdateTable(t.Context(), &dynamodb.UpdateTableInput{
			TableName: &table, ReplicaUpdates: []types.ReplicationGroupUpdate{{Create: &types.CreateReplicationGroupMemberAction{RegionName: &region}}},
		})
		require.Error(t, err)
		d, err := c.client().DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
		require.NoError(t, err)
		assert.Empty(t, d.Table.Replicas)
	})
}
