package partiql

import (
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/expr"
)

// severalPageMax is how many items a page has at most when a statement names several partitions
// (wire-facts §6.15).
const severalPageMax = 10

// Position is where a page of a SELECT begins.
type Position struct {
	// Part counts the partitions that the statement names.
	Part int
	// Start is the key of the last item read there; nil for the beginning.
	Start attr.Item
}

// Options are what a request says beside the statement.
type Options struct {
	Consistent bool
	Limit      int
	From       Position
}

// Selection is a bound SELECT: a read of one item or, when Key is nil, reads to be run one after the
// other.
type Selection struct {
	Key        []byte
	Item       attr.Item        // the attributes of Key
	Filter     *expr.Condition  // of a read of one item
	Projection *expr.Projection // of a read of one item
	// Reads are those from Options.From on; First is the number of the first of them.
	Reads []plan.Read
	First int
	// ItemsMax ends a page by the number of its items; zero for no such limit.
	ItemsMax int
	// KeyTexts are the conditions on the key of the item or of each of Reads, printed for EXPLAIN;
	// empty for a Scan.
	KeyTexts []string
	// Query tells whether Reads are of partitions, not of everything.
	Query bool
}

// Select binds a SELECT to its table. Errors are *Error, *expr.Error or those of package plan.
func (b *Bound) Select(t *schema.Table, o *Options) (*Selection, error) {
	s := b.selectStatement()
	if len(s.Order) > 0 && s.Where == nil {
		return nil, errorf(msgOrderWithoutWhere)
	}
	projection, err := projectionOf(s)
	if err != nil {
		return nil, err
	}
	k := &t.Key
	if name := s.From.Index; name != "" {
		ix := t.Index(name)
		switch {
		case ix == nil:
			return nil, errorf(msgNoIndex)
		case o.Consistent && ix.Global():
			return nil, errorf(msgConsistentIndex)
		}
		k = &ix.Key
	}
	parts, err := b.parts(s.Where, k)
	if err != nil {
		return nil, err
	}
	reverse, err := orderParts(s.Order, parts, k)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 && s.From.Index == "" {
		if item := parts[0].item(k); item != nil {
			return b.selectOne(t, item, &parts[0], projection)
		}
	}
	q := plan.ReadRequest{
		Table: t, IndexName: s.From.Index, Consistent: o.Consistent, Reverse: reverse, Limit: o.Limit,
		Projection: projection, KeyFilter: true,
	}
	if parts == nil {
		return b.scan(&q, s.Where, o)
	}
	return b.queries(&q, parts, k, o)
}

// selectStatement is the SELECT of a statement, also that of an EXISTS.
func (b *Bound) selectStatement() *Select {
	if e, ok := b.Statement.(*Exists); ok {
		return e.Query
	}
	return b.Statement.(*Select)
}

func projectionOf(s *Select) (*expr.Projection, error) {
	if s.Paths == nil {
		return nil, nil
	}
	paths := make([]*expr.DocPath, len(s.Paths))
	for i, p := range s.Paths {
		paths[i] = docPath(p)
	}
	p, err := expr.NewProjectionTree(paths).Bind(expr.NewBinder(nil, nil))
	if err != nil || !slices.ContainsFunc(p.Paths(), expr.Path.Nested) {
		return p, err
	}
	// DynamoDB does this (TestNestedPathsAreFlat): unlike a ProjectionExpression, a nested path gives an
	// attribute of the last name. Unsure: no more than how clients of the service read its answers.
	return p.Flat(), nil
}

// selectOne binds a read of one item. Its filter is not the service's GetItem's, which has none, but
// costs nothing beside it.
func (b *Bound) selectOne(t *schema.Table, item attr.Item, p *part, projection *expr.Projection) (*Selection, error) {
	filter, err := b.filter(expr.KindFilter, nil, p.rest)
	if err != nil {
		return nil, err
	}
	out := &Selection{Item: item, Filter: filter, Projection: projection}
	if b.Explain {
		out.KeyTexts = []string{KeyText(t, item)}
	}
	var room plan.Room
	out.Key, err = plan.Get(&room, t, item, projection)
	return out, err
}

func (b *Bound) scan(q *plan.ReadRequest, where Expr, o *Options) (*Selection, error) {
	var err error
	if q.Filter, err = b.filter(expr.KindFilter, nil, conjuncts(where)); err != nil {
		return nil, err
	}
	if o.From.Part != 0 {
		return nil, errorf(msgToken)
	}
	q.StartKey = o.From.Start
	r, err := plan.Scan(q, 0, 1)
	return &Selection{Reads: []plan.Read{r}}, err
}

func (b *Bound) queries(q *plan.ReadRequest, parts []part, k *schema.Key, o *Options) (*Selection, error) {
	if o.From.Part >= len(parts) {
		return nil, errorf(msgToken)
	}
	out := &Selection{First: o.From.Part, Query: true}
	if len(parts) > 1 {
		out.ItemsMax = severalPageMax
	}
	for i := o.From.Part; i < len(parts); i++ {
		p := &parts[i]
		kc, err := p.keyTree(k).BindKey(expr.NewBinder(nil, nil))
		if err != nil {
			return nil, err
		}
		if q.Filter, err = b.filter(expr.KindFilter, nil, p.rest); err != nil {
			return nil, err
		}
		if err := filterProjected(q); err != nil {
			return nil, err
		}
		q.StartKey, q.Room = nil, plan.Room{}
		if i == o.From.Part {
			q.StartKey = o.From.Start
		}
		r, err := plan.Query(q, kc)
		if err != nil {
			return nil, err
		}
		out.Reads = append(out.Reads, r)
		if b.Explain {
			out.KeyTexts = append(out.KeyTexts, p.keyTree(k).String())
		}
	}
	return out, nil
}

// filterProjected refuses a filter of a query of an index on what the index does not hold, local ones too. A scan of
// one finds nothing instead.
func filterProjected(q *plan.ReadRequest) error {
	ix := q.Table.Index(q.IndexName)
	if q.IndexName == "" || ix == nil || q.Filter == nil || ix.Vector != nil {
		return nil
	}
	missing := slices.DeleteFunc(q.Filter.Attributes(), func(name string) bool { return q.Table.Projects(ix, name) })
	if len(missing) > 0 {
		return errorf(msgNotProjected, ix.Name, strings.Join(missing, ", "))
	}
	return nil
}

// orderParts checks ORDER BY against the key, sorts the parts by it and tells whether the sort key
// descends. The partition key orders partitions: it stands first where there are several, since items
// of several partitions are never merged, and is of no account where there is one.
func orderParts(order []Order, parts []part, k *schema.Key) (reverse bool, err error) {
	if len(order) == 0 {
		return false, nil
	}
	if parts == nil {
		return false, errorf(msgOrderWithoutHash)
	}
	for _, o := range order {
		if !k.Has(o.Name) {
			return false, errorf(msgOrderName, o.Name)
		}
	}
	if len(parts) == 1 {
		return orderRange(slices.DeleteFunc(slices.Clone(order), func(o Order) bool { return hashAt(k, o.Name) >= 0 }), k)
	}
	var hash []Order
	for len(hash) < len(order) && hashAt(k, order[len(hash)].Name) >= 0 {
		hash = order[:len(hash)+1]
	}
	rest := order[len(hash):]
	if len(hash) == 0 || len(rest) > 0 && len(hash) < len(k.Hash) {
		return false, errorf(msgOrderSeveral)
	}
	if reverse, err = orderRange(rest, k); err != nil {
		return false, err
	}
	slices.SortStableFunc(parts, func(x, y part) int { return compareHash(hash, k, &x, &y) })
	return reverse, nil
}

// orderRange checks terms against the sort key: its attributes from the first on, in one direction.
func orderRange(terms []Order, k *schema.Key) (reverse bool, err error) {
	for i, o := range terms {
		if i >= len(k.Range) || o.Name != k.Range[i].Name || o.Desc != terms[0].Desc {
			return false, errorf(msgOrderRange)
		}
	}
	return len(terms) > 0 && terms[0].Desc, nil
}

// hashAt is the place of an attribute in the partition key; -1 for none.
func hashAt(k *schema.Key, name string) int {
	for i := range k.Hash {
		if k.Hash[i].Name == name {
			return i
		}
	}
	return -1
}

func compareHash(order []Order, k *schema.Key, x, y *part) int {
	for _, o := range order {
		i := hashAt(k, o.Name)
		c, _ := attr.Compare(x.hash[i], y.hash[i])
		if o.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

// IsRead tells whether the statement is a SELECT.
func (p *Prepared) IsRead() bool {
	_, ok := p.Statement.(*Select)
	return ok
}

// Write binds a statement other than a SELECT to its table: the write that the native operation
// makes. Errors are as for Select.
func (b *Bound) Write(room *plan.Room, t *schema.Table) (plan.Write, error) {
	if err := b.sound(); err != nil {
		return plan.Write{}, err
	}
	switch n := b.Statement.(type) {
	case *Insert:
		return b.insert(room, t, n)
	case *Update:
		u, err := b.update(n.Actions)
		if err != nil {
			return plan.Write{}, err
		}
		k, c, err := b.keyed(t, n.Where, true)
		if err != nil {
			return plan.Write{}, err
		}
		return plan.Update(room, t, k, u, c)
	case *Delete:
		k, c, err := b.keyed(t, n.Where, false)
		if err != nil {
			return plan.Write{}, err
		}
		return plan.Delete(room, t, k, c)
	case *Exists:
		if !b.namesItem(t, n.Query.Where) {
			return plan.Write{}, errorf(msgExistsItem)
		}
		k, c, err := b.keyed(t, n.Query.Where, true)
		if err != nil {
			return plan.Write{}, err
		}
		return plan.Check(room, t, k, c)
	}
	return plan.Write{}, errorf(msgMalformed, msgDetailManipulation)
}

// insert binds a put on the condition that there is no such item.
func (b *Bound) insert(room *plan.Room, t *schema.Table, n *Insert) (plan.Write, error) {
	if !isConstant(n.Value) {
		return plan.Write{}, b.errAt(n.Value, msgInsertTuple)
	}
	v, err := b.anyDepth(n.Value)
	switch {
	case err != nil:
		return plan.Write{}, err
	case v.Type() != attr.M:
		return plan.Write{}, b.errAt(n.Value, msgInsertTuple)
	case attr.ItemDepth(v.MapItem()) > attr.DepthMax:
		return plan.Write{}, b.tooDeep(n.Value)
	case v.MapItem().Has(""):
		return plan.Write{}, b.errAt(n.Value, "%s", (&attr.ValueError{Kind: attr.NameEmpty}).Message())
	}
	absent := &expr.Call{
		Fn: expr.FnAttributeNotExists, Args: []expr.Operand{attribute(t.Key.Hash[0].Name)},
	}
	c, err := b.filter(expr.KindCondition, absent, nil)
	if err != nil {
		return plan.Write{}, err
	}
	return plan.Put(room, t, v.MapItem(), c)
}

// keyed returns the key that a WHERE names and the condition that is left; with present, the item
// must be there.
func (b *Bound) keyed(t *schema.Table, where Expr, present bool) (attr.Item, *expr.Condition, error) {
	terms := conjuncts(where)
	used := make(map[int]bool)
	k := attr.Item{}
	for i := range t.Key.Len() {
		name := t.Key.At(i).Name
		at, v, err := b.equality(terms, name)
		if err != nil {
			return nil, nil, err
		}
		if at < 0 {
			return nil, nil, errorf(msgNeedsKey)
		}
		used[at] = true
		k = k.With(name, v)
	}
	var exists expr.Cond
	if present {
		exists = &expr.Call{
			Fn: expr.FnAttributeExists, Args: []expr.Operand{attribute(t.Key.Hash[0].Name)},
		}
	}
	c, err := b.filter(expr.KindCondition, exists, without(terms, used))
	return k, c, err
}

// namesItem says whether a WHERE gives the whole key and something else besides.
func (b *Bound) namesItem(t *schema.Table, where Expr) bool {
	terms := conjuncts(where)
	for i := range t.Key.Len() {
		if at, _, err := b.equality(terms, t.Key.At(i).Name); at < 0 && err == nil {
			return false
		}
	}
	return len(terms) > t.Key.Len()
}

// equality finds the first term that gives an attribute one value; -1 for none.
func (b *Bound) equality(terms []Expr, name string) (int, attr.Value, error) {
	for i, t := range terms {
		n, ok := t.(*Binary)
		if !ok {
			continue
		}
		if op, x, ok := compareWith(n, name); ok && op == OpEq {
			v, err := b.constant(x)
			return i, v, err
		}
	}
	return -1, nil, nil
}

// KeyText prints the key of an item as a condition.
func KeyText(t *schema.Table, item attr.Item) string {
	var terms []expr.Cond
	for i := range t.Key.Len() {
		name := t.Key.At(i).Name
		terms = append(terms, equals(name, item.Get(name)))
	}
	return expr.NewConditionTree(all(terms)).String()
}

// PartsMax is the largest number of a Position's part.
const PartsMax = keyInMax

// IsInsert tells whether the statement is an INSERT.
func (p *Prepared) IsInsert() bool {
	_, ok := p.Statement.(*Insert)
	return ok
}

// Returning is the RETURNING of the statement; nil when it has none.
func (p *Prepared) Returning() *Returning {
	switch n := p.Statement.(type) {
	case *Update:
		return n.Returning
	case *Delete:
		return n.Returning
	}
	return nil
}

// Alone refuses what only a transaction takes.
func (p *Prepared) Alone() error {
	if _, ok := p.Statement.(*Exists); ok && !p.Explain {
		return errorf(msgExistsAlone)
	}
	return p.sound()
}

// InBatch refuses what a batch does not take.
func (p *Prepared) InBatch() error {
	if p.Explain {
		return errorf(msgExplainAlone)
	}
	return p.Alone()
}

// InTransaction refuses what a transaction does not take; i is the place of the statement.
func (p *Prepared) InTransaction(i int) error {
	switch {
	case p.Explain:
		return errorf(msgExplainAlone)
	case p.Returning() != nil:
		return errorf(msgTransactReturning, i)
	case p.IsRead() && p.Statement.Source().Index != "":
		return errorf(msgTransactIndex)
	}
	return p.sound()
}

// sound refuses what no request takes, whatever the table. DynamoDB does this first: TestWritesOfIndexes.
func (p *Prepared) sound() error {
	if !p.IsRead() && p.Statement.Source().Index != "" {
		return errorf(msgWriteIndex)
	}
	if n, ok := p.Statement.(*Delete); ok {
		if r := n.Returning; r != nil && (r.Modified || r.New) {
			which, age := "ALL", "OLD"
			if r.Modified {
				which = "MODIFIED"
			}
			if r.New {
				age = "NEW"
			}
			return errorf(msgDeleteReturning, which, age)
		}
	}
	return nil
}

// NeedsKey is the error of a SELECT in a batch or transaction that is no read of one item.
func NeedsKey(transaction bool) error {
	if transaction {
		return errorf(msgTransactKey)
	}
	return errorf(msgBatchKey)
}
