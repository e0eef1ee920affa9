package expr

// ParseUpdate parses an UpdateExpression. The error is always an *Error.
func ParseUpdate(text string) (*UpdateTree, error) {
	p, err := newParser(KindUpdate, text)
	if err != nil {
		return nil, err
	}
	var clauses []*Clause
	var seen [actionCount]bool
	for first := true; first || !p.is(tokEOF); first = false {
		t := p.tok()
		action, ok := actionOf(t.word)
		if !ok {
			p.fail()
			break
		}
		if seen[action] {
			p.collect(classTwice, t.pos, msgClauseTwice, action)
		}
		seen[action] = true
		p.advance()
		clauses = p.clauses(clauses, action)
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return NewUpdateTree(clauses), nil
}

func actionOf(w keyword) (Action, bool) {
	switch w {
	case kwSet:
		return ActionSet, true
	case kwRemove:
		return ActionRemove, true
	case kwAdd:
		return ActionAdd, true
	case kwDelete:
		return ActionDelete, true
	default:
		return 0, false
	}
}

// clauses parses the actions after a clause's keyword.
func (p *parser) clauses(list []*Clause, action Action) []*Clause {
	list = append(list, p.clause(action))
	for p.take(tokComma) {
		list = append(list, p.clause(action))
	}
	return list
}

// clause parses one action.
func (p *parser) clause(action Action) *Clause {
	c := &Clause{At: At(p.tok().pos), Action: action, Path: p.path()}
	switch action {
	case ActionSet:
		p.need(tokEq)
		c.Value = p.value()
	case ActionAdd, ActionDelete:
		c.Value = p.placeholder()
	case ActionRemove:
	}
	return c
}

// placeholder parses a value placeholder, the only operand of ADD and DELETE.
func (p *parser) placeholder() Operand {
	t := p.tok()
	if !p.take(tokValue) {
		p.fail()
		return nil
	}
	return &ValueRef{At: At(t.pos), Name: p.src[t.pos:t.end]}
}

// value parses the right side of a SET: an operand, or a sum or difference of two. The whole may
// stand in parentheses, and so may each operand; a second operator is a syntax error.
func (p *parser) value() Operand {
	var left Operand
	if p.is(tokLParen) {
		left = p.valueGroup()
	} else {
		left = p.updateOperand()
	}
	if _, done := left.(*Arith); done || p.err != nil {
		return left
	}
	t := p.tok()
	op := OpPlus
	switch t.kind {
	case tokPlus:
	case tokMinus:
		op = OpMinus
	default:
		return left
	}
	p.ops++
	p.advance()
	return &Arith{At: At(t.pos), Op: op, Left: left, Right: p.updateOperand()}
}

// valueGroup parses a value in parentheses.
func (p *parser) valueGroup() Operand {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	p.advance()
	v := p.value()
	p.need(tokRParen)
	return v
}

// updateOperand parses an operand of an update, in parentheses or not.
func (p *parser) updateOperand() Operand {
	t := p.tok()
	switch {
	case t.kind == tokLParen:
		return p.operandGroup()
	case t.kind == tokValue:
		return p.placeholder()
	case p.atCall():
		return p.call(p.updateOperand)
	case t.kind == tokIdent || t.kind == tokName:
		return p.path()
	default:
		p.fail()
		return nil
	}
}

// operandGroup parses an operand in parentheses.
func (p *parser) operandGroup() Operand {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	p.advance()
	o := p.updateOperand()
	p.need(tokRParen)
	return o
}
