// Package attr holds attribute values and items in their one binary form: the
// form in which the doors hand them over, the engine compares them and storage
// keeps them. An item is one immutable byte slice; nothing here ever changes
// the bytes of a Value or an Item it was given.
//
//	value   = head [length] payload
//	head      low nibble: type; high nibble: payload length 0..14, or 15 when
//	          the length follows as a minimal uvarint (15 or more)
//	item    = entry*                 sorted by name bytes, names unique
//	entry   = uvarint(len) name value
//
//	type            payload
//	 1 S            UTF-8 bytes
//	 2 N            a number, see package number
//	 3 B            bytes
//	 4 BOOL         00 or 01
//	 5 NULL         nothing
//	 6 L            value*
//	 7 M            entry*, as an item (names may be empty here)
//	 8 SS           (uvarint(len) bytes)*, sorted, unique, none empty
//	 9 NS           (length byte, number)*, sorted, unique
//	10 BS           as SS
//	11 VecF32       little-endian float32s; no NaN, infinity or -0
//	12 Ts           a number: milliseconds since 1970, integral, 64 bits
//	13 SS with ""   as SS, and the empty string is a member too (written nowhere)
//	14 BS with ""   as BS, likewise
//
// Types 13 and 14 exist so that a legal item (400 KB as the service counts,
// where an empty member of a set counts nothing) is at most BinaryMaxBytes
// long; Value.Type reports them as SS and BS. A Ts is kept as a number so that
// it compares with N by its bytes, and for the same bound.
//
// Equal values have equal bytes, with two exceptions that Equal knows: a
// VecF32 equals the L of the same numbers, a Ts the same N.
//
// Examples (pinned by TestVectors):
//
//	{"S":"hi"}                  21 68 69
//	{"S":""}                    01
//	{"N":"1"}                   22 c1 02
//	{"B":"AAE="}                23 00 01
//	{"BOOL":true}               14 01
//	{"NULL":true}               05
//	{"L":[{"NULL":true}]}       16 05
//	{"M":{"a":{"BOOL":false}}}  47 01 61 14 00
//	{"SS":["b","a"]}            48 01 61 01 62
//	{"SS":["a",""]}             2d 01 61
//	{"NS":["2","1"]}            69 02 c1 02 02 c1 03
//	{"BS":["AA=="]}             2a 01 00
//	VecF32 [1]                  4b 00 00 80 3f
//	Ts 1000                     2c c2 0b
//	item {pk: S "x", n: NULL}   01 6e 05 02 70 6b 11 78
package attr

const (
	// ItemSizeMaxBytes is the largest item by Item.Size.
	ItemSizeMaxBytes = 409600
	// BinaryMaxBytes bounds the binary form of an item of ItemSizeMaxBytes.
	BinaryMaxBytes = 832 << 10
	// DepthMax is the deepest nesting of a value; a scalar has depth 1.
	DepthMax = 32
	// NameMaxBytes is the longest attribute name or map key.
	NameMaxBytes = 65535
)
