package attr

import (
	"errors"
	"math"
)

// errVector: a vector element that no number can express.
var errVector = errors.New("attr: a vector element is not finite")

// String makes an S of s, which must be UTF-8.
func String(s string) Value { return AppendString(nil, s) }

// Number makes an N from its text; the error is a *ValueError.
func Number(text string) (Value, error) {
	v, err := AppendNumberText(nil, []byte(text))
	if err != nil {
		return nil, NumberError(err, []byte(text))
	}
	return v, nil
}

// Int makes an N from an integer.
func Int(v int64) Value { return AppendInt(nil, v) }

// Binary makes a B; b is copied.
func Binary(b []byte) Value { return AppendBinary(nil, b) }

// Bool makes a BOOL.
func Bool(b bool) Value { return AppendBool(nil, b) }

// Null makes a NULL.
func Null() Value { return AppendNull(nil) }

// List makes an L; the values are copied.
func List(values ...Value) Value {
	n := 0
	for _, v := range values {
		n += len(v)
	}
	dst := AppendHead(make([]byte, 0, headLen(n)+n), L, n)
	for _, v := range values {
		dst = append(dst, v...)
	}
	return dst
}

// Map makes an M of an item; it is copied.
func Map(it Item) Value {
	return append(AppendHead(make([]byte, 0, headLen(len(it))+len(it)), M, len(it)), it...)
}

// StringSet makes an SS; the error is a *ValueError (EmptySS, DupSS).
func StringSet(members ...string) (Value, error) {
	var e Encoder
	e.BeginSet(SS)
	for _, m := range members {
		e.Member([]byte(m))
	}
	return e.finishSet(nil)
}

// NumberSet makes an NS from texts; the error is a *ValueError.
func NumberSet(texts ...string) (Value, error) {
	var e Encoder
	var bad *ValueError
	e.BeginSet(NS)
	for _, t := range texts {
		if err := e.NumberMember([]byte(t)); bad == nil {
			bad = err
		}
	}
	return e.finishSet(bad)
}

// BinarySet makes a BS; the error is a *ValueError (EmptyBS, DupBS).
func BinarySet(members ...[]byte) (Value, error) {
	var e Encoder
	e.BeginSet(BS)
	for _, m := range members {
		e.Member(m)
	}
	return e.finishSet(nil)
}

func (e *Encoder) finishSet(bad *ValueError) (Value, error) {
	if err := e.EndSet(); bad == nil {
		bad = err
	}
	if bad != nil {
		return nil, bad
	}
	return Value(e.From(0)), nil
}

// Vector makes a VecF32; elements must be finite.
func Vector(vec []float32) (Value, error) {
	v, ok := AppendVecF32(nil, vec)
	if !ok {
		return nil, errVector
	}
	return v, nil
}

// Timestamp makes a Ts of milliseconds since 1970.
func Timestamp(ms int64) Value { return AppendTs(nil, ms) }

// finite reports whether f can be an element of a vector.
func finite(f float32) bool { return f == f && !math.IsInf(float64(f), 0) }
