package spread

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCounter(t *testing.T) {
	var n Counter
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				n.Add()
			}
		})
	}
	wg.Wait()
	require.Equal(t, uint64(8000), n.Sum())
}

// TestGoroutinesHaveCells of their own, mostly.
func TestGoroutinesHaveCells(t *testing.T) {
	const goroutines = 64
	cells := make([]int, goroutines)
	var all, wg sync.WaitGroup
	all.Add(goroutines)
	for i := range goroutines {
		wg.Go(func() {
			cells[i] = Cell()
			all.Done()
			all.Wait() // all stacks exist at once
		})
	}
	wg.Wait()
	used := map[int]bool{}
	for _, c := range cells {
		require.True(t, 0 <= c && c < Cells)
		used[c] = true
	}
	require.Greater(t, len(used), 4)
}
