package engine

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/partiql"
)

// batching is one BatchExecuteStatement on its way.
type batching struct {
	db     *core
	in     *api.BatchExecuteStatementInput
	bound  []*partiql.Bound // nil where the statement is bad
	keys   [][]byte         // of the writes so far, so that none comes twice
	tables handles
	meters meters
}

// BatchExecuteStatement runs up to 25 statements, all reads or all writes, each on its own: what is
// wrong with one is the error of that one.
func (db *core) BatchExecuteStatement(ctx context.Context, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	if err := validate.BatchExecuteStatement(in); err != nil {
		return nil, err
	}
	out := &api.BatchExecuteStatementOutput{Responses: make([]api.BatchStatementResponse, len(in.Statements))}
	b := batching{db: db, in: in, bound: make([]*partiql.Bound, len(in.Statements)), tables: newHandles()}
	defer b.tables.leave()
	for i := range in.Statements {
		err := b.bind(ctx, i, &out.Responses[i])
		if err := failed(&out.Responses[i], err); err != nil {
			return nil, err
		}
	}
	if err := sameKind(b.bound, api.MsgBatchMixed); err != nil {
		return nil, err
	}
	if err := b.run(ctx, out.Responses); err != nil {
		return nil, err
	}
	out.ConsumedCapacity = b.meters.consumed(in.ReturnConsumedCapacity, capacity.Plain)
	return out, nil
}

// sameKind refuses reads beside writes.
func sameKind(list []*partiql.Bound, mixed string) error {
	reads, writes := 0, 0
	for _, b := range list {
		switch {
		case b == nil:
		case b.IsRead():
			reads++
		default:
			writes++
		}
	}
	if reads > 0 && writes > 0 {
		return api.Errorf(api.Validation, "%s", mixed)
	}
	return nil
}

// bind binds the i-th statement. Its answer names the table as soon as that is known, in an error too.
// A statement that the caller may not run fails alone (unsure: the model has a code for it).
func (b *batching) bind(ctx context.Context, i int, r *api.BatchStatementResponse) error {
	s := &b.in.Statements[i]
	p, err := b.db.statements.Parse(s.Statement.Value)
	if err != nil {
		return statementError(err)
	}
	r.TableName = api.Some(p.Statement.Source().Table)
	if err := api.Denied(ctx, i); err != nil {
		return err
	}
	bound, err := p.Bind(s.Parameters)
	if err != nil {
		return statementError(err)
	}
	if err := statementError(bound.InBatch()); err != nil {
		return err
	}
	b.bound[i] = bound
	return nil
}

// run runs the statements that are sound. Writes run side by side: they are of different items and
// nothing is promised of their order, so that they can share a commit.
func (b *batching) run(ctx context.Context, responses []api.BatchStatementResponse) error {
	var writes []*batchWrite
	for i, bound := range b.bound {
		if bound == nil {
			continue
		}
		r := &responses[i]
		var err error
		if bound.IsRead() {
			r.Item, err = b.read(ctx, i)
		} else {
			var w *batchWrite
			if w, err = b.bindWrite(i); err == nil {
				writes = append(writes, w)
			}
		}
		if err == errBatchDuplicate {
			return err
		}
		if err := failed(r, err); err != nil {
			return err
		}
	}
	var wg sync.WaitGroup
	for _, w := range writes {
		wg.Go(func() { w.out, w.err = b.db.runWrite(ctx, w.table, &w.write, &w.request) })
	}
	wg.Wait()
	for _, w := range writes {
		if err := failed(&responses[w.at], b.finish(w, &responses[w.at])); err != nil {
			return err
		}
	}
	return nil
}

// batchWrite is one write of a batch.
type batchWrite struct {
	at      int // of its statement
	table   handle
	write   plan.Write
	request writeRequest
	out     written
	err     error
}

// bindWrite binds the i-th statement.
func (b *batching) bindWrite(i int) (*batchWrite, error) {
	bound, s := b.bound[i], &b.in.Statements[i]
	name := bound.Statement.Source().Table
	t, err := b.tables.enter(b.db, name, spread(s.Parameters))
	if err != nil {
		return nil, err
	}
	w := &batchWrite{at: i, table: t, request: writeRequest{
		table: name, capacity: b.in.ReturnConsumedCapacity,
		onFailure: s.ReturnValuesOnConditionCheckFailure,
		returns:   api.Some(returnValues(bound.Returning())),
	}}
	var room plan.Room
	if w.write, err = bound.Write(&room, &t.Table.Table); err != nil {
		return nil, statementError(err)
	}
	return w, b.once(w.write.Key)
}

// errBatchDuplicate is of the whole batch, before anything is written. DynamoDB does this: TestBatchDuplicates.
var errBatchDuplicate = api.Errorf(api.Validation, api.MsgBatchDuplicate)

// once refuses a second statement on one item.
func (b *batching) once(k []byte) error {
	for _, other := range b.keys {
		if bytes.Equal(k, other) {
			return errBatchDuplicate
		}
	}
	b.keys = append(b.keys, k)
	return nil
}

// finish meters a write that is done. The item is what RETURNING asks for.
func (b *batching) finish(w *batchWrite, r *api.BatchStatementResponse) error {
	if w.err != nil {
		return asDuplicate(b.bound[w.at], w.err)
	}
	if wantsCapacity(b.in.ReturnConsumedCapacity) {
		m := b.meters.of(w.request.table)
		m.Table += capacity.WriteUnits(w.out.OldSize(), w.out.NewSize())
		meterIndexes(m, w.table.Table, &w.out.Result)
	}
	r.Item = updatedAttributes(&w.out, w.request.returns.Value)
	return nil
}

// read runs the i-th statement, a SELECT.
func (b *batching) read(ctx context.Context, i int) (attr.Item, error) {
	bound, s := b.bound[i], &b.in.Statements[i]
	t, err := b.tables.enter(b.db, bound.Statement.Source().Table, spread(s.Parameters))
	if err != nil {
		return nil, err
	}
	sel, err := bound.Select(&t.Table.Table, &partiql.Options{Consistent: s.ConsistentRead.Value})
	if err != nil {
		return nil, statementError(err)
	}
	if sel.Key == nil {
		return nil, statementError(partiql.NeedsKey(false))
	}
	if err := b.once(sel.Key); err != nil {
		return nil, err
	}
	err = b.db.admitRead(t.Table, nil, s.ConsistentRead.Value)
	b.db.note(t.Table, nil, sel.Key, true, err)
	if err != nil {
		return nil, err
	}
	item, stored, err := b.db.exec.Get(ctx, t.Table, sel.Key)
	if err != nil {
		return nil, err
	}
	units := capacity.ReadUnits(sizeOf(stored), s.ConsistentRead.Value)
	b.db.charge(t.Table, &capacity.Meter{Table: units}, false)
	b.meters.of(bound.Statement.Source().Table).Table += units
	return selected(item, sel), nil
}

// failed puts the error of one statement into its answer. Errors that are not the client's fail the
// whole request.
func failed(r *api.BatchStatementResponse, err error) error {
	if err == nil {
		return nil
	}
	own, ok := errors.AsType[*api.Error](err)
	if !ok {
		return err
	}
	r.Error = &api.BatchStatementError{
		Code: api.Some(statementCode(own.Code)), Message: api.Some(own.Message), Item: own.Item,
	}
	return nil
}

// statementCode is the code that a batch has for an error.
func statementCode(c api.Code) string {
	switch c {
	case api.Validation:
		return api.BatchStatementErrorCodeValidationError
	case api.ConditionalCheckFailed:
		return api.BatchStatementErrorCodeConditionalCheckFailed
	case api.DuplicateItem:
		return api.BatchStatementErrorCodeDuplicateItem
	case api.ResourceNotFound:
		return api.BatchStatementErrorCodeResourceNotFound
	case api.TransactionConflict:
		return api.BatchStatementErrorCodeTransactionConflict
	case api.ItemCollectionSizeLimit:
		return api.BatchStatementErrorCodeItemCollectionSizeLimitExceeded
	case api.ProvisionedThroughputExceeded:
		return api.BatchStatementErrorCodeProvisionedThroughputExceeded
	case api.Throttling:
		return api.BatchStatementErrorCodeThrottlingError
	case api.RequestLimitExceeded:
		return api.BatchStatementErrorCodeRequestLimitExceeded
	case api.AccessDenied:
		return api.BatchStatementErrorCodeAccessDenied
	}
	return api.BatchStatementErrorCodeInternalServerError
}
