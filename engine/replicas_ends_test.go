package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// without is a way to a replica on which one step never arrives.
type without struct {
	api.Replicator
	step atomic.Pointer[string]
}

func (w *without) not(step string) { w.step.Store(&step) }

func (w *without) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	if step := w.step.Load(); step != nil && *step == in.Step {
		return nil, errAway
	}
	return w.Replicator.Replicate(ctx, in)
}

// halfMade is a group of two with a table whose replica in the second region has all items and is not ACTIVE yet. The
// first database has a checkpoint "before" of then without the replica.
func halfMade(t *testing.T, ms *atomic.Int64) (*group, *without) {
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 2, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	all := g.dbs
	g.dbs = all[:1]
	g.table("tab")
	g.dbs = all
	g.put(0, "tab", "a", 1)
	require.NoError(t, g.dbs[0].Checkpoint("before"))
	way := &without{Replicator: g.dbs[1]}
	way.not(api.ReplicateActivate)
	require.NoError(t, g.dbs[0].Connect(regionOf(1), way))
	g.replica(0, 1, "tab")
	require.Equal(t, "CREATING", g.describe(1, "tab").TableStatus.Value)
	return g, way
}

// noTable says that a table cannot be read, and whether it is there.
func (g *group) noTable(i int, table string, there bool) {
	g.t.Helper()
	_, err := g.dbs[i].Scan(g.t.Context(), &api.ScanInput{TableName: api.Some(table)})
	require.Equal(g.t, api.ResourceNotFound, api.CodeOf(err))
	_, err = g.dbs[i].DescribeTable(g.t.Context(), &api.DescribeTableInput{TableName: api.Some(table)})
	require.Equal(g.t, there, err == nil, "%v", err)
}

func (g *group) drop(i int, table string) error {
	_, err := g.dbs[i].DeleteTable(g.t.Context(), &api.DeleteTableInput{TableName: api.Some(table)})
	return err
}

// TestAReplicaWhoseSourceForgotIt goes within a minute, since nobody will ever fill it, and another one can be made.
func TestAReplicaWhoseSourceForgotIt(t *testing.T) {
	for what, forget := range map[string]func(*testing.T, *group){
		"reset": func(t *testing.T, g *group) { require.NoError(t, g.dbs[0].Reset("before")) },
		"to nothing, and made again": func(t *testing.T, g *group) {
			require.NoError(t, g.dbs[0].Reset(""))
			all := g.dbs
			g.dbs = all[:1]
			g.table("tab")
			g.dbs = all
			g.put(0, "tab", "a", 1)
		},
	} {
		t.Run(what, func(t *testing.T) {
			var ms atomic.Int64
			g, way := halfMade(t, &ms)
			forget(t, g)
			g.noTable(1, "tab", true)
			require.Equal(t, "CREATING", g.describe(1, "tab").TableStatus.Value)
			ms.Add(time.Minute.Milliseconds())
			g.settle()
			g.noTable(1, "tab", false)
			way.not("")
			g.replica(0, 1, "tab")
			g.equal("tab")
			require.Len(t, g.all(1, "tab"), 1)
		})
	}
}

// TestAReplicaWithoutASource is DELETING when somebody wants so; not while it is being filled.
func TestAReplicaWithoutASource(t *testing.T) {
	var ms atomic.Int64
	g, way := halfMade(t, &ms)
	require.Equal(t, api.ResourceInUse, api.CodeOf(g.drop(1, "tab")))
	require.Equal(t, api.ResourceInUse, api.CodeOf(g.drop(0, "tab")))
	g.ways[[2]int{1, 0}].gone.Store(true)
	require.NoError(t, g.drop(1, "tab"))
	g.noTable(1, "tab", false)
	g.ways[[2]int{1, 0}].gone.Store(false)
	way.not("")
	g.settle()
	failed := g.describe(0, "tab").Replicas
	require.Len(t, failed, 1)
	require.Equal(t, "CREATION_FAILED", failed[0].ReplicaStatus.Value)
	require.NotEmpty(t, failed[0].ReplicaStatusDescription.Value)

	// What failed is removed and made again, as in the service.
	_, err := g.dbs[0].UpdateTable(t.Context(), createIn("tab", regionOf(1)))
	require.Equal(t, api.Validation, api.CodeOf(err))
	g.put(0, "tab", "b", 2)
	g.settle()
	_, err = g.dbs[0].UpdateTable(t.Context(), &api.UpdateTableInput{TableName: api.Some("tab"), ReplicaUpdates: []api.ReplicationGroupUpdate{
		{Delete: &api.DeleteReplicationGroupMemberAction{RegionName: api.Some(regionOf(1))}},
	}})
	require.NoError(t, err)
	require.Empty(t, g.describe(0, "tab").Replicas)
	g.settle()
	g.replica(0, 1, "tab")
	g.equal("tab")
	require.Len(t, g.all(1, "tab"), 2)
}

// TestAReplicaThatIsInTheWay: a table of the name that is there by then is not touched, and the source shows what is wrong.
func TestAReplicaThatIsInTheWay(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 2, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	all := g.dbs
	g.dbs = all[:1]
	g.table("tab")
	g.dbs = all
	_, err := g.dbs[0].UpdateTable(t.Context(), createIn("tab", regionOf(1)))
	require.NoError(t, err)
	g.dbs = all[1:]
	g.table("tab") // of that name, there, before the source came to it
	g.dbs = all
	g.settle()
	failed := g.describe(0, "tab").Replicas
	require.Len(t, failed, 1)
	require.Equal(t, "CREATION_FAILED", failed[0].ReplicaStatus.Value)
	require.Empty(t, g.describe(1, "tab").Replicas, "the table there is not touched")
}
