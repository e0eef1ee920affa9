package partiql

import (
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// keyInMax is the largest number of partition key values that one statement may ask for.
const keyInMax = 50

// part is what a WHERE asks of one partition.
type part struct {
	hash []attr.Value // one a partition attribute
	sort []expr.Cond  // conditions on sort attributes that the key takes
	// equal counts the leading sort attributes with equality; values are in sortValues.
	sortValues []attr.Value
	rest       []Expr // what the key does not take
	// arms are the alternatives of WHERE that ask for this partition when it is more than one: then
	// the whole partition is read and rest holds nothing.
	arms []Expr
}

// conjuncts returns the terms of a condition that must all hold.
func conjuncts(where Expr) []Expr {
	if l, ok := where.(*Logic); ok && l.Op == OpAnd {
		return l.Terms
	}
	if where == nil {
		return nil
	}
	return []Expr{where}
}

// parts finds the partitions that a WHERE names, in the order of the text, each once; nil when it
// does not name any, so that all must be read.
func (b *Bound) parts(where Expr, k *schema.Key) ([]part, error) {
	terms := conjuncts(where)
	list, err := b.conjunction(terms, k)
	if err != nil || list != nil {
		return list, err
	}
	for i, t := range terms {
		or, ok := t.(*Logic)
		if !ok || or.Op != OpOr {
			continue
		}
		list, err := b.disjunction(or, k)
		if err != nil {
			return nil, err
		}
		if list == nil {
			continue
		}
		others := without(terms, map[int]bool{i: true})
		for j := range list {
			list[j].rest = append(list[j].rest, others...)
		}
		return list, nil
	}
	return nil, nil
}

// without returns the terms that are not used.
func without(terms []Expr, used map[int]bool) []Expr {
	var rest []Expr
	for i, t := range terms {
		if !used[i] {
			rest = append(rest, t)
		}
	}
	return rest
}

// conjunction finds the partitions that terms name together: each partition attribute must have an
// equality, an IN, or an OR of equalities.
func (b *Bound) conjunction(terms []Expr, k *schema.Key) ([]part, error) {
	used := make(map[int]bool)
	choices := make([][]attr.Value, len(k.Hash))
	for i, a := range k.Hash {
		for at, t := range terms {
			values, err := b.choices(t, a.Name)
			if err != nil {
				return nil, err
			}
			if values != nil {
				choices[i], used[at] = values, true
				break
			}
		}
		if choices[i] == nil {
			return nil, nil
		}
	}
	hashes, err := combine(choices)
	if err != nil {
		return nil, err
	}
	var shared part
	if err := b.sortConditions(&shared, terms, used, k); err != nil {
		return nil, err
	}
	shared.rest = without(terms, used)
	list := make([]part, len(hashes))
	for i, h := range hashes {
		list[i] = shared
		list[i].hash = h
		list[i].rest = append([]Expr(nil), shared.rest...)
	}
	return list, nil
}

// combine makes all combinations of one value an attribute, each once.
func combine(choices [][]attr.Value) ([][]attr.Value, error) {
	out := [][]attr.Value{nil}
	for _, values := range choices {
		var next [][]attr.Value
		for _, head := range out {
			for _, v := range values {
				h := append(append([]attr.Value(nil), head...), v)
				if findHash(next, h) < 0 {
					next = append(next, h)
				}
			}
			if len(next) > keyInMax {
				return nil, errorf(msgKeyInList, len(next))
			}
		}
		out = next
	}
	return out, nil
}

func findHash(list [][]attr.Value, h []attr.Value) int {
	for i := range list {
		if sameValues(list[i], h) {
			return i
		}
	}
	return -1
}

func sameValues(a, b []attr.Value) bool {
	for i := range a {
		if !attr.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// choices returns the values that a term leaves an attribute, nil when it is no such term.
func (b *Bound) choices(t Expr, name string) ([]attr.Value, error) {
	switch n := t.(type) {
	case *Binary:
		if op, v, ok := compareWith(n, name); ok && op == OpEq {
			return b.values(v)
		}
	case *In:
		if !isAttribute(n.X, name) {
			return nil, nil
		}
		list, err := b.inList(n)
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			if !isConstant(x) {
				return nil, nil
			}
		}
		if len(list) > keyInMax {
			return nil, errorf(msgKeyInList, len(list))
		}
		return b.values(list...)
	case *Logic:
		if n.Op == OpOr {
			return b.alternatives(n, name)
		}
	}
	return nil, nil
}

// alternatives returns the values of an OR whose terms are all equalities of one attribute.
func (b *Bound) alternatives(n *Logic, name string) ([]attr.Value, error) {
	var all []attr.Value
	for _, t := range n.Terms {
		values, err := b.choices(t, name)
		if err != nil || values == nil {
			return nil, err
		}
		all = append(all, values...)
	}
	return all, nil
}

func (b *Bound) values(list ...Expr) ([]attr.Value, error) {
	out := make([]attr.Value, len(list))
	for i, x := range list {
		v, err := b.constant(x)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// isAttribute tells whether an expression is the attribute itself, not a part of it.
func isAttribute(x Expr, name string) bool {
	p, ok := x.(*Path)
	return ok && len(p.Steps) == 1 && p.Steps[0].Name == name
}

// compareWith reads a comparison of an attribute with a constant, turned round when the constant
// stands first.
func compareWith(n *Binary, name string) (Op, Expr, bool) {
	switch {
	case isAttribute(n.Left, name) && isConstant(n.Right):
		return n.Op, n.Right, true
	case isAttribute(n.Right, name) && isConstant(n.Left):
		return mirror(n.Op), n.Left, true
	}
	return 0, nil, false
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
	}
	return op
}

// sortConditions takes the conditions on sort attributes that the key serves: equalities from the
// left without gaps, then one range.
func (b *Bound) sortConditions(p *part, terms []Expr, used map[int]bool, k *schema.Key) error {
	for _, a := range k.Range {
		at, equality, err := b.sortTerm(terms, used, a)
		if err != nil || at < 0 {
			return err
		}
		c, err := b.cond(terms[at])
		if err != nil {
			return err
		}
		used[at] = true
		p.sort = append(p.sort, c)
		if equality == nil {
			return nil
		}
		p.sortValues = append(p.sortValues, equality)
	}
	return nil
}

// sortTerm finds the term to use for a sort attribute, an equality if there is one; -1 for none.
func (b *Bound) sortTerm(terms []Expr, used map[int]bool, a schema.KeyAttr) (int, attr.Value, error) {
	found := -1
	for i, t := range terms {
		if used[i] {
			continue
		}
		if n, ok := t.(*Binary); ok {
			op, v, ok := compareWith(n, a.Name)
			if ok && op == OpEq {
				value, err := b.constant(v)
				return i, value, err
			}
			if ok && op != OpNe && found < 0 {
				found = i
			}
			continue
		}
		if found < 0 && isRange(t, a) {
			found = i
		}
	}
	return found, nil, nil
}

// isRange tells whether a term other than a comparison is a range of a sort attribute.
func isRange(t Expr, a schema.KeyAttr) bool {
	switch n := t.(type) {
	case *Between:
		return isAttribute(n.X, a.Name) && isConstant(n.Lo) && isConstant(n.Hi)
	case *Call:
		return n.Name == fnBeginsWith && isAttribute(n.Args[0], a.Name) && isConstant(n.Args[1]) &&
			a.Type != attr.N
	}
	return false
}

// disjunction finds the partitions of an OR each of whose terms names some. Of a partition that
// several terms name, all is read and the terms are its filter, so that no item comes twice.
func (b *Bound) disjunction(or *Logic, k *schema.Key) ([]part, error) {
	var out []part
	for _, t := range or.Terms {
		list, err := b.parts(t, k)
		if err != nil || list == nil {
			return nil, err
		}
		for _, p := range list {
			p.arms = []Expr{t}
			out = mergePart(out, p)
		}
	}
	if len(out) > keyInMax {
		return nil, errorf(msgKeyInList, len(out))
	}
	for i := range out {
		if arms := out[i].arms; len(arms) > 1 {
			out[i].rest = []Expr{&Logic{At: or.At, Op: OpOr, Terms: arms}}
		}
		out[i].arms = nil
	}
	return out, nil
}

func mergePart(list []part, p part) []part {
	for i := range list {
		if sameValues(list[i].hash, p.hash) {
			list[i] = part{hash: p.hash, arms: append(list[i].arms, p.arms...)}
			return list
		}
	}
	return append(list, p)
}

// keyTree makes the condition on the key of a part.
func (p *part) keyTree(k *schema.Key) *expr.ConditionTree {
	terms := make([]expr.Cond, 0, len(p.hash)+len(p.sort))
	for i, v := range p.hash {
		terms = append(terms, equals(k.Hash[i].Name, v))
	}
	return expr.NewConditionTree(all(append(terms, p.sort...)))
}

// equals is the condition that an attribute has a value.
func equals(name string, v attr.Value) expr.Cond {
	return &expr.Compare{Op: expr.OpEq, Left: attribute(name), Right: &expr.Literal{Value: v}}
}

// attribute is the path of an attribute.
func attribute(name string) *expr.DocPath {
	return &expr.DocPath{Elems: []expr.PathElem{{Kind: expr.ElemName, Name: name}}}
}

// item is the key of the one item that the part names; nil when it may be several.
func (p *part) item(k *schema.Key) attr.Item {
	if len(p.sortValues) < len(k.Range) {
		return nil
	}
	item := attr.Item{}
	for i, v := range p.hash {
		item = item.With(k.Hash[i].Name, v)
	}
	for i := range k.Range {
		item = item.With(k.Range[i].Name, p.sortValues[i])
	}
	return item
}

// filter makes the condition of the terms that the key does not take; nil for none.
func (b *Bound) filter(kind expr.Kind, first expr.Cond, rest []Expr) (*expr.Condition, error) {
	var terms []expr.Cond
	if first != nil {
		terms = append(terms, first)
	}
	more, err := b.conds(rest)
	if err != nil {
		return nil, err
	}
	root := all(append(terms, more...))
	if root == nil {
		return nil, nil
	}
	return expr.NewConditionTree(root).Bind(kind, expr.NewBinder(nil, nil))
}
