package memstore

import (
	"math/rand/v2"
	"sync"
)

// dice is the one source of every hostile choice. Which goroutine draws next is the scheduler's,
// so a seed repeats a concurrent run only as far as the scheduler does.
type dice struct {
	mu  sync.Mutex
	rnd *rand.Rand // guarded by mu
}

func newDice(seed uint64) *dice {
	return &dice{rnd: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))}
}

// roll is true with the given chance. Chance zero draws nothing.
func (d *dice) roll(chance float64) bool {
	if chance <= 0 {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.Float64() < chance
}

// upTo returns a number in 0..n. n ≤ 0 draws nothing.
func (d *dice) upTo(n int) int {
	if n <= 0 {
		return 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rnd.IntN(n + 1)
}
