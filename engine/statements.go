package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/expr"
	"github.com/keystone-db/kstone/partiql"
)

// bindStatement parses a statement and gives it its parameters.
func (db *core) bindStatement(text string, params []attr.Value) (*partiql.Bound, error) {
	p, err := db.statements.Parse(text)
	if err != nil {
		return nil, statementError(err)
	}
	b, err := p.Bind(params)
	return b, statementError(err)
}

// statementError turns the errors of the languages into what clients see; others pass unchanged.
func statementError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*partiql.Error](err); ok {
		return api.Errorf(api.Validation, "%s", e.Msg)
	}
	if e, ok := errors.AsType[*expr.Error](err); ok {
		return api.Errorf(api.Validation, "%s", withoutMember(e.Msg))
	}
	return err
}

// withoutMember leaves off what names an expression parameter: a statement has none. DynamoDB does this: TestStatements.
func withoutMember(text string) string {
	head, rest, _ := strings.Cut(text, "Expression: ")
	if rest != "" && strings.HasPrefix(head, "Invalid ") {
		return rest
	}
	return text
}

// spread is what enter spreads its count by.
func spread(params []attr.Value) attr.Item {
	if len(params) == 0 {
		return nil
	}
	return attr.Item(params[0])
}

// ExecuteStatement runs one statement of PartiQL.
func (db *core) ExecuteStatement(ctx context.Context, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	if err := validate.ExecuteStatement(in); err != nil {
		return nil, err
	}
	b, err := db.bindStatement(in.Statement.Value, in.Parameters)
	if err != nil {
		return nil, err
	}
	if err := statementError(b.Alone()); err != nil {
		return nil, err
	}
	t, err := db.enter(b.Statement.Source().Table, spread(in.Parameters))
	if err != nil {
		return nil, err
	}
	defer t.leave()
	switch {
	case b.Explain:
		return db.explain(ctx, t, b, in)
	case b.IsRead():
		s := selecting{db: db, table: t, bound: b, in: in}
		return s.run(ctx)
	}
	return db.executeWrite(ctx, t, b, in)
}

// executeWrite runs an INSERT, UPDATE or DELETE.
func (db *core) executeWrite(ctx context.Context, t handle, b *partiql.Bound, in *api.ExecuteStatementInput) (*api.ExecuteStatementOutput, error) {
	q := writeRequest{
		table: b.Statement.Source().Table, capacity: in.ReturnConsumedCapacity,
		onFailure: in.ReturnValuesOnConditionCheckFailure,
	}
	item, consumed, err := db.statementWrite(ctx, t, b, &q)
	if err != nil {
		return nil, withoutItem(err)
	}
	out := &api.ExecuteStatementOutput{Items: []attr.Item{}, ConsumedCapacity: consumed}
	if item != nil {
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// statementWrite binds and runs one write. The item is what RETURNING asks for.
func (db *core) statementWrite(ctx context.Context, t handle, b *partiql.Bound, q *writeRequest) (attr.Item, *api.ConsumedCapacity, error) {
	var room plan.Room
	w, err := b.Write(&room, &t.Table.Table)
	if err != nil {
		return nil, nil, statementError(err)
	}
	returns := returnValues(b.Returning())
	q.returns = api.Some(returns)
	out, err := db.runWrite(ctx, t, &w, q)
	if err != nil {
		return nil, nil, asDuplicate(b, err)
	}
	return updatedAttributes(&out, returns), out.capacity, nil
}

// withoutItem takes the stored item from a duplicate: DuplicateItemException has no place for one,
// unlike the errors of a batch and the reasons of a transaction.
func withoutItem(err error) error {
	if own, ok := errors.AsType[*api.Error](err); ok && own.Code == api.DuplicateItem {
		own.Item = nil
	}
	return err
}

// returnValues is the ReturnValues that RETURNING stands for.
func returnValues(r *partiql.Returning) string {
	switch {
	case r == nil:
		return api.ReturnValueNone
	case r.Modified && r.New:
		return api.ReturnValueUpdatedNew
	case r.Modified:
		return api.ReturnValueUpdatedOld
	case r.New:
		return api.ReturnValueAllNew
	}
	return api.ReturnValueAllOld
}

// asDuplicate turns the failed condition of an INSERT into the error that it stands for.
func asDuplicate(b *partiql.Bound, err error) error {
	own, ok := errors.AsType[*api.Error](err)
	if !ok || own.Code != api.ConditionalCheckFailed || !b.IsInsert() {
		return err
	}
	duplicate := api.Errorf(api.DuplicateItem, api.MsgDuplicateItem)
	duplicate.Item = own.Item
	return duplicate
}
