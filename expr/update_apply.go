package expr

import (
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/attr"
)

// Apply returns the item that the update makes of old; of the item that consists of key when old
// is nil (absent). The right sides of SET see that item as it was before; REMOVE counts list
// elements as they were; SET beyond the end of a list appends, in the order of the indexes. The
// result is a new canonical item that shares nothing with the arguments; a VecF32 that is changed
// in part, or appended to, becomes an L, and a Ts that takes part in arithmetic an N. Whether the
// result is too large, and whether index keys in it are legal, is for the caller. The error is an
// *EvalError.
func (u *Update) Apply(old, key attr.Item) (attr.Item, error) {
	base := old
	if base == nil {
		base = key
	}
	var valueBuf [8]attr.Value
	m := merger{u: u, values: valueBuf[:0]}
	e := evaluator{u: u, base: base}
	size := len(base)
	for i, c := range u.tree.Clauses {
		var v attr.Value
		if c.Action != ActionRemove {
			var err error
			if v, err = e.operand(c.Value); err != nil {
				return nil, err
			}
			if c.Action == ActionSet && tooDeep(u.plan.targets[i], v) {
				return nil, evalErr(EvalDepth)
			}
		}
		m.values = append(m.values, v)
		size += len(v) + len(u.plan.targets[i][0].Name) + entryOverheadBytes
	}
	out, err := m.mergeMap(make([]byte, 0, size), base.Read(), u.plan.order, 0)
	if err != nil {
		return nil, u.worded(err)
	}
	return attr.Item(out), nil
}

// entryOverheadBytes is what an entry adds to its name and value, and what the heads of the
// containers round it may grow by.
const entryOverheadBytes = 8

// tooDeep tells whether a value at a path would be nested too deep. Values of the request were
// checked as attributes of their own.
func tooDeep(target Path, v attr.Value) bool {
	switch v.Type() {
	case attr.L, attr.M, attr.VecF32:
		return len(target)-1+attr.ValueDepth(v) > attr.DepthMax
	default:
		return false
	}
}

// merger writes the new item in one pass over the old one: entries and actions are both sorted.
type merger struct {
	u      *Update
	values []attr.Value // of the clauses, evaluated
}

// target returns the path of a clause.
func (m *merger) target(clause int) Path { return m.u.plan.targets[clause] }

// group returns how many of the sorted clauses share the first one's step at depth.
func (m *merger) group(order []int, depth int) int {
	n, step := 1, m.target(order[0])[depth]
	for n < len(order) && m.target(order[n])[depth] == step {
		n++
	}
	return n
}

// mergeMap appends the entries of a map or item with the actions of order carried out.
func (m *merger) mergeMap(dst []byte, r attr.Reader, order []int, depth int) ([]byte, error) {
	name, v, ok := r.Next()
	for ok || len(order) > 0 {
		if len(order) == 0 || ok && string(name) < m.target(order[0])[depth].Name {
			dst = append(appendName(dst, name), v...)
			name, v, ok = r.Next()
			continue
		}
		want := m.target(order[0])[depth].Name
		var old attr.Value
		if ok && string(name) == want {
			old = v
			name, v, ok = r.Next()
		}
		n := m.group(order, depth)
		at := len(dst)
		dst = appendName(dst, want)
		start := len(dst)
		var err error
		if dst, err = m.mergeValue(dst, old, order[:n], depth+1); err != nil {
			return nil, err
		}
		if len(dst) == start {
			dst = dst[:at]
		}
		order = order[n:]
	}
	return dst, nil
}

// appendName appends the name of an entry.
func appendName[T string | []byte](dst []byte, name T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(name))), name...)
}

// mergeValue appends what becomes of a value, nothing if it is removed or stays absent. old is
// nil where there is no value.
func (m *merger) mergeValue(dst []byte, old attr.Value, order []int, depth int) ([]byte, error) {
	target := m.target(order[0])
	if len(target) == depth {
		return m.act(dst, old, order[0])
	}
	t := wireType(old)
	isList := target[depth].IsIndex
	if isList && t != attr.L || !isList && t != attr.M {
		return nil, evalErr(EvalPath)
	}
	at := len(dst)
	dst = append(dst, 0)
	var err error
	if isList {
		dst, err = m.mergeList(dst, old, order, depth)
	} else {
		dst, err = m.mergeMap(dst, attr.MapReader(old), order, depth)
	}
	if err != nil {
		return nil, err
	}
	return closeHead(dst, at, t), nil
}

// mergeList appends the elements of a list with the actions carried out, then those that the
// actions beyond its end add.
func (m *merger) mergeList(dst []byte, v attr.Value, order []int, depth int) ([]byte, error) {
	for r := newElements(v); r.next(); {
		if len(order) == 0 || m.target(order[0])[depth].Index != r.index {
			dst = append(dst, r.value...)
			continue
		}
		n := m.group(order, depth)
		var err error
		if dst, err = m.mergeValue(dst, r.value, order[:n], depth+1); err != nil {
			return nil, err
		}
		order = order[n:]
	}
	for len(order) > 0 {
		n := m.group(order, depth)
		var err error
		if dst, err = m.mergeValue(dst, nil, order[:n], depth+1); err != nil {
			return nil, err
		}
		order = order[n:]
	}
	return dst, nil
}

// act carries out one action at the place where its path ends.
func (m *merger) act(dst []byte, old attr.Value, clause int) ([]byte, error) {
	v := m.values[clause]
	switch m.u.tree.Clauses[clause].Action {
	case ActionSet:
		return append(dst, v...), nil
	case ActionAdd:
		return add(dst, old, v)
	case ActionDelete:
		return subtract(dst, old, v)
	default: // ActionRemove
		return dst, nil
	}
}

// add appends the sum of two numbers, the union of two sets or, which only actions on attributes
// can ask for, one list after the other.
func add(dst []byte, old, v attr.Value) ([]byte, error) {
	t := wireType(old)
	switch {
	case old == nil:
		return append(dst, v...), nil
	case t != wireType(v):
		return nil, evalErr(EvalType)
	case t == attr.N:
		return appendSum(dst, OpPlus, old, v)
	case t == attr.L:
		at := len(dst)
		dst = append(dst, 0)
		return closeHead(appendElements(appendElements(dst, old), v), at, attr.L), nil
	default:
		return append(dst, attr.SetUnion(old, v)...), nil
	}
}

// subtract appends the difference of two sets, nothing if that is empty.
func subtract(dst []byte, old, v attr.Value) ([]byte, error) {
	switch {
	case old == nil:
		return dst, nil
	case old.Type() != v.Type():
		return nil, evalErr(EvalType)
	}
	return append(dst, attr.SetDiff(old, v)...), nil
}
