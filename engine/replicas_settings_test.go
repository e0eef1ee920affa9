package engine_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

func (g *group) describe(i int, table string) *api.TableDescription {
	g.t.Helper()
	d, err := g.dbs[i].DescribeTable(g.t.Context(), &api.DescribeTableInput{TableName: api.Some(table)})
	require.NoError(g.t, err)
	return d.Table
}

func (g *group) update(i int, in *api.UpdateTableInput) {
	g.t.Helper()
	in.TableName = api.Some("tab")
	_, err := g.dbs[i].UpdateTable(g.t.Context(), in)
	require.NoError(g.t, err)
}

func addIndex(name, attribute string) *api.UpdateTableInput {
	return &api.UpdateTableInput{
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some(attribute), AttributeType: api.Some("N")}},
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{{Create: &api.CreateGlobalSecondaryIndexAction{
			IndexName: api.Some(name), Projection: &api.Projection{ProjectionType: api.Some("ALL")},
			KeySchema: []api.KeySchemaElement{{AttributeName: api.Some(attribute), KeyType: api.Some("HASH")}},
		}}},
	}
}

// shows is what replicas have in common, as text.
func (g *group) shows(i int) string {
	d := g.describe(i, "tab")
	ttl, err := g.dbs[i].DescribeTimeToLive(g.t.Context(), &api.DescribeTimeToLiveInput{TableName: api.Some("tab")})
	require.NoError(g.t, err)
	var lines []string
	for _, ix := range d.GlobalSecondaryIndexes {
		lines = append(lines, fmt.Sprint(ix.IndexName.Value, ix.IndexStatus.Value, ix.KeySchema, ix.Projection.ProjectionType.Value, ix.ProvisionedThroughput.WriteCapacityUnits.Value))
	}
	for _, a := range d.AttributeDefinitions {
		lines = append(lines, fmt.Sprint(a.AttributeName.Value, a.AttributeType.Value))
	}
	slices.Sort(lines)
	class := ""
	if d.TableClassSummary != nil {
		class = d.TableClassSummary.TableClass.Value
	}
	return fmt.Sprint(lines, ttl.TimeToLiveDescription.AttributeName.Value, d.BillingModeSummary.BillingMode.Value,
		d.ProvisionedThroughput.WriteCapacityUnits.Value, class)
}

// TestSettingsMerge: settings that are changed in several regions at a time are all changed, and of two changes of one
// setting the later wins everywhere.
func TestSettingsMerge(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	g.indexed("tab")
	for i := range 9 {
		g.put(i%3, "tab", fmt.Sprint(i), i)
	}
	g.settle()
	g.update(0, addIndex("byW", "w"))
	g.update(1, addIndex("byX", "x"))
	g.update(2, &api.UpdateTableInput{TableClass: api.Some("STANDARD_INFREQUENT_ACCESS")})
	_, err := g.dbs[2].UpdateTimeToLive(t.Context(), &api.UpdateTimeToLiveInput{
		TableName:               api.Some("tab"),
		TimeToLiveSpecification: &api.TimeToLiveSpecification{AttributeName: api.Some("end"), Enabled: api.Some(true)},
	})
	require.NoError(t, err)
	g.settle()
	for i := range g.dbs {
		require.Equal(t, g.shows(0), g.shows(i), "region %d", i)
		require.Len(t, g.describe(i, "tab").GlobalSecondaryIndexes, 3)
	}
	require.Contains(t, g.shows(1), "end")
	require.Contains(t, g.shows(1), "INFREQUENT")

	// An index goes in one region and another one's comes; the mode changes in the third.
	g.update(0, &api.UpdateTableInput{GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
		{Delete: &api.DeleteGlobalSecondaryIndexAction{IndexName: api.Some("byV")}},
	}})
	g.update(1, addIndex("byY", "y"))
	units := &api.ProvisionedThroughput{ReadCapacityUnits: api.Some[int64](4), WriteCapacityUnits: api.Some[int64](6)}
	g.update(2, &api.UpdateTableInput{
		BillingMode: api.Some("PROVISIONED"), ProvisionedThroughput: units,
		GlobalSecondaryIndexUpdates: []api.GlobalSecondaryIndexUpdate{
			{Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: api.Some("byV"), ProvisionedThroughput: units}},
			{Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: api.Some("byW"), ProvisionedThroughput: units}},
			{Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: api.Some("byX"), ProvisionedThroughput: units}},
		},
	})
	g.settle()
	for i := range g.dbs {
		require.Equal(t, g.shows(0), g.shows(i), "region %d", i)
		d := g.describe(i, "tab")
		require.Equal(t, int64(6), d.ProvisionedThroughput.WriteCapacityUnits.Value)
		for _, ix := range d.GlobalSecondaryIndexes {
			require.Equal(t, int64(6), ix.ProvisionedThroughput.WriteCapacityUnits.Value)
		}
	}
	g.equal("tab")
}

// TestTheLaterSettingWins in all regions, whoever is told first.
func TestTheLaterSettingWins(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 3, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	g.table("tab")
	for round := range int64(4) {
		for i, units := range []int64{10 + round, 20 + round, 30 + round} {
			g.update(i, &api.UpdateTableInput{OnDemandThroughput: &api.OnDemandThroughput{MaxWriteRequestUnits: api.Some(units)}})
			ms.Add(1)
		}
		g.settle()
		for i := range g.dbs {
			require.Equal(t, g.describe(0, "tab").OnDemandThroughput, g.describe(i, "tab").OnDemandThroughput)
		}
	}
	require.Equal(t, int64(33), g.describe(0, "tab").OnDemandThroughput.MaxWriteRequestUnits.Value)
}

// TestAReplicaThatDies: what it told one of the others, and not all, all get; with settings.
func TestAReplicaThatDies(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 3, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	g.table("tab")
	g.ways[[2]int{0, 2}].gone.Store(true)
	g.put(0, "tab", "last", 1)
	g.update(0, &api.UpdateTableInput{TableClass: api.Some("STANDARD_INFREQUENT_ACCESS")})
	g.settle()
	require.Contains(t, g.all(1, "tab"), "last")
	require.NotContains(t, g.all(2, "tab"), "last")
	_, err := g.dbs[0].DeleteTable(t.Context(), &api.DeleteTableInput{TableName: api.Some("tab")})
	require.NoError(t, err)
	g.settle()
	ms.Add(time.Hour.Milliseconds()) // the third was not told, and asks now and then
	g.settle()
	require.Equal(t, g.all(1, "tab"), g.all(2, "tab"))
	require.Contains(t, g.all(2, "tab"), "last")
	require.Equal(t, g.shows(1), g.shows(2))
	require.Contains(t, g.shows(2), "INFREQUENT")
	require.Len(t, g.describe(2, "tab").Replicas, 1)
}
