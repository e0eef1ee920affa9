package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
)

// Action is one write of a transaction or batch with its table.
type Action struct {
	Table *catalog.Table
	Write plan.Write
}

// Transaction is a bound TransactWriteItems.
type Transaction struct {
	Actions []Action
	// Token is the client's request token, empty for none.
	Token string
	// Digest identifies the request, so that a token used for another one is found out.
	Digest [DigestBytes]byte
	// WantResults asks for TransactResult.Results.
	WantResults bool
	wrote       written
}

// TransactResult is what a transaction did.
type TransactResult struct {
	// Replayed: the token's transaction was already done; nothing was written now.
	Replayed bool
	// Results holds one entry an action; nil when replayed or not wanted.
	Results []Result
	// Sizes are the accounted sizes of the items, one an action.
	Sizes []int
}

// TransactWrite runs all actions or none. What depends on stored items cancels the transaction with
// one reason an action.
func (e *Executor) TransactWrite(ctx context.Context, x *Transaction) (TransactResult, error) {
	if x.Token != "" {
		if _, runs := e.running.LoadOrStore(x.Token, nil); runs {
			return TransactResult{}, api.Errorf(api.TransactionInProgress, api.MsgTransactRunning)
		}
		defer e.running.Delete(x.Token)
	}
	now := e.Now()
	tokens, end, err := e.tokens.begin(ctx, e.store, x.Token, now)
	if err != nil {
		return TransactResult{}, err
	}
	defer end()
	named := make([]storage.Named, 0, len(x.Actions)+len(tokens))
	for i := range x.Actions {
		w := &x.Actions[i].Write
		n := e.item(w.Key)
		n.Shared = w.Kind == plan.WriteCheck
		named = append(named, n)
	}
	for _, k := range tokens {
		named = append(named, storage.Named{Key: k, NoWait: true})
	}
	var sizes *collections
	for i := range x.Actions {
		sizes = e.collect(sizes, i, x.Actions[i].Table, &x.Actions[i].Write)
	}
	named = sizes.name(named)
	e.transactions.Add(1)
	defer e.transactions.Add(-1)
	var res TransactResult
	err = e.store.Update(ctx, named, storage.UpdateOptions{Multi: true}, func(tx storage.Tx) error {
		var err error
		x.wrote.reset()
		res, err = x.run(tx, tokens, sizes, now)
		return err
	})
	for i := range x.Actions {
		x.wrote.over(x.Actions[i].Table, now, err)
		e.noteVectors(x.Actions[i].Table)
	}
	return res, x.conflict(err, tokens, sizes)
}

// run evaluates all actions on the stored state and writes when none objects. It is pure.
func (x *Transaction) run(tx storage.Tx, tokens [][]byte, c *collections, now time.Time) (TransactResult, error) {
	if len(tokens) > 0 {
		sizes, done, err := x.replay(tx, len(tokens), now)
		if err != nil || done {
			return TransactResult{Replayed: done, Sizes: sizes}, err
		}
	}
	res := TransactResult{Results: make([]Result, len(x.Actions)), Sizes: make([]int, len(x.Actions))}
	sizes, err := c.load(tx)
	if err != nil {
		return res, err
	}
	var reasons []api.CancellationReason
	for i := range x.Actions {
		a := &x.Actions[i]
		v := tx.Value(i)
		if x.WantResults || keeps(&a.Write) {
			v.Data = bytes.Clone(v.Data)
		}
		r, err := evaluate(a.Table, &a.Write, v, now)
		if err == nil {
			err = sizes.grow(i, a.Table, v, &r)
		}
		if err != nil {
			var reason api.CancellationReason
			if reason, err = cancellation(err); err != nil {
				return res, err
			}
			if reasons == nil {
				reasons = noReasons(len(x.Actions))
			}
			reasons[i] = reason
			continue
		}
		res.Results[i], res.Sizes[i] = r, max(r.OldSize(), r.NewSize())
	}
	if reasons != nil {
		return res, Cancelled(reasons)
	}
	if x.tooLarge(&res) {
		return res, api.Errorf(api.Validation, api.MsgTransactSize)
	}
	for i := range x.Actions {
		a, v := &x.Actions[i], tx.Value(i)
		commit(tx, a.Table, &a.Write, v, &res.Results[i])
		if a.Table.Recorded() {
			o := outcome{
				table: a.Table, write: &a.Write, stored: v, result: &res.Results[i], now: now, index: i,
				beside: c, place: i,
			}
			if err := o.record(tx, &x.wrote); err != nil {
				return res, err
			}
		}
	}
	sizes.commit(tx)
	if len(tokens) > 0 {
		tx.Put(tokens[0], encodeToken(x.Digest, now, res.Sizes))
	}
	if !x.WantResults {
		res.Results = nil
	}
	return res, nil
}

// transactMaxBytes bounds the items that a transaction writes, together.
const transactMaxBytes = 4 << 20

// tooLarge says whether the items that the transaction writes are together larger than the service
// allows. Few are read for it: their binary form is a bound.
func (x *Transaction) tooLarge(res *TransactResult) bool {
	binary, size := 0, 0
	for i := range x.Actions {
		if x.Actions[i].Write.Kind != plan.WriteCheck {
			binary += len(res.Results[i].New)
		}
	}
	if binary <= transactMaxBytes/attr.SizePerByteMax {
		return false
	}
	for i := range x.Actions {
		if x.Actions[i].Write.Kind != plan.WriteCheck {
			size += res.Results[i].NewSize()
		}
	}
	return size > transactMaxBytes
}

// replay looks for the token in the windows: their values follow those of the actions.
func (x *Transaction) replay(tx storage.Tx, windows int, now time.Time) (sizes []int, done bool, err error) {
	for i := range windows {
		v := tx.Value(len(x.Actions) + i)
		if !v.Present {
			continue
		}
		t, err := decodeToken(v.Data)
		switch {
		case err != nil:
			return nil, false, err
		case now.UnixMilli()-t.atMs >= tokenLifeMs:
			continue
		case t.digest != x.Digest:
			return nil, false, api.Errorf(api.IdempotentParameterMismatch, api.MsgTokenMismatch)
		case len(t.sizes) != len(x.Actions):
			return nil, false, fmt.Errorf("exec: request token: %w", storage.ErrCorrupt)
		}
		return t.sizes, true, nil
	}
	return nil, false, nil
}

func noReasons(n int) []api.CancellationReason {
	reasons := make([]api.CancellationReason, n)
	for i := range reasons {
		reasons[i].Code = api.Some(api.ReasonNone)
	}
	return reasons
}

// cancellation turns the error of one action into its reason. Errors that are not the client's
// come back as they are.
func cancellation(err error) (api.CancellationReason, error) {
	var own *api.Error
	if !errors.As(err, &own) {
		return api.CancellationReason{}, err
	}
	r := api.CancellationReason{Message: api.Some(own.Message), Item: own.Item}
	switch own.Code {
	case api.ConditionalCheckFailed:
		r.Code = api.Some(api.ReasonConditionalCheckFailed)
	case api.Validation:
		r.Code = api.Some(api.ReasonValidationError)
	case api.ItemCollectionSizeLimit:
		r.Code, r.Message = api.Some(api.ReasonItemCollectionSizeLimit), api.Some(api.MsgCollectionSize)
	default:
		return r, err
	}
	return r, nil
}

// Cancelled is the error of a cancelled transaction; its text lists the codes.
func Cancelled(reasons []api.CancellationReason) *api.Error {
	var list strings.Builder
	for i := range reasons {
		if i > 0 {
			list.WriteString(", ")
		}
		list.WriteString(reasons[i].Code.Value)
	}
	err := api.Errorf(api.TransactionCanceled, api.MsgTransactCanceled, list.String())
	err.Reasons = reasons
	return err
}

// conflict turns a conflict of storage into what the service answers: on the token another call
// with it is running, on an item the transaction is cancelled with a reason at that action.
func (x *Transaction) conflict(err error, tokens [][]byte, sizes *collections) error {
	if err == nil {
		return nil
	}
	var c *storage.ConflictError
	if !errors.As(err, &c) || !c.Multi {
		return storeError(err)
	}
	for _, k := range tokens {
		if bytes.Equal(k, c.Key) {
			return api.Errorf(api.TransactionInProgress, api.MsgTransactRunning)
		}
	}
	return conflicting(len(x.Actions), func(i int) bool {
		return bytes.Equal(x.Actions[i].Write.Key, c.Key) || sizes.blames(i, c.Key)
	})
}

// conflicting cancels a transaction of n actions, of which those that met another one say so.
func conflicting(n int, met func(i int) bool) error {
	reasons := noReasons(n)
	for i := range reasons {
		if met(i) {
			reasons[i] = api.CancellationReason{
				Code:    api.Some(api.ReasonTransactionConflict),
				Message: api.Some(api.MsgTransactionConflict),
			}
		}
	}
	return Cancelled(reasons)
}

// Gets are bound reads of items of one table.
type Gets struct {
	Table *catalog.Table
	// Count of keys, which follow those of the reads before.
	Count int
}

// GetMany reads items at one moment, in the order of keys; absent and expired ones are nil. What is
// stored, which is the expired ones as well, costs until it is swept. The items may be kept.
func (e *Executor) GetMany(ctx context.Context, keys [][]byte, gets []Gets) (items, stored []attr.Item, err error) {
	var values []storage.Value
	err = storage.Fresh(ctx, func() error {
		snap, err := e.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "read of many items"})
		if err != nil {
			return err
		}
		defer snap.Close()
		values, err = snap.GetMany(ctx, keys)
		return err
	})
	if err != nil {
		return nil, nil, storeError(err)
	}
	items, stored = e.liveItems(values, gets)
	return items, stored, nil
}

// liveItems are the items of values that were read for gets, and what is stored, which is the same
// list when nothing is past its time.
func (e *Executor) liveItems(values []storage.Value, gets []Gets) (items, stored []attr.Item) {
	now := e.Now()
	items = make([]attr.Item, 0, len(values))
	for _, g := range gets {
		for range g.Count {
			at := len(items)
			item, there := live(g.Table.HideBy(), values[at], now)
			if item == nil && there != nil && stored == nil {
				stored = append(make([]attr.Item, 0, len(values)), items...)
			}
			if items = append(items, item); stored != nil {
				stored = append(stored, there)
			}
		}
	}
	if stored == nil {
		stored = items
	}
	return items, stored
}

// TransactGet reads items as GetMany does, and is cancelled when a running transaction writes one of
// them (wire-facts §6.14). Nothing needs that, a snapshot is serializable: without a transaction of
// this executor on its way no lock is taken, and those of others on a shared store are not seen.
func (e *Executor) TransactGet(ctx context.Context, keys [][]byte, gets []Gets) (items, stored []attr.Item, err error) {
	if e.WaitOnConflict || e.transactions.Load() == 0 {
		return e.GetMany(ctx, keys, gets)
	}
	named, values := make([]storage.Named, len(keys)), make([]storage.Value, len(keys))
	for i, k := range keys {
		named[i] = storage.Named{Key: k, Shared: true, NoWait: true}
	}
	err = e.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		for i := range values {
			v := tx.Value(i)
			v.Data = bytes.Clone(v.Data) // storage's once this is over
			values[i] = v
		}
		return nil
	})
	if c, ok := errors.AsType[*storage.ConflictError](err); ok && c.Multi {
		return nil, nil, conflicting(len(keys), func(i int) bool { return bytes.Equal(keys[i], c.Key) })
	}
	if err != nil {
		return nil, nil, storeError(err)
	}
	items, stored = e.liveItems(values, gets)
	return items, stored, nil
}

// Get reads one item; nil when it is absent or expired. What is stored, which is an expired one as
// well, costs until it is swept. The item may be kept.
func (e *Executor) Get(ctx context.Context, t *catalog.Table, key []byte) (item, stored attr.Item, err error) {
	v, err := e.store.Get(ctx, key)
	if err != nil || !v.Present {
		return nil, nil, storeError(err)
	}
	if t.HideBy() == "" {
		return attr.Item(v.Data), attr.Item(v.Data), nil
	}
	item, stored = live(t.HideBy(), v, e.Now())
	return item, stored, nil
}
