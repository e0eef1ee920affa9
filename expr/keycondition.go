package expr

import (
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
)

// KeyOp is an operator that a condition on a key can have.
type KeyOp uint8

// The operators of key conditions.
const (
	KeyEQ KeyOp = iota
	KeyLT
	KeyLE
	KeyGT
	KeyGE
	KeyBetween    // both bounds included
	KeyBeginsWith // S and B only
	KeyNone       // an operator that no key can serve; not in expressions: KeyConditionOf

	keyOpCount = iota
)

// keyOps has the operator of the language for each KeyOp.
var keyOps = [keyOpCount]Op{
	KeyEQ: OpEq, KeyLT: OpLt, KeyLE: OpLe, KeyGT: OpGt, KeyGE: OpGe,
	KeyBetween: OpBetween, KeyBeginsWith: FnBeginsWith, KeyNone: OpNone,
}

// String returns the operator as it is written.
func (o KeyOp) String() string {
	if int(o) < len(keyOps) {
		return keyOps[o].String()
	}
	return OpNone.String()
}

// keyOp is the inverse of keyOps, for operators that the reduction has let through.
func keyOp(op Op) KeyOp {
	return KeyOp(slices.Index(keyOps[:], op))
}

// KeyCond is one condition on a key attribute.
type KeyCond struct {
	Attr string
	Op   KeyOp
	// Values has two elements for KeyBetween (lower bound, upper bound), else one.
	Values []attr.Value
	// Pos is the condition's byte offset in the text.
	Pos int
}

// KeyCondition is a KeyConditionExpression, reduced to conditions that are all to hold, in the
// order of the text, at most one for an attribute.
type KeyCondition struct {
	Conds []KeyCond

	binding
	condBuf [2]KeyCond
	argBuf  [3]attr.Value
}

// Get returns the condition on an attribute, nil when there is none.
func (k *KeyCondition) Get(name string) *KeyCond {
	for i := range k.Conds {
		if k.Conds[i].Attr == name {
			return &k.Conds[i]
		}
	}
	return nil
}

// BindKey binds the tree as a key condition: the checks of a condition first, then the reduction,
// whose texts are bare. How many conditions the key takes, and of what types and operators, is
// for the caller, who knows the schema. The error is an *Error.
func (t *ConditionTree) BindKey(b *Binder) (*KeyCondition, error) {
	return t.bindKey(new(KeyCondition), b)
}

// bindKey is BindKey into the memory of k, which is empty.
func (t *ConditionTree) bindKey(k *KeyCondition, b *Binder) (*KeyCondition, error) {
	k.bind(&t.refs, b)
	if err := (checker{KindKeyCondition, &k.binding}).cond(t.Root); err != nil {
		return nil, err
	}
	k.Conds = k.condBuf[:0]
	r := keyReducer{KeyCondition: k, args: k.argBuf[:0]}
	if err := r.cond(t.Root); err != nil {
		return nil, err
	}
	if len(k.Conds) > KeyConditionsMax {
		return nil, bareErr(0, msgKeyTooMany)
	}
	return k, nil
}

// keyReducer turns a checked condition into a list of conditions on keys.
type keyReducer struct {
	*KeyCondition
	args []attr.Value // of all conditions, one after the other
}

func (r *keyReducer) cond(c Cond) *Error {
	switch n := c.(type) {
	case *And:
		for _, t := range n.Terms {
			if err := r.cond(t); err != nil {
				return err
			}
		}
		return nil
	case *Or:
		return bareErr(n.Pos(), msgKeyOperator, OpOr)
	case *Not:
		return bareErr(n.Pos(), msgKeyOperator, OpNot)
	case *In:
		return bareErr(n.Pos(), msgKeyOperator, OpIn)
	case *Between:
		ops := [...]Operand{n.X, n.Lo, n.Hi}
		return r.leaf(OpBetween, n.Pos(), ops[:])
	case *Compare:
		return r.compare(n)
	case *Call:
		if n.Fn != FnBeginsWith {
			return bareErr(n.Pos(), msgKeyOperator, n.Fn)
		}
		return r.leaf(FnBeginsWith, n.Pos(), n.Args)
	default:
		return nil
	}
}

// compare reduces a comparison, turned round when the value stands first.
func (r *keyReducer) compare(n *Compare) *Error {
	if n.Op == OpNe {
		return bareErr(n.Pos(), msgKeyOperator, OpNe)
	}
	op, ops := n.Op, [...]Operand{n.Left, n.Right}
	if _, ok := n.Left.(*DocPath); !ok {
		op, ops = mirror(op), [...]Operand{n.Right, n.Left}
	}
	return r.leaf(op, n.Pos(), ops[:])
}

// mirror returns the operator that means the same with the operands exchanged.
func mirror(op Op) Op {
	switch op {
	case OpLt:
		return OpGt
	case OpLe:
		return OpGe
	case OpGt:
		return OpLt
	case OpGe:
		return OpLe
	default:
		return op
	}
}

// leaf reduces one condition whose first operand should be the key attribute.
func (r *keyReducer) leaf(op Op, pos int, args []Operand) *Error {
	paths, nested := 0, false
	for _, a := range args {
		switch n := a.(type) {
		case *Call:
			return bareErr(pos, msgKeyNestedOperation)
		case *DocPath:
			paths++
			nested = nested || len(n.Elems) > 1
		}
	}
	key, first := args[0].(*DocPath)
	switch {
	case !first && (op == OpBetween || op == FnBeginsWith):
		return bareErr(pos, msgKeyFirstOperand, op)
	case paths > 1:
		return bareErr(pos, msgKeyTwoPaths)
	case nested:
		return bareErr(pos, msgKeyNestedPath)
	case paths == 0:
		return bareErr(pos, msgKeyNoPath)
	}
	return r.add(elemName(&key.Elems[0], r.names), op, pos, args[1:])
}

// add appends a condition; each attribute may have one.
func (r *keyReducer) add(name string, op Op, pos int, args []Operand) *Error {
	if r.Get(name) != nil {
		return bareErr(pos, msgKeyTwice)
	}
	from := len(r.args)
	for _, a := range args {
		r.args = append(r.args, r.constant(a))
	}
	r.Conds = append(r.Conds, KeyCond{
		Attr: name, Op: keyOp(op), Pos: pos,
		Values: r.args[from:len(r.args):len(r.args)],
	})
	return nil
}
