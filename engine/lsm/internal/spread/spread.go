// Package spread keeps cores from writing into the same line of the cache: what many of them count or
// announce at once lies in several cells, of which each goroutine mostly uses its own.
package spread

import (
	"sync/atomic"
	"unsafe"
)

const (
	// Cells is how many cells there are to choose from, a power of two.
	Cells = 32
	// stackShift: the smallest stack of a goroutine is 2 to this.
	stackShift = 11
	cellShift  = 64 - 5
)

// Cell returns a number below Cells that is the same for a goroutine as long as its stack stays where it
// is, and seldom the same for two. It says nothing else: whoever needs the same cell again keeps it.
func Cell() int {
	var here byte
	h := uint64(uintptr(unsafe.Pointer(&here))>>stackShift) * 0x9e3779b97f4a7c15
	return int(h >> cellShift & (Cells - 1))
}

// Counter counts what many cores count at once. The zero value is ready.
type Counter struct {
	cells [Cells]struct {
		n atomic.Uint64
		_ [56]byte
	}
}

// Add counts one, and returns how many were counted in the cell that it took.
func (c *Counter) Add() uint64 { return c.cells[Cell()].n.Add(1) }

// Sum is how many were counted.
func (c *Counter) Sum() (n uint64) {
	for i := range c.cells {
		n += c.cells[i].n.Load()
	}
	return n
}
