package vector

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
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

// BenchmarkGraph: the rate at which a graph is built, recall at 10 and latency of its searches beside
// exact ones, fresh and after half of it was deleted and updated. KSTONE_VECTORS=100000 for the real size.
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
				mustInsert(b, g, key, all[key])
			}
			if took := time.Since(begun); took > time.Millisecond {
				b.ReportMetric(float64(size())/took.Seconds(), "vectors/s")
			}
		})
		b.Run(name+"/calibrate", func(b *testing.B) {
			for b.Loop() {
				g.Calibrate()
			}
			b.Logf("widths: %+v", g.Widths())
		})
		searches := func(b *testing.B, label string) {
			for _, width := range []int{64, 320, 0} {
				b.Run(fmt.Sprintf("%s/width=%d", label, width), func(b *testing.B) {
					q := next()
					for b.Loop() {
						v := g.View()
						v.Search("", q, 10, width, nil)
						v.Close()
					}
					b.ReportMetric(recall(g, all, next, 50, 10, width), "recall")
				})
			}
			b.Run(label+"/exact", func(b *testing.B) {
				q := next()
				for b.Loop() {
					v := g.View()
					v.Scan("", q, 10, nil)
					v.Close()
				}
			})
		}
		searches(b, name+"/fresh")
		churn(b, g, all, next)
		if g.CalibrateDue() {
			g.Calibrate()
		}
		searches(b, name+"/churned")
	}
}
