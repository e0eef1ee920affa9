package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// consistent checks every cross-reference of a database.
func consistent(ctx context.Context, store storage.Store, now time.Time) error {
	var r crossref.Report
	err := storage.Fresh(ctx, func() (err error) {
		r, err = crossref.Check(ctx, store, crossref.Options{Now: now})
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range r.Faults {
		if !f.Warning {
			errs = append(errs, fmt.Errorf("%s %s %s: %s: %x", f.Region, f.Table, f.Index, f.What, f.Key))
		}
	}
	return errors.Join(errs...)
}

// crossrefDB is a database with everything that has cross-references.
func crossrefDB(t *testing.T) (*testDB, storage.Store) {
	t.Helper()
	mem, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	c := newClock(time.Unix(1_800_000_000, 0))
	db, err := OpenStore(mem, Options{NoBackground: true, Clock: c.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	d := &testDB{DB: db, t: t, clock: c}
	d.events("NEW_AND_OLD_IMAGES")
	ctx, name := t.Context(), api.Some("orders")
	_, err = d.UpdateTimeToLive(ctx, &api.UpdateTimeToLiveInput{
		TableName:               name,
		TimeToLiveSpecification: &api.TimeToLiveSpecification{Enabled: api.Some(true), AttributeName: api.Some("end")},
	})
	require.NoError(t, err)
	in := &api.TransactWriteItemsInput{ClientRequestToken: api.Some("token")}
	for i := range 40 {
		item := attr.NewItem().S("pk", fmt.Sprint("p", i%7)).N("sk", fmt.Sprint(i)).S("g", fmt.Sprint("g", i%3)).N("h", "1").
			S("l", fmt.Sprint(i)).N("end", "4000000000")
		if i >= 20 {
			d.put(item)
			continue
		}
		in.TransactItems = append(in.TransactItems, api.TransactWriteItem{Put: &api.Put{TableName: name, Item: d.build(item)}})
	}
	_, err = d.TransactWriteItems(ctx, in)
	require.NoError(t, err)
	for i := range 5 {
		d.remove(fmt.Sprint("p", i), fmt.Sprint(i))
	}
	_, err = d.UpdateItem(ctx, &api.UpdateItemInput{
		TableName: name, Key: d.build(attr.NewItem().S("pk", "p6").N("sk", "6")),
		UpdateExpression: api.Some("SET h = :v REMOVE l"), ExpressionAttributeValues: valueOf(3),
	})
	require.NoError(t, err)
	d.Work(ctx)
	return d, mem
}

// stored returns all that lies under a space and sub, or in all subs of a space.
func stored(t *testing.T, s storage.Store, r key.Range) (keys, values [][]byte) {
	t.Helper()
	snap, err := s.Snapshot(t.Context(), storage.SnapshotOptions{})
	require.NoError(t, err)
	defer snap.Close()
	it, err := snap.Iter(t.Context(), storage.Range(r), storage.IterOptions{})
	require.NoError(t, err)
	defer it.Close()
	for it.Next() {
		keys, values = append(keys, bytes.Clone(it.Key())), append(values, bytes.Clone(it.Value()))
	}
	require.NoError(t, it.Err())
	return keys, values
}

// TestCrossReferences: each one that is broken is found and named, and repaired if that is asked for.
func TestCrossReferences(t *testing.T) {
	d, store := crossrefDB(t)
	ctx := t.Context()
	table, err := d.served.Load().catalog.Lookup(ctx, "orders")
	require.NoError(t, err)
	space := key.TableSpace(table.Table.ID)
	global, local := table.Table.Indexes[0].Sub, table.Table.Indexes[1].Sub
	rows := func(sub uint32) key.Range { return key.SpaceRange(space, sub) }
	streams := key.WholeSpace(key.StreamSpace(table.Stream.ID))
	catalog := func(kind uint32) key.Range { return key.CatalogRange(kind) }
	tokens := key.PrefixRange([]byte{3})

	report, err := crossref.Check(ctx, store, crossref.Options{})
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	n := report.Counts
	require.Equal(t, []int64{1, 35, 69, 7, 1}, []int64{n.Tables, n.Items, n.IndexEntries, n.Collections, n.Tokens})
	require.GreaterOrEqual(t, n.ExpiryRows, int64(35))
	require.Equal(t, int64(46), n.StreamRecords)

	truncate := func(k, v []byte) ([]byte, []byte) { return k, v[:len(v)-1] }
	moved := func(k, v []byte) ([]byte, []byte) { return append(bytes.Clone(k), 'x'), v }
	gone := func(k, _ []byte) ([]byte, []byte) { return nil, nil }
	bumped := func(k, v []byte) ([]byte, []byte) {
		v = bytes.Clone(v)
		v[len(v)-1]++
		return k, v
	}
	for _, c := range []struct {
		region, what string
		in           key.Range
		nth          int
		change       func(k, v []byte) ([]byte, []byte)
	}{
		{"index", "an item has no entry", rows(global), 3, gone},
		{"index", "an item has no entry", rows(local), 0, gone},
		{"index", "the entry differs from its item", rows(global), 5, func(k, v []byte) ([]byte, []byte) {
			return k, attr.Item(v).Project([]string{"g", "h", "pk", "sk"})
		}},
		{"index", "the entry has no item", rows(key.TableSub), 4, gone},
		{"index", "one that its item does not have", rows(local), 6, moved},
		{"index", "the entry is malformed", rows(global), 1, truncate},
		{"items", "the item is malformed", rows(key.TableSub), 7, truncate},
		{"items", "under the key of another one", rows(key.TableSub), 8, moved},
		{"expiry", "no row that says so", rows(table.Table.TTLSub), 2, gone},
		{"collections", "the size of an item collection is not", rows(table.Table.CollectionSub), 1, bumped},
		{"collections", "the size of an item collection is not", rows(table.Table.CollectionSub), 2, gone},
		{"collections", "collection without items", rows(table.Table.CollectionSub), 3, func(k, v []byte) ([]byte, []byte) {
			return append(bytes.Clone(k), 'x'), v
		}},
		{"stream", "image without its record", streams, 0, gone},
		{"stream", "the new image is missing", streams, 1, gone},
		{"stream", "cannot be read", streams, 0, func(k, v []byte) ([]byte, []byte) { return k, v[:5] }},
		{"stream", "an image is malformed", streams, 1, truncate},
		{"stream", "none of a record", streams, 0, moved},
		{"stream", "was not given out yet", streams, 0, func(k, v []byte) ([]byte, []byte) {
			k = bytes.Clone(k)
			k[storage.HeadBytes] = 0xff
			return k, v
		}},
		{"tokens", "request token", tokens, 0, func(k, v []byte) ([]byte, []byte) { return k, v[:10] }},
		{"tokens", "key of a request token", tokens, 0, moved},
		{"catalog", "does not hold a number", catalog(key.SubMeta), 0, truncate},
		{"catalog", `the row "next-table" says 0`, catalog(key.SubMeta), 1, gone},
		{"catalog", "table record", catalog(key.SubTable), 0, truncate},
		{"catalog", `its record is of table "orders"`, catalog(key.SubTable), 0, moved},
		{"catalog", "stream record", catalog(key.SubStream), 0, truncate},
		{"keys", "belong to no table", rows(99), -1, nil},
	} {
		t.Run(c.region+" "+c.what, func(t *testing.T) {
			keys, values := stored(t, store, key.Range{})
			other, err := memstore.Open(memstore.Options{})
			require.NoError(t, err)
			var all storage.Batch
			for i := range keys {
				all.Put(keys[i], values[i])
			}
			// So many updates that the Seqs in the records were given out.
			for range 4 * len(keys) {
				require.NoError(t, other.Update(ctx, []storage.Named{{Key: []byte("x")}}, storage.UpdateOptions{},
					func(tx storage.Tx) error { _ = tx.Seq(); return nil }))
			}
			if c.change == nil {
				all.Put(c.in.Start, []byte("stray"))
			} else {
				ks, vs := stored(t, store, c.in)
				k, v := c.change(ks[c.nth], vs[c.nth])
				if k == nil || !bytes.Equal(k, ks[c.nth]) {
					all.Delete(ks[c.nth])
				}
				if k != nil {
					all.Put(k, v)
				}
			}
			require.NoError(t, other.Apply(ctx, &all, storage.UpdateOptions{}))
			report, err := crossref.Check(ctx, other, crossref.Options{Repair: true})
			require.NoError(t, err)
			var text []string
			found := false
			for _, f := range report.Faults {
				text = append(text, fmt.Sprintf("%s %s %s", f.Region, f.Index, f.What))
				found = found || f.Region == c.region && bytes.Contains([]byte(f.What), []byte(c.what))
			}
			require.True(t, found, "%v", text)
			require.Equal(t, c.region == "keys", report.Errors == 0)
			require.NoError(t, consistent(ctx, other, d.clock.Now()), "after the repair")
		})
	}
}

// TestCrossReferencesOfWhatCannotBeRead are not held to be wrong.
func TestCrossReferencesOfWhatCannotBeRead(t *testing.T) {
	d, store := crossrefDB(t)
	ctx := t.Context()
	table, err := d.served.Load().catalog.Lookup(ctx, "orders")
	require.NoError(t, err)
	space := key.TableSpace(table.Table.ID)
	subs := []uint32{key.TableSub, table.Table.TTLSub, table.Table.CollectionSub}
	for i := range table.Table.Indexes {
		subs = append(subs, table.Table.Indexes[i].Sub)
	}
	for _, sub := range subs {
		keys, _ := stored(t, store, key.SpaceRange(space, sub))
		for _, lost := range []storage.Range{
			{Start: keys[2], End: keys[5]}, {Start: keys[0], End: append(keys[len(keys)-1], 0)},
		} {
			// What is lost is not there for whoever does not know it.
			other := withoutRange(t, store, lost)
			blind, err := crossref.Check(ctx, other, crossref.Options{})
			require.NoError(t, err)
			require.NotZero(t, blind.Errors)
			known, err := crossref.Check(ctx, other, crossref.Options{Lost: []storage.Range{lost}})
			require.NoError(t, err)
			require.Empty(t, known.Faults, "sub %d", sub)
			if sub != table.Table.CollectionSub {
				require.NotZero(t, known.Skipped)
			}
		}
	}
	keys, _ := stored(t, store, key.CatalogRange(key.SubTable))
	lost := storage.Range{Start: keys[0], End: append(keys[0], 0)}
	report, err := crossref.Check(ctx, withoutRange(t, store, lost), crossref.Options{Lost: []storage.Range{lost}})
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	require.Len(t, report.Unchecked, 1)
}

func withoutRange(t *testing.T, store storage.Store, lost storage.Range) storage.Store {
	t.Helper()
	keys, values := stored(t, store, key.Range{})
	other, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	var all storage.Batch
	for i := range keys {
		if bytes.Compare(keys[i], lost.Start) < 0 || bytes.Compare(keys[i], lost.End) >= 0 {
			all.Put(keys[i], values[i])
		}
	}
	require.NoError(t, other.Apply(t.Context(), &all, storage.UpdateOptions{}))
	for range 4 * len(keys) {
		require.NoError(t, other.Update(t.Context(), []storage.Named{{Key: []byte("x")}}, storage.UpdateOptions{},
			func(tx storage.Tx) error { _ = tx.Seq(); return nil }))
	}
	return other
}

// TestALostDefinitionIsGuessed from the items of the table.
func TestALostDefinitionIsGuessed(t *testing.T) {
	d, store := crossrefDB(t)
	ctx := t.Context()
	keys, _ := stored(t, store, key.CatalogRange(key.SubTable))
	other := withoutRange(t, store, storage.Range{Start: keys[0], End: append(keys[0], 0)})
	for range 2 {
		_, err := crossref.Check(ctx, other, crossref.Options{Repair: true, Now: d.clock.Now()})
		require.NoError(t, err)
	}
	require.NoError(t, consistent(ctx, other, d.clock.Now()))
	db, err := OpenStore(other, Options{NoBackground: true, Clock: d.clock.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	out, err := db.Query(ctx, &api.QueryInput{
		TableName: api.Some("recovered-16"), KeyConditionExpression: api.Some("pk = :p"),
		ExpressionAttributeValues: []api.NamedValue{{Placeholder: ":p", Value: d.build(attr.NewItem().S("p", "p5")).Get("p")}},
	})
	require.NoError(t, err)
	require.Len(t, out.Items, 5)
	described, err := db.DescribeTable(ctx, &api.DescribeTableInput{TableName: api.Some("recovered-16")})
	require.NoError(t, err)
	require.Equal(t, "ACTIVE", described.Table.TableStatus.Value)
}
