package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/dynamodb/attributevalue"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/build"
)

// marshalOptions are the options of both packages for marshalling.
type marshalOptions struct {
	theirs func(*attributevalue.EncoderOptions)
	ours   build.MarshalOptions
}

// marshalOptionsOf makes options from bits, so that every combination has a number.
func marshalOptionsOf(bits int) marshalOptions {
	o := build.MarshalOptions{
		RefuseEmptySets:         bits&1 != 0,
		UseEncodingMarshalers:   bits&2 != 0,
		OmitNullAttributeValues: bits&4 != 0,
		OmitEmptyTime:           bits&8 != 0,
		TagKey:                  [...]string{"", "json", build.TagKey, ""}[bits>>4&3],
	}
	var theirTime func(time.Time) (types.AttributeValue, error)
	if bits&64 != 0 {
		o.EncodeTime = encodeTime
		theirTime = func(t time.Time) (types.AttributeValue, error) {
			v, err := encodeTime(t)
			return toSDK(v), err
		}
	}
	return marshalOptions{ours: o, theirs: func(e *attributevalue.EncoderOptions) {
		e.NullEmptySets = !o.RefuseEmptySets
		e.UseEncodingMarshalers = o.UseEncodingMarshalers
		e.OmitNullAttributeValues = o.OmitNullAttributeValues
		e.OmitEmptyTime = o.OmitEmptyTime
		e.EncodeTime = theirTime
		if o.TagKey != "" {
			e.TagKey = o.TagKey
		}
	}}
}

// marshalBits is the number of combinations of options for marshalling.
const marshalBits = 128

// encodeTime leaves out one year, refuses another and writes the year of the others.
func encodeTime(t time.Time) (attr.Value, error) {
	switch t.Year() {
	case 1970:
		return nil, nil
	case 10001:
		return nil, fmt.Errorf("year %d", t.Year())
	}
	return attr.Int(int64(t.Year())), nil
}

type unmarshalOptions struct {
	theirs func(*attributevalue.DecoderOptions)
	ours   build.UnmarshalOptions
}

// unmarshalBits is the number of combinations of options for unmarshalling.
const unmarshalBits = 32

func unmarshalOptionsOf(bits int) unmarshalOptions {
	o := build.UnmarshalOptions{
		UseNumber:               bits&1 != 0,
		UseEncodingUnmarshalers: bits&2 != 0,
		UnmarshalSetMembers:     bits&4 != 0,
	}
	if bits&8 != 0 {
		o.TagKey = "json"
	}
	if bits&16 != 0 {
		o.TimeFromString = func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }
		o.TimeFromNumber = func(s string) (time.Time, error) {
			d, err := time.ParseDuration(s + "ms")
			return time.Unix(0, 0).Add(d), err
		}
	}
	return unmarshalOptions{ours: o, theirs: func(d *attributevalue.DecoderOptions) {
		d.UseNumber = o.UseNumber
		d.UseEncodingUnmarshalers = o.UseEncodingUnmarshalers
		d.FixUnmarshalIndividualSetValues = o.UnmarshalSetMembers
		d.DecodeTime = attributevalue.DecodeTimeAttributes{S: o.TimeFromString, N: o.TimeFromNumber}
		if o.TagKey != "" {
			d.TagKey = o.TagKey
		}
	}}
}

// tally counts what a comparison saw, so that a test can tell that it compared anything.
type tally struct {
	values, absent, refusals, panics, unsendable int // of marshalling
	decoded, undecodable, decodePanics           int
}

// theirs calls the SDK, which panics for some types.
func theirs[T any](call func() (T, error)) (out T, err error, panicked bool) {
	defer func() {
		if recover() != nil {
			panicked = true
		}
	}()
	out, err = call()
	return out, err, false
}

// compareMarshal marshals v with both and gives our value, nil when there is none.
func (c *tally) compareMarshal(t *testing.T, v any, bits int) attr.Value {
	t.Helper()
	o := marshalOptionsOf(bits)
	got, gotErr := o.ours.MarshalValue(v)
	item, itemErr := o.ours.Marshal(v)
	sdk, sdkErr, panicked := theirs(func() (types.AttributeValue, error) {
		return attributevalue.MarshalWithOptions(v, o.theirs)
	})
	if panicked {
		c.panics++
		return nil
	}
	want, unsendable := attr.Value(nil), error(nil)
	if sdkErr == nil {
		want, unsendable = fromSDK(sdk)
	}
	switch {
	case sdkErr != nil || unsendable != nil:
		if gotErr == nil {
			t.Fatalf("%T options %#b\n%#v\nwe give %x\nthey give %s (%v, %v)", v, bits, v, got, show(sdk), sdkErr, unsendable)
		}
		if sdkErr != nil {
			c.refusals++
		} else {
			c.unsendable++
		}
	case gotErr != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil):
		t.Fatalf("%T options %#b\n%#v\nwe give   %s (%v)\nthey give %s", v, bits, v, show(toSDK(got)), gotErr, show(sdk))
	case want == nil:
		c.absent++
	default:
		c.values++
	}
	if gotErr == nil && got.Type() == attr.M {
		if itemErr != nil || !bytes.Equal(item, got.MapItem()) {
			t.Fatalf("%T options %#b\n%#v\nas an item %x (%v)\nas a value %x", v, bits, v, item, itemErr, got)
		}
	} else if tooDeep, ok := errors.AsType[*attr.ValueError](gotErr); itemErr == nil &&
		!(ok && tooDeep.Kind == attr.TooDeep) { // an item has a level less than the M of it
		t.Fatalf("%T options %#b\n%#v\nis an item, but as a value %x (%v)", v, bits, v, got, gotErr)
	}
	return got
}

// compareUnmarshal unmarshals v with both, into two places that make fills alike.
func (c *tally) compareUnmarshal(t *testing.T, v attr.Value, place func() reflect.Value, bits int) {
	t.Helper()
	if ambiguous(v) {
		return
	}
	o := unmarshalOptionsOf(bits)
	ours, sdks := place(), place()
	before := fmt.Sprintf("%#v", ours.Elem())
	gotErr := o.ours.UnmarshalValue(v, ours.Interface())
	_, sdkErr, panicked := theirs(func() (int, error) {
		return 0, attributevalue.UnmarshalWithOptions(toSDK(v), sdks.Interface(), o.theirs)
	})
	if panicked {
		c.decodePanics++
		return
	}
	if (gotErr == nil) != (sdkErr == nil) || gotErr == nil && !same(ours, sdks) {
		t.Fatalf("%s into %v %s\noptions %#b\nwe get   %s (%v)\nthey get %s (%v)", show(toSDK(v)), ours.Type(), before, bits,
			text(ours), gotErr, text(sdks), sdkErr)
	}
	if gotErr != nil {
		c.undecodable++
		return
	}
	c.decoded++
	if v.Type() != attr.M {
		return
	}
	lists := [2]reflect.Value{reflect.New(reflect.SliceOf(ours.Type().Elem())), reflect.New(reflect.SliceOf(ours.Type().Elem()))}
	listErr := o.ours.UnmarshalList([]attr.Item{v.MapItem(), v.MapItem()}, lists[0].Interface())
	sdkErr = attributevalue.UnmarshalListOfMapsWithOptions(
		[]map[string]types.AttributeValue{itemToSDK(v.MapItem()), itemToSDK(v.MapItem())}, lists[1].Interface(), o.theirs)
	if (listErr == nil) != (sdkErr == nil) || listErr == nil && !same(lists[0], lists[1]) {
		t.Fatalf("%s twice into %v\nwe get   %s (%v)\nthey get %s (%v)", show(toSDK(v)), lists[0].Type(), text(lists[0]), listErr,
			text(lists[1]), sdkErr)
	}
	again := place()
	if err := o.ours.Unmarshal(v.MapItem(), again.Interface()); err != nil || !same(again, sdks) {
		t.Fatalf("%s as an item into %v\nwe get   %s (%v)\nthey get %s", show(toSDK(v)), ours.Type(), text(again), err, text(sdks))
	}
}

func text(v reflect.Value) string { return fmt.Sprintf("%+v", v.Elem()) }

// show renders a value of the SDK with what its pointers point to.
func show(av types.AttributeValue) string {
	switch av := av.(type) {
	case nil:
		return "nothing"
	case *types.AttributeValueMemberM:
		var s strings.Builder
		s.WriteString("M{")
		for name, elem := range av.Value {
			s.WriteString(fmt.Sprintf("%q: %s, ", name, show(elem)))
		}
		return s.String() + "}"
	case *types.AttributeValueMemberL:
		var s strings.Builder
		s.WriteString("L[")
		for _, elem := range av.Value {
			s.WriteString(show(elem) + ", ")
		}
		return s.String() + "]"
	}
	return fmt.Sprintf("%T%+v", av, reflect.ValueOf(av).Elem().Field(0))
}

// same compares as reflect.DeepEqual does, but that NaN equals NaN and that our Number equals theirs.
func same(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		return sameNumbers(a, b)
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return a.Float() == b.Float() || math.IsNaN(a.Float()) && math.IsNaN(b.Float())
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		if a.Type().ConvertibleTo(reflect.TypeFor[time.Time]()) {
			break
		}
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Kind() == reflect.Slice && a.IsNil() != b.IsNil() || a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return sameMaps(a, b)
	case reflect.Chan, reflect.Func:
		return a.IsNil() == b.IsNil()
	}
	return !a.CanInterface() || reflect.DeepEqual(a.Interface(), b.Interface())
}

func sameNumbers(a, b reflect.Value) bool {
	switch {
	case a.Kind() == reflect.String && b.Kind() == reflect.String:
		return a.Type() == reflect.TypeFor[build.Number]() && a.String() == b.String()
	case a.Kind() == reflect.Slice && b.Kind() == reflect.Slice && a.Len() == b.Len():
		for i := range a.Len() {
			if !sameNumbers(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return a.Type() == reflect.TypeFor[[]build.Number]()
	}
	return false
}

func sameMaps(a, b reflect.Value) bool {
	if a.IsNil() != b.IsNil() || a.Len() != b.Len() {
		return false
	}
	for it := a.MapRange(); it.Next(); {
		if k := it.Key().Kind(); k == reflect.Pointer || k == reflect.Interface {
			continue // every pointer is another key
		}
		if !it.Key().Equal(it.Key()) {
			continue // NaN finds nothing
		}
		if other := b.MapIndex(it.Key()); !other.IsValid() || !same(it.Value(), other) {
			return false
		}
	}
	return true
}
