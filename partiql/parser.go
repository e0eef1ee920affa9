package partiql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits of ours that keep a hostile statement from costing much.
const (
	// depthMax bounds the nesting of parentheses, lists, tuples, NOT and functions.
	depthMax = 100
	// pathDepthMax is the largest number of elements of one document path.
	pathDepthMax = 32
	// listIndexMax is the largest list index.
	listIndexMax = 1<<31 - 1
)

// Prepared is a parsed statement. It is immutable and may be shared between goroutines.
type Prepared struct {
	Statement Statement
	// Explain: the plan is asked for, not its result.
	Explain bool
	// Params is the number of question marks.
	Params int

	src string // for the places of errors
}

// String prints the statement as text that parses into an equal one.
func (p *Prepared) String() string {
	if p.Explain {
		return "EXPLAIN " + p.Statement.String()
	}
	return p.Statement.String()
}

// Parse parses one statement. The error is always an *Error.
func Parse(text string) (*Prepared, error) {
	if !utf8.ValidString(text) {
		return nil, errorf(msgMalformed, msgDetailUTF8)
	}
	p := &parser{src: text, toks: lex(text)}
	out := &Prepared{src: text}
	out.Explain = p.takeWord("EXPLAIN")
	out.Statement = p.statement()
	p.take(tokSemicolon)
	if !p.is(tokEOF) {
		p.trailing()
	}
	if p.err != nil {
		return nil, p.err
	}
	out.Params = p.params
	return out, nil
}

// parser reads tokens from left to right. Its first error sticks and moves it to the end, where all
// loops stop.
type parser struct {
	src    string
	toks   []token
	i      int
	params int
	depth  int
	err    *Error
}

func (p *parser) tok() token { return p.toks[p.i] }

func (p *parser) text(t token) string { return p.src[t.pos:t.end] }

func (p *parser) at() At { return At(p.tok().pos) }

func (p *parser) is(kind tokenKind) bool { return p.tok().kind == kind }

func (p *parser) advance() {
	if p.i < len(p.toks)-1 {
		p.i++
	}
}

func (p *parser) take(kind tokenKind) bool {
	if !p.is(kind) {
		return false
	}
	p.advance()
	return true
}

// isWord tells whether the token at hand is a keyword, in any case.
func (p *parser) isWord(word string) bool { return p.wordAt(p.i, word) }

func (p *parser) wordAt(i int, word string) bool {
	return i < len(p.toks) && p.toks[i].kind == tokWord && strings.EqualFold(p.text(p.toks[i]), word)
}

func (p *parser) takeWord(word string) bool {
	if !p.isWord(word) {
		return false
	}
	p.advance()
	return true
}

// raise keeps the first error and ends the parsing.
func (p *parser) raise(e *Error) {
	if p.err == nil {
		p.err = e
	}
	p.i = len(p.toks) - 1
}

// fail reports the token at hand where detail was expected.
func (p *parser) fail(detail string) {
	t := p.tok()
	switch {
	case t.kind == tokEOF:
		detail = msgDetailEnd
	case t.kind == tokIllegal && (p.src[t.pos] == '\'' || p.src[t.pos] == '"'):
		detail = msgDetailString
	case t.kind == tokWord && reserved(p.text(t)):
		detail = msgDetailKeyword
	}
	p.malformed(t, detail)
}

func (p *parser) malformed(t token, detail string) {
	p.raise(errAt(p.src, t.pos, t.end-t.pos, msgMalformed, detail))
}

func (p *parser) unsupported(t token, kind string) {
	p.raise(unsupported(p.src, t.pos, t.end-t.pos, kind))
}

func (p *parser) need(kind tokenKind, symbol string) {
	if !p.take(kind) {
		p.fail(fmt.Sprintf(msgDetailSymbol, symbol))
	}
}

func (p *parser) needWord(word string) {
	if !p.takeWord(word) {
		p.fail(fmt.Sprintf(msgDetailSymbol, word))
	}
}

// enter counts a level of nesting; leave it when true.
func (p *parser) enter() bool {
	if p.depth == depthMax {
		p.malformed(p.tok(), msgDetailDepth)
		return false
	}
	p.depth++
	return true
}

func (p *parser) leave() { p.depth-- }

// unsupportedClauses are the first words of clauses of PartiQL that the service does not run.
var unsupportedClauses = [...]string{
	"LIMIT", "OFFSET", "GROUP", "HAVING", "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "UNION",
	"INTERSECT", "EXCEPT", "UNPIVOT", "AS", "AT", "BY", "LET", "ON",
}

// trailing reports what follows where the statement could have ended.
func (p *parser) trailing() {
	for _, w := range unsupportedClauses {
		if p.isWord(w) {
			p.unsupported(p.tok(), kindClause)
			return
		}
	}
	p.fail(msgDetailToken)
}

// name parses an identifier, bare or in double quotes.
func (p *parser) name() string {
	t := p.tok()
	switch {
	case t.kind == tokWord && !reserved(p.text(t)):
		p.advance()
		return p.text(t)
	case t.kind == tokQuoted && t.end-t.pos > len(`""`):
		p.advance()
		return unquote(p.text(t))
	}
	p.fail(msgDetailIdentifier)
	return ""
}
