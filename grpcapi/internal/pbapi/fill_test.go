package pbapi_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// filler fills structs with chance, as the service and its clients would: maps sorted, lists and maps
// either absent or with elements.
type filler struct{ *rand.Rand }

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

func (f filler) text() string {
	return []string{"", "a", "Name", "ünïcode", strings.Repeat("long ", 60)}[f.IntN(5)]
}

func (f filler) fill(v reflect.Value) {
	switch p := v.Addr().Interface().(type) {
	case *attr.Item:
		if f.IntN(3) > 0 {
			*p = f.item(0)
		}
		return
	case *attr.Value:
		if f.IntN(3) > 0 {
			*p = f.value(0)
		}
		return
	case *time.Time:
		*p = time.UnixMilli(f.Int64N(1 << 41)).UTC()
		return
	case *[]attr.Value:
		for range f.IntN(3) {
			*p = append(*p, f.value(0))
		}
		return
	case *[]attr.Item:
		for range f.IntN(3) {
			*p = append(*p, f.item(0))
		}
		return
	case *[]api.NamedValue:
		for _, key := range f.keys() {
			*p = append(*p, api.NamedValue{Placeholder: key, Value: f.value(0)})
		}
		return
	case *[]api.Name:
		for _, key := range f.keys() {
			*p = append(*p, api.Name{Placeholder: key, Name: f.text()})
		}
		return
	case *[]byte:
		if s := f.text(); s != "" {
			*p = []byte(s)
		}
		return
	}
	f.fillKind(v)
}

func (f filler) fillKind(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Int64:
		v.SetInt(f.Int64() - f.Int64())
	case reflect.Float64:
		v.SetFloat(math.Round(f.Float64()*100) / 2)
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Pointer:
		if f.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem())
		}
	case reflect.Struct:
		if strings.HasPrefix(v.Type().Name(), "Opt[") {
			if f.IntN(2) == 0 {
				f.fill(v.Field(0))
				v.Field(1).SetBool(true)
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Bad" {
				f.fill(v.Field(i))
			}
		}
	case reflect.Slice:
		f.fillSlice(v)
	default:
		panic(fmt.Sprintf("nothing to fill a %s with", v.Type()))
	}
}

func (f filler) fillSlice(v reflect.Value) {
	t := v.Type().Elem()
	if t.Kind() == reflect.Struct && t.NumField() == 2 && t.Field(0).Name == "Key" && t.Field(0).Type.Kind() == reflect.String {
		for _, key := range f.keys() {
			e := reflect.New(t).Elem()
			f.fill(e.Field(1))
			e.Field(0).SetString(key)
			v.Set(reflect.Append(v, e))
		}
		return
	}
	for range f.IntN(4) {
		e := reflect.New(t).Elem()
		f.fill(e)
		v.Set(reflect.Append(v, e))
	}
}

// keys are keys of a map in order.
func (f filler) keys() []string {
	var keys []string
	for range f.IntN(4) {
		keys = append(keys, fmt.Sprintf("%s%d", f.text(), f.IntN(10)))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

func (f filler) item(depth int) attr.Item {
	b := attr.NewItem()
	for range f.IntN(5) {
		b.Value(fmt.Sprintf("n%s%d", f.text(), f.IntN(10)), f.value(depth))
	}
	it, err := b.Build()
	if err != nil {
		panic(err)
	}
	return append(attr.Item{}, it...) // never nil: that is an absent one
}

func (f filler) value(depth int) attr.Value {
	must := func(v attr.Value, err error) attr.Value {
		if err != nil {
			panic(err)
		}
		return v
	}
	kinds := 12
	if depth > 3 {
		kinds = 10
	}
	switch f.IntN(kinds) {
	case 0:
		return attr.String(f.text())
	case 1:
		return must(attr.Number([]string{"0", "-1.5", "1E125", "1E-130", "12345678901234567890123456789012345678"}[f.IntN(5)]))
	case 2:
		return attr.Binary([]byte(f.text()))
	case 3:
		return attr.Bool(f.IntN(2) == 0)
	case 4:
		return attr.Null()
	case 5:
		return must(attr.StringSet("b", "", "a"))
	case 6:
		return must(attr.NumberSet("3", "1", "2E10"))
	case 7:
		return must(attr.BinarySet([]byte{1}, []byte{}))
	case 8:
		return must(attr.Vector([]float32{1, -2.5, f.Float32()}[:f.IntN(4)]))
	case 9:
		return attr.Timestamp(f.Int64() - f.Int64())
	case 10:
		var list []attr.Value
		for range f.IntN(4) {
			list = append(list, f.value(depth+1))
		}
		return attr.List(list...)
	}
	return attr.Map(f.item(depth + 1))
}
