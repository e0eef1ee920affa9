package vector

import "golang.org/x/sys/cpu"

// blockFloats is the number of floats that the assembly takes at a time.
const blockFloats = 16

// wide: the processor has the instructions on 32 bytes at a time.
var wide = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// dotBlocks and squaresBlocks are dot and squares of so many blocks, at least one.
//
//go:noescape
func dotBlocks(a, b *float32, blocks int) float32

//go:noescape
func squaresBlocks(a, b *float32, blocks int) float32

// dotWide, squaresWide and dotCodesWide are the same on processors that are wide.
//
//go:noescape
func dotWide(a, b *float32, blocks int) float32

//go:noescape
func squaresWide(a, b *float32, blocks int) float32

//go:noescape
func dotCodesWide(q *int16, c *int8, blocks int) int32

// fetch and fetchFloats have the processor bring a code or a vector from memory.
//
//go:noescape
func fetch(c *int8)

//go:noescape
func fetchFloats(v *float32)

// dot is the inner product of vectors of the same length.
func dot(a, b []float32) float32 {
	n := len(a) / blockFloats
	if n == 0 || len(b) < len(a) {
		return dotPlain(a, b)
	}
	var s float32
	if wide {
		s = dotWide(&a[0], &b[0], n)
	} else {
		s = dotBlocks(&a[0], &b[0], n)
	}
	if n *= blockFloats; n < len(a) {
		s += dotPlain(a[n:], b[n:])
	}
	return s
}

// squares is the sum of the squared differences of vectors of the same length.
func squares(a, b []float32) float32 {
	n := len(a) / blockFloats
	if n == 0 || len(b) < len(a) {
		return squaresPlain(a, b)
	}
	var s float32
	if wide {
		s = squaresWide(&a[0], &b[0], n)
	} else {
		s = squaresBlocks(&a[0], &b[0], n)
	}
	if n *= blockFloats; n < len(a) {
		s += squaresPlain(a[n:], b[n:])
	}
	return s
}

// codesPay: comparing codes is several times as quick as comparing floats.
func codesPay() bool { return wide }

// dotCodes is the inner product of a query and a code, both of the same number of codeBlocks.
func dotCodes(q []int16, c []int8) int32 {
	if !wide || len(q) == 0 || len(c) < len(q) {
		return dotCodesPlain(q, c)
	}
	return dotCodesWide(&q[0], &c[0], len(q)/codeBlock)
}
