package partiql

import (
	"fmt"
	"strings"
)

// Error is what is wrong with a statement. The client sees it as a ValidationException whose text is
// Msg.
type Error struct {
	// Pos and Len are the place in the statement, in bytes; Pos is -1 where there is none.
	Pos, Len int
	// Line and Column of Pos, counted from 1; zero where there is no place.
	Line, Column int
	// Msg is the literal text for the client.
	Msg string
}

// Error returns Msg.
func (e *Error) Error() string { return e.Msg }

// errorf makes an error without a place.
func errorf(format string, args ...any) *Error {
	return &Error{Pos: -1, Msg: fmt.Sprintf(format, args...)}
}

// errAt makes an error at a place in src.
func errAt(src string, pos, length int, format string, args ...any) *Error {
	e := errorf(format, args...)
	e.Pos, e.Len = pos, length
	e.Line, e.Column = lineColumn(src, pos)
	return e
}

// unsupported makes the error about a construct that the service knows and does not run.
func unsupported(src string, pos, length int, kind string) *Error {
	line, column := lineColumn(src, pos)
	name := strings.ToUpper(src[pos : pos+length])
	return errAt(src, pos, length, msgUnsupported, kind, name, line, column, length)
}

// lineColumn counts from 1; a column is a byte.
func lineColumn(src string, pos int) (line, column int) {
	before := src[:pos]
	return 1 + strings.Count(before, "\n"), pos - strings.LastIndexByte(before, '\n')
}
