package vector

import "math"

// Distances are compared with 32 bits, so that the squares of components must be well within their range.
const (
	// squaresMost and squaresLeast bound the sum of the squares of a vector whose distances can be compared.
	squaresMost  = 1e36
	squaresLeast = 1e-30
)

// odd says of a vector that prepare has made whether its distances cannot be compared: it is much too long, or
// for a difference so short that nothing is left of it. Inner products with a short vector are what they are.
func (m Metric) odd(v []float32) bool {
	sum := dot(v, v)
	switch {
	case m == Cosine:
		return false
	case !(sum <= squaresMost):
		return true
	case m == Dot || sum >= squaresLeast:
		return false
	}
	for _, x := range v {
		if x != 0 {
			return true
		}
	}
	return false
}

// ask prepares a query. The length of one does not matter for inner products, so that it can always be
// compared.
func (m Metric) ask(dst, q []float32) []float32 {
	dst = m.prepare(dst, q)
	if m != Dot {
		return dst
	}
	if sum := dot(dst, dst); sum >= squaresLeast && sum <= squaresMost {
		return dst
	}
	var most float32
	for _, x := range dst {
		most = max(most, abs(x))
	}
	if !(most > 0 && most <= math.MaxFloat32) {
		return dst
	}
	_, exponent := math.Frexp(float64(most))
	for i, x := range dst {
		dst[i] = float32(math.Ldexp(float64(x), -exponent))
	}
	return dst
}

// Comparable says whether a search for this vector finds what it should: neither it nor any vector of the
// graph is odd.
func (v *View) Comparable(query []float32) bool {
	return v.g.odd == 0 && (v.g.params.Metric == Dot || !v.g.params.Metric.odd(query))
}
