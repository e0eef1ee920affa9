package engine

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestCrossReferencesOfLogsAndBackups: what is broken of change logs and backups is found, and is gone after a
// repair.
func TestCrossReferencesOfLogsAndBackups(t *testing.T) {
	d, store := crossrefDB(t)
	ctx := t.Context()
	d.recovery(true, 0)
	for _, pk := range []string{"p0", "p1", "new"} {
		d.put(item1(pk, "changed"))
		d.put(item1(pk, "changed again"))
	}
	arn := d.backup("first")
	d.work()
	require.Equal(t, "AVAILABLE", d.describeBackup(arn).BackupDetails.BackupStatus.Value)
	record := d.served.Load().mustTable(t, "orders")
	space := key.TableSpace(record.Table.ID)
	history := key.SpaceRange(space, record.Log.Generations[0].History)
	marks := key.SpaceRange(space, record.Log.Generations[0].Marks)
	copied := key.SpaceRange(key.TableSpace(record.Table.ID+1), key.TableSub)
	report, err := crossref.Check(ctx, store, crossref.Options{})
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	require.EqualValues(t, 6, report.Counts.HistoryRows)
	require.EqualValues(t, report.Counts.Items, report.Counts.BackupItems)

	truncate := func(k, v []byte) ([]byte, []byte) { return k, v[:len(v)-1] }
	late := func(k, v []byte) ([]byte, []byte) {
		k = bytes.Clone(k)
		binary.BigEndian.PutUint64(k[len(k)-8:], 1<<60)
		return k, v
	}
	for _, c := range []struct {
		region, what string
		in           key.Range
		nth          int
		change       func(k, v []byte) ([]byte, []byte)
	}{
		{crossref.Log, "the item in a history row is malformed", history, 1, truncate},
		{crossref.Log, "cannot be read", history, 0, func(k, _ []byte) ([]byte, []byte) { return k, []byte{1} }},
		{crossref.Log, "was not given out yet", history, 0, late},
		{crossref.Log, "none of a history row", history, 0, func(k, v []byte) ([]byte, []byte) { return k[:len(k)-1], v }},
		{crossref.Log, "a mark of a time", marks, 0, late},
		{crossref.Backups, "the item is malformed", copied, 3, truncate},
		{crossref.Backups, "under the key of another one", copied, 0, func(k, v []byte) ([]byte, []byte) { return append(bytes.Clone(k), 'x'), v }},
		{crossref.Catalog, "backups: row", key.CatalogRange(key.SubBackup), 0, truncate},
	} {
		t.Run(c.region+" "+c.what, func(t *testing.T) {
			keys, values := stored(t, store, key.Range{})
			other, err := memstore.Open(memstore.Options{})
			require.NoError(t, err)
			var all storage.Batch
			for i := range keys {
				all.Put(keys[i], values[i])
			}
			ks, vs := stored(t, store, c.in)
			k, v := c.change(ks[c.nth], vs[c.nth])
			if !bytes.Equal(k, ks[c.nth]) {
				all.Delete(ks[c.nth])
			}
			all.Put(k, v)
			for range 4 * len(keys) { // the Seqs in the records were given out
				require.NoError(t, other.Update(ctx, []storage.Named{{Key: []byte("x")}}, storage.UpdateOptions{},
					func(tx storage.Tx) error { _ = tx.Seq(); return nil }))
			}
			require.NoError(t, other.Apply(ctx, &all, storage.UpdateOptions{}))
			report, err := crossref.Check(ctx, other, crossref.Options{Repair: true, Now: d.clock.Now()})
			require.NoError(t, err)
			require.NotEmpty(t, report.Faults)
			require.Equal(t, c.region, report.Faults[0].Region)
			require.True(t, strings.Contains(report.Faults[0].What, c.what), report.Faults[0].What)
			require.NoError(t, consistent(ctx, other, d.clock.Now()), "after the repair")
		})
	}
}
