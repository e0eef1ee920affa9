package expr

import (
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
)

// Before there were expressions, requests said the same with maps: Expected, QueryFilter, ScanFilter
// and KeyConditions hold a comparison for each attribute, AttributeUpdates an action, AttributesToGet
// names. They become the trees that a text would give, with the values in them, so that one evaluator
// serves both. Names are attribute names as they are: a dot in one is a part of it. The functions here
// take what was checked already; the trees need no binding and have no text.

// Comparator is the operator of a Comparison, named as in requests.
type Comparator string

// The operators. NULL and NOT_NULL ask whether the attribute is there, not for the type NULL.
const (
	ComparatorEQ          Comparator = "EQ"
	ComparatorNE          Comparator = "NE"
	ComparatorLT          Comparator = "LT"
	ComparatorLE          Comparator = "LE"
	ComparatorGT          Comparator = "GT"
	ComparatorGE          Comparator = "GE"
	ComparatorNull        Comparator = "NULL"
	ComparatorNotNull     Comparator = "NOT_NULL"
	ComparatorContains    Comparator = "CONTAINS"
	ComparatorNotContains Comparator = "NOT_CONTAINS"
	ComparatorBeginsWith  Comparator = "BEGINS_WITH"
	ComparatorIn          Comparator = "IN"
	ComparatorBetween     Comparator = "BETWEEN"
)

// Comparison compares an attribute with values: none for NULL and NOT_NULL, two for BETWEEN, one or
// more for IN, one for the others. The values of IN are scalars of one type and may be more than
// InOperandsMax.
type Comparison struct {
	Attr   string
	Op     Comparator
	Values []attr.Value
}

// ConditionOf makes a condition of comparisons: all of them hold, or with either at least one. It is
// nil when there are none.
func ConditionOf(list []Comparison, either bool) *Condition {
	terms := make([]Cond, len(list))
	for i := range list {
		terms[i] = list[i].cond()
	}
	var root Cond
	switch {
	case len(terms) == 0:
		return nil
	case len(terms) == 1:
		root = terms[0]
	case either:
		root = &Or{Terms: terms}
	default:
		root = &And{Terms: terms}
	}
	tree := NewConditionTree(root)
	tree.legacy = true
	return &Condition{tree: tree}
}

// Legacy tells whether the condition was made of comparisons: some texts about it differ.
func (c *Condition) Legacy() bool { return c.tree.legacy }

// cond makes the condition that an expression would have for the comparison. On a missing attribute
// only NULL, NE and NOT_CONTAINS hold.
func (c *Comparison) cond() Cond {
	path := attributePath(c.Attr)
	switch c.Op {
	case ComparatorNull:
		return &Call{Fn: FnAttributeNotExists, Args: []Operand{path}}
	case ComparatorNotNull:
		return &Call{Fn: FnAttributeExists, Args: []Operand{path}}
	case ComparatorContains:
		return &Call{Fn: FnContains, Args: []Operand{path, c.operand(0)}}
	case ComparatorNotContains:
		return &Not{Term: &Call{Fn: FnContains, Args: []Operand{path, c.operand(0)}}}
	case ComparatorBeginsWith:
		return &Call{Fn: FnBeginsWith, Args: []Operand{path, c.operand(0)}}
	case ComparatorBetween:
		return &Between{X: path, Lo: c.operand(0), Hi: c.operand(1)}
	case ComparatorIn:
		in := &In{X: path, List: make([]Operand, len(c.Values))}
		for i := range c.Values {
			in.List[i] = c.operand(i)
		}
		if len(c.Values) > InOperandsMax {
			in.sorted = slices.Clone(c.Values)
			slices.SortFunc(in.sorted, orderOf)
		}
		return in
	default:
		return &Compare{Op: c.Op.compare(), Left: path, Right: c.operand(0)}
	}
}

func (c *Comparison) operand(i int) Operand { return &Literal{Value: c.Values[i]} }

// compare is the operator of an expression for the six that order or equate.
func (c Comparator) compare() Op {
	switch c {
	case ComparatorNE:
		return OpNe
	case ComparatorLT:
		return OpLt
	case ComparatorLE:
		return OpLe
	case ComparatorGT:
		return OpGt
	case ComparatorGE:
		return OpGe
	default:
		return OpEq
	}
}

// attributePath is the path of a top-level attribute.
func attributePath(name string) *DocPath {
	return &DocPath{Elems: []PathElem{{Kind: ElemName, Name: name}}}
}

// KeyConditionOf makes a key condition of comparisons of different attributes. Those whose operator no
// key can serve are in it as KeyNone, since the service refuses them only when it knows the table.
func KeyConditionOf(list []Comparison) *KeyCondition {
	k := new(KeyCondition)
	k.Conds = k.condBuf[:0]
	for i := range list {
		c := &list[i]
		k.Conds = append(k.Conds, KeyCond{Attr: c.Attr, Op: c.Op.key(), Values: c.Values})
	}
	return k
}

// key is the operator of a condition on a key.
func (c Comparator) key() KeyOp {
	switch c {
	case ComparatorEQ:
		return KeyEQ
	case ComparatorLT:
		return KeyLT
	case ComparatorLE:
		return KeyLE
	case ComparatorGT:
		return KeyGT
	case ComparatorGE:
		return KeyGE
	case ComparatorBetween:
		return KeyBetween
	case ComparatorBeginsWith:
		return KeyBeginsWith
	default:
		return KeyNone
	}
}

// ProjectionOf makes a projection of different top-level attributes, of which there is at least one.
func ProjectionOf(names []string) *Projection {
	steps, paths := make([]Step, len(names)), make([]Path, len(names), 2*len(names))
	for i, name := range names {
		steps[i].Name = name
		paths[i] = steps[i : i+1 : i+1]
	}
	return newProjection(paths)
}

// AttributeAction changes one attribute: ActionSet and ActionAdd take a value, ActionDelete a set,
// ActionRemove nothing. Unlike that of an expression, an ActionAdd also appends a list to a list.
type AttributeAction struct {
	Attr   string
	Action Action
	Value  attr.Value
}

// UpdateOf makes an update of actions on different attributes. It is nil when there are none.
func UpdateOf(list []AttributeAction) *Update {
	if len(list) == 0 {
		return nil
	}
	p := &updatePlan{targets: make([]Path, len(list)), order: make([]int, len(list))}
	tree := &UpdateTree{Clauses: make([]*Clause, len(list)), plan: p, legacy: true}
	for i := range list {
		c := &Clause{Action: list[i].Action, Path: attributePath(list[i].Attr)}
		if list[i].Value != nil {
			c.Value = &Literal{Value: list[i].Value}
		}
		tree.Clauses[i], p.targets[i], p.order[i] = c, Path{{Name: list[i].Attr}}, i
	}
	slices.SortFunc(p.order, func(i, j int) int { return comparePaths(p.targets[i], p.targets[j]) })
	return &Update{tree: tree, plan: p}
}

// worded gives an error of evaluation the text that belongs to the update: actions on attributes
// have an own one where the stored attribute is of another type.
func (u *Update) worded(err error) error {
	if e, ok := err.(*EvalError); ok && u.tree.legacy && e.Kind == EvalType {
		return &EvalError{Kind: EvalType, Msg: msgEvalLegacyType}
	}
	return err
}
