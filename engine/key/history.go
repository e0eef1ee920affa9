package key

import (
	"encoding/binary"
)

// Rows of a change log stand in the space of their table, under subs of their own. A history row says what an
// item was before an update, and stands in the order of the items, those of one item in the order of the
// updates:
//
//	| head with the item's hash | partition of the item | sort of the item (escaped) | seq 8B |
//
// A mark says when an update was made, and stands in the order of time:
//
//	| head with hash 0 | time 8B, milliseconds since 1970 | seq 8B |

const (
	seqBytes   = 8
	markMillis = 8
)

// AppendHistory appends the key of the history row of an item, under a sub of its table.
func AppendHistory(dst []byte, sub uint32, item []byte, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(AppendHistoryPrefix(dst, sub, item), seq)
}

// AppendHistoryPrefix appends what the keys of all history rows of an item begin with.
func AppendHistoryPrefix(dst []byte, sub uint32, item []byte) []byte {
	end := prefixBytes + 4 + lengthBytes
	end += int(binary.BigEndian.Uint16(item[end-lengthBytes:]))
	dst = append(dst, item[:prefixBytes-4]...)
	dst = binary.BigEndian.AppendUint32(dst, sub)
	dst = append(dst, item[prefixBytes:end]...)
	for _, c := range item[end:] {
		dst = append(dst, c)
		if c == 0x00 {
			dst = append(dst, escapeByte)
		}
	}
	return append(dst, 0x00, terminator)
}

// SplitHistory appends the key of the item that a history row is about, and returns the Seq of the update;
// false for a key that is no such row.
func SplitHistory(dst, row []byte) (item []byte, seq uint64, ok bool) {
	end := prefixBytes + 4 + lengthBytes
	if len(row) < end {
		return dst, 0, false
	}
	end += int(binary.BigEndian.Uint16(row[end-lengthBytes:]))
	if len(row) < end+2+seqBytes {
		return dst, 0, false
	}
	dst = append(dst, row[:prefixBytes-4]...)
	dst = binary.BigEndian.AppendUint32(dst, TableSub)
	dst = append(dst, row[prefixBytes:end]...)
	sort, rest := row[end:len(row)-seqBytes], row[len(row)-seqBytes:]
	for i := 0; i < len(sort); i++ {
		if sort[i] != 0x00 {
			dst = append(dst, sort[i])
			continue
		}
		if i++; i == len(sort) {
			return dst, 0, false
		}
		switch {
		case sort[i] == escapeByte:
			dst = append(dst, 0x00)
		case sort[i] == terminator && i == len(sort)-1:
			return dst, binary.BigEndian.Uint64(rest), true
		default:
			return dst, 0, false
		}
	}
	return dst, 0, false
}

// AppendMark appends the key of a mark, under a sub of its table.
func AppendMark(dst []byte, table uint64, sub uint32, ms int64, seq uint64) []byte {
	dst = AppendHead(dst, TableSpace(table), sub, 0)
	dst = binary.BigEndian.AppendUint64(dst, uint64(ms))
	return binary.BigEndian.AppendUint64(dst, seq)
}

// SplitMark returns what a mark says; false for a key that is none.
func SplitMark(row []byte) (ms int64, seq uint64, ok bool) {
	if len(row) != prefixBytes+4+markMillis+seqBytes {
		return 0, 0, false
	}
	row = row[prefixBytes+4:]
	return int64(binary.BigEndian.Uint64(row)), binary.BigEndian.Uint64(row[markMillis:]), true
}
