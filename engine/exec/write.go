package exec

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/expr"
)

// Result is what one write did.
type Result struct {
	// Old is the item before, nil when it was absent; only known when the write read it.
	Old attr.Item
	// New is the item afterwards, nil when it is absent.
	New attr.Item
	// Changes of index entries.
	Changes []index.Change
	// Expired: the write removed the item because its time to live was over. Its stream record says
	// that the service did it.
	Expired bool
	// lingering is the size of what a check met that is past its time. It stays, unlike what a write
	// meets, and so it costs.
	lingering int
	// Collection is the size in bytes of the item's collection afterwards, in a table with local
	// indexes.
	Collection int64
}

// OldSize and NewSize are accounted sizes in bytes, zero for absent. What a write removed because it
// was past its time was absent: such removals cost nothing (wire-facts §6.16).
func (r *Result) OldSize() int { return max(sizeOf(r.Old), r.lingering) }

// NewSize is the accounted size of the item afterwards.
func (r *Result) NewSize() int { return sizeOf(r.New) }

func sizeOf(item attr.Item) int {
	if item == nil {
		return 0
	}
	return item.Size()
}

// blind says whether a write needs nothing of what is stored: then it is applied without reading.
// Units depend on the old size, so a request for the consumed capacity reads too.
func blind(t *catalog.Table, w *plan.Write) bool {
	return (w.Kind == plan.WritePut || w.Kind == plan.WriteDelete) && w.Condition == nil &&
		len(t.Table.Indexes) == 0 && !t.Recorded()
}

// Write runs one single-item write. needOld says that the caller wants Result.Old.
func (e *Executor) Write(ctx context.Context, t *catalog.Table, w *plan.Write, needOld bool) (Result, error) {
	if !needOld && blind(t, w) {
		return e.writeBlind(ctx, t, w)
	}
	s := &single{
		table: t, write: *w, now: e.Now(), named: [1]storage.Named{e.item(w.Key)},
		keep: needOld,
	}
	named := s.named[:]
	if t.Table.CollectionSub != 0 || t.Global != nil {
		s.sizes = e.collect(nil, 0, t, w)
		named = s.sizes.name(named)
	}
	err := e.store.Update(ctx, named, storage.UpdateOptions{}, s.run)
	s.written.over(t, s.now, err)
	e.noteVectors(t)
	return s.result, storeError(err)
}

// single is a single-item write on its way, in one piece of memory.
type single struct {
	table   *catalog.Table
	write   plan.Write
	now     time.Time
	named   [1]storage.Named
	keep    bool         // the caller looks at result.Old
	sizes   *collections // nil for a table without local indexes
	result  Result
	written written
}

// run evaluates and writes. It is pure but for the result, which it replaces.
func (s *single) run(tx storage.Tx) error {
	s.written.reset()
	v := tx.Value(0)
	if s.keep || keeps(&s.write) {
		v.Data = bytes.Clone(v.Data)
	}
	var err error
	if s.result, err = evaluate(s.table, &s.write, v, s.now); err != nil {
		return err
	}
	if s.sizes != nil {
		if err := s.collect(tx, v); err != nil {
			return err
		}
	}
	commit(tx, s.table, &s.write, v, &s.result)
	if s.table.Recorded() {
		o := outcome{table: s.table, write: &s.write, stored: v, result: &s.result, now: s.now, beside: s.sizes}
		if err := o.record(tx, &s.written); err != nil {
			return err
		}
	}
	if !s.keep {
		s.result.Old = nil
	}
	return nil
}

// collect counts the write in the size of the item's collection.
func (s *single) collect(tx storage.Tx, v storage.Value) error {
	sizes, err := s.sizes.load(tx)
	if err == nil {
		err = sizes.grow(0, s.table, v, &s.result)
	}
	if err == nil {
		sizes.commit(tx)
	}
	return err
}

// keeps says whether what a write hands out may be the stored item. The stored bytes are storage's
// once fn is over; what goes out of it must be a copy.
func keeps(w *plan.Write) bool {
	return w.ReturnOnFailure || w.Kind == plan.WriteUpdate && w.Update == nil
}

func (e *Executor) writeBlind(ctx context.Context, t *catalog.Table, w *plan.Write) (Result, error) {
	batch := e.blinds.Get().(*storage.Batch)
	defer e.putBlind(batch)
	e.addBlind(batch, t, w)
	var res Result
	if w.Kind == plan.WritePut {
		res.New = w.Item
	}
	return res, storeError(e.store.Apply(ctx, batch, storage.UpdateOptions{}))
}

// addBlind appends the item's op, which may meet a transaction, and its expiry row.
func (e *Executor) addBlind(batch *storage.Batch, t *catalog.Table, w *plan.Write) {
	op := storage.Op{Key: w.Key, NoWait: !e.WaitOnConflict}
	if w.Kind == plan.WritePut {
		op.Value = w.Item
		batch.Ops = append(batch.Ops, op)
		if row := expiryRow(t, w.Key, w.Item); row != nil {
			batch.Put(row, []byte{})
		}
	} else {
		op.Delete = true
		batch.Ops = append(batch.Ops, op)
	}
}

// putBlind gives a batch back to the pool; it holds no keys and items there.
func (e *Executor) putBlind(batch *storage.Batch) {
	clear(batch.Ops)
	batch.Ops = batch.Ops[:0]
	e.blinds.Put(batch)
}

// evaluate decides what a write does to what is stored. It is pure.
func evaluate(t *catalog.Table, w *plan.Write, v storage.Value, now time.Time) (Result, error) {
	old, stored := live(t.HideBy(), v, now)
	res := Result{Old: old}
	if w.Condition != nil && !w.Condition.Eval(old) {
		return res, conditionFailed(w, old)
	}
	switch w.Kind {
	case plan.WritePut:
		res.New = w.Item
	case plan.WriteUpdate:
		item, err := update(t, w, old)
		if err != nil {
			return res, err
		}
		res.New = item
	case plan.WriteCheck:
		res.New = old
		if old == nil {
			res.lingering = sizeOf(stored)
		}
		return res, nil
	}
	if len(t.Table.Indexes) > 0 {
		res.Changes = index.AppendChanges(nil, &t.Table, t, stored, res.New)
	}
	return res, nil
}

// conditionFailed carries the stored item when the write asked for it.
func conditionFailed(w *plan.Write, old attr.Item) *api.Error {
	err := api.Errorf(api.ConditionalCheckFailed, api.MsgConditionFailed)
	if w.ReturnOnFailure && old != nil {
		err.Item = old
	}
	return err
}

// update applies the update to the stored item. Without one the item is created with its key alone or
// left as it is; one that creates nothing leaves a missing item missing.
func update(t *catalog.Table, w *plan.Write, old attr.Item) (attr.Item, error) {
	if w.Update == nil {
		if old != nil {
			return old, nil
		}
		return w.Item, nil
	}
	if old == nil && !w.Update.CreatesItem() {
		return nil, nil
	}
	item, err := w.Update.Apply(old, w.Item)
	if err != nil {
		var bad *expr.EvalError
		if errors.As(err, &bad) {
			return nil, api.Errorf(api.Validation, "%s", bad.Error())
		}
		return nil, err
	}
	return item, plan.Updated(&t.Table, old, item)
}

// commit writes what evaluate found. A write that changes nothing writes nothing.
func commit(tx storage.Tx, t *catalog.Table, w *plan.Write, v storage.Value, res *Result) {
	if w.Kind == plan.WriteCheck {
		return
	}
	switch {
	case res.New == nil:
		if v.Present {
			tx.Delete(w.Key)
		}
	case !v.Present || !bytes.Equal(v.Data, res.New):
		tx.Put(w.Key, res.New)
	}
	if t.Table.TTLSub != 0 {
		expiry(tx, t, w, v, res)
	}
	for i := range res.Changes {
		c := &res.Changes[i]
		ix := &t.Table.Indexes[c.Index]
		if c.Delete != nil {
			tx.Delete(c.Delete)
			changed(tx, ix, c.Delete)
		}
		if c.Put != nil {
			tx.Put(c.Put, c.Value)
			changed(tx, ix, c.Put)
		}
	}
}

// changed notes for whoever keeps the graph of an index of vectors that an entry has changed.
func changed(tx storage.Tx, ix *schema.Index, entry []byte) {
	if ix.Vector != nil {
		tx.Put(key.AppendTail(nil, ix, uint64(tx.Seq()), entry), []byte{})
	}
}

// noteVectors says that entries of vectors may have changed in a table.
func (e *Executor) noteVectors(t *catalog.Table) {
	if t.Vectors() && e.OnVectors != nil {
		e.OnVectors()
	}
}
