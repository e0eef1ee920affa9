package number

import (
	"math"
	"strconv"
)

// AppendText appends the canonical text of a number: plain decimal notation
// without exponent, without needless zeros, at most TextMaxBytes long.
func AppendText(dst, enc []byte) []byte {
	var d decimal
	d.unpack(enc)
	if d.n == 0 {
		return append(dst, '0')
	}
	if d.neg {
		dst = append(dst, '-')
	}
	if d.exp <= 0 {
		dst = append(dst, '0', '.')
		for range -d.exp {
			dst = append(dst, '0', '0')
		}
		return d.appendFraction(dst, 0)
	}
	whole := min(d.n, d.exp)
	if d.pairs[0] >= 10 {
		dst = append(dst, '0'+d.pairs[0]/10)
	}
	dst = append(dst, '0'+d.pairs[0]%10)
	for _, p := range d.pairs[1:whole] {
		dst = append(dst, '0'+p/10, '0'+p%10)
	}
	for range d.exp - whole {
		dst = append(dst, '0', '0')
	}
	if d.n > whole {
		dst = append(dst, '.')
		dst = d.appendFraction(dst, whole)
	}
	return dst
}

// appendFraction writes the pairs from index i on; the last digit is left out
// when it is zero.
func (d *decimal) appendFraction(dst []byte, i int) []byte {
	for _, p := range d.pairs[i:d.n] {
		dst = append(dst, '0'+p/10, '0'+p%10)
	}
	if dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// Int gives the number as an integer; ok is false when it has a fraction or
// does not fit.
func Int(enc []byte) (v int64, ok bool) {
	var d decimal
	d.unpack(enc)
	if d.n == 0 {
		return 0, len(enc) == 1
	}
	if d.exp < d.n || d.exp > int64Pair {
		return 0, false
	}
	const top = uint64(math.MaxInt64)
	limit := top
	if d.neg {
		limit = top + 1
	}
	u := uint64(0)
	for i := range d.exp {
		p := uint64(0)
		if i < d.n {
			p = uint64(d.pairs[i])
		}
		if u > (limit-p)/pairBase {
			return 0, false
		}
		u = u*pairBase + p
	}
	if d.neg {
		return int64(-u), true
	}
	return int64(u), true
}

// Float gives the nearest float64.
func Float(enc []byte) float64 {
	if v, ok := Int(enc); ok {
		return float64(v)
	}
	var buf [TextMaxBytes]byte
	// The text is well formed and in range, so that there is no error to see.
	f, _ := strconv.ParseFloat(string(AppendText(buf[:0], enc)), 64)
	return f
}
