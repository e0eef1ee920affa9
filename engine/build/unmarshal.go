package build

import (
	"fmt"
	"reflect"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
)

// Unmarshal maps an item into what dst points to, as UnmarshalValue maps an M. An absent item counts as
// one without attributes.
func Unmarshal(it attr.Item, dst any) error { return UnmarshalOptions{}.Unmarshal(it, dst) }

// UnmarshalList maps items, such as a page of a query, into the slice or array that dst points to.
func UnmarshalList(items []attr.Item, dst any) error {
	return UnmarshalOptions{}.UnmarshalList(items, dst)
}

// UnmarshalValue maps a value into what dst, a pointer, points to, as the attributevalue package of the
// AWS SDK for Go does, by the tags that MarshalValue explains:
//
//	S           string kinds; times, from RFC 3339; with the option string number kinds
//	N           number kinds and string kinds; times, from seconds since 1970, or from milliseconds
//	            with the option ts
//	B           slices and arrays of bytes
//	BOOL        bool kinds
//	NULL        the zero value; a pointer becomes nil
//	L           slices and arrays of anything; a slice with too little room is replaced, one with
//	            enough keeps its elements as the places to map into; an array takes what it has room
//	            for
//	M           maps, where entries are added and replaced, and structs; names that a struct lacks
//	            are passed over
//	SS, NS, BS  slices and arrays of what S, N and B go into
//	VecF32      slices and arrays of number kinds, as the L of the same numbers
//	Ts          times, and whatever the N of its milliseconds goes into
//
// An attr.Value takes every value, an attr.Item every M. Pointers are set to new values where they are nil. An attribute goes to the field of its name, or
// else to the first one whose name differs in case only. An Unmarshaler is handed the value instead.
// An empty interface that is nil gets
//
//	S string        N float64 (or Number)   B []byte     BOOL bool   NULL nil
//	L []any         M map[string]any
//	SS []string     NS []float64 or []Number             BS [][]byte
//	VecF32 Vector   Ts Timestamp
//
// An interface that holds a pointer is mapped into what that points to, one that holds a map into
// that map. Other values in it are replaced, except that NULL leaves them alone.
//
// It differs from attributevalue where that panics: too many or too few bytes for an array, a value
// that lacks the methods of an interface, and a nil pointer to an embedded struct of an unexported type
// are errors; what an interface holds can be replaced. Of two attributes that go to one field, the one
// that has its very name wins, otherwise the last; there it is any. All numbers that do not fit are an
// *UnmarshalTypeError, which wraps the *strconv.NumError if there is one.
//
// The error is that of an Unmarshaler, an *UnmarshalTypeError or an *InvalidUnmarshalError; what dst
// holds is then not known. Nothing in dst shares memory with v, but what an Unmarshaler keeps.
func UnmarshalValue(v attr.Value, dst any) error { return UnmarshalOptions{}.UnmarshalValue(v, dst) }

// UnmarshalOptions change what Unmarshal, UnmarshalList and UnmarshalValue do; the zero value is what
// these do.
type UnmarshalOptions struct {
	// TagKey is as that of MarshalOptions.
	TagKey string
	// UseNumber gives an empty interface a Number, not a float64, and a []Number, not a []float64.
	UseNumber bool
	// TimeFromString maps an S to a time. nil means the form of time.RFC3339.
	TimeFromString func(string) (time.Time, error)
	// TimeFromNumber maps an N to a time, except for fields with the option unixtime or ts. nil
	// means whole seconds since 1970.
	TimeFromNumber func(string) (time.Time, error)
	// UseEncodingUnmarshalers hands an S to an encoding.TextUnmarshaler, and a B to an
	// encoding.BinaryUnmarshaler, that is no Unmarshaler.
	UseEncodingUnmarshalers bool
	// UnmarshalSetMembers hands each member of a set to the Unmarshaler in its place. Without it, the
	// Unmarshaler in the first place gets the whole set, as in attributevalue, where the option is
	// FixUnmarshalIndividualSetValues.
	UnmarshalSetMembers bool
}

// Unmarshal is Unmarshal under these options.
func (o UnmarshalOptions) Unmarshal(it attr.Item, dst any) error {
	v, err := target(dst)
	if err != nil {
		return err
	}
	d := newDecoder(&o)
	return d.item(it, d.plans.of(v.Type()), v)
}

// UnmarshalList is UnmarshalList under these options.
func (o UnmarshalOptions) UnmarshalList(items []attr.Item, dst any) error {
	v, err := target(dst)
	if err != nil {
		return err
	}
	d := newDecoder(&o)
	return d.items(items, d.plans.of(v.Type()), v)
}

// UnmarshalValue is UnmarshalValue under these options.
func (o UnmarshalOptions) UnmarshalValue(v attr.Value, dst any) error {
	out, err := target(dst)
	if err != nil {
		return err
	}
	d := newDecoder(&o)
	return d.decode(v, d.plans.of(out.Type()), out, 0)
}

func target(dst any) (reflect.Value, error) {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		return v, &InvalidUnmarshalError{Type: reflect.TypeOf(dst)}
	}
	return v, nil
}

// An Unmarshaler takes a value on its own terms. It must copy what it keeps. NULL reaches it only where it
// is no pointer that can be set to nil.
type Unmarshaler interface {
	UnmarshalValue(attr.Value) error
}

// UnmarshalTypeError says that a value does not go into a Go type.
type UnmarshalTypeError struct {
	Path  string // where it lies in the outermost value, such as ".Lines[2].Price"; "" for itself
	Value string // what the value is: "string", "number overflow, 300", `map key "x"`
	Type  reflect.Type
	Err   error // the cause, or nil
}

// Error names the place, the value and the type.
func (e *UnmarshalTypeError) Error() string {
	text := fmt.Sprintf("build: unmarshal%s: %s does not go into %v", place(e.Path), e.Value, e.Type)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap is the cause.
func (e *UnmarshalTypeError) Unwrap() error { return e.Err }

// InvalidUnmarshalError says that a destination is no pointer, or nil.
type InvalidUnmarshalError struct{ Type reflect.Type }

// Error names the type.
func (e *InvalidUnmarshalError) Error() string {
	if e.Type != nil && e.Type.Kind() == reflect.Pointer {
		return fmt.Sprintf("build: unmarshal: the destination is a nil %v", e.Type)
	}
	return fmt.Sprintf("build: unmarshal: the destination is no pointer but %v", e.Type)
}
