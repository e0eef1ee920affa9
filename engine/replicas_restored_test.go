package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

func (g *group) remove(i int, table, id string) {
	g.t.Helper()
	key, err := attr.NewItem().S("id", id).Build()
	require.NoError(g.t, err)
	_, err = g.dbs[i].DeleteItem(g.t.Context(), &api.DeleteItemInput{TableName: api.Some(table), Key: key})
	require.NoError(g.t, err)
}

// TestAReplicaThatIsReset gets back what the others have: what they wrote meanwhile and what it wrote itself, and
// what they deleted goes.
func TestAReplicaThatIsReset(t *testing.T) {
	for what, meanwhile := range map[string]func(g *group){
		"nothing":     func(*group) {},
		"from others": func(g *group) { g.put(1, "tab", "b", 2); g.remove(1, "tab", "a") },
		"of its own":  func(g *group) { g.put(0, "tab", "c", 3); g.remove(0, "tab", "a") },
		"its own, in several calls": func(g *group) {
			for i := range 5 {
				g.put(0, "tab", fmt.Sprint(i), i)
				g.settle()
			}
		},
		"both": func(g *group) { g.put(0, "tab", "c", 3); g.put(1, "tab", "b", 2); g.put(2, "tab", "a", 9) },
	} {
		t.Run(what, func(t *testing.T) {
			g := newGroup(t, 3, engine.Options{})
			g.table("tab")
			g.put(0, "tab", "a", 1)
			g.settle()
			require.NoError(t, g.dbs[0].Checkpoint("then"))
			meanwhile(g)
			g.settle()
			want := g.all(1, "tab")
			require.NoError(t, g.dbs[0].Reset("then"))
			g.settle()
			g.equal("tab")
			require.Equal(t, want, g.all(1, "tab"))
			g.put(0, "tab", "after", 1)
			g.put(2, "tab", "after all", 1)
			g.settle()
			g.equal("tab")
			require.Len(t, g.all(0, "tab"), len(want)+2)
		})
	}
	t.Run("and writes at the same time again", func(t *testing.T) {
		for _, again := range []int{1, 3} { // of two writes with one stamp
			now := time.UnixMilli(1_800_000_000_000)
			g := newGroup(t, 3, engine.Options{Clock: func() time.Time { return now }})
			g.table("tab")
			require.NoError(t, g.dbs[0].Checkpoint("then"))
			g.put(0, "tab", "a", 2)
			g.settle()
			require.NoError(t, g.dbs[0].Reset("then"))
			g.put(0, "tab", "a", again)
			g.settle()
			g.equal("tab")
		}
	})
	t.Run("to nothing", func(t *testing.T) {
		g := newGroup(t, 3, engine.Options{})
		g.table("tab")
		g.put(0, "tab", "a", 1)
		g.settle()
		require.NoError(t, g.dbs[0].Reset(""))
		g.put(1, "tab", "b", 2)
		g.settle()
		require.Equal(t, g.all(1, "tab"), g.all(2, "tab"))
		for i := 1; i < 3; i++ {
			d, err := g.dbs[i].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
			require.NoError(t, err)
			require.Len(t, d.Table.Replicas, 1, "the one that is gone is none")
		}
	})
}

// TestARestoredReplica: a copy of the file that is younger than what is remembered of deletes gets everything again,
// an older one is a replica no more, and does not bring back what was deleted.
func TestARestoredReplica(t *testing.T) {
	for what, age := range map[string]time.Duration{"young": 3 * time.Hour, "old": 60 * time.Hour} {
		t.Run(what, func(t *testing.T) {
			var ms atomic.Int64
			ms.Store(1_800_000_000_000)
			opts := engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }}
			g := newGroup(t, 2, opts)
			path := filepath.Join(t.TempDir(), "one.keystone")
			way := &away{Replicator: g.dbs[1]}
			open := func(path string) {
				o := opts
				o.NoBackground, o.Region, o.Replicas = true, regionOf(0), map[string]api.Replicator{regionOf(1): way}
				db, err := engine.Open(path, o)
				require.NoError(t, err)
				require.NoError(t, g.dbs[1].Connect(regionOf(0), db))
				g.dbs[0] = db
			}
			open(path)
			g.table("tab")
			for i := range 10 {
				g.put(0, "tab", fmt.Sprint(i), i)
			}
			g.settle()
			require.NoError(t, g.dbs[0].Close())
			old := path + ".old"
			copyFile(t, path, old)
			open(path)
			g.put(0, "tab", "lost", 1)
			g.remove(1, "tab", "3")
			for range int(age / (3 * time.Hour)) {
				ms.Add(3 * time.Hour.Milliseconds())
				g.settle()
			}
			g.equal("tab")
			require.Len(t, g.all(1, "tab"), 10)
			want := map[string][]int{"young": {11, 11}, "old": {10, 10}}
			require.Equal(t, want[what], g.stamps("tab"))
			require.NoError(t, g.dbs[0].Close())
			open(old)
			defer func() { require.NoError(t, g.dbs[0].Close()) }()
			g.put(0, "tab", "new", 1)
			g.settle()
			require.NotContains(t, g.all(1, "tab"), "3")
			d, err := g.dbs[0].DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
			require.NoError(t, err)
			if what == "young" {
				g.equal("tab")
				require.Len(t, g.all(0, "tab"), 11)
				require.Len(t, d.Table.Replicas, 1)
				return
			}
			require.Empty(t, d.Table.Replicas)
			require.Contains(t, g.all(0, "tab"), "3", "both keep what they have")
			require.NotContains(t, g.all(1, "tab"), "new")
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	out, err := os.Create(to)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

// stamps counts those of a table in each region.
func (g *group) stamps(table string) (counts []int) {
	g.t.Helper()
	for _, db := range g.dbs {
		n, err := engine.StampsOf(g.t.Context(), db, table)
		require.NoError(g.t, err)
		counts = append(counts, n)
	}
	return counts
}

// TestStampsOfDeletedItemsAreForgotten when all replicas know of the delete for a day, and not before.
func TestStampsOfDeletedItemsAreForgotten(t *testing.T) {
	var ms atomic.Int64
	ms.Store(1_800_000_000_000)
	g := newGroup(t, 3, engine.Options{Clock: func() time.Time { return time.UnixMilli(ms.Load()) }})
	g.table("tab")
	const items = 150
	for i := range items {
		g.put(i%3, "tab", fmt.Sprint(i), i)
	}
	g.settle()
	for i := range items {
		if i != 77 {
			g.remove((i+1)%3, "tab", fmt.Sprint(i))
		}
	}
	pass := func(hours int) {
		for range hours / 4 {
			ms.Add(4 * time.Hour.Milliseconds())
			g.settle()
		}
	}
	pass(20)
	kept := g.stamps("tab")
	require.Equal(t, []int{items, items, items}, kept)
	g.ways[[2]int{2, 0}].gone.Store(true)
	g.put(2, "tab", "77", 1)
	pass(48)
	require.Equal(t, []int{items, items, items}, g.stamps("tab"), "one has not said what it wrote")
	g.ways[[2]int{2, 0}].gone.Store(false)
	pass(32)
	require.Equal(t, []int{1, 1, 1}, g.stamps("tab"))
	g.equal("tab")
	g.put(1, "tab", "5", 5)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(2, "tab"), 2)
}

// TestACopyBesideTheOriginal: of two databases that say they are the one of a region, the one that is called there
// replicates, and the other one is told why it does not. When it takes the other one's place it does.
func TestACopyBesideTheOriginal(t *testing.T) {
	g := newGroup(t, 2, engine.Options{})
	path := filepath.Join(t.TempDir(), "one.keystone")
	var logged bytes.Buffer
	log := zerolog.New(zerolog.SyncWriter(&logged))
	open := func(path string) *engine.DB {
		db, err := engine.Open(path, engine.Options{
			NoBackground: true, Region: regionOf(0), Replicas: map[string]api.Replicator{regionOf(1): g.dbs[1]}, Logger: log,
		})
		require.NoError(t, err)
		return db
	}
	g.dbs[0] = open(path)
	require.NoError(t, g.dbs[1].Connect(regionOf(0), g.dbs[0]))
	g.table("tab")
	g.put(0, "tab", "a", 1)
	g.settle()
	require.NoError(t, g.dbs[0].Close())
	copyFile(t, path, path+".copy")

	original, copied := open(path), open(path+".copy")
	g.dbs[0] = original
	require.NoError(t, g.dbs[1].Connect(regionOf(0), original))
	both := &group{t: t, dbs: []*engine.DB{original, g.dbs[1], copied}}
	for i := range 3 {
		both.put(0, "tab", fmt.Sprint("original", i), i)
		both.put(1, "tab", fmt.Sprint("there", i), i)
		both.put(2, "tab", fmt.Sprint("copy", i), i)
		both.settle()
	}
	_, err := copied.UpdateTable(t.Context(), &api.UpdateTableInput{TableName: api.Some("tab"), ReplicaUpdates: []api.ReplicationGroupUpdate{
		{Delete: &api.DeleteReplicationGroupMemberAction{RegionName: api.Some(regionOf(1))}},
	}})
	require.NoError(t, err)
	both.settle()
	require.Len(t, both.all(0, "tab"), 7)
	require.Equal(t, both.all(0, "tab"), both.all(1, "tab"), "the copy does nothing to them")
	require.Len(t, both.all(2, "tab"), 4)
	require.Len(t, g.describe(0, "tab").Replicas, 1)
	require.Contains(t, logged.String(), "another database than the caller answers in region "+regionOf(0))

	require.NoError(t, original.Close())
	require.NoError(t, copied.Close())
	copyFile(t, path, path+".copy") // and now instead of it
	g.dbs[0] = open(path + ".copy")
	defer func() { require.NoError(t, g.dbs[0].Close()) }()
	require.NoError(t, g.dbs[1].Connect(regionOf(0), g.dbs[0]))
	g.put(0, "tab", "last", 1)
	g.settle()
	g.equal("tab")
	require.Len(t, g.all(1, "tab"), 8)
}
