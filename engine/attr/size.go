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
	return entriesSize(it, 0)
}

// SizePerByteMax is how many times its binary length an item's size can be: an
// empty list as an element of a list is one byte and counts 4.
const SizePerByteMax = 4

// Within says whether the size of the item is at most max. Items that are far
// smaller, nearly all, are not read for it.
func (it Item) Within(max int) bool {
	return len(it) <= max/SizePerByteMax || it.Size() <= max
}

// entriesSize is the size of the entries of an item or M, each counting extra
// besides its content.
func entriesSize(p []byte, extra int) int {
	size := 0
	for i := 0; i < len(p); {
		at := i + 1 + int(p[i])
		if p[i] >= oneByteMax || at >= len(p) {
			r := Reader{p[i:]}
			name, v, ok := r.long()
			if !ok {
				return size
			}
			size += extra + len(name) + v.Size()
			i = len(p) - len(r.rest)
			continue
		}
		start, end := bounds(p, at)
		if end == 0 {
			return size
		}
		size += extra + at - i - 1
		switch Type(p[at] & typeMask) {
		case S, N, B, Ts:
			size += end - start
		default:
			size += Value(p[at:end]).Size()
		}
		i = end
	}
	return size
}

// Size is the size of the value in bytes as the service accounts for it.
func (v Value) Size() int {
	switch v.Type() {
	case S, B, N, Ts:
		return len(v.Payload())
	case BOOL, NULL:
		return 1
	case SS, NS, BS:
		n, _ := v.setSize()
		return n
	case L:
		n := containerBytes
		for r := ListReader(v); r.Next(); {
			n += elementBytes + r.Value().Size()
		}
		return n
	case M:
		return containerBytes + entriesSize(v.Payload(), elementBytes)
	case VecF32:
		return vecSize(v)
	}
	return 0
}

// setSize is the size of the members of a set and their number.
func (v Value) setSize() (size, members int) {
	if v.holdsEmpty() {
		members++
	}
	for p := v.Payload(); len(p) > 0; members++ {
		head, rest, ok := cutBytes(p)
		if !ok {
			break
		}
		size += len(head)
		p = rest
	}
	return size, members
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
