package mapping

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"

	"github.com/keystone-db/kstone/engine/attr"
)

// source makes decisions from bytes, so that a fuzzer can steer them; without bytes it decides for the
// first choice.
type source struct {
	data []byte
	// held makes interfaces hold pointers and maps only: the SDK cannot replace other things in them.
	held bool
}

func (s *source) n(n int) int {
	if len(s.data) == 0 || n <= 1 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return int(b) % n
}

func (s *source) one(words ...string) string { return words[s.n(len(words))] }

func (s *source) in(n int) bool { return s.n(n) == n-1 }

// leaves are the types that a type made at random ends in.
var leaves = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[bool](),
	reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](),
	reflect.TypeFor[int64](), reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](),
	reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[clock](), reflect.TypeFor[any](), reflect.TypeFor[any](),
	reflect.TypeFor[[]byte](), reflect.TypeFor[bytesName](), reflect.TypeFor[[3]byte](), reflect.TypeFor[[][]byte](),
	reflect.TypeFor[[]string](), reflect.TypeFor[[]int](), reflect.TypeFor[list](), reflect.TypeFor[dict](),
	reflect.TypeFor[json.Number](), reflect.TypeFor[attributevalue.Number](),
	reflect.TypeFor[flag](), reflect.TypeFor[small](), reflect.TypeFor[ratio](), reflect.TypeFor[Color](),
	reflect.TypeFor[Renders](), reflect.TypeFor[Addressed](), reflect.TypeFor[Gives](), reflect.TypeFor[Word](),
	reflect.TypeFor[Blob](), reflect.TypeFor[Point](), reflect.TypeFor[Fault](),
	reflect.TypeFor[map[string]any](), reflect.TypeFor[[]any](), reflect.TypeFor[map[string]string](),
	reflect.TypeFor[uintptr](), reflect.TypeFor[complex128](), reflect.TypeFor[chan int](), reflect.TypeFor[func()](),
	reflect.TypeFor[**int](), reflect.TypeFor[*any](), reflect.TypeFor[*Addressed](), reflect.TypeFor[*time.Time](),
	reflect.TypeFor[Tree](), reflect.TypeFor[Outer](), reflect.TypeFor[struct{}](),
}

var keys = []reflect.Type{
	reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[uint8](), reflect.TypeFor[bool](),
	reflect.TypeFor[float64](), reflect.TypeFor[float32](), reflect.TypeFor[Word](), reflect.TypeFor[Point](),
	reflect.TypeFor[*Point](), reflect.TypeFor[Color](), reflect.TypeFor[Fault](), reflect.TypeFor[small](),
	reflect.TypeFor[any](), reflect.TypeFor[complex64](), reflect.TypeFor[attributevalue.Number](),
	reflect.TypeFor[time.Time](), reflect.TypeFor[[1]int8](),
}

// typ makes a type.
func (s *source) typ(depth int) reflect.Type {
	kind := s.n(12)
	if depth <= 0 {
		kind = 0
	}
	switch kind {
	case 1:
		return reflect.SliceOf(s.typ(depth - 1))
	case 2:
		return reflect.ArrayOf(s.n(4), s.typ(depth-1))
	case 3:
		return reflect.MapOf(keys[s.n(len(keys))], s.typ(depth-1))
	case 4:
		return reflect.PointerTo(s.typ(depth - 1))
	case 5, 6, 7:
		return s.structure(depth)
	}
	return leaves[s.n(len(leaves))]
}

// goNames are the names of fields; some differ in case only, and all occur as names in tags too.
var goNames = []string{"A", "B", "Name", "NAME", "C", "Ab", "AB", "D"}

// structure makes a struct with tags and, now and then, embedded structs.
func (s *source) structure(depth int) reflect.Type {
	var fields []reflect.StructField
	for i := range 1 + s.n(5) {
		f := reflect.StructField{Name: goNames[i], Type: s.typ(depth - 1), Tag: s.tag()}
		switch s.n(8) {
		case 7:
			f.Type, f.Anonymous = s.structure(depth-1), true
		case 6:
			f.Type, f.Anonymous = reflect.PointerTo(s.structure(depth-1)), true
		}
		fields = append(fields, f)
	}
	return reflect.StructOf(fields)
}

var tagOptions = []string{
	"omitempty", "omitemptyelem", "nullempty", "nullemptyelem", "string", "unixtime", "stringset", "numberset",
	"binaryset",
}

// tag makes the tags of a field under one key, two, or none.
func (s *source) tag() reflect.StructTag {
	var keys []string
	switch s.n(6) {
	case 0:
		return ""
	case 1:
		keys = []string{"json"}
	case 2:
		keys = []string{"json", "dynamodbav"}
	default:
		keys = []string{"dynamodbav"}
	}
	var tags []string
	for _, key := range keys {
		var text strings.Builder
		text.WriteString(s.one("", "", "", "a", "b", "name", "Name", "C", "-", "é"))
		for range s.n(4) {
			text.WriteString("," + s.one(append(tagOptions, "", "unknown", " omitempty")...))
		}
		tags = append(tags, key+`:"`+text.String()+`"`)
	}
	return reflect.StructTag(strings.Join(tags, " "))
}

var texts = []string{
	"", "a", "12", "1.0", "-3", "true", "2024-05-06T07:08:09.5Z", "1e3", "0x1p-2", "NaN", "300", "70000",
	"9223372036854775808", "18446744073709551616", "1e200", "w12", "1/2", "é", "name", "\xff",
	"1234567890123456789012345678901234567890",
}

// text makes a string; a rare one is not UTF-8.
func (s *source) text() string { return texts[s.n(len(texts))] }

var floats = []float64{
	0, 1, -1.5, 0.1, 1e21, 1e20, 1e-7, math.MaxFloat32, 1e39, 1e125, 1e126, 1e-130, 1e-131, math.Inf(1), math.NaN(),
	math.Copysign(0, -1), 123456789.125, math.MaxUint64, math.SmallestNonzeroFloat64, math.MaxFloat64,
}

var ints = []int64{0, 1, -1, 100, 127, -128, 255, 300, -32768, 65535, 1 << 31, -1 << 31, math.MaxInt64, math.MinInt64, 10, 99}

var times = []time.Time{
	{}, time.Unix(0, 0).UTC(), time.Date(2024, 5, 6, 7, 8, 9, 123456789, time.UTC), time.Unix(1e9, 5e6).UTC(),
	time.Date(10001, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2024, 5, 6, 7, 8, 9, 0, time.FixedZone("", 3600)),
}

// fill sets v, which is settable, to a value of its type.
func (s *source) fill(v reflect.Value, depth int) {
	t := v.Type()
	switch {
	case s.in(5):
		v.SetZero()
		return
	case t.Kind() == reflect.Struct && t.ConvertibleTo(reflect.TypeFor[time.Time]()):
		v.Set(reflect.ValueOf(times[s.n(len(times))]).Convert(t))
		return
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(s.text())
	case reflect.Bool:
		v.SetBool(!s.in(2))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(ints[s.n(len(ints))])
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		v.SetUint(uint64(ints[s.n(len(ints))]))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(floats[s.n(len(floats))])
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(t.Elem()))
			s.fill(v.Elem(), depth-1)
		}
	case reflect.Interface:
		s.fillInterface(v, depth)
	default:
		s.fillParts(v, depth)
	}
}

// fillParts is fill for what has parts.
func (s *source) fillParts(v reflect.Value, depth int) {
	t := v.Type()
	switch t.Kind() {
	case reflect.Slice:
		n := s.n(4)
		if depth < 0 {
			n = min(n, 1)
		}
		v.Set(reflect.MakeSlice(t, n, n+s.n(3)))
		for i := range n {
			s.fill(v.Index(i), depth-1)
		}
	case reflect.Array:
		for i := range v.Len() {
			s.fill(v.Index(i), depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(t))
		n := s.n(4)
		if k := t.Key().Kind(); k == reflect.Pointer || k == reflect.Interface {
			n = min(n, 1) // two keys may have one name, and the order of a map is any
		}
		for range n {
			key, elem := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			s.fill(key, depth-1)
			if key.Comparable() && key.Equal(key) { // not NaN, which can be a key many times
				s.fill(elem, depth-1)
				v.SetMapIndex(key, elem)
			}
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				s.fill(field, depth-1)
			}
		}
	}
}

// fillInterface puts a value of any type into an interface.
func (s *source) fillInterface(v reflect.Value, depth int) {
	if depth <= 0 || v.NumMethod() > 0 {
		return
	}
	t := s.typ(1)
	if s.held && t.Kind() != reflect.Map {
		t = reflect.PointerTo(t)
	}
	held := reflect.New(t).Elem()
	s.fill(held, depth-1)
	if s.held && held.IsNil() {
		return
	}
	v.Set(held)
}

// value makes an attribute value, for destinations that it was not made for.
func (s *source) value(depth int) attr.Value {
	kind := s.n(10)
	if depth <= 0 {
		kind %= 5
	}
	switch kind {
	case 0:
		return attr.String(strings.ToValidUTF8(s.text(), ""))
	case 1:
		if v, err := attr.Number(s.text()); err == nil {
			return v
		}
		return attr.Int(ints[s.n(len(ints))])
	case 2:
		return attr.Binary([]byte(s.text()))
	case 3:
		return attr.Bool(s.in(2))
	case 4:
		return attr.Null()
	case 5:
		var elems []attr.Value
		for range s.n(4) {
			elems = append(elems, s.value(depth-1))
		}
		return attr.List(elems...)
	case 6:
		v, err := attr.StringSet("a", s.one("12", ""), s.one("w", "true"))
		return must(v, err)
	case 7:
		v, err := attr.NumberSet("1", s.one("2.5", "300"), s.one("-1", "1e30"))
		return must(v, err)
	case 8:
		v, err := attr.BinarySet([]byte("abc"), []byte(s.one("", "xyz")))
		return must(v, err)
	}
	return attr.Map(s.item(depth))
}

func (s *source) item(depth int) attr.Item {
	b := attr.NewItem()
	for range s.n(5) {
		b.Value(s.one("A", "b", "name", "C", "Ab", "D", "12", "true", "w1", "1/2"), s.value(depth-1))
	}
	it, err := b.Build()
	return must(it, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
