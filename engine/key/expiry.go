package key

import "encoding/binary"

// Expiry rows say when items end, in the order of time:
//
//	| head with the bucket in the hash field | expiry 8B, milliseconds since 1970 | item key from its hash on |
//
// The bucket is the upper half of the item's stripe, so that rows spread over 16 stripes; byte 12 is
// bucket·16.

// ExpiryBuckets is the number of buckets.
const ExpiryBuckets = 16

const (
	bucketShift = 28
	expiryBytes = 8
	// expiryHeadBytes is what stands before the item's part.
	expiryHeadBytes = prefixBytes + 4 + expiryBytes
)

// AppendExpiry appends the key of an item's expiry row under a sub of its table.
func AppendExpiry(dst []byte, sub uint32, ms int64, item []byte) []byte {
	dst = append(dst, item[:prefixBytes-4]...)
	dst = binary.BigEndian.AppendUint32(dst, sub)
	dst = binary.BigEndian.AppendUint32(dst, HashOf(item)>>bucketShift<<bucketShift)
	dst = binary.BigEndian.AppendUint64(dst, uint64(ms))
	return append(dst, item[prefixBytes:]...)
}

// ItemOfExpiry returns the key of the item that an expiry row is about; false for a key that is no
// such row.
func ItemOfExpiry(row []byte) ([]byte, bool) {
	if len(row) <= expiryHeadBytes+4 {
		return nil, false
	}
	k := append([]byte(nil), row[:prefixBytes-4]...)
	k = binary.BigEndian.AppendUint32(k, TableSub)
	return append(k, row[expiryHeadBytes:]...), true
}

// ExpiryRange covers the rows of a bucket that end before a time in milliseconds.
func ExpiryRange(table uint64, sub uint32, bucket int, before int64) Range {
	head := AppendHead(nil, TableSpace(table), sub, uint32(bucket)<<bucketShift)
	return Range{Start: head, End: binary.BigEndian.AppendUint64(append([]byte(nil), head...), uint64(before))}
}
