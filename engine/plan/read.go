package plan

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// Read is a bound Query or Scan: one range of a table or an index, and what to make of its entries.
type Read struct {
	Table *schema.Table
	// Index is nil for the table itself; IndexAt is its position in Table.Indexes.
	Index   *schema.Index
	IndexAt int
	Range   key.Range
	Reverse bool
	// Limit is the number of entries to read at most; zero means no limit but the page size.
	Limit      int
	Filter     *expr.Condition
	Projection *expr.Projection
	// Fetch: entries lack what is asked for, the items come from the table.
	Fetch      bool
	CountOnly  bool
	Consistent bool
	// Unmetered: nobody asks what the read consumes.
	Unmetered bool
	// Scan: it is a page of everything there is, not of one partition.
	Scan bool
}

// ReadRequest is what Query and Scan have in common, parsed.
type ReadRequest struct {
	Table      *schema.Table
	IndexName  string // empty for the table itself
	Select     string
	Consistent bool
	Reverse    bool
	Limit      int
	StartKey   attr.Item
	Filter     *expr.Condition
	Projection *expr.Projection
	// operation is Query or Scan, for texts.
	operation string
	// KeyFilter lets a Query's filter use the key, as a statement of PartiQL may.
	KeyFilter bool
	// Room is memory for the range.
	Room Room
}

// source finds what is read and fills in everything but the range.
func (q *ReadRequest) source() (Read, error) {
	r := Read{
		Table: q.Table, IndexAt: -1, Reverse: q.Reverse, Limit: q.Limit, Filter: q.Filter,
		Projection: q.Projection, Consistent: q.Consistent, CountOnly: q.Select == api.SelectCount,
	}
	if q.IndexName == "" {
		return r, nil
	}
	for i := range q.Table.Indexes {
		if q.Table.Indexes[i].Name == q.IndexName {
			r.Index, r.IndexAt = &q.Table.Indexes[i], i
		}
	}
	if r.Index == nil {
		return r, invalid(api.MsgIndexUnknown, q.IndexName)
	}
	if r.Index.Vector != nil {
		return r, invalid(api.MsgIndexOperation, q.operation)
	}
	if q.Consistent && !r.Index.Local {
		return r, invalid(api.MsgConsistentIndex)
	}
	if r.Index.Building {
		return r, invalid(api.MsgBackfilling, r.Index.Name)
	}
	return r, nil
}

// KeyNames appends the names of the attributes of a LastEvaluatedKey, sorted.
func (r *Read) KeyNames(names []string) []string {
	if r.Index == nil {
		return keyNames(names, &r.Table.Key, nil)
	}
	return keyNames(names, &r.Table.Key, &r.Index.Key)
}

// key is the key of what is read.
func (r *Read) key() *schema.Key {
	if r.Index != nil {
		return &r.Index.Key
	}
	return &r.Table.Key
}

func (r *Read) sub() uint32 {
	if r.Index != nil {
		return r.Index.Sub
	}
	return key.TableSub
}

// keyNames appends the distinct attribute names of two keys, sorted.
func keyNames(names []string, a, b *schema.Key) []string {
	for i := range a.Len() {
		names = append(names, a.At(i).Name)
	}
	if b != nil {
		for i := range b.Len() {
			if !a.Has(b.At(i).Name) {
				names = append(names, b.At(i).Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// KeyNamesMax is the most names that KeyNames appends: a table's key and that of an index.
const KeyNamesMax = 2 + 8

// position is where a start key stands among the keys of what is read; false when no item can have
// that key.
func (r *Read) position(start attr.Item) ([]byte, bool) {
	if !possibleKey(&r.Table.Key, start) || r.Index != nil && !possibleKey(&r.Index.Key, start) {
		return nil, false
	}
	if r.Index != nil {
		return key.AppendEntry(nil, r.Table, r.Index, start)
	}
	return key.AppendItem(nil, r.Table, start)
}

// possibleKey says whether a start key's values are neither empty nor too long for a key.
func possibleKey(k *schema.Key, start attr.Item) bool {
	hashBytes, rangeBytes := 0, 0
	for i := range k.Len() {
		v := start.Get(k.At(i).Name)
		if v == nil || key.Len(v) == 0 {
			return false
		}
		if i < len(k.Hash) {
			hashBytes += key.Len(v)
		} else {
			rangeBytes += key.Len(v)
		}
	}
	return hashBytes <= key.PartitionMaxBytes && rangeBytes <= key.SortMaxBytes
}

// resume cuts the range so that reading goes on strictly after position.
func (r *Read) resume(position []byte) {
	if r.Reverse {
		if r.Range.End == nil || string(position) < string(r.Range.End) {
			r.Range.End = position
		}
		return
	}
	if next := append(position, 0); string(next) > string(r.Range.Start) {
		r.Range.Start = next
	}
}

// fetch decides where the attributes that are asked for come from: the checks 19 and 20 of wire-facts
// §6.10.
func (r *Read) fetch(sel string) error {
	ix := r.Index
	if ix == nil || ix.Projection == schema.ProjectAll {
		return nil
	}
	if sel == api.SelectAllAttributes {
		if !ix.Local {
			return invalid(api.MsgSelectAllIndex, ix.Name)
		}
		r.Fetch = true
		return nil
	}
	if r.Projection == nil {
		return nil
	}
	var missing []string
	for _, name := range r.Projection.TopLevel() {
		if !r.Table.Projects(ix, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case len(missing) == 0:
	case ix.Local:
		r.Fetch = true
	default:
		return invalid(api.MsgNotProjected, ix.Name, joinNames(missing))
	}
	return nil
}

func joinNames(names []string) string {
	var out strings.Builder
	for i, n := range names {
		if i > 0 {
			out.WriteString(", ")
		}
		out.WriteString(n)
	}
	return out.String()
}

// Get binds a read of one item: the key against the schema, then nested paths under keys.
func Get(room *Room, t *schema.Table, k attr.Item, p *expr.Projection) ([]byte, error) {
	b, err := bindKey(room, t, k)
	if err != nil || p == nil {
		return b, err
	}
	return b, checkPaths(t, p.Paths())
}
