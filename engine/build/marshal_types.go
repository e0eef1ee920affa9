package build

import (
	"reflect"
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
)

// Number is the text of a number, for numbers that no Go type holds without loss: up to 38 digits.
// It becomes an N.
type Number string

// Float64 gives the nearest float64.
func (n Number) Float64() (float64, error) { return strconv.ParseFloat(string(n), 64) }

// Int64 gives the number as an integer; an error when it is none or does not fit.
func (n Number) Int64() (int64, error) { return strconv.ParseInt(string(n), 10, 64) }

// Uint64 gives the number as an unsigned integer; an error when it is none or does not fit.
func (n Number) Uint64() (uint64, error) { return strconv.ParseUint(string(n), 10, 64) }

// String gives the text.
func (n Number) String() string { return string(n) }

// UnixTime is a time that becomes an N, whole seconds since 1970, as one with the option unixtime does.
type UnixTime time.Time

// MarshalValue gives the N.
func (t UnixTime) MarshalValue() (attr.Value, error) { return attr.Int(time.Time(t).Unix()), nil }

// UnmarshalValue takes an N.
func (t *UnixTime) UnmarshalValue(v attr.Value) error {
	if v.Type() != attr.N {
		return &UnmarshalTypeError{Value: v.Type().String(), Type: reflect.TypeFor[UnixTime]()}
	}
	got, err := unixTime(numberText(v.Payload()))
	if err == nil {
		*t = UnixTime(got)
	}
	return err
}

// String is the String of time.Time.
func (t UnixTime) String() string { return time.Time(t).String() }

// Timestamp is a time that becomes a Ts, whole milliseconds since 1970, as one with the option ts does.
type Timestamp time.Time

// MarshalValue gives the Ts.
func (t Timestamp) MarshalValue() (attr.Value, error) {
	ms, err := millis(time.Time(t))
	if err != nil {
		return nil, err
	}
	return attr.Timestamp(ms), nil
}

// UnmarshalValue takes a Ts, the N that a program without Ts makes of one, and NULL for the zero time.
func (t *Timestamp) UnmarshalValue(v attr.Value) error {
	if v.Type() == attr.NULL {
		*t = Timestamp{}
		return nil
	}
	ms, ok := v.Millis()
	if !ok {
		return &UnmarshalTypeError{Value: v.Type().String(), Type: reflect.TypeFor[Timestamp]()}
	}
	*t = Timestamp(time.UnixMilli(ms).UTC())
	return nil
}

// String is the String of time.Time.
func (t Timestamp) String() string { return time.Time(t).String() }

// millis gives the whole milliseconds since 1970, rounded down.
func millis(t time.Time) (int64, error) {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Unix() != t.Unix() {
		return 0, &MarshalError{Type: reflect.TypeFor[time.Time](), Reason: reasonTs}
	}
	return ms, nil
}

// Vector is a slice that becomes a VecF32, as a []float32 with the option vector does.
type Vector []float32

// MarshalValue gives the VecF32.
func (x Vector) MarshalValue() (attr.Value, error) {
	v, err := attr.Vector(x)
	if err != nil {
		return nil, &MarshalError{Type: reflect.TypeFor[Vector](), Reason: reasonVectorElem}
	}
	return v, nil
}

// MarshalValue gives the set; it makes sets parts of what Marshal maps.
func (s Set) MarshalValue() (attr.Value, error) { return s.value, s.err }
