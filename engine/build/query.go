package build

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Query reads the items of one partition key, in the order of their sort keys.
type Query struct {
	pager
	table     *Table
	in        api.QueryInput
	partition []attr.Value
	sort      []sortCondition
	key       Condition
	filter    Condition
	paths     []string
}

// sortCondition is a condition on one attribute of the sort key.
type sortCondition struct {
	make func(o Operand, args []any) Condition
	args []any
}

// Query begins to read items by their key, those of the table or of an index of it.
func (t *Table) Query() *Query {
	q := &Query{table: t}
	q.fetcher = q
	return q
}

// Index reads an index of the table, whose key PK and the SK methods then mean.
func (q *Query) Index(name string) *Query {
	q.in.IndexName = api.Some(name)
	return q
}

// PK is the partition key; of an index that has several attributes for it, all of them.
func (q *Query) PK(values ...any) *Query {
	for _, v := range values {
		value, err := toValue(v)
		if err != nil && q.err == nil {
			q.err = err
		}
		q.partition = append(q.partition, value)
	}
	return q
}

// onSort adds a condition on the next attribute of the sort key.
func (q *Query) onSort(make func(o Operand, args []any) Condition, values ...any) *Query {
	for i, v := range values {
		value, err := toValue(v)
		if err != nil && q.err == nil {
			q.err = err
		}
		values[i] = value
	}
	q.sort = append(q.sort, sortCondition{make, values})
	return q
}

// SKEqual reads the item whose sort key equals v. Of an index that has several attributes for its sort
// key, each call of an SK method speaks of the next one; all but the last must be SKEqual.
func (q *Query) SKEqual(v any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.Equal(args[0]) }, v)
}

// SKLess reads sort keys less than v.
func (q *Query) SKLess(v any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.Less(args[0]) }, v)
}

// SKLessEqual reads sort keys up to v.
func (q *Query) SKLessEqual(v any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.LessEqual(args[0]) }, v)
}

// SKGreater reads sort keys greater than v.
func (q *Query) SKGreater(v any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.Greater(args[0]) }, v)
}

// SKGreaterEqual reads sort keys from v on.
func (q *Query) SKGreaterEqual(v any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.GreaterEqual(args[0]) }, v)
}

// SKBetween reads sort keys from low to high, both included.
func (q *Query) SKBetween(low, high any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.Between(args[0], args[1]) }, low, high)
}

// SKBeginsWith reads sort keys, strings or binaries, that begin with prefix.
func (q *Query) SKBeginsWith(prefix any) *Query {
	return q.onSort(func(o Operand, args []any) Condition { return o.BeginsWith(args[0]) }, prefix)
}

// KeyCondition is the key condition as a text with its arguments or as a Condition, in place of PK and the SK
// methods: it needs no look at the table.
func (q *Query) KeyCondition(cond any, args ...Args) *Query {
	q.key = q.key.And(conditionOf(cond, args))
	return q
}

// Filter leaves out items that do not meet the condition: a text with its arguments, or a Condition. They
// are read all the same. Several filters must all hold.
func (q *Query) Filter(cond any, args ...Args) *Query {
	q.filter = q.filter.And(conditionOf(cond, args))
	q.filtered = q.filter.kind != condNone
	return q
}

// Project reads only what is at the paths, which are written as for Attr.
func (q *Query) Project(paths ...string) *Query {
	q.paths = append(q.paths, paths...)
	return q
}

// Limit ends after n items.
func (q *Query) Limit(n int) *Query {
	q.bound(&q.limit, "the limit", n)
	return q
}

// PageSize bounds the items that one request reads, before the filter; default is what fits into 1 MB.
func (q *Query) PageSize(n int) *Query {
	q.bound(&q.pageSize, "the page size", n)
	return q
}

// Descending reads from the last sort key to the first.
func (q *Query) Descending() *Query {
	q.in.ScanIndexForward = api.Some(false)
	return q
}

// Consistent reads what was written last. Global indexes cannot.
func (q *Query) Consistent() *Query {
	q.in.ConsistentRead = api.Some(true)
	return q
}

// From begins after the item of that key, the Next of a Page.
func (q *Query) From(next attr.Item) *Query {
	q.start = next
	return q
}

func (q *Query) fetch(ctx context.Context, start attr.Item, limit int64, count bool) (*Page, error) {
	in := q.in
	in.TableName = api.Some(q.table.name)
	in.ExclusiveStartKey = start
	if limit > 0 {
		in.Limit = api.Some(limit)
	}
	keyCondition, err := q.keyCondition(ctx)
	if err != nil {
		return nil, err
	}
	var e expression
	in.KeyConditionExpression = e.whole(keyCondition)
	in.FilterExpression = e.whole(q.filter)
	if count {
		in.Select = api.Some(api.SelectCount)
	} else {
		in.ProjectionExpression = e.projection(q.paths)
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues, err = e.placeholders()
	if err != nil {
		return nil, err
	}
	out, err := q.table.client.service.Query(ctx, &in)
	if err != nil {
		return nil, q.table.checked(err)
	}
	return newPage(out.Items, out.Count, out.ScannedCount, out.LastEvaluatedKey), nil
}

// keyCondition is that of KeyCondition and of PK and the SK methods, whose attributes the table's schema names.
func (q *Query) keyCondition(ctx context.Context) (Condition, error) {
	cond := q.key
	if len(q.partition) == 0 && len(q.sort) == 0 {
		return cond, nil
	}
	names, err := q.keyNames(ctx)
	if err != nil {
		return Condition{}, err
	}
	if len(q.partition) > len(names.partition) || len(q.sort) > len(names.sort) {
		return Condition{}, q.table.checked(api.Errorf(api.Validation, api.MsgKeyMismatch))
	}
	for i, v := range q.partition {
		cond = cond.And(Name(names.partition[i]).Equal(v))
	}
	for i, s := range q.sort {
		cond = cond.And(s.make(Name(names.sort[i]), s.args))
	}
	return cond, nil
}

func (q *Query) keyNames(ctx context.Context) (keyNames, error) {
	s, err := q.table.client.schemaOf(ctx, q.table.name)
	if err != nil {
		return keyNames{}, err
	}
	if !q.in.IndexName.Set {
		return s.key, nil
	}
	index := q.in.IndexName.Value
	names, ok := s.indexes[index]
	if !ok { // perhaps the index is younger than what is known of the table
		q.table.client.setSchema(q.table.name, nil)
		if s, err = q.table.client.schemaOf(ctx, q.table.name); err != nil {
			return keyNames{}, err
		}
		if names, ok = s.indexes[index]; !ok {
			return keyNames{}, api.Errorf(api.Validation, api.MsgIndexUnknown, index)
		}
	}
	return names, nil
}
