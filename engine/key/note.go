package key

import "encoding/binary"

// SubTaskNote holds what long operations note on their way, by id and number. On disk: never renumber.
const SubTaskNote uint32 = 11

// AppendTaskNote appends the key of a note of a long operation: id · 0x00 · number 8B (big-endian). An id has
// no zero byte.
func AppendTaskNote(dst []byte, id string, number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(AppendCatalog(dst, SubTaskNote, id), 0), number)
}

// TaskNotes covers the notes of a long operation, from one number on.
func TaskNotes(id string, from uint64) Range {
	all := PrefixRange(append(AppendCatalog(nil, SubTaskNote, id), 0))
	return Range{Start: AppendTaskNote(nil, id, from), End: all.End}
}
