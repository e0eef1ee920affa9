package attr

import (
	"strconv"

	"github.com/keystone-db/kstone/engine/number"
)

const (
	containerBytes = 3 // what an L or M itself counts
	elementBytes   = 1 // what each element of an L or M counts besides its content
)

// Size is the size of the item in bytes as the service accounts for it: names
// and values. It reads the whole item once and allocates nothing.
func (it Item) Size() int {
	n := 0
	for r := it.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			return n
		}
		n += len(name) + v.Size()
	}
}

// Size is the size of the value in bytes as the service accounts for it.
func (v Value) Size() int {
	switch v.Type() {
	case S, B, N, Ts:
		return len(v.Payload())
	case BOOL, NULL:
		return 1
	case SS, NS, BS:
		n := 0
		for r := SetReader(v); r.Next(); {
			n += len(r.cur)
		}
		return n
	case L:
		n := containerBytes
		for r := ListReader(v); r.Next(); {
			n += elementBytes + r.Value().Size()
		}
		return n
	case M:
		n := containerBytes
		for r := MapReader(v); ; {
			name, e, ok := r.Next()
			if !ok {
				return n
			}
			n += elementBytes + len(name) + e.Size()
		}
	case VecF32:
		return vecSize(v)
	}
	return 0
}

// vecSize accounts a vector as the L of N that it stands for.
func vecSize(v Value) int {
	n := containerBytes
	var enc [number.EncodedMaxBytes + 1]byte
	for p := v.Payload(); len(p) >= 4; p = p[4:] {
		n += elementBytes + len(appendFloatNumber(enc[:0], floatAt(p)))
	}
	return n
}

// appendFloatNumber appends the number encoding of the shortest decimal that
// reads back as f. Every finite float32 is in a number's range.
func appendFloatNumber(dst []byte, f float32) []byte {
	var text [32]byte
	dst, _ = number.Parse(dst, strconv.AppendFloat(text[:0], float64(f), 'e', -1, 32))
	return dst
}
