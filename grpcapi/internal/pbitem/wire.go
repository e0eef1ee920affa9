package pbitem

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"google.golang.org/protobuf/encoding/protowire"
)

// The faults of bytes that are not of the form. Their texts reach clients.
var (
	ErrMalformed = errors.New("the message is malformed")
	ErrUTF8      = errors.New("the message contains text that is not valid UTF-8")
	ErrTwice     = errors.New("the message contains a field twice that may be there once")
	ErrMembers   = errors.New("a value has more than one member")
	ErrTwoForms  = errors.New("an item has attributes and dynamodb_json, which exclude each other")
)

// Field is one field of a message as it is written.
type Field struct {
	Number protowire.Number
	Type   protowire.Type
	Bytes  []byte // of BytesType; aliases the message
	Bits   uint64 // of the other types, groups aside
}

// Next takes the field at the head of p, which is not empty, and gives what follows.
func Next(p []byte) (f Field, rest []byte, err error) {
	// Nearly all fields: number below 16, length or integer below 128.
	if len(p) >= 2 && p[0] < 0x80 && p[0] > 7 && p[1] < 0x80 {
		f = Field{Number: protowire.Number(p[0] >> 3), Type: protowire.Type(p[0] & 7)}
		switch end := 2 + int(p[1]); {
		case f.Type == protowire.VarintType:
			f.Bits = uint64(p[1])
			return f, p[2:], nil
		case f.Type == protowire.BytesType && end <= len(p):
			f.Bytes = p[2:end:end]
			return f, p[end:], nil
		}
	}
	return next(p)
}

func next(p []byte) (f Field, rest []byte, err error) {
	num, typ, n := protowire.ConsumeTag(p)
	if n < 0 || num > protowire.MaxValidNumber {
		return f, nil, ErrMalformed
	}
	f = Field{Number: num, Type: typ}
	p = p[n:]
	switch typ {
	case protowire.BytesType:
		f.Bytes, n = protowire.ConsumeBytes(p)
	case protowire.VarintType:
		f.Bits, n = protowire.ConsumeVarint(p)
	case protowire.Fixed64Type:
		f.Bits, n = protowire.ConsumeFixed64(p)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(p)
		f.Bits = uint64(v)
	default:
		n = protowire.ConsumeFieldValue(num, typ, p)
	}
	if n < 0 {
		return f, nil, ErrMalformed
	}
	return f, p[n:], nil
}

// AppendTag appends the head of a field.
func AppendTag(dst []byte, num protowire.Number, typ protowire.Type) []byte {
	return protowire.AppendTag(dst, num, typ)
}

// Open appends room for the length of a message that is about to be appended and should take about n
// bytes. Close needs what it gives.
func Open(dst []byte, n int) (out []byte, at Mark) {
	w := varintLen(n)
	at = Mark{at: len(dst), width: w}
	var room [binary.MaxVarintLen64]byte
	return append(dst, room[:w]...), at
}

// Mark is where the length of an open message stands.
type Mark struct{ at, width int }

// Close writes the length of all that was appended since Open, moving it when the guess was wrong.
func Close(dst []byte, m Mark) []byte {
	start := m.at + m.width
	n := len(dst) - start
	if w := varintLen(n); w != m.width {
		var room [binary.MaxVarintLen64]byte
		if w > m.width {
			dst = append(dst, room[:w-m.width]...)
		}
		copy(dst[m.at+w:], dst[start:start+n])
		dst = dst[:m.at+w+n]
	}
	binary.PutUvarint(dst[m.at:], uint64(n))
	return dst
}

// varintLen is the number of bytes of a length.
func varintLen(n int) int {
	const perByte = 7
	return (bits.Len64(uint64(n)|1) + perByte - 1) / perByte
}
