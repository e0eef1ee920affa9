//go:build !amd64

package vector

// dot is the inner product of vectors of the same length.
func dot(a, b []float32) float32 { return dotPlain(a, b) }

// squares is the sum of the squared differences of vectors of the same length.
func squares(a, b []float32) float32 { return squaresPlain(a, b) }

// fetch and fetchFloats have the processor bring a code or a vector from memory, where that can be said.
func fetch(*int8) {}

func fetchFloats(*float32) {}

// codesPay: comparing codes is several times as quick as comparing floats.
func codesPay() bool { return false }

// dotCodes is the inner product of a query and a code.
func dotCodes(q []int16, c []int8) int32 { return dotCodesPlain(q, c) }
