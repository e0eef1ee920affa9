package attr

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/keystone-db/kstone/engine/number"
)

// Type is the type of a value. The numbers are those on disk.
type Type uint8

// The types; on disk: never renumber. The zero Type means no value.
const (
	S      Type = 1
	N      Type = 2
	B      Type = 3
	BOOL   Type = 4
	NULL   Type = 5
	L      Type = 6
	M      Type = 7
	SS     Type = 8
	NS     Type = 9
	BS     Type = 10
	VecF32 Type = 11
	Ts     Type = 12

	ssEmpty Type = 13 // SS that has "" as a member
	bsEmpty Type = 14 // BS that has "" as a member
)

const (
	typeMask   = 0x0f
	inlineMax  = 14 // longest payload whose length fits into the head
	lenFollows = 15
)

var typeNames = [...]string{
	S: "S", N: "N", B: "B", BOOL: "BOOL", NULL: "NULL", L: "L", M: "M",
	SS: "SS", NS: "NS", BS: "BS", VecF32: "VecF32", Ts: "Ts",
}

// String gives the name of the type as the DynamoDB JSON spells it; VecF32 and
// Ts, which it does not know, are named so.
func (t Type) String() string {
	if int(t) >= len(typeNames) || typeNames[t] == "" {
		return "none"
	}
	return typeNames[t]
}

// Value is one encoded value; nil means absent. It is immutable and often a
// part of a larger slice. Methods on malformed bytes do not panic but their
// results mean nothing: bytes of unknown origin go through CheckValue first.
type Value []byte

// Type is the type of the value, 0 when it is absent.
func (v Value) Type() Type {
	if len(v) == 0 {
		return 0
	}
	switch t := Type(v[0] & typeMask); t {
	case ssEmpty:
		return SS
	case bsEmpty:
		return BS
	default:
		return t
	}
}

// holdsEmpty reports a set whose members include the empty one.
func (v Value) holdsEmpty() bool {
	return len(v) > 0 && Type(v[0]&typeMask) >= ssEmpty
}

// Payload is what follows the head: the text of an S, the bytes of a B, the
// encoding of an N or Ts, the content of a container. It aliases v.
func (v Value) Payload() []byte {
	if len(v) == 0 {
		return nil
	}
	if v[0]>>4 != lenFollows {
		return v[1:]
	}
	for i := 1; i < len(v); i++ {
		if v[i] < 0x80 {
			return v[i+1:]
		}
	}
	return nil
}

// Bool is the content of a BOOL.
func (v Value) Bool() bool { return len(v) == 2 && v[1] == 1 && v.Type() == BOOL }

// Text is the content of an S as a string of its own.
func (v Value) Text() string { return string(v.Payload()) }

// Millis is the content of a Ts, or of an N that is an integer of 64 bits.
func (v Value) Millis() (int64, bool) {
	if t := v.Type(); t != Ts && t != N {
		return 0, false
	}
	return number.Int(v.Payload())
}

// Float32s appends the elements of a VecF32.
func (v Value) Float32s(dst []float32) []float32 {
	p := v.Payload()
	for ; len(p) >= 4; p = p[4:] {
		dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(p)))
	}
	return dst
}

// Len is the number of elements of an L, M, set or VecF32, the number of bytes
// of an S or B, and 0 for other types.
func (v Value) Len() int {
	n := 0
	switch v.Type() {
	case S, B:
		return len(v.Payload())
	case VecF32:
		return len(v.Payload()) / 4
	case L:
		for r := ListReader(v); r.Next(); {
			n++
		}
	case M:
		return Item(v.Payload()).Count()
	case SS, NS, BS:
		for r := SetReader(v); r.Next(); {
			n++
		}
	}
	return n
}

// MapItem gives the content of an M as an Item, which has the same form; its
// names may be empty. nil for other types.
func (v Value) MapItem() Item {
	if v.Type() != M {
		return nil
	}
	p := v.Payload()
	if p == nil {
		p = []byte{}
	}
	return Item(p)
}

// Clone copies the value.
func (v Value) Clone() Value { return bytes.Clone(v) }

// Item is an encoded item; nil means absent, empty and not nil means {}.
type Item []byte

// Clone copies the item.
func (it Item) Clone() Item { return bytes.Clone(it) }

// Get finds an attribute; nil when it is absent. The Value aliases the item.
func (it Item) Get(name string) Value {
	for r := it.Read(); ; {
		n, v, ok := r.Next()
		if !ok {
			return nil
		}
		if string(n) >= name {
			if string(n) == name {
				return v
			}
			return nil // sorted: it cannot come any more
		}
	}
}

// Has reports whether an attribute is there.
func (it Item) Has(name string) bool { return it.Get(name) != nil }

// Count is the number of attributes.
func (it Item) Count() int {
	n := 0
	for r := it.Read(); ; n++ {
		if _, _, ok := r.Next(); !ok {
			return n
		}
	}
}
