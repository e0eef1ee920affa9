package engine

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
)

// TestVectorBytes: an index for whose graph there is no room is searched as before, nothing of its graph stays,
// and neither does the tail; with more room, there is a graph again.
func TestVectorBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db.keystone")
	now := time.Unix(1_800_000_000, 0)
	opts := Options{NoBackground: true, Clock: func() time.Time { return now }, vectorsExact: 5, VectorBytes: 60_000, Sync: SyncOff}
	db, err := Open(path, opts)
	require.NoError(t, err)
	d := &testDB{DB: db, t: t}
	in := vectorTable("EUCLIDEAN")
	in.VectorIndexes, in.AttributeDefinitions = in.VectorIndexes[:1], in.AttributeDefinitions[:3]
	_, err = d.CreateTable(t.Context(), in)
	require.NoError(t, err)
	put := func(from, to int) {
		for i := from; i < to; i++ {
			d.putVector(i)
		}
	}
	work := func() {
		require.NoError(t, d.Work(t.Context()))
		require.NoError(t, consistent(t.Context(), d.served.Load().store, now))
	}
	table, err := d.served.Load().catalog.Lookup(t.Context(), "tab")
	require.NoError(t, err)
	ix := table.Table.Index("all")
	rows := func(sub uint32) int {
		keys, _ := stored(t, d.served.Load().store, key.SpaceRange(key.TableSpace(table.Table.ID), sub))
		return len(keys)
	}
	put(0, 60)
	work()
	require.Positive(t, db.Stats().VectorBytes)
	require.Equal(t, int64(60_000), db.Stats().VectorBudget)
	require.Greater(t, rows(ix.Vector.Graph), 1)

	put(60, 500)
	work()
	require.ElementsMatch(t, []string{"49", "50", "51"}, around(t, d.DB, 50))
	require.Equal(t, 1, rows(ix.Vector.Graph), "the state alone")
	require.Zero(t, rows(ix.Vector.Tail))
	require.Zero(t, db.Stats().VectorBytes)
	put(500, 600) // which nobody follows
	work()
	require.Zero(t, rows(ix.Vector.Tail))
	require.ElementsMatch(t, []string{"549", "550", "551"}, around(t, d.DB, 550))

	require.NoError(t, d.Close())
	opts.VectorBytes = 0
	db, err = Open(path, opts)
	require.NoError(t, err)
	d = &testDB{DB: db, t: t}
	put(600, 610)
	require.ElementsMatch(t, []string{"604", "605", "606"}, around(t, d.DB, 605))
	work()
	require.Greater(t, rows(ix.Vector.Graph), 2)
	require.Positive(t, db.Stats().VectorBytes)
	require.ElementsMatch(t, []string{"604", "605", "606"}, around(t, d.DB, 605))

	// With less room, what is stored of it waits, and goes when much has changed.
	require.NoError(t, d.Close())
	opts.VectorBytes = 1000
	db, err = Open(path, opts)
	require.NoError(t, err)
	d = &testDB{DB: db, t: t}
	require.ElementsMatch(t, []string{"604", "605", "606"}, around(t, d.DB, 605))
	require.Zero(t, db.Stats().VectorBytes)
	put(610, 620)
	work()
	require.Greater(t, rows(ix.Vector.Graph), 2)
	require.Positive(t, rows(ix.Vector.Tail))
	require.ElementsMatch(t, []string{"614", "615", "616"}, around(t, d.DB, 615))
	put(620, 1700)
	work()
	require.Equal(t, 1, rows(ix.Vector.Graph))
	require.Zero(t, rows(ix.Vector.Tail))
	require.ElementsMatch(t, []string{"1614", "1615", "1616"}, around(t, d.DB, 1615))
	require.NoError(t, d.Close())
}

// TestVectorBytesAreShared: a graph that was not searched for a minute makes room for another one.
func TestVectorBytesAreShared(t *testing.T) {
	d := openTest(t, Options{vectorsExact: 5, VectorBytes: 80_000})
	in := vectorTable("EUCLIDEAN")
	_, err := d.CreateTable(t.Context(), in) // whose two indexes take as much each
	require.NoError(t, err)
	for i := range 110 {
		item := d.build(attr.NewItem().S("pk", strconv.Itoa(i)).N("sk", "1").Vec("v", float32(i), 0, 0, 0, 0).S("h", "h"))
		_, err := d.PutItem(t.Context(), &api.PutItemInput{TableName: api.Some("tab"), Item: item})
		require.NoError(t, err)
	}
	inMemory := func(name string) bool {
		c := d.served.Load()
		table, err := c.catalog.Lookup(t.Context(), "tab")
		require.NoError(t, err)
		return !c.neighbors.Of(table.Table.ID, table.Table.Index(name)).Want()
	}
	search := func(index, condition string) {
		in := searchOf(index, 3, condition, []float32{50, 0, 0, 0, 0})
		if condition != "" {
			in.ExpressionAttributeValues = []api.NamedValue{{Placeholder: ":h", Value: attr.String("h")}}
		}
		out, err := d.SearchVectors(t.Context(), in)
		require.NoError(t, err)
		require.Len(t, out.SearchResults, 3)
		require.NoError(t, d.Work(t.Context()))
	}
	search("all", "")
	require.True(t, inMemory("all"))
	search("byh", "h = :h")
	require.False(t, inMemory("byh"))
	d.clock.add(2 * time.Minute)
	search("byh", "h = :h")
	require.True(t, inMemory("byh"))
	require.LessOrEqual(t, d.Stats().VectorBytes, int64(80_000))
}
