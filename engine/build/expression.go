package build

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Placeholders of the builders begin so, behind their sign.
const ownPrefix = "_"

// The first placeholders, from which nearly all are cut.
const (
	firstNames  = "#_0#_1#_2#_3#_4#_5#_6#_7#_8#_9"
	firstValues = ":_0:_1:_2:_3:_4:_5:_6:_7:_8:_9"
	firstLen    = len("#_0")
)

// numbered is the placeholder of that number, the first ones of its sort given.
func numbered(first string, i int) string {
	if at := i * firstLen; at < len(first) {
		return first[at : at+firstLen]
	}
	return first[:firstLen-1] + strconv.Itoa(i)
}

// expression writes the expressions of one request: their texts one after the other, and the names and
// values of all of them.
type expression struct {
	given
	buf []byte
	own int // values that the builders named
	err error
}

// fail keeps the first error.
func (e *expression) fail(err error) {
	if e.err == nil {
		e.err = err
	}
}

// take returns the text written since the last take. One that is empty is an expression too, which the
// service refuses.
func (e *expression) take() api.Opt[string] {
	text := string(e.buf)
	e.buf = e.buf[:0]
	return api.Some(text)
}

// whole writes a condition that is an expression of its own; none is no expression.
func (e *expression) whole(c Condition) api.Opt[string] {
	if c.kind == condNone && c.err == nil {
		return api.Opt[string]{}
	}
	e.condition(c)
	return e.take()
}

// placeholders returns the names and values in the order that requests have them in, and the first error
// of all that was written.
func (e *expression) placeholders() ([]api.Name, []api.NamedValue, error) {
	slices.SortFunc(e.names, func(a, b api.Name) int { return cmp.Compare(a.Placeholder, b.Placeholder) })
	slices.SortFunc(e.values, func(a, b api.NamedValue) int { return cmp.Compare(a.Placeholder, b.Placeholder) })
	return e.names, e.values, e.err
}

func (e *expression) put(s string) { e.buf = append(e.buf, s...) }

// name writes the placeholder of an attribute name.
func (e *expression) name(name string) {
	own := 0
	for _, n := range e.names {
		if strings.HasPrefix(n.Placeholder, firstNames[:firstLen-1]) {
			if n.Name == name {
				e.put(n.Placeholder)
				return
			}
			own++
		}
	}
	placeholder := numbered(firstNames, own)
	e.names = append(e.names, api.Name{Placeholder: placeholder, Name: name})
	e.put(placeholder)
}

// value writes the placeholder of a value.
func (e *expression) value(v attr.Value) {
	placeholder := numbered(firstValues, e.own)
	e.own++
	e.values = append(e.values, api.NamedValue{Placeholder: placeholder, Value: v})
	e.put(placeholder)
}

func (e *expression) path(path []step) {
	for i, s := range path {
		if s.index >= 0 {
			e.buf = append(strconv.AppendInt(append(e.buf, '['), int64(s.index), 10), ']')
			continue
		}
		if i > 0 {
			e.put(".")
		}
		e.name(s.name)
	}
}

func (e *expression) operand(o Operand) {
	if o.err != nil {
		e.fail(o.err)
		return
	}
	switch o.kind {
	case opNone:
		e.fail(invalid(msgOperand))
	case opPath:
		e.path(o.path)
	case opValue:
		e.value(o.value)
	case opSize:
		e.call("size", o.args)
	case opIfNotExists:
		e.call("if_not_exists", o.args)
	case opListAppend:
		e.call("list_append", o.args)
	case opPlus:
		e.infix(" + ", o.args)
	case opMinus:
		e.infix(" - ", o.args)
	}
}

func (e *expression) call(function string, args []Operand) {
	e.put(function)
	e.put("(")
	e.infix(", ", args)
	e.put(")")
}

func (e *expression) infix(between string, args []Operand) {
	for i, a := range args {
		if i > 0 {
			e.put(between)
		}
		e.operand(a)
	}
}

// condition writes a condition; none writes nothing.
func (e *expression) condition(c Condition) {
	if c.err != nil {
		e.fail(c.err)
		return
	}
	switch c.kind {
	case condNone:
	case condText:
		e.adopt(c.given)
		e.put(c.text)
	case condCompare:
		e.infix(" "+c.word+" ", c.args)
	case condBetween:
		e.operand(c.args[0])
		e.put(" BETWEEN ")
		e.infix(" AND ", c.args[1:])
	case condIn:
		e.operand(c.args[0])
		e.put(" IN (")
		e.infix(", ", c.args[1:])
		e.put(")")
	case condFunction:
		e.call(c.word, c.args)
	case condNot:
		e.put("NOT ")
		e.part(c.parts[0])
	case condAnd:
		e.parts(" AND ", c.parts)
	case condOr:
		e.parts(" OR ", c.parts)
	}
}

func (e *expression) parts(between string, parts []Condition) {
	for i, c := range parts {
		if i > 0 {
			e.put(between)
		}
		e.part(c)
	}
}

// part writes a condition inside another, in parentheses where it needs them: the service refuses them
// where they are doubled.
func (e *expression) part(c Condition) {
	switch c.kind {
	case condAnd, condOr, condNot:
	case condText:
		if enclosed(c.text) {
			e.condition(c)
			return
		}
	default:
		e.condition(c)
		return
	}
	e.put("(")
	e.condition(c)
	e.put(")")
}

// enclosed says whether a text stands in one pair of parentheses. A text has no strings in which a
// parenthesis would not count.
func enclosed(text string) bool {
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "(") {
		return false
	}
	depth := 0
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			return i == len(text)-1
		}
	}
	return false
}

// adopt takes up the placeholders of a text.
func (e *expression) adopt(g given) {
	for _, n := range g.names {
		if err := e.addName(n); err != nil {
			e.fail(err)
		}
	}
	for _, n := range g.values {
		if err := e.addValue(n); err != nil {
			e.fail(err)
		}
	}
}

// Args says what the placeholders of a text stand for: with '#', the name of an attribute, a string;
// with ':' or without a sign, a value of any type.
//
//	build.Args{"#s": "status", ":p": 5, "q": order.Total} // #s, :p and :q
type Args map[string]any

// given is Args encoded.
type given struct {
	names  []api.Name
	values []api.NamedValue
}

// takeArgs encodes the arguments of a text.
func takeArgs(args []Args) (given, error) {
	var g given
	for _, a := range args {
		for _, name := range slices.Sorted(maps.Keys(a)) {
			if err := g.take(name, a[name]); err != nil {
				return given{}, err
			}
		}
	}
	return g, nil
}

func (g *given) take(name string, v any) error {
	sign := ":"
	if name != "" && (name[0] == '#' || name[0] == ':') {
		sign, name = name[:1], name[1:]
	}
	placeholder := sign + name
	if strings.HasPrefix(name, ownPrefix) {
		return invalid(msgArgReserved, placeholder)
	}
	if sign == "#" {
		attribute, ok := v.(string)
		if !ok {
			return invalid(msgArgName, placeholder, v)
		}
		return g.addName(api.Name{Placeholder: placeholder, Name: attribute})
	}
	value, err := toValue(v)
	if err != nil {
		return err
	}
	return g.addValue(api.NamedValue{Placeholder: placeholder, Value: value})
}

// addName adds a placeholder; it may come again if it stands for the same.
func (g *given) addName(n api.Name) error {
	for _, have := range g.names {
		if have.Placeholder == n.Placeholder {
			if have.Name != n.Name {
				return invalid(msgArgsTwice, n.Placeholder)
			}
			return nil
		}
	}
	g.names = append(g.names, n)
	return nil
}

func (g *given) addValue(n api.NamedValue) error {
	for _, have := range g.values {
		if have.Placeholder == n.Placeholder {
			if !attr.Equal(have.Value, n.Value) {
				return invalid(msgArgsTwice, n.Placeholder)
			}
			return nil
		}
	}
	g.values = append(g.values, n)
	return nil
}
