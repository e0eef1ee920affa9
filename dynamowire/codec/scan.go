package codec

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonDepthMax bounds the nesting of a body: far above what any request needs (an attribute value
// of 32 levels takes about 70), far below what could hurt.
const jsonDepthMax = 1000

// Scanner walks a JSON text from front to end in one pass. Objects and arrays are iterated, every
// value must be read or skipped. It checks the grammar of what it passes. After a fault every
// method reports false at once, so that loops end; Failed tells it from an ordinary end.
//
//	if s.Object() {
//		for key, ok := s.Key(true); ok; key, ok = s.Key(false) { … }
//	}
//
// The zero value is ready after Reset.
type Scanner struct {
	data   []byte
	pos    int
	depth  int
	failed bool
	text   []byte // memory of the last string that had escapes
}

// Reset begins with a new text, which must stay unchanged while it is scanned.
func (s *Scanner) Reset(data []byte) {
	s.data, s.pos, s.depth, s.failed = data, 0, 0, false
}

// Failed says whether the text turned out not to be JSON.
func (s *Scanner) Failed() bool { return s.failed }

// fail stops the scan.
func (s *Scanner) fail() bool {
	s.failed = true
	s.pos = len(s.data)
	return false
}

// Peek gives the first byte of what comes next without taking it: '{', '[', '"', 't', 'f', 'n', a
// digit or '-' begin a value; 0 is the end of the text.
func (s *Scanner) Peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// End reports that nothing but blanks is left.
func (s *Scanner) End() bool { return s.Peek() == 0 && s.pos == len(s.data) && !s.failed }

// Null takes a null if one comes next.
func (s *Scanner) Null() bool { return s.Peek() == 'n' && s.literal("null") }

func (s *Scanner) literal(word string) bool {
	if !bytes.HasPrefix(s.data[s.pos:], []byte(word)) {
		return s.fail()
	}
	s.pos += len(word)
	return true
}

// Object takes the opening brace; then Key until it reports false.
func (s *Scanner) Object() bool { return s.open('{') }

// Array takes the opening bracket; then Elem until it reports false.
func (s *Scanner) Array() bool { return s.open('[') }

func (s *Scanner) open(c byte) bool {
	if s.Peek() != c || s.depth >= jsonDepthMax {
		return s.fail()
	}
	s.depth++
	s.pos++
	return true
}

// Key takes the next name of an object and its colon, or the closing brace (ok is false then).
// The name is valid until the next string is read.
func (s *Scanner) Key(first bool) (key []byte, ok bool) {
	if key, ok = s.tightKey(first); ok {
		return key, true
	}
	c := s.Peek()
	if c == '}' {
		s.pos++
		s.depth--
		return nil, false
	}
	if !first {
		if c != ',' {
			return nil, s.fail()
		}
		s.pos++
		s.Peek()
	}
	if key, ok = s.String(); !ok {
		return nil, false
	}
	if s.Peek() != ':' {
		return nil, s.fail()
	}
	s.pos++
	return key, true
}

// tightKey is Key for what most encoders write: no blanks, no escapes. Otherwise it takes nothing.
func (s *Scanner) tightKey(first bool) (key []byte, ok bool) {
	i, data := s.pos, s.data
	if !first {
		if i >= len(data) || data[i] != ',' {
			return nil, false
		}
		i++
	}
	if i >= len(data) || data[i] != '"' {
		return nil, false
	}
	end, plain := s.plainEnd(i + 1)
	if !plain || end+1 >= len(data) || data[end+1] != ':' {
		return nil, false
	}
	s.pos = end + 2
	return data[i+1 : end], true
}

// plainEnd is where the closing quote of the string is whose content begins at i. Not plain is one that
// has escapes, faults or bytes that are not ASCII, or ends near the end of the text; then it is where
// that begins.
func (s *Scanner) plainEnd(i int) (end int, plain bool) {
	data := s.data
	for ; i+8 <= len(data); i += 8 {
		x := binary.LittleEndian.Uint64(data[i:])
		if m := special(x) | x&highs; m != 0 {
			i += bits.TrailingZeros64(m) / 8
			return i, data[i] == '"'
		}
	}
	return i, false
}

// Elem goes to the next element of an array; it takes the closing bracket and reports false at the
// end.
func (s *Scanner) Elem(first bool) bool {
	c := s.Peek()
	switch {
	case c == ']' && !s.failed:
		s.pos++
		s.depth--
		return false
	case first:
		return c != 0 || s.fail()
	case c != ',':
		return s.fail()
	}
	s.pos++
	if s.Peek() == ']' {
		return s.fail()
	}
	return true
}

// Bool takes true or false; ok is false when something else comes.
func (s *Scanner) Bool() (v, ok bool) {
	switch s.Peek() {
	case 't':
		return true, s.literal("true")
	case 'f':
		return false, s.literal("false")
	}
	return false, s.fail()
}

// Number takes a number and gives its text.
func (s *Scanner) Number() (text []byte, ok bool) {
	s.Peek()
	start := s.pos
	if s.at() == '-' {
		s.pos++
	}
	if s.at() == '0' {
		s.pos++
	} else if s.digits() == 0 {
		return nil, s.fail()
	}
	if s.at() == '.' {
		s.pos++
		if s.digits() == 0 {
			return nil, s.fail()
		}
	}
	if c := s.at(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.at(); c == '+' || c == '-' {
			s.pos++
		}
		if s.digits() == 0 {
			return nil, s.fail()
		}
	}
	return s.data[start:s.pos], true
}

func (s *Scanner) at() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *Scanner) digits() int {
	start := s.pos
	for s.pos < len(s.data) && s.data[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos - start
}

// Skip takes the next value, whatever it is.
func (s *Scanner) Skip() bool {
	switch c := s.Peek(); c {
	case '{':
		s.Object()
		for _, ok := s.Key(true); ok; _, ok = s.Key(false) {
			if !s.Skip() {
				break
			}
		}
	case '[':
		s.Array()
		for ok := s.Elem(true); ok; ok = s.Elem(false) {
			if !s.Skip() {
				break
			}
		}
	case '"':
		s.String()
	case 't', 'f':
		s.Bool()
	case 'n':
		s.Null()
	default:
		s.Number()
	}
	return !s.failed
}

// Words of eight bytes, each byte holding the same: they find special bytes eight at a time.
const (
	lows  = 0x0101010101010101
	highs = 0x8080808080808080
	backs = lows * '\\'
	// flips turns a quote into a blank and no other byte above the blank into one below: then all
	// that is not above the blank is special.
	flips  = lows * ('"' ^ ' ')
	blanks = lows * (' ' + 1)
)

// special marks the bytes of x that JSON strings escape, quotes, backslashes and controls, by their
// highest bits. The lowest mark is right, higher ones may come from borrows.
func special(x uint64) uint64 {
	return ((x ^ flips - blanks) | (x ^ backs - lows)) &^ x & highs
}

// String takes a string and gives its bytes, valid UTF-8, unescaped. They are a part of the text
// or, when there were escapes, valid until the next string is read.
func (s *Scanner) String() (text []byte, ok bool) {
	if s.Peek() != '"' {
		return nil, s.fail()
	}
	start := s.pos + 1
	i, plain := s.plainEnd(start)
	if plain {
		s.pos = i + 1
		return s.data[start:i], true
	}
	data := s.data
	var seen uint64
	for i+8 <= len(data) { // letters beyond ASCII, up to what else is special
		x := binary.LittleEndian.Uint64(data[i:])
		if m := special(x); m != 0 {
			n := bits.TrailingZeros64(m) / 8
			seen |= x & (1<<(8*n) - 1)
			i += n
			break
		}
		seen |= x
		i += 8
	}
	for ; i < len(data); i++ {
		c := data[i]
		if c == '"' {
			s.pos = i + 1
			text = data[start:i]
			if seen&highs != 0 && !utf8.Valid(text) {
				// unsure: the service's treatment of bytes that are no UTF-8 is not known.
				s.text = append(s.text[:0], bytes.ToValidUTF8(text, []byte("\uFFFD"))...)
				text = s.text
			}
			return text, true
		}
		if c == '\\' {
			return s.escaped(start, i)
		}
		if c < ' ' {
			break
		}
		seen |= uint64(c)
	}
	return nil, s.fail()
}

// escaped reads on from the first backslash at i of a string that began at start.
func (s *Scanner) escaped(start, i int) (text []byte, ok bool) {
	out := append(s.text[:0], s.data[start:i]...)
	data := s.data
	for i < len(data) {
		c := data[i]
		i++
		switch {
		case c == '"':
			s.pos = i
			if !utf8.Valid(out) {
				out = bytes.ToValidUTF8(out, []byte("\uFFFD"))
			}
			s.text = out
			return out, true
		case c < ' ':
			return nil, s.fail()
		case c != '\\':
			out = append(out, c)
			continue
		}
		if i == len(data) {
			break
		}
		c = data[i]
		i++
		if c == 'u' {
			r, n := hexRune(data[i:])
			if n == 0 {
				return nil, s.fail()
			}
			out = utf8.AppendRune(out, r)
			i += n
			continue
		}
		if c = unescape(c); c == 0 {
			return nil, s.fail()
		}
		out = append(out, c)
	}
	return nil, s.fail()
}

// unescape gives the byte that a letter behind a backslash stands for, 0 for none.
func unescape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// hexRune reads what follows \u, four hex digits, and the second half of a pair when there is one;
// n is 0 for a fault. Halves without their partner become a question mark: DynamoDB does this,
// pinned by TestStrings.
func hexRune(p []byte) (r rune, n int) {
	r = hex4(p)
	if r < 0 {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(p) >= 10 && p[4] == '\\' && p[5] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(p[6:])); pair != utf8.RuneError {
			return pair, 10
		}
	}
	return '?', 4
}

func hex4(p []byte) rune {
	if len(p) < 4 {
		return -1
	}
	r := rune(0)
	for _, c := range p[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c-'a' <= 5:
			c -= 'a' - 10
		case c-'A' <= 5:
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// Valid says whether body is one JSON object and nothing else.
func Valid(body []byte) bool {
	var s Scanner
	s.Reset(body)
	return s.Peek() == '{' && s.Skip() && s.End()
}
