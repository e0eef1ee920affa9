package vector

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shapes of vectors that are easy or hard to code.
var shapes = map[string]func(rnd *rand.Rand, v []float32){
	"gaussian": func(*rand.Rand, []float32) {},
	"far from zero": func(_ *rand.Rand, v []float32) {
		for i := range v {
			v[i] += float32(1000 * (i%3 - 1))
		}
	},
	"one large component": func(rnd *rand.Rand, v []float32) { v[rnd.IntN(len(v))] *= 1e4 },
	"of any length": func(rnd *rand.Rand, v []float32) {
		f := float32(math.Exp(rnd.NormFloat64() * 4))
		for i := range v {
			v[i] *= f
		}
	},
	"all the same": func(_ *rand.Rand, v []float32) {
		for i := range v {
			v[i] = 0.1
		}
	},
}

// TestCodeBounds: the distance of a vector lies between the bounds of its code, but for what is the same for
// all vectors, whatever they look like.
func TestCodeBounds(t *testing.T) {
	for name, change := range shapes {
		for _, m := range []Metric{Cosine, Euclidean, Dot} {
			for _, dims := range []int{1, 31, 130} {
				rnd := rand.New(rand.NewPCG(uint64(dims), uint64(m)))
				c := newCodes(dims)
				c.grow(1)
				draw := func() []float32 {
					v := gaussian(rnd, dims)
					change(rnd, v)
					return m.prepare(nil, v)
				}
				for range 20 {
					copy(c.center, draw())
					x, q := draw(), draw()
					c.set(0, m, x)
					var coded codeQuery
					c.query(&coded, m, q)
					low, high := c.bounds(&coded, 0)
					// What is the same for all: computed with more precision than floats have.
					var exact, same, size float64
					for i := range x {
						a, b, o := float64(q[i]), float64(x[i]), float64(c.center[i])
						if m == Euclidean {
							exact, same = exact+(a-b)*(a-b), same+(a-o)*(a-o)
						} else {
							exact, same = exact-a*b, same-a*o
						}
						size += math.Abs(a*b) + math.Abs(a*o)
					}
					slack := 1e-9 * size
					require.GreaterOrEqual(t, exact-same, float64(low)-slack, "%s %v %d", name, m, dims)
					require.LessOrEqual(t, exact-same, float64(high)+slack, "%s %v %d", name, m, dims)
				}
			}
		}
	}
}

// TestCodeProduct: the assembly computes what the plain loop does, at the bounds of both sides, too.
func TestCodeProduct(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	for blocks := 1; blocks <= 5; blocks++ {
		q, c := make([]int16, blocks*codeBlock), make([]int8, blocks*codeBlock)
		for i := range q {
			q[i], c[i] = int16(rnd.IntN(1<<16)-1<<15), int8(rnd.IntN(1<<8)-1<<7)
		}
		assert.Equal(t, dotCodesPlain(q, c), dotCodes(q, c))
		for i := range q {
			q[i], c[i] = math.MaxInt16, -codeMost
		}
		assert.Equal(t, int32(-codeMost*math.MaxInt16*len(q)), dotCodes(q, c))
	}
}

// TestScanByCodes: it is exact on all shapes, before and after the center was found, with and without codes.
func TestScanByCodes(t *testing.T) {
	const dims, n, k = 33, 300, 9
	for name, change := range shapes {
		for _, m := range []Metric{Cosine, Euclidean, Dot} {
			t.Run(fmt.Sprint(name, m), func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(9, uint64(m)))
				next := func() []float32 {
					v := gaussian(rnd, dims)
					change(rnd, v)
					return v
				}
				coded, plain := New(Params{Dims: dims, Metric: m}), New(Params{Dims: dims, Metric: m})
				coded.codes, plain.codes = newCodes(dims), nil // whatever pays here
				for i := range n {
					key, v := strconv.Itoa(i), next()
					require.NoError(t, coded.Insert(key, "", v, nil))
					require.NoError(t, plain.Insert(key, "", v, nil))
					if i == n/2 {
						coded.recode()
					}
				}
				odd := func(key string, _ []byte) bool { return len(key)%2 == 1 }
				for range 5 {
					q := next()
					for _, match := range []Match{nil, odd} {
						a, b := coded.View(), plain.View()
						require.Equal(t, b.Scan("", q, k, match), a.Scan("", q, k, match))
						require.Len(t, a.Search("", q, n+1, 0, nil), n)
						a.Close()
						b.Close()
					}
				}
			})
		}
	}
}

// TestCodesOfInfinity: vectors whose distances are beyond floats do no harm to a scan.
func TestCodesOfInfinity(t *testing.T) {
	g := New(Params{Dims: 2, Metric: Euclidean})
	g.codes = newCodes(2)
	for i, v := range [][]float32{{math.MaxFloat32, -math.MaxFloat32}, {1, 1}, {float32(math.NaN()), 0}, {2, 2}} {
		require.NoError(t, g.Insert(strconv.Itoa(i), "", v, nil))
	}
	for range 2 {
		v := g.View()
		got := keysOf(v.Scan("", []float32{1, 1}, 3, nil))
		v.Close()
		assert.Contains(t, got, "1")
		assert.Contains(t, got, "3")
		g.recode()
	}
}

// TestOddVectors: a graph knows when it cannot compare, and queries of any length do for inner products.
func TestOddVectors(t *testing.T) {
	for _, c := range []struct {
		m    Metric
		v    []float32
		fits bool
	}{
		{Euclidean, []float32{1, 2}, true},
		{Euclidean, []float32{0, 0}, true},
		{Euclidean, []float32{1e19, 0}, false},
		{Euclidean, []float32{0, 1e-20}, false},
		{Euclidean, []float32{math.MaxFloat32, -math.MaxFloat32}, false},
		{Dot, []float32{1e19, 1}, false},
		{Dot, []float32{1e-20, 0}, true},
		{Cosine, []float32{1e-40, 1e-40}, true},
		{Cosine, []float32{math.MaxFloat32, 1}, true},
	} {
		g := New(Params{Dims: 2, Metric: c.m})
		fits := func(q []float32) bool {
			v := g.View()
			defer v.Close()
			return v.Comparable(q)
		}
		plain := []float32{1, 1}
		require.True(t, fits(plain))
		assert.Equal(t, c.fits || c.m == Dot, fits(c.v), "%v as a query", c.v)
		require.NoError(t, g.Insert("a", "", c.v, nil))
		assert.Equal(t, c.fits, fits(plain), "%v", c.v)
		loader, err := NewLoader(g.params, g.Nodes(), func(string) string { return "" })
		require.NoError(t, err)
		for _, page := range g.Changed() {
			require.NoError(t, loader.Page(page, g.AppendPage(nil, page)))
		}
		loaded, err := loader.Graph()
		require.NoError(t, err)
		v := loaded.View()
		assert.Equal(t, c.fits, v.Comparable(plain), "%v", c.v)
		v.Close()
		require.NoError(t, g.Insert("a", "", plain, nil))
		require.True(t, fits(plain), "after %v", c.v)
	}
	g := New(Params{Dims: 2, Metric: Dot})
	require.NoError(t, g.Insert("near", "", []float32{2, 0}, nil))
	require.NoError(t, g.Insert("far", "", []float32{1, 0}, nil))
	for _, x := range []float32{math.MaxFloat32, 1e-44} {
		v := g.View()
		assert.Equal(t, []string{"near", "far"}, keysOf(v.Scan("", []float32{x, 0}, 2, nil)))
		v.Close()
	}
}
