// Package key makes the order-preserving bytes under which everything is stored.
//
// Every key begins with a head of 16 bytes:
//
//	| space 8B | sub 4B | hash 4B |        integers big-endian
//
// For items space is the table id and sub is 0 for the table, the index id for an index. With h the
// CRC-32C of the encoded partition values, the hash field is h rotated right by eight bits, so that
// byte 12 is h % 256, the stripe:
//
//	"123456789": h = e3069283, hash field 83 e3 06 92
//
// After the head come the parts:
//
//	| what      | parts                                                             |
//	| item      | partition · sort (raw)                                            |
//	| LSI entry | partition · index sort (escaped) · table sort (raw)               |
//	| GSI entry | index partition · index sort (escaped) · partition · sort (raw)   |
//	| token     | partition (the token)                                             |
//	| stream    | see package stream; hash is the first of the shard's slot         |
//	| catalog   | raw name, hash 0                                                  |
//	| job       | table id 8B · sub 4B, hash 0                                      |
//	| count     | table id 8B · sub 4B, hash 0                                      |
//	| task      | raw id, hash 0                                                    |
//	| backup    | raw id, hash 0                                                    |
//	| task note | raw id · 00 · number 8B, hash 0                                   |
//	| cursor    | stream id 8B · raw name of the consumer, hash 0                   |
//	| expiry    | expiry.go; hash is the bucket                                     |
//	| history   | history.go; partition · sort (escaped) · seq 8B                  |
//	| mark      | history.go; time 8B · seq 8B, hash 0                              |
//	| vectors   | vector.go: which entries changed, and the graph                   |
//	| size      | partition (of an item collection)                                 |
//
//	partition  length 2B big-endian, bytes: the value's encoding; of several values each but the last
//	           is a length 2B and its encoding, since they have no order among them
//	escaped    0x00 becomes 00 FF, the end is 00 01; what follows may begin with FF
//	raw        the bytes as they are; only as the last part
//
// A value's encoding is its UTF-8 bytes (S), its bytes (B) or the bytes of package number (N), whose
// order is that of the values. One vector: table 7, partition "ab", sort "x\x00y" of an LSI entry
// with sub 2 and table sort "q":
//
//	0100000000000007 00000002 <hash of "ab"> 0002 6162 7800ff790001 71
package key

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/keystone-db/kstone/engine/attr"
)

// Kinds of space: the top byte of the space field. On disk: never renumber.
const (
	spaceCatalog uint64 = 0x00 << 56
	spaceTable   uint64 = 0x01 << 56
	spaceStream  uint64 = 0x02 << 56
	spaceToken   uint64 = 0x03 << 56
	spaceIDMask  uint64 = 1<<56 - 1
)

// Sub fields of the catalog space. On disk: never renumber.
const (
	// SubMeta holds counters and clocks.
	SubMeta uint32 = 1
	// SubTable holds table records by name.
	SubTable uint32 = 2
	// SubDropped holds the spaces that are being dropped, by table id.
	SubDropped uint32 = 3
	// SubDefunct holds the spaces of token windows that are being dropped.
	SubDefunct uint32 = 4
	// SubStream holds stream records by stream id.
	SubStream uint32 = 5
)

// Limits of the service on key values, in bytes, of all attributes of a kind together.
const (
	PartitionMaxBytes = 2048
	SortMaxBytes      = 1024
)

const (
	escapeByte   = 0xFF
	terminator   = 0x01
	lengthBytes  = 2
	hashRotation = -8
)

// prefixBytes is the head before the hash; storage.PrefixBytes is the same number.
const prefixBytes = 12

// Range is the half-open range [Start, End); a nil End means no upper bound. It converts to
// storage.Range.
type Range struct {
	Start, End []byte
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// TableSpace is the space field of a table's keys.
func TableSpace(id uint64) uint64 { return spaceTable | id&spaceIDMask }

// StreamSpace is the space field of a stream's records.
func StreamSpace(id uint64) uint64 { return spaceStream | id&spaceIDMask }

// TokenSpace is the space field of the request tokens of a ten-minute window.
func TokenSpace(window uint64) uint64 { return spaceToken | window&spaceIDMask }

// Hash of encoded partition values, as it stands in the hash field.
func Hash(encoded []byte) uint32 {
	return bits.RotateLeft32(crc32.Checksum(encoded, castagnoli), hashRotation)
}

// AppendHead appends the head of a key.
func AppendHead(dst []byte, space uint64, sub, hash uint32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, space)
	dst = binary.BigEndian.AppendUint32(dst, sub)
	return binary.BigEndian.AppendUint32(dst, hash)
}

// AppendCatalog appends the key of a catalog row.
func AppendCatalog(dst []byte, sub uint32, name string) []byte {
	return append(AppendHead(dst, spaceCatalog, sub, 0), name...)
}

// CatalogRange covers all rows of one kind.
func CatalogRange(sub uint32) Range { return PrefixRange(AppendCatalog(nil, sub, "")) }

// AppendToken appends the key of a request token in a window.
func AppendToken(dst []byte, window uint64, token string) []byte {
	head := len(dst)
	dst = appendLength(AppendHead(dst, TokenSpace(window), 0, 0), len(token))
	part := len(dst)
	dst = append(dst, token...)
	binary.BigEndian.PutUint32(dst[head+prefixBytes:], Hash(dst[part:]))
	return dst
}

// appendValue appends the encoding of a key value: the payload of S, B, N and Ts is already in the
// order of the values.
func appendValue(dst []byte, v attr.Value) []byte { return append(dst, v.Payload()...) }

// Len is the length in bytes of a value as the service's key size limits count it.
func Len(v attr.Value) int { return len(v.Payload()) }

// AppendPartition appends the hash field and the partition part to a head that lacks the hash: dst
// must end after the sub field.
func AppendPartition(dst []byte, values []attr.Value) []byte {
	head := len(dst)
	dst = append(dst, 0, 0, 0, 0, 0, 0)
	start := len(dst)
	for i, v := range values {
		if i < len(values)-1 {
			dst = AppendField(dst, v)
		} else {
			dst = appendValue(dst, v)
		}
	}
	part := dst[start:]
	binary.BigEndian.PutUint32(dst[head:], Hash(part))
	binary.BigEndian.PutUint16(dst[head+4:], uint16(len(part)))
	return dst
}

// AppendPrefix appends the first twelve bytes of a head: space and sub.
func AppendPrefix(dst []byte, space uint64, sub uint32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, space)
	return binary.BigEndian.AppendUint32(dst, sub)
}

func appendLength(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(n))
}

// AppendRaw appends a value as the last part.
func AppendRaw(dst []byte, v attr.Value) []byte { return appendValue(dst, v) }

// AppendField appends a value as a length and its bytes: the table's partition at the end of a
// global index entry.
func AppendField(dst []byte, v attr.Value) []byte {
	at := len(dst)
	dst = appendValue(append(dst, 0, 0), v)
	binary.BigEndian.PutUint16(dst[at:], uint16(len(dst)-at-lengthBytes))
	return dst
}

// AppendEscaped appends a value that something follows.
func AppendEscaped(dst []byte, v attr.Value) []byte {
	return append(AppendEscapedPrefix(dst, v), 0x00, terminator)
}

// AppendEscapedPrefix appends an escaped value without its end: all values that begin with v have
// these bytes in front.
func AppendEscapedPrefix(dst []byte, v attr.Value) []byte {
	for _, c := range v.Payload() {
		dst = append(dst, c)
		if c == 0x00 {
			dst = append(dst, escapeByte)
		}
	}
	return dst
}

// PrefixEnd returns the first key after all keys that begin with prefix, nil when there is none.
// The result does not alias prefix.
func PrefixEnd(prefix []byte) []byte { return AppendPrefixEnd(nil, prefix) }

// AppendPrefixEnd appends the first key after all keys that begin with prefix; nil when there is
// none.
func AppendPrefixEnd(dst, prefix []byte) []byte {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			dst = append(dst, prefix[:i+1]...)
			dst[len(dst)-1]++
			return dst
		}
	}
	return nil
}

// PrefixRange covers all keys that begin with prefix.
func PrefixRange(prefix []byte) Range {
	return Range{Start: prefix, End: PrefixEnd(prefix)}
}

// SpaceRange covers one table or index: all keys of space and sub.
func SpaceRange(space uint64, sub uint32) Range {
	return PrefixRange(AppendPrefix(nil, space, sub))
}

// WholeSpace covers all keys of a space, indexes included.
func WholeSpace(space uint64) Range {
	return PrefixRange(binary.BigEndian.AppendUint64(nil, space))
}

// SegmentsMax is the largest number of segments of a parallel scan.
const SegmentsMax = 1_000_000

// SegmentBounds returns the hashes of segment i of n: from <= hash < to, with to up to 2^32.
func SegmentBounds(i, n uint64) (from, to uint64) {
	return (i<<32 + n - 1) / n, ((i+1)<<32 + n - 1) / n
}

// SegmentRange covers segment i of n of one table or index.
func SegmentRange(space uint64, sub uint32, i, n uint64) Range {
	from, to := SegmentBounds(i, n)
	r := Range{Start: AppendHead(nil, space, sub, uint32(from))}
	if to < 1<<32 {
		r.End = AppendHead(nil, space, sub, uint32(to))
	} else {
		r.End = PrefixEnd(AppendPrefix(nil, space, sub))
	}
	return r
}

// HeadBytes is what every key begins with: space, sub and hash.
const HeadBytes = prefixBytes + 4

// Parts cuts a row's key, or the beginning of the keys of a partition, behind its head: into the partition
// part with its length, and all that follows the head.
func Parts(row []byte) (partition, whole []byte) {
	whole = row[HeadBytes:]
	if len(whole) < lengthBytes {
		return whole, whole
	}
	n := lengthBytes + int(binary.BigEndian.Uint16(whole))
	return whole[:min(n, len(whole))], whole
}

// HashOf returns the hash field of a key.
func HashOf(key []byte) uint32 { return binary.BigEndian.Uint32(key[prefixBytes:]) }
