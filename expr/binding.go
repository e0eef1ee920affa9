package expr

import "github.com/keystone-db/kstone/engine/attr"

// binding is what the placeholders of one tree stand for in one request. Small ones need no
// memory beyond the struct that embeds them, which must not be copied.
type binding struct {
	names    []string
	values   []attr.Value
	nameBuf  [3]string
	valueBuf [4]attr.Value
}

// bind looks up all placeholders. What is not defined stays "" or nil: an attribute has no empty
// name, and no value is nil.
func (d *binding) bind(r *refs, b *Binder) {
	d.names = append(d.nameBuf[:0], r.names...)
	for i, placeholder := range r.names {
		d.names[i], _ = b.name(placeholder)
	}
	if len(r.values) <= len(d.valueBuf) {
		d.values = d.valueBuf[:len(r.values)]
	} else {
		d.values = make([]attr.Value, len(r.values))
	}
	for i, placeholder := range r.values {
		d.values[i], _ = b.value(placeholder)
	}
}

// constant returns the value of an operand that does not depend on the item, nil for others.
func (d *binding) constant(o Operand) attr.Value {
	switch n := o.(type) {
	case *ValueRef:
		return d.values[n.slot]
	case *Literal:
		return n.Value
	default:
		return nil
	}
}

// resolve returns the value at a path of the item, nil when there is none.
func (d *binding) resolve(p *DocPath, item attr.Item) attr.Value {
	v := item.Get(elemName(&p.Elems[0], d.names))
	for i := 1; i < len(p.Elems) && v != nil; i++ {
		if e := &p.Elems[i]; e.Kind == ElemIndex {
			v = element(v, e.Index)
		} else {
			v = v.MapItem().Get(elemName(e, d.names))
		}
	}
	return v
}

// samePath tells whether two paths name the same place.
func (d *binding) samePath(p, q *DocPath) bool {
	if len(p.Elems) != len(q.Elems) {
		return false
	}
	for i := range p.Elems {
		a, b := &p.Elems[i], &q.Elems[i]
		switch {
		case (a.Kind == ElemIndex) != (b.Kind == ElemIndex):
			return false
		case a.Kind == ElemIndex && a.Index != b.Index:
			return false
		case a.Kind != ElemIndex && elemName(a, d.names) != elemName(b, d.names):
			return false
		}
	}
	return true
}

// undefinedName returns the error for the first placeholder of the path that is not defined.
func (d *binding) undefinedName(kind Kind, p *DocPath) *Error {
	for i := range p.Elems {
		if e := &p.Elems[i]; e.Kind == ElemPlaceholder && d.names[e.slot] == "" {
			return errAt(kind, e.At, msgUndefinedName, e.Name)
		}
	}
	return nil
}

// undefinedValue returns the error for a value placeholder that is not defined.
func (d *binding) undefinedValue(kind Kind, n *ValueRef) *Error {
	if d.values[n.slot] == nil {
		return errAt(kind, n.Pos(), msgUndefinedValue, n.Name)
	}
	return nil
}
