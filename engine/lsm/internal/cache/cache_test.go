package cache

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

func key(i int) Key { return Key{Table: base.ObjectNum(i / 100), Offset: uint32(i%100) * 4096} }

func block(i, n int) []byte {
	b := make([]byte, n)
	b[0], b[n-1] = byte(i), byte(i>>8)
	return b
}

func TestGetReturnsWhatWasPut(t *testing.T) {
	c := New(16 << 20)
	for i := range 1000 {
		c.Put(key(i), block(i, 1000))
	}
	for i := range 1000 {
		b := c.Get(key(i))
		require.Equal(t, block(i, 1000), b)
	}
	require.Nil(t, c.Get(Key{Table: 99}))
	st := c.Stats()
	require.Equal(t, Stats{Hits: 1000, Misses: 1, Bytes: 1000 * (1000 + nodeOverheadBytes), Blocks: 1000}, st)
	c.Put(key(5), block(6, 2000))
	require.Equal(t, block(5, 1000), c.Get(key(5)), "the first stays")
	require.Equal(t, st.Bytes, c.Stats().Bytes)
}

func TestBoundHolds(t *testing.T) {
	const bytesMax = 1 << 20
	c := New(bytesMax)
	r := rand.New(rand.NewPCG(1, 1))
	for range 20000 {
		i := r.IntN(3000)
		n := 100 + i
		if b := c.Get(key(i)); b != nil {
			require.Equal(t, block(i, n), b)
		} else {
			c.Put(key(i), block(i, n))
		}
		require.LessOrEqual(t, c.Stats().Bytes, int64(bytesMax))
	}
	require.Greater(t, c.Stats().Bytes, int64(bytesMax)*3/4)
	c.Put(key(1), make([]byte, bytesMax))
	require.LessOrEqual(t, c.Stats().Bytes, int64(bytesMax), "a block that is too large is not kept")
}

func TestWhatIsReadOftenSurvivesAScan(t *testing.T) {
	c := New(4 << 20)
	for i := range 100 {
		c.Put(key(i), block(i, 4096))
	}
	for i := 1000; i < 6000; i++ {
		for j := range 100 {
			if i%10 == 0 {
				c.Get(key(j))
			}
		}
		c.Put(key(i), block(i, 4096))
	}
	kept := 0
	for i := range 100 {
		if c.Get(key(i)) != nil {
			kept++
		}
	}
	require.Greater(t, kept, 90)
}

// TestAFullCacheTakesWhatIsAskedForAgain, not what is asked for once.
func TestAFullCacheTakesWhatIsAskedForAgain(t *testing.T) {
	c := New(4 << 20)
	ask := func(i int) (hit bool) {
		if c.Get(key(i)) != nil {
			return true
		}
		if c.Wants(key(i)) {
			c.Put(key(i), block(i, 8192))
		}
		return false
	}
	for i := range 2000 {
		ask(i)
	}
	full := c.Stats()
	for i := 10_000; i < 60_000; i++ {
		ask(i)
	}
	require.Equal(t, full.Blocks, c.Stats().Blocks)
	kept := 0
	for i := range 2000 {
		if c.Get(key(i)) != nil {
			kept++
		}
	}
	require.Greater(t, kept, int(full.Blocks)*3/4, "a long scan turned the cache over")
	require.False(t, ask(100_000))
	require.False(t, ask(100_000))
	require.True(t, ask(100_000))
}

// TestChainsStayShort where blocks are much smaller than expected.
func TestChainsStayShort(t *testing.T) {
	c := New(1 << 20)
	for i := range 20_000 {
		c.Put(key(i), block(i, 10))
	}
	for i := range c.shards {
		s := &c.shards[i]
		require.LessOrEqual(t, len(s.ring)-len(s.free), chainMax*len(*s.buckets.Load()))
		linked := 0
		for j := range *s.buckets.Load() {
			for n := (*s.buckets.Load())[j].Load(); n != nil; n = n.next.Load() {
				linked++
			}
		}
		require.Equal(t, len(s.ring)-len(s.free), linked)
	}
}

func TestNilCache(t *testing.T) {
	var c *Cache
	c.Put(key(1), block(1, 10))
	require.Nil(t, c.Get(key(1)))
	require.Zero(t, c.Stats())
	require.False(t, c.Wants(key(1)))
	c.Return(c.Lend())
}

func TestConcurrent(t *testing.T) {
	c := New(1 << 20)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 5000 {
				i := r.IntN(2000)
				if b := c.Get(key(i)); b != nil && b[0] != byte(i) {
					t.Error("another block")
					return
				}
				c.Put(key(i), block(i, 500))
				b := c.Lend()
				b.StoredRoom(600)[0] = 1
				c.Return(b)
			}
		})
	}
	wg.Wait()
}

func BenchmarkGet(b *testing.B) {
	c := New(64 << 20)
	for i := range 1000 {
		c.Put(key(i), block(i, 8192))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if c.Get(key(i%1000)) == nil {
			b.Fatal("gone")
		}
	}
}
