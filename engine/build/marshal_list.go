package build

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"

	"github.com/keystone-db/kstone/engine/attr"
)

func textOf(i any) ([]byte, error)   { return i.(encoding.TextMarshaler).MarshalText() }
func binaryOf(i any) ([]byte, error) { return i.(encoding.BinaryMarshaler).MarshalBinary() }

// mapping writes a map.
func (e *encoder) mapping(p *plan, v reflect.Value, o options, depth int) (bool, error) {
	if err := e.open(p, depth); err != nil {
		return false, err
	}
	o = o.elem()
	key, elem := reflect.New(p.key.typ).Elem(), reflect.New(p.elem.typ).Elem()
	for it := v.MapRange(); it.Next(); {
		key.SetIterKey(it)
		if p.elem.byAddr {
			elem = it.Value() // the elements of a map have no address
		} else {
			elem.SetIterValue(it)
		}
		if err := e.keyName(p.key, key); err != nil {
			return false, err
		}
		if _, err := e.encode(p.elem, elem, o, depth+1); err != nil {
			return false, inside(err, fmt.Sprintf("[%v]", key))
		}
	}
	e.close(depth)
	return true, nil
}

// keyName makes a map key the name of the next value.
func (e *encoder) keyName(p *plan, key reflect.Value) error {
	e.name = e.name[:0]
	held := p
	if p.kind == reflect.Interface && !key.IsNil() {
		held, key = e.plans.of(key.Elem().Type()), key.Elem()
	}
	switch {
	case held.value.has(textMarshaler):
		if isOrphan(held, key, textMarshaler) {
			break // the name stays empty
		}
		text, err := textOf(key.Interface())
		if err != nil {
			return &MarshalError{Type: p.typ, Err: err}
		}
		e.name = append(e.name, text...)
	default:
		if !e.basicKey(p, key) {
			return &MarshalError{Type: p.typ, Reason: reasonKeyType}
		}
	}
	if len(e.name) == 0 {
		return &MarshalError{Type: p.typ, Reason: reasonKeyEmpty}
	}
	e.pending, e.checked = e.name, false
	return nil
}

func (e *encoder) basicKey(p *plan, key reflect.Value) bool {
	switch p.kind {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
	default:
		return false
	}
	switch {
	case p.value != 0: // it may have a String or Error
		e.name = fmt.Append(e.name, key.Interface())
	case p.kind == reflect.String:
		e.name = append(e.name, key.String()...)
	case key.CanInt():
		e.name = strconv.AppendInt(e.name, key.Int(), 10)
	case key.CanUint():
		e.name = strconv.AppendUint(e.name, key.Uint(), 10)
	default:
		e.name = fmt.Append(e.name, key.Interface())
	}
	return true
}

// slice writes a slice or an array.
func (e *encoder) slice(p *plan, v reflect.Value, o options, depth int) (bool, error) {
	switch {
	case p.form == formBytes:
		return e.binary(p, v, depth)
	case o.has(asBinarySet) || p.form == formBytes2:
		return e.set(p, v, attr.BS, o.elem(), depth)
	case o.has(asNumberSet):
		return e.set(p, v, attr.NS, o.elem(), depth)
	case o.has(asStringSet):
		return e.set(p, v, attr.SS, o.elem(), depth)
	case o.has(asVector):
		return e.vector(p, v, depth)
	}
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	o = o.elem()
	e.enc.BeginList()
	for i := range v.Len() {
		if _, err := e.encode(p.elem, v.Index(i), o, depth+1); err != nil {
			return false, inside(err, "["+strconv.Itoa(i)+"]")
		}
	}
	e.enc.EndList()
	return true, nil
}

// binary writes a B.
func (e *encoder) binary(p *plan, v reflect.Value, depth int) (bool, error) {
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	if p.kind == reflect.Slice || v.CanAddr() {
		e.enc.Binary(v.Bytes())
		return true, nil
	}
	e.scratch = e.scratch[:0]
	for i := range v.Len() {
		e.scratch = append(e.scratch, byte(v.Index(i).Uint()))
	}
	e.enc.Binary(e.scratch)
	return true, nil
}

// vector writes a VecF32.
func (e *encoder) vector(p *plan, v reflect.Value, depth int) (bool, error) {
	if p.form != formFloats {
		return false, &MarshalError{Type: p.typ, Reason: reasonVector}
	}
	e.floats = e.floats[:0]
	for i := range v.Len() {
		e.floats = append(e.floats, float32(v.Index(i).Float()))
	}
	out, ok := attr.AppendVecF32(e.scratch[:0], e.floats)
	if !ok {
		return false, &MarshalError{Type: p.typ, Reason: reasonVectorElem}
	}
	e.scratch = out
	if len(e.floats) > 0 && depth+1 > attr.DepthMax { // it counts as the L of the same numbers
		return false, &MarshalError{Type: p.typ, Err: &attr.ValueError{Kind: attr.TooDeep}}
	}
	return e.encoded(p, depth)
}

// set writes an SS, NS or BS.
func (e *encoder) set(p *plan, v reflect.Value, t attr.Type, o options, depth int) (bool, error) {
	if v.Len() == 0 && !e.opts.RefuseEmptySets {
		return e.null(depth)
	}
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	if e.sub == nil {
		e.sub = &encoder{}
	}
	e.sub.opts, e.sub.plans = e.opts, e.plans
	e.enc.BeginSet(t)
	for i := range v.Len() {
		e.sub.enc.Reset(e.sub.enc.Bytes()[:0])
		e.sub.pending = nil
		wrote, err := e.sub.encode(p.elem, v.Index(i), o, depth)
		if err != nil {
			return false, inside(err, "["+strconv.Itoa(i)+"]")
		}
		if !wrote {
			continue
		}
		member := attr.Value(e.sub.enc.Bytes())
		if member.Type() != memberType(t) {
			return false, &MarshalError{Path: "[" + strconv.Itoa(i) + "]", Type: p.elem.typ, Reason: memberReason(t)}
		}
		e.enc.Member(member.Payload())
	}
	if err := e.enc.EndSet(); err != nil {
		return false, &MarshalError{Type: p.typ, Err: err}
	}
	return true, nil
}

// memberType is the type of the elements of a slice that becomes a set.
func memberType(set attr.Type) attr.Type {
	switch set {
	case attr.BS:
		return attr.B
	case attr.NS:
		return attr.N
	}
	return attr.S
}

func memberReason(set attr.Type) string {
	switch set {
	case attr.BS:
		return reasonBinarySet
	case attr.NS:
		return reasonNumberSet
	}
	return reasonStringSet
}

// Documents of unknown shape are maps and lists of any. Their usual parts are written without
// reflection, to the same effect.

// anyMap writes a map[string]any.
func (e *encoder) anyMap(p *plan, m map[string]any, o options, depth int) (bool, error) {
	if err := e.open(p, depth); err != nil {
		return false, err
	}
	o = o.elem()
	for name, x := range m {
		if name == "" {
			return false, &MarshalError{Type: p.key.typ, Reason: reasonKeyEmpty}
		}
		e.name = append(e.name[:0], name...)
		e.pending, e.checked = e.name, false
		if _, err := e.any(x, o, depth+1); err != nil {
			return false, inside(err, "["+name+"]")
		}
	}
	e.close(depth)
	return true, nil
}

// anyList writes a []any as an L.
func (e *encoder) anyList(p *plan, list []any, o options, depth int) (bool, error) {
	if err := e.begin(p, depth); err != nil {
		return false, err
	}
	o = o.elem()
	e.enc.BeginList()
	for i, x := range list {
		if _, err := e.any(x, o, depth+1); err != nil {
			return false, inside(err, "["+strconv.Itoa(i)+"]")
		}
	}
	e.enc.EndList()
	return true, nil
}

// any writes what an interface holds.
func (e *encoder) any(x any, o options, depth int) (bool, error) {
	switch x := x.(type) {
	case nil:
		return e.nilValue(e.plans.of(reflect.TypeFor[any]()), o, depth)
	case string:
		e.scratch = append(e.scratch[:0], x...)
		return e.str(e.plans.of(reflect.TypeFor[string]()), e.scratch, depth)
	case int:
		e.scratch = attr.AppendInt(e.scratch[:0], int64(x))
		return e.encoded(e.plans.of(reflect.TypeFor[int]()), depth)
	case float64:
		text := strconv.AppendFloat(e.scratch[:0], x, 'f', -1, 64)
		return e.number(e.plans.of(reflect.TypeFor[float64]()), text, o, depth)
	}
	v := reflect.ValueOf(x)
	return e.held(e.plans.of(v.Type()), v, o, depth)
}
