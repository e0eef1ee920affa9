package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/partiql"
)

// transacting is one ExecuteTransaction on its way.
type transacting struct {
	db     *core
	in     *api.ExecuteTransactionInput
	bound  []*partiql.Bound
	tables handles
	list   []handle // one a statement
}

// ExecuteTransaction runs up to 100 statements, all reads or all writes and checks, all or none.
func (db *core) ExecuteTransaction(ctx context.Context, in *api.ExecuteTransactionInput) (*api.ExecuteTransactionOutput, error) {
	if err := validate.ExecuteTransaction(in); err != nil {
		return nil, err
	}
	x := transacting{db: db, in: in, bound: make([]*partiql.Bound, len(in.TransactStatements)), tables: newHandles()}
	defer x.tables.leave()
	if err := x.bind(); err != nil {
		return nil, err
	}
	if x.bound[0].IsRead() {
		return x.read(ctx)
	}
	return x.write(ctx)
}

// bind parses all statements and enters their tables.
func (x *transacting) bind() error {
	for i := range x.in.TransactStatements {
		s := &x.in.TransactStatements[i]
		b, err := x.db.bindStatement(s.Statement.Value, s.Parameters)
		if err != nil {
			return err
		}
		if err := statementError(b.InTransaction(i)); err != nil {
			return err
		}
		x.bound[i] = b
	}
	if err := sameKind(x.bound, api.MsgTransactionMixed); err != nil {
		return err
	}
	for i, b := range x.bound {
		t, err := x.tables.enter(x.db, b.Statement.Source().Table, spread(x.in.TransactStatements[i].Parameters))
		if err != nil {
			return err
		}
		x.list = append(x.list, t)
	}
	return nil
}

// read runs SELECTs as TransactGetItems does.
func (x *transacting) read(ctx context.Context) (*api.ExecuteTransactionOutput, error) {
	selections := make([]*partiql.Selection, len(x.bound))
	keys, gets := make([][]byte, len(x.bound)), make([]exec.Gets, len(x.bound))
	for i, b := range x.bound {
		sel, err := b.Select(&x.list[i].Table.Table, &partiql.Options{})
		if err != nil {
			return nil, statementError(err)
		}
		if sel.Key == nil {
			return nil, statementError(partiql.NeedsKey(true))
		}
		if err := onceInTransaction(keys[:i], sel.Key); err != nil {
			return nil, err
		}
		selections[i], keys[i], gets[i] = sel, sel.Key, exec.Gets{Table: x.list[i].Table, Count: 1}
	}
	if err := x.db.admitGets(gets, keys); err != nil {
		return nil, err
	}
	items, stored, err := x.db.exec.TransactGet(ctx, keys, gets)
	if err != nil {
		return nil, err
	}
	out := &api.ExecuteTransactionOutput{Responses: make([]api.ItemResponse, len(items))}
	var m meters
	total := 0
	for i, item := range items {
		total += sizeOf(item)
		m.of(x.bound[i].Statement.Source().Table).Table += capacity.TransactReadUnits(sizeOf(stored[i]))
		out.Responses[i].Item = selected(item, selections[i])
	}
	x.db.chargeAll(&x.tables, m, false)
	if total > transactReadMaxBytes {
		return nil, api.Errorf(api.Validation, api.MsgTransactSize)
	}
	out.ConsumedCapacity = m.consumed(x.in.ReturnConsumedCapacity, capacity.TransactRead)
	return out, nil
}

// onceInTransaction refuses a second statement on one item.
func onceInTransaction(before [][]byte, k []byte) error {
	for _, other := range before {
		if bytes.Equal(other, k) {
			return api.Errorf(api.Validation, api.MsgTransactDuplicate)
		}
	}
	return nil
}

// write runs the other statements as TransactWriteItems does.
func (x *transacting) write(ctx context.Context) (*api.ExecuteTransactionOutput, error) {
	tx := exec.Transaction{
		Actions: make([]exec.Action, len(x.bound)), Token: x.in.ClientRequestToken.Value,
		WantResults: wantsCapacity(x.in.ReturnConsumedCapacity) || x.db.throttled(),
	}
	room, keys := plan.NewRoom(len(x.bound)), make([][]byte, len(x.bound))
	for i, b := range x.bound {
		w, err := b.Write(&room, &x.list[i].Table.Table)
		if err != nil {
			return nil, statementError(err)
		}
		if err := onceInTransaction(keys[:i], w.Key); err != nil {
			return nil, err
		}
		keys[i] = w.Key
		w.ReturnOnFailure = x.in.TransactStatements[i].ReturnValuesOnConditionCheckFailure.Value ==
			api.ReturnValuesOnConditionCheckFailureAllOld
		tx.Actions[i] = exec.Action{Table: x.list[i].Table, Write: w}
	}
	if err := x.db.admitActions(tx.Actions); err != nil {
		return nil, err
	}
	if tx.Token != "" {
		tx.Digest = x.digest()
	}
	res, err := x.db.exec.TransactWrite(ctx, &tx)
	if err != nil {
		return nil, x.duplicates(err)
	}
	return x.output(&res), nil
}

// output shapes the answer of writes: an empty response for each.
func (x *transacting) output(res *exec.TransactResult) *api.ExecuteTransactionOutput {
	out := &api.ExecuteTransactionOutput{Responses: make([]api.ItemResponse, len(x.bound))}
	direction := capacity.TransactWrite
	var m meters
	for i, b := range x.bound {
		tm := m.of(b.Statement.Source().Table)
		switch {
		case res.Replayed:
			direction = capacity.TransactRead
			tm.Table += capacity.TransactReadUnits(res.Sizes[i])
		case res.Results != nil:
			r := &res.Results[i]
			tm.Table += capacity.TransactWriteUnits(r.OldSize(), r.NewSize())
			meterIndexes(tm, x.list[i].Table, r)
		}
	}
	x.db.chargeAll(&x.tables, m, !res.Replayed)
	out.ConsumedCapacity = m.consumed(x.in.ReturnConsumedCapacity, direction)
	return out
}

// duplicates gives the failed conditions of INSERTs their own reason.
func (x *transacting) duplicates(err error) error {
	own, ok := errors.AsType[*api.Error](err)
	if !ok || own.Code != api.TransactionCanceled {
		return err
	}
	changed := false
	for i := range own.Reasons {
		r := &own.Reasons[i]
		if x.bound[i].IsInsert() && r.Code.Value == api.ReasonConditionalCheckFailed {
			r.Code, r.Message = api.Some(api.ReasonDuplicateItem), api.Some(api.MsgDuplicateItem)
			changed = true
		}
	}
	if !changed {
		return err
	}
	return exec.Cancelled(own.Reasons)
}

// digest identifies the request for its token.
func (x *transacting) digest() (sum [exec.DigestBytes]byte) {
	var all []byte
	for i := range x.in.TransactStatements {
		s := &x.in.TransactStatements[i]
		all = attr.AppendString(all, s.Statement.Value)
		all = attr.AppendString(all, s.ReturnValuesOnConditionCheckFailure.Value)
		all = append(all, attr.List(s.Parameters...)...)
	}
	return sha256.Sum256(all)
}
