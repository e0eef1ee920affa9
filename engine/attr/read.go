package attr

import "encoding/binary"

// oneByteMax is the first uvarint that takes more than a byte.
const oneByteMax = 0x80

// Reader walks the entries of an item or an M without allocating. It is a
// plain value: copying it copies the position.
type Reader struct{ rest []byte }

// Read begins a walk over the attributes in the order of their names.
func (it Item) Read() Reader { return Reader{it} }

// MapReader begins a walk over the entries of an M; of another type it is
// empty.
func MapReader(v Value) Reader {
	if v.Type() != M {
		return Reader{}
	}
	return Reader{v.Payload()}
}

// Next gives the next entry; both slices alias what is read. ok is false at
// the end, and where malformed bytes make going on impossible.
func (r *Reader) Next() (name []byte, v Value, ok bool) {
	p := r.rest
	if len(p) == 0 {
		return nil, nil, false
	}
	at := 1 + int(p[0])
	if at > oneByteMax || at >= len(p) {
		return r.long()
	}
	_, end := bounds(p, at)
	if end == 0 {
		r.rest = nil
		return nil, nil, false
	}
	r.rest = p[end:]
	return p[1:at:at], Value(p[at:end:end]), true
}

// long is Next for an entry whose name has a length of several bytes, and for
// malformed ones.
func (r *Reader) long() (name []byte, v Value, ok bool) {
	name, rest, ok := cutBytes(r.rest)
	n := valueLen(rest)
	if n == 0 {
		r.rest = nil
		return nil, nil, false
	}
	r.rest = rest[n:]
	return name, Value(rest[:n:n]), ok
}

// Elems walks the elements of a list or a set without allocating: call Next,
// then Value or Bytes.
type Elems struct {
	rest  []byte
	cur   []byte
	set   bool
	empty bool // the empty member of a set comes first
}

// ListReader begins a walk over the elements of an L; of another type it is
// empty (a VecF32 is read by Float32s).
func ListReader(v Value) Elems {
	if v.Type() != L {
		return Elems{}
	}
	return Elems{rest: v.Payload()}
}

// SetReader begins a walk over the members of an SS, NS or BS in the order of
// their bytes; of another type it is empty.
func SetReader(v Value) Elems {
	switch v.Type() {
	case SS, NS, BS:
		return Elems{rest: v.Payload(), set: true, empty: v.holdsEmpty()}
	}
	return Elems{}
}

// Next moves to the next element and reports whether there is one.
func (e *Elems) Next() bool {
	if e.empty {
		e.empty = false
		e.cur = []byte{}
		return true
	}
	if len(e.rest) == 0 {
		return false
	}
	if e.set {
		cur, rest, ok := cutBytes(e.rest)
		if !ok {
			e.rest = nil
			return false
		}
		e.cur, e.rest = cur, rest
		return true
	}
	n := valueLen(e.rest)
	if n == 0 {
		e.rest = nil
		return false
	}
	e.cur, e.rest = e.rest[:n:n], e.rest[n:]
	return true
}

// Value is the current element of a list; it aliases the list.
func (e *Elems) Value() Value { return Value(e.cur) }

// Bytes is the current member of a set: the text of an SS, the number encoding
// of an NS, the bytes of a BS. It aliases the set.
func (e *Elems) Bytes() []byte { return e.cur }

// cutBytes reads a uvarint length and that many bytes.
func cutBytes(p []byte) (head, rest []byte, ok bool) {
	if len(p) > 0 && p[0] < oneByteMax { // nearly always
		n := int(p[0]) + 1
		if n > len(p) {
			return nil, nil, false
		}
		return p[1:n:n], p[n:], true
	}
	n, w := binary.Uvarint(p)
	if w <= 0 || n > uint64(len(p)-w) {
		return nil, nil, false
	}
	end := w + int(n)
	return p[w:end:end], p[end:], true
}

// valueLen is the length of the value at the head of p, 0 when p does not hold
// one whole.
func valueLen(p []byte) int {
	if len(p) == 0 {
		return 0
	}
	_, end := bounds(p, 0)
	return end
}

// bounds is where the payload of the value at p[at] begins and ends; end is 0
// when p does not hold the value whole.
func bounds(p []byte, at int) (start, end int) {
	start = at + 1
	n := int(p[at] >> 4)
	if n == lenFollows {
		switch rest := p[start:]; {
		case len(rest) > 0 && rest[0] < oneByteMax:
			n, start = int(rest[0]), start+1
		case len(rest) > 1 && rest[1] < oneByteMax:
			n, start = int(rest[0])&(oneByteMax-1)|int(rest[1])<<7, start+2
		default:
			u, w := binary.Uvarint(rest)
			if w <= 0 || u > uint64(len(rest)-w) {
				return 0, 0
			}
			n, start = int(u), start+w
		}
	}
	if end = start + n; end > len(p) {
		return 0, 0
	}
	return start, end
}
