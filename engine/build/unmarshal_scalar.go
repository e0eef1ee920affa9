package build

import (
	"bytes"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// numberText is the canonical text of a number's encoding.
func numberText(enc []byte) string {
	var buf [number.TextMaxBytes]byte
	return string(number.AppendText(buf[:0], enc))
}

// str maps an S.
func (d *decoder) str(s []byte, p *plan, v reflect.Value, o options) error {
	switch {
	case o.has(asString):
		return d.numberText(string(s), p, v, o)
	case p.form == formTime:
		return d.timeFrom(d.opts.TimeFromString, rfc3339, "string", string(s), p, v)
	case p.kind == reflect.String:
		v.SetString(string(s))
		return nil
	}
	return mismatch("string", p)
}

func rfc3339(s string) (time.Time, error) { return time.Parse(time.RFC3339, s) }

// unixTime reads whole seconds since 1970.
func unixTime(text string) (time.Time, error) {
	sec, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, &UnmarshalTypeError{
			Value: fmt.Sprintf("number %q", text), Type: reflect.TypeFor[time.Time](), Err: err,
		}
	}
	return time.Unix(sec, 0), nil
}

// timeFrom sets a time read by the function of the options, or else by the usual one.
func (d *decoder) timeFrom(read, usual func(string) (time.Time, error), what, text string, p *plan,
	v reflect.Value,
) error {
	if read == nil {
		read = usual
	}
	t, err := read(text)
	if err != nil {
		return &UnmarshalTypeError{Value: fmt.Sprintf("%s %q", what, text), Type: p.typ, Err: err}
	}
	setTime(v, t)
	return nil
}

// setTime sets a time.Time, or a type made from it.
func setTime(v reflect.Value, t time.Time) {
	if !v.CanAddr() || !v.CanInterface() {
		v.Set(reflect.ValueOf(t).Convert(v.Type()))
		return
	}
	*v.Addr().Convert(reflect.TypeFor[*time.Time]()).Interface().(*time.Time) = t
}

// number maps an N from its encoding.
func (d *decoder) number(enc []byte, p *plan, v reflect.Value, o options) error {
	switch p.kind {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if i, ok := number.Int(enc); ok && !v.OverflowInt(i) {
			v.SetInt(i)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if i, ok := number.Int(enc); ok && i >= 0 && !v.OverflowUint(uint64(i)) {
			v.SetUint(uint64(i))
			return nil
		}
	case reflect.Float32, reflect.Float64:
		if f := number.Float(enc); !v.OverflowFloat(f) {
			v.SetFloat(f)
			return nil
		}
	case reflect.Struct:
		if p.form == formTime && (o.has(asTs) || o.has(asUnixTime)) {
			if i, ok := number.Int(enc); ok {
				setTime(v, intTime(i, o))
				return nil
			}
		}
	}
	return d.numberText(numberText(enc), p, v, o)
}

// numberText maps the text of a number, which need not be one.
func (d *decoder) numberText(text string, p *plan, v reflect.Value, o options) error {
	var err error
	over := false
	switch p.kind {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(text, 10, 64); err == nil && !v.OverflowInt(i) {
			v.SetInt(i)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var i uint64
		if i, err = strconv.ParseUint(text, 10, 64); err == nil && !v.OverflowUint(i) {
			v.SetUint(i)
			return nil
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil && !v.OverflowFloat(f) {
			v.SetFloat(f)
			return nil
		}
	case reflect.Interface:
		return d.numberToInterface(text, p, v)
	default:
		return d.numberToTime(text, p, v, o)
	}
	over = err == nil
	if over {
		return mismatch("number overflow, "+text, p)
	}
	return &UnmarshalTypeError{Value: fmt.Sprintf("number %q", text), Type: p.typ, Err: err}
}

func (d *decoder) numberToTime(text string, p *plan, v reflect.Value, o options) error {
	switch {
	case p.form != formTime:
		return mismatch("number", p)
	case o.has(asTs):
		return d.timeFrom(nil, millisTime, "number", text, p, v)
	case o.has(asUnixTime):
		return d.timeFrom(nil, unixTime, "number", text, p, v)
	}
	return d.timeFrom(d.opts.TimeFromNumber, unixTime, "number", text, p, v)
}

func millisTime(text string) (time.Time, error) {
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms).UTC(), err
}

// intTime gives the time that an integer stands for under the option ts or unixtime.
func intTime(i int64, o options) time.Time {
	if o.has(asTs) {
		return time.UnixMilli(i).UTC()
	}
	return time.Unix(i, 0)
}

// timestamp maps a Ts.
func (d *decoder) timestamp(a attr.Value, p *plan, v reflect.Value, o options) error {
	if p.form != formTime {
		return d.number(a.Payload(), p, v, o)
	}
	ms, _ := a.Millis()
	setTime(v, time.UnixMilli(ms).UTC())
	return nil
}

// toInterface maps a value into an interface that is nil, or whose content is to be replaced.
func (d *decoder) toInterface(a attr.Value, p *plan, v reflect.Value, o options) error {
	if a.Type() == attr.S && o.has(asString) {
		return d.numberText(a.Text(), p, v, o)
	}
	made, err := d.free(a)
	if err != nil {
		return err
	}
	return assign(made, a, p, v)
}

func (d *decoder) numberToInterface(text string, p *plan, v reflect.Value) error {
	if d.opts.UseNumber {
		return assign(Number(text), nil, p, v)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return &UnmarshalTypeError{Value: fmt.Sprintf("number %q", text), Type: p.typ, Err: err}
	}
	return assign(f, nil, p, v)
}

// assign puts a value into an interface, which may ask for methods that the value lacks.
func assign(made any, a attr.Value, p *plan, v reflect.Value) error {
	m := reflect.ValueOf(made)
	if !m.Type().AssignableTo(p.typ) {
		return &UnmarshalTypeError{Value: fmt.Sprintf("%v as %v", a.Type(), m.Type()), Type: p.typ}
	}
	v.Set(m)
	return nil
}

// free makes the Go value of a value for an interface; nil for NULL.
func (d *decoder) free(a attr.Value) (any, error) {
	switch a.Type() {
	case attr.S:
		return a.Text(), nil
	case attr.N:
		return d.freeNumber(a.Payload()), nil
	case attr.B:
		return append([]byte{}, a.Payload()...), nil
	case attr.BOOL:
		return a.Bool(), nil
	case attr.NULL:
		return nil, nil
	case attr.L:
		out := make([]any, 0, a.Len())
		for r := attr.ListReader(a); r.Next(); {
			elem, err := d.free(r.Value())
			if err != nil {
				return nil, err
			}
			out = append(out, elem)
		}
		return out, nil
	case attr.M:
		it := a.MapItem()
		out := make(map[string]any, it.Count())
		return out, d.freeInto(out, it)
	case attr.SS, attr.NS, attr.BS:
		return d.freeSet(a), nil
	case attr.VecF32:
		return Vector(a.Float32s(make([]float32, 0, a.Len()))), nil
	case attr.Ts:
		ms, _ := a.Millis()
		return Timestamp(time.UnixMilli(ms).UTC()), nil
	}
	return nil, &UnmarshalTypeError{Value: "malformed value", Type: reflect.TypeFor[any]()}
}

// freeInto adds the attributes of an item to a map.
func (d *decoder) freeInto(out map[string]any, it attr.Item) error {
	for r := it.Read(); ; {
		name, elem, ok := r.Next()
		if !ok {
			return nil
		}
		made, err := d.free(elem)
		if err != nil {
			return err
		}
		out[string(name)] = made
	}
}

func (d *decoder) freeNumber(enc []byte) any {
	if d.opts.UseNumber {
		return Number(numberText(enc))
	}
	return number.Float(enc)
}

func (d *decoder) freeSet(a attr.Value) any {
	r := attr.SetReader(a)
	switch {
	case a.Type() == attr.SS:
		out := make([]string, 0, a.Len())
		for r.Next() {
			out = append(out, string(r.Bytes()))
		}
		return out
	case a.Type() == attr.BS:
		out := make([][]byte, 0, a.Len())
		for r.Next() {
			out = append(out, bytes.Clone(r.Bytes()))
		}
		return out
	case d.opts.UseNumber:
		out := make([]Number, 0, a.Len())
		for r.Next() {
			out = append(out, Number(numberText(r.Bytes())))
		}
		return out
	}
	out := make([]float64, 0, a.Len())
	for r.Next() {
		out = append(out, number.Float(r.Bytes()))
	}
	return out
}
