package engine

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/vector"
)

// kinds of vectors: what nobody would index, and what looks like embeddings.
var kinds = []string{"uniform", "gaussian", "normalized", "clustered"}

// drawn returns what draws vectors of a kind.
func drawn(kind string, rnd *rand.Rand) func() []float32 {
	const centers = 100
	normal := func() []float32 {
		v := make([]float32, benchDims)
		for i := range v {
			v[i] = float32(rnd.NormFloat64())
		}
		return v
	}
	around := make([][]float32, centers)
	for i := range around {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		for range benchDims {
			around[i] = append(around[i], float32(r.NormFloat64()))
		}
	}
	return func() []float32 {
		v := normal()
		switch kind {
		case "uniform":
			for i := range v {
				v[i] = 2*rnd.Float32() - 1
			}
		case "normalized":
			length := float32(vector.Euclidean.Score(v, make([]float32, benchDims)))
			for i := range v {
				v[i] /= length
			}
		case "clustered":
			for i, x := range around[rnd.IntN(centers)] {
				v[i] = v[i]/3 + x
			}
		}
		return v
	}
}

// recallLoad writes n vectors, calls half, and then deletes half of them and changes half of the rest; it gives
// what there is. Writing is left out where there is no database: the same seed gives the same vectors.
func recallLoad(t *testing.T, db *DB, kind string, n int, half func(all map[string][]float32)) map[string][]float32 {
	all, next := map[string][]float32{}, drawn(kind, rand.New(rand.NewPCG(1, 2)))
	var list []api.WriteRequest
	write := func(r *api.WriteRequest) {
		if r != nil {
			list = append(list, *r)
		}
		if db == nil || len(list) == 0 || r != nil && len(list) < 25 {
			return
		}
		_, err := db.BatchWriteItem(t.Context(), &api.BatchWriteItemInput{
			RequestItems: []api.BatchWriteItemRequestMapEntry{{Key: "tab", Value: list}},
		})
		require.NoError(t, err)
		list = nil
	}
	put := func(i int) {
		pk, v := strconv.Itoa(i), next()
		all[pk] = v
		item, err := attr.NewItem().S("pk", pk).Vec("v", v...).Build()
		require.NoError(t, err)
		write(&api.WriteRequest{PutRequest: &api.PutRequest{Item: item}})
	}
	for i := range n {
		put(i)
	}
	write(nil)
	half(all)
	for i := range n {
		switch {
		case i%4 == 1:
			put(i)
		case i%2 == 0:
			delete(all, strconv.Itoa(i))
			key, err := attr.NewItem().S("pk", strconv.Itoa(i)).Build()
			require.NoError(t, err)
			write(&api.WriteRequest{DeleteRequest: &api.DeleteRequest{Key: key}})
		}
	}
	write(nil)
	return all
}

// recallOf is the share of the nearest ten that searches find, and how long one takes.
func recallOf(t *testing.T, db *DB, m vector.Metric, kind string, all map[string][]float32) (recall float64, took time.Duration) {
	const searches, k = 40, 10
	next, hits := drawn(kind, rand.New(rand.NewPCG(3, 4))), 0
	for range searches {
		q := next()
		in := searchOf("all", k, "", q)
		begun := time.Now()
		out, err := db.SearchVectors(t.Context(), in)
		took += time.Since(begun)
		require.NoError(t, err)
		require.Len(t, out.SearchResults, k)
		var ranks []float64
		for _, v := range all {
			ranks = append(ranks, m.Rank(m.Score(q, v)))
		}
		slices.Sort(ranks)
		for _, r := range out.SearchResults {
			if m.Rank(r.Score.Value) <= ranks[k-1] {
				hits++
			}
		}
	}
	return float64(hits) / searches / k, took / searches
}

// recallSize is how many vectors of a kind there are. Few clustered ones have links from the first on, so that
// searches by them are tested, too.
func recallSize(kind string) (int, Options) {
	const few = 900        // not so many that a trial would find that links are of no use
	const nightly = 25_000 // so many that there are links where they are of use
	opts := Options{NoBackground: true, Sync: SyncOff}
	if kind == "clustered" && os.Getenv("KSTONE_VECTORS") == "" && os.Getenv("KSTONE_NIGHT") == "" {
		opts.vectorsExact = 5
		return few, opts
	}
	if os.Getenv("KSTONE_NIGHT") != "" && os.Getenv("KSTONE_VECTORS") == "" {
		return nightly, opts
	}
	return benchVectors(), opts
}

const recallEnv = "KSTONE_RECALL"

// TestVectorRecall: of each kind of vectors, by each distance, searches find 0.95 of the nearest ten and
// more, also after half of them was deleted and half of the rest has changed, and after kill -9. KSTONE_VECTORS=100000
// tells figures.
func TestVectorRecall(t *testing.T) {
	metrics := map[string]vector.Metric{"COSINE": vector.Cosine, "EUCLIDEAN": vector.Euclidean, "DOT_PRODUCT": vector.Dot}
	if path := os.Getenv(recallEnv); path != "" {
		recallChild(t, path, metrics)
		return
	}
	only, night := os.Getenv("KSTONE_VECTOR_KINDS"), os.Getenv("KSTONE_NIGHT") != ""
	for i, kind := range kinds {
		for distance, m := range metrics {
			if only == "" && !night && m != vector.Metric(1+i%3) || only != "" && !strings.Contains(only, kind+"/"+distance) {
				continue // each kind and each distance, but not all pairs
			}
			t.Run(kind+"/"+distance, func(t *testing.T) {
				n, opts := recallSize(kind)
				path := filepath.Join(t.TempDir(), "db.keystone")
				cmd := exec.Command(os.Args[0], "-test.run=^TestVectorRecall$", "-test.v")
				cmd.Env = append(os.Environ(), recallEnv+"="+kind+" "+distance+" "+path)
				printed, err := cmd.CombinedOutput()
				require.Error(t, err, "it kills itself")
				require.Contains(t, string(printed), "fresh", "before it kills itself")
				t.Logf("%s", printed)
				all := recallLoad(t, nil, kind, n, func(map[string][]float32) {})
				first := searchOf("all", 10, "", all["3"])
				begun := time.Now()
				db, err := Open(path, opts)
				require.NoError(t, err)
				opened := time.Since(begun)
				_, err = db.SearchVectors(t.Context(), first)
				require.NoError(t, err)
				t.Logf("first answer after kill -9: %v, of which to open %v", time.Since(begun), opened)
				for _, label := range []string{"after kill -9", "when all is in the graph"} {
					r, took := recallOf(t, db, m, kind, all)
					t.Logf("%s: recall %.3f, %v", label, r, took)
					require.GreaterOrEqual(t, r, 0.95, label)
					require.NoError(t, db.Work(t.Context()))
				}
				require.NoError(t, db.Close())
			})
		}
	}
}

// recallChild writes vectors, searches, changes them and kills itself before the graph has the changes.
func recallChild(t *testing.T, what string, metrics map[string]vector.Metric) {
	kind, rest, _ := strings.Cut(what, " ")
	distance, path, _ := strings.Cut(rest, " ")
	n, opts := recallSize(kind)
	db, err := Open(path, opts)
	require.NoError(t, err)
	in := benchTable(true)
	in.VectorIndexes[0].DistanceFunction = api.Some(distance)
	_, err = db.CreateTable(t.Context(), in)
	require.NoError(t, err)
	recallLoad(t, db, kind, n, func(all map[string][]float32) {
		begun := time.Now()
		require.NoError(t, db.Work(context.Background()))
		t.Logf("in the graph after %v", time.Since(begun))
		r, took := recallOf(t, db, metrics[distance], kind, all)
		t.Logf("fresh: recall %.3f, %v", r, took)
		require.GreaterOrEqual(t, r, 0.95)
	})
	p, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, p.Kill())
	select {}
}
