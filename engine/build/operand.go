package build

import (
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
)

// Operand is a part of an expression that has a value: the attribute at a path (Attr, Name), its Size, or
// what an update computes (Plus, Minus, IfNotExists, ListAppend). Operands never change.
type Operand struct {
	kind  operandKind
	path  []step
	value attr.Value
	args  []Operand
	err   error
}

type operandKind uint8

const (
	opNone operandKind = iota
	opPath
	opValue
	opSize
	opPlus
	opMinus
	opIfNotExists
	opListAppend
)

// operandOf is v itself when it is an operand, and its value otherwise.
func operandOf(v any) Operand {
	if o, ok := v.(Operand); ok {
		if o.kind == opNone && o.err == nil {
			o.err = invalid(msgOperand)
		}
		return o
	}
	value, err := toValue(v)
	return Operand{kind: opValue, value: value, err: err}
}

func compose(kind operandKind, args ...Operand) Operand {
	for _, a := range args {
		if a.err != nil {
			return Operand{err: a.err}
		}
	}
	return Operand{kind: kind, args: args}
}

// Size is the size of an attribute: characters of a string, bytes of a binary, members or elements of
// anything else.
func Size(path Operand) Operand { return compose(opSize, operandOf(path)) }

// Size is Size(o).
func (o Operand) Size() Operand { return Size(o) }

// Plus is the sum of two numbers, for Update.Set; v is an Operand or a value.
func (o Operand) Plus(v any) Operand { return compose(opPlus, operandOf(o), operandOf(v)) }

// Minus is the difference of two numbers, for Update.Set; v is an Operand or a value.
func (o Operand) Minus(v any) Operand { return compose(opMinus, operandOf(o), operandOf(v)) }

// IfNotExists is the attribute at a path, or v (an Operand or a value) when there is none, for Update.Set.
func IfNotExists(path Operand, v any) Operand {
	return compose(opIfNotExists, operandOf(path), operandOf(v))
}

// ListAppend is a list of the elements of first and those of second, for Update.Set; each is an Operand
// or a value that is a list.
func ListAppend(first, second any) Operand {
	return compose(opListAppend, operandOf(first), operandOf(second))
}

// step is one step of a document path: into a map by name, or into a list by index.
type step struct {
	name  string
	index int // -1: by name
}

// pathSpecial are the characters that mean something in the text of a path.
const pathSpecial = `.[]\`

// Attr is the attribute at a path: names joined by dots, indexes of lists in brackets, as in "a.b[1]". A
// backslash takes the meaning from the '.', '[', ']' or '\' after it; all other characters stand for
// themselves. Name and Escape are for names that are not written by hand.
func Attr(path string) Operand {
	steps, ok := parsePath(path)
	if !ok {
		return Operand{err: invalid(msgBadPath, path)}
	}
	return Operand{kind: opPath, path: steps}
}

// Name is the attribute of that very name, whatever characters it has.
func Name(name string) Operand {
	if name == "" {
		return Operand{err: invalid(msgBadPath, name)}
	}
	return Operand{kind: opPath, path: []step{{name: name, index: -1}}}
}

// Escape writes a name so that Attr, and every method that takes a path as Attr does, means it as one
// name.
func Escape(name string) string {
	if !strings.ContainsAny(name, pathSpecial) {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		if strings.IndexByte(pathSpecial, name[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// Key is the entry of that name in the map at the path.
func (o Operand) Key(name string) Operand { return o.extend("Key", step{name: name, index: -1}) }

// Index is the element of the list at the path; the first is 0.
func (o Operand) Index(i int) Operand {
	if i < 0 {
		return Operand{err: invalid(msgBadPath, "["+strconv.Itoa(i)+"]")}
	}
	return o.extend("Index", step{index: i})
}

func (o Operand) extend(method string, s step) Operand {
	if o.err == nil && o.kind != opPath {
		return Operand{err: invalid(msgNotPath, method)}
	}
	o.path = append(slices.Clone(o.path), s)
	return o
}

// parsePath reads the text of a path.
func parsePath(path string) ([]step, bool) {
	var steps []step
	for rest := path; ; {
		name, after, ok := cutName(rest)
		if !ok {
			return nil, false
		}
		steps = append(steps, step{name: name, index: -1})
		for strings.HasPrefix(after, "[") {
			digits, tail, found := strings.Cut(after[1:], "]")
			i, err := strconv.Atoi(digits)
			if !found || err != nil || i < 0 || digits[0] == '+' {
				return nil, false
			}
			steps, after = append(steps, step{index: i}), tail
		}
		if after == "" {
			return steps, true
		}
		if after[0] != '.' {
			return nil, false
		}
		rest = after[1:]
	}
}

// cutName reads a name up to the next '.' or '['; ok is false when there is none or an escape or bracket
// is wrong.
func cutName(s string) (name, rest string, ok bool) {
	end := strings.IndexAny(s, pathSpecial)
	if end < 0 {
		return s, "", s != ""
	}
	buf := []byte(s[:end])
	for s = s[end:]; s != ""; s = s[1:] {
		switch s[0] {
		case '.', '[':
			return string(buf), s, len(buf) > 0
		case ']':
			return "", "", false
		case '\\':
			if s = s[1:]; s == "" || !strings.Contains(pathSpecial, s[:1]) {
				return "", "", false
			}
		}
		buf = append(buf, s[0])
	}
	return string(buf), "", true
}
