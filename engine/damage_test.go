package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/storage"
)

// damagedItems is how many items a table has whose file is damaged, and damagedItem the one that is.
const (
	damagedItems = 300
	damagedItem  = 123
)

// damagedOpen opens a file in which the blocks with one item, and with its entries of indexes, are damaged, or
// the whole tables of the file that they are in.
func damagedOpen(t *testing.T, tables bool) *testDB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.keystone")
	c := newClock(time.Unix(1_800_000_000, 0))
	opts := Options{NoBackground: true, Clock: c.Now, Compression: CompressionNone}
	db, err := Open(path, opts)
	require.NoError(t, err)
	d := &testDB{DB: db, t: t, clock: c}
	d.orders()
	for i := range damagedItems {
		d.put(attr.NewItem().S("pk", fmt.Sprint("p", i)).N("sk", fmt.Sprint(i)).S("g", "g").N("h", "1").
			S("word", fmt.Sprintf("<word %d>", i)))
	}
	require.NoError(t, db.Close())
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	word := fmt.Appendf(nil, "<word %d>", damagedItem)
	at := -1
	for next := bytes.Index(file, word); next >= 0; next = bytes.Index(file[at+1:], word) { // in the log, too
		at += 1 + next
		file[at] ^= 1
		head := []byte("kstntbl\x01")
		if begin := bytes.LastIndex(file[:at], head); tables && begin > 0 { // the log has none before it
			end := bytes.Index(file[at:], head)
			if end < 0 {
				end = len(file) - at
			}
			clear(file[begin : at+end])
		}
	}
	require.Positive(t, at)
	require.NoError(t, os.WriteFile(path, file, 0o600))
	d.DB, err = Open(path, opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// TestDescribeADamagedTable: what cannot be read is counted as storage knows it, and does not make a table
// unknown; who reads the item is told.
func TestDescribeADamagedTable(t *testing.T) {
	d := damagedOpen(t, false)
	out, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Equal(t, int64(damagedItems), out.Table.ItemCount.Value)
	require.Greater(t, out.Table.TableSizeBytes.Value, int64(20*damagedItems))
	for _, ix := range out.Table.GlobalSecondaryIndexes {
		require.Equal(t, int64(damagedItems), ix.ItemCount.Value, ix.IndexName.Value)
	}
	names, err := d.ListTables(t.Context(), &api.ListTablesInput{})
	require.NoError(t, err)
	require.Equal(t, []string{"orders"}, names.TableNames)
	get := func(i int) error {
		_, err := d.GetItem(t.Context(), &api.GetItemInput{TableName: api.Some("orders"), Key: d.build(
			attr.NewItem().S("pk", fmt.Sprint("p", i)).N("sk", fmt.Sprint(i)))})
		return err
	}
	err = get(damagedItem)
	require.ErrorIs(t, err, ErrDamaged)
	where, ok := errors.AsType[*DamageError](err)
	require.True(t, ok)
	require.Equal(t, "table", where.Region)
	shown := api.Shown(err)
	require.Equal(t, api.InternalServerError, shown.Code)
	require.Equal(t, fmt.Sprintf("Stored data are damaged: corrupt table at offset %d: %s", where.Offset, where.Reason), shown.Message)
	good := 0
	for i := range damagedItems {
		if get(i) == nil {
			good++
		}
	}
	require.Greater(t, good, damagedItems/2)
	_, err = d.UpdateTable(t.Context(), &api.UpdateTableInput{
		TableName: api.Some("orders"), DeletionProtectionEnabled: api.Some(true),
	})
	require.NoError(t, err)
}

// TestDescribeATableWithoutParts leaves out what cannot be counted.
func TestDescribeATableWithoutParts(t *testing.T) {
	d := damagedOpen(t, true)
	out, err := d.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("orders")})
	require.NoError(t, err)
	require.Less(t, out.Table.ItemCount.Value, int64(damagedItems))
	require.Greater(t, out.Table.ItemCount.Value, int64(damagedItems/2))
	_, err = d.ListTables(t.Context(), &api.ListTablesInput{})
	require.NoError(t, err)
	_, err = d.Scan(t.Context(), &api.ScanInput{TableName: api.Some("orders")})
	require.ErrorIs(t, err, storage.ErrCorrupt)
}
