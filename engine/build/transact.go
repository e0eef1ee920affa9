package build

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Write is a part of a transaction: a *Put, *Update, *Delete or *Check.
type Write interface {
	action(ctx context.Context) (api.TransactWriteItem, error)
	of() *Table
}

// Check is a condition on an item that a transaction does not change.
type Check struct {
	table *Table
	key   key
	in    api.ConditionCheck
	cond  Condition
	err   error
}

// Check begins a condition on the item with that key, for TransactWrite.
func (t *Table) Check(pk any, sk ...any) *Check {
	c := &Check{table: t}
	c.key, c.err = keyOf(pk, sk)
	return c
}

// If is the condition: a text with its arguments, or a Condition. Several conditions must all hold.
func (c *Check) If(cond any, args ...Args) *Check {
	c.cond = c.cond.And(conditionOf(cond, args))
	return c
}

// ItemOnFailure puts the present item into the reason of the error when the condition does not hold.
func (c *Check) ItemOnFailure() *Check {
	c.in.ReturnValuesOnConditionCheckFailure = api.Some(api.ReturnValuesOnConditionCheckFailureAllOld)
	return c
}

func (c *Check) of() *Table  { return c.table }
func (p *Put) of() *Table    { return p.table }
func (d *Delete) of() *Table { return d.table }
func (u *Update) of() *Table { return u.table }

func (c *Check) action(ctx context.Context) (out api.TransactWriteItem, err error) {
	if c.err != nil {
		return out, c.err
	}
	in := c.in
	in.TableName = api.Some(c.table.name)
	var e expression
	in.ConditionExpression = e.whole(c.cond)
	if in.ExpressionAttributeNames, in.ExpressionAttributeValues, err = e.placeholders(); err != nil {
		return out, err
	}
	in.Key, err = c.key.item(ctx, c.table)
	return api.TransactWriteItem{ConditionCheck: &in}, err
}

func (p *Put) action(context.Context) (api.TransactWriteItem, error) {
	if err := p.finish(); err != nil {
		return api.TransactWriteItem{}, err
	}
	in := &p.in
	return api.TransactWriteItem{Put: &api.Put{
		Item: in.Item, TableName: in.TableName, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}}, nil
}

func (d *Delete) action(ctx context.Context) (api.TransactWriteItem, error) {
	if err := d.finish(ctx); err != nil {
		return api.TransactWriteItem{}, err
	}
	in := &d.in
	return api.TransactWriteItem{Delete: &api.Delete{
		Key: in.Key, TableName: in.TableName, ConditionExpression: in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}}, nil
}

func (u *Update) action(ctx context.Context) (api.TransactWriteItem, error) {
	if err := u.finish(ctx); err != nil {
		return api.TransactWriteItem{}, err
	}
	in := &u.in
	return api.TransactWriteItem{Update: &api.Update{
		Key: in.Key, TableName: in.TableName, UpdateExpression: in.UpdateExpression,
		ConditionExpression:      in.ConditionExpression,
		ExpressionAttributeNames: in.ExpressionAttributeNames, ExpressionAttributeValues: in.ExpressionAttributeValues,
		ReturnValuesOnConditionCheckFailure: in.ReturnValuesOnConditionCheckFailure,
	}}, nil
}

// TransactWrite does several writes, all or none.
type TransactWrite struct {
	client *Client
	writes []Write
	token  api.Opt[string]
}

// TransactWrite begins a transaction of up to 100 writes and checks, of any tables and each of another
// item.
func (c *Client) TransactWrite(writes ...Write) *TransactWrite {
	return &TransactWrite{client: c, writes: writes}
}

// Add adds writes and checks.
func (x *TransactWrite) Add(writes ...Write) *TransactWrite {
	x.writes = append(x.writes, writes...)
	return x
}

// Token makes repeats of the same transaction within ten minutes succeed without doing it again.
func (x *TransactWrite) Token(token string) *TransactWrite {
	x.token = api.Some(token)
	return x
}

// Run does the writes. An error with the code TransactionCanceled has one reason for each of them.
func (x *TransactWrite) Run(ctx context.Context) error {
	in := &api.TransactWriteItemsInput{ClientRequestToken: x.token}
	for _, w := range x.writes {
		action, err := w.action(ctx)
		if err != nil {
			return err
		}
		in.TransactItems = append(in.TransactItems, action)
	}
	_, err := x.client.service.TransactWriteItems(ctx, in)
	for _, w := range x.writes {
		err = w.of().checked(err)
	}
	return err
}

// TransactGet reads several items as of one moment.
type TransactGet struct {
	client *Client
	gets   []*Get
}

// TransactGet begins to read up to 100 items, of any tables. They are always read consistently.
func (c *Client) TransactGet(gets ...*Get) *TransactGet { return &TransactGet{client: c, gets: gets} }

// Add adds items.
func (x *TransactGet) Add(gets ...*Get) *TransactGet {
	x.gets = append(x.gets, gets...)
	return x
}

// Items returns the items in the order in which they were asked for, nil for those that do not exist.
func (x *TransactGet) Items(ctx context.Context) ([]attr.Item, error) {
	in := &api.TransactGetItemsInput{}
	for _, g := range x.gets {
		if err := g.finish(ctx); err != nil {
			return nil, err
		}
		in.TransactItems = append(in.TransactItems, api.TransactGetItem{Get: &api.Get{
			Key: g.in.Key, TableName: g.in.TableName, ProjectionExpression: g.in.ProjectionExpression,
			ExpressionAttributeNames: g.in.ExpressionAttributeNames,
		}})
	}
	out, err := x.client.service.TransactGetItems(ctx, in)
	if err != nil {
		for _, g := range x.gets {
			err = g.table.checked(err)
		}
		return nil, err
	}
	items := make([]attr.Item, len(out.Responses))
	for i, r := range out.Responses {
		items[i] = r.Item
	}
	return items, nil
}
