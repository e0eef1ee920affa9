package expr

import (
	"errors"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// scratchBytes is the room for the first results of arithmetic; one is at most 23 bytes.
const scratchBytes = 64

// evaluator computes the right sides of SET against the item as it was. Values that it makes
// lie in scratch, which grows by moving on: earlier values stay where they are.
type evaluator struct {
	u       *Update
	base    attr.Item
	scratch []byte
}

// operand evaluates a right side. The error is an *EvalError.
func (e *evaluator) operand(o Operand) (attr.Value, error) {
	switch n := o.(type) {
	case *DocPath:
		if v := e.u.resolve(n, e.base); v != nil {
			return v, nil
		}
		return nil, evalErr(EvalMissing)
	case *Call:
		return e.call(n)
	case *Arith:
		return e.arith(n)
	default:
		return e.u.constant(o), nil
	}
}

// call evaluates if_not_exists and list_append.
func (e *evaluator) call(n *Call) (attr.Value, error) {
	if n.Fn == FnListAppend {
		return e.listAppend(n)
	}
	if p, ok := n.Args[0].(*DocPath); ok {
		if v := e.u.resolve(p, e.base); v != nil {
			return v, nil
		}
	}
	return e.operand(n.Args[1])
}

// pair evaluates two operands that must both be of a type.
func (e *evaluator) pair(a, b Operand, want attr.Type) (x, y attr.Value, err error) {
	if x, err = e.operand(a); err != nil {
		return nil, nil, err
	}
	if y, err = e.operand(b); err != nil {
		return nil, nil, err
	}
	if wireType(x) != want || wireType(y) != want {
		return nil, nil, evalErr(EvalType)
	}
	return x, y, nil
}

// listAppend makes an L of the elements of both lists.
func (e *evaluator) listAppend(n *Call) (attr.Value, error) {
	x, y, err := e.pair(n.Args[0], n.Args[1], attr.L)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1, len(x)+len(y)+4)
	out = appendElements(appendElements(out, x), y)
	return attr.Value(closeHead(out, 0, attr.L)), nil
}

// appendElements appends the elements of a list, one after the other.
func appendElements(dst []byte, v attr.Value) []byte {
	if v.Type() == attr.L {
		return append(dst, v.Payload()...)
	}
	for r := newElements(v); r.next(); {
		dst = append(dst, r.value...)
	}
	return dst
}

// arith adds or subtracts two numbers.
func (e *evaluator) arith(n *Arith) (attr.Value, error) {
	x, y, err := e.pair(n.Left, n.Right, attr.N)
	if err != nil {
		return nil, err
	}
	if e.scratch == nil {
		e.scratch = make([]byte, 0, scratchBytes)
	}
	from := len(e.scratch)
	e.scratch, err = appendSum(e.scratch, n.Op, x, y)
	if err != nil {
		return nil, err
	}
	return attr.Value(e.scratch[from:len(e.scratch):len(e.scratch)]), nil
}

// appendSum appends the number value x + y or x - y. The error is an *EvalError.
func appendSum(dst []byte, op Op, x, y attr.Value) ([]byte, error) {
	at := len(dst)
	out := append(dst, 0)
	var err error
	if op == OpMinus {
		out, err = number.Sub(out, x.Payload(), y.Payload())
	} else {
		out, err = number.Add(out, x.Payload(), y.Payload())
	}
	if err != nil {
		return dst, numberError(err)
	}
	return closeHead(out, at, attr.N), nil
}

// numberError gives an error of package number the text of an update.
func numberError(err error) *EvalError {
	switch {
	case errors.Is(err, number.ErrOverflow):
		return evalErr(EvalOverflow)
	case errors.Is(err, number.ErrUnderflow):
		return evalErr(EvalUnderflow)
	default:
		return evalErr(EvalPrecision)
	}
}
