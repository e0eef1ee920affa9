package engine

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestCrossReferencesOfReplicas: what is broken of stamps and of what is to be sent is found, and is gone after a
// repair.
func TestCrossReferencesOfReplicas(t *testing.T) {
	ctx := t.Context()
	other, err := Open("", Options{InMemory: true, NoBackground: true, Region: "us-west-2"})
	require.NoError(t, err)
	defer func() { _ = other.Close() }()
	d, store := crossrefDB(t)
	require.NoError(t, d.Connect("us-west-2", other))
	_, err = d.UpdateTable(ctx, &api.UpdateTableInput{TableName: api.Some("orders"), ReplicaUpdates: []api.ReplicationGroupUpdate{{
		Create: &api.CreateReplicationGroupMemberAction{RegionName: api.Some("us-west-2")},
	}}})
	require.NoError(t, err)
	d.put(item1("p0", "changed"))
	d.put(item1("gone", "away"))
	d.remove("gone", "1")
	g := d.served.Load().mustTable(t, "orders")
	space := key.TableSpace(g.Table.ID)
	item := func(pk string) []byte {
		of, err := item1(pk, "").Build()
		require.NoError(t, err)
		k, ok := key.AppendItem(nil, &g.Table, of)
		require.True(t, ok)
		return k
	}
	live, dead := key.AppendStamp(nil, g.Global.Stamps, item("p0")), key.AppendStamp(nil, g.Global.Stamps, item("gone"))
	report, err := crossref.Check(ctx, store, crossref.Options{})
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	require.EqualValues(t, 2, report.Counts.Stamps)
	first := func(sub uint32) []byte {
		ks, _ := stored(t, store, key.SpaceRange(space, sub))
		require.NotEmpty(t, ks)
		return ks[0]
	}
	value := func(k []byte) []byte {
		v, err := store.Get(ctx, k)
		require.NoError(t, err)
		return bytes.Clone(v.Data)
	}
	flag := func(v []byte) []byte { v[1] ^= 1; return v }
	for what, change := range map[string]func(b *storage.Batch){
		"cannot be read":    func(b *storage.Batch) { b.Put(live, []byte("x")) },
		"marked as deleted": func(b *storage.Batch) { b.Put(live, flag(value(live))) },
		"marked as written": func(b *storage.Batch) { b.Put(dead, flag(value(dead))) },
		"is of no update":   func(b *storage.Batch) { b.Put(key.AppendOut(nil, g.Global.Out, item("gone"), 1<<60), []byte{}) },
		"kept for ever":     func(b *storage.Batch) { b.Delete(first(g.Global.Dead)) },
		"has an impossible": func(b *storage.Batch) { b.Put(first(g.Global.Dead)[:17], []byte{}) },
	} {
		t.Run(what, func(t *testing.T) {
			keys, values := stored(t, store, key.Range{})
			broken, err := memstore.Open(memstore.Options{})
			require.NoError(t, err)
			var all storage.Batch
			for i := range keys {
				all.Put(keys[i], values[i])
			}
			change(&all)
			for range 4 * len(keys) { // the Seqs in the records were given out
				require.NoError(t, broken.Update(ctx, []storage.Named{{Key: []byte("x")}}, storage.UpdateOptions{},
					func(tx storage.Tx) error { _ = tx.Seq(); return nil }))
			}
			require.NoError(t, broken.Apply(ctx, &all, storage.UpdateOptions{}))
			report, err := crossref.Check(ctx, broken, crossref.Options{Repair: true, Now: d.clock.Now()})
			require.NoError(t, err)
			require.NotEmpty(t, report.Faults)
			require.Equal(t, crossref.Replication, report.Faults[0].Region)
			require.Contains(t, report.Faults[0].What, what)
			require.NoError(t, consistent(ctx, broken, d.clock.Now()), "after the repair")
		})
	}
}
