package build

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Get reads one item.
type Get struct {
	table *Table
	key   key
	in    api.GetItemInput
	paths []string
	err   error
}

// Get begins to read the item with that key: the partition key and, where the table has one, the sort
// key.
func (t *Table) Get(pk any, sk ...any) *Get {
	g := &Get{table: t}
	g.key, g.err = keyOf(pk, sk)
	return g
}

// Consistent reads what was written last.
func (g *Get) Consistent() *Get {
	g.in.ConsistentRead = api.Some(true)
	return g
}

// Project reads only what is at the paths, which are written as for Attr.
func (g *Get) Project(paths ...string) *Get {
	g.paths = append(g.paths, paths...)
	return g
}

// Item returns the item, nil when there is none.
func (g *Get) Item(ctx context.Context) (attr.Item, error) {
	if err := g.finish(ctx); err != nil {
		return nil, err
	}
	out, err := g.table.client.service.GetItem(ctx, &g.in)
	if err != nil {
		return nil, g.table.checked(err)
	}
	return out.Item, nil
}

// Into maps the item to what dst points to, as Unmarshal does, and says whether there is an item.
func (g *Get) Into(ctx context.Context, dst any) (found bool, err error) {
	it, err := g.Item(ctx)
	if err != nil || it == nil {
		return false, err
	}
	return true, Unmarshal(it, dst)
}

// finish fills in what the request lacks.
func (g *Get) finish(ctx context.Context) (err error) {
	if g.err != nil {
		return g.err
	}
	g.in.TableName = api.Some(g.table.name)
	if len(g.paths) > 0 {
		var e expression
		g.in.ProjectionExpression = e.projection(g.paths)
		if g.in.ExpressionAttributeNames, _, err = e.placeholders(); err != nil {
			return err
		}
	}
	g.in.Key, err = g.key.item(ctx, g.table)
	return err
}

// projection writes the paths of a projection; none is no projection.
func (e *expression) projection(paths []string) api.Opt[string] {
	if len(paths) == 0 {
		return api.Opt[string]{}
	}
	for i, p := range paths {
		if i > 0 {
			e.put(", ")
		}
		e.operand(Attr(p))
	}
	return e.take()
}

// Put writes one item.
type Put struct {
	table *Table
	in    api.PutItemInput
	cond  Condition
	err   error
}

// Put begins to write an item, in place of the one with its key if there is one. It is an attr.Item, an
// *attr.Builder, or what Marshal maps: a struct or a map.
func (t *Table) Put(item any) *Put {
	p := &Put{table: t}
	p.in.Item, p.err = toItem(item)
	return p
}

// If writes only if the condition holds of the present item: a text with its arguments, or a Condition.
// Several conditions must all hold.
func (p *Put) If(cond any, args ...Args) *Put {
	p.cond = p.cond.And(conditionOf(cond, args))
	return p
}

// ItemOnFailure puts the present item into the error when the condition does not hold.
func (p *Put) ItemOnFailure() *Put {
	p.in.ReturnValuesOnConditionCheckFailure = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
	return p
}

// Run writes the item.
func (p *Put) Run(ctx context.Context) error {
	_, err := p.run(ctx, api.Opt[string]{})
	return err
}

// Old writes the item and returns the one that was there before, nil when there was none.
func (p *Put) Old(ctx context.Context) (attr.Item, error) {
	return p.run(ctx, api.Some(api.ReturnValueAllOld))
}

func (p *Put) run(ctx context.Context, values api.Opt[string]) (attr.Item, error) {
	if err := p.finish(); err != nil {
		return nil, err
	}
	p.in.ReturnValues = values
	out, err := p.table.client.service.PutItem(ctx, &p.in)
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

func (p *Put) finish() (err error) {
	if p.err != nil {
		return p.err
	}
	p.in.TableName = api.Some(p.table.name)
	if p.cond.kind == condNone && p.cond.err == nil {
		return nil
	}
	var e expression
	p.in.ConditionExpression = e.whole(p.cond)
	p.in.ExpressionAttributeNames, p.in.ExpressionAttributeValues, err = e.placeholders()
	return err
}

// Delete removes one item.
type Delete struct {
	table *Table
	key   key
	in    api.DeleteItemInput
	cond  Condition
	err   error
}

// Delete begins to remove the item with that key; it need not exist.
func (t *Table) Delete(pk any, sk ...any) *Delete {
	d := &Delete{table: t}
	d.key, d.err = keyOf(pk, sk)
	return d
}

// If removes only if the condition holds of the present item: a text with its arguments, or a Condition.
// Several conditions must all hold.
func (d *Delete) If(cond any, args ...Args) *Delete {
	d.cond = d.cond.And(conditionOf(cond, args))
	return d
}

// ItemOnFailure puts the present item into the error when the condition does not hold.
func (d *Delete) ItemOnFailure() *Delete {
	d.in.ReturnValuesOnConditionCheckFailure = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
	return d
}

// Run removes the item.
func (d *Delete) Run(ctx context.Context) error {
	_, err := d.run(ctx, api.Opt[string]{})
	return err
}

// Old removes the item and returns it, nil when there was none.
func (d *Delete) Old(ctx context.Context) (attr.Item, error) {
	return d.run(ctx, api.Some(api.ReturnValueAllOld))
}

func (d *Delete) run(ctx context.Context, values api.Opt[string]) (attr.Item, error) {
	if err := d.finish(ctx); err != nil {
		return nil, err
	}
	d.in.ReturnValues = values
	out, err := d.table.client.service.DeleteItem(ctx, &d.in)
	if err != nil {
		return nil, d.table.checked(err)
	}
	return out.Attributes, nil
}

func (d *Delete) finish(ctx context.Context) (err error) {
	if d.err != nil {
		return d.err
	}
	d.in.TableName = api.Some(d.table.name)
	var e expression
	d.in.ConditionExpression = e.whole(d.cond)
	if d.in.ExpressionAttributeNames, d.in.ExpressionAttributeValues, err = e.placeholders(); err != nil {
		return err
	}
	d.in.Key, err = d.key.item(ctx, d.table)
	return err
}
