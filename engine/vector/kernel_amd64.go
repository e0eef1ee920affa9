package vector

// blockFloats is the number of floats that the assembly takes at a time.
const blockFloats = 16

// dotBlocks and squaresBlocks are dot and squares of so many blocks, at least one.
//
//go:noescape
func dotBlocks(a, b *float32, blocks int) float32

//go:noescape
func squaresBlocks(a, b *float32, blocks int) float32

// dot is the inner product of vectors of the same length.
func dot(a, b []float32) float32 {
	n := len(a) / blockFloats
	if n == 0 || len(b) < len(a) {
		return dotPlain(a, b)
	}
	s := dotBlocks(&a[0], &b[0], n)
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
	s := squaresBlocks(&a[0], &b[0], n)
	if n *= blockFloats; n < len(a) {
		s += squaresPlain(a[n:], b[n:])
	}
	return s
}
