package key

import (
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
)

// partsMax is the most attributes that a key has on one side.
const partsMax = 4

// TableSub is the sub field of the table's own items.
const TableSub uint32 = 0

// AppendItem appends the key under which an item is stored. It reports false when the item lacks a
// key attribute or has one of another type.
func AppendItem(dst []byte, t *schema.Table, item attr.Item) ([]byte, bool) {
	hash := typed(item, t.Key.Hash[0])
	if hash == nil {
		return dst, false
	}
	var sort attr.Value
	if t.Key.HasRange() {
		if sort = typed(item, t.Key.Range[0]); sort == nil {
			return dst, false
		}
	}
	return AppendValues(dst, t, hash, sort), true
}

// AppendValues appends the key under which an item is stored, from the values of its key
// attributes; sort is nil when the table has none.
func AppendValues(dst []byte, t *schema.Table, hash, sort attr.Value) []byte {
	dst = AppendPrefix(dst, TableSpace(t.ID), TableSub)
	dst = AppendPartition(dst, []attr.Value{hash})
	return AppendRaw(dst, sort)
}

// AppendEntry appends the key of the item's entry in an index. It reports false when the item is
// not in the index: because it lacks one of the index's key attributes, or because it is older than
// the index and has one that a key cannot have, of another type, empty or too long.
func AppendEntry(dst []byte, t *schema.Table, ix *schema.Index, item attr.Item) ([]byte, bool) {
	if ix.Vector != nil && len(ix.Key.Hash) == 0 {
		return appendOwn(dst, t, ix.Sub, item)
	}
	dst = AppendPrefix(dst, TableSpace(t.ID), ix.Sub)
	dst, ok := appendPartitionOf(dst, ix.Key.Hash, item)
	if !ok {
		return dst, false
	}
	length := 0
	for _, k := range ix.Key.Range {
		v := typed(item, k)
		if v == nil || Len(v) == 0 {
			return dst, false
		}
		length += Len(v)
		dst = AppendEscaped(dst, v)
	}
	if length > SortMaxBytes {
		return dst, false
	}
	return appendTableKey(dst, t, ix, item)
}

// appendOwn appends the key of an entry whose index has no key: that of the item with another sub.
func appendOwn(dst []byte, t *schema.Table, sub uint32, item attr.Item) ([]byte, bool) {
	head := len(dst)
	dst, ok := AppendItem(dst, t, item)
	if ok {
		binary.BigEndian.PutUint32(dst[head+prefixBytes-4:], sub)
	}
	return dst, ok
}

// appendTableKey appends what tells entries with equal index keys apart.
func appendTableKey(dst []byte, t *schema.Table, ix *schema.Index, item attr.Item) ([]byte, bool) {
	if !ix.Local {
		hash := typed(item, t.Key.Hash[0])
		if hash == nil {
			return dst, false
		}
		dst = AppendField(dst, hash)
	}
	if !t.Key.HasRange() {
		return dst, true
	}
	sort := typed(item, t.Key.Range[0])
	if sort == nil {
		return dst, false
	}
	return AppendRaw(dst, sort), true
}

func appendPartitionOf(dst []byte, hash []schema.KeyAttr, item attr.Item) ([]byte, bool) {
	var values [partsMax]attr.Value
	length := 0
	for i, k := range hash {
		if values[i] = typed(item, k); values[i] == nil || Len(values[i]) == 0 {
			return dst, false
		}
		length += Len(values[i])
	}
	if length > PartitionMaxBytes {
		return dst, false
	}
	return AppendPartition(dst, values[:len(hash)]), true
}

// typed returns the item's value of a key attribute, nil when it is absent or of another type.
func typed(item attr.Item, k schema.KeyAttr) attr.Value {
	v := item.Get(k.Name)
	if v == nil || !TypeFits(v.Type(), k.Type) {
		return nil
	}
	return v
}

// TypeFits says whether a value of type got may stand in a key attribute of type want: a Ts is a
// number there.
func TypeFits(got, want attr.Type) bool {
	return got == want || got == attr.Ts && want == attr.N
}

// AppendCollection appends the key of the row with the size of an item's collection, under a sub of
// its table: the item's key up to the end of its partition part.
func AppendCollection(dst []byte, sub uint32, item []byte) []byte {
	end := prefixBytes + 4 + lengthBytes
	end += int(binary.BigEndian.Uint16(item[end-lengthBytes:]))
	dst = append(dst, item[:prefixBytes-4]...)
	dst = binary.BigEndian.AppendUint32(dst, sub)
	return append(dst, item[prefixBytes:end]...)
}
