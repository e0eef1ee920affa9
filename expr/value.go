package expr

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// wireType is the type that a value has for the language: the native extras count as the types
// that stand for them on the wire.
func wireType(v attr.Value) attr.Type {
	switch t := v.Type(); t {
	case attr.VecF32:
		return attr.L
	case attr.Ts:
		return attr.N
	default:
		return t
	}
}

// longTypeName is the type as the operand errors of ADD and DELETE name it.
func longTypeName(t attr.Type) string {
	switch t {
	case attr.S:
		return "STRING"
	case attr.N:
		return "NUMBER"
	case attr.B:
		return "BINARY"
	case attr.BOOL:
		return "BOOLEAN"
	case attr.L:
		return "LIST"
	case attr.M:
		return "MAP"
	case attr.SS:
		return "STRING_SET" // unsure; only DELETE of another type can say so, and it takes sets
	default:
		return t.String()
	}
}

// isTypeName tells whether name is what attribute_type may ask for.
func isTypeName(name []byte) bool {
	for t := attr.S; t <= attr.BS; t++ {
		if t.String() == string(name) {
			return true
		}
	}
	return false
}

// isScalar tells whether values of the type have an order.
func isScalar(t attr.Type) bool { return t == attr.S || t == attr.N || t == attr.B }

// isSet tells whether the type is one of the sets.
func isSet(t attr.Type) bool { return t == attr.SS || t == attr.NS || t == attr.BS }

// element returns element i of a list, nil when there is none. An element of a VecF32 is built
// as the number that the wire shows.
func element(v attr.Value, i int) attr.Value {
	switch v.Type() {
	case attr.L:
		for r := attr.ListReader(v); r.Next(); i-- {
			if i == 0 {
				return r.Value()
			}
		}
	case attr.VecF32:
		if p := v.Payload(); i < len(p)/4 {
			return appendFloat32(nil, p[4*i:])
		}
	}
	return nil
}

// appendFloat32 appends the N of the little-endian float32 at the head of p; dst as it was if
// that is not a number, which no valid item holds.
func appendFloat32(dst, p []byte) attr.Value {
	var text [32]byte
	f := float64(math.Float32frombits(binary.LittleEndian.Uint32(p)))
	out, err := attr.AppendNumberText(dst, strconv.AppendFloat(text[:0], f, 'e', -1, 32))
	if err != nil {
		return dst
	}
	return out
}

// describeValue prints a value as the service's messages do: {S:a}. The inner forms of binaries
// and containers are unsure.
func describeValue(v attr.Value) string {
	var b strings.Builder
	b.WriteByte('{')
	b.WriteString(wireType(v).String())
	b.WriteByte(':')
	switch v.Type() {
	case attr.S:
		b.Write(v.Payload())
	case attr.N, attr.Ts:
		b.Write(number.AppendText(nil, v.Payload()))
	case attr.B:
		b.WriteString(base64.StdEncoding.EncodeToString(v.Payload()))
	case attr.BOOL:
		b.WriteString(strconv.FormatBool(v.Bool()))
	case attr.NULL:
		b.WriteString("true")
	default:
		b.WriteString("…")
	}
	b.WriteByte('}')
	return b.String()
}
