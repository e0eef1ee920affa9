package expr

import "strconv"

// class orders the errors that are reported only when the whole text parses: whatever stands
// earlier in the list of the language wins, and each class keeps its first error.
type class uint8

const (
	classOperators class = iota
	classParens
	classUnknown
	classMisused
	classReserved
	classTwice
	classPath

	classCount = iota
)

// reportOrder returns the classes in the order in which the language of kind reports them.
func reportOrder(kind Kind) []class {
	switch kind {
	case KindUpdate:
		return []class{classOperators, classReserved, classUnknown, classTwice, classPath}
	case KindProjection:
		return []class{classReserved, classPath}
	default:
		return []class{
			classOperators, classParens, classUnknown, classMisused, classReserved, classPath,
		}
	}
}

// parser is a recursive-descent parser over the tokens of one text. After the first syntax error
// it stands at the end of the tokens, so that every loop and every rule ends by itself.
type parser struct {
	kind  Kind
	src   string
	toks  []token
	i     int
	depth int
	ops   int
	err   *Error
	found [classCount]*Error
	// parens is the last closed pair of grouping parentheses, as token indexes.
	parens struct{ open, closed int }
}

// newParser checks the size of the text and cuts it into tokens.
func newParser(kind Kind, src string) (*parser, error) {
	switch {
	case src == "":
		return nil, errAt(kind, 0, msgEmpty)
	case len(src) > TextMaxBytes && kind == KindUpdate:
		return nil, errAt(kind, TextMaxBytes, msgTooLong)
	case len(src) > TextMaxBytes:
		return nil, errAt(kind, TextMaxBytes, msgTooLongSize, len(src))
	}
	p := &parser{kind: kind, src: src, toks: lex(kind, src)}
	p.parens.open, p.parens.closed = -1, -1
	return p, nil
}

// ParseCondition parses a ConditionExpression, FilterExpression or KeyConditionExpression. The
// error is always an *Error.
func ParseCondition(kind Kind, text string) (*ConditionTree, error) {
	p, err := newParser(kind, text)
	if err != nil {
		return nil, err
	}
	root := p.needCond(p.or())
	if err := p.finish(); err != nil {
		return nil, err
	}
	return NewConditionTree(root), nil
}

// ParseProjection parses a ProjectionExpression. The error is always an *Error.
func ParseProjection(text string) (*ProjectionTree, error) {
	p, err := newParser(KindProjection, text)
	if err != nil {
		return nil, err
	}
	paths := []*DocPath{p.path()}
	for p.take(tokComma) {
		paths = append(paths, p.path())
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return NewProjectionTree(paths), nil
}

// finish expects the end of the text and returns the error to report, if any.
func (p *parser) finish() error {
	p.need(tokEOF)
	if p.err != nil {
		return p.err
	}
	if p.ops > OperatorsMax {
		p.collect(classOperators, 0, msgTooManyOperators, p.ops)
	}
	for _, c := range reportOrder(p.kind) {
		if e := p.found[c]; e != nil {
			return e
		}
	}
	return nil
}

// tok returns the current token.
func (p *parser) tok() token { return p.toks[p.i] }

// is tells whether the current token is of kind k.
func (p *parser) is(k tokenKind) bool { return p.toks[p.i].kind == k }

// isWord tells whether the current token is the keyword w.
func (p *parser) isWord(w keyword) bool { return p.toks[p.i].word == w }

// advance moves to the next token; the end is never passed.
func (p *parser) advance() {
	if p.i < len(p.toks)-1 {
		p.i++
	}
}

// take consumes the current token if it is of kind k.
func (p *parser) take(k tokenKind) bool {
	if !p.is(k) {
		return false
	}
	p.advance()
	return true
}

// takeWord consumes the current token if it is the keyword w.
func (p *parser) takeWord(w keyword) bool {
	if !p.isWord(w) {
		return false
	}
	p.advance()
	return true
}

// need consumes a token of kind k or fails.
func (p *parser) need(k tokenKind) {
	if !p.take(k) {
		p.fail()
	}
}

// fail records a syntax error at the current token, unless there is an error already.
func (p *parser) fail() {
	if p.err == nil {
		p.stop(syntaxError(p.kind, p.src, p.toks, p.i))
	}
}

// stop records the error that ends the parse.
func (p *parser) stop(e *Error) {
	if p.err == nil {
		p.err = e
	}
	p.i = len(p.toks) - 1
}

// collect keeps the first error of a class for finish.
func (p *parser) collect(c class, pos int, format string, args ...any) {
	if p.found[c] == nil && p.err == nil {
		p.found[c] = errAt(p.kind, pos, format, args...)
	}
}

// enter counts a level of nesting; the caller returns at once when it says no, and else calls
// leave.
func (p *parser) enter() bool {
	p.depth++
	if p.depth <= parseDepthMax {
		return true
	}
	p.depth--
	if n := p.countOperators(); n > OperatorsMax {
		p.stop(errAt(p.kind, p.tok().pos, msgTooManyOperators, n))
	} else {
		p.stop(errAt(p.kind, p.tok().pos, msgRedundantParens))
	}
	return false
}

func (p *parser) leave() { p.depth-- }

// countOperators counts the operators and functions of a text that is too deep to be parsed.
func (p *parser) countOperators() int {
	n := 0
	for i, t := range p.toks {
		switch {
		case t.kind >= tokEq:
			n++
		case t.kind != tokIdent:
		case t.word != kwNone, p.toks[i+1].kind == tokLParen:
			n++
		}
	}
	return n
}

// path parses a document path.
func (p *parser) path() *DocPath {
	n := &DocPath{At: At(p.tok().pos)}
	p.pathName(n)
	for p.err == nil {
		switch {
		case p.take(tokDot):
			p.pathName(n)
		case p.take(tokLBracket):
			p.pathIndex(n)
		default:
			if len(n.Elems) > PathDepthMax {
				p.collect(classPath, n.Pos(), msgPathTooDeep, len(n.Elems))
			}
			return n
		}
	}
	return n
}

// pathName parses a name or name placeholder of a path.
func (p *parser) pathName(n *DocPath) {
	t := p.tok()
	text := p.src[t.pos:t.end]
	switch {
	case t.kind == tokName:
		n.Elems = append(n.Elems, PathElem{Kind: ElemPlaceholder, Name: text, At: t.pos})
	case t.kind == tokIdent && t.word == kwNone:
		if IsReserved(text) {
			p.collect(classReserved, t.pos, msgReserved, text)
		}
		n.Elems = append(n.Elems, PathElem{Kind: ElemName, Name: text, At: t.pos})
	default:
		p.fail()
		return
	}
	p.advance()
}

// pathIndex parses what follows the opening bracket of a list index.
func (p *parser) pathIndex(n *DocPath) {
	t := p.tok()
	if t.kind != tokNumber {
		p.fail()
		return
	}
	text := p.src[t.pos:t.end]
	index, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		p.collect(classPath, t.pos, msgIndexRange, text)
	}
	n.Elems = append(n.Elems, PathElem{Kind: ElemIndex, Index: int(index), At: t.pos})
	p.advance()
	p.need(tokRBracket)
}

// atCall tells whether the current token is a function's name.
func (p *parser) atCall() bool {
	t := p.tok()
	return t.kind == tokIdent && t.word == kwNone && p.toks[p.i+1].kind == tokLParen
}

// call parses a function. The operands are parsed by operand, which differs by language.
func (p *parser) call(operand func() Operand) *Call {
	t := p.tok()
	name := p.src[t.pos:t.end]
	n := &Call{At: At(t.pos), Fn: functionOf(p.kind, name)}
	if n.Fn == OpNone {
		p.collect(classUnknown, t.pos, msgUnknownFunction, name)
	}
	p.ops++
	if !p.enter() {
		return n
	}
	defer p.leave()
	p.advance()
	n.Args = p.list(operand)
	return n
}

// list parses one or more operands in parentheses.
func (p *parser) list(operand func() Operand) []Operand {
	p.need(tokLParen)
	list := []Operand{operand()}
	for p.take(tokComma) {
		list = append(list, operand())
	}
	p.need(tokRParen)
	return list
}

// functionOf finds a function by its name, in the letter case of the documentation; OpNone if
// the language of kind has none of that name.
func functionOf(kind Kind, name string) Op {
	first, last := FnAttributeExists, FnSize
	if kind == KindUpdate {
		first, last = FnIfNotExists, FnListAppend
	}
	for op := first; op <= last; op++ {
		if opNames[op] == name {
			return op
		}
	}
	return OpNone
}
