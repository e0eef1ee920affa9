package pbitem

import (
	"encoding/binary"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/number"
)

// Field numbers of keystone.proto (TestNumbers). Those of the types in Value are attr's own.
const (
	itemAttributes = 1
	itemJSON       = 2
	entryKey       = 1 // of every map
	entryValue     = 2
	elements       = 1 // of List, Map, the sets and FloatVector
)

// numberTextMax is the longest text of a number: 131 digits, sign and point.
const numberTextMax = 160

// tag is the head of a field with a number below 16, one byte.
func tag(num int, typ protowire.Type) byte { return byte(num)<<3 | byte(typ) }

// AppendItem appends the content of the message Item.
func AppendItem(dst []byte, it attr.Item) []byte { return appendEntries(dst, it.Read()) }

// AppendItemJSON appends the content of the message Item with the item as DynamoDB JSON.
func AppendItemJSON(dst []byte, it attr.Item) []byte {
	const growth = 2 // of JSON over the binary form, roughly
	dst, m := Open(append(dst, tag(itemJSON, protowire.BytesType)), growth*len(it))
	return Close(codec.AppendItem(dst, it), m)
}

// appendEntries appends the entries of an Item or a Map, both of which have them as field 1.
func appendEntries(dst []byte, r attr.Reader) []byte {
	for {
		name, v, ok := r.Next()
		if !ok {
			return dst
		}
		dst = append(dst, tag(itemAttributes, protowire.BytesType))
		if n, ok := scalarLen(v); ok {
			dst = appendLen(dst, fieldLen(len(name))+fieldLen(n))
			dst = appendBytes(dst, entryKey, name)
			dst = AppendValue(appendLen(append(dst, tag(entryValue, protowire.BytesType)), n), v)
			continue
		}
		var entry, value Mark
		dst, entry = Open(dst, len(name)+guess(v))
		dst = appendBytes(dst, entryKey, name)
		dst, value = Open(append(dst, tag(entryValue, protowire.BytesType)), guess(v))
		dst = Close(Close(AppendValue(dst, v), value), entry)
	}
}

// scalarLen is the length of the message Value for the types where it takes no look inside.
func scalarLen(v attr.Value) (n int, ok bool) {
	switch v.Type() {
	case attr.S, attr.B:
		return fieldLen(len(v.Payload())), true
	case attr.BOOL, attr.NULL:
		return 2, true
	}
	return 0, false
}

// fieldLen is the length of a field with n bytes and a number below 16.
func fieldLen(n int) int { return 1 + varintLen(n) + n }

// guess is about how long the message Value will be.
func guess(v attr.Value) int { return len(v) + len(v)/4 }

func appendLen(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

func appendBytes(dst []byte, num int, p []byte) []byte {
	return append(appendLen(append(dst, tag(num, protowire.BytesType)), len(p)), p...)
}

// AppendValue appends the content of the message Value; nothing for a value that is absent.
func AppendValue(dst []byte, v attr.Value) []byte {
	t, p := v.Type(), v.Payload()
	switch t {
	case attr.S, attr.B:
		return appendBytes(dst, int(t), p)
	case attr.N:
		var text [numberTextMax]byte
		return appendBytes(dst, int(t), number.AppendText(text[:0], p))
	case attr.BOOL:
		if v.Bool() {
			return append(dst, tag(int(t), protowire.VarintType), 1)
		}
		return append(dst, tag(int(t), protowire.VarintType), 0)
	case attr.NULL:
		return append(dst, tag(int(t), protowire.VarintType), 1)
	case attr.Ts:
		ms, _ := v.Millis()
		return binary.AppendUvarint(append(dst, tag(int(t), protowire.VarintType)), uint64(ms))
	case 0:
		return dst
	}
	dst, m := Open(append(dst, tag(int(t), protowire.BytesType)), guess(v))
	return Close(appendContainer(dst, t, v), m)
}

func appendContainer(dst []byte, t attr.Type, v attr.Value) []byte {
	switch t {
	case attr.M:
		return appendEntries(dst, attr.MapReader(v))
	case attr.L:
		for r := attr.ListReader(v); r.Next(); {
			dst = AppendValueField(dst, elements, r.Value())
		}
	case attr.VecF32:
		if p := v.Payload(); len(p) > 0 {
			dst = appendBytes(dst, elements, p) // both forms are little-endian
		}
	case attr.NS:
		var text [numberTextMax]byte
		for r := attr.SetReader(v); r.Next(); {
			dst = appendBytes(dst, elements, number.AppendText(text[:0], r.Bytes()))
		}
	default:
		for r := attr.SetReader(v); r.Next(); {
			dst = appendBytes(dst, elements, r.Bytes())
		}
	}
	return dst
}

// AppendValueField appends a field that holds a Value.
func AppendValueField(dst []byte, num protowire.Number, v attr.Value) []byte {
	dst = AppendTag(dst, num, protowire.BytesType)
	if n, ok := scalarLen(v); ok {
		return AppendValue(appendLen(dst, n), v)
	}
	dst, m := Open(dst, guess(v))
	return Close(AppendValue(dst, v), m)
}
