package exec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
)

// CollectionLimitDefault is the service's limit on an item collection: the items of a table that share
// a partition key, with their entries in local indexes.
const CollectionLimitDefault = 10 << 30

// collectionSizeBytes is the length of the row that holds a collection's size.
const collectionSizeBytes = 8

// noCollection stands for the collection of a write that has none.
const noCollection = -1

// collections are the rows with the sizes of the item collections that an update changes. Only tables
// with local indexes have them: nil is an update of other tables.
type collections struct {
	limit int64
	// keys are the rows, each once; they are named after the first keys of the update.
	keys  [][]byte
	first int
	// places are those in keys, once there are many of them.
	places map[string]int
	// of is the place in keys of each write's collection, or noCollection.
	of []int
	// stamps are the rows with the times of last writes, of tables with replicas, named after those; stampOf is
	// the place of each write's, or noCollection.
	stamps     [][]byte
	firstStamp int
	stampOf    []int
}

// collect adds the collection of the i-th write of an update, to c or to new collections.
func (e *Executor) collect(c *collections, i int, t *catalog.Table, w *plan.Write) *collections {
	if t.Global == nil && t.Table.CollectionSub == 0 || w.Kind == plan.WriteCheck {
		return c
	}
	if c == nil {
		c = &collections{limit: e.CollectionLimit}
	}
	if t.Global != nil {
		c.stamp(i, t, w)
	}
	if t.Table.CollectionSub == 0 {
		return c
	}
	k := key.AppendCollection(nil, t.Table.CollectionSub, w.Key)
	at := c.place(k)
	for len(c.of) < i {
		c.of = append(c.of, noCollection)
	}
	c.of = append(c.of, at)
	return c
}

// place is that of a collection's row in keys, where it is added when it is new.
func (c *collections) place(k []byte) int {
	const many = 32
	if at, ok := c.places[string(k)]; ok {
		return at
	}
	if c.places == nil {
		if at := slices.IndexFunc(c.keys, func(o []byte) bool { return bytes.Equal(o, k) }); at >= 0 {
			return at
		}
		if len(c.keys) == many {
			c.places = map[string]int{}
			for i, o := range c.keys {
				c.places[string(o)] = i
			}
		}
	}
	at := len(c.keys)
	if c.places != nil {
		c.places[string(k)] = at
	}
	c.keys = append(c.keys, k)
	return at
}

// name appends the rows to the keys of the update.
func (c *collections) name(named []storage.Named) []storage.Named {
	if c == nil {
		return named
	}
	c.first = len(named)
	for _, k := range c.keys {
		named = append(named, storage.Named{Key: k})
	}
	c.firstStamp = len(named)
	for _, k := range c.stamps {
		named = append(named, storage.Named{Key: k})
	}
	return named
}

// blames says whether a conflict on k is one of the i-th write's collection.
func (c *collections) blames(i int, k []byte) bool {
	return c != nil && i < len(c.of) && c.of[i] >= 0 && bytes.Equal(c.keys[c.of[i]], k)
}

// sizes are those of collections while an update runs.
type sizes struct {
	*collections
	bytes []int64
}

// load reads the sizes as they are before the update.
func (c *collections) load(tx storage.Tx) (sizes, error) {
	s := sizes{collections: c}
	if c == nil {
		return s, nil
	}
	for i := range c.keys {
		v := tx.Value(c.first + i)
		var n int64
		if v.Present {
			if len(v.Data) != collectionSizeBytes {
				return s, fmt.Errorf("exec: size of an item collection: %w", storage.ErrCorrupt)
			}
			n = int64(binary.BigEndian.Uint64(v.Data))
		}
		s.bytes = append(s.bytes, n)
	}
	return s, nil
}

// grow counts the i-th write, which replaces what is stored, and refuses one that makes its collection
// larger than it may be.
func (s *sizes) grow(i int, t *catalog.Table, v storage.Value, res *Result) error {
	if s.collections == nil || i >= len(s.of) || s.of[i] < 0 {
		return nil
	}
	at := s.of[i]
	n := int64(res.NewSize())
	if v.Present {
		n -= int64(attr.Item(v.Data).Size())
	}
	for k := range res.Changes {
		if c := &res.Changes[k]; t.Table.Indexes[c.Index].Local {
			n += int64(c.NewSize - c.OldSize)
		}
	}
	if n > 0 && s.bytes[at]+n > s.limit {
		return api.Errorf(api.ItemCollectionSizeLimit, api.MsgCollectionSizeAlone)
	}
	s.bytes[at] += n
	res.Collection = s.bytes[at]
	return nil
}

// commit writes the sizes that changed.
func (s *sizes) commit(tx storage.Tx) {
	if s.collections == nil {
		return
	}
	for i, k := range s.keys {
		v := tx.Value(s.first + i)
		switch n := s.bytes[i]; {
		case n <= 0 && v.Present:
			tx.Delete(k)
		case n > 0 && (!v.Present || int64(binary.BigEndian.Uint64(v.Data)) != n):
			tx.Put(k, binary.BigEndian.AppendUint64(nil, uint64(n)))
		}
	}
}
