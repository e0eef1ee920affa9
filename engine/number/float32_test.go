package number

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFloat32: it is the float32 that the text of the number is nearest to.
func TestFloat32(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	texts := []string{
		"0", "1", "-1", "0.1", "3.4028234663852886E+38", "3.4028235677973366E+38", "3.41E+38", "-1E+125", "1E+38", "-1E+38", "9.9E+37", "-3.4028235677973366E+38", "-3.41E+38", "1E-130",
		"1.4E-45", "7.0064923216240853E-46", "7.0064923216240854E-46", "-1.17549435E-38", "16777217", "16777219",
		"0.0000000000000000000012345678901234567890123456789012345678", "12345678901234567890123456789012345678",
	}
	for range 3000 {
		f := math.Float32frombits(rnd.Uint32())
		if f != f || math.IsInf(float64(f), 0) {
			continue
		}
		wide := float64(f)
		texts = append(texts, strconv.FormatFloat(wide, 'e', -1, 32), strconv.FormatFloat(wide, 'e', 17, 64),
			strconv.FormatFloat(rnd.NormFloat64(), 'e', -1, 64))
		// Half way between two float32s, where a wrong digit anywhere decides.
		next := float64(math.Nextafter32(f, float32(math.Inf(1))))
		texts = append(texts, strconv.FormatFloat((wide+next)/2, 'e', 30, 64))
	}
	for _, text := range texts {
		enc, err := Parse(nil, []byte(text))
		if err != nil {
			continue
		}
		want, err := strconv.ParseFloat(text, 32)
		got, ok := Float32(enc)
		require.Equal(t, err == nil, ok, text)
		require.Equal(t, ok, FitsFloat32(enc), text)
		if ok {
			require.Equal(t, float32(want)+0, got+0, text)
		}
	}
}

func BenchmarkFloat32(b *testing.B) {
	enc, err := Parse(nil, []byte("-0.01234567890123"))
	require.NoError(b, err)
	for b.Loop() {
		Float32(enc)
	}
}
