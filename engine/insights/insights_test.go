package insights

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCounterIsExactWhileKeysAreFew: below CountersMax keys nothing is estimated.
func TestCounterIsExactWhileKeysAreFew(t *testing.T) {
	var c Counter
	for i := range 100 {
		for range i + 1 {
			c.Add(fmt.Append(nil, i))
		}
	}
	top, total := c.Top(3)
	require.Equal(t, []Contributor{{Key: "99", Count: 100}, {Key: "98", Count: 99}, {Key: "97", Count: 98}}, top)
	require.EqualValues(t, 5050, total)
	top, _ = c.Top(1000)
	require.Len(t, top, 100)
}

// TestCounterFindsTheFrequent: among a million different keys those that are frequent are found, and each
// count is within what it says of the truth.
func TestCounterFindsTheFrequent(t *testing.T) {
	var c Counter
	r := rand.New(rand.NewPCG(1, 2))
	truth := map[string]uint64{}
	for range 200_000 {
		k := fmt.Sprint(r.Uint64())
		if r.IntN(10) == 0 {
			k = fmt.Sprint("hot", r.IntN(20))
		}
		truth[k]++
		c.Add([]byte(k))
	}
	top, total := c.Top(20)
	require.EqualValues(t, 200_000, total)
	for _, e := range top {
		require.Contains(t, e.Key, "hot")
		require.LessOrEqual(t, truth[e.Key], e.Count)
		require.GreaterOrEqual(t, truth[e.Key], e.Count-e.Over)
	}
	all, _ := c.Top(CountersMax + 1)
	require.Len(t, all, CountersMax)
}

// TestRegistry: each table and index has counters of its own, until they are forgotten.
func TestRegistry(t *testing.T) {
	var r Registry
	a := r.Of(ID{Table: 1})
	require.Same(t, a, r.Of(ID{Table: 1}))
	require.NotSame(t, a, r.Of(ID{Table: 1, Index: "x"}))
	r.Forget(ID{Table: 1})
	require.NotSame(t, a, r.Of(ID{Table: 1}))
}

func BenchmarkAdd(b *testing.B) {
	var c Counter
	keys := make([][]byte, 4096)
	for i := range keys {
		keys[i] = fmt.Append(nil, "key", i)
	}
	b.ReportAllocs()
	for i := range b.N {
		c.Add(keys[i%len(keys)])
	}
}
