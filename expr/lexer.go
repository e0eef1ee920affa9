package expr

import (
	"fmt"
	"unicode/utf8"
)

// tokenKind is the class of a token.
type tokenKind uint8

const (
	tokEOF     tokenKind = iota
	tokIllegal           // a character that begins no token, also '#' or ':' alone
	tokIdent             // bare identifier, keywords included
	tokName              // #placeholder
	tokValue             // :placeholder
	tokNumber            // digits; legal only between brackets
	tokLParen
	tokRParen
	tokLBracket
	tokRBracket
	tokComma
	tokDot
	tokEq
	tokNe
	tokLt
	tokLe
	tokGt
	tokGe
	tokPlus
	tokMinus
)

// keyword is what a bare identifier can mean to a grammar. Which keywords count depends on the
// language: a condition may name an attribute "remove", an update may not.
type keyword uint8

const (
	kwNone keyword = iota
	kwAnd
	kwOr
	kwNot
	kwBetween
	kwIn
	kwSet
	kwRemove
	kwAdd
	kwDelete
)

// token is one lexical element; the text is src[pos:end].
type token struct {
	kind     tokenKind
	word     keyword
	pos, end int
}

// lexer cuts a text into tokens. It never fails: what it cannot read is a tokIllegal, which the
// parser reports when it gets there.
type lexer struct {
	src  string
	pos  int
	kind Kind
}

// lex returns the tokens of src, the last of them a tokEOF at the end of the last real token's
// text (so that contexts do not quote trailing blanks).
func lex(kind Kind, src string) []token {
	l := lexer{src: src, kind: kind}
	toks := make([]token, 0, len(src)/4+2)
	end := 0
	for {
		t := l.next()
		if t.kind == tokEOF {
			return append(toks, token{kind: tokEOF, pos: end, end: end})
		}
		end = t.end
		toks = append(toks, t)
	}
}

// next reads one token.
func (l *lexer) next() token {
	l.skipBlanks()
	start := l.pos
	if start == len(l.src) {
		return token{kind: tokEOF, pos: start, end: start}
	}
	switch c := l.src[start]; {
	case isLetter(c):
		return l.ident(start)
	case isDigit(c):
		l.accept(isDigit)
		return token{kind: tokNumber, pos: start, end: l.pos}
	case c == '#':
		return l.placeholder(start, tokName)
	case c == ':':
		return l.placeholder(start, tokValue)
	default:
		return l.punctuation(start, c)
	}
}

// ident reads a bare identifier and looks up its keyword.
func (l *lexer) ident(start int) token {
	l.accept(isWord)
	return token{kind: tokIdent, word: keywordOf(l.kind, l.src[start:l.pos]), pos: start, end: l.pos}
}

// placeholder reads a sigil and the word after it, which must not be empty.
func (l *lexer) placeholder(start int, kind tokenKind) token {
	l.pos++
	l.accept(isWord)
	if l.pos == start+1 {
		kind = tokIllegal
	}
	return token{kind: kind, pos: start, end: l.pos}
}

// punctuation reads an operator, a bracket or one illegal character.
func (l *lexer) punctuation(start int, c byte) token {
	kind, width := tokIllegal, 1
	switch c {
	case '(':
		kind = tokLParen
	case ')':
		kind = tokRParen
	case '[':
		kind = tokLBracket
	case ']':
		kind = tokRBracket
	case ',':
		kind = tokComma
	case '.':
		kind = tokDot
	case '+':
		kind = tokPlus
	case '-':
		kind = tokMinus
	case '=':
		kind = tokEq
	case '<', '>':
		kind, width = l.angle(start, c)
	default:
		_, width = utf8.DecodeRuneInString(l.src[start:])
	}
	l.pos = start + width
	return token{kind: kind, pos: start, end: l.pos}
}

// angle reads one of < <= <> > >=.
func (l *lexer) angle(start int, c byte) (tokenKind, int) {
	var second byte
	if start+1 < len(l.src) {
		second = l.src[start+1]
	}
	switch {
	case second == '=' && c == '<':
		return tokLe, 2
	case second == '=':
		return tokGe, 2
	case second == '>' && c == '<':
		return tokNe, 2
	case c == '<':
		return tokLt, 1
	default:
		return tokGt, 1
	}
}

func (l *lexer) skipBlanks() {
	for l.pos < len(l.src) && isBlank(l.src[l.pos]) {
		l.pos++
	}
}

func (l *lexer) accept(class func(byte) bool) {
	for l.pos < len(l.src) && class(l.src[l.pos]) {
		l.pos++
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isWord(c byte) bool  { return isLetter(c) || isDigit(c) }

// isLetter takes the underscore too: the documentation asks for a letter, the service is
// reported to accept it (unsure).
func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}

// keywordOf returns the meaning of word, in any case, in the language of kind.
func keywordOf(kind Kind, word string) keyword {
	switch kind {
	case KindProjection:
		return kwNone
	case KindUpdate:
		return updateKeyword(word)
	default:
		return conditionKeyword(word)
	}
}

func conditionKeyword(word string) keyword {
	switch {
	case compareUpper(word, "AND") == 0:
		return kwAnd
	case compareUpper(word, "OR") == 0:
		return kwOr
	case compareUpper(word, "NOT") == 0:
		return kwNot
	case compareUpper(word, "BETWEEN") == 0:
		return kwBetween
	case compareUpper(word, "IN") == 0:
		return kwIn
	default:
		return kwNone
	}
}

func updateKeyword(word string) keyword {
	switch {
	case compareUpper(word, "SET") == 0:
		return kwSet
	case compareUpper(word, "REMOVE") == 0:
		return kwRemove
	case compareUpper(word, "ADD") == 0:
		return kwAdd
	case compareUpper(word, "DELETE") == 0:
		return kwDelete
	default:
		return kwNone
	}
}

// syntaxError reports the token at index i. The context runs from the token before it to the
// token after it, blanks as in the source, and is shorter at the ends.
func syntaxError(kind Kind, src string, toks []token, i int) *Error {
	from, to := toks[i].pos, toks[i].end
	if i > 0 {
		from = toks[i-1].pos
	}
	if i+1 < len(toks) {
		to = toks[i+1].end
	}
	text := "<EOF>"
	if toks[i].kind != tokEOF {
		text = src[toks[i].pos:toks[i].end]
	}
	near := src[from:to]
	e := errAt(kind, toks[i].pos, "%s", fmt.Sprintf(msgSyntax, text, near))
	e.Near = near
	return e
}
