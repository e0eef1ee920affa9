package partiql

import (
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// printer writes trees as text that parses into an equal tree. Names always stand in double quotes.
type printer struct{ strings.Builder }

func printed(write func(*printer)) string {
	var p printer
	write(&p)
	return p.String()
}

// String prints the statement.
func (s *Select) String() string {
	return printed(func(p *printer) {
		p.WriteString("SELECT ")
		if s.Paths == nil {
			p.WriteByte('*')
		}
		for i, path := range s.Paths {
			p.comma(i)
			p.path(path)
		}
		p.WriteString(" FROM ")
		p.source(&s.From)
		p.where(s.Where)
		for i, o := range s.Order {
			if i == 0 {
				p.WriteString(" ORDER BY ")
			}
			p.comma(i)
			p.quoted('"', o.Name)
			if o.Desc {
				p.WriteString(" DESC")
			}
		}
	})
}

// String prints the statement.
func (s *Insert) String() string {
	return printed(func(p *printer) {
		p.WriteString("INSERT INTO ")
		p.source(&s.Into)
		p.WriteString(" VALUE ")
		p.expr(s.Value)
	})
}

// String prints the statement, the table first.
func (s *Update) String() string {
	return printed(func(p *printer) {
		p.WriteString("UPDATE ")
		p.source(&s.Table)
		for _, a := range s.Actions {
			if a.Value == nil {
				p.WriteString(" REMOVE ")
				p.path(a.Path)
				continue
			}
			p.WriteString(" SET ")
			p.path(a.Path)
			p.WriteString(" = ")
			p.expr(a.Value)
		}
		p.where(s.Where)
		p.returning(s.Returning)
	})
}

// String prints the statement.
func (s *Delete) String() string {
	return printed(func(p *printer) {
		p.WriteString("DELETE FROM ")
		p.source(&s.From)
		p.where(s.Where)
		p.returning(s.Returning)
	})
}

// String prints the statement.
func (s *Exists) String() string { return "EXISTS(" + s.Query.String() + ")" }

func (p *printer) comma(i int) {
	if i > 0 {
		p.WriteString(", ")
	}
}

func (p *printer) quoted(q byte, text string) {
	p.WriteByte(q)
	p.WriteString(strings.ReplaceAll(text, string(q), string(q)+string(q)))
	p.WriteByte(q)
}

func (p *printer) source(s *Source) {
	p.quoted('"', s.Table)
	if s.Index != "" {
		p.WriteByte('.')
		p.quoted('"', s.Index)
	}
}

func (p *printer) where(x Expr) {
	if x != nil {
		p.WriteString(" WHERE ")
		p.expr(x)
	}
}

func (p *printer) returning(r *Returning) {
	if r == nil {
		return
	}
	p.WriteString(" RETURNING ")
	if r.Modified {
		p.WriteString("MODIFIED ")
	} else {
		p.WriteString("ALL ")
	}
	if r.New {
		p.WriteString("NEW *")
	} else {
		p.WriteString("OLD *")
	}
}

func (p *printer) path(n *Path) {
	for i, s := range n.Steps {
		switch {
		case s.IsIndex:
			p.WriteByte('[')
			p.WriteString(strconv.Itoa(s.Index))
			p.WriteByte(']')
			continue
		case i > 0:
			p.WriteByte('.')
		}
		p.quoted('"', s.Name)
	}
}

func (p *printer) expr(x Expr) {
	switch n := x.(type) {
	case *Literal:
		p.literal(n.Value)
	case *Param:
		p.WriteByte('?')
	case *List:
		p.list("[", n.Elems, "]")
	case *Bag:
		p.list("<<", n.Elems, ">>")
	case *Tuple:
		p.tuple(n)
	case *Path:
		p.path(n)
	case *Call:
		p.WriteString(n.Name)
		p.list("(", n.Args, ")")
	case *Binary:
		p.operand(n.Left)
		p.infix(n.Op.String())
		p.operand(n.Right)
	default:
		p.condition(x)
	}
}

func (p *printer) condition(x Expr) {
	switch n := x.(type) {
	case *Logic:
		for i, t := range n.Terms {
			if i > 0 {
				p.infix(n.Op.String())
			}
			p.term(t)
		}
	case *Not:
		p.WriteString("NOT ")
		p.term(n.X)
	case *Between:
		p.operand(n.X)
		p.infix("BETWEEN")
		p.operand(n.Lo)
		p.infix("AND")
		p.operand(n.Hi)
	case *In:
		p.operand(n.X)
		p.infix("IN")
		p.expr(n.List)
	case *Is:
		p.operand(n.X)
		p.infix("IS")
		p.WriteString(n.Type)
	}
}

func (p *printer) infix(op string) {
	p.WriteByte(' ')
	p.WriteString(op)
	p.WriteByte(' ')
}

// term prints a condition within another one.
func (p *printer) term(x Expr) {
	if _, ok := x.(*Logic); ok {
		p.list("(", []Expr{x}, ")")
		return
	}
	p.expr(x)
}

// operand prints a value within an expression; a sum stands in parentheses.
func (p *printer) operand(x Expr) {
	if _, ok := x.(*Binary); ok {
		p.list("(", []Expr{x}, ")")
		return
	}
	p.expr(x)
}

func (p *printer) list(open string, elems []Expr, closing string) {
	p.WriteString(open)
	for i, e := range elems {
		p.comma(i)
		p.expr(e)
	}
	p.WriteString(closing)
}

func (p *printer) tuple(n *Tuple) {
	p.WriteByte('{')
	for i, f := range n.Fields {
		p.comma(i)
		p.quoted('\'', f.Name)
		p.WriteString(": ")
		p.expr(f.Value)
	}
	p.WriteByte('}')
}

func (p *printer) literal(v attr.Value) {
	switch v.Type() {
	case attr.S:
		p.quoted('\'', string(v.Payload()))
	case attr.N:
		p.Write(number.AppendText(nil, v.Payload()))
	case attr.BOOL:
		p.WriteString(strings.ToUpper(strconv.FormatBool(v.Bool())))
	default:
		p.WriteString("NULL")
	}
}
