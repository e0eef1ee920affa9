package build

import (
	"github.com/keystone-db/kstone/engine/attr"
)

// Operand is a part of an expression that has a value: the attribute at a path (Attr, Name), its Size, or
// what an update computes (Plus, Minus, IfNotExists, ListAppend). Operands never change.
type Operand struct {
	kind  operandKind
	path  []step
	value attr.Value
	args  []Operand
	err   error
}

type operandKind uint8

const (
	opNone operandKind = iota
	opPath
	opValue
	opSize
	opPlus
	opMinus
	opIfNotExists
	opListAppend
)

// operandOf is v itself when it is an operand, and its value otherwise.
func operandOf(v any) Operand {
	if o, ok := v.(Operand); ok {
		if o.kind == opNone && o.err == nil {
			o.err = invalid(msgOperand)
		}
		return o
	}
	value, err := toValue(v)
	return Operand{kind: opValue, value: value, err: err}
}

func compose(kind operandKind, args ...Operand) Operand {
	for _, a := range args {
		if a.err != nil {
			return Operand{err: a.err}
		}
	}
	return Operand{kind: kind, args: args}
}

// Size is the size of an attribute: characters of a string, bytes of a binary, members or elements of
// anything else.
func Size(path Operand) Operand { return compose(opSize, operandOf(path)) }

// Size is Size(o).
func (o Operand) Size() Operand { return Size(o) }

// Plus is the sum of two numbers, for Update.Set; v is an Operand or a value.
func (o Operand) Plus(v any) Operand { return compose(opPlus, operandOf(o), operandOf(v)) }

// Minus is the difference of two numbers, for Update.Set; v is an Operand or a value.
func (o Operand) Minus(v any) Operand { return compose(opMinus, operandOf(o), operandOf(v)) }

// IfNotExists is the attribute at a path, or v (an Operand or a value) when there is none, for Update.Set.
func IfNotExists(path Operand, v any) Operand {
	return compose(opIfNotExists, operandOf(path), operandOf(v))
}

// ListAppend is a list of the elements of first and those of second, for Update.Set; each is an Operand
// or a value that is a list.
func ListAppend(first, second any) Operand {
	return compose(opListAppend, operandOf(first), operandOf(second))
}
