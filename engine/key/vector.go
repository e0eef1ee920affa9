package key

import (
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

// Rows of an index of vectors beside its entries. All hash fields of one kind but that of pages are the
// same, so that the rows lie in order:
//
//	| tail  | head of Vector.Tail  | Seq 8B | entry key from its hash on |   which entry an update changed
//	| state | head of Vector.Graph, hash 0                               |   how far the graph follows
//	| page  | head of Vector.Graph | length 5 2B | kind 1B | number 4B   |   a page of the graph

const (
	tailSeqBytes = 8
	pageBytes    = 5
)

// AppendTail appends the key of the row that says that an update with that Seq changed an entry.
func AppendTail(dst []byte, ix *schema.Index, seq uint64, entry []byte) []byte {
	dst = append(dst, entry[:prefixBytes-4]...)
	dst = appendTailHead(dst, ix)
	dst = binary.BigEndian.AppendUint64(dst, seq)
	return append(dst, entry[prefixBytes:]...)
}

// appendTailHead appends what follows the space: sub, and a hash that is the same for all of them.
func appendTailHead(dst []byte, ix *schema.Index) []byte {
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, ix.Vector.Tail)
	return binary.BigEndian.AppendUint32(dst, Hash(dst[at:]))
}

// SplitTail returns what a row of the tail says: the Seq and the key of the entry. ok is false for a key
// that is no such row.
func SplitTail(ix *schema.Index, row []byte) (seq uint64, entry []byte, ok bool) {
	const head = prefixBytes + 4
	if len(row) <= head+tailSeqBytes+4 || binary.BigEndian.Uint32(row[prefixBytes-4:]) != ix.Vector.Tail {
		return 0, nil, false
	}
	entry = append(entry, row[:prefixBytes-4]...)
	entry = binary.BigEndian.AppendUint32(entry, ix.Sub)
	return binary.BigEndian.Uint64(row[head:]), append(entry, row[head+tailSeqBytes:]...), true
}

// TailRange covers the rows of updates with a Seq from first to last, both included.
func TailRange(table uint64, ix *schema.Index, first, last uint64) Range {
	head := appendTailHead(binary.BigEndian.AppendUint64(nil, TableSpace(table)), ix)
	r := Range{Start: binary.BigEndian.AppendUint64(append([]byte(nil), head...), first)}
	if last++; last == 0 {
		r.End = PrefixEnd(head)
	} else {
		r.End = binary.BigEndian.AppendUint64(head, last)
	}
	return r
}

// AppendGraph appends the key of the row with the state of an index's graph.
func AppendGraph(dst []byte, table uint64, ix *schema.Index) []byte {
	return AppendHead(dst, TableSpace(table), ix.Vector.Graph, 0)
}

// AppendPage appends the key of a page of an index's graph.
func AppendPage(dst []byte, table uint64, ix *schema.Index, kind uint8, number uint32) []byte {
	head := len(dst)
	dst = appendLength(AppendHead(dst, TableSpace(table), ix.Vector.Graph, 0), pageBytes)
	part := len(dst)
	dst = binary.BigEndian.AppendUint32(append(dst, kind), number)
	binary.BigEndian.PutUint32(dst[head+prefixBytes:], Hash(dst[part:]))
	return dst
}

// SplitPage returns what a key of AppendPage is of; ok is false for any other key.
func SplitPage(row []byte) (kind uint8, number uint32, ok bool) {
	const part = prefixBytes + 4 + lengthBytes
	if len(row) != part+pageBytes {
		return 0, 0, false
	}
	return row[part], binary.BigEndian.Uint32(row[part+1:]), true
}

// AppendVectorPartition appends what the keys of all entries begin with that have a value of the partition
// attribute; without one, of all entries.
func AppendVectorPartition(dst []byte, table uint64, ix *schema.Index, hash attr.Value) []byte {
	dst = AppendPrefix(dst, TableSpace(table), ix.Sub)
	if hash == nil {
		return dst
	}
	return AppendPartition(dst, []attr.Value{hash})
}

// VectorPartition is what AppendVectorPartition gives for the value that an entry has, from its key.
func VectorPartition(ix *schema.Index, entry []byte) []byte {
	if len(ix.Key.Hash) == 0 || len(entry) < prefixBytes+4+lengthBytes {
		return entry[:prefixBytes]
	}
	end := prefixBytes + 4 + lengthBytes
	end += int(binary.BigEndian.Uint16(entry[end-lengthBytes:]))
	return entry[:min(end, len(entry))]
}
