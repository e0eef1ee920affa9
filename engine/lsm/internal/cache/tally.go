package cache

import (
	"sync/atomic"
	"unsafe"
)

// tallyCells is a power of two.
const tallyCells = 32

// tally counts what many cores count at once, each mostly in a cell of its own.
type tally struct {
	cells [tallyCells]struct {
		n atomic.Uint64
		_ [56]byte
	}
}

// stackShift: the stacks of two goroutines are at least this many bits apart.
const stackShift = 12

// add counts one. Which cell it takes is told by where the caller's stack lies: a goroutine stays with
// one cell as long as its stack stays, and others seldom have the same.
func (t *tally) add() {
	var here byte
	h := uint64(uintptr(unsafe.Pointer(&here))>>stackShift) * 0x9e3779b97f4a7c15
	t.cells[h>>59&(tallyCells-1)].n.Add(1)
}

func (t *tally) sum() (n uint64) {
	for i := range t.cells {
		n += t.cells[i].n.Load()
	}
	return n
}
