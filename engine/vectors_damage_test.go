package engine

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/crossref"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// vectorDB is a table whose index has 60 vectors, the n-th at n on a line, of which a graph holds 40.
func vectorDB(t *testing.T) (d *testDB, store storage.Store, ix *schema.Index) {
	d = openTest(t, Options{vectorsExact: 5})
	in := vectorTable("EUCLIDEAN")
	in.VectorIndexes = in.VectorIndexes[:1]
	in.AttributeDefinitions = in.AttributeDefinitions[:3]
	_, err := d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	for i := range 60 {
		if i == 40 {
			require.NoError(t, d.Work(t.Context()))
		}
		d.putVector(i)
	}
	c := d.served.Load()
	table, err := c.catalog.Lookup(t.Context(), "tab")
	require.NoError(t, err)
	return d, c.store, table.Table.Index("all")
}

func (d *testDB) putVector(i int) {
	item := d.build(attr.NewItem().S("pk", strconv.Itoa(i)).N("sk", "1").Vec("v", float32(i), 0, 0, 0, 0).Int("f", int64(i%3)))
	_, err := d.PutItem(d.t.Context(), &api.PutItemInput{TableName: api.Some("tab"), Item: item})
	require.NoError(d.t, err)
}

// around are the keys that a search at a place of the line finds.
func around(t *testing.T, db *DB, at float32) (keys []string) {
	out, err := db.SearchVectors(t.Context(), searchOf("all", 3, "", []float32{at, 0, 0, 0, 0}))
	require.NoError(t, err)
	for _, r := range out.SearchResults {
		keys = append(keys, r.Item.Get("pk").Text())
	}
	return keys
}

// TestDamagedGraphs: verification finds what is wrong with a graph, a repair takes it away, and whether it
// was found or not, searches are right.
func TestDamagedGraphs(t *testing.T) {
	d, store, ix := vectorDB(t)
	table, err := d.served.Load().catalog.Lookup(t.Context(), "tab")
	require.NoError(t, err)
	id := table.Table.ID
	rows := func(sub uint32) key.Range { return key.SpaceRange(key.TableSpace(id), sub) }
	keys, values := stored(t, store, key.Range{})
	for _, c := range []struct {
		what   string
		in     key.Range
		change func(k, v []byte) (value []byte, keep bool) // of each row
	}{
		{"the graph is malformed", rows(ix.Vector.Graph), func(k, v []byte) ([]byte, bool) {
			if _, _, page := key.SplitPage(k); page {
				return v[:len(v)-1], true
			}
			return v, true
		}},
		{"the graph is malformed", rows(ix.Vector.Graph), func(k, v []byte) ([]byte, bool) {
			kind, _, page := key.SplitPage(k)
			return v, !page || kind == 0
		}},
		{"the graph is malformed", rows(ix.Vector.Graph), func(k, v []byte) ([]byte, bool) {
			if _, _, page := key.SplitPage(k); !page {
				return []byte("no state"), true
			}
			return v, true
		}},
		{"an entry is not in the graph", rows(ix.Vector.Tail), func([]byte, []byte) ([]byte, bool) { return nil, false }},
		{"a row of the tail is malformed", rows(ix.Vector.Tail), nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			other, err := memstore.Open(memstore.Options{})
			require.NoError(t, err)
			var all storage.Batch
			for i := range keys {
				all.Put(keys[i], values[i])
			}
			ks, vs := stored(t, store, c.in)
			for i := range ks {
				if c.change == nil {
					all.Put(bytes.Clone(c.in.Start), nil)
				} else if v, keep := c.change(ks[i], vs[i]); keep {
					all.Put(ks[i], v)
				} else {
					all.Delete(ks[i])
				}
			}
			for range 4 * len(keys) { // so that the Seqs of the tail were given out
				require.NoError(t, other.Update(t.Context(), []storage.Named{{Key: []byte("x")}}, storage.UpdateOptions{},
					func(tx storage.Tx) error { _ = tx.Seq(); return nil }))
			}
			require.NoError(t, other.Apply(t.Context(), &all, storage.UpdateOptions{}))
			report, err := crossref.Check(t.Context(), other, crossref.Options{Repair: true})
			require.NoError(t, err)
			var text []string
			found := false
			for _, f := range report.Faults {
				text = append(text, fmt.Sprintf("%s %s %s", f.Region, f.Index, f.What))
				found = found || f.Region == crossref.Vectors && bytes.Contains([]byte(f.What), []byte(c.what))
			}
			require.True(t, found, "%v", text)
			require.NoError(t, consistent(t.Context(), other, d.clock.Now()), "after the repair")
			db, err := OpenStore(other, Options{NoBackground: true, Clock: d.clock.Now, vectorsExact: 5})
			require.NoError(t, err)
			require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, db, 50))
			require.NoError(t, db.Work(t.Context()))
			require.ElementsMatch(t, []string{"9", "10", "11"}, around(t, db, 10))
			require.NoError(t, consistent(t.Context(), other, d.clock.Now()), "after the graph was made anew")
			require.NoError(t, db.Close())
		})
	}
}

// TestDamagedGraphIsMadeAnew: without a repair, too.
func TestDamagedGraphIsMadeAnew(t *testing.T) {
	d, store, ix := vectorDB(t)
	table, err := d.served.Load().catalog.Lookup(t.Context(), "tab")
	require.NoError(t, err)
	keys, values := stored(t, store, key.Range{})
	other, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	var all storage.Batch
	for i := range keys {
		v := values[i]
		if bytes.Equal(keys[i], key.AppendPage(nil, table.Table.ID, ix, 0, 0)) {
			v = v[:7]
		}
		all.Put(keys[i], v)
	}
	require.NoError(t, other.Apply(t.Context(), &all, storage.UpdateOptions{}))
	require.Error(t, consistent(t.Context(), other, d.clock.Now()))
	db, err := OpenStore(other, Options{NoBackground: true, Clock: d.clock.Now, vectorsExact: 5})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, db, 50))
	require.NoError(t, db.Work(t.Context()))
	require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, db, 50))
	require.NoError(t, consistent(t.Context(), other, d.clock.Now()))
	require.NoError(t, db.Close())
}

// TestVectorsBesideTheWorker: writers, searches and whoever follows at the same time, on a store that loses
// answers and runs everything several times; an acknowledged write is found at once.
func TestVectorsBesideTheWorker(t *testing.T) {
	store, err := memstore.Open(memstore.Options{Seed: 5, Rerun: 0.1, Conflict: 0.02, Late: 8, Expire: 0.02, Mangle: true})
	require.NoError(t, err)
	db, err := OpenStore(store, Options{vectorsExact: 5})
	require.NoError(t, err)
	in := vectorTable("EUCLIDEAN")
	_, err = db.CreateTable(t.Context(), in)
	require.NoError(t, err)
	const writers, each = 3, 60
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				at := float32(10 * (w*each + i))
				pk := strconv.Itoa(w*each + i)
				item, err := attr.NewItem().S("pk", pk).N("sk", "1").Vec("v", at, 0, 0, 0, 0).S("h", "h").Build()
				if err == nil {
					_, err = db.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("tab"), Item: item})
				}
				if err != nil {
					t.Errorf("put: %v", err)
					return
				}
				out, err := db.SearchVectors(t.Context(), searchOf("all", 1, "", []float32{at + 1, 0, 0, 0, 0}))
				if err != nil || len(out.SearchResults) != 1 || out.SearchResults[0].Item.Get("pk").Text() != pk {
					t.Errorf("item %s is not found: %v", pk, err)
					return
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, db.Work(t.Context()))
	require.Len(t, around(t, db, 333), 3)
	require.NoError(t, db.Close())
}

// TestSalvagedVectors: whatever of a damaged file can be read, its new file is right, and searches find
// what there is.
func TestSalvagedVectors(t *testing.T) {
	for seed := range uint64(4) {
		path := filepath.Join(t.TempDir(), "db.keystone")
		opts := Options{NoBackground: true, Sync: SyncOff, MemtableBytes: 1 << 20, vectorsExact: 5}
		db, err := Open(path, opts)
		require.NoError(t, err)
		d := &testDB{DB: db, t: t}
		_, err = db.CreateTable(t.Context(), vectorTable("EUCLIDEAN"))
		require.NoError(t, err)
		for i := range 300 {
			d.putVector(i)
			if i%100 == 50 {
				require.NoError(t, db.Work(t.Context()))
			}
		}
		require.NoError(t, db.Close())
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		var tables []int
		for at := 8192; at < len(whole); at += 4096 {
			if bytes.HasPrefix(whole[at:], []byte("kstntbl\x01")) {
				tables = append(tables, at)
			}
		}
		require.NotEmpty(t, tables)
		rnd := rand.New(rand.NewPCG(seed, 3))
		for range 1 + rnd.IntN(8) {
			at := tables[rnd.IntN(len(tables))] + 80 + rnd.IntN(200)
			for i := range 1 + rnd.IntN(100) {
				whole[min(at+i, len(whole)-1)] ^= byte(1 + rnd.IntN(255))
			}
		}
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		fresh := filepath.Join(t.TempDir(), "new.keystone")
		r, err := Salvage(t.Context(), path, fresh, SalvageOptions{})
		require.NoError(t, err, "seed %d", seed)
		require.True(t, r.Verified.OK, "seed %d: %v", seed, r.Verified.Faults)
		db, err = Open(fresh, opts)
		require.NoError(t, err)
		table, err := db.DescribeTable(t.Context(), &api.DescribeTableInput{TableName: api.Some("tab")})
		if err == nil && len(table.Table.VectorIndexes) > 0 {
			for range 2 {
				out, err := db.SearchVectors(t.Context(), searchOf("all", 100, "", []float32{100, 0, 0, 0, 0}))
				require.NoError(t, err)
				require.Len(t, out.SearchResults, min(100, int(r.Items)))
				require.NoError(t, db.Work(t.Context()))
			}
		}
		require.NoError(t, db.Close())
		v, err := Verify(t.Context(), fresh, VerifyOptions{})
		require.NoError(t, err)
		require.True(t, v.OK, "seed %d: %v", seed, v.Faults)
	}
}

// TestGraphsOutliveUncertainty: whatever answers of the store are lost, what is stored of a graph fits
// together with what is not.
func TestGraphsOutliveUncertainty(t *testing.T) {
	store, err := memstore.Open(memstore.Options{Seed: 11, Uncertain: 0.05, Unavailable: 0.05, Conflict: 0.05, Mangle: true})
	require.NoError(t, err)
	now := time.Unix(1_800_000_000, 0)
	var db *DB
	for err = errors.New("not yet"); err != nil; { // the store may refuse the opening, too
		db, err = OpenStore(store, Options{NoBackground: true, vectorsExact: 5, Clock: func() time.Time { return now }})
	}
	d := &testDB{DB: db, t: t}
	for err = errors.New("not yet"); err != nil; {
		_, err = db.CreateTable(t.Context(), vectorTable("EUCLIDEAN"))
		if own, ok := errors.AsType[*api.Error](err); ok && own.Code == api.ResourceInUse {
			break // it was made, and the answer lost
		}
	}
	for i := range 120 {
		item := d.build(attr.NewItem().S("pk", strconv.Itoa(i)).N("sk", "1").Vec("v", float32(i), 0, 0, 0, 0))
		for err = errors.New("not yet"); err != nil; {
			_, err = db.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("tab"), Item: item})
		}
		if i%10 == 9 {
			_ = db.Work(t.Context()) // may fail, and is done again
		}
	}
	for err = errors.New("not yet"); err != nil; {
		err = db.Work(t.Context())
	}
	require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, db, 50))
	require.NoError(t, consistent(t.Context(), store, now))
	_ = db.Close()
}

// TestResetVectors: searches find what there was at a checkpoint.
func TestResetVectors(t *testing.T) {
	db, err := OpenInMemory(Options{NoBackground: true, vectorsExact: 5})
	require.NoError(t, err)
	d := &testDB{DB: db, t: t}
	_, err = db.CreateTable(t.Context(), vectorTable("EUCLIDEAN"))
	require.NoError(t, err)
	for i := range 30 {
		d.putVector(i)
	}
	require.NoError(t, db.Work(t.Context()))
	require.NoError(t, db.Checkpoint("thirty"))
	for i := 30; i < 60; i++ {
		d.putVector(i)
	}
	require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, db, 50))
	require.NoError(t, db.Work(t.Context()))
	require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, db, 50))
	require.NoError(t, db.Reset("thirty"))
	require.ElementsMatch(t, []string{"27", "28", "29"}, around(t, db, 50))
	d.putVector(50)
	require.ElementsMatch(t, []string{"28", "29", "50"}, around(t, db, 50))
	require.NoError(t, db.Work(t.Context()))
	require.ElementsMatch(t, []string{"28", "29", "50"}, around(t, db, 50))
	require.NoError(t, db.Close())
}
