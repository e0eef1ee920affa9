package ondisk

import (
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/storage"
)

// Mark returns the time of a mark, in milliseconds since 1970; false for another payload.
func Mark(payload []byte) (millis int64, ok bool) {
	if len(payload) != 9 || payload[0] != PayloadMark {
		return 0, false
	}
	return int64(binary.LittleEndian.Uint64(payload[1:])), true
}

// AppendDrop appends the payload that tells of a dropped range.
func AppendDrop(dst []byte, r storage.Range) []byte {
	dst = append(dst, PayloadDrop)
	dst = binary.AppendUvarint(dst, uint64(len(r.Start)))
	dst = append(dst, r.Start...)
	if r.End == nil {
		return append(dst, 0)
	}
	dst = append(dst, 1)
	dst = binary.AppendUvarint(dst, uint64(len(r.End)))
	return append(dst, r.End...)
}

// Drop returns the range of a payload of AppendDrop, which it aliases; false for another one.
func Drop(payload []byte) (r storage.Range, ok bool) {
	if len(payload) == 0 || payload[0] != PayloadDrop {
		return r, false
	}
	start, rest, ok := cutBytes(payload[1:])
	if !ok || len(rest) == 0 {
		return r, false
	}
	r.Start = start
	if rest[0] == 0 {
		return r, len(rest) == 1
	}
	r.End, rest, ok = cutBytes(rest[1:])
	return r, ok && len(rest) == 0
}
