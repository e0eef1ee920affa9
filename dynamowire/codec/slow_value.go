package codec

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// Attribute values are rare in slow requests (parameters of statements), so they are read with the
// same tokens as the rest.

// slowRead is an attribute value as it is read: bytes of the last member, how many members came,
// and the first fault in the order of the service's checks (the order of attr.ErrorKind, then
// those of nested values).
type slowRead struct {
	value  attr.Value
	count  int
	own    *attr.ValueError // fault of this value
	nested *attr.ValueError // first fault of an element
}

func (r *slowRead) fail(bad *attr.ValueError) {
	if bad != nil && (r.own == nil || bad.Kind < r.own.Kind) {
		r.own = bad
	}
}

// fault is the first fault of the value, nil when it is good.
func (r *slowRead) fault() *attr.ValueError {
	switch {
	case r.count == 0:
		return &attr.ValueError{Kind: attr.Empty}
	case r.own != nil:
		return r.own
	case r.nested != nil:
		return r.nested
	case r.count > 1:
		return &attr.ValueError{Kind: attr.MultiType}
	}
	return nil
}

// value reads one attribute value at a depth of nesting; null gives nil and no fault.
func (d *slowDecoder) value(depth int) (attr.Value, *attr.ValueError, error) {
	tok, err := d.open('{', msgValueType, msgUnrecognizedClass+structurePackage+"AttributeValue")
	if err != nil || tok == nil {
		return nil, nil, err
	}
	var r slowRead
	if depth > attr.DepthMax {
		r.fail(&attr.ValueError{Kind: attr.TooDeep})
	}
	for d.dec.More() {
		name, err := d.name()
		if err != nil {
			return nil, nil, err
		}
		if err := d.valueMember(&r, name, depth); err != nil {
			return nil, nil, err
		}
	}
	return r.value, r.fault(), d.end()
}

func (d *slowDecoder) valueMember(r *slowRead, name string, depth int) error {
	switch name {
	case "S", "N", "B", "BOOL", "NULL":
		return d.valueScalar(r, name)
	case "SS", "NS", "BS":
		return d.valueSet(r, name)
	case "L":
		return d.valueList(r, depth)
	case "M":
		tok, err := d.open('{', msgFieldType,
			msgUnrecognizedMap+structurePackage+"AttributeValue>")
		if err != nil || tok == nil {
			return err
		}
		it, bad, err := d.items(depth + 1)
		if bad != nil && r.nested == nil {
			r.nested = bad
		}
		r.set(attr.Map(it))
		return err
	}
	return d.skip()
}

func (r *slowRead) set(v attr.Value) {
	r.count++
	r.value = v
}

func (d *slowDecoder) valueScalar(r *slowRead, name string) error {
	tok, err := d.token()
	if err != nil || tok == nil {
		return err
	}
	switch name {
	case "S", "N":
		v := reflect.New(reflect.TypeFor[string]()).Elem()
		if err := slowScalar(v, slowBareString, tok); err != nil {
			return err
		}
		if name == "S" {
			r.set(attr.String(v.String()))
			return nil
		}
		b, err := attr.AppendNumberText(nil, []byte(v.String()))
		r.fail(attr.NumberError(err, []byte(v.String())))
		r.set(attr.Value(b))
	case "B":
		v := reflect.New(reflect.TypeFor[[]byte]()).Elem()
		if err := slowScalar(v, slowBareBlob, tok); err != nil {
			return err
		}
		r.set(attr.Binary(v.Bytes()))
	default:
		v := reflect.New(reflect.TypeFor[bool]()).Elem()
		if err := slowScalar(v, slowBareBoolean, tok); err != nil {
			return err
		}
		if name == "BOOL" {
			r.set(attr.Bool(v.Bool()))
			return nil
		}
		if !v.Bool() {
			r.fail(&attr.ValueError{Kind: attr.NullFalse})
		}
		r.set(attr.Null())
	}
	return nil
}

func (d *slowDecoder) valueSet(r *slowRead, name string) error {
	tok, err := d.open('[', msgFieldType, msgStructureStart)
	if err != nil || tok == nil {
		return err
	}
	types := map[string]attr.Type{"SS": attr.SS, "NS": attr.NS, "BS": attr.BS}
	var e attr.Encoder
	e.BeginSet(types[name])
	for d.dec.More() {
		tok, err := d.token()
		if err != nil {
			return err
		}
		if tok == nil {
			continue
		}
		s, v := slowBareString, reflect.New(reflect.TypeFor[string]()).Elem()
		if name == "BS" {
			s, v = slowBareBlob, reflect.New(reflect.TypeFor[[]byte]()).Elem()
		}
		if err := slowScalar(v, s, tok); err != nil {
			return err
		}
		switch name {
		case "BS":
			e.Member(v.Bytes())
		case "NS":
			r.fail(e.NumberMember([]byte(v.String())))
		default:
			e.Member([]byte(v.String()))
		}
	}
	bad := e.EndSet()
	if r.own == nil {
		r.fail(bad)
	}
	r.set(attr.Value(e.From(0)))
	return d.end()
}

func (d *slowDecoder) valueList(r *slowRead, depth int) error {
	tok, err := d.open('[', msgFieldType, msgStructureStart)
	if err != nil || tok == nil {
		return err
	}
	var elems []attr.Value
	for d.dec.More() {
		v, bad, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		if bad != nil && r.nested == nil {
			r.nested = bad
		}
		if bad == nil && v != nil {
			elems = append(elems, v)
		}
	}
	r.set(attr.List(elems...))
	return d.end()
}

// items reads the entries of a map of attribute values, whose opening brace is read; depth is that
// of the values.
func (d *slowDecoder) items(depth int) (attr.Item, *attr.ValueError, error) {
	var first *attr.ValueError
	b := attr.NewItem()
	for d.dec.More() {
		name, err := d.name()
		if err != nil {
			return nil, nil, err
		}
		v, bad, err := d.value(depth)
		if err != nil {
			return nil, nil, err
		}
		if bad == nil && len(name) > attr.NameMaxBytes {
			bad = &attr.ValueError{Kind: attr.NameTooLong}
		}
		if first == nil {
			first = bad
		}
		if bad == nil && v != nil {
			b.Value(name, v)
		}
	}
	if err := d.end(); err != nil {
		return nil, nil, err
	}
	it, err := b.Build()
	if err != nil && first == nil {
		first = &attr.ValueError{Kind: attr.NameEmpty}
	}
	return it, first, nil
}

// attribute reads an attribute value or a map of them into a member or element. A bad one is
// remembered with its place.
func (d *slowDecoder) attribute(f reflect.Value, s *slowShape, place string) error {
	var got []byte
	var bad *attr.ValueError
	if s.kind == slowItem {
		tok, err := d.open('{', msgFieldType, msgUnrecognizedMap+mapValueClass(s)+">")
		if err != nil || tok == nil {
			return err
		}
		it, fault, err := d.items(1)
		if err != nil {
			return err
		}
		if got, bad = it, fault; got == nil {
			got = []byte{}
		}
	} else {
		v, fault, err := d.value(1)
		if err != nil {
			return err
		}
		got, bad = v, fault
	}
	if bad != nil {
		d.bad = append(d.bad, api.BadValue{Place: place, Err: *bad})
		return nil
	}
	f.SetBytes(got)
	return nil
}

func appendSlowItem(dst []byte, it attr.Item) []byte {
	dst = append(dst, '{')
	r := it.Read()
	for first := true; ; first = false {
		name, v, ok := r.Next()
		if !ok {
			return append(dst, '}')
		}
		if !first {
			dst = append(dst, ',')
		}
		dst = append(appendSlowText(dst, string(name)), ':')
		dst = appendSlowValue(dst, v)
	}
}

func appendSlowValue(dst []byte, v attr.Value) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"`...)
	typ := v.Type()
	switch typ {
	case attr.Ts:
		typ = attr.N
	case attr.VecF32:
		typ = attr.L
	}
	dst = append(append(dst, typ.String()...), `":`...)
	switch v.Type() {
	case attr.S:
		dst = appendSlowText(dst, string(v.Payload()))
	case attr.N, attr.Ts:
		dst = append(number.AppendText(append(dst, '"'), v.Payload()), '"')
	case attr.B:
		dst = append(base64.StdEncoding.AppendEncode(append(dst, '"'), v.Payload()), '"')
	case attr.BOOL:
		dst = strconv.AppendBool(dst, v.Bool())
	case attr.NULL:
		dst = append(dst, "true"...)
	case attr.M:
		dst = appendSlowItem(dst, v.MapItem())
	case attr.L:
		dst = appendSlowElems(dst, v)
	case attr.SS, attr.NS, attr.BS:
		dst = appendSlowSet(dst, v)
	case attr.VecF32:
		dst = appendSlowVector(dst, v)
	}
	return append(dst, '}')
}

func appendSlowElems(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	e := attr.ListReader(v)
	for first := true; e.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		dst = appendSlowValue(dst, e.Value())
	}
	return append(dst, ']')
}

func appendSlowVector(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	for i, f := range v.Float32s(nil) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"N":"`...)
		dst = strconv.AppendFloat(dst, float64(f), 'f', -1, 32)
		dst = append(dst, `"}`...)
	}
	return append(dst, ']')
}

func appendSlowSet(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	e := attr.SetReader(v)
	for first := true; e.Next(); first = false {
		if !first {
			dst = append(dst, ',')
		}
		switch v.Type() {
		case attr.NS:
			dst = append(number.AppendText(append(dst, '"'), e.Bytes()), '"')
		case attr.BS:
			dst = append(base64.StdEncoding.AppendEncode(append(dst, '"'), e.Bytes()), '"')
		default:
			dst = appendSlowText(dst, string(e.Bytes()))
		}
	}
	return append(dst, ']')
}

// appendSlowText writes a JSON string; bytes that are no UTF-8 become the replacement character.
func appendSlowText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\r':
			dst = append(dst, `\r`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
