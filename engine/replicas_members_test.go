package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// forgetful is a way to a replica on which any call may be lost, before or after it is done, and comes again long after.
type forgetful struct {
	api.Replicator
	rng  *rand.Rand
	wild bool
	late []*api.ReplicateInput
}

func (f *forgetful) Replicate(ctx context.Context, in *api.ReplicateInput) (*api.ReplicateOutput, error) {
	if !f.wild {
		return f.Replicator.Replicate(ctx, in)
	}
	if in.Step != api.ReplicateDescribe && f.rng.IntN(8) == 0 {
		call := *in
		f.late = append(f.late, &call)
	}
	switch f.rng.IntN(10) {
	case 0:
		return nil, errAway
	case 1:
		_, _ = f.Replicator.Replicate(ctx, in)
		return nil, errAway
	}
	return f.Replicator.Replicate(ctx, in)
}

// members is a group of three regions in which replicas come and go.
type members struct {
	*wild
	ways []*forgetful
}

func newMembers(t *testing.T, seed uint64) *members {
	m := &members{wild: newWild(t, seed)}
	for i := range 3 {
		for j := range 3 {
			if i != j {
				way := &forgetful{Replicator: m.dbs[j], rng: m.rng, wild: true}
				m.ways = append(m.ways, way)
				require.NoError(t, m.dbs[i].Connect(regionOf(j), way))
			}
		}
	}
	return m
}

// regions are those in which the table is, and may be read.
func (m *members) regions() (list []int) {
	for i, db := range m.dbs {
		if _, err := db.Scan(m.t.Context(), &api.ScanInput{TableName: api.Some("tab")}); err == nil {
			list = append(list, i)
		}
	}
	return list
}

// step does anything that may happen; most of it is refused now and then.
func (m *members) step() {
	i, j := m.rng.IntN(3), m.rng.IntN(3)
	ctx := m.t.Context()
	switch m.rng.IntN(24) {
	case 0, 1:
		_, _ = m.dbs[i].UpdateTable(ctx, createIn("tab", regionOf(j)))
	case 2:
		_, _ = m.dbs[i].UpdateTable(ctx, &api.UpdateTableInput{TableName: api.Some("tab"), ReplicaUpdates: []api.ReplicationGroupUpdate{
			{Delete: &api.DeleteReplicationGroupMemberAction{RegionName: api.Some(regionOf(j))}},
		}})
	case 3:
		if len(m.regions()) > 1 && m.rng.IntN(3) == 0 {
			_ = m.drop(i, "tab")
		}
	case 4:
		m.pass(m.rng.Int64N(90_000))
	case 5, 6, 7:
		if way := m.ways[m.rng.IntN(len(m.ways))]; len(way.late) > 0 {
			_, _ = way.Replicator.Replicate(ctx, way.late[m.rng.IntN(len(way.late))])
		}
	case 8, 9, 10, 11:
		m.once++
		_, _ = m.dbs[i].PutItem(ctx, &api.PutItemInput{TableName: api.Some("tab"), Item: numbered(fmt.Sprint("id", m.once%40), m.once)})
	default:
		_ = m.dbs[i].Work(ctx)
	}
}

// rest has all come to its end.
func (m *members) rest() {
	for _, way := range m.ways {
		way.wild = false
	}
	for range 4 {
		m.pass(11 * time.Minute.Milliseconds())
		m.settle()
	}
}

// agree says that who takes another one for a replica is taken for one, and has the same items, and that nothing is half done.
func (m *members) agree() {
	m.t.Helper()
	in := m.regions()
	require.NotEmpty(m.t, in)
	for i, db := range m.dbs {
		d, err := db.DescribeTable(m.t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
		require.Equal(m.t, slices.Contains(in, i), err == nil, "region %d is half made", i)
		if err != nil {
			continue
		}
		require.Equal(m.t, "ACTIVE", d.Table.TableStatus.Value)
		for _, r := range d.Table.Replicas {
			if r.ReplicaStatus.Value == "CREATION_FAILED" {
				continue
			}
			require.Equal(m.t, "ACTIVE", r.ReplicaStatus.Value, "region %d has %s", i, r.RegionName.Value)
			j := slices.IndexFunc([]int{0, 1, 2}, func(j int) bool { return regionOf(j) == r.RegionName.Value })
			require.Contains(m.t, in, j, "region %d has a replica that is none", i)
			require.True(m.t, slices.ContainsFunc(m.describe(j, "tab").Replicas, func(r api.ReplicaDescription) bool { return r.RegionName.Value == regionOf(i) }),
				"region %d does not know that it is a replica of region %d", j, i)
			require.Equal(m.t, m.all(i, "tab"), m.all(j, "tab"), "regions %d and %d", i, j)
		}
	}
}

// TestReplicasComeAndGoOverAnything: replicas are made, removed and deleted from any region while calls of any kind are
// lost and come late. When it is over no replica is half made, those who are replicas know it of each other, and have
// the same.
func TestReplicasComeAndGoOverAnything(t *testing.T) {
	seeds := []uint64{82, 332} // the second one notices that the writes of who left are not told
	if os.Getenv("KSTONE_NIGHT") != "" {
		for seed := range uint64(600) {
			seeds = append(seeds, 1000+seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newMembers(t, seed)
			all := m.dbs
			m.dbs = all[:1]
			m.table("tab")
			m.dbs = all
			for range 250 {
				m.step()
			}
			m.rest()
			m.agree()
		})
	}
}
