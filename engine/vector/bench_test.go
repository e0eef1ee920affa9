package vector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDistance: what one comparison of a search costs, and one of an exact score.
func BenchmarkDistance(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, dims := range []int{128, 768, 1536} {
		x, y := gaussian(rnd, dims), gaussian(rnd, dims)
		b.Run(fmt.Sprintf("dot/%d", dims), func(b *testing.B) {
			for b.Loop() {
				dot(x, y)
			}
		})
		b.Run(fmt.Sprintf("squares/%d", dims), func(b *testing.B) {
			for b.Loop() {
				squares(x, y)
			}
		})
		b.Run(fmt.Sprintf("score/%d", dims), func(b *testing.B) {
			for b.Loop() {
				Cosine.Score(x, y)
			}
		})
	}
}

// size is that of the graphs of benchmarks.
func size() int {
	if n, err := strconv.Atoi(os.Getenv("KSTONE_VECTORS")); err == nil {
		return n
	}
	return 10_000
}

// work does all that is due on a graph.
func work(g *Graph) {
	const step = 256
	for {
		g.Tidy()
		switch {
		case g.RepairDue():
			g.Repair(step)
		case g.CalibrateDue():
			g.Calibrate()
		case g.LinkDue():
			g.Link(step)
		default:
			return
		}
	}
}

// BenchmarkGraph: the rate at which a graph is built, recall at 10 and latency of its searches beside scans
// with codes and without, fresh and after half of it was deleted and half of the rest changed.
// KSTONE_VECTORS=100000 for the real size.
func BenchmarkGraph(b *testing.B) {
	const dims = 128
	for name, data := range map[string]func(*rand.Rand) func() []float32{
		"gaussian":  func(r *rand.Rand) func() []float32 { return func() []float32 { return gaussian(r, dims) } },
		"clustered": func(r *rand.Rand) func() []float32 { return clustered(r, dims) },
	} {
		rnd := rand.New(rand.NewPCG(7, 8))
		next := data(rnd)
		g, all := New(Params{Dims: dims, Metric: Cosine, Seed: [2]uint64{1, 2}}), map[string][]float32{}
		b.Run(name+"/build", func(b *testing.B) {
			// Once, however often the benchmark runs; the figure is the metric.
			begun := time.Now()
			for i := len(all); i < size(); i++ {
				key := strconv.Itoa(i)
				all[key] = next()
				require.NoError(b, g.Insert(key, "", all[key], nil))
			}
			work(g)
			if took := time.Since(begun); took > time.Millisecond {
				b.ReportMetric(float64(size())/took.Seconds(), "vectors/s")
			}
			b.Logf("%d of %d have links, widths %+v", g.linked, g.live, g.Widths())
		})
		benchSearches(b, name+"/fresh", g, all, next)
		churn(b, g, all, next)
		work(g)
		benchSearches(b, name+"/churned", g, all, next)
	}
}

func benchSearches(b *testing.B, label string, g *Graph, all map[string][]float32, next func() []float32) {
	run := func(name string, search func(v *View, q []float32)) {
		b.Run(label+"/"+name, func(b *testing.B) {
			q := next()
			for b.Loop() {
				v := g.View()
				search(v, q)
				v.Close()
			}
			if name == "search" {
				b.ReportMetric(recall(g, all, next, 50, 10, 0), "recall")
			}
		})
	}
	run("search", func(v *View, q []float32) { v.Search("", q, 10, 0, nil) })
	run("scan", func(v *View, q []float32) { v.Scan("", q, 10, nil) })
	codes := g.codes
	g.codes = nil
	run("floats", func(v *View, q []float32) { v.Scan("", q, 10, nil) })
	g.codes = codes
}
