package engine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// plain makes a table with a stream in one region.
func (g *group) plain(i int, name, hash string) {
	g.t.Helper()
	_, err := g.dbs[i].CreateTable(g.t.Context(), &api.CreateTableInput{
		TableName:             api.Some(name),
		ProvisionedThroughput: &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(int64(5 + i)), WriteCapacityUnits: api.Some[int64](5)},
		AttributeDefinitions:  []api.AttributeDefinition{{AttributeName: api.Some(hash), AttributeType: api.Some("S")}},
		KeySchema:             []api.KeySchemaElement{{AttributeName: api.Some(hash), KeyType: api.Some("HASH")}},
		StreamSpecification:   &api.StreamSpecification{StreamEnabled: api.Some(true), StreamViewType: api.Some("NEW_AND_OLD_IMAGES")},
	})
	require.NoError(g.t, err)
}

func regionGroup(regions ...int) (list []api.Replica) {
	for _, i := range regions {
		list = append(list, api.Replica{RegionName: api.Some(regionOf(i))})
	}
	return list
}

func (g *group) legacy(i int, name string) (status string, regions map[string]string) {
	g.t.Helper()
	out, err := g.dbs[i].DescribeGlobalTable(g.t.Context(), &api.DescribeGlobalTableInput{GlobalTableName: api.Some(name)})
	if api.CodeOf(err) == api.GlobalTableNotFound {
		return "", nil
	}
	require.NoError(g.t, err)
	regions = map[string]string{}
	for _, r := range out.GlobalTableDescription.ReplicationGroup {
		regions[r.RegionName.Value] = r.ReplicaStatus.Value
	}
	return out.GlobalTableDescription.GlobalTableStatus.Value, regions
}

func (g *group) updateGlobal(i int, name string, updates ...api.ReplicaUpdate) error {
	_, err := g.dbs[i].UpdateGlobalTable(g.t.Context(), &api.UpdateGlobalTableInput{GlobalTableName: api.Some(name), ReplicaUpdates: updates})
	return err
}

// TestGlobalTableOfTheOldVersion: tables that are there are linked, replicate both ways, take in another one, and
// part, each with what all wrote (wire-facts §6.20).
func TestGlobalTableOfTheOldVersion(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	for i := range g.dbs {
		g.plain(i, "tab", "id")
	}
	_, err := g.dbs[0].CreateGlobalTable(t.Context(), &api.CreateGlobalTableInput{
		GlobalTableName: api.Some("tab"), ReplicationGroup: regionGroup(1, 0),
	})
	require.NoError(t, err)
	status, _ := g.legacy(0, "tab")
	require.Equal(t, "CREATING", status)
	g.put(0, "tab", "early", 1)
	g.settle()
	active := map[string]string{regionOf(0): "ACTIVE", regionOf(1): "ACTIVE"}
	for i := range 2 {
		status, regions := g.legacy(i, "tab")
		require.Equal(t, "ACTIVE", status)
		require.Equal(t, active, regions)
	}
	g.put(1, "tab", "there", 2)
	g.settle()
	require.Len(t, g.all(0, "tab"), 2)
	require.Equal(t, g.all(0, "tab"), g.all(1, "tab"))

	create := api.ReplicaUpdate{Create: &api.CreateReplicaAction{RegionName: api.Some(regionOf(2))}}
	g.put(2, "tab", "not empty", 3)
	require.Equal(t, api.Validation, api.CodeOf(g.updateGlobal(1, "tab", create)))
	_, err = g.dbs[2].DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	g.settle()
	require.Equal(t, api.TableNotFound, api.CodeOf(g.updateGlobal(1, "tab", create)))
	g.plain(2, "tab", "other")
	require.Equal(t, api.Validation, api.CodeOf(g.updateGlobal(1, "tab", create)))
	_, err = g.dbs[2].DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	g.plain(2, "tab", "id")
	require.NoError(t, g.updateGlobal(1, "tab", create))
	require.Equal(t, api.ReplicaAlreadyExists, api.CodeOf(g.updateGlobal(0, "tab", api.ReplicaUpdate{
		Create: &api.CreateReplicaAction{RegionName: api.Some(regionOf(1))},
	})))
	g.settle()
	g.put(2, "tab", "third", 3)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 3)

	// Both keep what all wrote when one leaves, at whichever side that is asked for.
	g.put(0, "tab", "late", 4)
	g.put(2, "tab", "last", 5)
	require.NoError(t, g.updateGlobal(0, "tab", api.ReplicaUpdate{Delete: &api.DeleteReplicaAction{RegionName: api.Some(regionOf(2))}}))
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(2, "tab"), 5)
	status, _ = g.legacy(2, "tab")
	require.Empty(t, status)
	_, regions := g.legacy(1, "tab")
	require.Equal(t, active, regions)
	require.Equal(t, api.ReplicaNotFound, api.CodeOf(g.updateGlobal(0, "tab", api.ReplicaUpdate{
		Delete: &api.DeleteReplicaAction{RegionName: api.Some(regionOf(2))},
	})))
	require.NoError(t, g.updateGlobal(0, "tab", api.ReplicaUpdate{Delete: &api.DeleteReplicaAction{RegionName: api.Some(regionOf(0))}}))
	g.settle()
	status, _ = g.legacy(0, "tab")
	require.Empty(t, status)
	_, regions = g.legacy(1, "tab")
	require.Equal(t, map[string]string{regionOf(1): "ACTIVE"}, regions, "one alone still is one")
	require.NoError(t, g.updateGlobal(1, "tab", api.ReplicaUpdate{Delete: &api.DeleteReplicaAction{RegionName: api.Some(regionOf(1))}}))
	status, _ = g.legacy(1, "tab")
	require.Empty(t, status)
}

// TestLinkedTablesAreChecked: what is wrong with one of the tables is an error, also when it comes about while they
// are linked, and then nothing of it stays.
func TestLinkedTablesAreChecked(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	create := func(regions ...int) error {
		_, err := g.dbs[0].CreateGlobalTable(t.Context(), &api.CreateGlobalTableInput{
			GlobalTableName: api.Some("tab"), ReplicationGroup: regionGroup(regions...),
		})
		return err
	}
	require.Equal(t, api.TableNotFound, api.CodeOf(create(0, 1)))
	g.plain(0, "tab", "id")
	require.Equal(t, api.TableNotFound, api.CodeOf(create(0, 1)))
	require.Equal(t, api.TableNotFound, api.CodeOf(create(0, 9)))
	g.plain(1, "tab", "id")
	require.Equal(t, api.Validation, api.CodeOf(create(1)), "without the region that is asked")
	require.Equal(t, api.Validation, api.CodeOf(create(0, 1, 1)))
	require.NoError(t, create(0, 1))
	require.Equal(t, api.GlobalTableAlreadyExists, api.CodeOf(create(0, 1)))
	_, err := g.dbs[0].UpdateTable(t.Context(), createIn("tab", regionOf(2)))
	require.Equal(t, api.Validation, api.CodeOf(err))
	g.put(1, "tab", "meanwhile", 1)
	g.settle()
	_, regions := g.legacy(0, "tab")
	require.Equal(t, map[string]string{regionOf(0): "ACTIVE"}, regions)
	status, _ := g.legacy(1, "tab")
	require.Empty(t, status)
	require.Empty(t, g.all(0, "tab"))
	require.Len(t, g.all(1, "tab"), 1)
}

// TestGlobalTableSettings: write capacity is set in all replicas, read capacity in one; indexes and times to live are
// each replica's own.
func TestGlobalTableSettings(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	g.plain(0, "tab", "id")
	g.plain(1, "tab", "id")
	_, err := g.dbs[0].CreateGlobalTable(t.Context(), &api.CreateGlobalTableInput{
		GlobalTableName: api.Some("tab"), ReplicationGroup: regionGroup(0, 1),
	})
	require.NoError(t, err)
	g.settle()
	read := func(i int) map[string]string {
		out, err := g.dbs[i].DescribeGlobalTableSettings(t.Context(), &api.DescribeGlobalTableSettingsInput{GlobalTableName: api.Some("tab")})
		require.NoError(t, err)
		units := map[string]string{}
		for _, r := range out.ReplicaSettings {
			units[r.RegionName.Value] = fmt.Sprint(r.ReplicaProvisionedReadCapacityUnits.Value, r.ReplicaProvisionedWriteCapacityUnits.Value,
				r.ReplicaProvisionedWriteCapacityAutoScalingSettings.MaximumUnits.Value)
		}
		return units
	}
	require.Equal(t, map[string]string{regionOf(0): "5 5 0", regionOf(1): "6 5 0"}, read(0))
	_, err = g.dbs[0].UpdateGlobalTableSettings(t.Context(), &api.UpdateGlobalTableSettingsInput{
		GlobalTableName: api.Some("tab"), GlobalTableProvisionedWriteCapacityUnits: api.Some[int64](9),
		GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate: &api.AutoScalingSettingsUpdate{
			MinimumUnits: api.Some[int64](1), MaximumUnits: api.Some[int64](77),
		},
		ReplicaSettingsUpdate: []api.ReplicaSettingsUpdate{{RegionName: api.Some(regionOf(1)), ReplicaProvisionedReadCapacityUnits: api.Some[int64](8)}},
	})
	require.NoError(t, err)
	_, err = g.dbs[1].UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
		TableName:               api.Some("tab"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: api.Some("end"), Enabled: api.Some(true)},
	})
	require.NoError(t, err)
	g.settle()
	for i := range g.dbs {
		require.Equal(t, map[string]string{regionOf(0): "5 9 77", regionOf(1): "8 9 77"}, read(i))
	}
	d, err := g.dbs[1].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	require.Equal(t, int64(8), d.Table.ProvisionedThroughput.ReadCapacityUnits.Value)
	require.Equal(t, int64(9), d.Table.ProvisionedThroughput.WriteCapacityUnits.Value)
	require.Equal(t, "2017.11.29", d.Table.GlobalTableVersion.Value)
	require.Empty(t, d.Table.Replicas)
	ttl, err := g.dbs[0].DescribeTimeToLive(t.Context(), &api.DescribeTimeToLiveInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	require.Equal(t, "DISABLED", ttl.TimeToLiveDescription.TimeToLiveStatus.Value)
}
