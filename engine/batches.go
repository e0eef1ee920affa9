package engine

import (
	"bytes"
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/expr"
)

// batchReadMaxBytes bounds the items of one BatchGetItem answer; what does not fit is unprocessed.
// The documentation's example has 52 of 100 items of 300 KB, which fits 16 million bytes and not
// 16 MiB: unsure (wire-facts §6.12).
const batchReadMaxBytes = 16_000_000

// BatchGetItem reads up to 100 items of several tables.
func (db *DB) BatchGetItem(ctx context.Context, in *api.BatchGetItemInput) (*api.BatchGetItemOutput, error) {
	projections := make([]*expr.Projection, len(in.RequestItems))
	err := validate.BatchGetItemWith(in, db.rules, func(i int) error {
		r := &in.RequestItems[i].Value
		p, err := db.projection(r.ProjectionExpression, r.ExpressionAttributeNames)
		projections[i] = p
		return err
	})
	if err != nil {
		return nil, err
	}
	var tables handles
	defer tables.leave()
	gets, err := db.bindBatchGets(in, projections, &tables)
	if err != nil {
		return nil, err
	}
	items, err := db.exec.GetMany(ctx, gets)
	if err != nil {
		return nil, err
	}
	return batchGetOutput(in, projections, items), nil
}

func (db *DB) bindBatchGets(in *api.BatchGetItemInput, projections []*expr.Projection, tables *handles) ([]exec.Get, error) {
	n := 0
	for i := range in.RequestItems {
		r := &in.RequestItems[i]
		if _, err := tables.enter(db, r.Key, r.Value.Keys[0]); err != nil {
			return nil, err
		}
		n += len(r.Value.Keys)
	}
	gets := make([]exec.Get, 0, n)
	for i := range in.RequestItems {
		t := tables.list[i].Table
		for _, k := range in.RequestItems[i].Value.Keys {
			b, err := plan.Get(&t.Table, k, projections[i])
			if err != nil {
				return nil, err
			}
			gets = append(gets, exec.Get{Table: t, Key: b})
		}
	}
	return gets, nil
}

// batchGetOutput sorts the items back to their tables. The item that reaches the size limit and all
// after it are unprocessed.
func batchGetOutput(in *api.BatchGetItemInput, projections []*expr.Projection, items []attr.Item) *api.BatchGetItemOutput {
	out := &api.BatchGetItemOutput{
		Responses:       make([]api.BatchGetResponseMapEntry, len(in.RequestItems)),
		UnprocessedKeys: []api.BatchGetRequestMapEntry{},
	}
	var m meters
	total, at, full := 0, 0, false
	for i := range in.RequestItems {
		r := &in.RequestItems[i]
		found := make([]attr.Item, 0, len(r.Value.Keys))
		tm := m.of(r.Key)
		for j, k := range r.Value.Keys {
			item := items[at+j]
			size := sizeOf(item)
			if full = full || total+size > batchReadMaxBytes; full {
				out.UnprocessedKeys = unprocessedKey(out.UnprocessedKeys, r, k)
				continue
			}
			total += size
			tm.Table += capacity.ReadUnits(size, r.Value.ConsistentRead.Value)
			if item != nil {
				found = append(found, project(item, projections[i]))
			}
		}
		at += len(r.Value.Keys)
		out.Responses[i] = api.BatchGetResponseMapEntry{Key: r.Key, Value: found}
	}
	out.ConsumedCapacity = m.consumed(in.ReturnConsumedCapacity, capacity.Plain)
	return out
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
func (db *DB) BatchWriteItem(ctx context.Context, in *api.BatchWriteItemInput) (*api.BatchWriteItemOutput, error) {
	if err := validate.BatchWriteItem(in, db.rules); err != nil {
		return nil, err
	}
	var tables handles
	defer tables.leave()
	actions, requests, err := db.bindBatch(in, &tables)
	if err != nil {
		return nil, err
	}
	results, unprocessed, err := db.exec.BatchWrite(ctx, actions, wantsCapacity(in.ReturnConsumedCapacity))
	if err != nil {
		return nil, err
	}
	out := &api.BatchWriteItemOutput{UnprocessedItems: []api.BatchWriteItemRequestMapEntry{}}
	skipped := make(map[int]bool, len(unprocessed))
	for _, i := range unprocessed {
		skipped[i] = true
		out.UnprocessedItems = unprocessedItem(out.UnprocessedItems, &requests[i])
	}
	var m meters
	for i := range actions {
		if skipped[i] {
			continue
		}
		tm := m.of(requests[i].table)
		tm.Table += capacity.WriteUnits(results[i].OldSize(), results[i].NewSize())
		meterIndexes(tm, actions[i].Table, &results[i])
		if in.ReturnItemCollectionMetrics.Value == api.ReturnItemCollectionMetricsSize {
			out.ItemCollectionMetrics = addMetrics(out.ItemCollectionMetrics, requests[i].table,
				collectionMetrics(&actions[i].Table.Table, actions[i].Write.Item))
		}
	}
	out.ConsumedCapacity = m.consumed(in.ReturnConsumedCapacity, capacity.Plain)
	return out, nil
}

// batchRequest is one request of a batch as it came.
type batchRequest struct {
	table   string
	request api.WriteRequest
}

// bindBatch looks up all tables, then binds: nothing is written unless every request is sound.
func (db *DB) bindBatch(in *api.BatchWriteItemInput, tables *handles) ([]exec.Action, []batchRequest, error) {
	n := 0
	for i := range in.RequestItems {
		r := &in.RequestItems[i]
		if _, err := tables.enter(db, r.Key, firstItem(r.Value)); err != nil {
			return nil, nil, err
		}
		n += len(r.Value)
	}
	actions, requests := make([]exec.Action, 0, n), make([]batchRequest, 0, n)
	for i := range in.RequestItems {
		t := tables.list[i].Table
		for _, r := range in.RequestItems[i].Value {
			w, err := bindRequest(&t.Table, &r)
			if err != nil {
				return nil, nil, err
			}
			actions = append(actions, exec.Action{Table: t, Write: w})
			requests = append(requests, batchRequest{table: in.RequestItems[i].Key, request: r})
		}
	}
	for i := range actions {
		for j := range i {
			if bytes.Equal(actions[i].Write.Key, actions[j].Write.Key) {
				return nil, nil, api.Errorf(api.Validation, api.MsgBatchDuplicate)
			}
		}
	}
	return actions, requests, nil
}

func firstItem(requests []api.WriteRequest) attr.Item {
	if p := requests[0].PutRequest; p != nil {
		return p.Item
	}
	return requests[0].DeleteRequest.Key
}

// unprocessedItem adds a request to those of its table.
func unprocessedItem(list []api.BatchWriteItemRequestMapEntry, r *batchRequest) []api.BatchWriteItemRequestMapEntry {
	for i := range list {
		if list[i].Key == r.table {
			list[i].Value = append(list[i].Value, r.request)
			return list
		}
	}
	return append(list, api.BatchWriteItemRequestMapEntry{
		Key: r.table, Value: []api.WriteRequest{r.request},
	})
}

func bindRequest(t *schema.Table, r *api.WriteRequest) (plan.Write, error) {
	if r.PutRequest != nil {
		return plan.BatchPut(t, r.PutRequest.Item)
	}
	return plan.Delete(t, r.DeleteRequest.Key, nil)
}
