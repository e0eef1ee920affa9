// Package index derives the changes of secondary index entries from the change of an item. It is
// pure: exec writes what it says in the same update as the item.
//
// An item has an entry in an index when it holds all key attributes of the index (wire-facts
// §6.30). The entry's value is the item cut down to what the index projects; the entry's key ends
// with the table's key, so that entries with equal index keys stay apart.
package index

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/number"
	"github.com/keystone-db/kstone/engine/schema"
)

// Change is what happens to the entry of one index.
type Change struct {
	// Index is the position in schema.Table.Indexes.
	Index int
	// Delete is the key of an entry that goes; nil when none does.
	Delete []byte
	// Put is the key of an entry that is written with Value; nil when none is.
	Put   []byte
	Value attr.Item
	// OldSize and NewSize are the accounted sizes of the entry before and after in bytes, zero where
	// there is none. Put == nil with equal sizes means that nothing changed.
	OldSize, NewSize int
}

// Moved says whether the entry's key changed: the service counts a deletion and an insertion.
func (c *Change) Moved() bool { return c.Delete != nil && c.Put != nil }

// Touched says whether anything is written.
func (c *Change) Touched() bool { return c.Delete != nil || c.Put != nil }

// vectorOf is the vector of an item as an index holds it; nil for an index of another kind. ok is false when
// it has none.
func vectorOf(ix *schema.Index, item attr.Item) (vec attr.Value, ok bool) {
	if ix.Vector == nil {
		return nil, true
	}
	return Vector(item.Get(ix.Vector.Attribute), ix.Vector.Dimensions)
}

// Entry returns key and value of an item's entry in an index; ok is false when it has none. The value is
// the item itself when projected is nil, otherwise the attributes named there, which must be sorted. In an
// index of vectors it also holds the vector, as a VecF32.
func Entry(t *schema.Table, ix *schema.Index, projected []string, item attr.Item) (k []byte, value attr.Item, ok bool) {
	vec, ok := vectorOf(ix, item)
	if !ok {
		return nil, nil, false
	}
	return entry(t, ix, projected, item, vec)
}

// entry is Entry with the vector that vectorOf gives.
func entry(t *schema.Table, ix *schema.Index, projected []string, item attr.Item, vec attr.Value) (k []byte, value attr.Item, ok bool) {
	if k, ok = key.AppendEntry(nil, t, ix, item); !ok {
		return nil, nil, false
	}
	if value = item; projected != nil {
		value = item.Project(projected)
	}
	if vec != nil {
		value = value.Without(ix.Vector.Attribute).With(ix.Vector.Attribute, vec)
	}
	return k, value, true
}

// Vector is the VecF32 of a vector of so many dimensions: of an L of N whose numbers are rounded to float32,
// or itself. ok is false for any other value, as for numbers beyond float32.
func Vector(v attr.Value, dimensions int) (vec attr.Value, ok bool) {
	switch v.Type() {
	case attr.VecF32:
		return v, v.Len() == dimensions
	case attr.L:
	default:
		return nil, false
	}
	floats := make([]float32, 0, dimensions)
	for r := attr.ListReader(v); r.Next(); {
		f, ok := Float(r.Value())
		if !ok || len(floats) == dimensions {
			return nil, false
		}
		floats = append(floats, f)
	}
	if len(floats) < dimensions {
		return nil, false
	}
	return attr.AppendVecF32(make([]byte, 0, 4*dimensions+8), floats)
}

// Float rounds a number to float32; ok is false for what is none, or beyond it.
func Float(v attr.Value) (f float32, ok bool) {
	if t := v.Type(); t != attr.N && t != attr.Ts {
		return 0, false
	}
	return number.Float32(v.Payload())
}

// Size is the accounted size of an entry in bytes. A vector counts as what an index holds of it: four bytes
// for each dimension.
func Size(ix *schema.Index, entry attr.Item) int {
	if ix.Vector == nil {
		return entry.Size()
	}
	return entry.Without(ix.Vector.Attribute).Size() + len(ix.Vector.Attribute) + 4*ix.Vector.Dimensions
}

// Projections gives the sorted projected names of each index, nil for all.
type Projections interface {
	ProjectedNames(i int) []string
}

// AppendChanges appends one Change for each index whose entry is touched by replacing old with new.
// Either may be nil: the item was or will be absent.
func AppendChanges(dst []Change, t *schema.Table, p Projections, old, new attr.Item) []Change {
	for i := range t.Indexes {
		if c := change(t, i, p.ProjectedNames(i), old, new); c.Touched() {
			dst = append(dst, c)
		}
	}
	return dst
}

func change(t *schema.Table, i int, projected []string, old, new attr.Item) Change {
	ix := &t.Indexes[i]
	c := Change{Index: i}
	var oldKey, newKey []byte
	var oldEntry attr.Item
	var vec attr.Value
	var has bool
	if old != nil {
		if vec, has = vectorOf(ix, old); has {
			if k, e, ok := entry(t, ix, projected, old, vec); ok {
				oldKey, oldEntry, c.OldSize = k, e, Size(ix, e)
			}
		}
	}
	if new != nil && !ix.DeleteOnly {
		// Most changes of an item leave its vector, which takes longer to make than all the rest.
		if !has || ix.Vector != nil && !bytes.Equal(old.Get(ix.Vector.Attribute), new.Get(ix.Vector.Attribute)) {
			vec, has = vectorOf(ix, new)
		}
		if has {
			if k, e, ok := entry(t, ix, projected, new, vec); ok {
				newKey, c.Value, c.NewSize = k, e, Size(ix, e)
			}
		}
	}
	switch {
	case oldKey != nil && newKey != nil && bytes.Equal(oldKey, newKey):
		if !bytes.Equal(oldEntry, c.Value) {
			c.Put = newKey
		}
	default:
		c.Delete, c.Put = oldKey, newKey
	}
	return c
}
