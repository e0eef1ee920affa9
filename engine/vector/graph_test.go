package vector

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func gaussian(rnd *rand.Rand, dims int) []float32 {
	v := make([]float32, dims)
	for i := range v {
		v[i] = float32(rnd.NormFloat64())
	}
	return v
}

// clustered draws vectors as embeddings have them: around some centers, along few directions.
func clustered(rnd *rand.Rand, dims int) func() []float32 {
	const centers, directions = 50, 16
	var at, along [][]float32
	for range centers {
		at = append(at, gaussian(rnd, dims))
	}
	for range directions {
		along = append(along, gaussian(rnd, dims))
	}
	return func() []float32 {
		v := slices.Clone(at[rnd.IntN(centers)])
		for _, d := range along {
			f := float32(rnd.NormFloat64()) / 4
			for i := range v {
				v[i] += f * d[i]
			}
		}
		for i := range v {
			v[i] += float32(rnd.NormFloat64()) / 20
		}
		return v
	}
}

func mustInsert(t testing.TB, g *Graph, key string, v []float32) {
	require.NoError(t, g.Insert(key, "", v, nil))
	g.Link(1)
}

// exact finds the nearest by looking at all.
func exact(m Metric, all map[string][]float32, q []float32, k int) []string {
	type scored struct {
		key  string
		rank float64
	}
	var list []scored
	for key, v := range all {
		list = append(list, scored{key, m.Rank(m.Score(q, v))})
	}
	slices.SortFunc(list, func(a, b scored) int {
		if a.rank != b.rank {
			if a.rank < b.rank {
				return -1
			}
			return 1
		}
		return compareStrings(a.key, b.key)
	})
	var keys []string
	for _, s := range list[:min(k, len(list))] {
		keys = append(keys, s.key)
	}
	return keys
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func keysOf(hits []Hit) (keys []string) {
	for _, h := range hits {
		keys = append(keys, h.Key)
	}
	return keys
}

// recall is the share of the exact answers among those of a graph.
func recall(g *Graph, all map[string][]float32, next func() []float32, queries, k, width int) float64 {
	found, want := 0, 0
	for range queries {
		q := next()
		v := g.View()
		got := keysOf(v.Search("", q, k, width, nil))
		v.Close()
		for _, key := range exact(g.params.Metric, all, q, k) {
			want++
			if slices.Contains(got, key) {
				found++
			}
		}
	}
	return float64(found) / float64(want)
}

// churn deletes half of what there is, moves half of the rest and puts new ones in.
func churn(t testing.TB, g *Graph, all map[string][]float32, next func() []float32) {
	n := len(all)
	for i := range n {
		key := strconv.Itoa(i)
		switch {
		case i%2 == 0:
			require.True(t, g.Remove(key))
			delete(all, key)
		case i%4 == 1:
			all[key] = next()
			mustInsert(t, g, key, all[key])
		}
		for g.RepairDue() {
			g.Repair(100)
		}
	}
	for i := range n / 4 {
		key := "new" + strconv.Itoa(i)
		all[key] = next()
		mustInsert(t, g, key, all[key])
	}
}

func build(t testing.TB, p Params, n int, next func() []float32) (*Graph, map[string][]float32) {
	g, all := New(p), map[string][]float32{}
	for i := range n {
		key := strconv.Itoa(i)
		all[key] = next()
		mustInsert(t, g, key, all[key])
	}
	return g, all
}

// TestRecall: on vectors without any structure and on clustered ones, by each metric, before and after
// half was deleted and half of the rest changed.
func TestRecall(t *testing.T) {
	const dims, n = 16, 350
	for _, m := range []Metric{Cosine, Euclidean, Dot} {
		for _, kind := range []string{"gaussian", "clustered"} {
			if kind == "clustered" && m != Cosine {
				continue // enough
			}
			t.Run(fmt.Sprint(kind, m), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(uint64(m), 3))
				next := func() []float32 { return gaussian(rnd, dims) }
				if kind == "clustered" {
					next = clustered(rnd, dims)
				}
				g, all := build(t, Params{Least: 1, Dims: dims, Metric: m, Seed: [2]uint64{4, 5}}, n, next)
				assert.GreaterOrEqual(t, recall(g, all, next, 20, 10, 100), 0.95, "fresh")
				churn(t, g, all, next)
				require.Len(t, all, g.Live())
				assert.GreaterOrEqual(t, recall(g, all, next, 20, 10, 100), 0.95, "after changes")
				checkLinks(t, g)
			})
		}
	}
}

// checkLinks: nobody is linked to a free node, to itself, twice to another, or out of its partition.
func checkLinks(t *testing.T, g *Graph) {
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.state == stateFree {
			continue
		}
		for level := 0; level <= int(n.level); level++ {
			seen := map[uint32]bool{}
			for _, o := range g.neighbors(uint32(i), level) {
				require.False(t, seen[o] || o == uint32(i), "node %d to %d", i, o)
				seen[o] = true
				require.NotEqual(t, stateFree, g.nodes[o].state, "node %d to %d", i, o)
				require.Same(t, n.part, g.nodes[o].part, "node %d to %d", i, o)
				require.GreaterOrEqual(t, int(g.nodes[o].level), level, "node %d to %d", i, o)
			}
		}
	}
}

// TestScan: it is exact, also under a filter, and a small partition is searched by it.
func TestScan(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	next := func() []float32 { return gaussian(rnd, 7) }
	g, all := build(t, Params{Least: 1, Dims: 7, Metric: Euclidean}, 300, next)
	for range 20 {
		q := next()
		v := g.View()
		assert.Equal(t, exact(Euclidean, all, q, 12), keysOf(v.Scan("", q, 12, nil)))
		assert.Equal(t, exact(Euclidean, all, q, 12), keysOf(v.Search("", q, 12, 300, nil)))
		v.Close()
	}
	v := g.View()
	defer v.Close()
	assert.Empty(t, v.Search("another", next(), 3, 10, nil))
	assert.Empty(t, v.Search("", next(), 0, 10, nil))
	assert.Len(t, v.Scan("", next(), 1000, nil), 300)
}

// TestPartitions: a search in a partition finds all it should, however small it is beside the others.
func TestPartitions(t *testing.T) {
	rnd := rand.New(rand.NewPCG(2, 1))
	g := New(Params{Least: 1, Dims: 16, Metric: Cosine})
	parts := map[string]map[string][]float32{}
	for i := range 1500 {
		part := []string{"large", "large", "large", "large", "middle", "small" + strconv.Itoa(i%40)}[i%6]
		if parts[part] == nil {
			parts[part] = map[string][]float32{}
		}
		v, key := gaussian(rnd, 16), strconv.Itoa(i)
		parts[part][key] = v
		require.NoError(t, g.Insert(key, part, v, nil))
	}
	require.True(t, g.LinkDue())
	require.Equal(t, 1500, g.Link(2000))
	require.False(t, g.LinkDue())
	checkLinks(t, g)
	for part, all := range parts {
		q, found := gaussian(rnd, 16), 0
		v := g.View()
		require.Equal(t, len(all), v.Live(part))
		got := keysOf(v.Search(part, q, 10, 100, nil))
		v.Close()
		want := exact(Cosine, all, q, 10)
		for _, key := range want {
			if slices.Contains(got, key) {
				found++
			}
		}
		require.Len(t, got, len(want))
		assert.GreaterOrEqual(t, found, len(want)-1, part)
	}
	// A vector that moves to another partition is gone from the first.
	moved := gaussian(rnd, 16)
	require.NoError(t, g.Insert("0", "middle", moved, nil))
	v := g.View()
	defer v.Close()
	assert.Equal(t, "0", v.Search("middle", moved, 1, 50, nil)[0].Key)
	assert.NotEqual(t, "0", v.Search("large", moved, 1, 50, nil)[0].Key)
}

// TestFilter: what a filter takes is found, whether it takes much or little.
func TestFilter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 1))
	next := func() []float32 { return gaussian(rnd, 16) }
	g, all := New(Params{Least: 1, Dims: 16, Metric: Dot}), map[string][]float32{}
	for i := range 2500 {
		key := strconv.Itoa(i)
		all[key] = next()
		require.NoError(t, g.Insert(key, "", all[key], []byte(key)))
		g.Link(i % 3) // some are loose for a while, and the last ones at the end
	}
	for _, each := range []int{2, 50, 1000, 3000} {
		match := func(key string, note []byte) bool {
			assert.Equal(t, key, string(note))
			i, _ := strconv.Atoi(key)
			return i%each == 1
		}
		some := map[string][]float32{}
		for key, v := range all {
			if match(key, []byte(key)) {
				some[key] = v
			}
		}
		q, found := next(), 0
		v := g.View()
		got := keysOf(v.Search("", q, 10, 100, match))
		v.Close()
		want := exact(Dot, some, q, 10)
		for _, key := range want {
			if slices.Contains(got, key) {
				found++
			}
		}
		require.Len(t, got, len(want), each)
		assert.GreaterOrEqual(t, found, len(want)-1, each)
	}
}

// TestSearchesBesideAWriter: searches see every vector that stays, while others come and go.
func TestSearchesBesideAWriter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 1))
	next := func() []float32 { return gaussian(rnd, 8) }
	g, all := build(t, Params{Least: 1, Dims: 8, Metric: Euclidean}, 200, next)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for r := range 3 {
		readers.Go(func() {
			for i := r; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				key := strconv.Itoa(i % 100) // these stay
				v := g.View()
				hits := v.Search("", all[key], 1, 32, nil)
				v.Close()
				if len(hits) != 1 || hits[0].Key != key {
					t.Errorf("searched %s, found %v", key, hits)
					return
				}
			}
		})
	}
	for i := range 300 {
		key := strconv.Itoa(100 + i%150)
		if g.Has(key) {
			require.True(t, g.Remove(key))
		} else {
			mustInsert(t, g, key, next())
		}
		if g.RepairDue() {
			g.Repair(50)
		}
	}
	close(stop)
	readers.Wait()
	assert.False(t, g.Remove("none"))
}

func TestDistances(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 1))
	for _, dims := range []int{1, 2, 7, 8, 9, 16, 17, 31, 32, 128, 135} {
		a, b := gaussian(rnd, dims), gaussian(rnd, dims)
		var inner, diff, aa, bb float64
		for i := range a {
			x, y := float64(a[i]), float64(b[i])
			inner, diff, aa, bb = inner+x*y, diff+(x-y)*(x-y), aa+x*x, bb+y*y
		}
		assert.InDelta(t, inner, dot(a, b), 1e-4, dims)
		assert.InDelta(t, diff, squares(a, b), 1e-4, dims)
		assert.InDelta(t, inner, dotPlain(a, b), 1e-4, dims)
		assert.InDelta(t, diff, squaresPlain(a, b), 1e-4, dims)
		assert.InDelta(t, inner, Dot.Score(a, b), 1e-9, dims)
		assert.InDelta(t, math.Sqrt(diff), Euclidean.Score(a, b), 1e-9, dims)
		assert.InDelta(t, 1-inner/math.Sqrt(aa*bb), Cosine.Score(a, b), 1e-9, dims)
		assert.Zero(t, Cosine.Score(a, a))
		assert.InDelta(t, 1, Cosine.Score(a, make([]float32, dims)), 0)
	}
	assert.Equal(t, []string{"near", "far"}, exact(Dot, map[string][]float32{"near": {2}, "far": {1}}, []float32{1}, 2))
}

// TestCalibrate: a graph finds a width with which its searches find nearly all, and that vectors without
// structure are better looked at one by one.
func TestCalibrate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(6, 1))
	next := func() []float32 { return gaussian(rnd, 4) }
	g, all := build(t, Params{Least: 1, Dims: 4, Metric: Euclidean}, 1200, next)
	require.True(t, g.CalibrateDue())
	g.Calibrate()
	require.False(t, g.CalibrateDue())
	w := g.Widths()
	assert.GreaterOrEqual(t, w.Few, widthLeast)
	assert.GreaterOrEqual(t, w.Many, w.Few)
	assert.GreaterOrEqual(t, recall(g, all, next, 20, 10, 0), 0.95)
	assert.Equal(t, w.Few, w.width(1))
	assert.Equal(t, w.Many, w.width(many))
	assert.Equal(t, always, Widths{Few: 64, Many: always}.width(11))
	assert.Equal(t, 400, Widths{}.width(many))
}

// TestPages: a graph that is loaded from its pages answers as the one that they were written from, and goes
// on like it.
func TestPages(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 1))
	next := func() []float32 { return gaussian(rnd, 6) }
	p := Params{Least: 1, Dims: 6, Metric: Cosine}
	part := func(key string) string { return key[:1] }
	g, stored := New(p), map[PageID][]byte{}
	save := func() {
		for _, id := range g.Changed() {
			stored[id] = g.AppendPage(nil, id)
		}
		g.Clean()
		require.Empty(t, g.Changed())
	}
	load := func() *Graph {
		l, err := NewLoader(p, g.Nodes(), part)
		require.NoError(t, err)
		for id, content := range stored {
			require.NoError(t, l.Page(id, content))
		}
		loaded, err := l.Graph()
		require.NoError(t, err)
		return loaded
	}
	for round := range 6 {
		for i := range 120 {
			key := strconv.Itoa(rnd.IntN(300))
			if rnd.IntN(3) == 0 {
				g.Remove(key)
			} else {
				require.NoError(t, g.Insert(key, part(key), next(), []byte("note "+key)))
			}
			g.Link(rnd.IntN(2))
			if g.RepairDue() && i%10 == 0 {
				g.Repair(30)
			}
		}
		save()
		loaded := load()
		require.Equal(t, g.Live(), loaded.Live())
		checkLinks(t, loaded)
		for range 10 {
			q, in := next(), strconv.Itoa(1+rnd.IntN(9))
			match := func(key string, note []byte) bool { return string(note) == "note "+key }
			a, b := g.View(), loaded.View()
			assert.Equal(t, a.Scan(in, q, 5, match), b.Scan(in, q, 5, match))
			assert.Equal(t, a.Live(in), b.Live(in))
			a.Close()
			b.Close()
		}
		if round%2 == 1 {
			g = loaded // which goes on
		}
	}
}

// TestPageBytes pins the form of pages.
func TestPageBytes(t *testing.T) {
	g := New(Params{Least: 1, Dims: 2, Metric: Euclidean, M: 2, Seed: [2]uint64{1, 1}})
	require.NoError(t, g.Insert("a", "p", []float32{1, -2}, []byte("n")))
	require.NoError(t, g.Insert("b", "p", []float32{0, 0.5}, nil))
	require.Equal(t, 2, g.Link(2))
	g.Remove("b")
	require.NoError(t, g.Insert("c", "p", []float32{1, 1}, nil))
	pages := g.Changed()
	require.Equal(t, []PageID{{vectorPages, 0}, {linkPages, 0}}, pages)
	levels := []byte{g.nodes[0].level, g.nodes[1].level}
	require.Equal(t, []byte{0, 3}, levels, "the seed gives these")
	assert.Equal(t, "01000161016e0000803f000000c0"+"0200017000"+"000000000000003f"+"01000163000000803f0000803f",
		hex.EncodeToString(g.AppendPage(nil, pages[0])))
	assert.Equal(t, "01000101000000"+"02030100000000000000"+"030000", hex.EncodeToString(g.AppendPage(nil, pages[1])))
}

// FuzzPages: damaged pages are an error or a sound graph.
func FuzzPages(f *testing.F) {
	rnd := rand.New(rand.NewPCG(8, 1))
	p := Params{Least: 1, Dims: 3, Metric: Dot, M: 2}
	g, _ := build(f, p, 20, func() []float32 { return gaussian(rnd, 3) })
	for i := range 5 {
		g.Remove(strconv.Itoa(i))
	}
	f.Add(g.AppendPage(nil, PageID{vectorPages, 0}), g.AppendPage(nil, PageID{linkPages, 0}))
	f.Fuzz(func(t *testing.T, vectors, links []byte) {
		l, err := NewLoader(p, PageNodes, func(string) string { return "" })
		require.NoError(t, err)
		if l.Page(PageID{vectorPages, 0}, vectors) != nil || l.Page(PageID{linkPages, 0}, links) != nil {
			return
		}
		loaded, err := l.Graph()
		if err != nil {
			return
		}
		v := loaded.View()
		v.Search("", []float32{1, 2, 3}, 3, 2, nil)
		v.Close()
		require.NoError(t, loaded.Insert("new", "", []float32{1, 1, 1}, nil))
		loaded.Link(2 * PageNodes)
		checkLinks(t, loaded)
	})
}
