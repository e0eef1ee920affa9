package expr

import (
	"strconv"
	"strings"
)

// printer writes trees back as text, with the fewest parentheses that keep the structure.
type printer struct{ strings.Builder }

func printed(write func(*printer)) string {
	var p printer
	write(&p)
	return p.String()
}

// String prints the conjunction.
func (n *And) String() string { return printed(func(p *printer) { p.terms(n.Terms, OpAnd) }) }

// String prints the disjunction.
func (n *Or) String() string { return printed(func(p *printer) { p.terms(n.Terms, OpOr) }) }

// String prints the negation.
func (n *Not) String() string { return printed(func(p *printer) { p.cond(n) }) }

// String prints the comparison.
func (n *Compare) String() string { return printed(func(p *printer) { p.cond(n) }) }

// String prints the range test.
func (n *Between) String() string { return printed(func(p *printer) { p.cond(n) }) }

// String prints the membership test.
func (n *In) String() string { return printed(func(p *printer) { p.cond(n) }) }

// String prints the call.
func (n *Call) String() string { return printed(func(p *printer) { p.call(n) }) }

// String prints the sum or difference.
func (n *Arith) String() string { return printed(func(p *printer) { p.operand(n) }) }

// String returns the placeholder.
func (n *ValueRef) String() string { return n.Name }

// String prints the value as error texts do.
func (n *Literal) String() string { return describeValue(n.Value) }

// String prints the path.
func (n *DocPath) String() string { return printed(func(p *printer) { p.path(n) }) }

// String prints the action without its keyword.
func (n *Clause) String() string { return printed(func(p *printer) { p.clause(n) }) }

func (p *printer) cond(c Cond) {
	switch n := c.(type) {
	case *And:
		p.terms(n.Terms, OpAnd)
	case *Or:
		p.terms(n.Terms, OpOr)
	case *Not:
		p.WriteString("NOT ")
		p.term(n.Term, OpNot)
	case *Compare:
		p.operand(n.Left)
		p.infix(n.Op)
		p.operand(n.Right)
	case *Between:
		p.operand(n.X)
		p.infix(OpBetween)
		p.operand(n.Lo)
		p.infix(OpAnd)
		p.operand(n.Hi)
	case *In:
		p.operand(n.X)
		p.infix(OpIn)
		p.list(n.List)
	case *Call:
		p.call(n)
	}
}

// terms prints the terms of AND or OR.
func (p *printer) terms(terms []Cond, op Op) {
	for i, t := range terms {
		if i > 0 {
			p.infix(op)
		}
		p.term(t, op)
	}
}

// term prints a condition below the operator op, in parentheses if it would regroup without.
func (p *printer) term(c Cond, op Op) {
	wrap := false
	switch c.(type) {
	case *Or:
		wrap = true
	case *And:
		wrap = op != OpOr
	}
	if !wrap {
		p.cond(c)
		return
	}
	p.WriteByte('(')
	p.cond(c)
	p.WriteByte(')')
}

func (p *printer) infix(op Op) {
	p.WriteByte(' ')
	p.WriteString(op.String())
	p.WriteByte(' ')
}

func (p *printer) operand(o Operand) {
	switch n := o.(type) {
	case *Call:
		p.call(n)
	case *Arith:
		p.operand(n.Left)
		p.infix(n.Op)
		p.operand(n.Right)
	case *ValueRef:
		p.WriteString(n.Name)
	case *Literal:
		p.WriteString(describeValue(n.Value))
	case *DocPath:
		p.path(n)
	}
}

func (p *printer) call(n *Call) {
	p.WriteString(n.Fn.String())
	p.list(n.Args)
}

func (p *printer) list(args []Operand) {
	p.WriteByte('(')
	for i, a := range args {
		if i > 0 {
			p.WriteString(", ")
		}
		p.operand(a)
	}
	p.WriteByte(')')
}

func (p *printer) path(n *DocPath) {
	for i, e := range n.Elems {
		switch {
		case e.Kind == ElemIndex:
			p.WriteByte('[')
			p.WriteString(strconv.Itoa(e.Index))
			p.WriteByte(']')
			continue
		case i > 0:
			p.WriteByte('.')
		}
		if e.Kind == ElemName && !isBareWord(e.Name) {
			p.WriteString(strconv.Quote(e.Name))
			continue
		}
		p.WriteString(e.Name)
	}
}

// isBareWord tells whether the lexer reads name as one identifier.
func isBareWord(name string) bool {
	if name == "" || !isLetter(name[0]) {
		return false
	}
	for i := range len(name) {
		if !isWord(name[i]) {
			return false
		}
	}
	return true
}

func (p *printer) clause(c *Clause) {
	p.path(c.Path)
	switch {
	case c.Value == nil:
	case c.Action == ActionSet:
		p.infix(OpEq)
		p.operand(c.Value)
	default:
		p.WriteByte(' ')
		p.operand(c.Value)
	}
}

// update prints the clauses, each keyword once, before the first action of its clause.
func (p *printer) update(clauses []*Clause) {
	for i, c := range clauses {
		switch {
		case i > 0 && clauses[i-1].Action == c.Action:
			p.WriteString(", ")
			p.clause(c)
			continue
		case i > 0:
			p.WriteByte(' ')
		}
		p.WriteString(c.Action.String())
		p.WriteByte(' ')
		p.clause(c)
	}
}
