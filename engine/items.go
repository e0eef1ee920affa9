package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/expr"
)

// wantsCapacity says whether a request asks for its consumed capacity.
func wantsCapacity(mode api.Opt[string]) bool {
	return mode.Set && mode.Value != api.ReturnConsumedCapacityNone
}

// getCall, putCall, updateCall and deleteCall are what the operations need on the heap, each in one
// piece: the answer and the key.
type (
	getCall struct {
		out api.GetItemOutput
		key [plan.KeyBytes]byte
	}
	putCall struct {
		out api.PutItemOutput
		key [plan.KeyBytes]byte
	}
	updateCall struct {
		out api.UpdateItemOutput
		key [plan.KeyBytes]byte
	}
	deleteCall struct {
		out api.DeleteItemOutput
		key [plan.KeyBytes]byte
	}
)

// GetItem reads one item.
func (db *core) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	if err := validate.GetItem(in, db.rules); err != nil {
		return nil, err
	}
	projection, err := db.projection(in.ProjectionExpression, in.ExpressionAttributeNames, in.AttributesToGet)
	if err != nil {
		return nil, err
	}
	t, err := db.enter(in.TableName.Value, in.Key)
	if err != nil {
		return nil, err
	}
	defer t.leave()
	c := new(getCall)
	room := plan.RoomOf(c.key[:])
	k, err := plan.Get(&room, &t.Table.Table, in.Key, projection)
	if err != nil {
		return nil, err
	}
	err = db.admitRead(t.Table, nil, in.ConsistentRead.Value)
	db.note(t.Table, nil, k, true, err)
	if err != nil {
		return nil, err
	}
	item, stored, err := db.exec.Get(ctx, t.Table, k)
	if err != nil {
		return nil, err
	}
	out := &c.out
	out.Item = project(item, projection)
	if wantsCapacity(in.ReturnConsumedCapacity) || db.throttled() {
		m := capacity.Meter{
			TableName: in.TableName.Value,
			Table:     capacity.ReadUnits(sizeOf(stored), in.ConsistentRead.Value),
		}
		db.charge(t.Table, &m, false)
		out.ConsumedCapacity = m.Consumed(in.ReturnConsumedCapacity.Value, capacity.Plain)
	}
	return out, nil
}

// projection compiles the projection of a point read, or makes it of AttributesToGet; nil when there is
// none.
func (db *core) projection(text api.Opt[string], names []api.Name, attributesToGet []string) (*expr.Projection, error) {
	if !text.Set {
		return plan.Attributes(attributesToGet), nil
	}
	x, err := db.compiler.Compile(&plan.Texts{Projection: text, Names: names})
	return x.Projection, err
}

func sizeOf(item attr.Item) int {
	if item == nil {
		return 0
	}
	return item.Size()
}

// project applies a projection to an item that may be absent. A projection that finds nothing gives
// an empty item, not an absent one: DynamoDB does this (TestGetItemProjection).
func project(item attr.Item, p *expr.Projection) attr.Item {
	if item == nil || p == nil {
		return item
	}
	return p.Apply(make([]byte, 0, len(item)), item)
}

// writeRequest is what the single-item writes have in common.
type writeRequest struct {
	kind      plan.WriteKind
	room      plan.Room
	table     string
	item      attr.Item       // the item of a put, otherwise the key
	returns   api.Opt[string] // ReturnValues
	onFailure api.Opt[string]
	capacity  api.Opt[string]
	metrics   api.Opt[string]
	envelope  bool
	texts     plan.Texts
	// legacy are the trees of parameters from before expressions, which come without texts.
	legacy plan.Expressions
}

// written is the answer of a single-item write, before it is shaped.
type written struct {
	exec.Result
	update   *expr.Update
	capacity *api.ConsumedCapacity
	metrics  *api.ItemCollectionMetrics
}

// write compiles, binds and runs a single-item write.
func (db *core) write(ctx context.Context, q *writeRequest) (written, error) {
	x := q.legacy
	if q.texts.Any() {
		var err error
		if x, err = db.compiler.Compile(&q.texts); err != nil {
			if q.envelope {
				err = validate.Envelope(err, db.rules)
			}
			return written{}, err
		}
	}
	t, err := db.enter(q.table, q.item)
	if err != nil {
		return written{}, err
	}
	defer t.leave()
	w, err := bindWrite(&q.room, &t.Table.Table, q.kind, q.item, &x)
	if err != nil {
		return written{}, err
	}
	out, err := db.runWrite(ctx, t, &w, q)
	if err != nil {
		return written{}, err
	}
	if q.metrics.Value == api.ReturnItemCollectionMetricsSize {
		out.metrics = collectionMetrics(&t.Table.Table, q.item, out.Collection)
	}
	return out, nil
}

// runWrite runs a bound single-item write.
func (db *core) runWrite(ctx context.Context, t handle, w *plan.Write, q *writeRequest) (written, error) {
	w.ReturnOnFailure = q.onFailure.Value == api.ReturnValuesOnConditionCheckFailureAllOld
	metered := wantsCapacity(q.capacity) || db.throttled()
	needOld := metered || q.returns.Value == api.ReturnValueAllOld ||
		q.returns.Value == api.ReturnValueUpdatedOld
	err := db.admitWrite(t.Table, capacity.WriteUnits(0, 0))
	db.note(t.Table, nil, w.Key, true, err)
	if err != nil {
		return written{}, err
	}
	res, err := db.exec.Write(ctx, t.Table, w, needOld)
	if err != nil {
		db.chargeRefused(t.Table, err)
		return written{}, err
	}
	out := written{Result: res, update: w.Update}
	if metered {
		m := capacity.Meter{TableName: q.table, Table: capacity.WriteUnits(res.OldSize(), res.NewSize())}
		meterIndexes(&m, t.Table, &res)
		db.charge(t.Table, &m, true)
		out.capacity = m.Consumed(q.capacity.Value, capacity.Plain)
	}
	return out, nil
}

// bindWrite binds a write of any kind; item is the item of a put, otherwise the key.
func bindWrite(room *plan.Room, t *schema.Table, kind plan.WriteKind, item attr.Item, x *plan.Expressions) (plan.Write, error) {
	switch kind {
	case plan.WritePut:
		return plan.Put(room, t, item, x.Condition)
	case plan.WriteUpdate:
		return plan.Update(room, t, item, x.Update, x.Condition)
	case plan.WriteDelete:
		return plan.Delete(room, t, item, x.Condition)
	}
	return plan.Check(room, t, item, x.Condition)
}

// meterIndexes counts the index entries that a write touched.
func meterIndexes(m *capacity.Meter, t *catalog.Table, res *exec.Result) {
	for i := range res.Changes {
		c := &res.Changes[i]
		ix := &t.Table.Indexes[c.Index]
		if ix.Vector != nil {
			m.AddVector(ix.Name, vectorBytes(res.Old != nil, c))
			continue
		}
		switch {
		case res.Old != nil:
			m.AddIndex(ix.Name, ix.Local, capacity.IndexWriteUnits(c.OldSize, c.NewSize, c.Moved()))
		case c.Put != nil:
			// The entry of an item whose time is over goes as if it had been swept: nobody pays.
			m.AddIndex(ix.Name, ix.Local, capacity.IndexWriteUnits(0, c.NewSize, false))
		}
	}
}

// collectionUnit is the unit in which the size of a collection is estimated, one gigabyte.
const collectionUnit = 1 << 30

// collectionMetrics describes the item's collection, for tables with local indexes only.
func collectionMetrics(t *schema.Table, item attr.Item, bytes int64) *api.ItemCollectionMetrics {
	if !t.HasLocal() {
		return nil
	}
	low := float64(bytes / collectionUnit)
	return &api.ItemCollectionMetrics{
		ItemCollectionKey:   item.Project([]string{t.Key.Hash[0].Name}),
		SizeEstimateRangeGB: []float64{low, low + 1},
	}
}

// PutItem replaces one item.
func (db *core) PutItem(ctx context.Context, in *api.PutItemInput) (*api.PutItemOutput, error) {
	if err := validate.PutItem(in, db.rules); err != nil {
		return nil, err
	}
	c := new(putCall)
	q := writeRequest{
		room: plan.RoomOf(c.key[:]), kind: plan.WritePut, table: in.TableName.Value, item: in.Item,
		returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity,
		onFailure: in.ReturnValuesOnConditionCheckFailure, metrics: in.ReturnItemCollectionMetrics,
		envelope: true,
		texts: plan.Texts{
			Condition: in.ConditionExpression,
			Names:     in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		},
	}
	if in.Expected != nil {
		q.legacy.Condition = plan.Expected(in.Expected, in.ConditionalOperator)
	}
	w, err := db.write(ctx, &q)
	if err != nil {
		return nil, err
	}
	c.out.ConsumedCapacity, c.out.ItemCollectionMetrics = w.capacity, w.metrics
	if in.ReturnValues.Value == api.ReturnValueAllOld {
		c.out.Attributes = w.Old
	}
	return &c.out, nil
}

// DeleteItem removes one item.
func (db *core) DeleteItem(ctx context.Context, in *api.DeleteItemInput) (*api.DeleteItemOutput, error) {
	if err := validate.DeleteItem(in, db.rules); err != nil {
		return nil, err
	}
	c := new(deleteCall)
	q := writeRequest{
		room: plan.RoomOf(c.key[:]), kind: plan.WriteDelete, table: in.TableName.Value, item: in.Key,
		returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity,
		onFailure: in.ReturnValuesOnConditionCheckFailure, metrics: in.ReturnItemCollectionMetrics,
		texts: plan.Texts{
			Condition: in.ConditionExpression,
			Names:     in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		},
	}
	if in.Expected != nil {
		q.legacy.Condition = plan.Expected(in.Expected, in.ConditionalOperator)
	}
	w, err := db.write(ctx, &q)
	if err != nil {
		return nil, err
	}
	c.out.ConsumedCapacity, c.out.ItemCollectionMetrics = w.capacity, w.metrics
	if in.ReturnValues.Value == api.ReturnValueAllOld {
		c.out.Attributes = w.Old
	}
	return &c.out, nil
}

// UpdateItem changes one item in place, creating it when it is absent.
func (db *core) UpdateItem(ctx context.Context, in *api.UpdateItemInput) (*api.UpdateItemOutput, error) {
	if err := validate.UpdateItem(in, db.rules); err != nil {
		return nil, err
	}
	c := new(updateCall)
	q := writeRequest{
		room: plan.RoomOf(c.key[:]), kind: plan.WriteUpdate, table: in.TableName.Value, item: in.Key,
		returns: in.ReturnValues, capacity: in.ReturnConsumedCapacity,
		onFailure: in.ReturnValuesOnConditionCheckFailure, metrics: in.ReturnItemCollectionMetrics,
		envelope: true,
		texts: plan.Texts{
			Update: in.UpdateExpression, Condition: in.ConditionExpression,
			Names: in.ExpressionAttributeNames, Values: in.ExpressionAttributeValues,
		},
	}
	if in.AttributeUpdates != nil {
		q.legacy.Update = plan.Updates(in.AttributeUpdates)
	}
	if in.Expected != nil {
		q.legacy.Condition = plan.Expected(in.Expected, in.ConditionalOperator)
	}
	w, err := db.write(ctx, &q)
	if err != nil {
		return nil, err
	}
	c.out = api.UpdateItemOutput{
		Attributes: updatedAttributes(&w, in.ReturnValues.Value), ConsumedCapacity: w.capacity,
		ItemCollectionMetrics: w.metrics,
	}
	return &c.out, nil
}

// updatedAttributes picks what ReturnValues asks for (wire-facts §6.8).
func updatedAttributes(w *written, returns string) attr.Item {
	switch returns {
	case api.ReturnValueAllOld:
		return w.Old
	case api.ReturnValueAllNew:
		return w.New
	case api.ReturnValueUpdatedOld:
		if w.update != nil && w.Old != nil {
			return w.update.Project(w.Old)
		}
	case api.ReturnValueUpdatedNew:
		if w.update != nil && w.New != nil {
			return w.update.ProjectNew(w.New)
		}
	}
	return nil
}
