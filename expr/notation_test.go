package expr

import (
	"encoding/hex"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// The tests write values in a short notation: "text", 1.5, true, null, [1, 2], {a: 1}, b(00ff),
// ss("a", "b"), ns(1, 2), bs(00, ff), vec(1, 2.5), ts(1000).

// notation reads the short notation.
type notation struct {
	src string
	pos int
}

func parseValue(t testing.TB, src string) attr.Value {
	t.Helper()
	n := &notation{src: src}
	v, err := n.value()
	require.NoError(t, err, "value %q", src)
	n.blanks()
	require.Equal(t, len(src), n.pos, "rest after value in %q", src)
	require.NoError(t, attr.CheckValue(v))
	return v
}

// parseItem reads an item; "none" is an absent one.
func parseItem(t testing.TB, src string) attr.Item {
	t.Helper()
	if strings.TrimSpace(src) == "none" {
		return nil
	}
	return parseValue(t, strings.TrimSpace(src)).MapItem()
}

func (n *notation) blanks() {
	for n.pos < len(n.src) && isBlank(n.src[n.pos]) {
		n.pos++
	}
}

func (n *notation) take(s string) bool {
	n.blanks()
	if !strings.HasPrefix(n.src[n.pos:], s) {
		return false
	}
	n.pos += len(s)
	return true
}

func (n *notation) until(stops string) string {
	n.blanks()
	end := strings.IndexAny(n.src[n.pos:], stops)
	if end < 0 {
		end = len(n.src) - n.pos
	}
	s := n.src[n.pos : n.pos+end]
	n.pos += end
	return strings.TrimSpace(s)
}

func (n *notation) text() (string, error) {
	n.blanks()
	q, err := strconv.QuotedPrefix(n.src[n.pos:])
	if err != nil {
		return "", fmt.Errorf("text at %q: %w", n.src[n.pos:], err)
	}
	n.pos += len(q)
	return strconv.Unquote(q)
}

// words reads the arguments of set-like values, as texts without their quotes.
func (n *notation) words() ([]string, error) {
	var list []string
	for !n.take(")") {
		n.blanks()
		if n.src[n.pos] == '"' {
			s, err := n.text()
			if err != nil {
				return nil, err
			}
			list = append(list, s)
		} else {
			list = append(list, n.until(",)"))
		}
		n.take(",")
	}
	return list, nil
}

func (n *notation) value() (attr.Value, error) { //nolint:funlen // one flat switch
	switch {
	case n.take("true"):
		return attr.Bool(true), nil
	case n.take("false"):
		return attr.Bool(false), nil
	case n.take("null"):
		return attr.Null(), nil
	case n.take("["):
		var list []attr.Value
		for !n.take("]") {
			v, err := n.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
			n.take(",")
		}
		return attr.List(list...), nil
	case n.take("{"):
		b := attr.NewItem()
		for !n.take("}") {
			name := n.until(":")
			n.take(":")
			v, err := n.value()
			if err != nil {
				return nil, err
			}
			b.Value(name, v)
			n.take(",")
		}
		item, err := b.Build()
		return attr.Map(item), err
	}
	if open := strings.IndexByte(n.src[n.pos:], '('); open > 0 && open < 4 && n.src[n.pos] >= 'a' {
		kind := n.src[n.pos : n.pos+open]
		n.pos += open + 1
		return n.tuple(kind)
	}
	n.blanks()
	if n.pos < len(n.src) && n.src[n.pos] == '"' {
		s, err := n.text()
		return attr.String(s), err
	}
	return attr.Number(n.until(",]} "))
}

func (n *notation) tuple(kind string) (attr.Value, error) {
	words, err := n.words()
	if err != nil {
		return nil, err
	}
	var bins [][]byte
	var floats []float32
	for _, w := range words {
		if kind == "b" || kind == "bs" {
			p, err := hex.DecodeString(w)
			if err != nil {
				return nil, err
			}
			bins = append(bins, p)
		}
		if kind == "vec" {
			f, err := strconv.ParseFloat(w, 32)
			if err != nil {
				return nil, err
			}
			floats = append(floats, float32(f))
		}
	}
	switch kind {
	case "b":
		return attr.Binary(append(bins, []byte{})[0]), nil
	case "ss":
		return attr.StringSet(words...)
	case "ns":
		return attr.NumberSet(words...)
	case "bs":
		return attr.BinarySet(bins...)
	case "vec":
		return attr.Vector(floats)
	case "ts":
		ms, err := strconv.ParseInt(words[0], 10, 64)
		return attr.Timestamp(ms), err
	}
	return nil, fmt.Errorf("unknown kind %q", kind)
}

// showItem writes an item in the short notation.
func showItem(item attr.Item) string {
	if item == nil {
		return "none"
	}
	var parts []string
	for r := item.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			return "{" + strings.Join(parts, ", ") + "}"
		}
		parts = append(parts, string(name)+": "+showValue(v))
	}
}

func showValue(v attr.Value) string {
	var parts []string
	switch v.Type() {
	case attr.S:
		return strconv.Quote(v.Text())
	case attr.N:
		return string(number.AppendText(nil, v.Payload()))
	case attr.Ts:
		return "ts(" + string(number.AppendText(nil, v.Payload())) + ")"
	case attr.B:
		return "b(" + hex.EncodeToString(v.Payload()) + ")"
	case attr.BOOL:
		return strconv.FormatBool(v.Bool())
	case attr.NULL:
		return "null"
	case attr.M:
		return showItem(v.MapItem())
	case attr.L:
		for r := attr.ListReader(v); r.Next(); {
			parts = append(parts, showValue(r.Value()))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case attr.VecF32:
		for _, f := range v.Float32s(nil) {
			parts = append(parts, strconv.FormatFloat(float64(f), 'g', -1, 32))
		}
		return "vec(" + strings.Join(parts, ", ") + ")"
	}
	for r := attr.SetReader(v); r.Next(); {
		switch v.Type() {
		case attr.SS:
			parts = append(parts, strconv.Quote(string(r.Bytes())))
		case attr.NS:
			parts = append(parts, string(number.AppendText(nil, r.Bytes())))
		default:
			parts = append(parts, hex.EncodeToString(r.Bytes()))
		}
	}
	return strings.ToLower(v.Type().String()) + "(" + strings.Join(parts, ", ") + ")"
}

// request is an expression with its placeholders, as the text files write them: lines with
// "->" define placeholders or other things, the others are the expression.
type request struct {
	text   string
	names  []Name
	values []Value
	other  map[string]string
}

func parseRequest(t testing.TB, input string) request {
	t.Helper()
	r := request{other: map[string]string{}}
	var text []string
	for line := range strings.SplitSeq(input, "\n") {
		key, val, ok := strings.Cut(line, "->")
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		switch {
		case !ok:
			text = append(text, line)
		case key[0] == '#':
			r.names = append(r.names, Name{key, val})
		case key[0] == ':':
			r.values = append(r.values, Value{key, parseValue(t, val)})
		default:
			r.other[key] = val
		}
	}
	r.text = strings.Join(text, "\n")
	sort.Slice(r.names, func(i, j int) bool { return r.names[i].Placeholder < r.names[j].Placeholder })
	sort.Slice(r.values, func(i, j int) bool { return r.values[i].Placeholder < r.values[j].Placeholder })
	return r
}

func (r *request) binder() *Binder { return NewBinder(r.names, r.values) }
