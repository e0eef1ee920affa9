package vector

import "math"

// Score is the distance of two vectors of the same length as clients see it. It is computed with more
// precision than those by which a graph is searched.
func (m Metric) Score(a, b []float32) float64 {
	switch m {
	case Euclidean:
		return math.Sqrt(squares64(a, b))
	case Dot:
		return dot64(a, b)
	}
	norms := math.Sqrt(dot64(a, a) * dot64(b, b)) // so that of equal vectors it is just what their product is
	if norms == 0 {
		return 1
	}
	return 1 - max(-1, min(1, dot64(a, b)/norms))
}

// Rank is a score turned so that less is nearer.
func (m Metric) Rank(score float64) float64 {
	if m == Dot {
		return -score
	}
	return score
}

// between is a distance that orders as Rank does, of vectors that prepare has made.
func (m Metric) between(a, b []float32) float32 {
	if m == Euclidean {
		return squares(a, b)
	}
	return -dot(a, b)
}

// prepare appends a vector in the form in which a graph compares it: of length 1 where only the
// direction counts, so that it is measured once and not with every comparison.
func (m Metric) prepare(dst, v []float32) []float32 {
	if m != Cosine {
		return append(dst, v...)
	}
	norm := math.Sqrt(dot64(v, v))
	if norm == 0 {
		return append(dst, v...)
	}
	for _, x := range v {
		dst = append(dst, float32(float64(x)/norm))
	}
	return dst
}

// lanes is how many sums are kept side by side, so that no addition waits for the one before it.
const lanes = 8

// dotPlain is dot where there is no assembly for it.
func dotPlain(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= lanes && len(b) >= lanes {
		x, y := (*[lanes]float32)(a), (*[lanes]float32)(b)
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
		a, b = a[lanes:], b[lanes:]
	}
	for i, x := range a {
		s0 += x * b[i]
	}
	return s0 + s1 + (s2 + s3) + (s4 + s5 + (s6 + s7))
}

// squaresPlain is squares where there is no assembly for it.
func squaresPlain(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	for len(a) >= lanes && len(b) >= lanes {
		x, y := (*[lanes]float32)(a), (*[lanes]float32)(b)
		d0, d1, d2, d3 := x[0]-y[0], x[1]-y[1], x[2]-y[2], x[3]-y[3]
		d4, d5, d6, d7 := x[4]-y[4], x[5]-y[5], x[6]-y[6], x[7]-y[7]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
		s4 += d4 * d4
		s5 += d5 * d5
		s6 += d6 * d6
		s7 += d7 * d7
		a, b = a[lanes:], b[lanes:]
	}
	for i, x := range a {
		d := x - b[i]
		s0 += d * d
	}
	return s0 + s1 + (s2 + s3) + (s4 + s5 + (s6 + s7))
}

func dot64(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		x, y := (*[4]float32)(a), (*[4]float32)(b)
		s0 += float64(x[0]) * float64(y[0])
		s1 += float64(x[1]) * float64(y[1])
		s2 += float64(x[2]) * float64(y[2])
		s3 += float64(x[3]) * float64(y[3])
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		s0 += float64(x) * float64(b[i])
	}
	return s0 + s1 + (s2 + s3)
}

func squares64(a, b []float32) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		x, y := (*[4]float32)(a), (*[4]float32)(b)
		d0, d1 := float64(x[0])-float64(y[0]), float64(x[1])-float64(y[1])
		d2, d3 := float64(x[2])-float64(y[2]), float64(x[3])-float64(y[3])
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
		a, b = a[4:], b[4:]
	}
	for i, x := range a {
		d := float64(x) - float64(b[i])
		s0 += d * d
	}
	return s0 + s1 + (s2 + s3)
}
