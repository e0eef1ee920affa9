package expr

import (
	"slices"

	"github.com/keystone-db/kstone/engine/attr"
)

// Condition is a condition or filter bound to the names and values of one request. It is
// immutable: Eval may be called again and from several goroutines.
type Condition struct {
	tree *ConditionTree
	binding
}

// Bind gives the tree's placeholders their meaning and makes the checks that need it. kind is
// KindCondition or KindFilter. The error is an *Error.
func (t *ConditionTree) Bind(kind Kind, b *Binder) (*Condition, error) {
	c := &Condition{tree: t}
	c.bind(&t.refs, b)
	if err := (checker{kind, &c.binding}).cond(t.Root); err != nil {
		return nil, err
	}
	return c, nil
}

// String prints the condition as it was written, with its placeholders.
func (c *Condition) String() string { return c.tree.String() }

// Paths returns the document paths that the condition reads, in the order of the text and with
// repetitions. The caller owns the slice.
func (c *Condition) Paths() []Path {
	var paths []Path
	visitPaths(c.tree.Root, func(p *DocPath) {
		paths = append(paths, resolvePath(p, c.names))
	})
	return paths
}

// Attributes returns the names of the top-level attributes that the condition reads, in the
// order of their first appearance. The caller owns the slice.
func (c *Condition) Attributes() []string {
	var names []string
	visitPaths(c.tree.Root, func(p *DocPath) {
		if n := elemName(&p.Elems[0], c.names); !slices.Contains(names, n) {
			names = append(names, n)
		}
	})
	return names
}

// visitPaths calls f for the document paths of a tree, left to right.
func visitPaths(n Node, f func(*DocPath)) {
	switch n := n.(type) {
	case *DocPath:
		f(n)
	case *And:
		visitAll(n.Terms, f)
	case *Or:
		visitAll(n.Terms, f)
	case *Not:
		visitPaths(n.Term, f)
	case *Compare:
		visitPaths(n.Left, f)
		visitPaths(n.Right, f)
	case *Between:
		visitPaths(n.X, f)
		visitPaths(n.Lo, f)
		visitPaths(n.Hi, f)
	case *In:
		visitPaths(n.X, f)
		visitAll(n.List, f)
	case *Call:
		visitAll(n.Args, f)
	case *Arith:
		visitPaths(n.Left, f)
		visitPaths(n.Right, f)
	}
}

func visitAll[N Node](list []N, f func(*DocPath)) {
	for _, n := range list {
		visitPaths(n, f)
	}
}

// Eval tells whether the condition holds for the item. A nil item counts as an empty one. It
// allocates nothing but the numbers that it makes: results of size() and elements of a VecF32.
func (c *Condition) Eval(item attr.Item) bool { return c.eval(c.tree.Root, item) }

func (c *Condition) eval(cond Cond, item attr.Item) bool {
	switch n := cond.(type) {
	case *And:
		for _, t := range n.Terms {
			if !c.eval(t, item) {
				return false
			}
		}
		return true
	case *Or:
		for _, t := range n.Terms {
			if c.eval(t, item) {
				return true
			}
		}
		return false
	case *Not:
		return !c.eval(n.Term, item)
	case *Compare:
		return c.compare(n, item)
	case *Between:
		return c.between(n, item)
	case *In:
		return c.in(n, item)
	case *Call:
		return c.call(n, item)
	default:
		return false
	}
}

// value returns the value of an operand, nil when it has none.
func (c *Condition) value(o Operand, item attr.Item) attr.Value {
	if n, ok := o.(*Call); ok {
		if n.Fn != FnSize {
			return nil
		}
		return size(c.simple(n.Args[0], item))
	}
	return c.simple(o, item)
}

// simple returns the value of an operand that is no function, nil when it has none.
func (c *Condition) simple(o Operand, item attr.Item) attr.Value {
	switch n := o.(type) {
	case *DocPath:
		return c.resolve(n, item)
	case *ValueRef:
		return c.values[n.slot]
	case *Literal:
		return n.Value
	default:
		return nil // a size has no size: it is a number
	}
}

// size returns the size of a value as a number value. DynamoDB does this: a string counts UTF-16
// code units (TestEval, "functions"); a number, BOOL, NULL or nothing has no size.
func size(v attr.Value) attr.Value {
	n := 0
	switch wireType(v) {
	case attr.S:
		n = utf16Len(v.Payload())
	case attr.B, attr.L, attr.M, attr.SS, attr.NS, attr.BS:
		n = v.Len()
	default:
		return nil
	}
	return attr.Int(int64(n))
}

// utf16Len counts the UTF-16 code units of valid UTF-8: one for each character, and one more for
// those beyond the basic plane, which are the ones of four bytes.
func utf16Len(s []byte) int {
	n := 0
	for _, b := range s {
		if b&0xC0 != 0x80 {
			n++
		}
		if b >= 0xF0 {
			n++
		}
	}
	return n
}

// compare evaluates one of = <> < <= > >=. A missing side makes all but <> false.
func (c *Condition) compare(n *Compare, item attr.Item) bool {
	l, r := c.value(n.Left, item), c.value(n.Right, item)
	switch n.Op {
	case OpEq:
		return equal(l, r)
	case OpNe:
		// Two missing attributes are "not equal" here (unsure), a size that does not exist is
		// neither equal nor unequal to anything (unsure).
		return !equal(l, r) && !(l == nil && isSize(n.Left)) && !(r == nil && isSize(n.Right))
	}
	order, ok := compareScalars(l, r)
	if !ok {
		return false
	}
	switch n.Op {
	case OpLt:
		return order < 0
	case OpLe:
		return order <= 0
	case OpGt:
		return order > 0
	default:
		return order >= 0
	}
}

func isSize(o Operand) bool {
	n, ok := o.(*Call)
	return ok && n.Fn == FnSize
}

// equal is attr.Equal where a missing value equals nothing.
func equal(a, b attr.Value) bool { return a != nil && b != nil && attr.Equal(a, b) }

// compareScalars orders two values of the same type among S, N and B.
func compareScalars(a, b attr.Value) (int, bool) {
	if a == nil || b == nil {
		return 0, false
	}
	return attr.Compare(a, b)
}

// between evaluates Lo <= X and X <= Hi.
func (c *Condition) between(n *Between, item attr.Item) bool {
	x := c.value(n.X, item)
	if order, ok := compareScalars(x, c.value(n.Lo, item)); !ok || order < 0 {
		return false
	}
	order, ok := compareScalars(x, c.value(n.Hi, item))
	return ok && order <= 0
}

// among tells whether a value is one of a sorted list of scalars of one type.
func among(x attr.Value, sorted []attr.Value) bool {
	if _, ok := attr.Compare(x, sorted[0]); !ok {
		return false
	}
	_, found := slices.BinarySearchFunc(sorted, x, orderOf)
	return found
}

// orderOf orders scalars of one type.
func orderOf(a, b attr.Value) int {
	order, _ := attr.Compare(a, b)
	return order
}

// in tells whether X equals one of the list.
func (c *Condition) in(n *In, item attr.Item) bool {
	x := c.value(n.X, item)
	if x == nil {
		return false
	}
	if n.sorted != nil {
		return among(x, n.sorted)
	}
	for _, o := range n.List {
		if equal(x, c.value(o, item)) {
			return true
		}
	}
	return false
}
