package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

const benchDims = 128

// benchVectors is how many there are: KSTONE_VECTORS=100000 for figures.
func benchVectors() int {
	if n, err := strconv.Atoi(os.Getenv("KSTONE_VECTORS")); err == nil {
		return n
	}
	return 3000
}

func benchVector(rnd *rand.Rand) []float32 {
	v := make([]float32, benchDims)
	for i := range v {
		v[i] = float32(rnd.NormFloat64())
	}
	// Around one of 100 centers, as embeddings lie.
	center := rand.New(rand.NewPCG(rnd.Uint64N(100), 1))
	for i := range v {
		v[i] = v[i]/3 + float32(center.NormFloat64())
	}
	return v
}

func benchTable(indexed bool) *api.CreateTableInput {
	in := &api.CreateTableInput{
		TableName: api.Some("tab"), BillingMode: api.Some("PAY_PER_REQUEST"),
		KeySchema:            []api.KeySchemaElement{{AttributeName: api.Some("pk"), KeyType: api.Some("HASH")}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: api.Some("pk"), AttributeType: api.Some("S")}},
	}
	if indexed {
		in.VectorIndexes = []api.VectorIndex{{
			IndexName: api.Some("all"), VectorAttribute: &api.VectorAttributeDefinition{AttributeName: api.Some("v")},
			Dimensions: api.Some[int64](benchDims), DistanceFunction: api.Some("COSINE"),
			Projection: &api.Projection{ProjectionType: api.Some("KEYS_ONLY")},
		}}
	}
	return in
}

// loadVectors puts them in by batches.
func loadVectors(b testing.TB, db *DB, n int) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < n; {
		var list []api.WriteRequest
		for ; len(list) < 25 && i < n; i++ {
			item, err := attr.NewItem().S("pk", strconv.Itoa(i)).Vec("v", benchVector(rnd)...).Build()
			require.NoError(b, err)
			list = append(list, api.WriteRequest{PutRequest: &api.PutRequest{Item: item}})
		}
		_, err := db.BatchWriteItem(context.Background(), &api.BatchWriteItemInput{
			RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "tab", Value: list}},
		})
		require.NoError(b, err)
	}
}

// followed waits until the graphs hold all that was written.
func followed(b testing.TB, db *DB) {
	require.NoError(b, db.Work(context.Background()))
}

// BenchmarkSearchVectors: searches that ask the graph beside those that compare all, through the whole
// engine.
func BenchmarkSearchVectors(b *testing.B) {
	path := filepath.Join(b.TempDir(), "db.keystone")
	opts := Options{Sync: SyncOff, NoBackground: true}
	db, err := Open(path, opts)
	require.NoError(b, err)
	_, err = db.CreateTable(context.Background(), benchTable(true))
	require.NoError(b, err)
	begun := time.Now()
	loadVectors(b, db, benchVectors())
	b.Logf("put %d in %v", benchVectors(), time.Since(begun))
	begun = time.Now()
	followed(b, db)
	b.Logf("followed in %v", time.Since(begun))
	for _, exact := range []int{0, 1 << 30} {
		require.NoError(b, db.Close())
		opts.vectorsExact = exact
		db, err = Open(path, opts)
		require.NoError(b, err)
		b.Run(fmt.Sprintf("exact=%v", exact > 0), func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(5, 6))
			for b.Loop() {
				out, err := db.SearchVectors(context.Background(), searchOf("all", 10, "", benchVector(rnd)))
				require.NoError(b, err)
				require.Len(b, out.SearchResults, 10)
			}
		})
	}
	require.NoError(b, db.Close())
}

// BenchmarkPutVectors: what a put of a vector costs with an index, and without.
func BenchmarkPutVectors(b *testing.B) {
	for _, indexed := range []bool{false, true} {
		b.Run(fmt.Sprintf("indexed=%v", indexed), func(b *testing.B) {
			db, err := OpenInMemory(Options{NoBackground: true})
			require.NoError(b, err)
			_, err = db.CreateTable(context.Background(), benchTable(indexed))
			require.NoError(b, err)
			rnd := rand.New(rand.NewPCG(1, 2))
			var items []attr.Item
			for i := range 500 {
				item, err := attr.NewItem().S("pk", strconv.Itoa(i)).Value("v", floatsOf(benchVector(rnd))).Build()
				require.NoError(b, err)
				items = append(items, item)
			}
			i := 0
			for b.Loop() {
				_, err := db.PutItem(context.Background(), &api.PutItemInput{TableName: api.Some("tab"), Item: items[i%len(items)]})
				require.NoError(b, err)
				i++
			}
			require.NoError(b, db.Close())
		})
	}
}

const killedEnv = "KSTONE_VECTORS_KILLED"

// BenchmarkFirstAnswerAfterKill: how long after kill -9 the first search takes, from the opening of the file
// on, and the first one that asks the graph.
func BenchmarkFirstAnswerAfterKill(b *testing.B) {
	if path := os.Getenv(killedEnv); path != "" {
		db, err := Open(path, Options{})
		require.NoError(b, err)
		_, err = db.CreateTable(context.Background(), benchTable(true))
		require.NoError(b, err)
		loadVectors(b, db, benchVectors())
		followed(b, db)
		loadVectors(b, db, benchVectors()/20) // and some that the graph does not hold
		p, err := os.FindProcess(os.Getpid())
		require.NoError(b, err)
		require.NoError(b, p.Kill())
		select {}
	}
	path := filepath.Join(b.TempDir(), "db.keystone")
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=FirstAnswerAfterKill", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), killedEnv+"="+path)
	require.Error(b, cmd.Run(), "it kills itself")
	rnd := rand.New(rand.NewPCG(5, 6))
	for b.Loop() {
		begun := time.Now()
		db, err := Open(path, Options{})
		require.NoError(b, err)
		opened := time.Since(begun)
		_, err = db.SearchVectors(context.Background(), searchOf("all", 10, "", benchVector(rnd)))
		require.NoError(b, err)
		first := time.Since(begun)
		c := db.served.Load()
		t, err := c.catalog.Lookup(context.Background(), "tab")
		require.NoError(b, err)
		x := c.neighbors.Of(t.Table.ID, t.Table.Index("all"))
		for x.Want() {
			time.Sleep(time.Millisecond) //nolint:sleep // a figure, no test
		}
		loaded := time.Since(begun)
		begun = time.Now()
		_, err = db.SearchVectors(context.Background(), searchOf("all", 10, "", benchVector(rnd)))
		require.NoError(b, err)
		b.Logf("open %v, first answer %v, graph %v, next answer in %v", opened, first, loaded, time.Since(begun))
		require.NoError(b, db.Close())
	}
}
