package attr

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/keystone-db/kstone/engine/number"
)

// Equal reports whether two values are equal as the service sees it: of one
// type and of equal content. A VecF32 counts as the L of its numbers and a Ts
// as an N. An absent value equals only another absent one.
func Equal(a, b Value) bool {
	if bytes.Equal(a, b) {
		return true
	}
	ta, tb := a.Type(), b.Type()
	switch {
	case isNumber(ta) && isNumber(tb):
		return bytes.Equal(a.Payload(), b.Payload())
	case ta == L && tb == L:
		return equalLists(a, b)
	case ta == M && tb == M:
		return equalMaps(a, b)
	case ta == VecF32 && tb == L:
		return equalVec(a, b)
	case ta == L && tb == VecF32:
		return equalVec(b, a)
	}
	return false
}

func isNumber(t Type) bool { return t == N || t == Ts }

func equalLists(a, b Value) bool {
	ra, rb := ListReader(a), ListReader(b)
	for ra.Next() {
		if !rb.Next() || !Equal(ra.Value(), rb.Value()) {
			return false
		}
	}
	return !rb.Next()
}

func equalMaps(a, b Value) bool { return equalEntries(MapReader(a), MapReader(b)) }

// EqualItems reports whether two items hold equal attributes. An absent item, nil, equals only
// another absent one.
func EqualItems(a, b Item) bool {
	if (a == nil) != (b == nil) {
		return false
	}
	return bytes.Equal(a, b) || equalEntries(a.Read(), b.Read())
}

func equalEntries(ra, rb Reader) bool {
	for {
		na, va, oka := ra.Next()
		nb, vb, okb := rb.Next()
		if oka != okb || !bytes.Equal(na, nb) || !Equal(va, vb) {
			return false
		}
		if !oka {
			return true
		}
	}
}

func equalVec(vec, list Value) bool {
	var enc [number.EncodedMaxBytes + 1]byte
	p := vec.Payload()
	for r := ListReader(list); r.Next(); p = p[4:] {
		if len(p) < 4 || !isNumber(r.Value().Type()) {
			return false
		}
		if !bytes.Equal(appendFloatNumber(enc[:0], floatAt(p)), r.Value().Payload()) {
			return false
		}
	}
	return len(p) == 0
}

func floatAt(p []byte) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(p))
}

// Compare orders two values of the same type S, N or B as the service does:
// by UTF-8 bytes, by numeric value, by unsigned bytes. A Ts counts as an N. ok
// is false for everything else.
func Compare(a, b Value) (order int, ok bool) {
	ta, tb := a.Type(), b.Type()
	switch {
	case isNumber(ta) && isNumber(tb):
	case ta == tb && (ta == S || ta == B):
	default:
		return 0, false
	}
	return bytes.Compare(a.Payload(), b.Payload()), true
}
