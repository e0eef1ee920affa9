package key

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"
)

// catalogNames are the kinds of rows of the catalog space.
func catalogName(sub uint32) string {
	switch sub {
	case SubMeta:
		return "meta"
	case SubTable:
		return "table record"
	case SubDropped:
		return "dropped table"
	case SubDefunct:
		return "dropped tokens"
	case SubStream:
		return "stream record"
	case SubJob:
		return "job"
	case SubLease:
		return "lease"
	case SubCount:
		return "count"
	case SubTask:
		return "task"
	case SubBackup:
		return "backup"
	case SubCursor:
		return "cursor"
	case SubInsights:
		return "insights"
	}
	return "catalog " + strconv.FormatUint(uint64(sub), 10)
}

// Describe says what a key is, for people who look into a file, as far as a key tells without the
// schema of its table: text where its bytes are some, else hexadecimal. A cut key is described up to
// its end.
func Describe(k []byte) string {
	const headBytes = prefixBytes + 4
	if len(k) < headBytes {
		return fmt.Sprintf("key %x", k)
	}
	space, sub := binary.BigEndian.Uint64(k), binary.BigEndian.Uint32(k[8:])
	id, rest := space&spaceIDMask, k[headBytes:]
	switch space &^ spaceIDMask {
	case spaceCatalog:
		if (sub == SubJob || sub == SubCount) && len(rest) == aboutBytes {
			return fmt.Sprintf("%s of table %d sub %d", catalogName(sub),
				binary.BigEndian.Uint64(rest), binary.BigEndian.Uint32(rest[8:]))
		}
		if stream, consumer, ok := SplitCursor(k); ok {
			return fmt.Sprintf("cursor of stream %d %s", stream, readable([]byte(consumer)))
		}
		return catalogName(sub) + " " + readable(rest)
	case spaceToken:
		return fmt.Sprintf("token of window %d %s", id, describeParts(rest))
	case spaceStream:
		return fmt.Sprintf("stream %d slot %08x %x", id, HashOf(k), rest)
	case spaceTable:
		if sub == TableSub {
			return fmt.Sprintf("table %d item %s", id, describeParts(rest))
		}
		if item, ms, ok := expiryOf(k); ok {
			return fmt.Sprintf("table %d sub %d expiry %s of %s", id, sub,
				time.UnixMilli(ms).UTC().Format(time.RFC3339), describeParts(item))
		}
		return fmt.Sprintf("table %d sub %d %s", id, sub, describeParts(rest))
	}
	return fmt.Sprintf("key %x", k)
}

// expiryOf splits what looks like an expiry row: its bucket is that of the item behind it, whose
// partition part has the hash that stands before it.
func expiryOf(k []byte) (parts []byte, ms int64, ok bool) {
	const at = expiryHeadBytes + 4
	if len(k) < at+lengthBytes {
		return nil, 0, false
	}
	hash := binary.BigEndian.Uint32(k[expiryHeadBytes:])
	n := int(binary.BigEndian.Uint16(k[at:]))
	if HashOf(k) != hash>>bucketShift<<bucketShift || len(k) < at+lengthBytes+n ||
		Hash(k[at+lengthBytes:at+lengthBytes+n]) != hash {
		return nil, 0, false
	}
	return k[at:], int64(binary.BigEndian.Uint64(k[prefixBytes+4:])), true
}

// describeParts shows the partition part and what follows it.
func describeParts(b []byte) string {
	if len(b) < lengthBytes {
		return readable(b)
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > len(b)-lengthBytes {
		return readable(b[lengthBytes:]) + "…"
	}
	partition, rest := b[lengthBytes:lengthBytes+n], b[lengthBytes+n:]
	if len(rest) == 0 {
		return readable(partition)
	}
	return readable(partition) + " · " + readable(rest)
}

// readable quotes text and shows other bytes in hexadecimal.
func readable(b []byte) string {
	if !utf8.Valid(b) {
		return fmt.Sprintf("%x", b)
	}
	for _, r := range string(b) {
		if !unicode.IsPrint(r) {
			return fmt.Sprintf("%x", b)
		}
	}
	return strconv.Quote(string(b))
}
