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

// recorded is a way to a replica that keeps what was called.
type recorded struct {
	api.Replicator
	calls []*api.ReplicateInput
}

func (r *recorded) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	call := *in
	r.calls = append(r.calls, &call)
	return r.Replicator.Replicate(ctx, in)
}

func (g *group) removeReplica(from, of int, table string) {
	g.t.Helper()
	_, err := g.dbs[from].UpdateTable(g.t.Context(), &api.UpdateTableInput{TableName: api.Some(table), ReplicaUpdates: []api.ReplicationGroupUpdate{
		{Delete: &api.DeleteReplicationGroupMemberAction{RegionName: api.Some(regionOf(of))}},
	}})
	require.NoError(g.t, err)
	g.settle()
}

// TestCallsOfAFormerReplica: what was said of a replica comes again when another one is in its region. Nothing is lost.
func TestCallsOfAFormerReplica(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	var ways []*recorded
	for i := range 3 {
		for j := range 3 {
			if i != j {
				way := &recorded{Replicator: g.dbs[j]}
				ways = append(ways, way)
				require.NoError(t, g.dbs[i].Connect(regionOf(j), way))
			}
		}
	}
	g.table("tab")
	g.put(2, "tab", "a", 1)
	g.settle()
	g.removeReplica(0, 2, "tab")
	g.noTable(2, "tab", false)
	late := map[*recorded][]*api.ReplicateInput{}
	for _, way := range ways {
		late[way], way.calls = way.calls, nil
	}
	again := func() {
		for _, way := range ways {
			for _, call := range late[way] {
				_, _ = way.Replicator.Replicate(t.Context(), call)
			}
		}
	}

	// While it is not filled yet.
	to := &without{Replicator: g.dbs[2]}
	to.not(api.ReplicateItems)
	require.NoError(t, g.dbs[0].Connect(regionOf(2), to))
	g.replica(0, 2, "tab")
	g.noTable(2, "tab", true)
	again()
	g.noTable(2, "tab", true)
	to.not("")
	g.settle()
	g.equal("tab")

	// When it is one.
	for range 2 {
		again()
		g.put(0, "tab", "b", 2)
		g.put(1, "tab", "c", 3)
		g.put(2, "tab", "d", 4)
		g.whole("tab", 4)
	}
}

// whole requires that all three regions, once settled, know each other and have the same items, so many.
func (g *group) whole(table string, items int) {
	g.t.Helper()
	g.settle()
	g.equal(table)
	for i := range g.dbs {
		require.Len(g.t, g.all(i, table), items, "region %d", i)
		require.Len(g.t, g.describe(i, table).Replicas, 2, "region %d", i)
	}
}

// TestAReplicaThatKnowsAFormerOne, because it was reset, and did not hear that another one is in its place.
func TestAReplicaThatKnowsAFormerOne(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	g.table("tab")
	g.put(1, "tab", "a", 1)
	g.settle()
	require.NoError(t, g.dbs[1].Checkpoint("then"))
	g.removeReplica(0, 2, "tab")
	g.put(1, "tab", "b", 1)
	g.replica(0, 2, "tab")
	g.put(1, "tab", "c", 1)
	g.settle()
	require.NoError(t, g.dbs[1].Reset("then"))
	g.put(1, "tab", "d", 1)
	g.put(2, "tab", "e", 1)
	g.whole("tab", 5)
}

// TestAReplicaIsMadeAgain after its table was deleted there: with everything that anybody wrote, and nothing is taken
// for what the former one had.
func TestAReplicaIsMadeAgain(t *testing.T) {
	g := newGroup(t, 3, engine.Options{})
	g.table("tab")
	g.put(0, "tab", "a", 1)
	g.settle()
	g.ways[[2]int{1, 0}].gone.Store(true)
	g.put(1, "tab", "b", 1)
	g.settle() // the third one has it, the first one has not
	require.NoError(t, g.drop(2, "tab"))
	g.settle()
	require.Len(t, g.describe(0, "tab").Replicas, 1)
	g.replica(0, 2, "tab")
	require.Len(t, g.describe(2, "tab").Replicas, 2)
	g.put(2, "tab", "c", 1)
	g.settle()
	require.Equal(t, g.all(1, "tab"), g.all(2, "tab"))
	g.ways[[2]int{1, 0}].gone.Store(false)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 3)
}
