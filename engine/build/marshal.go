package build

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
)

// Marshal maps a struct or map to an item, as MarshalValue maps it to an M. Pointers, interfaces and
// a Marshaler that gives an M will do as well; nil and other values are a *MarshalError.
func Marshal(v any) (attr.Item, error) { return MarshalOptions{}.Marshal(v) }

// MarshalValue maps a Go value to an attribute value. The rules, the struct tags and the outcome are
// those of the attributevalue package of the AWS SDK for Go:
//
//	string kinds                             S
//	integer and floating-point kinds         N
//	Number, json.Number and the like         N
//	bool kinds                               BOOL
//	nil pointer, interface, map, slice       NULL
//	slice or array of bytes                  B
//	[][]byte                                 BS; NULL when it is empty
//	other slices and arrays                  L
//	map                                      M; keys are strings, numbers, bools or TextMarshalers
//	struct                                   M of its exported fields
//	time.Time and types made from it         S in the form of time.RFC3339Nano
//	pointer, interface                       what it holds
//	Marshaler, attr.Value, attr.Item         what it gives, or is
//	chan, func, complex, uintptr             no value: a field is left out, MarshalValue gives nil
//
// A field has the name and the options of its tag, `dynamodbav:"name,option,option"`; without a
// name it has its Go name, and "-" leaves it out. The options:
//
//	omitempty      leave the field out when it is false, 0, "", nil or an array type of length 0; not when
//	               it is an empty slice or map that is not nil, a zero time or another struct
//	omitemptyelem  leave out such elements of a list, set or map, at any depth
//	nullempty      NULL instead of such a value
//	nullemptyelem  NULL instead of such elements of a list, set or map
//	string         a number becomes an S
//	unixtime       a time becomes an N, whole seconds since 1970
//	stringset      a list becomes an SS, its elements must be S
//	numberset      a list becomes an NS, its elements must be N
//	binaryset      a list becomes a BS, its elements must be B
//
// Two more are our own, for types of value that the DynamoDB wire lacks:
//
//	ts             a time becomes a Ts, whole milliseconds since 1970
//	vector         a slice or array of float32 becomes a VecF32
//
// Fields of an embedded struct count as fields of the outer one, unless the embedded field has a name
// by its tag. Of fields with the same name the shallowest is taken; of several there, the one
// with a name by its tag; otherwise none.
//
// What no item can hold is refused here, where the SDK leaves it to the service: numbers out of range
// or not finite, strings that are not UTF-8, empty sets, sets with duplicates, names that are too long,
// and nesting deeper than attr.DepthMax. These errors wrap an *attr.ValueError or ErrNotUTF8.
//
// The other differences from attributevalue are these. An embedded field of an unexported type that is
// no struct is left out, and a slice of a named byte type is a B; attributevalue panics. A method of
// a nil pointer is not called where it would need the value that is not there. The methods of
// attributevalue.Marshaler are not known. Marshal refuses what is no M, where MarshalMap gives an
// empty map.
//
// The result belongs to the caller and shares no memory with v.
func MarshalValue(v any) (attr.Value, error) { return MarshalOptions{}.MarshalValue(v) }

// MarshalOptions change what Marshal and MarshalValue do; the zero value is what these do.
type MarshalOptions struct {
	// TagKey is a second key of struct tags, such as "json", which wins over dynamodbav. Its
	// options must be spelled as those of dynamodbav.
	TagKey string
	// RefuseEmptySets makes an empty slice that is to be a set an error instead of a NULL. It is the
	// reverse of attributevalue's NullEmptySets, which hands an empty set to the service to refuse.
	RefuseEmptySets bool
	// EncodeTime maps times, those with the option unixtime or ts aside. An absent value leaves
	// the time out. nil means an S in the form of time.RFC3339Nano.
	EncodeTime func(time.Time) (attr.Value, error)
	// UseEncodingMarshalers maps an encoding.TextMarshaler to an S, and any other
	// encoding.BinaryMarshaler to a B. A Marshaler goes first.
	UseEncodingMarshalers bool
	// OmitNullAttributeValues leaves out a field with omitempty when its Marshaler gives NULL.
	OmitNullAttributeValues bool
	// OmitEmptyTime leaves out a zero time with omitempty.
	OmitEmptyTime bool
}

// Marshal is Marshal under these options.
func (o MarshalOptions) Marshal(v any) (attr.Item, error) {
	e := newEncoder(&o)
	defer e.free()
	out, err := e.run(v, 0)
	if err == nil && out == nil {
		err = &MarshalError{Type: reflect.TypeOf(v), Reason: reasonNoItem}
	}
	if err != nil {
		return nil, err
	}
	return attr.Item(out), nil
}

// MarshalValue is MarshalValue under these options.
func (o MarshalOptions) MarshalValue(v any) (attr.Value, error) {
	e := newEncoder(&o)
	defer e.free()
	out, err := e.run(v, 1)
	return attr.Value(out), err
}

// A Marshaler maps itself to a value. An absent value (nil) asks for the usual mapping instead.
// The value is copied.
type Marshaler interface {
	MarshalValue() (attr.Value, error)
}

// ErrNotUTF8 is why a string cannot become an S or a name: use bytes for it.
var ErrNotUTF8 = errors.New("not UTF-8")

var errNameNotUTF8 = fmt.Errorf("its name is %w", ErrNotUTF8)

// Why values cannot be marshalled.
const (
	reasonNoItem     = "is no item: it must be a struct or a map"
	reasonTags       = "is empty, and omitempty and nullempty contradict each other"
	reasonKeyType    = "as a map key: it must be a string, a number, a bool or an encoding.TextMarshaler"
	reasonKeyEmpty   = "as a map key is empty"
	reasonBinarySet  = "is no binary, but an element of a binary set"
	reasonNumberSet  = "is no number, but an element of a number set"
	reasonStringSet  = "is no string, but an element of a string set"
	reasonVector     = "has the option vector, but is no slice or array of float32"
	reasonVectorElem = "has an element that is not finite"
	reasonTs         = "is a time too far away for 64 bits of milliseconds"
	reasonCycle      = "points to itself"
)

// MarshalError says why a Go value cannot become an attribute value.
type MarshalError struct {
	Path   string       // where it lies in the outermost value, such as ".Lines[2].Price"; "" for itself
	Type   reflect.Type // nil for a nil interface
	Reason string       // "" when Err says it
	Err    error        // the cause, or nil
}

// Error names the place, the type and the reason.
func (e *MarshalError) Error() string {
	reason := e.Reason
	if e.Err != nil {
		reason = "cannot be a value: " + e.Err.Error()
	}
	return fmt.Sprintf("build: marshal%s: %v %s", place(e.Path), e.Type, reason)
}

// Unwrap is the cause.
func (e *MarshalError) Unwrap() error { return e.Err }

// place is the path of an error as a part of its text.
func place(path string) string {
	if path == "" {
		return ""
	}
	return " " + path
}
