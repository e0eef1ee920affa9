package attr

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"github.com/keystone-db/kstone/engine/number"
)

// Encoder appends values and items to a buffer in one pass, for codecs.
// Containers are opened and closed; the entries of a map may come in any
// order, of a name that comes twice the last value stays; the members of a set
// may come in any order and are checked for duplicates at the end.
//
// It trusts its caller with the shape (Name before each value of a map, every
// Begin with its End) and with what CheckItem would refuse in names and text;
// the caller counts the depth too. The zero value is ready after Reset; it may
// be reused for ever.
type Encoder struct {
	buf    []byte
	stack  []frame
	spans  []span
	sorted []byte
}

// frame is an open container.
type frame struct {
	head     int  // index of the placeholder for the head; for an item, of its first byte
	spans    int  // index in Encoder.spans of its first entry
	typ      Type // 0: an item, which has no head
	unsorted bool
}

// span is an entry (or member) in Encoder.buf: where it starts, where its name (or content) starts
// and ends, and where the next one starts.
type span struct {
	prefix                 uint64 // the first bytes of the name: most comparisons are of integers
	start, name, end, next uint32 // small spans sort faster; a buffer stays far below 4 GiB
}

// Reset begins a new run: what follows is appended to dst.
func (e *Encoder) Reset(dst []byte) {
	e.buf = dst
	e.stack = e.stack[:0]
	e.spans = e.spans[:0]
}

// Bytes is all that was written so far behind what Reset got. A later write may
// move it; the bytes of closed outermost containers never change.
func (e *Encoder) Bytes() []byte { return e.buf }

// Len is the length of Bytes.
func (e *Encoder) Len() int { return len(e.buf) }

// Append writes bytes that are not part of any value, such as strings that a
// codec keeps in the same memory. Only between outermost containers.
func (e *Encoder) Append(p []byte) { e.buf = append(e.buf, p...) }

// Rewind takes back the values written since Len was n. All containers opened
// since must have been closed.
func (e *Encoder) Rewind(n int) { e.buf = e.buf[:n] }

// From is what was written since Len was n, as an immutable slice of its own
// capacity.
func (e *Encoder) From(n int) []byte { return e.buf[n:len(e.buf):len(e.buf)] }

// BeginItem opens an item.
func (e *Encoder) BeginItem() {
	e.stack = append(e.stack, frame{head: len(e.buf), spans: len(e.spans)})
}

// EndItem closes the item; the result stays valid and unchanged for as long as
// the memory given to Reset is not written by others.
func (e *Encoder) EndItem() Item {
	f := e.pop()
	e.closeEntries(f, f.head)
	return Item(e.From(f.head))
}

// BeginMap opens an M.
func (e *Encoder) BeginMap() { e.begin(M) }

// EndMap closes it.
func (e *Encoder) EndMap() {
	f := e.pop()
	e.closeEntries(f, f.head+1)
	e.buf = closeHead(e.buf, f.head, M)
}

// BeginList opens an L.
func (e *Encoder) BeginList() { e.begin(L) }

// EndList closes it.
func (e *Encoder) EndList() { e.buf = closeHead(e.buf, e.pop().head, L) }

// BeginSet opens an SS, NS or BS.
func (e *Encoder) BeginSet(t Type) { e.begin(t) }

// EndSet closes the set. The error is one of the Empty and Dup kinds; a value
// was then written nevertheless (a NULL), so that the caller can go on.
func (e *Encoder) EndSet() *ValueError {
	f := e.pop()
	bad := e.closeSet(f)
	if bad != nil {
		e.buf = AppendNull(e.buf[:f.head])
	}
	return bad
}

func (e *Encoder) begin(t Type) {
	e.stack = append(e.stack, frame{head: len(e.buf), spans: len(e.spans), typ: t})
	e.buf = append(e.buf, byte(t))
}

func (e *Encoder) pop() frame {
	f := e.stack[len(e.stack)-1]
	e.stack = e.stack[:len(e.stack)-1]
	return f
}

// Name begins an entry of the open map or item; its value must come next.
func (e *Encoder) Name(name []byte) {
	f := &e.stack[len(e.stack)-1]
	s := span{prefix: prefixOf(name), start: uint32(len(e.buf))}
	if len(name) < oneByteMax { // nearly always
		e.buf = append(e.buf, byte(len(name)))
	} else {
		e.buf = binary.AppendUvarint(e.buf, uint64(len(name)))
	}
	s.name = uint32(len(e.buf))
	e.buf = append(e.buf, name...)
	s.end = uint32(len(e.buf))
	if n := len(e.spans); n > f.spans {
		before := &e.spans[n-1]
		before.next = s.start
		f.unsorted = f.unsorted || e.compare(before, &s) >= 0
	}
	e.spans = append(e.spans, s)
}

// prefixOf is the first eight bytes as a number that orders as they do.
func prefixOf(b []byte) uint64 {
	n := len(b)
	if n >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	if cap(b) >= 8 && n > 0 { // what follows in the same memory is shifted out
		rest := 64 - 8*n
		return binary.BigEndian.Uint64(b[:8]) >> rest << rest
	}
	p := uint64(0)
	for i, c := range b {
		p |= uint64(c) << (56 - 8*i)
	}
	return p
}

// compare orders two spans by name.
func (e *Encoder) compare(a, b *span) int {
	switch {
	case a.prefix < b.prefix:
		return -1
	case a.prefix > b.prefix:
		return 1
	}
	return bytes.Compare(e.buf[a.name:a.end], e.buf[b.name:b.end])
}

// String writes an S.
func (e *Encoder) String(s []byte) {
	e.buf = append(AppendHead(e.buf, S, len(s)), s...)
}

// Number writes an N from its text; for a bad one it writes a NULL and gives
// the error.
func (e *Encoder) Number(text []byte) *ValueError {
	buf, err := AppendNumberText(e.buf, text)
	if err != nil {
		e.buf = AppendNull(e.buf)
		return NumberError(err, text)
	}
	e.buf = buf
	return nil
}

// Binary writes a B.
func (e *Encoder) Binary(b []byte) { e.buf = AppendBinary(e.buf, b) }

// Bool writes a BOOL.
func (e *Encoder) Bool(b bool) { e.buf = AppendBool(e.buf, b) }

// Null writes a NULL.
func (e *Encoder) Null() { e.buf = AppendNull(e.buf) }

// Value writes a value that is encoded already.
func (e *Encoder) Value(v Value) { e.buf = append(e.buf, v...) }

// Member writes a member of the open SS or BS.
func (e *Encoder) Member(b []byte) {
	e.buf = binary.AppendUvarint(e.buf, uint64(len(b)))
	e.buf = append(e.buf, b...)
}

// NumberMember writes a member of the open NS from its text; a bad one is left
// out.
func (e *Encoder) NumberMember(text []byte) *ValueError {
	at := len(e.buf)
	buf, err := number.Parse(append(e.buf, 0), text)
	if err != nil {
		return NumberError(err, text)
	}
	buf[at] = byte(len(buf) - at - 1)
	e.buf = buf
	return nil
}

// closeEntries brings the entries, which lie from start on, into order. The last of a name wins.
func (e *Encoder) closeEntries(f frame, start int) {
	spans := e.spans[f.spans:]
	e.spans = e.spans[:f.spans]
	if !f.unsorted {
		return
	}
	spans[len(spans)-1].next = uint32(len(e.buf))
	e.sortSpans(spans)
	out := e.sorted[:0]
	for i := range spans {
		if i+1 < len(spans) && e.compare(&spans[i], &spans[i+1]) == 0 {
			continue // the sort is stable
		}
		out = append(out, e.buf[spans[i].start:spans[i].next]...)
	}
	e.sorted = out
	e.buf = append(e.buf[:start], out...)
}

// insertionMax is the number of spans up to which insertion beats a general
// sort: most maps have fewer entries.
const insertionMax = 16

func (e *Encoder) sortSpans(spans []span) {
	if len(spans) > insertionMax {
		slices.SortStableFunc(spans, func(a, b span) int { return e.compare(&a, &b) })
		return
	}
	for i := 1; i < len(spans); i++ {
		s := spans[i]
		j := i
		for ; j > 0 && e.compare(&spans[j-1], &s) > 0; j-- {
			spans[j] = spans[j-1]
		}
		spans[j] = s
	}
}

// closeSet sorts the members, looks for duplicates and writes the head.
func (e *Encoder) closeSet(f frame) *ValueError {
	start := f.head + 1
	if start == len(e.buf) {
		return &ValueError{Kind: EmptySS + ErrorKind(f.typ-SS)}
	}
	sorted := e.memberSpans(start)
	spans := e.spans[f.spans:]
	e.spans = e.spans[:f.spans]
	if !sorted {
		e.sortSpans(spans)
		for i := 1; i < len(spans); i++ {
			if e.compare(&spans[i-1], &spans[i]) == 0 {
				return e.duplicates(f.typ, start)
			}
		}
	}
	t := f.typ
	if spans[0].name == spans[0].end { // the empty member is part of the type
		t = withEmpty(t)
		spans = spans[1:]
		sorted = false
	}
	if !sorted {
		out := e.sorted[:0]
		for i := range spans {
			out = append(out, e.buf[spans[i].start:spans[i].next]...)
		}
		e.sorted = out
		e.buf = append(e.buf[:start], out...)
	}
	e.buf = closeHead(e.buf, f.head, t)
	return nil
}

// memberSpans appends to spans the members that lie from start on and reports whether they ascend
// strictly.
func (e *Encoder) memberSpans(start int) (sorted bool) {
	sorted = true
	first := len(e.spans)
	for at := start; at < len(e.buf); {
		member, rest, ok := cutBytes(e.buf[at:])
		if !ok {
			break
		}
		next := len(e.buf) - len(rest)
		s := span{prefix: prefixOf(member), start: uint32(at), name: uint32(next - len(member)),
			end: uint32(next), next: uint32(next)}
		if n := len(e.spans); n > first && e.compare(&e.spans[n-1], &s) >= 0 {
			sorted = false
		}
		e.spans = append(e.spans, s)
		at = next
	}
	return sorted
}

// withEmpty is the type of a set that has the empty member too.
func withEmpty(t Type) Type {
	if t == BS {
		return bsEmpty
	}
	return ssEmpty
}

// duplicates makes the error for a set whose members lie, in the order in which
// they came, from start on.
func (e *Encoder) duplicates(t Type, start int) *ValueError {
	if t == NS {
		return &ValueError{Kind: DupNS}
	}
	text := []byte{'['}
	for r, first := (Elems{rest: e.buf[start:], set: true}), true; r.Next(); first = false {
		if !first {
			text = append(text, ", "...)
		}
		if t == BS {
			text = base64.StdEncoding.AppendEncode(text, r.Bytes())
		} else {
			text = append(text, r.Bytes()...)
		}
	}
	kind := DupSS
	if t == BS {
		kind = DupBS
	}
	return &ValueError{Kind: kind, Text: string(append(text, ']'))}
}
