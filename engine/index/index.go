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

// Entry returns the value of an item's entry: the item itself when projected is nil, otherwise the
// attributes named there, which must be sorted.
func Entry(item attr.Item, projected []string) attr.Item {
	if projected == nil {
		return item
	}
	return item.Project(projected)
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
	if old != nil {
		if k, ok := key.AppendEntry(nil, t, ix, old); ok {
			oldKey, oldEntry = k, Entry(old, projected)
			c.OldSize = oldEntry.Size()
		}
	}
	if new != nil && !ix.DeleteOnly {
		if k, ok := key.AppendEntry(nil, t, ix, new); ok {
			newKey, c.Value = k, Entry(new, projected)
			c.NewSize = c.Value.Size()
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
