package attr

import (
	"encoding/binary"
	"math"

	"github.com/keystone-db/kstone/engine/number"
)

// AppendHead appends the head of a value of type t with a payload of n bytes.
func AppendHead(dst []byte, t Type, n int) []byte {
	if n <= inlineMax {
		return append(dst, byte(t)|byte(n)<<4)
	}
	dst = append(dst, byte(t)|lenFollows<<4)
	return binary.AppendUvarint(dst, uint64(n))
}

// headLen is the length of the head of a value with a payload of n bytes.
func headLen(n int) int {
	if n <= inlineMax {
		return 1
	}
	return 1 + uvarintLen(uint64(n))
}

func uvarintLen(n uint64) int {
	w := 1
	for n >= 0x80 {
		n >>= 7
		w++
	}
	return w
}

// AppendName appends the name of an entry; its value must follow.
func AppendName(dst []byte, name string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(name)))
	return append(dst, name...)
}

// AppendString appends an S.
func AppendString(dst []byte, s string) []byte {
	return append(AppendHead(dst, S, len(s)), s...)
}

// AppendNumber appends an N from a number's encoding.
func AppendNumber(dst, enc []byte) []byte {
	return append(AppendHead(dst, N, len(enc)), enc...)
}

// AppendNumberText appends an N from its text. The error is one of package
// number; dst is then returned as it was.
func AppendNumberText(dst, text []byte) ([]byte, error) {
	at := len(dst)
	out, err := number.Parse(append(dst, byte(N)), text)
	if err != nil {
		return dst, err
	}
	return closeHead(out, at, N), nil
}

// AppendInt appends an N from an integer.
func AppendInt(dst []byte, v int64) []byte {
	at := len(dst)
	return closeHead(number.FromInt(append(dst, byte(N)), v), at, N)
}

// AppendBinary appends a B.
func AppendBinary(dst, b []byte) []byte {
	return append(AppendHead(dst, B, len(b)), b...)
}

// AppendBool appends a BOOL.
func AppendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, byte(BOOL)|1<<4, 1)
	}
	return append(dst, byte(BOOL)|1<<4, 0)
}

// AppendNull appends a NULL.
func AppendNull(dst []byte) []byte { return append(dst, byte(NULL)) }

// AppendTs appends a Ts of milliseconds since 1970.
func AppendTs(dst []byte, ms int64) []byte {
	at := len(dst)
	return closeHead(number.FromInt(append(dst, byte(Ts)), ms), at, Ts)
}

// AppendVecF32 appends a VecF32; -0 becomes 0. Elements that are NaN or
// infinite have no place in an item: false is returned for them and dst is as
// it was.
func AppendVecF32(dst []byte, vec []float32) ([]byte, bool) {
	out := AppendHead(dst, VecF32, 4*len(vec))
	for _, f := range vec {
		if !finite(f) {
			return dst, false
		}
		bits := math.Float32bits(f)
		if f == 0 {
			bits = 0 // drops the sign of -0
		}
		out = binary.LittleEndian.AppendUint32(out, bits)
	}
	return out, true
}

// closeHead turns the placeholder byte at buf[at] into the head of a value of
// type t whose payload is all that follows, moving the payload when the length
// does not fit into the head.
func closeHead(buf []byte, at int, t Type) []byte {
	n := len(buf) - at - 1
	if n <= inlineMax {
		buf[at] = byte(t) | byte(n)<<4
		return buf
	}
	w := uvarintLen(uint64(n))
	buf[at] = byte(t) | lenFollows<<4
	var pad [binary.MaxVarintLen64]byte
	buf = append(buf, pad[:w]...)
	copy(buf[at+1+w:], buf[at+1:at+1+n])
	binary.PutUvarint(buf[at+1:], uint64(n))
	return buf
}
