package number

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/cockroachdb/apd/v3"
	"github.com/stretchr/testify/require"
)

// exact is wide enough for any sum of two numbers of our range.
func exact() *apd.Context {
	c := apd.BaseContext.WithPrecision(400)
	return c
}

// fault says what Parse or Add must answer for a value, by apd.
func fault(d *apd.Decimal) error {
	if d.IsZero() {
		return nil
	}
	var r apd.Decimal
	r.Reduce(d)
	top := int64(r.Exponent) + r.NumDigits() // 0.d1… × 10^top
	switch {
	case top > expMax:
		return ErrOverflow
	case top < expMin:
		return ErrUnderflow
	case r.NumDigits() > DigitsMax:
		return ErrPrecision
	}
	return nil
}

func decimalOf(t testing.TB, e []byte) *apd.Decimal {
	d, _, err := apd.NewFromString(string(AppendText(nil, e)))
	require.NoError(t, err)
	return d
}

func checkPair(t testing.TB, a, b []byte) {
	x, y := decimalOf(t, a), decimalOf(t, b)
	require.Equal(t, x.Cmp(y), bytes.Compare(a, b), "%s and %s", x, y)
	for _, op := range []struct {
		ours   func(dst, a, b []byte) ([]byte, error)
		theirs func(d, x, y *apd.Decimal) (apd.Condition, error)
	}{{Add, exact().Add}, {Sub, exact().Sub}} {
		var want apd.Decimal
		_, err := op.theirs(&want, x, y)
		require.NoError(t, err)
		got, err := op.ours(nil, a, b)
		if f := fault(&want); f != nil {
			require.ErrorIs(t, err, f, "%s, %s", x, y)
			continue
		}
		require.NoError(t, err, "%s, %s", x, y)
		require.NoError(t, Valid(got))
		require.Zero(t, want.Cmp(decimalOf(t, got)), "%s, %s: %s", x, y, &want)
	}
}

// TestAgainstApd draws pairs that lie near one another, so that carries and
// cancellation happen.
func TestAgainstApd(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	draw := func(centre int) []byte {
		digits := make([]byte, 1+rnd.IntN(38))
		for i := range digits {
			digits[i] = "0123456789990"[rnd.IntN(13)]
		}
		text := string(digits) + "e" + strconv.Itoa(centre+rnd.IntN(50)-25)
		if rnd.IntN(2) == 0 {
			text = "-" + text
		}
		e, err := Parse(nil, []byte(text))
		if err != nil {
			return []byte{zeroByte}
		}
		return e
	}
	for range 20000 {
		centre := rnd.IntN(256) - 130
		checkPair(t, draw(centre), draw(centre))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "1", "-1", "12.5e3", "1e126", "1e-131", "9e125",
		"123456789012345678901234567890123456789", ".", "1e", "+.5E-0", "\x00", "Infinity"} {
		f.Add(s, "1")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errA := Parse(nil, []byte(a))
		y, errB := Parse(nil, []byte(b))
		if errA == nil {
			require.NoError(t, Valid(x))
			again, err := Parse(nil, AppendText(nil, x))
			require.NoError(t, err)
			require.Equal(t, x, again)
		}
		if len(a) < 300 && (errA == nil || !errors.Is(errA, ErrSyntax)) {
			if d, _, err := apd.NewFromString(a); err == nil {
				require.ErrorIs(t, errA, fault(d))
			}
		}
		if errA == nil && errB == nil {
			checkPair(t, x, y)
		}
	})
}

func FuzzValid(f *testing.F) {
	f.Add([]byte{0x80})
	f.Add([]byte{0xc1, 0x02})
	f.Add([]byte{0x3e, 0x64, 0x66})
	f.Fuzz(func(t *testing.T, e []byte) {
		text := AppendText(nil, e) // no panic, whatever the bytes
		Int(e)
		Float(e)
		_, _ = Add(nil, e, e)
		if Valid(e) == nil {
			again, err := Parse(nil, text)
			require.NoError(t, err, "%s", text)
			require.Equal(t, e, again)
		}
	})
}
