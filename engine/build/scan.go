package build

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Scan reads all items of a table or index.
type Scan struct {
	pager
	table  *Table
	in     api.ScanInput
	filter Condition
	paths  []string
}

// Scan begins to read all items.
func (t *Table) Scan() *Scan {
	s := &Scan{table: t}
	s.fetcher = s
	return s
}

// Index reads an index of the table.
func (s *Scan) Index(name string) *Scan {
	s.in.IndexName = api.Some(name)
	return s
}

// Segment reads the part i of n, counted from 0. All parts together are the table, whose items are each
// in one of them.
func (s *Scan) Segment(i, n int) *Scan {
	s.in.Segment, s.in.TotalSegments = api.Some(int64(i)), api.Some(int64(n))
	return s
}

// Filter leaves out items that do not meet the condition: a text with its arguments, or a Condition. They
// are read all the same. Several filters must all hold.
func (s *Scan) Filter(cond any, args ...Args) *Scan {
	s.filter = s.filter.And(conditionOf(cond, args))
	s.filtered = s.filter.kind != condNone
	return s
}

// Project reads only what is at the paths, which are written as for Attr.
func (s *Scan) Project(paths ...string) *Scan {
	s.paths = append(s.paths, paths...)
	return s
}

// Limit ends after n items.
func (s *Scan) Limit(n int) *Scan {
	s.bound(&s.limit, "the limit", n)
	return s
}

// PageSize bounds the items that one request reads, before the filter; default is what fits into 1 MB.
func (s *Scan) PageSize(n int) *Scan {
	s.bound(&s.pageSize, "the page size", n)
	return s
}

// Consistent reads what was written last. Global indexes cannot.
func (s *Scan) Consistent() *Scan {
	s.in.ConsistentRead = api.Some(true)
	return s
}

// From begins after the item of that key, the Next of a Page.
func (s *Scan) From(next attr.Item) *Scan {
	s.start = next
	return s
}

func (s *Scan) fetch(ctx context.Context, start attr.Item, limit int64, count bool) (*Page, error) {
	in := s.in
	in.TableName = api.Some(s.table.name)
	in.ExclusiveStartKey = start
	if limit > 0 {
		in.Limit = api.Some(limit)
	}
	var e expression
	in.FilterExpression = e.whole(s.filter)
	if count {
		in.Select = api.Some(api.SelectCount)
	} else {
		in.ProjectionExpression = e.projection(s.paths)
	}
	var err error
	in.ExpressionAttributeNames, in.ExpressionAttributeValues, err = e.placeholders()
	if err != nil {
		return nil, err
	}
	out, err := s.table.client.service.Scan(ctx, &in)
	if err != nil {
		return nil, err
	}
	return newPage(out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey), nil
}
