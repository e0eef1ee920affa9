package pbitem

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keystone-db/kstone/engine/attr"
)

// Reader reads items and values. The zero Reader is ready once it has an Encoder, and may be reused for
// ever; Err is the first fault of the form of all that it read since it was set to nil.
//
// What it reads goes into the memory of the Encoder. A value that is bad by DynamoDB's rules is
// reported as a *attr.ValueError beside a part of it or a NULL, as package codec does for JSON.
type Reader struct {
	Enc     *attr.Encoder
	Err     error
	scratch []byte
}

func (r *Reader) fail(err error) {
	if r.Err == nil {
		r.Err = err
	}
}

// next is Next that keeps the error.
func (r *Reader) next(p []byte) (f Field, rest []byte, ok bool) {
	if len(p) == 0 {
		return f, nil, false
	}
	f, rest, err := Next(p)
	if err != nil {
		r.fail(err)
		return f, nil, false
	}
	return f, rest, true
}

// Item reads the content of the message Item. json is the item's JSON when it was given so, which is
// then to be decoded by others; the item is empty.
func (r *Reader) Item(p []byte) (it attr.Item, json []byte, bad *attr.ValueError) {
	r.Enc.BeginItem()
	count := 0
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		switch {
		case f.Type != protowire.BytesType:
		case f.Number == itemAttributes:
			count++
			if fault := r.entry(f.Bytes, 1, 1); bad == nil {
				bad = fault
			}
		case f.Number == itemJSON:
			json = f.Bytes
		}
	}
	it = r.Enc.EndItem()
	if json != nil && count > 0 {
		r.fail(ErrTwoForms)
	}
	return it, json, bad
}

// Value reads the content of the message Value as a value that stands by itself; nil when it is bad.
func (r *Reader) Value(p []byte) (attr.Value, *attr.ValueError) {
	start := r.Enc.Len()
	bad := r.value(p, 1)
	if bad != nil || r.Err != nil {
		return nil, bad
	}
	return attr.Value(r.Enc.From(start)), nil
}

// entry reads an entry of the open item or map, whose value has the depth.
func (r *Reader) entry(p []byte, depth, nameMin int) (bad *attr.ValueError) {
	name, value := r.KeyValue(p)
	if r.Err != nil {
		return nil
	}
	switch {
	case len(name) > attr.NameMaxBytes:
		bad = &attr.ValueError{Kind: attr.NameTooLong}
	case len(name) < nameMin:
		bad = &attr.ValueError{Kind: attr.NameEmpty}
	}
	r.Enc.Name(name)
	if fault := r.value(value, depth); bad == nil {
		bad = fault
	}
	return bad
}

// KeyText reads an entry of a map from text to text: both are empty when absent.
func (r *Reader) KeyText(p []byte) (key, value []byte) {
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		switch {
		case f.Type != protowire.BytesType:
		case f.Number == entryKey:
			key = r.text(f.Bytes)
		case f.Number == entryValue:
			value = r.text(f.Bytes)
		}
	}
	return key, value
}

// KeyValue reads an entry of a map from text to a message: both are empty when absent.
func (r *Reader) KeyValue(p []byte) (key, value []byte) {
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		switch {
		case f.Type != protowire.BytesType:
		case f.Number == entryKey:
			key = r.text(f.Bytes)
		case f.Number == entryValue && value != nil:
			r.fail(ErrTwice)
		case f.Number == entryValue:
			value = f.Bytes
		}
	}
	return key, value
}

// text checks a text. One that is replaced later is checked too, as protobuf does.
func (r *Reader) text(p []byte) []byte {
	if !utf8.Valid(p) {
		r.fail(ErrUTF8)
	}
	return p
}

// value reads the content of the message Value and writes exactly one value, a NULL for one that is
// bad.
func (r *Reader) value(p []byte, depth int) (bad *attr.ValueError) {
	start := r.Enc.Len()
	if depth > attr.DepthMax {
		bad = &attr.ValueError{Kind: attr.TooDeep}
	} else {
		bad = r.member(p, depth)
	}
	if bad != nil || r.Err != nil {
		r.Enc.Rewind(start)
		r.Enc.Null()
	}
	return bad
}

// member reads the member of a Value's oneof.
func (r *Reader) member(p []byte, depth int) *attr.ValueError {
	var last Field
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		t := attr.Type(f.Number)
		if f.Number > protowire.Number(attr.Ts) || f.Type != wireType(t) {
			continue
		}
		if last.Number != 0 {
			r.fail(ErrMembers)
		}
		last = f
	}
	if r.Err != nil {
		return nil
	}
	switch t := attr.Type(last.Number); t {
	case attr.S:
		r.Enc.String(r.text(last.Bytes))
	case attr.N:
		return r.Enc.Number(r.text(last.Bytes))
	case attr.B:
		r.Enc.Binary(last.Bytes)
	case attr.BOOL:
		r.Enc.Bool(last.Bits != 0)
	case attr.NULL:
		r.Enc.Null()
		if last.Bits == 0 {
			return &attr.ValueError{Kind: attr.NullFalse}
		}
	case attr.L:
		return r.list(last.Bytes, depth)
	case attr.M:
		return r.mapping(last.Bytes, depth)
	case attr.SS, attr.NS, attr.BS:
		return r.set(t, last.Bytes)
	case attr.VecF32:
		return r.vector(last.Bytes, depth)
	case attr.Ts:
		r.scratch = attr.AppendTs(r.scratch[:0], int64(last.Bits))
		r.Enc.Value(r.scratch)
	default:
		return &attr.ValueError{Kind: attr.Empty}
	}
	return nil
}

// wireType is how the member of a type is written; no type at all for number 0.
func wireType(t attr.Type) protowire.Type {
	switch t {
	case attr.BOOL, attr.NULL, attr.Ts:
		return protowire.VarintType
	}
	return protowire.BytesType
}

func (r *Reader) list(p []byte, depth int) (bad *attr.ValueError) {
	r.Enc.BeginList()
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		if f.Number != elements || f.Type != protowire.BytesType {
			continue
		}
		if fault := r.value(f.Bytes, depth+1); bad == nil {
			bad = fault
		}
	}
	r.Enc.EndList()
	return bad
}

func (r *Reader) mapping(p []byte, depth int) (bad *attr.ValueError) {
	r.Enc.BeginMap()
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		if f.Number != elements || f.Type != protowire.BytesType {
			continue
		}
		if fault := r.entry(f.Bytes, depth+1, 0); bad == nil {
			bad = fault
		}
	}
	r.Enc.EndMap()
	return bad
}

// set reads an SS, NS or BS. A bad number comes before a number that is there twice, as in JSON.
func (r *Reader) set(t attr.Type, p []byte) (bad *attr.ValueError) {
	r.Enc.BeginSet(t)
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		if f.Number != elements || f.Type != protowire.BytesType {
			continue
		}
		switch t {
		case attr.BS:
			r.Enc.Member(f.Bytes)
		case attr.SS:
			r.Enc.Member(r.text(f.Bytes))
		default:
			if fault := r.Enc.NumberMember(r.text(f.Bytes)); bad == nil {
				bad = fault
			}
		}
	}
	if fault := r.Enc.EndSet(); bad == nil {
		bad = fault
	}
	return bad
}

// vector reads a VecF32, whose elements may be written packed or one by one.
func (r *Reader) vector(p []byte, depth int) (bad *attr.ValueError) {
	vec := r.scratch[:0]
	for f, rest, ok := r.next(p); ok; f, rest, ok = r.next(rest) {
		switch {
		case f.Number != elements:
		case f.Type == protowire.Fixed32Type:
			vec = binary.LittleEndian.AppendUint32(vec, uint32(f.Bits))
		case f.Type == protowire.BytesType:
			if len(f.Bytes)%4 != 0 {
				r.fail(ErrMalformed)
				return nil
			}
			vec = append(vec, f.Bytes...)
		}
	}
	for i := 0; i < len(vec); i += 4 {
		x := float64(math.Float32frombits(binary.LittleEndian.Uint32(vec[i:])))
		if fault := finite(x); bad == nil {
			bad = fault
		}
		if x == 0 {
			clear(vec[i : i+4]) // drops the sign of -0
		}
	}
	if bad == nil && len(vec) > 0 && depth >= attr.DepthMax {
		bad = &attr.ValueError{Kind: attr.TooDeep}
	}
	n := len(vec)
	vec = append(attr.AppendHead(vec, attr.VecF32, n), vec[:n]...)
	r.scratch = vec
	r.Enc.Value(vec[n:])
	return bad
}

// finite refuses what is no number, with the text that the number would have.
func finite(x float64) *attr.ValueError {
	switch {
	case math.IsNaN(x):
		return &attr.ValueError{Kind: attr.NotNumber, Text: "NaN"}
	case math.IsInf(x, 1):
		return &attr.ValueError{Kind: attr.NotNumber, Text: "Infinity"}
	case math.IsInf(x, -1):
		return &attr.ValueError{Kind: attr.NotNumber, Text: "-Infinity"}
	}
	return nil
}
