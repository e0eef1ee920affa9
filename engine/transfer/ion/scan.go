package ion

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/keystone-db/kstone/engine/transfer"
)

// Texts of what ends an object; unsure: the service's own are not known.
const (
	msgSyntax     = "not Ion: unexpected %q at byte %d"
	msgEnd        = "not Ion: the text ends within a value"
	msgTooLong    = "a record is longer than %d bytes"
	msgEscape     = "not Ion: bad escape at byte %d"
	msgNotUTF8    = "not Ion: text that is not UTF-8 before byte %d"
	msgBase64     = "not Ion: bad base64 before byte %d"
	msgExpression = "Ion s-expressions are not supported"
	msgSymbols    = "Ion symbol tables are not supported"
)

// scanner takes an Ion text apart. The first fault of the syntax ends it.
type scanner struct {
	in     *bufio.Reader
	offset int64
	// end is the offset at which the record would be too long.
	end int64
	err error
	buf []byte
}

// next takes a byte; 0 with err set at the end.
func (s *scanner) next() byte {
	if s.err != nil {
		return 0
	}
	c, err := s.in.ReadByte()
	switch {
	case errors.Is(err, io.EOF):
		s.err = transfer.Brokenf(msgEnd)
		return 0
	case err != nil:
		s.err = err
		return 0
	case s.offset >= s.end:
		s.err = transfer.Brokenf(msgTooLong, transfer.RecordMaxBytes)
		return 0
	}
	s.offset++
	return c
}

// peek looks at the next bytes, fewer at the end of the text.
func (s *scanner) peek(n int) []byte {
	if s.err != nil {
		return nil
	}
	b, err := s.in.Peek(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
		return nil
	}
	return b
}

func (s *scanner) at(text string) bool { return string(s.peek(len(text))) == text }

// skip takes n bytes that were looked at.
func (s *scanner) skip(n int) {
	for range n {
		s.next()
	}
}

func (s *scanner) unexpected(c byte) {
	if s.err == nil {
		s.err = transfer.Brokenf(msgSyntax, rune(c), s.offset-1)
	}
}

// blanks takes white space and comments, and returns the byte behind them, which stays; 0 at the end.
func (s *scanner) blanks() byte {
	for s.err == nil {
		b := s.peek(2)
		switch {
		case len(b) == 0:
			return 0
		case strings.IndexByte(" \t\n\r\v\f", b[0]) >= 0:
			s.next()
		case string(b) == "//":
			for s.err == nil && len(s.peek(1)) > 0 && s.next() != '\n' {
				continue
			}
		case string(b) == "/*":
			s.skip(2)
			for s.err == nil && !s.at("*/") {
				s.next()
			}
			s.skip(2)
		default:
			return b[0]
		}
	}
	return 0
}

// isWord says whether a byte can be part of an identifier or of a number.
func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$'
}

// isNumber says whether a byte can stand in a number or timestamp.
func isNumber(c byte) bool { return isWord(c) || c == '.' || c == '+' || c == '-' || c == ':' }

// word takes bytes of one kind; the result is valid until the next text.
func (s *scanner) word(of func(byte) bool) []byte {
	s.buf = s.buf[:0]
	for {
		b := s.peek(1)
		if len(b) == 0 || !of(b[0]) {
			return s.buf
		}
		s.buf = append(s.buf, s.next())
	}
}

const longQuotes = "'''"

// text takes a string or symbol in quotes, also one of several long pieces. The result is valid until the
// next text.
func (s *scanner) text(quote byte) []byte {
	s.buf = s.buf[:0]
	if quote == '\'' && s.at(longQuotes) {
		for s.blanks() == '\'' && s.at(longQuotes) {
			s.skip(len(longQuotes))
			for s.err == nil && !s.at(longQuotes) {
				s.character(s.next(), true)
			}
			s.skip(len(longQuotes))
		}
	} else {
		s.next()
		for s.err == nil {
			c := s.next()
			if c == quote {
				break
			}
			s.character(c, false)
		}
	}
	if s.err == nil && !utf8.Valid(s.buf) {
		s.err = transfer.Brokenf(msgNotUTF8, s.offset)
	}
	return s.buf
}

// character appends a byte of a text, or what an escape stands for.
func (s *scanner) character(c byte, long bool) {
	switch {
	case c == '\\':
		s.escape()
	case c == '\r' && long: // ends of lines are one character
		if s.at("\n") {
			s.next()
		}
		s.buf = append(s.buf, '\n')
	case c < ' ' && c != '\t' && c != '\v' && c != '\f' && (c != '\n' || !long):
		s.unexpected(c)
	default:
		s.buf = append(s.buf, c)
	}
}

func (s *scanner) escape() {
	const plain = "0abtnfrv\"'/?\\"
	c := s.next()
	if i := strings.IndexByte(plain, c); i >= 0 && s.err == nil {
		s.buf = append(s.buf, "\x00\a\b\t\n\f\r\v\"'/?\\"[i])
		return
	}
	switch c {
	case '\n':
	case '\r':
		if s.at("\n") {
			s.next()
		}
	case 'x':
		s.buf = utf8.AppendRune(s.buf, s.hex(2))
	case 'u':
		r := s.hex(4)
		if utf16.IsSurrogate(r) && s.at(`\u`) {
			s.skip(2)
			r = utf16.DecodeRune(r, s.hex(4))
		}
		s.rune(r)
	case 'U':
		s.rune(s.hex(8))
	default:
		s.bad(msgEscape)
	}
}

func (s *scanner) bad(msg string) {
	if s.err == nil {
		s.err = transfer.Brokenf(msg, s.offset)
	}
}

// rune appends a character that an escape names.
func (s *scanner) rune(r rune) {
	if !utf8.ValidRune(r) || r == utf8.RuneError {
		s.bad(msgEscape)
		return
	}
	s.buf = utf8.AppendRune(s.buf, r)
}

// hex takes hexadecimal digits; a value that is no character is utf8.RuneError.
func (s *scanner) hex(digits int) rune {
	var v uint32
	for range digits {
		c := s.next()
		i := strings.IndexByte("0123456789abcdef", c|0x20)
		if c < '0' || i < 0 || c < 'A' && i > 9 {
			s.bad(msgEscape)
			return utf8.RuneError
		}
		v = v<<4 | uint32(i)
	}
	if v > utf8.MaxRune {
		return utf8.RuneError
	}
	return rune(v)
}

// blob takes {{…}} and returns its bytes, which are valid until the next text; clob says that it is text.
func (s *scanner) blob() (data []byte, clob bool) {
	s.skip(len("{{"))
	if c := s.blankless(); c == '"' || c == '\'' {
		s.text(c)
		s.blankless()
		s.expect("}}")
		return nil, true
	}
	s.buf = s.buf[:0]
	for s.err == nil && !s.at("}}") {
		if c := s.next(); strings.IndexByte(" \t\n\r\v\f", c) < 0 {
			s.buf = append(s.buf, c)
		}
	}
	s.expect("}}")
	if s.err != nil {
		return nil, false
	}
	// In place: what comes out is shorter, and ahead of what is read.
	n, err := base64.StdEncoding.Strict().Decode(s.buf, bytes.Clone(s.buf))
	if err != nil {
		s.bad(msgBase64)
		return nil, false
	}
	return s.buf[:n], false
}

// blankless takes white space, among which there are no comments here.
func (s *scanner) blankless() byte {
	for {
		b := s.peek(1)
		if len(b) == 0 {
			return 0
		}
		if strings.IndexByte(" \t\n\r\v\f", b[0]) < 0 {
			return b[0]
		}
		s.next()
	}
}

func (s *scanner) expect(text string) {
	for i := range len(text) {
		if c := s.next(); c != text[i] {
			s.unexpected(c)
			return
		}
	}
}
