package partiql

import "strings"

// tokenKind is the class of a token.
type tokenKind uint8

const (
	tokEOF     tokenKind = iota
	tokIllegal           // what begins no token, and strings and comments without an end
	tokWord              // bare identifier or keyword
	tokQuoted            // "identifier"
	tokString            // 'text'
	tokNumber            // digits, fraction, exponent; signs are tokens of their own
	tokParam             // ?
	tokLParen
	tokRParen
	tokLBracket
	tokRBracket
	tokLBrace
	tokRBrace
	tokLBag // <<
	tokRBag // >>
	tokComma
	tokColon
	tokDot
	tokSemicolon
	tokStar
	tokPlus
	tokMinus
	tokEq
	tokNe // <> and !=
	tokLt
	tokLe
	tokGt
	tokGe
)

// token is one lexical element; its text is src[pos:end].
type token struct {
	kind     tokenKind
	pos, end int
}

// lexer cuts a statement into tokens. It never fails: what it cannot read is a tokIllegal, which the
// parser reports when it gets there.
type lexer struct {
	src string
	pos int
}

// lex returns the tokens of src, the last of them a tokEOF.
func lex(src string) []token {
	l := lexer{src: src}
	toks := make([]token, 0, len(src)/4+2)
	for {
		t := l.next()
		toks = append(toks, t)
		if t.kind == tokEOF {
			return toks
		}
	}
}

func (l *lexer) next() token {
	if t, bad := l.skip(); bad {
		return t
	}
	start := l.pos
	if start == len(l.src) {
		return token{tokEOF, start, start}
	}
	kind := tokIllegal
	switch c := l.src[start]; {
	case isLetter(c):
		l.accept(isWord)
		kind = tokWord
	case isDigit(c), c == '.' && isDigit(l.at(start+1)):
		l.number()
		kind = tokNumber
	case c == '\'':
		kind = l.quoted(c, tokString)
	case c == '"':
		kind = l.quoted(c, tokQuoted)
	default:
		kind = l.punctuation(c)
	}
	return token{kind, start, l.pos}
}

// at returns a byte of the source, zero beyond its end.
func (l *lexer) at(i int) byte {
	if i < len(l.src) {
		return l.src[i]
	}
	return 0
}

// skip passes blanks and comments. A block comment without an end is an illegal token.
func (l *lexer) skip() (token, bool) {
	for {
		l.accept(isBlank)
		rest := l.src[l.pos:]
		switch {
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.pos += n
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				start := l.pos
				l.pos = len(l.src)
				return token{tokIllegal, start, l.pos}, true
			}
			l.pos += n + len("/**/")
		default:
			return token{}, false
		}
	}
}

// number reads digits, a fraction and an exponent. An exponent without digits is left to the
// parser, as a word that stands where it cannot.
func (l *lexer) number() {
	l.accept(isDigit)
	if l.at(l.pos) == '.' {
		l.pos++
		l.accept(isDigit)
	}
	if c := l.at(l.pos); c != 'e' && c != 'E' {
		return
	}
	digits := l.pos + 1
	if c := l.at(digits); c == '+' || c == '-' {
		digits++
	}
	if isDigit(l.at(digits)) {
		l.pos = digits
		l.accept(isDigit)
	}
}

// quoted reads a text between two quotes q, doubled inside it.
func (l *lexer) quoted(q byte, kind tokenKind) tokenKind {
	for l.pos++; l.pos < len(l.src); l.pos++ {
		if l.src[l.pos] != q {
			continue
		}
		if l.at(l.pos+1) != q {
			l.pos++
			return kind
		}
		l.pos++
	}
	return tokIllegal
}

// unquote returns the text of a quoted token.
func unquote(text string) string {
	q := text[:1]
	return strings.ReplaceAll(text[1:len(text)-1], q+q, q)
}

// twoBytes are the tokens of two bytes.
func twoBytes(a, b byte) tokenKind {
	switch {
	case a == '<' && b == '<':
		return tokLBag
	case a == '>' && b == '>':
		return tokRBag
	case a == '<' && b == '>', a == '!' && b == '=':
		return tokNe
	case a == '<' && b == '=':
		return tokLe
	case a == '>' && b == '=':
		return tokGe
	}
	return tokIllegal
}

func (l *lexer) punctuation(c byte) tokenKind {
	if kind := twoBytes(c, l.at(l.pos+1)); kind != tokIllegal {
		l.pos += 2
		return kind
	}
	l.pos++
	switch c {
	case '?':
		return tokParam
	case '(':
		return tokLParen
	case ')':
		return tokRParen
	case '[':
		return tokLBracket
	case ']':
		return tokRBracket
	case '{':
		return tokLBrace
	case '}':
		return tokRBrace
	case ',':
		return tokComma
	case ':':
		return tokColon
	case '.':
		return tokDot
	case ';':
		return tokSemicolon
	case '*':
		return tokStar
	case '+':
		return tokPlus
	case '-':
		return tokMinus
	case '=':
		return tokEq
	case '<':
		return tokLt
	case '>':
		return tokGt
	}
	return tokIllegal
}

func (l *lexer) accept(class func(byte) bool) {
	for l.pos < len(l.src) && class(l.src[l.pos]) {
		l.pos++
	}
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isWord(c byte) bool  { return isLetter(c) || isDigit(c) || c == '$' }

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
}
