package build

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"strconv"

	"github.com/keystone-db/kstone/engine/attr"
)

// room makes a slice ready for n elements, one after the other, and tells how many there is room for.
func room(p *plan, v reflect.Value, n int) int {
	if p.kind == reflect.Array {
		return min(n, v.Len())
	}
	switch {
	case v.IsNil() && n == 0:
		v.Set(reflect.MakeSlice(p.typ, 0, 0))
	case v.Cap() < n:
		v.SetZero()
		v.Grow(n)
	}
	return n
}

// place i of a slice or array, which grows by it.
func elemAt(p *plan, v reflect.Value, i int) reflect.Value {
	if p.kind == reflect.Slice {
		v.SetLen(i + 1)
	}
	return v.Index(i)
}

func isList(p *plan) bool { return p.kind == reflect.Slice || p.kind == reflect.Array }

// list maps an L.
func (d *decoder) list(a attr.Value, p *plan, v reflect.Value) error {
	if !isList(p) {
		return mismatch("list", p)
	}
	n := room(p, v, a.Len())
	r := attr.ListReader(a)
	for i := 0; i < n && r.Next(); i++ {
		if err := d.decode(r.Value(), p.elem, elemAt(p, v, i), 0); err != nil {
			return within(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return nil
}

// vector maps a VecF32.
func (d *decoder) vector(a attr.Value, p *plan, v reflect.Value) error {
	if !isList(p) {
		return mismatch("vector", p)
	}
	vec := a.Float32s(nil)
	n := room(p, v, len(vec))
	direct := p.form == formFloats && !p.elem.addr.has(unmarshaler)
	for i, f := range vec[:n] {
		at := elemAt(p, v, i)
		if direct {
			at.SetFloat(float64(f))
			continue
		}
		elem, err := attr.AppendNumberText(nil, strconv.AppendFloat(nil, float64(f), 'f', -1, 32))
		if err != nil {
			return err
		}
		if err := d.decode(elem, p.elem, at, 0); err != nil {
			return within(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return nil
}

// set maps an SS, NS or BS.
func (d *decoder) set(a attr.Value, p *plan, v reflect.Value) error {
	t := a.Type()
	if !isList(p) {
		return mismatch(setName(t), p)
	}
	n := room(p, v, a.Len())
	r := attr.SetReader(a)
	for i := 0; i < n && r.Next(); i++ {
		u, at := indirect(d, p.elem, elemAt(p, v, i), unmarshaler, false)
		if u != nil && !d.opts.UnmarshalSetMembers {
			return d.handOver(u, a)
		}
		var err error
		if u != nil {
			err = d.handOver(u, memberValue(t, r.Bytes()))
		} else {
			err = d.member(t, r.Bytes(), d.planFor(p.elem, at), at)
		}
		if err != nil {
			return within(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return nil
}

// member maps a member of a set into a place of its own.
func (d *decoder) member(set attr.Type, m []byte, p *plan, v reflect.Value) error {
	switch {
	case p.form == formValue || p.kind == reflect.Interface:
		return d.plain(memberValue(set, m), p, v, 0)
	case set == attr.SS:
		return d.str(m, p, v, 0)
	case set == attr.NS:
		return d.number(m, p, v, 0)
	}
	return d.binary(m, p, v)
}

func setName(t attr.Type) string {
	switch t {
	case attr.SS:
		return "string set"
	case attr.NS:
		return "number set"
	}
	return "binary set"
}

// memberValue makes a value of a member of a set.
func memberValue(set attr.Type, member []byte) attr.Value {
	return append(attr.AppendHead(nil, memberType(set), len(member)), member...)
}

// binary maps a B.
func (d *decoder) binary(b []byte, p *plan, v reflect.Value) error {
	if p.form != formBytes {
		return mismatch("binary", p)
	}
	if p.kind == reflect.Array {
		if v.Len() != len(b) {
			return mismatch(fmt.Sprintf("binary of %d bytes", len(b)), p)
		}
		for i, c := range b {
			v.Index(i).SetUint(uint64(c))
		}
		return nil
	}
	room(p, v, len(b))
	v.SetLen(len(b))
	copy(v.Bytes(), b)
	return nil
}

// mapping maps an M, or an item, into a map or a struct.
func (d *decoder) mapping(it attr.Item, p *plan, v reflect.Value) error {
	switch p.kind {
	case reflect.Struct:
		return d.structure(it, p, v)
	case reflect.Map:
	default:
		return mismatch("map", p)
	}
	if err := keyFits(p.key); err != nil {
		return err
	}
	if v.IsNil() {
		v.Set(reflect.MakeMapWithSize(p.typ, it.Count()))
	}
	if p.form == formAnyMap && v.CanInterface() {
		return d.freeInto(v.Interface().(map[string]any), it)
	}
	const whole = textUnmarshaler | unmarshaler | binaryUnmarshaler
	key, elem := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
	for r := it.Read(); ; {
		name, a, ok := r.Next()
		if !ok {
			return nil
		}
		if p.key.addr&whole == 0 { // nobody could have kept the address
			key.SetZero()
		} else {
			key = reflect.New(p.key.typ).Elem()
		}
		if err := d.mapKey(name, p.key, key); err != nil {
			return &UnmarshalTypeError{Value: fmt.Sprintf("map key %q", name), Type: p.key.typ, Err: err}
		}
		if p.elem.addr&whole == 0 && p.elem.kind != reflect.Struct && p.elem.kind != reflect.Array {
			elem.SetZero()
		} else {
			elem = reflect.New(p.elem.typ).Elem()
		}
		if err := d.decode(a, p.elem, elem, 0); err != nil {
			return within(err, fmt.Sprintf("[%q]", name))
		}
		v.SetMapIndex(key, elem)
	}
}

// keyFits says whether names can become keys of the type.
func keyFits(p *plan) error {
	if p.value.has(textUnmarshaler) || p.addr.has(textUnmarshaler) {
		return nil
	}
	switch p.kind {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return nil
	}
	return mismatch("map key", p)
}

// mapKey maps a name to the key of a map.
func (d *decoder) mapKey(name []byte, p *plan, key reflect.Value) error {
	if p.value.has(textUnmarshaler) || p.addr.has(textUnmarshaler) {
		for key.Kind() == reflect.Pointer {
			key.Set(reflect.New(key.Type().Elem()))
			key = key.Elem()
		}
		u, ok := key.Addr().Interface().(encoding.TextUnmarshaler)
		if !ok {
			return mismatch("map key", p)
		}
		return u.UnmarshalText(bytes.Clone(name))
	}
	switch p.kind {
	case reflect.String:
		key.SetString(string(name))
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(string(name))
		key.SetBool(b)
		return err
	}
	return d.numberText(string(name), p, key, 0)
}

// structure maps an item into the fields of a struct. Both are in the order of their names.
func (d *decoder) structure(it attr.Item, p *plan, v reflect.Value) error {
	fields := p.sorted
	for r := it.Read(); ; {
		name, a, ok := r.Next()
		if !ok {
			return nil
		}
		for len(fields) > 0 && fields[0].name < string(name) {
			fields = fields[1:]
		}
		var f *field
		if len(fields) > 0 && fields[0].name == string(name) {
			f = fields[0]
		} else if f = p.fold(name); f == nil || it.Has(f.name) {
			continue
		}
		fv, err := fieldFor(v, f.index)
		if err == nil {
			err = d.decode(a, f.plan, fv, f.opts)
		}
		if err != nil {
			return within(err, "."+f.name)
		}
	}
}

// fold finds the first field whose name differs from name in case only.
func (p *plan) fold(name []byte) *field {
	for i := range p.fields {
		if bytes.EqualFold([]byte(p.fields[i].name), name) {
			return &p.fields[i]
		}
	}
	return nil
}

// fieldFor finds a field of v and makes the embedded structs on the way to it.
func fieldFor(v reflect.Value, index []int) (reflect.Value, error) {
	for i, x := range index {
		if i > 0 && v.Kind() == reflect.Pointer {
			if v.IsNil() {
				if !v.CanSet() {
					return v, &UnmarshalTypeError{Value: "embedded nil pointer", Type: v.Type()}
				}
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(x)
	}
	return v, nil
}

// within puts the way to a part in front of the path of an error.
func within(err error, step string) error {
	if e, ok := err.(*UnmarshalTypeError); ok { //nolint:errorlint // the error of an Unmarshaler stays its own
		e.Path = step + e.Path
	}
	return err
}
