package expr

import "github.com/keystone-db/kstone/engine/attr"

// checker finds what is wrong with a condition once its placeholders are bound. The service
// gathers these errors per innermost condition, left to right: the first condition that has any
// reports, and reports by class: undefined placeholder, number of operands, identical operands,
// kind or type of an operand. They fire whatever the data.
type checker struct {
	kind Kind
	*binding
}

// cond returns the error of the first innermost condition that has one.
func (k checker) cond(c Cond) *Error {
	switch n := c.(type) {
	case *And:
		return k.conds(n.Terms)
	case *Or:
		return k.conds(n.Terms)
	case *Not:
		return k.cond(n.Term)
	case *Compare:
		ops := [...]Operand{n.Left, n.Right}
		return k.leaf(n.Op, n.Pos(), ops[:])
	case *Between:
		ops := [...]Operand{n.X, n.Lo, n.Hi}
		return k.leaf(OpBetween, n.Pos(), ops[:])
	case *In:
		return k.in(n)
	case *Call:
		return k.leaf(n.Fn, n.Pos(), n.Args)
	default:
		return nil
	}
}

func (k checker) conds(terms []Cond) *Error {
	for _, t := range terms {
		if err := k.cond(t); err != nil {
			return err
		}
	}
	return nil
}

// leaf runs the four classes over one innermost condition.
func (k checker) leaf(op Op, pos int, args []Operand) *Error {
	if err := k.undefined(args); err != nil {
		return err
	}
	if err := k.counts(op, pos, args); err != nil {
		return err
	}
	if err := k.distinct(op, pos, args[0], args[1:]); err != nil {
		return err
	}
	return k.types(op, pos, args)
}

// in is leaf for IN, which has no types to check.
func (k checker) in(n *In) *Error {
	x := [...]Operand{n.X}
	if err := k.undefined(x[:]); err != nil {
		return err
	}
	if err := k.undefined(n.List); err != nil {
		return err
	}
	if len(n.List) > InOperandsMax {
		return errAt(k.kind, n.Pos(), msgTooManyInOps, len(n.List))
	}
	if err := k.nestedCounts(x[:]); err != nil {
		return err
	}
	if err := k.nestedCounts(n.List); err != nil {
		return err
	}
	if err := k.distinct(OpIn, n.Pos(), n.X, n.List); err != nil {
		return err
	}
	if err := k.nestedTypes(x[:]); err != nil {
		return err
	}
	return k.nestedTypes(n.List)
}

// undefined finds the first placeholder without a meaning.
func (k checker) undefined(args []Operand) *Error {
	for _, a := range args {
		var err *Error
		switch n := a.(type) {
		case *DocPath:
			err = k.undefinedName(k.kind, n)
		case *ValueRef:
			err = k.undefinedValue(k.kind, n)
		case *Call:
			err = k.undefined(n.Args)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// counts checks the number of operands of the functions within an innermost condition.
func (k checker) counts(op Op, pos int, args []Operand) *Error {
	if err := k.nestedCounts(args); err != nil {
		return err
	}
	if op >= FnAttributeExists && len(args) != op.arity() {
		return errAt(k.kind, pos, msgOperandCount, op, len(args))
	}
	return nil
}

func (k checker) nestedCounts(args []Operand) *Error {
	for _, a := range args {
		if n, ok := a.(*Call); ok {
			if err := k.counts(n.Fn, n.Pos(), n.Args); err != nil {
				return err
			}
		}
	}
	return nil
}

// distinct refuses a path that is compared with itself.
func (k checker) distinct(op Op, pos int, first Operand, rest []Operand) *Error {
	p, ok := first.(*DocPath)
	if !ok {
		return nil
	}
	for _, r := range rest {
		if q, ok := r.(*DocPath); ok && k.samePath(p, q) {
			return errAt(k.kind, pos, msgSameOperand, op, resolvePath(p, k.names))
		}
	}
	return nil
}

func (k checker) nestedTypes(args []Operand) *Error {
	for _, a := range args {
		if n, ok := a.(*Call); ok {
			if err := k.types(n.Fn, n.Pos(), n.Args); err != nil {
				return err
			}
		}
	}
	return nil
}

// types checks what the request alone tells about the operands; a path can be anything.
func (k checker) types(op Op, pos int, args []Operand) *Error {
	if err := k.nestedTypes(args); err != nil {
		return err
	}
	switch op {
	case OpLt, OpLe, OpGt, OpGe:
		return k.each(op, pos, args, isScalar)
	case OpBetween:
		if err := k.each(op, pos, args, isScalar); err != nil {
			return err
		}
		return k.bounds(pos, k.constant(args[1]), k.constant(args[2]))
	case FnAttributeExists, FnAttributeNotExists:
		if _, ok := args[0].(*DocPath); !ok {
			return errAt(k.kind, pos, msgNeedsPath, op)
		}
	case FnBeginsWith:
		return k.each(op, pos, args, hasPrefixes)
	case FnAttributeType:
		return k.typeOperand(pos, args[1])
	case FnSize:
		return k.each(op, pos, args, hasSize)
	}
	return nil
}

// hasPrefixes tells whether begins_with takes the type.
func hasPrefixes(t attr.Type) bool { return t == attr.S || t == attr.B }

// hasSize tells whether size takes the type.
func hasSize(t attr.Type) bool { return t != attr.N && t != attr.BOOL && t != attr.NULL }

// each checks the operands whose type is known.
func (k checker) each(op Op, pos int, args []Operand, allowed func(attr.Type) bool) *Error {
	for _, a := range args {
		if t := k.typeOf(a); t != 0 && !allowed(t) {
			return errAt(k.kind, pos, msgOperandType, op, t)
		}
	}
	return nil
}

// typeOf returns the type of an operand as far as the request tells, 0 if it does not.
func (k checker) typeOf(o Operand) attr.Type {
	if n, ok := o.(*Call); ok && n.Fn == FnSize {
		return attr.N
	}
	return wireType(k.constant(o))
}

// bounds checks the bounds of BETWEEN when both are values.
func (k checker) bounds(pos int, lo, hi attr.Value) *Error {
	if lo == nil || hi == nil {
		return nil
	}
	format := ""
	if wireType(lo) != wireType(hi) {
		format = msgBetweenTypes
	} else if c, ok := attr.Compare(lo, hi); ok && c > 0 {
		format = msgBetweenOrder
	}
	if format == "" {
		return nil
	}
	return errAt(k.kind, pos, format, describeValue(lo), describeValue(hi))
}

// typeOperand checks the second operand of attribute_type, which must be the name of a type
// given as a value.
func (k checker) typeOperand(pos int, o Operand) *Error {
	if _, ok := o.(*DocPath); ok {
		return errAt(k.kind, pos, msgOperandType, FnAttributeType, anyTypeOperands)
	}
	if t := k.typeOf(o); t != attr.S {
		return errAt(k.kind, pos, msgOperandType, FnAttributeType, t)
	}
	if name := k.constant(o).Payload(); !isTypeName(name) {
		return errAt(k.kind, pos, msgTypeName, name)
	}
	return nil
}
