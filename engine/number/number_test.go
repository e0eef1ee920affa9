package number

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func enc(t testing.TB, text string) []byte {
	t.Helper()
	b, err := Parse(nil, []byte(text))
	require.NoError(t, err, text)
	return b
}

// TestVectors pins the examples of the package doc.
func TestVectors(t *testing.T) {
	for text, want := range map[string]string{
		"0": "80", "1": "c102", "-1": "3e6466", "10": "c10b", "100": "c202",
		"0.5": "c033", "1.2": "c10215", "-1.2": "3e645166", "1234": "c20d23",
		"12340": "c3021829", "1E-130": "8002", "1E+125": "ff0b",
	} {
		assert.Equal(t, want, hex.EncodeToString(enc(t, text)), text)
	}
}

// TestSizeIsLength: the length is the size of wire-facts 4.3.
func TestSizeIsLength(t *testing.T) {
	nines := strings.Repeat("9", 38)
	for text, want := range map[string]int{
		"0": 1, "1": 2, "10": 2, "1000": 2, "12": 2, "1.2": 3, "123": 3, "1234": 3,
		"12340": 4, "-1": 3, nines: 20, "-" + nines: 21, nines + "0": 21, "-" + nines + "0": 21,
	} {
		assert.Len(t, enc(t, text), want, text)
	}
}

func TestParse(t *testing.T) {
	cases := []struct {
		in, want string
		err      error
	}{
		{in: "-0", want: "0"}, {in: "0e999999999999999999999", want: "0"},
		{in: "+5", want: "5"}, {in: "5.", want: "5"}, {in: ".5", want: "0.5"},
		{in: "1e5", want: "100000"}, {in: "1E+2", want: "100"}, {in: "1.50E-1", want: "0.15"},
		{in: "001.100", want: "1.1"}, {in: "1000000", want: "1000000"},
		{in: "1" + strings.Repeat("0", 125), want: "1" + strings.Repeat("0", 125)},
		{in: "1e-130", want: "0." + strings.Repeat("0", 129) + "1"},
		{in: "9.9999999999999999999999999999999999999E+125",
			want: strings.Repeat("9", 38) + strings.Repeat("0", 88)},
		{in: "0." + strings.Repeat("0", 500) + "1e501", want: "1"},
		{in: strings.Repeat("1", 38), want: strings.Repeat("1", 38)},
		{in: strings.Repeat("1", 38) + "000", want: strings.Repeat("1", 38) + "000"},
		{in: strings.Repeat("1", 39), err: ErrPrecision},
		{in: "1." + strings.Repeat("0", 37) + "1", err: ErrPrecision},
		{in: "1e126", err: ErrOverflow}, {in: "-1e126", err: ErrOverflow},
		{in: strings.Repeat("1", 200), err: ErrOverflow},
		{in: "1e999999999999999999999999", err: ErrOverflow},
		{in: "1e-131", err: ErrUnderflow}, {in: "9.99e-131", err: ErrUnderflow},
		{in: "1e-99999999999999999999", err: ErrUnderflow},
		{in: "", err: ErrSyntax}, {in: "-", err: ErrSyntax}, {in: ".", err: ErrSyntax},
		{in: "1e", err: ErrSyntax}, {in: "1e+", err: ErrSyntax}, {in: "e1", err: ErrSyntax},
		{in: " 1", err: ErrSyntax}, {in: "1 ", err: ErrSyntax}, {in: "0x1", err: ErrSyntax},
		{in: "NaN", err: ErrSyntax}, {in: "Infinity", err: ErrSyntax}, {in: "1.2.3", err: ErrSyntax},
		{in: "1,2", err: ErrSyntax}, {in: "--1", err: ErrSyntax}, {in: "1e1.5", err: ErrSyntax},
		{in: "1e1e1", err: ErrSyntax}, {in: "１", err: ErrSyntax},
	}
	for _, c := range cases {
		got, err := Parse([]byte("x"), []byte(c.in))
		if c.err != nil {
			assert.ErrorIs(t, err, c.err, c.in)
			assert.Equal(t, "x", string(got), "dst is given back as it was")
			continue
		}
		require.NoError(t, err, c.in)
		require.NoError(t, Valid(got[1:]), c.in)
		assert.Equal(t, c.want, string(AppendText(nil, got[1:])), c.in)
	}
}

func TestTextMaxBytes(t *testing.T) {
	long := "-" + "1." + strings.Repeat("1", 37) + "E-130"
	assert.Len(t, AppendText(nil, enc(t, long)), TextMaxBytes)
}

func TestInt(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 9, 10, 99, 100, 101, 12345, -98765, 1e18,
		math.MaxInt64, math.MinInt64, math.MaxInt64 - 1, 1 << 53} {
		e := FromInt(nil, v)
		require.NoError(t, Valid(e))
		got, ok := Int(e)
		assert.True(t, ok)
		assert.Equal(t, v, got)
	}
	for _, text := range []string{"0.5", "1.01", "9223372036854775808", "-9223372036854775809",
		"1e19", "1e125", "-0.1"} {
		_, ok := Int(enc(t, text))
		assert.False(t, ok, text)
	}
	assert.Equal(t, enc(t, "-1200"), FromInt(nil, -1200))
}

func TestFloat(t *testing.T) {
	assert.Equal(t, 1.5, Float(enc(t, "1.5")))
	assert.Equal(t, -1e125, Float(enc(t, "-1e125")))
	assert.Equal(t, 1e-130, Float(enc(t, "1e-130")))
	assert.Equal(t, 3.0, Float(enc(t, "3")))
}

func TestValidRefuses(t *testing.T) {
	for _, h := range []string{
		"", "81", "c1", "c101", "c10201", "c166", "c10265", "3e64", "3e66", "3e6566",
		"3e646566", "7f", "3e", "8000", "c1020200",
		"c1" + strings.Repeat("02", 21),
		"c1" + strings.Repeat("64", 20),               // 40 digits
		"3e" + strings.Repeat("64", 20) + "66",        // 20 pairs have no end
		"c1" + "02" + strings.Repeat("02", 18) + "03", // 39 digits
	} {
		b, err := hex.DecodeString(h)
		require.NoError(t, err)
		assert.ErrorIs(t, Valid(b), ErrEncoding, h)
	}
}

func TestArithmeticErrors(t *testing.T) {
	max := "9.9999999999999999999999999999999999999E+125"
	cases := []struct {
		a, b, sum string
		err       error
	}{
		{a: max, b: max, err: ErrOverflow},
		{a: max, b: "1e88", err: ErrOverflow},
		{a: max, b: "1", err: ErrPrecision},
		{a: "1e125", b: "1e-130", err: ErrPrecision},
		{a: "1.1e-130", b: "-1e-130", err: ErrUnderflow},
		{a: "1e38", b: "-1", sum: strings.Repeat("9", 38)},
		{a: "1e38", b: "1", err: ErrPrecision},
		{a: "1e37", b: "1", sum: "1" + strings.Repeat("0", 36) + "1"},
		{a: "0", b: "-5", sum: "-5"}, {a: "5", b: "0", sum: "5"}, {a: "5", b: "-5", sum: "0"},
		{a: "0.1", b: "0.2", sum: "0.3"}, {a: "99", b: "1", sum: "100"},
		{a: "-10000", b: "9999", sum: "-1"},
	}
	for _, c := range cases {
		for _, swap := range []bool{false, true} {
			a, b := enc(t, c.a), enc(t, c.b)
			if swap {
				a, b = b, a
			}
			got, err := Add(nil, a, b)
			if c.err != nil {
				assert.ErrorIs(t, err, c.err, "%s + %s", c.a, c.b)
				continue
			}
			require.NoError(t, err)
			assert.Equal(t, c.sum, string(AppendText(nil, got)), "%s + %s", c.a, c.b)
		}
	}
	diff, err := Sub(nil, enc(t, "3"), enc(t, "5"))
	require.NoError(t, err)
	assert.Equal(t, "-2", string(AppendText(nil, diff)))
	diff, err = Sub(nil, enc(t, "0"), enc(t, "-5"))
	require.NoError(t, err)
	assert.Equal(t, "5", string(AppendText(nil, diff)))
}

func TestNoAllocation(t *testing.T) {
	text := []byte("-123456.789e-3")
	a, b := enc(t, "12345.678"), enc(t, "-0.0001")
	var buf [256]byte
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		e, _ := Parse(buf[:0], text)
		_ = AppendText(buf[64:64], e)
		_, _ = Add(buf[:0], a, b)
		_ = FromInt(buf[:0], 42)
	}))
}

func BenchmarkParseShort(b *testing.B) { benchParse(b, "12345") }
func BenchmarkParseLong(b *testing.B)  { benchParse(b, "-12345678901234567890.123456789") }

func benchParse(b *testing.B, text string) {
	var buf [32]byte
	in := []byte(text)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Parse(buf[:0], in)
	}
}

func BenchmarkText(b *testing.B) {
	var buf [TextMaxBytes]byte
	e := enc(b, "1767225600.123")
	b.ReportAllocs()
	for b.Loop() {
		_ = AppendText(buf[:0], e)
	}
}

func BenchmarkAdd(b *testing.B) {
	var buf [32]byte
	x, y := enc(b, "12345.678"), enc(b, "-0.0001")
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Add(buf[:0], x, y)
	}
}
