package attr

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// greedy builds the item of ItemSizeMaxBytes whose binary form is longest when
// every attribute holds top(i) and what is left is filled by one list of elem.
func greedy(t *testing.T, names int, top func(i int) Value, elem Value) Item {
	b := NewItem()
	left := ItemSizeMaxBytes - len("\u0801") - containerBytes
	for i := range names {
		name := string(rune(0x80 + i)) // two bytes each: the worst ratio that is frequent
		v := top(i)
		if left -= len(name) + v.Size(); left < 0 {
			left += len(name) + v.Size()
			break
		}
		b.Value(name, v)
	}
	if n := left / (elementBytes + elem.Size()); n > 0 {
		elems := make([]Value, n)
		for i := range elems {
			elems[i] = elem
		}
		b.Value("\u0801", List(elems...))
	}
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

// TestBinaryMaxBytes constructs the items that gain most in binary form: many
// short names, sets of single bytes (2 bytes for 1), elements that count
// little, vectors of zeros (4 bytes for 2).
func TestBinaryMaxBytes(t *testing.T) {
	ok := must(t)
	bytesSet := func(n int, empty bool) Value {
		var members [][]byte
		if empty {
			members = append(members, nil)
		}
		for i := range n {
			members = append(members, []byte{byte(i)})
		}
		return ok(BinarySet(members...))
	}
	elems := []Value{Null(), Int(0), String(""), ok(StringSet("")), List(), Map(Item{}),
		ok(NumberSet("0")), ok(NumberSet("0", "1", "2", "3", "4", "5")), Timestamp(0), Timestamp(1e18),
		ok(Vector(make([]float32, 4))), ok(Vector(make([]float32, 31))), ok(Vector(make([]float32, 32))),
		ok(Vector(make([]float32, 5000)))}
	for _, n := range []int{1, 6, 7, 8, 14, 63, 64, 65, 128, 255, 256} {
		elems = append(elems, bytesSet(n, false), bytesSet(n, true))
	}
	const twoByteNames = 0x800 - 0x80
	// What the list gains and what the names gain add up: find the best of each.
	best := 0
	for i, elem := range elems {
		if len(greedy(t, 0, nil, elem)) > len(greedy(t, 0, nil, elems[best])) {
			best = i
		}
	}
	longest := 0
	for _, top := range elems {
		it := greedy(t, twoByteNames, func(int) Value { return top }, elems[best])
		require.LessOrEqual(t, it.Size(), ItemSizeMaxBytes)
		longest = max(longest, len(it))
	}
	assert.LessOrEqual(t, longest, BinaryMaxBytes)
	// Not a loose bound either: within a tenth.
	assert.Greater(t, longest, BinaryMaxBytes*9/10)
	t.Logf("longest: %d of %d", longest, BinaryMaxBytes)
}
