// Package schema describes tables and indexes as plain data: what a key is made of and what an
// index projects. It knows neither storage nor requests.
package schema

import "slices"

import "github.com/keystone-db/kstone/engine/attr"

// KeyAttr is one attribute of a key and its type: S, N or B.
type KeyAttr struct {
	Name string    `json:"name"`
	Type attr.Type `json:"type"`
}

// Key is the key of a table or an index, in the order of significance. A table has one partition
// attribute and at most one sort attribute; a global index may have up to four of each.
type Key struct {
	Hash  []KeyAttr `json:"hash"`
	Range []KeyAttr `json:"range,omitempty"`
}

// HasRange says whether the key has a sort attribute.
func (k Key) HasRange() bool { return len(k.Range) > 0 }

// Len is the number of attributes.
func (k Key) Len() int { return len(k.Hash) + len(k.Range) }

// At returns the i-th attribute, partition attributes first.
func (k Key) At(i int) KeyAttr {
	if i < len(k.Hash) {
		return k.Hash[i]
	}
	return k.Range[i-len(k.Hash)]
}

// Find returns the attribute of that name.
func (k Key) Find(name string) (KeyAttr, bool) {
	for i := range k.Len() {
		if a := k.At(i); a.Name == name {
			return a, true
		}
	}
	return KeyAttr{}, false
}

// Has says whether name is an attribute of the key.
func (k Key) Has(name string) bool {
	_, ok := k.Find(name)
	return ok
}

// Projection says what an index holds beside its own and the table's key. Stored: never renumber.
type Projection uint8

const (
	// ProjectAll holds the whole item.
	ProjectAll Projection = 1
	// ProjectKeys holds only keys.
	ProjectKeys Projection = 2
	// ProjectInclude holds keys and the NonKey attributes.
	ProjectInclude Projection = 3
)

// Index is a secondary index.
type Index struct {
	Name string `json:"name"`
	// Sub is the index id: the second field of its keys' heads, never zero, never reused.
	Sub        uint32     `json:"sub"`
	Local      bool       `json:"local,omitempty"`
	Key        Key        `json:"key"`
	Projection Projection `json:"projection"`
	// NonKey are the attributes of ProjectInclude in the order in which they were given.
	NonKey []string `json:"nonKey,omitempty"`
	// Building: writes keep the index, but it lacks older items still and is not read.
	Building bool `json:"building,omitempty"`
	// DeleteOnly: writes remove entries of the index but make none. It is the first step of a new index,
	// while operations still run that do not know of it: one of these would leave an entry behind that
	// another writer had made. Never stored, since nothing runs across an open.
	DeleteOnly bool `json:"-"`
	// Vector makes it an index of vectors; nil for the others. Its key is the partition attribute of the
	// search schema, or nothing.
	Vector *Vector `json:"vector,omitempty"`
}

// Global says whether it is a global secondary index.
func (ix *Index) Global() bool { return !ix.Local && ix.Vector == nil }

// Distance says how the distance of two vectors is measured. Stored: never renumber.
type Distance uint8

const (
	// DistanceCosine is 1 less the cosine of the angle.
	DistanceCosine Distance = 1
	// DistanceEuclidean is the length of the difference.
	DistanceEuclidean Distance = 2
	// DistanceDot is the inner product.
	DistanceDot Distance = 3
)

// Vector is what an index of vectors has beside other ones.
type Vector struct {
	// Attribute holds the vectors, each of so many Dimensions.
	Attribute  string   `json:"attribute"`
	Dimensions int      `json:"dimensions"`
	Distance   Distance `json:"distance"`
	// Filters are the attributes of the search schema by which searches filter.
	Filters []KeyAttr `json:"filters,omitempty"`
	// Tail and Graph are the second fields of the heads of the rows that say which entries have changed,
	// and of the pages of the graph.
	Tail  uint32 `json:"tail"`
	Graph uint32 `json:"graph"`
}

// Filter returns the filter attribute of that name.
func (v *Vector) Filter(name string) (KeyAttr, bool) {
	for _, a := range v.Filters {
		if a.Name == name {
			return a, true
		}
	}
	return KeyAttr{}, false
}

// Table is what the data plane must know of a table.
type Table struct {
	// ID is the first field of the heads of all its keys, never reused.
	ID   uint64 `json:"id"`
	Name string `json:"name"`
	Key  Key    `json:"key"`
	// Indexes in order of creation: global ones first, as the service checks them, then local ones, then
	// those of vectors.
	Indexes []Index `json:"indexes,omitempty"`
	// TTL is the attribute that holds the expiry time in seconds; empty when off.
	TTL string `json:"ttl,omitempty"`
	// TTLSub is the second field of the heads of the table's expiry rows, zero when it keeps none.
	TTLSub uint32 `json:"ttlSub,omitempty"`
	// CollectionSub is the second field of the heads of the rows with the sizes of item collections,
	// zero when there are none: only tables with local indexes have them.
	CollectionSub uint32 `json:"collectionSub,omitempty"`
}

// Index returns the index of that name, nil when there is none.
func (t *Table) Index(name string) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].Name == name {
			return &t.Indexes[i]
		}
	}
	return nil
}

// BySub returns the index of that id, nil when there is none.
func (t *Table) BySub(sub uint32) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].Sub == sub {
			return &t.Indexes[i]
		}
	}
	return nil
}

// HasSub says whether the table has an index of that id.
func (t *Table) HasSub(sub uint32) bool {
	return slices.ContainsFunc(t.Indexes, func(ix Index) bool { return ix.Sub == sub })
}

// HasVectors says whether the table has an index of vectors.
func (t *Table) HasVectors() bool {
	return slices.ContainsFunc(t.Indexes, func(ix Index) bool { return ix.Vector != nil })
}

// HasLocal says whether the table has a local secondary index, and so item collections.
func (t *Table) HasLocal() bool {
	for i := range t.Indexes {
		if t.Indexes[i].Local {
			return true
		}
	}
	return false
}

// Projects says whether entries of the index hold the attribute.
func (t *Table) Projects(ix *Index, name string) bool {
	if ix.Projection == ProjectAll || ix.Key.Has(name) || t.Key.Has(name) {
		return true
	}
	if ix.Vector != nil {
		if _, ok := ix.Vector.Filter(name); ok {
			return true
		}
	}
	return slices.Contains(ix.NonKey, name)
}
