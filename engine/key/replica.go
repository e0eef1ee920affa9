package key

import "encoding/binary"

// Tables with replicas have two more kinds of rows, under subs of their own. A stamp says when and where an item
// was last written, and stands where the item stands, deleted ones too:
//
//	| head with the item's hash | partition · sort of the item |
//
// What is to be sent to replicas stands in the order of the updates, in slots of hashes so that it spreads over
// stripes:
//
//	| head with the first hash of the slot | seq 8B | item key from its hash on |

// OutSlots is the number of slots of what is to be sent. On disk: never change.
const OutSlots = 16

// AppendStamp appends the key of an item's stamp, under a sub of its table.
func AppendStamp(dst []byte, sub uint32, item []byte) []byte {
	dst = append(dst, item[:prefixBytes-4]...)
	dst = binary.BigEndian.AppendUint32(dst, sub)
	return append(dst, item[prefixBytes:]...)
}

// ItemOfStamp appends the key of the item of a stamp.
func ItemOfStamp(dst, row []byte) []byte { return AppendStamp(dst, TableSub, row) }

// ItemTail is what two tables with the same key schema have in common of an item's key. It is a part of item.
func ItemTail(item []byte) []byte { return item[prefixBytes:] }

// AppendItemTail appends the key of an item of a table from its tail. It reports false for what is no tail.
func AppendItemTail(dst []byte, table uint64, tail []byte) ([]byte, bool) {
	const part = 4 + lengthBytes
	if len(tail) < part {
		return dst, false
	}
	n := int(binary.BigEndian.Uint16(tail[4:]))
	if n == 0 || n > PartitionMaxBytes || len(tail) < part+n || len(tail) > part+n+SortMaxBytes ||
		binary.BigEndian.Uint32(tail) != Hash(tail[part:part+n]) {
		return dst, false
	}
	return append(AppendPrefix(dst, TableSpace(table), TableSub), tail...), true
}

// AppendOut appends the key of the row that says that an item is to be sent, under a sub of its table.
func AppendOut(dst []byte, sub uint32, item []byte, seq uint64) []byte {
	table := binary.BigEndian.Uint64(item)
	slot := uint64(HashOf(item)) * OutSlots >> 32
	from, _ := SegmentBounds(slot, OutSlots)
	dst = AppendHead(dst, table, sub, uint32(from))
	dst = binary.BigEndian.AppendUint64(dst, seq)
	return append(dst, item[prefixBytes:]...)
}

// OutRange covers the rows of a slot with a Seq above after and up to last.
func OutRange(table uint64, sub uint32, slot int, after, last uint64) Range {
	from, _ := SegmentBounds(uint64(slot), OutSlots)
	at := func(seq uint64) []byte {
		return binary.BigEndian.AppendUint64(AppendHead(nil, TableSpace(table), sub, uint32(from)), seq)
	}
	return Range{Start: at(after + 1), End: at(last + 1)}
}

// SplitOut appends the key of the item of such a row, and returns its Seq; false for a key that is none.
func SplitOut(dst, row []byte) (item []byte, seq uint64, ok bool) {
	const head = prefixBytes + 4
	if len(row) < head+seqBytes+4 {
		return dst, 0, false
	}
	dst = append(dst, row[:prefixBytes-4]...)
	dst = binary.BigEndian.AppendUint32(dst, TableSub)
	return append(dst, row[head+seqBytes:]...), binary.BigEndian.Uint64(row[head:]), true
}
