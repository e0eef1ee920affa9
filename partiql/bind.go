package partiql

import (
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/expr"
)

// Bound is a statement with the values of its parameters.
type Bound struct {
	*Prepared
	params []attr.Value
}

// Bind gives the question marks their values, which the Bound keeps. The error is an *Error.
func (p *Prepared) Bind(params []attr.Value) (*Bound, error) {
	if len(params) != p.Params {
		return nil, errorf(msgParameters)
	}
	for _, v := range params {
		if v == nil {
			return nil, errorf(msgParameterEmpty)
		}
	}
	return &Bound{Prepared: p, params: params}, nil
}

// errAt makes an error at a node.
func (b *Bound) errAt(n Node, format string, args ...any) *Error {
	return errAt(b.src, n.Pos(), 0, format, args...)
}

// unsupported makes the error about a word or symbol at a node.
func (b *Bound) unsupported(n Node, word, kind string) *Error {
	return unsupported(b.src, n.Pos(), len(word), kind)
}

// isConstant tells whether an expression has a value without an item.
func isConstant(x Expr) bool {
	switch x.(type) {
	case *Literal, *Param, *List, *Bag, *Tuple:
		return true
	}
	return false
}

// constant returns the value of an expression for which isConstant holds.
func (b *Bound) constant(x Expr) (attr.Value, error) {
	v, err := b.anyDepth(x)
	if err == nil && attr.ValueDepth(v) > attr.DepthMax {
		return nil, b.tooDeep(x)
	}
	return v, err
}

func (b *Bound) tooDeep(x Expr) *Error {
	return b.errAt(x, "%s", (&attr.ValueError{Kind: attr.TooDeep}).Message())
}

// anyDepth is constant without the limit of nesting, which does not count an item as a level.
func (b *Bound) anyDepth(x Expr) (attr.Value, error) {
	switch n := x.(type) {
	case *Literal:
		return n.Value, nil
	case *Param:
		return b.params[n.N], nil
	case *List, *Bag, *Tuple:
		var e attr.Encoder
		e.Reset(nil)
		if err := b.encode(&e, x); err != nil {
			return nil, err
		}
		return attr.Value(e.Bytes()), nil
	}
	return nil, b.errAt(x, msgMalformed, msgDetailValue)
}

// encode appends the value of a constant.
func (b *Bound) encode(e *attr.Encoder, x Expr) error {
	switch n := x.(type) {
	case *List:
		e.BeginList()
		for _, elem := range n.Elems {
			if err := b.encode(e, elem); err != nil {
				return err
			}
		}
		e.EndList()
		return nil
	case *Tuple:
		return b.encodeTuple(e, n)
	case *Bag:
		return b.encodeSet(e, n)
	}
	v, err := b.constant(x)
	if err != nil {
		return err
	}
	e.Value(v)
	return nil
}

func (b *Bound) encodeTuple(e *attr.Encoder, n *Tuple) error {
	e.BeginMap()
	seen := make(map[string]bool, len(n.Fields))
	for i := range n.Fields {
		f := &n.Fields[i]
		if seen[f.Name] {
			return b.errAt(f, msgTupleKeyTwice, f.Name)
		}
		seen[f.Name] = true
		e.Name([]byte(f.Name))
		if err := b.encode(e, f.Value); err != nil {
			return err
		}
	}
	e.EndMap()
	return nil
}

// setOf is the type of set that holds elements of a type.
func setOf(t attr.Type) (attr.Type, bool) {
	switch t {
	case attr.S:
		return attr.SS, true
	case attr.N, attr.Ts:
		return attr.NS, true
	case attr.B:
		return attr.BS, true
	}
	return 0, false
}

// encodeSet appends a set; the type of its first element decides of what.
func (b *Bound) encodeSet(e *attr.Encoder, n *Bag) error {
	var typ attr.Type
	for i, elem := range n.Elems {
		v, err := b.constant(elem)
		if err != nil {
			return err
		}
		t, ok := setOf(v.Type())
		if !ok || typ != 0 && t != typ {
			return b.errAt(elem, msgSetTypes)
		}
		if typ = t; i == 0 {
			e.BeginSet(typ)
		}
		e.Member(v.Payload())
	}
	if typ == 0 {
		typ = attr.SS
		e.BeginSet(typ)
	}
	if bad := e.EndSet(); bad != nil {
		return b.errAt(n, "%s", bad.Message())
	}
	return nil
}

// docPath turns a path into one of package expr.
func docPath(n *Path) *expr.DocPath {
	p := &expr.DocPath{At: expr.At(n.Pos()), Elems: make([]expr.PathElem, len(n.Steps))}
	for i, s := range n.Steps {
		p.Elems[i] = expr.PathElem{Kind: expr.ElemName, Name: s.Name, At: s.At}
		if s.IsIndex {
			p.Elems[i] = expr.PathElem{Kind: expr.ElemIndex, Index: s.Index, At: s.At}
		}
	}
	return p
}

// compareOps has the operators of package expr for the comparisons.
var compareOps = [opCount]expr.Op{
	OpEq: expr.OpEq, OpNe: expr.OpNe, OpLt: expr.OpLt, OpLe: expr.OpLe, OpGt: expr.OpGt,
	OpGe: expr.OpGe,
}

// cond turns a condition into one of package expr.
func (b *Bound) cond(x Expr) (expr.Cond, error) {
	at := expr.At(x.Pos())
	switch n := x.(type) {
	case *Logic:
		terms, err := b.conds(n.Terms)
		if err != nil {
			return nil, err
		}
		if n.Op == OpOr {
			return &expr.Or{At: at, Terms: terms}, nil
		}
		return &expr.And{At: at, Terms: terms}, nil
	case *Not:
		term, err := b.cond(n.X)
		return &expr.Not{At: at, Term: term}, err
	case *Binary:
		ops, err := b.operands(n.Left, n.Right)
		if err != nil {
			return nil, err
		}
		return &expr.Compare{At: at, Op: compareOps[n.Op], Left: ops[0], Right: ops[1]}, nil
	case *Between:
		ops, err := b.operands(n.X, n.Lo, n.Hi)
		if err != nil {
			return nil, err
		}
		return &expr.Between{At: at, X: ops[0], Lo: ops[1], Hi: ops[2]}, nil
	case *In:
		return b.in(n)
	case *Is:
		return b.is(n)
	case *Call:
		return b.conditionCall(n)
	}
	return nil, b.errAt(x, msgMalformed, msgDetailCondition)
}

func (b *Bound) conds(list []Expr) ([]expr.Cond, error) {
	out := make([]expr.Cond, len(list))
	for i, x := range list {
		c, err := b.cond(x)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// all joins conditions with AND: nil for none, a single one as it is.
func all(terms []expr.Cond) expr.Cond {
	switch len(terms) {
	case 0:
		return nil
	case 1:
		return terms[0]
	}
	return &expr.And{Terms: terms}
}

func (b *Bound) in(n *In) (expr.Cond, error) {
	x, err := b.operand(n.X)
	if err != nil {
		return nil, err
	}
	list, err := b.inList(n)
	if err != nil {
		return nil, err
	}
	out := &expr.In{At: expr.At(n.Pos()), X: x, List: make([]expr.Operand, len(list))}
	for i, elem := range list {
		if out.List[i], err = b.operand(elem); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// inList returns what IN may choose from: the elements of a list, or of a parameter that is one.
func (b *Bound) inList(n *In) ([]Expr, error) {
	if l, ok := n.List.(*List); ok && len(l.Elems) > 0 {
		return l.Elems, nil
	}
	p, ok := n.List.(*Param)
	if !ok || b.params[p.N].Type() != attr.L || b.params[p.N].Len() == 0 {
		return nil, b.errAt(n.List, msgMalformed, msgDetailExpression)
	}
	var list []Expr
	for r := attr.ListReader(b.params[p.N]); r.Next(); {
		list = append(list, &Literal{At: p.At, Value: r.Value()})
	}
	return list, nil
}

// is turns IS MISSING into attribute_not_exists, other types into attribute_type. IS NULL is true of a NULL value only,
// not where nothing is.
func (b *Bound) is(n *Is) (expr.Cond, error) {
	p, ok := n.X.(*Path)
	if !ok {
		return nil, b.errAt(n.X, msgMalformed, msgDetailPath)
	}
	c := &expr.Call{At: expr.At(n.Pos()), Fn: expr.FnAttributeNotExists, Args: []expr.Operand{docPath(p)}}
	if n.Type != typeMissing {
		c.Fn = expr.FnAttributeType
		c.Args = append(c.Args, &expr.Literal{At: c.At, Value: attr.String(typeNames[n.Type])})
	}
	return c, nil
}

var conditionFunctions = map[string]expr.Op{
	fnBeginsWith: expr.FnBeginsWith, fnContains: expr.FnContains, fnAttributeType: expr.FnAttributeType,
}

func (b *Bound) conditionCall(n *Call) (expr.Cond, error) {
	fn, ok := conditionFunctions[n.Name]
	if !ok {
		return nil, b.errAt(n, msgMalformed, msgDetailCondition)
	}
	args, err := b.operands(n.Args...)
	if err != nil {
		return nil, err
	}
	return &expr.Call{At: expr.At(n.Pos()), Fn: fn, Args: args}, nil
}

func (b *Bound) operands(list ...Expr) ([]expr.Operand, error) {
	out := make([]expr.Operand, len(list))
	for i, x := range list {
		o, err := b.operand(x)
		if err != nil {
			return nil, err
		}
		out[i] = o
	}
	return out, nil
}

// operand turns a value within a condition into one of package expr.
func (b *Bound) operand(x Expr) (expr.Operand, error) {
	switch n := x.(type) {
	case *Path:
		return docPath(n), nil
	case *Call:
		if n.Name != fnSize {
			return nil, b.unsupported(n, n.Name, kindFunction)
		}
		args, err := b.operands(n.Args...)
		return &expr.Call{At: expr.At(n.Pos()), Fn: expr.FnSize, Args: args}, err
	case *Binary:
		return nil, b.unsupported(n, n.Op.String(), kindOperator)
	}
	v, err := b.constant(x)
	return &expr.Literal{At: expr.At(x.Pos()), Value: v}, err
}

// assigned turns the right side of SET into an operand of package expr.
func (b *Bound) assigned(x Expr) (expr.Operand, error) {
	switch n := x.(type) {
	case *Call:
		if n.Name != fnListAppend {
			return nil, b.unsupported(n, n.Name, kindFunction)
		}
		args := make([]expr.Operand, len(n.Args))
		for i, a := range n.Args {
			o, err := b.assigned(a)
			if err != nil {
				return nil, err
			}
			args[i] = o
		}
		return &expr.Call{At: expr.At(n.Pos()), Fn: expr.FnListAppend, Args: args}, nil
	case *Binary:
		left, err := b.assigned(n.Left)
		if err != nil {
			return nil, err
		}
		right, err := b.assigned(n.Right)
		op := expr.OpPlus
		if n.Op == OpMinus {
			op = expr.OpMinus
		}
		return &expr.Arith{At: expr.At(n.Pos()), Op: op, Left: left, Right: right}, err
	}
	return b.operand(x)
}

// update turns the actions into an update of package expr.
func (b *Bound) update(actions []*Action) (*expr.Update, error) {
	clauses := make([]*expr.Clause, len(actions))
	for i, a := range actions {
		c, err := b.clause(a)
		if err != nil {
			return nil, err
		}
		clauses[i] = c
	}
	return expr.NewUpdateTree(clauses).Bind(expr.NewBinder(nil, nil))
}

func (b *Bound) clause(a *Action) (*expr.Clause, error) {
	c := &expr.Clause{At: expr.At(a.Pos()), Action: expr.ActionRemove, Path: docPath(a.Path)}
	if a.Value == nil {
		return c, nil
	}
	c.Action = expr.ActionSet
	var err error
	if n, ok := a.Value.(*Call); ok && (n.Name == fnSetAdd || n.Name == fnSetDelete) {
		c.Action = expr.ActionAdd
		if n.Name == fnSetDelete {
			c.Action = expr.ActionDelete
		}
		c.Value, err = b.setOperand(a, n)
		return c, err
	}
	c.Value, err = b.assigned(a.Value)
	return c, err
}

// setOperand returns the set that set_add and set_delete work with. They are the ADD and DELETE of
// an update, so what they change must be what is assigned.
func (b *Bound) setOperand(a *Action, n *Call) (expr.Operand, error) {
	if p, ok := n.Args[0].(*Path); !ok || !samePath(p, a.Path) {
		return nil, b.errAt(n, msgSetTarget, n.Name)
	}
	v, err := b.constant(n.Args[1])
	if err != nil {
		return nil, err
	}
	switch v.Type() {
	case attr.SS, attr.NS, attr.BS:
		return &expr.Literal{At: expr.At(n.Args[1].Pos()), Value: v}, nil
	}
	return nil, b.errAt(n.Args[1], msgSetArgument, strings.ToLower(n.Name))
}

func samePath(p, q *Path) bool {
	if len(p.Steps) != len(q.Steps) {
		return false
	}
	for i, s := range p.Steps {
		if t := q.Steps[i]; s.Name != t.Name || s.Index != t.Index || s.IsIndex != t.IsIndex {
			return false
		}
	}
	return true
}
