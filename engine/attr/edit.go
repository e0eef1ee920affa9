package attr

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// With gives a new item in which name has the value v; nil takes it away.
func (it Item) With(name string, v Value) Item {
	out := make(Item, 0, len(it)+binary.MaxVarintLen32+len(name)+len(v))
	done := false
	for r := it.Read(); ; {
		rest := r.rest
		n, _, ok := r.Next()
		if !ok {
			break
		}
		if !done && string(n) >= name {
			out = appendEntry(out, name, v)
			done = true
			if string(n) == name {
				continue
			}
		}
		out = append(out, rest[:len(rest)-len(r.rest)]...)
	}
	if !done {
		out = appendEntry(out, name, v)
	}
	return out
}

func appendEntry(dst Item, name string, v Value) Item {
	if v == nil {
		return dst
	}
	return append(AppendName(dst, name), v...)
}

// Without gives a new item that lacks the named attributes; names may be in
// any order.
func (it Item) Without(names ...string) Item {
	return it.pick(func(name []byte) bool {
		return !slices.Contains(names, string(name))
	})
}

// Project gives a new item of the named attributes that are there. names must
// be sorted.
func (it Item) Project(names []string) Item {
	return it.pick(func(name []byte) bool {
		for len(names) > 0 && names[0] < string(name) {
			names = names[1:]
		}
		return len(names) > 0 && names[0] == string(name)
	})
}

// pick gives a new item of the entries that keep accepts.
func (it Item) pick(keep func(name []byte) bool) Item {
	out := make(Item, 0, len(it))
	for r := it.Read(); ; {
		rest := r.rest
		name, _, ok := r.Next()
		if !ok {
			return out
		}
		if keep(name) {
			out = append(out, rest[:len(rest)-len(r.rest)]...)
		}
	}
}

// Merge gives a new item with the attributes of both; where both have a name,
// over wins.
func (it Item) Merge(over Item) Item {
	out := make(Item, 0, len(it)+len(over))
	ra, rb := it.Read(), over.Read()
	for {
		a, b := ra, rb
		na, _, oka := a.Next()
		nb, _, okb := b.Next()
		switch {
		case !oka:
			return append(out, rb.rest...)
		case !okb:
			return append(out, ra.rest...)
		}
		order := bytes.Compare(na, nb)
		if order < 0 {
			out = append(out, ra.rest[:len(ra.rest)-len(a.rest)]...)
		} else {
			out = append(out, rb.rest[:len(rb.rest)-len(b.rest)]...)
		}
		if order <= 0 {
			ra = a
		}
		if order >= 0 {
			rb = b
		}
	}
}
