package plan

import (
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// tableKeyMax is the most attributes of a table's key: one for the partition, one to sort by.
const tableKeyMax = 2

// invalid is a ValidationException.
func invalid(format string, args ...any) *api.Error {
	return api.Errorf(api.Validation, format, args...)
}

// bindKey checks a key map against the table's schema (wire-facts §4.2) and returns the key bytes.
func bindKey(room *Room, t *schema.Table, k attr.Item) ([]byte, error) {
	if k.Count() != t.Key.Len() {
		return nil, invalid(api.MsgKeyMismatch)
	}
	var values [tableKeyMax]attr.Value
	for i := range t.Key.Len() {
		a := t.Key.At(i)
		v := k.Get(a.Name)
		if v == nil || !key.TypeFits(v.Type(), a.Type) {
			return nil, invalid(api.MsgKeyMismatch)
		}
		if err := checkKeyValue(&t.Key, i, v); err != nil {
			return nil, err
		}
		values[i] = v
	}
	return room.item(t, values[0], values[1]), nil
}

// checkKeyValue checks what the service demands of the value of the i-th key attribute: it is not
// empty and not too long.
func checkKeyValue(k *schema.Key, i int, v attr.Value) error {
	if err := checkNotEmpty(k.At(i).Name, v); err != nil {
		return err
	}
	return checkKeySize(i < len(k.Hash), key.Len(v))
}

func checkNotEmpty(name string, v attr.Value) error {
	if key.Len(v) > 0 {
		return nil
	}
	switch v.Type() {
	case attr.S:
		return invalid(api.MsgKeyEmptyString, name)
	case attr.B:
		return invalid(api.MsgKeyEmptyBinary, name)
	}
	return nil
}

func checkKeySize(hash bool, n int) error {
	switch {
	case hash && n > key.PartitionMaxBytes:
		return invalid(api.MsgHashKeySize)
	case !hash && n > key.SortMaxBytes:
		return invalid(api.MsgRangeKeySize)
	}
	return nil
}

// bindItem checks a whole item against the keys of the table and its indexes, in the service's
// order: for each table key missing, type, empty, size; then the indexes, global ones first.
func bindItem(room *Room, t *schema.Table, item attr.Item) ([]byte, error) {
	var values [tableKeyMax]attr.Value
	for i := range t.Key.Len() {
		a := t.Key.At(i)
		v := item.Get(a.Name)
		switch {
		case v == nil:
			return nil, invalid(api.MsgKeyMissing, a.Name)
		case !key.TypeFits(v.Type(), a.Type):
			return nil, invalid(api.MsgKeyType, a.Name, a.Type, v.Type())
		}
		if err := checkKeyValue(&t.Key, i, v); err != nil {
			return nil, err
		}
		values[i] = v
	}
	if err := checkIndexKeys(t, item); err != nil {
		return nil, err
	}
	if tooLarge(t, item) {
		return nil, invalid(api.MsgItemSize)
	}
	return room.item(t, values[0], values[1]), nil
}

// indexKeyType is the error of an index key attribute of another type.
func indexKeyType(ix *schema.Index, a schema.KeyAttr, v attr.Value) error {
	if ix.Vector != nil {
		return invalid(api.MsgVectorSchemaType, a.Name, a.Type, v.Type(), ix.Name)
	}
	return invalid(api.MsgIndexKeyType, a.Name, a.Type, v.Type(), ix.Name)
}

// checkIndexKeys refuses an item whose index key attributes have the wrong type, are empty or too
// long: DynamoDB does not just leave it out of the index (TestIndexKeyTypes).
func checkIndexKeys(t *schema.Table, item attr.Item) error {
	for i := range t.Indexes {
		ix := &t.Indexes[i]
		hashBytes, rangeBytes := 0, 0
		for j := range ix.Key.Len() {
			a := ix.Key.At(j)
			v := item.Get(a.Name)
			if v == nil {
				continue
			}
			if !key.TypeFits(v.Type(), a.Type) {
				return indexKeyType(ix, a, v)
			}
			if key.Len(v) == 0 {
				return emptyIndexKey(ix, a.Name, v.Type())
			}
			if j < len(ix.Key.Hash) {
				hashBytes += key.Len(v)
			} else {
				rangeBytes += key.Len(v)
			}
		}
		if err := checkKeySize(true, hashBytes); err != nil {
			return err
		}
		if err := checkKeySize(false, rangeBytes); err != nil {
			return err
		}
		if ix.Vector != nil {
			if err := checkVector(ix, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func emptyIndexKey(ix *schema.Index, name string, typ attr.Type) error {
	if typ == attr.B {
		return invalid(api.MsgIndexKeyEmptyBinary, ix.Name, name)
	}
	return invalid(api.MsgIndexKeyEmptyString, ix.Name, name)
}

// tooLarge says whether an item is larger than the service stores; its entries in local indexes
// count with it (wire-facts §4.3).
func tooLarge(t *schema.Table, item attr.Item) bool {
	copies := 1
	for i := range t.Indexes {
		if t.Indexes[i].Local {
			copies++
		}
	}
	if item.Within(attr.ItemSizeMaxBytes / copies) {
		return false
	}
	size := item.Size()
	for i := range t.Indexes {
		if ix := &t.Indexes[i]; ix.Local {
			size += entrySize(t, ix, item)
		}
	}
	return size > attr.ItemSizeMaxBytes
}

// entrySize is the accounted size of the item's entry in an index, zero when it has none.
func entrySize(t *schema.Table, ix *schema.Index, item attr.Item) int {
	for i := range ix.Key.Len() {
		if !item.Has(ix.Key.At(i).Name) {
			return 0
		}
	}
	size := 0
	for r := item.Read(); ; {
		name, v, ok := r.Next()
		if !ok {
			return size
		}
		if t.Projects(ix, string(name)) {
			size += len(name) + v.Size()
		}
	}
}
