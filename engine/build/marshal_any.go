package build

import (
	"reflect"
	"strconv"

	"github.com/keystone-db/kstone/engine/attr"
)

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
