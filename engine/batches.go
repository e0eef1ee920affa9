package engine

import (
	"bytes"
	"context"
	"slices"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/expr"
)

// batchReadMaxBytes bounds the items of one BatchGetItem answer; what does not fit is unprocessed.
// The documentation's example has 52 of 100 items of 300 KB, which fits 16 million bytes and not
// 16 MiB: unsure (wire-facts §6.12).
const batchReadMaxBytes = 16_000_000

// tablesFew is the number of tables of one request for which nothing is allocated, and batchFew that of
// puts and deletes.
const (
	tablesFew = 4
	batchFew  = 25
)

// BatchGetItem reads up to 100 items of several tables.
func (db *core) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	projections := make([]*expr.Projection, 0, tablesFew)
	err := validate.BatchGetItemWith(in, db.rules, func(i int) error {
		r := &in.RequestItems[i].Value
		p, err := db.projection(r.ProjectionExpression, r.ExpressionAttributeNames, r.AttributesToGet)
		projections = append(projections, p)
		return err
	})
	if err != nil {
		return nil, err
	}
	tables := newHandles()
	defer tables.leave()
	gets, keys, err := db.bindBatchGets(in, projections, &tables, make([]exec.Gets, 0, tablesFew))
	if err != nil {
		return nil, err
	}
	items, stored, err := db.exec.GetMany(ctx, keys, gets)
	if err != nil {
		return nil, err
	}
	skip, err := db.throttleGets(in, gets, keys, stored)
	if err != nil {
		return nil, err
	}
	return batchGetOutput(in, projections, items, stored, skip), nil
}

// bindBatchGets appends the tables to gets and returns the keys.
func (db *core) bindBatchGets(
	in *api.BatchGetItemInput, projections []*expr.Projection, tables *handles, gets []exec.Gets,
) ([]exec.Gets, [][]byte, error) {
	n := 0
	for i := range in.RequestItems {
		r := &in.RequestItems[i]
		t, err := tables.enter(db, r.Key, r.Value.Keys[0])
		if err != nil {
			return nil, nil, err
		}
		gets = append(gets, exec.Gets{Table: t.Table, Count: len(r.Value.Keys)})
		n += len(r.Value.Keys)
	}
	keys, room := make([][]byte, 0, n), plan.NewRoom(n)
	for i := range in.RequestItems {
		for _, k := range in.RequestItems[i].Value.Keys {
			b, err := plan.Get(&room, &gets[i].Table.Table, k, projections[i])
			if err != nil {
				return nil, nil, err
			}
			keys = append(keys, b)
		}
	}
	return gets, keys, nil
}

// batchGetOutput sorts the items back to their tables; it takes over the list. The item that reaches
// the size limit and all after it are unprocessed, and so are those that skip names, if it is there.
func batchGetOutput(
	in *api.BatchGetItemInput, projections []*expr.Projection, items, stored []attr.Item, skip []bool,
) *api.BatchGetItemOutput {
	out := &api.BatchGetItemOutput{
		Responses:       make([]api.BatchGetResponseMapEntry, len(in.RequestItems)),
		UnprocessedKeys: []api.BatchGetRequestMapEntry{},
	}
	wants := wantsCapacity(in.ReturnConsumedCapacity)
	// Sizes are added up only for the capacity or where they could reach the limit.
	sized := wants || !within(items, batchReadMaxBytes)
	var m meters
	total, at, full := 0, 0, false
	for i := range in.RequestItems {
		r := &in.RequestItems[i]
		found := items[at:at]
		var tm *capacity.Meter
		if wants {
			tm = m.of(r.Key)
		}
		for _, k := range r.Value.Keys {
			item, there := items[at], stored[at]
			at++
			if skip != nil && skip[at-1] {
				out.UnprocessedKeys = unprocessedKey(out.UnprocessedKeys, r, k)
				continue
			}
			if sized {
				size := sizeOf(item)
				if full = full || total+size > batchReadMaxBytes; full {
					out.UnprocessedKeys = unprocessedKey(out.UnprocessedKeys, r, k)
					continue
				}
				total += size
				if tm != nil {
					tm.Table += capacity.ReadUnits(sizeOf(there), r.Value.ConsistentRead.Value)
				}
			}
			if item != nil {
				found = append(found, project(item, projections[i]))
			}
		}
		out.Responses[i] = api.BatchGetResponseMapEntry{Key: r.Key, Value: found[:len(found):len(found)]}
	}
	out.ConsumedCapacity = m.consumed(in.ReturnConsumedCapacity, capacity.Plain)
	return out
}

// within says whether items are together no larger than max, as far as their binary form tells.
func within(items []attr.Item, max int) bool {
	n := 0
	for _, item := range items {
		n += len(item)
	}
	return n <= max/attr.SizePerByteMax
}

// unprocessedKey adds a key with the parameters of its table.
func unprocessedKey(list []api.BatchGetRequestMapEntry, r *api.BatchGetRequestMapEntry, k attr.Item) []api.BatchGetRequestMapEntry {
	if n := len(list); n > 0 && list[n-1].Key == r.Key {
		list[n-1].Value.Keys = append(list[n-1].Value.Keys, k)
		return list
	}
	e := *r
	e.Value.Keys = []attr.Item{k}
	return append(list, e)
}

// BatchWriteItem runs up to 25 puts and deletes; each is atomic.
func (db *core) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	if err := validate.BatchWriteItem(in, db.rules); err != nil {
		return nil, err
	}
	tables := newHandles()
	defer tables.leave()
	actions, err := db.bindBatch(in, &tables)
	if err != nil {
		return nil, err
	}
	results, unprocessed, err := db.batchWrite(ctx, actions, wantsCapacity(in.ReturnConsumedCapacity))
	if err != nil {
		return nil, err
	}
	return batchWriteOutput(in, actions, results, unprocessed), nil
}

func batchWriteOutput(
	in *api.BatchWriteItemInput, actions []exec.Action, results []exec.Result, unprocessed []int,
) *api.BatchWriteItemOutput {
	out := &api.BatchWriteItemOutput{UnprocessedItems: []api.BatchWriteItemRequestMapEntry{}}
	wants := wantsCapacity(in.ReturnConsumedCapacity)
	metrics := in.ReturnItemCollectionMetrics.Value == api.ReturnItemCollectionMetricsSize
	if !wants && !metrics && len(unprocessed) == 0 {
		return out
	}
	var m meters
	at := 0
	for i := range in.RequestItems {
		e := &in.RequestItems[i]
		for k := range e.Value {
			a := &actions[at]
			skipped := slices.Contains(unprocessed, at)
			if skipped {
				out.UnprocessedItems = unprocessedItem(out.UnprocessedItems, e.Key, e.Value[k])
			}
			if wants && !skipped {
				tm := m.of(e.Key)
				tm.Table += capacity.WriteUnits(results[at].OldSize(), results[at].NewSize())
				meterIndexes(tm, a.Table, &results[at])
			}
			if metrics && !skipped && a.Table.Table.HasLocal() {
				out.ItemCollectionMetrics = addMetrics(out.ItemCollectionMetrics, e.Key,
					collectionMetrics(&a.Table.Table, a.Write.Item, results[at].Collection))
			}
			at++
		}
	}
	out.ConsumedCapacity = m.consumed(in.ReturnConsumedCapacity, capacity.Plain)
	return out
}

// bindBatch looks up all tables, then binds: nothing is written unless every request is sound.
func (db *core) bindBatch(in *api.BatchWriteItemInput, tables *handles) ([]exec.Action, error) {
	n := 0
	for i := range in.RequestItems {
		r := &in.RequestItems[i]
		if _, err := tables.enter(db, r.Key, firstItem(r.Value)); err != nil {
			return nil, err
		}
		n += len(r.Value)
	}
	actions, room := make([]exec.Action, 0, n), plan.NewRoom(n)
	for i := range in.RequestItems {
		e := &in.RequestItems[i]
		t, err := tables.enter(db, e.Key, nil)
		if err != nil {
			return nil, err
		}
		for k := range e.Value {
			w, err := bindRequest(&room, &t.Table.Table, &e.Value[k])
			if err != nil {
				return nil, err
			}
			actions = append(actions, exec.Action{Table: t.Table, Write: w})
		}
	}
	if twice(actions) {
		return nil, api.Errorf(api.Validation, api.MsgBatchDuplicate)
	}
	return actions, nil
}

// twice says whether two actions are on one item. It compares all pairs by the hashes in their keys: of
// the at most 25 few have one in common.
func twice(actions []exec.Action) bool {
	hashes := make([]uint32, 0, batchFew)
	for i := range actions {
		k := actions[i].Write.Key
		hash := key.HashOf(k)
		for j, other := range hashes {
			if other == hash && bytes.Equal(k, actions[j].Write.Key) {
				return true
			}
		}
		hashes = append(hashes, hash)
	}
	return false
}

func firstItem(requests []api.WriteRequest) attr.Item {
	if p := requests[0].PutRequest; p != nil {
		return p.Item
	}
	return requests[0].DeleteRequest.Key
}

// unprocessedItem adds a request to those of its table.
func unprocessedItem(list []api.BatchWriteItemRequestMapEntry, table string, r api.WriteRequest) []api.BatchWriteItemRequestMapEntry {
	for i := range list {
		if list[i].Key == table {
			list[i].Value = append(list[i].Value, r)
			return list
		}
	}
	return append(list, api.BatchWriteItemRequestMapEntry{Key: table, Value: []api.WriteRequest{r}})
}

func bindRequest(room *plan.Room, t *schema.Table, r *api.WriteRequest) (plan.Write, error) {
	if r.PutRequest != nil {
		return plan.BatchPut(room, t, r.PutRequest.Item)
	}
	return plan.Delete(room, t, r.DeleteRequest.Key, nil)
}
