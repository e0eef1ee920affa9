package engine

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// source is a table or one of its indexes.
type source struct {
	t  *modelTable
	ix *modelIndex
}

func (p *program) source(t *modelTable) source {
	if i := p.rnd.IntN(len(t.indexes) + 1); i > 0 {
		return source{t, &t.indexes[i-1]}
	}
	return source{t, nil}
}

func (s source) hash() modelAttr {
	if s.ix != nil {
		return s.ix.hash
	}
	return s.t.hash
}

func (s source) sort() modelAttr {
	if s.ix != nil {
		return s.ix.sort
	}
	return s.t.sort
}

func (s source) indexName() (o api.Opt[string]) {
	if s.ix != nil {
		o = api.Some(s.ix.name)
	}
	return o
}

func (s source) String() string { return s.t.name + "/" + s.indexName().Value }

// items are those that have an entry in the source and that keep accepts.
func (s source) items(keep func(modelItem) bool) []modelItem {
	var list []modelItem
	for _, it := range s.t.items {
		if (s.ix == nil || s.ix.has(it)) && keep(it) {
			list = append(list, it)
		}
	}
	return list
}

// rest are the attributes that a filter of a Query may use.
func (s source) rest() []string {
	if s.ix == nil || s.ix.projection == "ALL" {
		return modelAttributes
	}
	return s.ix.include
}

// page is one answer of a Query or Scan.
type page struct {
	items          []attr.Item
	count, scanned int64
	last           attr.Item
}

// pages reads to the end and returns the items. Every page but the last must be full.
func pages(limit int64, read func(start attr.Item) (page, error)) (list []string, scanned int64, err error) {
	var start attr.Item
	for {
		got, err := read(start)
		if err != nil {
			return nil, 0, err
		}
		if int(got.count) != len(got.items) {
			return nil, 0, fmt.Errorf("count %d of %d items", got.count, len(got.items))
		}
		full := limit > 0 && got.scanned == limit
		if got.scanned > limit && limit > 0 || full != (got.last != nil) {
			return nil, 0, fmt.Errorf("a page of %d with limit %d, last key %s", got.scanned, limit, shownItem(got.last))
		}
		for _, it := range got.items {
			list = append(list, shownItem(it))
		}
		scanned += got.scanned
		if start = got.last; start == nil {
			return list, scanned, nil
		}
	}
}

// sortCondition draws a condition on the sort key.
func sortCondition(ph *placeholders, k modelAttr) modelCondition {
	name := ph.name(k.name)
	a, b := modelValue(ph.rnd, k.typ), modelValue(ph.rnd, k.typ)
	op := pick(ph.rnd, "=", "<", "<=", ">", ">=", "BETWEEN", "begins_with")
	if op == "begins_with" && k.typ == attr.N {
		op = "="
	}
	switch op {
	case "BETWEEN":
		if c, _ := ordered(a, b); c > 0 {
			a, b = b, a
		}
		return modelCondition{name + " BETWEEN " + ph.value(a) + " AND " + ph.value(b),
			func(it modelItem) bool { return between(it[k.name], a, b) }}
	case "begins_with":
		prefix := fmt.Sprintf("%s", a)
		return modelCondition{"begins_with(" + name + ", " + ph.value(a) + ")",
			func(it modelItem) bool { return strings.HasPrefix(fmt.Sprintf("%s", it[k.name]), prefix) }}
	}
	return modelCondition{name + " " + op + " " + ph.value(a), func(it modelItem) bool {
		c, _ := ordered(it[k.name], a)
		return c == 0 && strings.Contains(op, "=") || c < 0 && strings.HasPrefix(op, "<") ||
			c > 0 && strings.HasPrefix(op, ">")
	}}
}

// query reads one partition forwards and backwards, in pages.
func (p *program) query(t *modelTable) error {
	s := p.source(t)
	ph := placeholders{rnd: p.rnd}
	hash := modelValue(p.rnd, s.hash().typ)
	condition := ph.name(s.hash().name) + " = " + ph.value(hash)
	within := func(modelItem) bool { return true }
	if s.sort().name != "" && p.rnd.IntN(2) == 0 {
		c := sortCondition(&ph, s.sort())
		condition, within = condition+" AND "+c.text, c.eval
	}
	in := &api.QueryInput{
		TableName: api.Some(t.name), IndexName: s.indexName(), KeyConditionExpression: api.Some(condition),
	}
	passes := func(modelItem) bool { return true }
	if len(s.rest()) > 0 && p.rnd.IntN(3) == 0 {
		c := ph.condition(s.rest(), 1)
		in.FilterExpression, passes = api.Some(c.text), c.eval
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = ph.names, ph.values
	if p.rnd.IntN(4) == 0 {
		*in = api.QueryInput{TableName: in.TableName, IndexName: in.IndexName}
		in.KeyConditions, within = legacyKey(p.rnd, s.hash(), s.sort(), hash)
		condition, passes = fmt.Sprint(in.KeyConditions), func(modelItem) bool { return true }
		if len(s.rest()) > 0 && p.rnd.IntN(2) == 0 {
			in.QueryFilter, in.ConditionalOperator, passes = legacyFilter(p.rnd, s.rest())
			condition += fmt.Sprint(in.QueryFilter, in.ConditionalOperator.Value)
		}
	}
	limit := int64(p.rnd.IntN(5))
	if limit > 0 {
		in.Limit = api.Some(limit)
	}
	entry := func(it modelItem) modelItem { return t.entry(s.ix, it) }
	if s.ix != nil && s.ix.local && p.rnd.IntN(2) == 0 {
		in.Select = api.Some(api.SelectAllAttributes)
		entry = func(it modelItem) modelItem { return it }
	}
	p.did = fmt.Sprintf("query %s %s filter %q limit %d %s", s, condition, in.FilterExpression.Value, limit, shownValues(ph.values))
	read := func(forward bool) ([]string, int64, error) {
		in.ScanIndexForward = api.Some(forward)
		return pages(limit, func(start attr.Item) (page, error) {
			in.ExclusiveStartKey = start
			out, err := p.db.Query(p.ctx, in)
			if err != nil {
				return page{}, err
			}
			return page{out.Items, out.Count.Value, out.ScannedCount.Value, out.LastEvaluatedKey}, nil
		})
	}
	keep := func(it modelItem) bool { return shown(it[s.hash().name]) == shown(hash) && within(it) }
	return compareQuery(s, s.items(keep), s.ghosts(keep), passes, entry, read)
}

func shownValues(values []api.NamedValue) string {
	var parts []string
	for _, v := range values {
		parts = append(parts, v.Placeholder+"="+shownValue(v.Value))
	}
	return strings.Join(parts, " ")
}

// compareQuery compares both directions with the model. Entries with equal index keys come in an
// order that only has to be the same both ways. Items past their time that are not swept are read, too.
func compareQuery(s source, all []modelItem, ghosts int, passes func(modelItem) bool, entry func(modelItem) modelItem,
	read func(forward bool) ([]string, int64, error),
) error {
	// The model's order: by the sort key, equal ones by their text.
	bySort := func(a, b modelItem) int { c, _ := ordered(a[s.sort().name], b[s.sort().name]); return c }
	slices.SortFunc(all, bySort)
	var want []string
	var groups []string // the sort key of each
	for _, it := range all {
		if passes(it) {
			want = append(want, shown(entry(it)))
			groups = append(groups, shown(it[s.sort().name]))
		}
	}
	got, scanned, err := read(true)
	if err != nil {
		return err
	}
	back, _, err := read(false)
	if err != nil {
		return err
	}
	if int(scanned) != len(all)+ghosts {
		return fmt.Errorf("%d entries were read, not %d and %d past their time", scanned, len(all), ghosts)
	}
	slices.Reverse(back)
	if err := differs("backwards", strings.Join(back, "\n"), strings.Join(got, "\n")); err != nil {
		return err
	}
	if len(got) == len(want) {
		for from := 0; from < len(want); {
			to := from + 1
			for to < len(want) && groups[to] == groups[from] {
				to++
			}
			sort.Strings(want[from:to])
			sort.Strings(got[from:to])
			from = to
		}
	}
	return differs("items", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// scan reads all segments of a table or index, in pages.
func (p *program) scan(t *modelTable) error {
	s := p.source(t)
	ph := placeholders{rnd: p.rnd}
	in := &api.ScanInput{TableName: api.Some(t.name), IndexName: s.indexName()}
	passes := func(modelItem) bool { return true }
	if p.rnd.IntN(3) == 0 {
		c := ph.condition(append([]string{t.hash.name}, s.rest()...), 1)
		in.FilterExpression, passes = api.Some(c.text), c.eval
	}
	in.ExpressionAttributeNames, in.ExpressionAttributeValues = ph.names, ph.values
	if p.rnd.IntN(4) == 0 {
		*in = api.ScanInput{TableName: in.TableName, IndexName: in.IndexName}
		in.ScanFilter, in.ConditionalOperator, passes = legacyFilter(p.rnd, append([]string{t.hash.name}, s.rest()...))
	}
	limit := int64(p.rnd.IntN(7))
	if limit > 0 {
		in.Limit = api.Some(limit)
	}
	segments := int64(1 + p.rnd.IntN(4))
	p.did = fmt.Sprintf("scan %s filter %q %v limit %d of %d segments %s", s, in.FilterExpression.Value, in.ScanFilter, limit, segments, shownValues(ph.values))
	var want []string
	for _, it := range s.items(passes) {
		want = append(want, shown(t.entry(s.ix, it)))
	}
	got, err := p.segments(in, limit, segments)
	if err != nil {
		return err
	}
	sort.Strings(got)
	sort.Strings(want)
	return differs("items", strings.Join(got, "\n"), strings.Join(want, "\n"))
}

func (p *program) segments(in *api.ScanInput, limit, segments int64) ([]string, error) {
	var all []string
	for segment := range segments {
		if segments > 1 {
			in.Segment, in.TotalSegments = api.Some(segment), api.Some(segments)
		}
		got, _, err := pages(limit, func(start attr.Item) (page, error) {
			in.ExclusiveStartKey = start
			out, err := p.db.Scan(p.ctx, in)
			if err != nil {
				return page{}, err
			}
			return page{out.Items, out.Count.Value, out.ScannedCount.Value, out.LastEvaluatedKey}, nil
		})
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
	}
	return all, nil
}

// compare compares a whole table with all its indexes, and what DescribeTable counts.
func (p *program) compare(t *modelTable) error {
	if !t.exists {
		return nil
	}
	sources := []source{{t, nil}}
	for i := range t.indexes {
		sources = append(sources, source{t, &t.indexes[i]})
	}
	for _, s := range sources {
		p.did = "compare " + s.String()
		got, err := p.segments(&api.ScanInput{TableName: api.Some(t.name), IndexName: s.indexName()}, 0, 1)
		if err != nil {
			return err
		}
		var want []string
		for _, it := range s.items(func(modelItem) bool { return true }) {
			want = append(want, shown(t.entry(s.ix, it)))
		}
		sort.Strings(got)
		sort.Strings(want)
		if err := differs("items", strings.Join(got, "\n"), strings.Join(want, "\n")); err != nil {
			return err
		}
	}
	var out *api.DescribeTableOutput
	err := p.settle(func() (err error) {
		out, err = p.db.DescribeTable(p.ctx, &api.DescribeTableInput{TableName: api.Some(t.name)})
		return err
	})
	if err != nil {
		return err
	}
	return differs("count", fmt.Sprint(out.Table.ItemCount.Value), fmt.Sprint(len(t.items)+len(t.ghosts)))
}
