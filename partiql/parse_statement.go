package partiql

// statement parses a whole statement but for EXPLAIN.
func (p *parser) statement() Statement {
	at := p.at()
	switch {
	case p.takeWord("SELECT"):
		return p.selectFrom(at)
	case p.takeWord("INSERT"):
		return p.insert(at)
	case p.takeWord("UPDATE"):
		u := &Update{At: at, Table: p.source()}
		p.updateRest(u)
		return u
	case p.takeWord("DELETE"):
		return p.deleteFrom(at)
	case p.takeWord("FROM"):
		return p.fromFirst(at)
	case p.takeWord("EXISTS"):
		return p.exists(at)
	}
	for _, w := range [...]string{"UPSERT", "REPLACE"} {
		if p.isWord(w) {
			p.unsupported(p.tok(), kindOperation)
			return nil
		}
	}
	p.malformed(p.tok(), msgDetailManipulation)
	return nil
}

// source parses the name of a table, or of a table and an index.
func (p *parser) source() Source {
	s := Source{At: p.at(), Table: p.name()}
	if p.take(tokDot) {
		s.Index = p.name()
	}
	if p.is(tokMinus) {
		// A bare name with a hyphen: reports of the service show this detail.
		p.malformed(p.tok(), msgDetailManipulation)
	}
	return s
}

// selectFrom parses a SELECT after its keyword.
func (p *parser) selectFrom(at At) *Select {
	s := &Select{At: at}
	for _, w := range [...]string{"DISTINCT", "VALUE"} {
		if p.isWord(w) {
			p.unsupported(p.tok(), kindClause)
		}
	}
	if !p.take(tokStar) {
		s.Paths = p.projection()
	}
	p.needWord("FROM")
	s.From = p.source()
	s.Where = p.where()
	if p.takeWord("ORDER") {
		p.needWord("BY")
		s.Order = p.order()
	}
	return s
}

// projection parses what is selected.
func (p *parser) projection() []*Path {
	var paths []*Path
	for {
		if p.atCall() {
			p.unsupported(p.tok(), kindFunction)
		}
		if !p.is(tokWord) && !p.is(tokQuoted) {
			p.fail(msgDetailPath)
		}
		paths = append(paths, p.path())
		if p.isWord("AS") {
			p.unsupported(p.tok(), kindClause)
		}
		if !p.take(tokComma) {
			return paths
		}
	}
}

// where parses an optional WHERE.
func (p *parser) where() Expr {
	if !p.takeWord("WHERE") {
		return nil
	}
	return p.condition()
}

// order parses the terms after ORDER BY.
func (p *parser) order() []Order {
	var list []Order
	for {
		o := Order{At: p.at(), Name: p.name()}
		if p.takeWord("DESC") {
			o.Desc = true
		} else {
			p.takeWord("ASC")
		}
		list = append(list, o)
		if !p.take(tokComma) {
			return list
		}
	}
}

// insert parses an INSERT after its keyword. Several items, in whatever form, are refused with a
// text of their own.
func (p *parser) insert(at At) *Insert {
	p.needWord("INTO")
	s := &Insert{At: at, Into: p.source()}
	if p.isWord("VALUES") || p.is(tokLBag) {
		p.raise(errAt(p.src, p.tok().pos, p.tok().end-p.tok().pos, msgInsertSeveral))
		return s
	}
	if p.is(tokLParen) {
		// A list of columns as SQL has it: reports of the service show this detail.
		p.malformed(p.tok(), msgDetailKeyword)
	}
	p.needWord("VALUE")
	s.Value = p.value()
	return s
}

// fromFirst parses FROM table WHERE … SET ….
func (p *parser) fromFirst(at At) *Update {
	u := &Update{At: at, Table: p.source()}
	u.Where = p.where()
	p.updateRest(u)
	return u
}

// updateRest parses the actions and what follows them.
func (p *parser) updateRest(u *Update) {
	u.Actions = p.actions()
	if u.Where == nil {
		u.Where = p.where()
	}
	u.Returning = p.returning()
}

// actions parses SET and REMOVE clauses. Commas between assignments are optional in that SET may be
// written again: both forms are in the documentation.
func (p *parser) actions() []*Action {
	var list []*Action
	for p.err == nil {
		set := p.isWord("SET")
		if !set && !p.isWord("REMOVE") {
			break
		}
		p.advance()
		list = append(list, p.action(set))
		for p.take(tokComma) {
			list = append(list, p.action(set))
		}
	}
	if len(list) == 0 {
		p.fail(msgDetailToken)
	}
	return list
}

func (p *parser) action(set bool) *Action {
	a := &Action{At: p.at(), Path: p.path()}
	if set {
		p.need(tokEq, "=")
		a.Value = p.value()
	}
	return a
}

// deleteFrom parses a DELETE after its keyword.
func (p *parser) deleteFrom(at At) *Delete {
	p.needWord("FROM")
	return &Delete{At: at, From: p.source(), Where: p.where(), Returning: p.returning()}
}

// returning parses an optional RETURNING.
func (p *parser) returning() *Returning {
	r := &Returning{At: p.at()}
	if !p.isReturning() {
		return nil
	}
	p.advance()
	if p.takeWord("MODIFIED") {
		r.Modified = true
	} else {
		p.needWord("ALL")
	}
	if p.takeWord("NEW") {
		r.New = true
	} else {
		p.needWord("OLD")
	}
	p.need(tokStar, "*")
	return r
}

func (p *parser) isReturning() bool { return p.isWord("RETURNING") }

// exists parses EXISTS(SELECT …) after its keyword.
func (p *parser) exists(at At) *Exists {
	p.need(tokLParen, "(")
	from := p.at()
	p.needWord("SELECT")
	s := &Exists{At: at, Query: p.selectFrom(from)}
	p.need(tokRParen, ")")
	return s
}
