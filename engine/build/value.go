package build

import (
	"fmt"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Texts of faults that keep a call from being sent.
const (
	msgNoValue     = "build: a value is absent"
	msgNoItem      = "build: an item is absent"
	msgBadPath     = "build: %q is no path of a document"
	msgBadCond     = "build: a condition is a text or a Condition, not a %T"
	msgArgsTwice   = "build: placeholder %s stands for two things"
	msgArgReserved = "build: placeholder %s: names that begin so belong to the builder"
	msgArgName     = "build: placeholder %s stands for an attribute name, not for a %T"
	msgArgsNoText  = "build: arguments without a text"
	msgLimit       = "build: %s is %d: want 1 or more"
	msgOperand     = "build: an operand of an expression is absent"
	msgNotPath     = "build: %s takes the path of an attribute"
)

// invalid is a fault of a call that is not sent for it.
func invalid(format string, args ...any) error { return api.Errorf(api.Validation, format, args...) }

// fault is an error of encoding a value as one that keeps a call from being sent. What the service would
// say of the value becomes an error as the service returns it; other causes can be found in it.
func fault(err error) error {
	if bad, ok := err.(*attr.ValueError); ok { //nolint:errorlint // wrapped ones say where they come from
		return api.Errorf(api.Validation, "%s", bad.Message())
	}
	return &encodingFault{err}
}

// encodingFault is an error of Marshal that is also an *api.Error.
type encodingFault struct{ cause error }

func (f *encodingFault) Error() string { return f.cause.Error() }

func (f *encodingFault) Unwrap() []error {
	return []error{f.cause, api.Errorf(api.Validation, "%s", f.cause.Error())}
}

// toValue encodes a value of any type.
func toValue(v any) (attr.Value, error) {
	switch v := v.(type) {
	case string:
		if utf8.ValidString(v) {
			return attr.String(v), nil
		}
	case int:
		return attr.Int(int64(v)), nil
	case attr.Value:
		if len(v) == 0 {
			return nil, invalid(msgNoValue)
		}
		return v, nil
	case attr.Item:
		if v == nil {
			return nil, invalid(msgNoValue)
		}
		return attr.Map(v), nil
	case Set:
		return v.value, v.err
	}
	value, err := MarshalValue(v)
	if err != nil {
		return nil, fault(err)
	}
	if len(value) == 0 {
		return nil, invalid(msgNoValue)
	}
	return value, nil
}

// toItem encodes an item of any type.
func toItem(v any) (attr.Item, error) {
	var it attr.Item
	var err error
	switch v := v.(type) {
	case attr.Item:
		it = v
	case *attr.Builder:
		it, err = v.Build()
	default:
		it, err = Marshal(v)
	}
	if err != nil {
		return nil, fault(err)
	}
	if it == nil {
		return nil, invalid(msgNoItem)
	}
	return it, nil
}

// Set is a set as a value; slices become lists.
type Set struct {
	value attr.Value
	err   error
}

// StringSet makes an SS.
func StringSet(members ...string) Set {
	for _, member := range members {
		if !utf8.ValidString(member) {
			return Set{err: fault(fmt.Errorf("build: a member of a set is %w", ErrNotUTF8))}
		}
	}
	return newSet(attr.StringSet(members...))
}

// NumberSet makes an NS from the texts of numbers.
func NumberSet(texts ...string) Set { return newSet(attr.NumberSet(texts...)) }

// BinarySet makes a BS.
func BinarySet(members ...[]byte) Set { return newSet(attr.BinarySet(members...)) }

func newSet(v attr.Value, err error) Set {
	if err != nil {
		return Set{err: fault(err)}
	}
	return Set{value: v}
}
