package catalog

import (
	"sync"
	"sync/atomic"
)

// gateShards spreads the count of running operations so that cores do not share a cache line.
const (
	gateShards    = 32
	cacheLinePads = 56
)

// gate counts the operations that run against a table, so that its deletion can wait until none is
// left that was bound before it. Entering costs one atomic add on a shard.
type gate struct {
	closed atomic.Bool
	shards [gateShards]struct {
		running atomic.Int64
		_       [cacheLinePads]byte
	}
	mu   sync.Mutex
	idle sync.Cond
}

func newGate() *gate {
	g := new(gate)
	g.idle.L = &g.mu
	return g
}

// enter reports false once the gate is closed. Each enter that reports true needs one leave.
func (g *gate) enter(shard uint32) bool {
	s := &g.shards[shard%gateShards].running
	s.Add(1)
	if g.closed.Load() {
		g.leave(shard)
		return false
	}
	return true
}

func (g *gate) leave(shard uint32) {
	if g.shards[shard%gateShards].running.Add(-1) == 0 && g.closed.Load() {
		g.mu.Lock()
		g.idle.Broadcast()
		g.mu.Unlock()
	}
}

// drain closes the gate and waits until all that entered have left.
func (g *gate) drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed.Store(true)
	for !g.empty() {
		g.idle.Wait()
	}
}

func (g *gate) empty() bool {
	for i := range g.shards {
		if g.shards[i].running.Load() != 0 {
			return false
		}
	}
	return true
}
