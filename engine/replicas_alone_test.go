package engine_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// TestAForkHasNoReplicas: it has the tables, as those of its region alone, and not what is being filled. The database
// goes on as before.
func TestAForkHasNoReplicas(t *testing.T) {
	var ms atomic.Int64
	g, way := halfMade(t, &ms)
	for i := range g.dbs {
		fork, err := g.dbs[i].Fork()
		require.NoError(t, err)
		defer func() { require.NoError(t, fork.Close()) }()
		f := &group{t: t, dbs: []*engine.DB{fork}}
		if i == 1 {
			f.noTable(0, "tab", false)
			f.table("tab")
			f.put(0, "tab", "a", 1)
		}
		d := f.describe(0, "tab")
		require.Empty(t, d.Replicas)
		require.False(t, d.GlobalTableVersion.Set)
		f.put(0, "tab", "fork", 1)
		f.settle()
		require.Len(t, f.all(0, "tab"), 2)
		require.NoError(t, f.drop(0, "tab"))
	}
	way.not("")
	g.settle()
	g.put(0, "tab", "b", 2)
	g.put(1, "tab", "c", 3)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(0, "tab"), 3)
}

// TestWhatIsToBeSentIsBounded: a replica that is away gets the whole table when that is less than what was written; one
// that is in step goes on.
func TestWhatIsToBeSentIsBounded(t *testing.T) {
	g := newGroup(t, 3, engine.Options{}.OutKeys(50))
	g.table("tab")
	var refilled int
	in := &recorded{Replicator: g.dbs[1]}
	require.NoError(t, g.dbs[0].Connect(regionOf(1), in))
	g.ways[[2]int{0, 2}].gone.Store(true)
	g.put(0, "tab", "gone", 1)
	for round := range 6 {
		for i := range 100 {
			g.put(0, "tab", fmt.Sprint(i%10), round)
		}
		if round == 2 {
			g.remove(0, "tab", "gone")
		}
		g.settle()
	}
	n, err := engine.OutOf(t.Context(), g.dbs[0], "tab")
	require.NoError(t, err)
	require.Less(t, n, int64(200))
	for _, call := range in.calls {
		if call.Step == api.ReplicateFill {
			refilled++
		}
	}
	require.Zero(t, refilled, "who is in step")
	require.Equal(t, g.all(0, "tab"), g.all(1, "tab"))
	require.Equal(t, "ACTIVE", g.describe(0, "tab").Replicas[1].ReplicaStatus.Value, "the table can be changed")
	g.put(2, "tab", "there", 1)
	g.ways[[2]int{0, 2}].gone.Store(false)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(2, "tab"), 11)
	g.put(0, "tab", "after", 1)
	g.settle()
	g.equal("tab")
}

// TestARegionThatIsNotConfigured is disabled, and after 20 hours no replica's any more: as in the service.
func TestARegionThatIsNotConfigured(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	opts := engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }}
	g := newGroup(t, 2, opts)
	path := filepath.Join(t.TempDir(), "one.keystone")
	open := func(replicas map[string]api.Replicator) {
		o := opts
		o.NoBackground, o.Region, o.Replicas = true, regionOf(0), replicas
		db, err := engine.Open(path, o)
		require.NoError(t, err)
		g.dbs[0] = db
		require.NoError(t, g.dbs[1].Connect(regionOf(0), db))
	}
	known := map[string]api.Replicator{regionOf(1): g.dbs[1]}
	open(known)
	g.table("tab")
	status := func() string { return g.describe(0, "tab").Replicas[0].ReplicaStatus.Value }
	pass := func(hours int64) {
		ms.Add(hours * time.Hour.Milliseconds())
		g.settle()
	}
	require.Equal(t, "ACTIVE", status())
	require.NoError(t, g.dbs[0].Close())
	open(nil)
	g.settle()
	require.Equal(t, "REGION_DISABLED", status())
	g.put(0, "tab", "a", 1)
	pass(19)
	require.NoError(t, g.dbs[0].Connect(regionOf(1), g.dbs[1]))
	pass(2)
	require.Equal(t, "ACTIVE", status())
	g.equal("tab")
	require.NoError(t, g.dbs[0].Close())
	open(nil)
	g.settle()
	pass(19)
	require.Equal(t, "REGION_DISABLED", status())
	pass(1)
	for i := range g.dbs {
		d := g.describe(i, "tab")
		require.Empty(t, d.Replicas, "region %d", i)
		require.Equal(t, "ACTIVE", d.TableStatus.Value)
	}
	require.NoError(t, g.dbs[0].Close())
}

// TestAReplicaInARegionThatIsNotConfigured can be removed from the table here.
func TestAReplicaInARegionThatIsNotConfigured(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	path := filepath.Join(t.TempDir(), "one.keystone")
	for _, known := range []map[string]api.Replicator{{regionOf(1): g.dbs[1]}, nil} {
		db, err := engine.Open(path, engine.Options{NoBackground: true, Region: regionOf(0), Replicas: known})
		require.NoError(t, err)
		g.dbs[0] = db
		if known != nil {
			require.NoError(t, g.dbs[1].Connect(regionOf(0), db))
			g.table("tab")
			require.NoError(t, db.Close())
		}
	}
	defer func() { require.NoError(t, g.dbs[0].Close()) }()
	g.removeReplica(0, 1, "tab")
	require.Empty(t, g.describe(0, "tab").Replicas)
	require.Equal(t, "ACTIVE", g.describe(1, "tab").TableStatus.Value)
}
