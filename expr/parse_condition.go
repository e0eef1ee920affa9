package expr

// The rules of conditions. A "(" may open a group of conditions or of an operand, so the rules
// below return a Node and the place that uses it says which it needs.

// or parses terms joined by OR, or a single lower rule.
func (p *parser) or() Node {
	first := p.and()
	if !p.isWord(kwOr) {
		return first
	}
	n := &Or{At: At(p.tok().pos), Terms: []Cond{p.needCond(first)}}
	for p.takeWord(kwOr) {
		p.ops++
		n.Terms = append(n.Terms, p.needCond(p.and()))
	}
	return n
}

// and parses terms joined by AND, or a single lower rule.
func (p *parser) and() Node {
	first := p.not()
	if !p.isWord(kwAnd) {
		return first
	}
	n := &And{At: At(p.tok().pos), Terms: []Cond{p.needCond(first)}}
	for p.takeWord(kwAnd) {
		p.ops++
		n.Terms = append(n.Terms, p.needCond(p.not()))
	}
	return n
}

// not parses a negation or a primary.
func (p *parser) not() Node {
	at := At(p.tok().pos)
	if !p.takeWord(kwNot) {
		return p.primary()
	}
	p.ops++
	if !p.enter() {
		return nil
	}
	defer p.leave()
	return &Not{At: at, Term: p.needCond(p.not())}
}

// primary parses a group or an operand, and the comparison that it may begin.
func (p *parser) primary() Node {
	var n Node
	if p.is(tokLParen) {
		n = p.group()
	} else {
		n = p.condOperand()
	}
	if x, ok := n.(Operand); ok && p.err == nil {
		return p.comparison(x)
	}
	return n
}

// group parses a condition or an operand in parentheses.
func (p *parser) group() Node {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	open := p.i
	p.advance()
	n := p.or()
	p.closeGroup(open)
	return n
}

// closeGroup parses the parenthesis that closes the one at token index open. Directly doubled
// pairs are redundant; a single pair never is.
func (p *parser) closeGroup(open int) {
	closed := p.i
	p.need(tokRParen)
	if p.parens.open == open+1 && p.parens.closed == closed-1 {
		p.collect(classParens, p.toks[open].pos, msgRedundantParens)
	}
	p.parens.open, p.parens.closed = open, closed
}

// condOperand parses an operand of a condition.
func (p *parser) condOperand() Operand {
	t := p.tok()
	switch {
	case t.kind == tokValue:
		p.advance()
		return &ValueRef{At: At(t.pos), Name: p.src[t.pos:t.end]}
	case p.atCall():
		return p.call(p.needOperand)
	case t.kind == tokIdent || t.kind == tokName:
		return p.path()
	default:
		p.fail()
		return nil
	}
}

// needOperand parses an operand where only an operand may stand, in parentheses or not.
func (p *parser) needOperand() Operand {
	if !p.is(tokLParen) {
		return p.asOperand(p.condOperand())
	}
	if !p.enter() {
		return nil
	}
	defer p.leave()
	open := p.i
	p.advance()
	n := p.needOperand()
	p.closeGroup(open)
	return n
}

// comparison parses the rest of a comparison whose first operand is x; x alone is returned when
// nothing follows that belongs to it.
func (p *parser) comparison(x Operand) Node {
	t := p.tok()
	op := comparatorOf(t.kind)
	switch {
	case op != OpNone:
		p.ops++
		p.advance()
		return &Compare{At: At(t.pos), Op: op, Left: p.asOperand(x), Right: p.needOperand()}
	case p.takeWord(kwBetween):
		return p.between(t, p.asOperand(x))
	case p.takeWord(kwIn):
		p.ops++
		return &In{At: At(t.pos), X: p.asOperand(x), List: p.list(p.needOperand)}
	default:
		return x
	}
}

// between parses the bounds after BETWEEN.
func (p *parser) between(t token, x Operand) Node {
	p.ops++
	lo := p.needOperand()
	if !p.takeWord(kwAnd) {
		p.fail()
	}
	return &Between{At: At(t.pos), X: x, Lo: lo, Hi: p.needOperand()}
}

// asOperand collects the misuse of a boolean function as a value.
func (p *parser) asOperand(x Operand) Operand {
	if c, ok := x.(*Call); ok && c.Fn.isBoolean() {
		p.collect(classMisused, c.Pos(), msgMisusedFunction, c.Fn)
	}
	return x
}

// needCond takes a parsed node as a condition. A path or value alone is a syntax error at the
// token where its comparator is missing; a function that gives a value is a misuse.
func (p *parser) needCond(n Node) Cond {
	switch n := n.(type) {
	case *Call:
		if n.Fn != OpNone && !n.Fn.isBoolean() {
			p.collect(classMisused, n.Pos(), msgMisusedFunction, n.Fn)
		}
		return n
	case Cond:
		return n
	default:
		p.fail()
		return nil
	}
}

func comparatorOf(k tokenKind) Op {
	switch k {
	case tokEq:
		return OpEq
	case tokNe:
		return OpNe
	case tokLt:
		return OpLt
	case tokLe:
		return OpLe
	case tokGt:
		return OpGt
	case tokGe:
		return OpGe
	default:
		return OpNone
	}
}
