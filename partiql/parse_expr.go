package partiql

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
)

// condition parses a condition: OR over AND over NOT over predicates.
func (p *parser) condition() Expr { return p.logic("OR", OpOr, p.conjunction) }

func (p *parser) conjunction() Expr { return p.logic("AND", OpAnd, p.negation) }

// logic parses terms joined by one operator; a single term stands for itself.
func (p *parser) logic(word string, op Op, term func() Expr) Expr {
	first := term()
	if !p.isWord(word) {
		return first
	}
	n := &Logic{At: p.at(), Op: op, Terms: []Expr{first}}
	for p.takeWord(word) {
		n.Terms = append(n.Terms, term())
	}
	return n
}

func (p *parser) negation() Expr {
	at := p.at()
	if !p.takeWord("NOT") {
		return p.predicate()
	}
	if !p.enter() {
		return nil
	}
	defer p.leave()
	return &Not{At: at, X: p.negation()}
}

// predicate parses a condition in parentheses or a comparison.
func (p *parser) predicate() Expr {
	if p.isWord("EXISTS") {
		p.unsupported(p.tok(), kindClause)
		return nil
	}
	if p.is(tokLParen) && p.groupIsCondition() {
		return p.group(p.condition)
	}
	at, x := p.at(), p.operand()
	n := p.comparison(x)
	if c, ok := n.(*Call); ok && functions[c.Name].condition {
		return n
	}
	if n == x && p.err == nil {
		if p.is(tokEOF) || p.isWord("AND") || p.isWord("OR") || p.is(tokRParen) {
			p.malformed(token{pos: int(at), end: p.tok().pos}, msgDetailCondition)
		}
		p.trailing()
	}
	return n
}

// groupIsCondition looks ahead: a parenthesis opens a condition unless what it encloses is followed
// by an operator that takes values.
func (p *parser) groupIsCondition() bool {
	depth := 0
	for i := p.i; i < len(p.toks); i++ {
		switch p.toks[i].kind {
		case tokLParen:
			depth++
		case tokRParen:
			if depth--; depth == 0 {
				return !p.operatorAt(i + 1)
			}
		}
	}
	return true
}

func (p *parser) operatorAt(i int) bool {
	switch p.toks[min(i, len(p.toks)-1)].kind {
	case tokEq, tokNe, tokLt, tokLe, tokGt, tokGe, tokPlus, tokMinus:
		return true
	}
	return p.wordAt(i, "BETWEEN") || p.wordAt(i, "IN") || p.wordAt(i, "IS") ||
		p.wordAt(i, "NOT") && (p.wordAt(i+1, "BETWEEN") || p.wordAt(i+1, "IN"))
}

// group parses something in parentheses.
func (p *parser) group(inner func() Expr) Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	p.advance()
	x := inner()
	p.need(tokRParen, ")")
	return x
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
	}
	return 0
}

// comparison parses the rest of a predicate whose first operand is x; x alone when nothing follows
// that belongs to it.
func (p *parser) comparison(x Expr) Expr {
	at := p.at()
	if op := comparatorOf(p.tok().kind); op != 0 {
		p.advance()
		return &Binary{At: at, Op: op, Left: x, Right: p.operand()}
	}
	not := p.isWord("NOT") && (p.wordAt(p.i+1, "BETWEEN") || p.wordAt(p.i+1, "IN"))
	if not {
		p.advance()
	}
	var n Expr
	switch inner := p.at(); {
	case p.takeWord("BETWEEN"):
		lo := p.operand()
		p.needWord("AND")
		n = &Between{At: inner, X: x, Lo: lo, Hi: p.operand()}
	case p.takeWord("IN"):
		n = &In{At: inner, X: x, List: p.inList()}
	case p.takeWord("IS"):
		not = p.takeWord("NOT")
		n = &Is{At: inner, X: x, Type: p.typeName()}
	case p.isWord("LIKE"):
		p.unsupported(p.tok(), kindOperator)
		return x
	default:
		return x
	}
	if not {
		return &Not{At: at, X: n}
	}
	return n
}

// inList parses what follows IN: a list in brackets or parentheses, or one parameter.
func (p *parser) inList() Expr {
	switch {
	case p.is(tokLParen):
		return p.list(tokRParen, ")")
	case p.is(tokLBracket):
		return p.list(tokRBracket, "]")
	case p.is(tokParam):
		return p.param()
	}
	p.fail(msgDetailExpression)
	return nil
}

func (p *parser) typeName() string {
	t := p.tok()
	name := strings.ToUpper(p.text(t))
	if _, known := typeNames[name]; !known || t.kind != tokWord {
		p.malformed(t, msgDetailType)
		return ""
	}
	p.advance()
	return name
}

// operand parses a value of a condition: no sums, which the service does not compute there.
func (p *parser) operand() Expr {
	x := p.primary()
	if p.err == nil && (p.is(tokPlus) || p.is(tokMinus) || p.is(tokStar)) {
		p.unsupported(p.tok(), kindOperator)
	}
	return x
}

// value parses a value of SET or INSERT: sums and differences of primaries.
func (p *parser) value() Expr {
	x := p.primary()
	for p.err == nil && (p.is(tokPlus) || p.is(tokMinus)) {
		n := &Binary{At: p.at(), Op: OpPlus, Left: x}
		if p.is(tokMinus) {
			n.Op = OpMinus
		}
		p.advance()
		n.Right = p.primary()
		x = n
	}
	return x
}

// primary parses a literal, a parameter, a path, a function or a value in parentheses.
func (p *parser) primary() Expr {
	t := p.tok()
	switch t.kind {
	case tokParam:
		return p.param()
	case tokString:
		p.advance()
		return &Literal{At(t.pos), attr.String(unquote(p.text(t)))}
	case tokNumber, tokMinus, tokPlus:
		return p.number()
	case tokLBracket:
		return p.list(tokRBracket, "]")
	case tokLBag:
		l := p.list(tokRBag, ">>")
		if l == nil {
			return nil
		}
		return &Bag{At(t.pos), l.Elems}
	case tokLBrace:
		return p.tuple()
	case tokLParen:
		return p.group(p.value)
	case tokWord, tokQuoted:
		return p.wordOperand(t)
	}
	p.fail(msgDetailExpression)
	return nil
}

// wordOperand parses what begins with a word: TRUE, FALSE, NULL, a function or a path.
func (p *parser) wordOperand(t token) Expr {
	switch {
	case p.takeWord("TRUE"):
		return &Literal{At(t.pos), attr.Bool(true)}
	case p.takeWord("FALSE"):
		return &Literal{At(t.pos), attr.Bool(false)}
	case p.takeWord("NULL"):
		return &Literal{At(t.pos), attr.Null()}
	case p.atCall():
		return p.call()
	}
	return p.path()
}

func (p *parser) param() Expr {
	n := &Param{At: p.at(), N: p.params}
	p.advance()
	p.params++
	return n
}

// number parses a number with its sign.
func (p *parser) number() Expr {
	start := p.tok()
	if p.is(tokMinus) || p.is(tokPlus) {
		p.advance()
	}
	t := p.tok()
	if !p.is(tokNumber) {
		p.fail(msgDetailExpression)
		return nil
	}
	text := p.text(t)
	if start.kind == tokMinus {
		text = "-" + text
	}
	v, err := attr.Number(text)
	if err != nil {
		p.raise(errAt(p.src, start.pos, t.end-start.pos, "%s", err.Error()))
		return nil
	}
	p.advance()
	return &Literal{At(start.pos), v}
}

// atCall tells whether a word and a parenthesis stand here.
func (p *parser) atCall() bool {
	return p.is(tokWord) && p.i+1 < len(p.toks) && p.toks[p.i+1].kind == tokLParen
}

// call parses a function. Names may be in any case.
func (p *parser) call() Expr {
	t := p.tok()
	name := strings.ToLower(p.text(t))
	fn, known := functions[name]
	if !known {
		p.unsupported(t, kindFunction)
		return nil
	}
	p.advance()
	l := p.list(tokRParen, ")")
	if l == nil {
		return nil
	}
	if len(l.Elems) != fn.args {
		p.malformed(t, fmt.Sprintf(msgDetailArguments, name))
	}
	return &Call{At(t.pos), name, l.Elems}
}

// list parses values between the token at hand and the one that closes it. A comma must be followed
// by a value.
func (p *parser) list(closing tokenKind, symbol string) *List {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	l := &List{At: p.at()}
	p.advance()
	if p.take(closing) {
		return l
	}
	for {
		l.Elems = append(l.Elems, p.primary())
		if !p.take(tokComma) {
			break
		}
	}
	p.need(closing, symbol)
	return l
}

// tuple parses {'k': v, …}.
func (p *parser) tuple() Expr {
	if !p.enter() {
		return nil
	}
	defer p.leave()
	n := &Tuple{At: p.at()}
	p.advance()
	if p.take(tokRBrace) {
		return n
	}
	for {
		t := p.tok()
		if !p.take(tokString) {
			p.fail(msgDetailTuple)
			return n
		}
		p.need(tokColon, ":")
		n.Fields = append(n.Fields, Field{At(t.pos), unquote(p.text(t)), p.primary()})
		if !p.take(tokComma) {
			break
		}
	}
	p.need(tokRBrace, "}")
	return n
}

// path parses a document path: a.b, a['b'], a[0].
func (p *parser) path() *Path {
	n := &Path{At: p.at()}
	n.Steps = append(n.Steps, Step{At: int(n.At), Name: p.name()})
	for p.err == nil {
		switch at := p.tok().pos; {
		case p.take(tokDot):
			n.Steps = append(n.Steps, Step{At: at, Name: p.name()})
		case p.take(tokLBracket):
			n.Steps = append(n.Steps, p.subscript(at))
		default:
			if len(n.Steps) > pathDepthMax {
				p.raise(errAt(p.src, n.Pos(), p.tok().pos-n.Pos(), msgPathDepth, len(n.Steps)))
			}
			return n
		}
	}
	return n
}

// subscript parses what stands in brackets: a list index or a name as a string.
func (p *parser) subscript(at int) Step {
	t := p.tok()
	s := Step{At: at}
	switch {
	case p.take(tokString):
		if s.Name = unquote(p.text(t)); s.Name == "" {
			p.malformed(t, msgDetailIdentifier)
		}
	case p.take(tokNumber):
		i, err := strconv.Atoi(p.text(t))
		if err != nil || i > listIndexMax {
			p.raise(errAt(p.src, t.pos, t.end-t.pos, msgPathIndex, p.text(t)))
		}
		s.Index, s.IsIndex = i, true
	default:
		p.fail(msgDetailExpression)
	}
	p.need(tokRBracket, "]")
	return s
}
