package plan

import (
	"bytes"
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/key"
	numbers "github.com/keystone-db/kstone/engine/number"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// checkVector refuses an item whose vector an index cannot hold (wire-facts §6.27), or whose filter attributes
// have another type. Which of them comes first is not known.
func checkVector(ix *schema.Index, item attr.Item) error {
	for _, a := range ix.Vector.Filters {
		if v := item.Get(a.Name); v != nil && !key.TypeFits(v.Type(), a.Type) {
			return invalid(api.MsgVectorSchemaType, a.Name, a.Type, v.Type(), ix.Name)
		}
	}
	name, dimensions := ix.Vector.Attribute, ix.Vector.Dimensions
	v := item.Get(name)
	if v == nil {
		return nil
	}
	if t := v.Type(); t != attr.L && t != attr.VecF32 {
		return invalid(api.MsgVectorType, name, ix.Name)
	}
	if v.Type() == attr.VecF32 {
		if n := v.Len(); n != dimensions {
			return invalid(api.MsgVectorSize, name, dimensions, n, ix.Name)
		}
		return nil
	}
	if n := v.Len(); n != dimensions {
		return invalid(api.MsgVectorSize, name, dimensions, n, ix.Name)
	}
	place := 0
	for r := attr.ListReader(v); r.Next(); place++ {
		e := r.Value()
		if t := e.Type(); t != attr.N && t != attr.Ts {
			return invalid(api.MsgVectorElement, name, place, t, ix.Name)
		}
		if !numbers.FitsFloat32(e.Payload()) {
			text := strconv.FormatFloat(numbers.Float(e.Payload()), 'E', -1, 64)
			return invalid(api.MsgVectorRange, name, place, text, ix.Name)
		}
	}
	return nil
}

// changesVector says whether an update touches what checkVector looks at.
func changesVector(ix *schema.Index, old, item attr.Item) bool {
	name := ix.Vector.Attribute
	if !bytes.Equal(old.Get(name), item.Get(name)) {
		return true
	}
	for _, a := range ix.Vector.Filters {
		if !bytes.Equal(old.Get(a.Name), item.Get(a.Name)) {
			return true
		}
	}
	return false
}

// Search is a bound SearchVectors.
type Search struct {
	Table *schema.Table
	// Index is the index of vectors, IndexAt its position in Table.Indexes.
	Index   *schema.Index
	IndexAt int
	Vector  []float32
	K       int
	// Partition is what the keys of all entries begin with that the search is about.
	Partition []byte
	// Filter is nil when all entries of the partition count.
	Filter     *expr.Condition
	Projection *expr.Projection
}

// SearchRequest is a SearchVectors, parsed.
type SearchRequest struct {
	Table      *schema.Table
	IndexName  string
	Vector     []attr.Value
	K          int
	Condition  *expr.Condition
	Projection *expr.Projection
	// Creating: the table's indexes are not there yet.
	Creating func(*schema.Index) bool
}

// SearchVectors binds a search (wire-facts §6.28). That bad values come before a wrong
// number of them was measured, the rest of the order is unsure.
func SearchVectors(q *SearchRequest) (Search, error) {
	s := Search{Table: q.Table, IndexAt: -1, K: q.K, Projection: q.Projection}
	for i := range q.Table.Indexes {
		if q.Table.Indexes[i].Name == q.IndexName {
			s.Index, s.IndexAt = &q.Table.Indexes[i], i
		}
	}
	switch {
	case s.Index == nil:
		return s, invalid(api.MsgIndexUnknown, q.IndexName)
	case s.Index.Vector == nil:
		return s, invalid(api.MsgIndexOperation, "SearchVectors")
	case q.Creating(s.Index):
		return s, invalid(api.MsgIndexUnknown, q.IndexName)
	case s.Index.Building:
		return s, invalid(api.MsgVectorBackfilling, q.IndexName)
	}
	for _, v := range q.Vector {
		f, ok := index.Float(v)
		if !ok {
			return s, invalid(api.MsgSearchValues)
		}
		s.Vector = append(s.Vector, f)
	}
	if n := s.Index.Vector.Dimensions; len(q.Vector) != n {
		return s, invalid(api.MsgSearchDimensions, len(q.Vector), n)
	}
	return s, s.condition(q.Condition)
}

// condition binds the condition: the partition key by one equality that all else is joined to, and filter
// attributes by any operator (wire-facts §10 #23).
func (s *Search) condition(c *expr.Condition) error {
	var hash *schema.KeyAttr
	if len(s.Index.Key.Hash) > 0 {
		hash = &s.Index.Key.Hash[0]
	}
	if c == nil {
		if hash != nil {
			return invalid(api.MsgSearchHash)
		}
		s.Partition = key.AppendVectorPartition(nil, s.Table.ID, s.Index, nil)
		return nil
	}
	for _, p := range c.Paths() {
		name := p.TopLevel()
		_, filter := s.Index.Vector.Filter(name)
		switch {
		case p.Nested():
			return invalid(api.MsgSearchNested)
		case !filter && (hash == nil || name != hash.Name):
			return invalid(api.MsgSearchAttribute, name)
		}
	}
	s.Filter = c
	if hash == nil {
		s.Partition = key.AppendVectorPartition(nil, s.Table.ID, s.Index, nil)
		return nil
	}
	value, uses, only := c.Equality(hash.Name)
	switch {
	case uses == 0:
		return invalid(api.MsgSearchHash)
	case value == nil && uses == 1:
		return invalid(api.MsgSearchComparator)
	case uses > 1:
		return invalid(api.MsgSearchHashOnce)
	case !key.TypeFits(value.Type(), hash.Type):
		return invalid(api.MsgSearchHashType, hash.Name, value.Type(), hash.Type)
	}
	if err := checkNotEmpty(hash.Name, value); err != nil {
		return err
	}
	if err := checkKeySize(true, key.Len(value)); err != nil {
		return err
	}
	if only {
		s.Filter = nil // all of the partition
	}
	s.Partition = key.AppendVectorPartition(nil, s.Table.ID, s.Index, value)
	return nil
}
