package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// TestReplicaInAnotherAccount: a table whose mode says so has a replica in another account, which has its settings and
// its items, and sends what is written there.
func TestReplicaInAnotherAccount(t *testing.T) {
	g := &group{t: t, ways: map[[2]int]*away{}}
	for i, account := range []string{"111111111111", "222222222222"} {
		db, err := engine.Open("", engine.Options{InMemory: true, NoBackground: true, Region: regionOf(i), Account: account})
		require.NoError(t, err)
		t.Cleanup(func() { _ = db.Close() })
		g.dbs = append(g.dbs, db)
	}
	require.NoError(t, g.dbs[0].Connect(regionOf(1), g.dbs[1]))
	require.NoError(t, g.dbs[1].Connect(regionOf(0), g.dbs[0]))
	source := "arn:aws:dynamodb:" + regionOf(0) + ":111111111111:table/tab"
	create := func(arn string) (*api.CreateTableOutput, error) {
		return g.dbs[1].CreateTable(t.Context(), &api.CreateTableInput{
			TableName: api.Some("tab"), GlobalTableSourceArn: api.Some(arn), GlobalTableSettingsReplicationMode: api.Some("ENABLED"),
		})
	}
	_, err := create(source)
	require.Equal(t, api.ResourceNotFound, api.CodeOf(err))
	one := &group{t: t, dbs: g.dbs[:1]}
	one.indexed("tab")
	g.put(0, "tab", "a", 1)
	_, err = create(source)
	require.Equal(t, api.Validation, api.CodeOf(err), "the source does not say that it may have such replicas")
	g.update(0, &api.UpdateTableInput{GlobalTableSettingsReplicationMode: api.Some("ENABLED")})
	for _, arn := range []string{"arn", source + "s", "arn:aws:dynamodb:" + regionOf(0) + ":222222222222:table/tab", "arn:aws:dynamodb:eu-west-1:111111111111:table/tab"} {
		_, err = create(arn)
		require.Equal(t, api.Validation, api.CodeOf(err), arn)
	}
	require.Empty(t, g.describe(0, "tab").Replicas)
	out, err := create(source)
	require.NoError(t, err)
	require.Equal(t, "CREATING", out.TableDescription.TableStatus.Value)
	_, err = create(source)
	require.Equal(t, api.ResourceInUse, api.CodeOf(err))
	g.settle()
	g.put(1, "tab", "b", 2)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 2)
	require.Len(t, g.index(1, "tab"), 2)
	for i, arn := range []string{"arn:aws:dynamodb:" + regionOf(1) + ":222222222222:table/tab", source} {
		d := g.describe(i, "tab")
		require.Equal(t, "ACTIVE", d.TableStatus.Value)
		require.Equal(t, "ENABLED", d.GlobalTableSettingsReplicationMode.Value)
		require.Equal(t, arn, d.Replicas[0].ReplicaArn.Value)
		require.Equal(t, "ACTIVE", d.Replicas[0].ReplicaStatus.Value)
	}
}
