package attr

import "encoding/binary"

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
	if len(r.rest) == 0 {
		return nil, nil, false
	}
	name, rest, ok := cutBytes(r.rest)
	if !ok {
		r.rest = nil
		return nil, nil, false
	}
	n := valueLen(rest)
	if n == 0 {
		r.rest = nil
		return nil, nil, false
	}
	r.rest = rest[n:]
	return name, Value(rest[:n:n]), true
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
	if len(p) > 0 && p[0] < 0x80 { // nearly always
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
	n := int(p[0] >> 4)
	if n != lenFollows {
		if n >= len(p) {
			return 0
		}
		return n + 1
	}
	u, w := binary.Uvarint(p[1:])
	if w <= 0 || u > uint64(len(p)-1-w) {
		return 0
	}
	return 1 + w + int(u)
}
