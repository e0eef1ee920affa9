package build

import (
	"bytes"
	"encoding"
	"reflect"
	"strconv"

	"github.com/keystone-db/kstone/engine/attr"
)

// decoder maps one value into Go values.
type decoder struct {
	opts  UnmarshalOptions
	plans *plans
}

func newDecoder(o *UnmarshalOptions) *decoder {
	return &decoder{opts: *o, plans: plansFor(o.TagKey)}
}

// decode maps a value into v, whose plan is p.
func (d *decoder) decode(a attr.Value, p *plan, v reflect.Value, o options) error {
	t := a.Type()
	if t == 0 || t == attr.NULL {
		u, v := indirect(d, p, v, unmarshaler, true)
		if u != nil {
			return d.handOver(u, a)
		}
		switch {
		case !v.CanSet():
		case d.planFor(p, v).form == formValue:
			v.SetBytes(a.Clone())
		default:
			v.SetZero()
		}
		return nil
	}
	v0 := v
	u, v := indirect(d, p, v, unmarshaler, false)
	if u != nil {
		return d.handOver(u, a)
	}
	if d.opts.UseEncodingUnmarshalers {
		if done, err := d.byEncoding(a, p, v0); done {
			return err
		}
	}
	return d.plain(a, d.planFor(p, v), v, o)
}

// planFor gives the plan of v, which nearly always is p or what it points to.
func (d *decoder) planFor(p *plan, v reflect.Value) *plan {
	t := v.Type()
	if p.typ == t {
		return p
	}
	if p.kind == reflect.Pointer && p.elem.typ == t {
		return p.elem
	}
	return d.plans.of(t)
}

func (d *decoder) handOver(u any, a attr.Value) error {
	return u.(Unmarshaler).UnmarshalValue(a)
}

// byEncoding hands an S or a B to a type of the encoding package.
func (d *decoder) byEncoding(a attr.Value, p *plan, v reflect.Value) (done bool, err error) {
	switch a.Type() {
	case attr.S:
		if u, _ := indirect(d, p, v, textUnmarshaler, false); u != nil {
			return true, u.(encoding.TextUnmarshaler).UnmarshalText(bytes.Clone(a.Payload()))
		}
	case attr.B:
		if u, _ := indirect(d, p, v, binaryUnmarshaler, false); u != nil {
			return true, u.(encoding.BinaryUnmarshaler).UnmarshalBinary(bytes.Clone(a.Payload()))
		}
	}
	return false, nil
}

// indirect follows pointers, and interfaces that hold pointers, to the value to be set; pointers that
// are nil get a new value. On the way it looks for a value with the wanted method, which is then
// returned in its stead. For a NULL it stops at a pointer that can be set to nil.
func indirect(d *decoder, p *plan, v reflect.Value, want methods, null bool) (u any, _ reflect.Value) {
	p = d.planFor(p, v)
	if p.kind != reflect.Pointer && p.kind != reflect.Interface && !p.addr.has(want) {
		return nil, v // nearly always
	}
	if p.kind != reflect.Pointer && p.named && p.addr.has(want) && v.CanAddr() {
		if a := v.Addr(); a.CanInterface() {
			return a.Interface(), v
		}
	}
	for {
		if v.Kind() == reflect.Interface && !v.IsNil() {
			held := v.Elem()
			if held.Kind() == reflect.Pointer && !held.IsNil() && (!null || held.Elem().Kind() == reflect.Pointer) {
				v = held
				continue
			}
			if held.Kind() == reflect.Map && !held.IsNil() || null && held.Kind() != reflect.Pointer {
				return nil, held
			}
		}
		if v.Kind() != reflect.Pointer || null && v.CanSet() {
			return nil, v
		}
		if v.Elem().Kind() == reflect.Interface && v.Elem().Elem() == v {
			return nil, v.Elem() // an interface that holds its own address
		}
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		if d.planFor(p, v).value.has(want) && v.CanInterface() {
			return v.Interface(), v
		}
		v = v.Elem()
	}
}

// plain maps a value that is not NULL into v, which is no pointer.
func (d *decoder) plain(a attr.Value, p *plan, v reflect.Value, o options) error {
	switch p.form {
	case formValue:
		v.SetBytes(a.Clone())
		return nil
	case formItem:
		if a.Type() == attr.M {
			v.SetBytes(a.MapItem().Clone())
			return nil
		}
	}
	if p.kind == reflect.Interface {
		return d.toInterface(a, p, v, o)
	}
	switch a.Type() {
	case attr.S:
		return d.str(a.Payload(), p, v, o)
	case attr.N:
		return d.number(a.Payload(), p, v, o)
	case attr.Ts:
		return d.timestamp(a, p, v, o)
	case attr.B:
		return d.binary(a.Payload(), p, v)
	case attr.BOOL:
		if p.kind != reflect.Bool {
			return mismatch("bool", p)
		}
		v.SetBool(a.Bool())
		return nil
	case attr.L:
		return d.list(a, p, v)
	case attr.VecF32:
		return d.vector(a, p, v)
	case attr.M:
		return d.mapping(a.MapItem(), p, v)
	case attr.SS, attr.NS, attr.BS:
		return d.set(a, p, v)
	}
	return mismatch("malformed value", p)
}

func mismatch(what string, p *plan) error { return &UnmarshalTypeError{Value: what, Type: p.typ} }

// item maps an item into what v points to.
func (d *decoder) item(it attr.Item, p *plan, v reflect.Value) error {
	u, out := indirect(d, p, v, unmarshaler, false)
	if u != nil {
		return d.handOver(u, attr.Map(it))
	}
	p = d.planFor(p, out)
	switch {
	case p.form == formItem:
		out.SetBytes(it.Clone())
		return nil
	case p.form == formValue || p.kind == reflect.Interface:
		return d.plain(attr.Map(it), p, out, 0)
	}
	return d.mapping(it, p, out)
}

// items maps items into what v points to, as an L of M goes there.
func (d *decoder) items(items []attr.Item, p *plan, v reflect.Value) error {
	u, out := indirect(d, p, v, unmarshaler, false)
	p = d.planFor(p, out)
	if u != nil || p.form == formValue || !isList(p) {
		values := make([]attr.Value, len(items))
		for i, it := range items {
			values[i] = attr.Map(it)
		}
		if u != nil {
			return d.handOver(u, attr.List(values...))
		}
		return d.plain(attr.List(values...), p, out, 0)
	}
	n := room(p, out, len(items))
	for i, it := range items[:n] {
		if err := d.item(it, p.elem, elemAt(p, out, i)); err != nil {
			return within(err, "["+strconv.Itoa(i)+"]")
		}
	}
	return nil
}
