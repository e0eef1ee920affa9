package build

import (
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
)

// The rules shared with the SDK are compared with it in compat/mapping; here are those of our own.

type address struct {
	Street string
	City   string `dynamodbav:"city,omitempty"`
}

type order struct {
	address
	ID      string            `dynamodbav:"pk"`
	Count   int               `dynamodbav:"n,omitempty"`
	Price   float64           `dynamodbav:"price"`
	Tags    []string          `dynamodbav:"tags,stringset"`
	Made    time.Time         `dynamodbav:"made,unixtime"`
	Seen    time.Time         `dynamodbav:"seen,ts"`
	Vec     []float32         `dynamodbav:"vec,vector"`
	Notes   map[string]string `dynamodbav:"notes"`
	Any     any               `dynamodbav:"any"`
	Next    *order            `dynamodbav:"next,omitempty"`
	Raw     []byte
	Skipped string `dynamodbav:"-"`
}

func TestMarshalThereAndBack(t *testing.T) {
	in := order{
		address: address{Street: "Main St", City: "Rome"}, ID: "o#1", Count: 3, Price: 2.5,
		Tags: []string{"b", "a"}, Made: time.Unix(1700000000, 0), Seen: time.UnixMilli(1700000000123).UTC(),
		Vec: []float32{1, -2.5}, Notes: map[string]string{"x": "y"}, Any: []any{"s", 1.5, nil, true},
		Next: &order{ID: "o#2"}, Raw: []byte{0, 1}, Skipped: "no",
	}
	it, err := Marshal(&in)
	require.NoError(t, err)
	require.NoError(t, attr.CheckItem(it))
	assert.Equal(t, attr.VecF32, it.Get("vec").Type())
	assert.Equal(t, attr.Ts, it.Get("seen").Type())
	assert.Equal(t, attr.SS, it.Get("tags").Type())
	assert.Nil(t, it.Get("Skipped"))

	var out order
	require.NoError(t, Unmarshal(it, &out))
	in.Tags = []string{"a", "b"}
	in.Skipped = ""
	in.Next = out.Next
	assert.Equal(t, in, out)
	assert.Equal(t, "o#2", out.Next.ID)
}

// native has what the DynamoDB wire has no types for.
type native struct {
	Vec   []float32  `dynamodbav:",vector"`
	Array [2]float32 `dynamodbav:",vector,omitempty"`
	Typed Vector
	At    time.Time  `dynamodbav:",ts"`
	Maybe *time.Time `dynamodbav:",ts,omitempty"`
	Stamp Timestamp
	Value attr.Value
	Item  attr.Item
	Set   Set
}

func newNative(t *testing.T) native {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 678999999, time.UTC)
	it, err := attr.NewItem().S("a", "x").Build()
	require.NoError(t, err)
	return native{
		Vec: []float32{1, 0.1}, Array: [2]float32{3, 4}, Typed: Vector{5}, At: at, Maybe: &at, Stamp: Timestamp(at),
		Value: attr.Bool(true), Item: it, Set: StringSet("a", "b"),
	}
}

func TestNativeTypes(t *testing.T) {
	in := newNative(t)
	it, err := Marshal(in)
	require.NoError(t, err)
	for name, want := range map[string]attr.Type{
		"Vec": attr.VecF32, "Array": attr.VecF32, "Typed": attr.VecF32, "At": attr.Ts, "Maybe": attr.Ts, "Stamp": attr.Ts,
		"Value": attr.BOOL, "Item": attr.M, "Set": attr.SS,
	} {
		assert.Equal(t, want, it.Get(name).Type(), name)
	}
	ms, ok := it.Get("At").Millis()
	assert.True(t, ok)
	assert.Equal(t, in.At.UnixMilli(), ms, "rounded down")

	var out native
	require.NoError(t, Unmarshal(it.Without("Set"), &out))
	at := in.At.Truncate(time.Millisecond)
	in.At, in.Maybe, in.Stamp, in.Set = at, &at, Timestamp(at), Set{}
	assert.Equal(t, in, out)

	var doc map[string]any
	require.NoError(t, Unmarshal(it, &doc))
	assert.Equal(t, Vector{1, 0.1}, doc["Vec"])
	assert.Equal(t, Timestamp(at), doc["At"])
	again, err := Marshal(doc)
	require.NoError(t, err)
	assert.Equal(t, it.Without("Set"), again.Without("Set"), "any keeps the types; sets become lists")
}

// A program that only has the DynamoDB wire writes a VecF32 back as an L of N and a Ts as an N.
func TestNativeTypesRewrittenByAnSDK(t *testing.T) {
	it, err := attr.NewItem().L("Vec", attr.Int(1), attr.Int(2)).Int("At", 1234).Int("Stamp", 1234).L("Typed", attr.Int(3)).Build()
	require.NoError(t, err)
	var out native
	require.NoError(t, Unmarshal(it, &out))
	at := time.UnixMilli(1234).UTC()
	assert.Equal(t, native{Vec: []float32{1, 2}, At: at, Stamp: Timestamp(at), Typed: Vector{3}}, out)
}

// Without the options a VecF32 and a Ts go wherever the L of N and the N go that they stand for.
func TestNativeValuesElsewhere(t *testing.T) {
	vec, err := attr.Vector([]float32{1.5, 300})
	require.NoError(t, err)
	for _, c := range []struct {
		v         attr.Value
		dst, want any // pointers; a nil want is an error
	}{
		{vec, new([]float64), &[]float64{1.5, 300}},
		{vec, new([]float32), &[]float32{1.5, 300}},
		{vec, new([]string), &[]string{"1.5", "300"}},
		{vec, new([]any), &[]any{1.5, 300.0}},
		{vec, new([1]float32), &[1]float32{1.5}},
		{vec, new([]int8), nil},
		{vec, new(string), nil},
		{attr.Timestamp(1500), new(int), new(1500)},
		{attr.Timestamp(1500), new(string), new("1500")},
		{attr.Timestamp(1500), new(time.Time), new(time.UnixMilli(1500).UTC())},
		{attr.Timestamp(1500), new(int8), nil},
		{attr.Null(), &Timestamp{}, &Timestamp{}},
		{attr.String("x"), &Timestamp{}, nil},
		{attr.Null(), &attr.Value{}, new(attr.Null())},
		{vec, new(attr.Value), &vec},
		{attr.Int(5), new(attr.Item), nil},
	} {
		err := UnmarshalValue(c.v, c.dst)
		if c.want == nil {
			assert.Error(t, err, "%T", c.dst)
			continue
		}
		require.NoError(t, err, "%T", c.dst)
		assert.Equal(t, c.want, c.dst)
	}
}

func TestNativeFaults(t *testing.T) {
	type wrong struct {
		V []int `dynamodbav:",vector"`
	}
	type vectors struct {
		V []float32 `dynamodbav:",vector"`
	}
	type stamps struct {
		T time.Time `dynamodbav:",ts"`
	}
	far := time.Unix(math.MaxInt64/10, 0)
	for name, in := range map[string]any{
		"vector of ints": wrong{[]int{1}}, "not finite": vectors{[]float32{float32(math.NaN())}},
		"typed, not finite": Vector{float32(math.Inf(1))}, "too far": stamps{far}, "typed, too far": Timestamp(far),
		"malformed": attr.Value{0xff, 0xff}, "malformed item": struct{ I attr.Item }{attr.Item{1}}, "bad set": []any{StringSet("a", "a")},
	} {
		_, err := MarshalValue(in)
		require.ErrorAs(t, err, new(*MarshalError), name)
	}
}

func TestErrorsNameThePlace(t *testing.T) {
	in := map[string]any{"lines": []any{1, order{Notes: map[string]string{"k": "\xff"}}}}
	_, err := Marshal(in)
	bad, ok := errors.AsType[*MarshalError](err)
	require.True(t, ok)
	assert.Equal(t, "[lines][1].notes[k]", bad.Path)
	assert.EqualError(t, err, "build: marshal [lines][1].notes[k]: string cannot be a value: not UTF-8")

	it, err := attr.NewItem().L("any").L("tags").M("next", attr.Item{}).Build()
	require.NoError(t, err)
	inner, err := attr.NewItem().S("n", "many").Build()
	require.NoError(t, err)
	err = Unmarshal(it.With("next", attr.Map(inner)), new(order))
	wrong, ok := errors.AsType[*UnmarshalTypeError](err)
	require.True(t, ok)
	assert.Equal(t, ".next.n", wrong.Path)
	assert.EqualError(t, err, "build: unmarshal .next.n: string does not go into int")
	err = UnmarshalList([]attr.Item{nil, inner}, new([]order))
	assert.EqualError(t, err, "build: unmarshal [1].n: string does not go into int")
}

// A type that points to itself and a document that contains itself end in an error.
func TestCycles(t *testing.T) {
	type self *self
	var p self
	p = &p
	_, err := MarshalValue(p)
	require.ErrorContains(t, err, reasonCycle)

	doc := map[string]any{}
	doc["doc"] = doc
	_, err = Marshal(doc)
	deep, ok := errors.AsType[*attr.ValueError](err)
	require.True(t, ok)
	assert.Equal(t, attr.TooDeep, deep.Kind)

	var dst any
	dst = &dst
	require.NoError(t, UnmarshalValue(attr.Int(1), &dst))
	assert.Equal(t, 1.0, dst)
}

func TestDepth(t *testing.T) {
	nested := func(levels int) any {
		v := any("x")
		for range levels - 1 {
			v = []any{v}
		}
		return v
	}
	_, err := MarshalValue(nested(attr.DepthMax))
	require.NoError(t, err)
	_, err = Marshal(map[string]any{"a": nested(attr.DepthMax)})
	require.NoError(t, err)
	_, err = Marshal(map[string]any{"a": nested(attr.DepthMax + 1)})
	require.Error(t, err)

	inner, err := MarshalValue(nested(attr.DepthMax))
	require.NoError(t, err)
	_, err = MarshalValue([]attr.Value{inner})
	require.Error(t, err, "a value that is encoded already counts too")
}

// The result shares no memory with the encoder, which goes on to map other values, nor with the input.
func TestResultsAreOwn(t *testing.T) {
	raw := []byte("raw")
	first, err := Marshal(order{ID: "one", Raw: raw})
	require.NoError(t, err)
	want := first.Clone()
	raw[0] = 'X'
	for range 10 {
		_, err := Marshal(order{ID: strings.Repeat("two", 100)})
		require.NoError(t, err)
	}
	assert.Equal(t, want, first)

	var out order
	require.NoError(t, Unmarshal(first, &out))
	out.Raw[0] = 'Y'
	assert.Equal(t, want, first)
}

// An encoder that failed in the midst of something is as good as new.
func TestMarshalAfterFaults(t *testing.T) {
	want, err := Marshal(order{ID: "fine", Tags: []string{"a"}})
	require.NoError(t, err)
	type sets struct {
		S []map[string]float64 `dynamodbav:",stringset"`
	}
	for range 20 {
		_, err := Marshal(sets{[]map[string]float64{{"x": math.NaN()}}})
		require.Error(t, err)
		assert.Panics(t, func() { _, _ = Marshal(map[string]any{"a": []any{panics{}}}) })
		got, err := Marshal(order{ID: "fine", Tags: []string{"a"}})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

type panics struct{}

func (panics) MarshalValue() (attr.Value, error) { panic("on purpose") }

// Types are met for the first time by many at once.
func TestConcurrentTypes(t *testing.T) {
	type leaf struct{ A, B int }
	type tree struct {
		Leaves []leaf
		Trees  map[string]*tree
	}
	in := tree{Leaves: []leaf{{1, 2}}, Trees: map[string]*tree{"t": {}}}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			o := MarshalOptions{TagKey: []string{"", "json", "yaml"}[i%3]}
			it, err := o.Marshal(in)
			assert.NoError(t, err)
			var out tree
			assert.NoError(t, UnmarshalOptions{TagKey: o.TagKey}.Unmarshal(it, &out))
			assert.Equal(t, in.Leaves, out.Leaves)
		})
	}
	wg.Wait()
}
