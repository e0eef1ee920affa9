package attr

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// must gives the value of a maker whose arguments are known to be good.
func must(t testing.TB) func(v Value, err error) Value {
	return func(v Value, err error) Value {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func build(t testing.TB, b *Builder) Item {
	t.Helper()
	it, err := b.Build()
	require.NoError(t, err)
	require.NoError(t, CheckItem(it))
	return it
}

// TestVectors pins the examples of the package doc.
func TestVectors(t *testing.T) {
	ok := must(t)
	for _, c := range []struct {
		want string
		v    Value
	}{
		{"216869", String("hi")},
		{"01", String("")},
		{"22c102", Int(1)},
		{"230001", Binary([]byte{0, 1})},
		{"1401", Bool(true)},
		{"05", Null()},
		{"1605", List(Null())},
		{"470161" + "1400", Map(build(t, NewItem().Bool("a", false)))},
		{"4801610162", ok(StringSet("b", "a"))},
		{"2d0161", ok(StringSet("a", ""))},
		{"6902c10202c103", ok(NumberSet("2", "1.0"))},
		{"2a0100", ok(BinarySet([]byte{0}))},
		{"4b0000803f", ok(Vector([]float32{1}))},
		{"2cc20b", Timestamp(1000)},
		{"f10f" + strings.Repeat("78", 15), String(strings.Repeat("x", 15))},
		{"e1" + strings.Repeat("78", 14), String(strings.Repeat("x", 14))},
		{"0d", ok(StringSet(""))},
		{"0e", ok(BinarySet(nil))},
	} {
		assert.Equal(t, c.want, hex.EncodeToString(c.v))
		assert.NoError(t, CheckValue(c.v), c.want)
	}
	it := build(t, NewItem().S("pk", "x").Null("n"))
	assert.Equal(t, "016e0502706b1178", hex.EncodeToString(it))
}

func TestTypes(t *testing.T) {
	for typ, name := range map[Type]string{S: "S", N: "N", B: "B", BOOL: "BOOL", NULL: "NULL",
		L: "L", M: "M", SS: "SS", NS: "NS", BS: "BS", VecF32: "VecF32", Ts: "Ts", 0: "none",
		15: "none", 99: "none"} {
		assert.Equal(t, name, typ.String())
	}
	ok := must(t)
	assert.Equal(t, SS, ok(StringSet("")).Type())
	assert.Equal(t, BS, ok(BinarySet(nil)).Type())
	assert.Equal(t, Type(0), Value(nil).Type())
}

func TestReading(t *testing.T) {
	ok := must(t)
	it := build(t, NewItem().S("z", strings.Repeat("long", 100)).N("n", "1.50").Bool("t", true).
		L("l", Int(1), String("two"), Null()).SS("ss", "b", "", "a").NS("ns", "10", "9").
		Vec("v", 1, 2, 3).Ts("ts", -5).Value("m", Map(Item{})).B("b", []byte("xyz")))
	assert.Equal(t, 10, it.Count())
	assert.Equal(t, strings.Repeat("long", 100), it.Get("z").Text())
	assert.True(t, it.Get("t").Bool())
	assert.False(t, it.Has("a"))
	assert.False(t, it.Has("zz"))
	assert.Nil(t, it.Get("nn"))
	assert.Equal(t, []int{3, 3, 2, 3, 0, 3, 400}, []int{it.Get("l").Len(), it.Get("ss").Len(),
		it.Get("ns").Len(), it.Get("v").Len(), it.Get("m").Len(), it.Get("b").Len(), it.Get("z").Len()})
	assert.Equal(t, []float32{1, 2, 3}, it.Get("v").Float32s(nil))
	ms, isInt := it.Get("ts").Millis()
	assert.True(t, isInt)
	assert.EqualValues(t, -5, ms)
	_, isInt = it.Get("n").Millis()
	assert.False(t, isInt)
	var members []string
	for r := SetReader(it.Get("ss")); r.Next(); {
		members = append(members, string(r.Bytes()))
	}
	assert.Equal(t, []string{"", "a", "b"}, members)
	assert.NotNil(t, it.Get("m").MapItem())
	assert.Nil(t, it.Get("z").MapItem())
	assert.True(t, SetHas(it.Get("ss"), String("")))
	assert.True(t, SetHas(it.Get("ns"), ok(Number("1e1"))))
	assert.False(t, SetHas(it.Get("ns"), String("10")))
	assert.False(t, SetHas(it.Get("ss"), String("aa")))
}

// TestSizes: the examples of wire-facts 4.3.
func TestSizes(t *testing.T) {
	ok := must(t)
	assert.Equal(t, 23, build(t, NewItem().S("shirt-color", "R").S("shirt-size", "M")).Size())
	for _, c := range []struct {
		want int
		v    Value
	}{
		{0, String("")}, {3, String("ä€"[:2] + "x")}, {2, Int(1)}, {1, Int(0)}, {1, Null()}, {1, Bool(false)},
		{3, List()}, {3 + 1 + 1, List(Null())}, {3, Map(Item{})},
		{3 + 1 + 1 + 2, Map(build(t, NewItem().Int("a", 1)))},
		{2, ok(StringSet("", "ab"))}, {4, ok(NumberSet("1", "2"))}, {1, ok(BinarySet([]byte{1}))},
		{3 + 3*(1+2), ok(Vector([]float32{1, 2, 3}))}, {3 + 1 + 3, ok(Vector([]float32{0.123}))},
		{2, Timestamp(1000)}, {20, ok(Number(strings.Repeat("9", 38)))},
	} {
		assert.Equal(t, c.want, c.v.Size(), "%x", []byte(c.v))
	}
}

// TestPageSize: the form of wire-facts 4.3 that ends a page.
func TestPageSize(t *testing.T) {
	text := strings.Repeat
	for i, c := range []struct {
		want int
		it   *Builder
		sort []string
	}{
		{2 + 18, NewItem(), nil},
		{2 + (1 + 1 + 2) + 18, NewItem().S("name", "ab"), nil},
		{2 + (1 + 1 + 127) + 18, NewItem().S("a", text("x", 127)), nil},
		{2 + (1 + 2 + 128) + 18, NewItem().S("a", text("x", 128)), nil},
		{2 + (1 + 2 + 16383) + 6*18, NewItem().S("a", text("x", 16383)), nil},
		{2 + (1 + 3 + 16384) + 6*18, NewItem().S("a", text("x", 16384)), nil},
		{2 + 3070 + 18, NewItem().S("a", text("x", 3067)), nil},
		{2 + 3071 + 2*18, NewItem().S("a", text("x", 3068)), nil},
		{2 + (1 + 1 + 2) + (1 + 1 + 3) + 18, NewItem().N("n", "12").B("b", []byte("abc")), nil},
		{2 + (1 + 3 + 1 + 2) + (1 + 4 + 1 + 2) + (1 + 1 + 1 + 2) + 18,
			NewItem().SS("ss", "a", "bc").NS("ns", "1", "2").BS("bs", nil, []byte("x")), nil},
		{2 + (1 + 1) + 1 + 18, NewItem().Bool("b", true).Null("n"), nil},
		{2 + (1 + 3 + 1 + 2) + (1 + 3) + 18, NewItem().L("l", Int(1)).M("m", Item{}), nil},
		{2 + (1 + 1 + 1) + 18 + 5, NewItem().S("pk", "a").S("sk", "12345"), []string{"sk"}},
		{2 + 3071 + 2*(18+5), NewItem().S("a", text("x", 3068)).S("sk", "12345"), []string{"sk"}},
		{2 + (1 + 1) + (1 + 1 + 1) + 18 + 2 + 2, NewItem().S("a", "12").N("b", "1").S("c", "").S("pk", "a"), []string{"b", "a"}},
	} {
		it := build(t, c.it)
		size, page := it.PageSize(c.sort)
		assert.Equal(t, c.want, page, "%d", i)
		assert.Equal(t, it.Size(), size, "%d", i)
		assert.LessOrEqual(t, page, it.PageSizeMax(), "%d", i)
	}
	it := build(t, NewItem().S("pk", "a").S("sk", "b"))
	sort := []string{"sk"}
	assert.Zero(t, testing.AllocsPerRun(100, func() { it.PageSize(sort) }))
}

// TestPageSizeMax: the bound holds where an item counts most for its length.
func TestPageSizeMax(t *testing.T) {
	lists := make([]Value, 50_000)
	for i := range lists {
		lists[i] = List()
	}
	vector := make([]float32, 20_000)
	for i := range vector {
		vector[i] = 1.2345678e-20
	}
	many := NewItem()
	for i := range 20_000 {
		many.Value(strconv.Itoa(i), List())
	}
	for i, b := range []*Builder{NewItem().L("l", lists...), NewItem().Vec("v", vector...), many, NewItem()} {
		it := build(t, b.S("sk", strings.Repeat("x", 1024)))
		_, page := it.PageSize([]string{"sk"})
		assert.LessOrEqual(t, page, it.PageSizeMax(), "%d", i)
	}
}

func TestEqual(t *testing.T) {
	ok := must(t)
	vec := ok(Vector([]float32{1, 0.1}))
	list := List(Int(1), ok(Number("0.1")))
	assert.True(t, Equal(vec, list))
	assert.True(t, Equal(list, vec))
	assert.False(t, Equal(vec, List(Int(1))))
	assert.False(t, Equal(vec, List(Int(1), ok(Number("0.1")), Int(1))))
	assert.False(t, Equal(vec, List(Int(1), String("0.1"))))
	assert.True(t, Equal(Timestamp(5), Int(5)))
	assert.True(t, Equal(List(vec, Timestamp(5)), List(list, Int(5))))
	assert.True(t, Equal(Map(build(t, NewItem().Value("a", vec))), Map(build(t, NewItem().Value("a", list)))))
	assert.False(t, Equal(Map(build(t, NewItem().Value("a", vec))), Map(build(t, NewItem().Value("b", list)))))
	assert.False(t, Equal(List(Int(1)), List(Int(1), Int(2))))
	assert.False(t, Equal(List(Int(1), Int(2)), List(Int(1))))
	assert.False(t, Equal(String("1"), Int(1)))
	assert.False(t, Equal(nil, Null()))
	assert.True(t, Equal(nil, nil))
	assert.True(t, Equal(ok(StringSet("a", "b")), ok(StringSet("b", "a"))))
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b  Value
		order int
		ok    bool
	}{
		{String("a"), String("b"), -1, true}, {String("Z"), String("a"), -1, true},
		{Int(9), Int(10), -1, true}, {Int(-9), Int(-10), 1, true}, {Timestamp(3), Int(3), 0, true},
		{Binary([]byte{0xff}), Binary([]byte{1}), 1, true},
		{String("1"), Int(1), 0, false}, {Bool(true), Bool(false), 0, false}, {nil, nil, 0, false},
	} {
		order, ok := Compare(c.a, c.b)
		assert.Equal(t, c.ok, ok)
		assert.Equal(t, c.order, order)
	}
}

func TestEdit(t *testing.T) {
	it := build(t, NewItem().S("b", "1").S("d", "2"))
	assert.Equal(t, build(t, NewItem().S("a", "0").S("b", "1").S("d", "2")), it.With("a", String("0")))
	assert.Equal(t, build(t, NewItem().S("b", "1").S("c", "0").S("d", "2")), it.With("c", String("0")))
	assert.Equal(t, build(t, NewItem().S("b", "1").S("d", "2").S("e", "0")), it.With("e", String("0")))
	assert.Equal(t, build(t, NewItem().S("b", "x").S("d", "2")), it.With("b", String("x")))
	assert.Equal(t, build(t, NewItem().S("d", "2")), it.With("b", nil))
	assert.Equal(t, build(t, NewItem().S("d", "2")), it.Without("b", "zz"))
	assert.NotNil(t, it.Without("d", "b"))
	assert.Empty(t, it.Without("d", "b"))
	assert.Equal(t, build(t, NewItem().S("d", "2")), it.Project([]string{"a", "c", "d", "x"}))
	over := build(t, NewItem().S("a", "0").S("d", "9").S("e", "8"))
	assert.Equal(t, build(t, NewItem().S("a", "0").S("b", "1").S("d", "9").S("e", "8")), it.Merge(over))
	assert.Equal(t, it, it.Merge(nil))
	assert.Equal(t, it, Item{}.Merge(it))
}

func TestSetOperations(t *testing.T) {
	ok := must(t)
	a, b := ok(StringSet("a", "", "c")), ok(StringSet("b", "c"))
	assert.Equal(t, ok(StringSet("", "a", "b", "c")), SetUnion(a, b))
	assert.Equal(t, ok(StringSet("", "a", "b", "c")), SetUnion(b, a))
	assert.Equal(t, ok(StringSet("", "a")), SetDiff(a, b))
	assert.Equal(t, ok(StringSet("b")), SetDiff(b, a))
	assert.Nil(t, SetDiff(a, a))
	assert.Equal(t, ok(StringSet("")), SetDiff(a, ok(StringSet("a", "c"))))
	assert.Nil(t, SetUnion(a, ok(NumberSet("1"))))
	assert.Nil(t, SetUnion(String("a"), String("b")))
	assert.Equal(t, ok(NumberSet("1", "2", "3")), SetUnion(ok(NumberSet("3", "1")), ok(NumberSet("2", "1"))))
}

func TestBuilderErrors(t *testing.T) {
	for want, b := range map[ErrorKind]*Builder{
		NotNumber: NewItem().N("n", "x"), Overflow: NewItem().N("n", "1e126"),
		Underflow: NewItem().N("n", "1e-131"), Precision: NewItem().N("n", strings.Repeat("1", 39)),
		EmptySS: NewItem().SS("s"), EmptyNS: NewItem().NS("s"), EmptyBS: NewItem().BS("s"),
		DupSS: NewItem().SS("s", "a", "b", "a"), DupNS: NewItem().NS("s", "1", "1.0"),
		DupBS: NewItem().BS("s", []byte{1}, []byte{1}), NameEmpty: NewItem().S("", "x"),
		NameTooLong: NewItem().S(strings.Repeat("n", NameMaxBytes+1), "x"),
		Empty:       NewItem().Value("v", nil), TooDeep: NewItem().Value("d", nested(DepthMax+1)),
	} {
		_, err := b.Build()
		var bad *ValueError
		require.ErrorAs(t, err, &bad)
		assert.Equal(t, want, bad.Kind)
	}
	_, err := NewItem().Vec("v", float32(math.NaN())).Build()
	assert.ErrorIs(t, err, errVector)
	_, err = NewItem().S("a", "x").S("a", "y").Build()
	assert.NoError(t, err)
}

// nested gives a value of the depth.
func nested(depth int) Value {
	v := Null()
	for range depth - 1 {
		v = List(v)
	}
	return v
}

func TestDepth(t *testing.T) {
	assert.Equal(t, 1, ValueDepth(Null()))
	assert.Equal(t, DepthMax, ValueDepth(nested(DepthMax)))
	assert.Equal(t, DepthMax+1, ValueDepth(nested(1000)))
	assert.NoError(t, CheckValue(nested(DepthMax)))
	assert.ErrorIs(t, CheckValue(nested(DepthMax+1)), ErrMalformed)
	assert.ErrorIs(t, CheckValue(nested(5000)), ErrMalformed)
	assert.Equal(t, 0, ItemDepth(Item{}))
	assert.Equal(t, 2, ItemDepth(build(t, NewItem().L("l", Null()).Null("n"))))
}

// TestMessages: the texts of wire-facts 4.1.
func TestMessages(t *testing.T) {
	for kind, want := range map[ErrorKind]string{
		Empty:       "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
		NotNumber:   "The parameter cannot be converted to a numeric value: T",
		Overflow:    "Number overflow. Attempting to store a number with magnitude larger than supported range",
		Underflow:   "Number underflow. Attempting to store a number with magnitude smaller than supported range",
		Precision:   "Attempting to store more than 38 significant digits in a Number",
		NullFalse:   "One or more parameter values were invalid: Null attribute value types must have the value of true",
		EmptySS:     "One or more parameter values were invalid: An string set  may not be empty",
		EmptyNS:     "One or more parameter values were invalid: An number set  may not be empty",
		EmptyBS:     "One or more parameter values were invalid: Binary sets should not be empty",
		DupSS:       "One or more parameter values were invalid: Input collection T contains duplicates.",
		DupNS:       "Input collection contains duplicates",
		DupBS:       "One or more parameter values were invalid: Input collection Tof type BS contains duplicates.",
		MultiType:   "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
		TooDeep:     "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit",
		NameTooLong: "1 validation error detected: Attribute name is too large, must be less than 65536 bytes",
	} {
		assert.Equal(t, want, (&ValueError{Kind: kind, Text: "T"}).Message())
	}
	assert.Equal(t, "The parameter cannot be converted to a numeric value", (&ValueError{Kind: NotNumber}).Error())
	_, err := StringSet("a", "b", "a")
	assert.EqualError(t, err, "One or more parameter values were invalid: Input collection [a, b, a] contains duplicates.")
	_, err = BinarySet([]byte("x"), []byte("x"))
	assert.EqualError(t, err, "One or more parameter values were invalid: Input collection [eA==, eA==]of type BS contains duplicates.")
}

func TestEncoderOrder(t *testing.T) {
	var e Encoder
	prefix := []byte("kept")
	e.Reset(prefix)
	e.BeginItem()
	for _, n := range []string{"b", "a", "c", "a", "bb"} {
		e.Name([]byte(n))
		e.BeginMap()
		for _, k := range []string{"y", "x", "y"} {
			e.Name([]byte(k))
			e.String([]byte(n + k))
		}
		e.EndMap()
	}
	it := e.EndItem()
	require.NoError(t, CheckItem(it))
	xy := func(n string) Item {
		return build(t, NewItem().S("x", n+"x").S("y", n+"y"))
	}
	assert.Equal(t, build(t, NewItem().M("a", xy("a")).M("b", xy("b")).M("bb", xy("bb")).M("c", xy("c"))), it)
	assert.Equal(t, "kept", string(e.Bytes()[:4]))
	// Many entries take the general sort, which must be stable too.
	e.Reset(nil)
	e.BeginItem()
	for i := range 100 {
		e.Name([]byte{byte('a' + (i*7)%25)})
		e.Number([]byte{byte('0' + i/25)})
	}
	it = e.EndItem()
	require.NoError(t, CheckItem(it))
	assert.Equal(t, 25, it.Count())
	for r := it.Read(); ; {
		_, v, ok := r.Next()
		if !ok {
			break
		}
		assert.Equal(t, Int(3), v)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, h := range []string{
		"00", "0f", "11", "f100", "f10e" + strings.Repeat("61", 14), "f18f00" + strings.Repeat("61", 15),
		"01ff", "11ff", "02", "12c1", "1402", "04", "1505", "1600", "08", "09", "0a",
		"4801620161", "4801610161", "1800", "1d00", "0b00", "1b00", "4b0000807f", "4b00000080",
		"2cc033", "1c00", "270061", "380161ff",
	} {
		b, err := hex.DecodeString(h)
		require.NoError(t, err)
		assert.ErrorIs(t, CheckValue(b), ErrMalformed, h)
	}
	for _, h := range []string{"00" + "05", "016205" + "016105", "016105016105", "01", "0161", "01ff05"} {
		b, err := hex.DecodeString(h)
		require.NoError(t, err)
		assert.ErrorIs(t, CheckItem(b), ErrMalformed, h)
	}
	assert.NoError(t, CheckItem(nil))
	assert.ErrorIs(t, CheckValue(nil), ErrMalformed)
}

// TestLengths: names and payloads around the lengths where one more byte is needed to say them.
func TestLengths(t *testing.T) {
	for _, n := range []int{1, 14, 15, 127, 128, 16383, 16384} {
		name, text := strings.Repeat("n", n), strings.Repeat("t", n)
		it := build(t, NewItem().S(name, text).M("z", build(t, NewItem().S(name, text).SS("z", text))))
		assert.Equal(t, 2*n+len("z")+containerBytes+elementBytes+2*n+elementBytes+len("z")+n, it.Size(), n)
		r := it.Read()
		first, v, ok := r.Next()
		assert.True(t, ok)
		assert.Equal(t, name, string(first))
		assert.Equal(t, text, v.Text())
		for cut := range len(it) {
			short := it[:cut]
			assert.LessOrEqual(t, short.Size(), cut, "what is cut off does not count")
			assert.LessOrEqual(t, short.Count(), 1)
		}
	}
}
