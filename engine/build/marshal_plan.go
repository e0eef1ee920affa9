package build

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
)

// plan is what is known about a type before any of its values is seen.
type plan struct {
	typ    reflect.Type
	kind   reflect.Kind
	elem   *plan // of a pointer, slice, array or map
	key    *plan // of a map
	form   form
	named  bool    // a type with a name may have methods on its address
	value  methods // those of a value
	addr   methods // those of its address
	byAddr bool    // whether it can be addressed makes a difference for it or for a part of it
	fields []field // of a struct, as declared
	sorted []*field
}

// form is how a value is written, where the kind alone does not say it.
type form uint8

const (
	formKind    form = iota
	formTime         // time.Time or made from it
	formNumber       // a string that knows itself to be a number
	formBytes        // a slice or array of bytes
	formBytes2       // [][]byte
	formValue        // attr.Value
	formItem         // attr.Item
	formFloats       // a slice or array of float32
	formAnyMap       // map[string]any
	formAnyList      // []any
)

// methods are the interfaces that matter and a type has.
type methods uint8

const (
	marshaler methods = 1 << iota
	textMarshaler
	binaryMarshaler
	unmarshaler
	textUnmarshaler
	binaryUnmarshaler
	stringer // any method that fmt uses
)

func (m methods) has(one methods) bool { return m&one != 0 }

// numberer is what attributevalue.Number, json.Number and Number have in common.
type numberer interface {
	Float64() (float64, error)
	Int64() (int64, error)
	String() string
}

func methodsOf(t reflect.Type) methods {
	var m methods
	if t.NumMethod() == 0 {
		return 0
	}
	for one, i := range map[methods]reflect.Type{
		marshaler:         reflect.TypeFor[Marshaler](),
		textMarshaler:     reflect.TypeFor[encoding.TextMarshaler](),
		binaryMarshaler:   reflect.TypeFor[encoding.BinaryMarshaler](),
		unmarshaler:       reflect.TypeFor[Unmarshaler](),
		textUnmarshaler:   reflect.TypeFor[encoding.TextUnmarshaler](),
		binaryUnmarshaler: reflect.TypeFor[encoding.BinaryUnmarshaler](),
	} {
		if t.Implements(i) {
			m |= one
		}
	}
	return m | stringer
}

func formOf(t reflect.Type) form {
	switch t {
	case reflect.TypeFor[attr.Value]():
		return formValue
	case reflect.TypeFor[attr.Item]():
		return formItem
	case reflect.TypeFor[[][]byte]():
		return formBytes2
	case reflect.TypeFor[map[string]any]():
		return formAnyMap
	case reflect.TypeFor[[]any]():
		return formAnyList
	}
	switch kind := t.Kind(); {
	case kind == reflect.Struct && t.ConvertibleTo(reflect.TypeFor[time.Time]()):
		return formTime
	case kind == reflect.String && t.Implements(reflect.TypeFor[numberer]()):
		return formNumber
	case kind != reflect.Slice && kind != reflect.Array:
		return formKind
	}
	switch t.Elem().Kind() {
	case reflect.Uint8:
		return formBytes
	case reflect.Float32:
		return formFloats
	}
	return formKind
}

// plans are the plans of all types seen so far, under one tag key.
type plans struct {
	tagKey string
	byType sync.Map // reflect.Type -> *plan
}

// The plans of a type depend on nothing but the type, which never changes or goes away, so that
// callers cannot tell whether one is kept.
var (
	usualPlans plans
	otherPlans sync.Map // tag key -> *plans
)

// plansFor finds the plans under a tag key.
func plansFor(tagKey string) *plans {
	if tagKey == "" || tagKey == TagKey {
		return &usualPlans
	}
	if p, ok := otherPlans.Load(tagKey); ok {
		return p.(*plans)
	}
	p, _ := otherPlans.LoadOrStore(tagKey, &plans{tagKey: tagKey})
	return p.(*plans)
}

// of gives the plan of a type.
func (ps *plans) of(t reflect.Type) *plan {
	if p, ok := ps.byType.Load(t); ok {
		return p.(*plan)
	}
	made := map[reflect.Type]*plan{}
	p := ps.make(t, made)
	for t, p := range made { // whole at last: types may contain themselves
		ps.byType.LoadOrStore(t, p)
	}
	return p
}

// make makes the plan of a type and of all that it consists of.
func (ps *plans) make(t reflect.Type, made map[reflect.Type]*plan) *plan {
	if p, ok := ps.byType.Load(t); ok {
		return p.(*plan)
	}
	if p := made[t]; p != nil {
		return p
	}
	p := &plan{typ: t, kind: t.Kind(), form: formOf(t), named: t.Name() != ""}
	made[t] = p
	p.value = methodsOf(t)
	if p.kind != reflect.Pointer && p.kind != reflect.Interface {
		p.addr = methodsOf(reflect.PointerTo(t))
	}
	switch p.kind {
	case reflect.Map:
		p.key = ps.make(t.Key(), made)
		p.elem = ps.make(t.Elem(), made)
	case reflect.Pointer, reflect.Slice, reflect.Array:
		p.elem = ps.make(t.Elem(), made)
	case reflect.Struct:
		if p.form == formTime {
			break
		}
		p.fields = fieldsOf(t, ps.tagKey)
		for i := range p.fields {
			f := &p.fields[i]
			f.plan, f.bytes = ps.make(f.typ, made), []byte(f.name)
			f.fit = checkName(f.bytes) == nil
			p.sorted = append(p.sorted, f)
		}
		slices.SortFunc(p.sorted, func(a, b *field) int { return strings.Compare(a.name, b.name) })
	}
	p.byAddr = p.dependsOnAddr()
	return p
}

// dependsOnAddr looks at the type and at what it has inside itself, of which all is known: no type has
// itself inside itself but behind a pointer, slice, map or interface.
func (p *plan) dependsOnAddr() bool {
	const all = marshaler | textMarshaler | binaryMarshaler
	switch {
	case p.named && p.addr&all != p.value&all:
		return true
	case p.kind == reflect.Array:
		return p.elem.byAddr
	}
	return slices.ContainsFunc(p.fields, func(f field) bool { return f.plan.byAddr })
}
