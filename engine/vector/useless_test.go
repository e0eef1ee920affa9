package vector

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFarQueries: where a query is not like the vectors, a width that is enough for others is not trusted.
func TestFarQueries(t *testing.T) {
	for _, m := range []Metric{Euclidean, Cosine, Dot} {
		rnd := rand.New(rand.NewPCG(11, uint64(m)))
		next := clustered(rnd, 16)
		g, all := build(t, Params{Least: 1, Dims: 16, Metric: m, M: 4, Build: 8}, 800, next)
		missed := func(far float32) (n int) {
			g.SetWidths(Widths{Few: 10, Many: 10, Far: far})
			queries := rand.New(rand.NewPCG(12, 1))
			for range 20 {
				q := gaussian(queries, 16)
				v := g.View()
				if !assert.ObjectsAreEqual(exact(m, all, q, 10), keysOf(v.Search("", q, 10, 0, nil))) {
					n++
				}
				v.Close()
			}
			return n
		}
		assert.Positive(t, missed(0), "the graph is good enough to test nothing")
		least := map[Metric]float32{Euclidean: 1e-6, Cosine: -1, Dot: -1e6}
		assert.Zero(t, missed(least[m]), "all are far")
	}
}

// TestUselessLinks: where a trial has shown that links are of no use, vectors get none until there are many
// more, and those that are there go when many of their vectors have died.
func TestUselessLinks(t *testing.T) {
	rnd := rand.New(rand.NewPCG(13, 1))
	next := func() []float32 { return gaussian(rnd, 8) }
	p := Params{Least: 1, Dims: 8, Metric: Euclidean}
	g, all := build(t, p, 400, next)
	g.SetWidths(Widths{Few: always, Many: always})
	put := func(from, to int) {
		for i := from; i < to; i++ {
			key := strconv.Itoa(i)
			all[key] = next()
			require.NoError(t, g.Insert(key, "", all[key], nil))
		}
	}
	put(400, 500)
	require.False(t, g.LinkDue())
	check := func() {
		t.Helper()
		checkLinks(t, g)
		for range 5 {
			q := next()
			v := g.View()
			assert.Equal(t, exact(Euclidean, all, q, 7), keysOf(v.Search("", q, 7, 0, nil)))
			v.Close()
		}
	}
	check()
	for i := range 100 {
		require.True(t, g.Remove(strconv.Itoa(i)))
		delete(all, strconv.Itoa(i))
	}
	nodes := g.Nodes()
	require.True(t, g.RepairDue())
	g.Repair(1)
	require.False(t, g.RepairDue(), "at once")
	check()
	for _, n := range g.nodes {
		require.Contains(t, []state{stateLoose, stateFree}, n.state)
	}
	put(500, 600)
	require.Equal(t, nodes, g.Nodes(), "in the room of those that died")
	check()

	loader, err := NewLoader(p, g.Nodes(), func(string) string { return "" })
	require.NoError(t, err)
	for _, page := range g.Changed() {
		require.NoError(t, loader.Page(page, g.AppendPage(nil, page)))
	}
	g, err = loader.Graph()
	require.NoError(t, err)
	g.SetWidths(Widths{Few: always, Many: always})
	require.False(t, g.LinkDue())
	check()
	put(600, 1200)
	require.True(t, g.LinkDue(), "twice as many")
	require.Positive(t, g.Link(2000))
	check()
}

// TestBytes: a graph knows about how much memory it takes.
func TestBytes(t *testing.T) {
	g := New(Params{Dims: 128, Metric: Euclidean})
	require.Zero(t, g.Bytes())
	rnd := rand.New(rand.NewPCG(14, 1))
	for i := range 10 * blockNodes {
		require.NoError(t, g.Insert(strconv.Itoa(i), "", gaussian(rnd, 128), []byte("a note")))
	}
	texts := g.Bytes() - BytesOf(g.params, 10*blockNodes)
	require.Greater(t, texts, int64(10*blockNodes*len("a note")))
	require.Less(t, texts, int64(10*blockNodes*len("a note 999")))
	for i := range 10 * blockNodes {
		require.True(t, g.Remove(strconv.Itoa(i)))
	}
	require.Equal(t, BytesOf(g.params, 10*blockNodes), g.Bytes())
}
