package number

import (
	"math"
	"strconv"
)

const (
	// floatPairs is how many pairs of digits of a number are looked at first: what fits into 64 bits.
	floatPairs = 9
	// floatDoubt is by how much the first look may be wrong, in relation to the number: a few units in the
	// last place of a float64.
	floatDoubt = 1.0 / (1 << 49)
)

// Float32 gives the nearest float32; ok is false when the magnitude is beyond it.
func Float32(enc []byte) (f float32, ok bool) {
	var d decimal
	d.unpack(enc)
	n := min(d.n, floatPairs)
	m := uint64(0)
	for _, p := range d.pairs[:n] {
		m = m*pairBase + uint64(p)
	}
	// 128 of them are made for each vector that is written: parsing text would take ten times as long.
	near := float64(m) * math.Pow10(2*(d.exp-n))
	f = float32(near * (1 - floatDoubt))
	if f != float32(near*(1+floatDoubt)) {
		var buf [TextMaxBytes]byte
		wide, err := strconv.ParseFloat(string(AppendText(buf[:0], enc)), 32)
		return float32(wide), err == nil
	}
	if d.neg {
		f = -f
	}
	return f, !math.IsInf(float64(f), 0)
}

// magnitudes from which on Float32 has to look: 100^19 is 1E38, and the largest float32 a little above.
const float32Pairs = 19

// FitsFloat32 says whether Float32 is ok with a number, at hardly any cost.
func FitsFloat32(enc []byte) bool {
	if len(enc) < 2 {
		return true
	}
	exp := int(enc[0]) - zeroByte
	if enc[0] < zeroByte {
		exp = 0x7f - int(enc[0])
	}
	if exp-expBias <= float32Pairs {
		return true
	}
	_, ok := Float32(enc)
	return ok
}
