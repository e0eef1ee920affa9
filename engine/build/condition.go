package build

import (
	"github.com/keystone-db/kstone/engine/attr"
)

// Condition is a condition, filter or key condition. Conditions never change; the zero Condition is
// none, which And and Or leave out.
type Condition struct {
	kind  conditionKind
	word  string      // the comparator or function
	args  []Operand   // of comparisons and functions
	parts []Condition // of AND, OR and NOT
	text  string
	given given // placeholders of text
	err   error
}

type conditionKind uint8

const (
	condNone conditionKind = iota
	condCompare
	condBetween
	condIn
	condFunction
	condText
	condNot
	condAnd
	condOr
)

// Text is a condition as the service's expression language writes it.
func Text(text string, args ...Args) Condition {
	given, err := takeArgs(args)
	return Condition{kind: condText, text: text, given: given, err: err}
}

// conditionOf makes a condition of what a call got: a text with its arguments, or a Condition.
func conditionOf(cond any, args []Args) Condition {
	switch c := cond.(type) {
	case string:
		return Text(c, args...)
	case Condition:
		if len(args) > 0 {
			return Condition{err: invalid(msgArgsNoText)}
		}
		return c
	}
	return Condition{err: invalid(msgBadCond, cond)}
}

func newCondition(kind conditionKind, word string, args ...Operand) Condition {
	c := Condition{kind: kind, word: word, args: args}
	for _, a := range args {
		if a.err != nil {
			c.err = a.err
			break
		}
	}
	return c
}

func (o Operand) compare(word string, v any) Condition {
	return newCondition(condCompare, word, operandOf(o), operandOf(v))
}

// Equal holds when both are of one type and equal. In this and all methods, v is an Operand or a value.
func (o Operand) Equal(v any) Condition { return o.compare("=", v) }

// NotEqual holds when the two differ, in type or in value.
func (o Operand) NotEqual(v any) Condition { return o.compare("<>", v) }

// Less holds when o is less than v, both of one type: numbers by value, strings and binaries by bytes.
func (o Operand) Less(v any) Condition { return o.compare("<", v) }

// LessEqual is Less or Equal.
func (o Operand) LessEqual(v any) Condition { return o.compare("<=", v) }

// Greater holds when o is greater than v.
func (o Operand) Greater(v any) Condition { return o.compare(">", v) }

// GreaterEqual is Greater or Equal.
func (o Operand) GreaterEqual(v any) Condition { return o.compare(">=", v) }

// Between holds when o is not less than low and not greater than high.
func (o Operand) Between(low, high any) Condition {
	return newCondition(condBetween, "", operandOf(o), operandOf(low), operandOf(high))
}

// In holds when o equals one of the values, at most 100.
func (o Operand) In(values ...any) Condition {
	args := make([]Operand, 0, 1+len(values))
	args = append(args, operandOf(o))
	for _, v := range values {
		args = append(args, operandOf(v))
	}
	return newCondition(condIn, "", args...)
}

// AttributeExists holds when the item has something at the path.
func (o Operand) AttributeExists() Condition {
	return newCondition(condFunction, "attribute_exists", operandOf(o))
}

// AttributeNotExists holds when the item has nothing at the path.
func (o Operand) AttributeNotExists() Condition {
	return newCondition(condFunction, "attribute_not_exists", operandOf(o))
}

// AttributeType holds when what is at the path is of that type, one that the DynamoDB wire knows.
func (o Operand) AttributeType(t attr.Type) Condition {
	return newCondition(condFunction, "attribute_type", operandOf(o), operandOf(t.String()))
}

// BeginsWith holds when o, a string or binary, begins with prefix.
func (o Operand) BeginsWith(prefix any) Condition {
	return newCondition(condFunction, "begins_with", operandOf(o), operandOf(prefix))
}

// Contains holds when o is a string that v is a part of, or a set or list that v is a member of.
func (o Operand) Contains(v any) Condition {
	return newCondition(condFunction, "contains", operandOf(o), operandOf(v))
}

// And holds when c and all others hold.
func (c Condition) And(others ...Condition) Condition { return join(condAnd, c, others) }

// Or holds when c or one of the others holds.
func (c Condition) Or(others ...Condition) Condition { return join(condOr, c, others) }

// Not holds when c does not; of no condition it is none.
func Not(c Condition) Condition {
	if c.kind == condNone {
		return c
	}
	return Condition{kind: condNot, parts: []Condition{c}, err: c.err}
}

// join makes an AND or OR of the conditions that are any.
func join(kind conditionKind, first Condition, others []Condition) Condition {
	joined := Condition{kind: kind}
	for i := -1; i < len(others); i++ {
		c := first
		if i >= 0 {
			c = others[i]
		}
		if c.err != nil {
			return Condition{err: c.err}
		}
		switch c.kind {
		case condNone:
		case kind: // flat: parentheses are few, and the service counts its depth
			joined.parts = append(joined.parts, c.parts...)
		default:
			joined.parts = append(joined.parts, c)
		}
	}
	switch len(joined.parts) {
	case 0:
		return Condition{}
	case 1:
		return joined.parts[0]
	}
	return joined
}
