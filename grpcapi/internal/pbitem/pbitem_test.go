package pbitem

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// TestNumbers: the field numbers that this package knows by heart are those of the protocol.
func TestNumbers(t *testing.T) {
	number := func(m proto.Message, name protoreflect.Name) protowire.Number {
		return m.ProtoReflect().Descriptor().Fields().ByName(name).Number()
	}
	require.EqualValues(t, itemAttributes, number(&keystonev1.Item{}, "attributes"))
	require.EqualValues(t, itemJSON, number(&keystonev1.Item{}, "dynamodb_json"))
	for _, m := range []proto.Message{&keystonev1.List{}, &keystonev1.StringSet{}, &keystonev1.NumberSet{},
		&keystonev1.BinarySet{}, &keystonev1.FloatVector{}} {
		require.EqualValues(t, elements, number(m, "values"))
	}
	require.EqualValues(t, elements, number(&keystonev1.Map{}, "entries"))
	fields := (&keystonev1.Value{}).ProtoReflect().Descriptor().Fields()
	require.Equal(t, int(attr.Ts), fields.Len())
	for typ := attr.S; typ <= attr.Ts; typ++ {
		require.EqualValues(t, typ, fields.ByName(protoreflect.Name(typ.String())).Number())
	}
}

// reader is a Reader with memory of its own.
func reader() *Reader {
	enc := &attr.Encoder{}
	enc.Reset([]byte{})
	return &Reader{Enc: enc}
}

func build(t testing.TB, b *attr.Builder) attr.Item {
	it, err := b.Build()
	require.NoError(t, err)
	return it
}

// unnamed is the content of a map with an entry that has no name.
func unnamed(text string) attr.Item {
	return append(attr.AppendName(nil, ""), attr.String(text)...)
}

// wide is an item of all types, nested and of lengths around those where a length takes a byte more.
func wide(t *testing.T) attr.Item {
	b := attr.NewItem().S("s", "").N("n", "-12.5").B("b", []byte{0, 255}).Bool("t", true).Bool("f", false).
		Null("null").SS("ss", "b", "a", "").NS("ns", "2", "-1").BS("bs", []byte("x"), nil).
		Vec("vec", 1, -2.5, math.MaxFloat32).Vec("novec").Ts("ts", -1).Ts("later", math.MaxInt64).
		N("wide", "1E125").L("nolist").M("nomap", attr.Item{}).S("ü", "ü")
	for _, n := range []int{100, 120, 122, 124, 126, 127, 128, 130, 16370, 16380, 16384, 16390} {
		long := strings.Repeat("x", n)
		b.S("s"+long, "").S(long[1:]+"v", long)
		b.L(long+"l", attr.String(long), attr.List(attr.String(long)), attr.Map(unnamed(long)))
	}
	return build(t, b)
}

func TestRoundTrip(t *testing.T) {
	it := wide(t)
	wire := AppendItem(nil, it)
	r := reader()
	got, json, bad := r.Item(wire)
	require.NoError(t, r.Err)
	require.Nil(t, json)
	require.Nil(t, bad)
	require.Equal(t, it, got)

	var message keystonev1.Item
	require.NoError(t, proto.Unmarshal(wire, &message))
	require.Equal(t, len(wire), proto.Size(&message), "the shortest form")
	again, err := proto.Marshal(&message)
	require.NoError(t, err)
	got, _, bad = r.Item(again)
	require.NoError(t, r.Err)
	require.Nil(t, bad)
	require.Equal(t, it, got)
}

func TestBadValues(t *testing.T) {
	number := func(text string) *keystonev1.Value { return &keystonev1.Value{Value: &keystonev1.Value_N{N: text}} }
	list := func(v ...*keystonev1.Value) *keystonev1.Value {
		return &keystonev1.Value{Value: &keystonev1.Value_L{L: &keystonev1.List{Values: v}}}
	}
	vector := func(f ...float32) *keystonev1.Value {
		return &keystonev1.Value{Value: &keystonev1.Value_VecF32{VecF32: &keystonev1.FloatVector{Values: f}}}
	}
	deep := func(inner *keystonev1.Value, levels int) *keystonev1.Value {
		for range levels {
			inner = list(inner)
		}
		return inner
	}
	for _, tt := range []struct {
		name  string
		value *keystonev1.Value
		want  attr.ValueError // zero: none
	}{
		{"nothing", &keystonev1.Value{}, attr.ValueError{Kind: attr.Empty}},
		{"no number", number("x"), attr.ValueError{Kind: attr.NotNumber, Text: "x"}},
		{"39 digits", number(strings.Repeat("1", 39)), attr.ValueError{Kind: attr.Precision}},
		{"null that is false", &keystonev1.Value{Value: &keystonev1.Value_NULL{}}, attr.ValueError{Kind: attr.NullFalse}},
		{"empty set", &keystonev1.Value{Value: &keystonev1.Value_SS{SS: &keystonev1.StringSet{}}},
			attr.ValueError{Kind: attr.EmptySS}},
		{"a number twice", &keystonev1.Value{Value: &keystonev1.Value_NS{
			NS: &keystonev1.NumberSet{Values: []string{"1", "1.0"}}}}, attr.ValueError{Kind: attr.DupNS}},
		{"a bad number comes first", &keystonev1.Value{Value: &keystonev1.Value_NS{
			NS: &keystonev1.NumberSet{Values: []string{"1", "1", "x"}}}}, attr.ValueError{Kind: attr.NotNumber, Text: "x"}},
		{"the first of a list", list(number("1"), number("x"), number("y")),
			attr.ValueError{Kind: attr.NotNumber, Text: "x"}},
		{"NaN", vector(1, float32(math.NaN())), attr.ValueError{Kind: attr.NotNumber, Text: "NaN"}},
		{"infinity", vector(float32(math.Inf(-1))), attr.ValueError{Kind: attr.NotNumber, Text: "-Infinity"}},
		{"as deep as may be", deep(number("1"), attr.DepthMax-1), attr.ValueError{}},
		{"too deep", deep(number("1"), attr.DepthMax), attr.ValueError{Kind: attr.TooDeep}},
		{"a vector as deep as may be", deep(vector(1), attr.DepthMax-2), attr.ValueError{}},
		{"a vector too deep", deep(vector(1), attr.DepthMax-1), attr.ValueError{Kind: attr.TooDeep}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			wire, err := proto.Marshal(tt.value)
			require.NoError(t, err)
			r := reader()
			v, bad := r.Value(wire)
			require.NoError(t, r.Err)
			if tt.want == (attr.ValueError{}) {
				require.Nil(t, bad)
				require.NoError(t, attr.CheckValue(v))
				return
			}
			require.Nil(t, v)
			require.Equal(t, &tt.want, bad)
		})
	}
}

// TestNames: names at the top must not be empty, nor too long anywhere.
func TestNames(t *testing.T) {
	null := &keystonev1.Value{Value: &keystonev1.Value_NULL{NULL: true}}
	for name, want := range map[string]attr.ErrorKind{
		"": attr.NameEmpty, strings.Repeat("a", attr.NameMaxBytes+1): attr.NameTooLong, strings.Repeat("a", attr.NameMaxBytes): 0,
	} {
		wire, err := proto.Marshal(&keystonev1.Item{Attributes: map[string]*keystonev1.Value{name: null}})
		require.NoError(t, err)
		r := reader()
		_, _, bad := r.Item(wire)
		require.NoError(t, r.Err)
		if want == 0 {
			require.Nil(t, bad)
			continue
		}
		require.Equal(t, &attr.ValueError{Kind: want}, bad)
	}
}

// TestMinusZero: a vector keeps no sign of zero, as elsewhere.
func TestMinusZero(t *testing.T) {
	wire, err := proto.Marshal(&keystonev1.Value{Value: &keystonev1.Value_VecF32{
		VecF32: &keystonev1.FloatVector{Values: []float32{float32(math.Copysign(0, -1)), 1}}}})
	require.NoError(t, err)
	r := reader()
	v, bad := r.Value(wire)
	require.Nil(t, bad)
	want, err := attr.Vector([]float32{0, 1})
	require.NoError(t, err)
	require.Equal(t, want, v)
}

// FuzzItem: what is read equals what the generated code reads of the same bytes, and what is read of
// its own form is the same item.
func FuzzItem(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendItem(nil, build(f, attr.NewItem().S("s", "x").N("n", "1.50").SS("ss", "b", "a").Vec("v", 1).
		Ts("t", -5).L("l", attr.Null(), attr.Map(unnamed("x"))))))
	f.Add([]byte("\x0a\x09\x0a\x01a\x12\x04\x0a\x00\x12\x01"))                         // cut off
	f.Add([]byte("\x0a\x0b\x0a\x01a\x12\x06\x0a\x01x\x12\x011"))                       // two members
	f.Add([]byte("\x0a\x0d\x0a\x01a\x12\x08\x32\x02\x0a\x00\x32\x02\x0a\x00"))         // a list twice
	f.Add([]byte("\x0a\x0f\x0a\x01a\x12\x0a\x5a\x08\x0d\x00\x00\x80\x3f\x0a\x00\x0a")) // a vector, not packed
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := reader()
		it, json, bad := r.Item(wire)
		var message keystonev1.Item
		err := proto.Unmarshal(wire, &message)
		if err != nil {
			// A value that is nested too deep is not looked into, and so are two forms.
			if r.Err == nil && (bad == nil || bad.Kind != attr.TooDeep) {
				t.Fatalf("the generated code refuses it: %v", err)
			}
			return
		}
		if r.Err != nil {
			if r.Err != ErrTwice && r.Err != ErrMembers && r.Err != ErrTwoForms {
				t.Fatalf("the generated code takes what is refused: %v", r.Err)
			}
			return
		}
		if json != nil {
			require.Equal(t, message.GetDynamodbJson(), json)
			return
		}
		if bad == nil {
			want, fault := entries(message.GetAttributes(), 1)
			require.False(t, fault)
			require.Equal(t, want, it)
			require.NoError(t, attr.CheckItem(it))
			again, _, _ := reader().Item(AppendItem(nil, it))
			require.True(t, bytes.Equal(it, again), "decode(encode(x)) = x")
		}
		// What protobuf writes has each key once, so that the same is bad about it.
		same, err := proto.Marshal(&message)
		require.NoError(t, err)
		r = reader()
		got, _, bad := r.Item(same)
		require.NoError(t, r.Err)
		want, fault := entries(message.GetAttributes(), 1)
		require.Equal(t, fault, bad != nil)
		if bad == nil {
			require.Equal(t, want, got)
		}
	})
}

// entries makes an item of the generated code's map, the slow way; fault says that something is bad.
func entries(m map[string]*keystonev1.Value, depth int) (it attr.Item, fault bool) {
	var enc attr.Encoder
	enc.Reset([]byte{})
	enc.BeginItem()
	for name, v := range m {
		value, bad := convert(v, depth)
		fault = fault || bad || depth == 1 && name == "" || len(name) > attr.NameMaxBytes
		enc.Name([]byte(name))
		enc.Value(value)
	}
	return enc.EndItem(), fault
}

func convert(v *keystonev1.Value, depth int) (out attr.Value, fault bool) { //nolint:funlen // one flat switch
	if depth > attr.DepthMax {
		return attr.Null(), true
	}
	var err error
	switch x := v.GetValue().(type) {
	case *keystonev1.Value_S:
		out = attr.String(x.S)
	case *keystonev1.Value_N:
		out, err = attr.Number(x.N)
	case *keystonev1.Value_B:
		out = attr.Binary(x.B)
	case *keystonev1.Value_BOOL:
		out = attr.Bool(x.BOOL)
	case *keystonev1.Value_NULL:
		out, fault = attr.Null(), !x.NULL
	case *keystonev1.Value_L:
		var list []attr.Value
		for _, e := range x.L.GetValues() {
			value, bad := convert(e, depth+1)
			fault = fault || bad
			list = append(list, value)
		}
		out = attr.List(list...)
	case *keystonev1.Value_M:
		var m attr.Item
		m, fault = entries(x.M.GetEntries(), depth+1)
		out = attr.Map(m)
	case *keystonev1.Value_SS:
		out, err = attr.StringSet(x.SS.GetValues()...)
	case *keystonev1.Value_NS:
		out, err = attr.NumberSet(x.NS.GetValues()...)
	case *keystonev1.Value_BS:
		out, err = attr.BinarySet(x.BS.GetValues()...)
	case *keystonev1.Value_VecF32:
		out, err = attr.Vector(x.VecF32.GetValues())
		fault = depth == attr.DepthMax && len(x.VecF32.GetValues()) > 0
	case *keystonev1.Value_Ts:
		out = attr.Timestamp(x.Ts)
	default:
		fault = true
	}
	if fault || err != nil {
		return attr.Null(), true
	}
	return out, false
}
