package expr

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
)

// Name gives a #placeholder its attribute name. The layout is that of api.Name.
type Name struct{ Placeholder, Name string }

// Value gives a :placeholder its value. The layout is that of api.NamedValue.
type Value struct {
	Placeholder string
	Value       attr.Value
}

// Binder holds the names and values of one request and remembers which of them its expressions
// used. It is for one goroutine. What was bound with it keeps the strings and values, not the
// Binder, which may be reset for the next request.
type Binder struct {
	names      []Name
	values     []Value
	usedNames  bitset
	usedValues bitset
}

// NewBinder makes a binder for the names and values of one request. The slices should be sorted
// by placeholder (bytewise), as api keeps them; the binder only reads them, and sorts a copy of
// what is not.
func NewBinder(names []Name, values []Value) *Binder {
	b := &Binder{names: names, values: values}
	if !slices.IsSortedFunc(names, byPlaceholder) {
		b.names = slices.Clone(names)
	}
	if !slices.IsSortedFunc(values, byValuePlaceholder) {
		b.values = slices.Clone(values)
	}
	b.sort()
	return b
}

// ResetBinder readies b for another request, whose names and values it copies into memory of its
// own: a pooled Binder costs no allocation. The types of the elements may be those of any
// package with the layout of Name and Value.
func ResetBinder[
	N ~struct{ Placeholder, Name string },
	V ~struct {
		Placeholder string
		Value       attr.Value
	},
](b *Binder, names []N, values []V) {
	b.names, b.values = b.names[:0], b.values[:0]
	for _, n := range names {
		b.names = append(b.names, Name(n))
	}
	for _, v := range values {
		b.values = append(b.values, Value(v))
	}
	b.sort()
	b.usedNames.clear()
	b.usedValues.clear()
}

// Release drops the request's data, for a Binder that waits in a pool. Only a Binder that was
// filled by ResetBinder may be released: the memory is cleared.
func (b *Binder) Release() {
	clear(b.names)
	clear(b.values)
	b.names, b.values = b.names[:0], b.values[:0]
}

// sort sorts what is not sorted; the usual request is.
func (b *Binder) sort() {
	if !slices.IsSortedFunc(b.names, byPlaceholder) {
		slices.SortFunc(b.names, byPlaceholder)
	}
	if !slices.IsSortedFunc(b.values, byValuePlaceholder) {
		slices.SortFunc(b.values, byValuePlaceholder)
	}
}

func byPlaceholder(x, y Name) int { return strings.Compare(x.Placeholder, y.Placeholder) }

func byValuePlaceholder(x, y Value) int { return strings.Compare(x.Placeholder, y.Placeholder) }

// name looks up a #placeholder and marks it used.
func (b *Binder) name(placeholder string) (string, bool) {
	lo, hi := 0, len(b.names)
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := strings.Compare(placeholder, b.names[mid].Placeholder); {
		case c == 0:
			b.usedNames.set(mid)
			return b.names[mid].Name, true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return "", false
}

// value looks up a :placeholder and marks it used.
func (b *Binder) value(placeholder string) (attr.Value, bool) {
	lo, hi := 0, len(b.values)
	for lo < hi {
		mid := (lo + hi) / 2
		switch c := strings.Compare(placeholder, b.values[mid].Placeholder); {
		case c == 0:
			b.usedValues.set(mid)
			return b.values[mid].Value, true
		case c < 0:
			hi = mid
		default:
			lo = mid + 1
		}
	}
	return nil, false
}

// Unused reports the names, and then the values, that no expression bound so far has used. The
// error is an *Error; call it after all expressions of the request were compiled.
func (b *Binder) Unused() error {
	var unused []string
	for i, n := range b.names {
		if !b.usedNames.has(i) {
			unused = append(unused, n.Placeholder)
		}
	}
	if unused != nil {
		return bareErr(-1, msgUnusedNames, strings.Join(unused, ", "))
	}
	for i, v := range b.values {
		if !b.usedValues.has(i) {
			unused = append(unused, v.Placeholder)
		}
	}
	if unused != nil {
		return bareErr(-1, msgUnusedValues, strings.Join(unused, ", "))
	}
	return nil
}

// bitset is a set of small integers; the first 64 need no memory of their own.
type bitset struct {
	low  uint64
	high []uint64
}

func (s *bitset) set(i int) {
	if i < 64 {
		s.low |= 1 << i
		return
	}
	w := i/64 - 1
	for len(s.high) <= w {
		s.high = append(s.high, 0)
	}
	s.high[w] |= 1 << (i % 64)
}

func (s *bitset) has(i int) bool {
	if i < 64 {
		return s.low&(1<<i) != 0
	}
	w := i/64 - 1
	return w < len(s.high) && s.high[w]&(1<<(i%64)) != 0
}

func (s *bitset) clear() { s.low, s.high = 0, s.high[:0] }
