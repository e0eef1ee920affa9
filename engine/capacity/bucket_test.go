package capacity

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBuckets(t *testing.T) {
	var b Buckets
	now := time.Unix(1000, 0)
	table, index := Bucket{Table: 1}, Bucket{Table: 1, Index: "i", Write: true}
	require.True(t, b.Has(table, 5, 5, now), "a new bucket holds a second's worth")
	require.False(t, b.Has(table, 5, 5.5, now))
	b.Take(table, 5, 15, now)
	require.False(t, b.Has(table, 5, 0.5, now.Add(2*time.Second)), "what was taken too much is paid first")
	require.True(t, b.Has(table, 5, 0.5, now.Add(2100*time.Millisecond)))
	require.True(t, b.Has(index, 1, 1, now), "each has its own")

	now = now.Add(time.Hour)
	require.True(t, b.Has(table, 5, 5*BurstSeconds, now))
	require.False(t, b.Has(table, 5, 5*BurstSeconds+1, now))
	require.False(t, b.Has(table, 1, BurstSeconds+1, now), "a lowered throughput bursts less")
	b.Take(table, 5, -3, now)
	require.True(t, b.Has(table, 5, BurstSeconds+3, now), "given back")
	require.True(t, b.Has(table, 5, BurstSeconds+3, now.Add(-time.Minute)), "a clock that goes back takes nothing")
}

func TestBucketsForget(t *testing.T) {
	var b Buckets
	now := time.Unix(0, 0)
	for i := range uint64(bucketsMax) {
		b.Take(Bucket{Table: i}, 1, 1, now)
	}
	now = now.Add((BurstSeconds + 1) * time.Second)
	b.Take(Bucket{Table: 5}, 1, 1, now)
	b.Take(Bucket{Table: bucketsMax}, 1, 1, now)
	require.Len(t, b.list, 2)
}
