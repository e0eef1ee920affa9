package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/validate"
	"github.com/keystone-db/kstone/expr"
)

// handles are the tables that a request has entered, each once, in order of first use.
type handles struct{ list []namedHandle }

// newHandles has room for a few tables, which stays on the stack.
func newHandles() handles { return handles{make([]namedHandle, 0, tablesFew)} }

type namedHandle struct {
	handle
	name string
}

// enter returns the table of that name, entering it at its first use.
func (h *handles) enter(db *core, name string, item attr.Item) (handle, error) {
	for i := range h.list {
		if h.list[i].name == name {
			return h.list[i].handle, nil
		}
	}
	t, err := db.enter(name, item)
	if err == nil {
		h.list = append(h.list, namedHandle{t, name})
	}
	return t, err
}

func (h *handles) leave() {
	for i := range h.list {
		h.list[i].leave()
	}
}

// meters is one meter a table, in order of first use.
type meters []capacity.Meter

func (m *meters) of(table string) *capacity.Meter {
	for i := range *m {
		if (*m)[i].TableName == table {
			return &(*m)[i]
		}
	}
	*m = append(*m, capacity.Meter{TableName: table})
	return &(*m)[len(*m)-1]
}

func (m meters) consumed(mode api.Opt[string], d capacity.Direction) []api.ConsumedCapacity {
	if !wantsCapacity(mode) {
		return nil
	}
	list := make([]api.ConsumedCapacity, 0, len(m))
	for i := range m {
		list = append(list, *m[i].Consumed(mode.Value, d))
	}
	return list
}

// action is one action of TransactWriteItems, whichever it is, before it is bound.
type action struct {
	kind      plan.WriteKind
	table     string
	item      attr.Item // the item of a put, otherwise the key
	onFailure string
	texts     plan.Texts
	trees     plan.Expressions
}

func actionOf(x *api.TransactWriteItem) action {
	switch {
	case x.Put != nil:
		p := x.Put
		return action{kind: plan.WritePut, table: p.TableName.Value, item: p.Item,
			onFailure: p.ReturnValuesOnConditionCheckFailure.Value,
			texts: plan.Texts{Condition: p.ConditionExpression, Names: p.ExpressionAttributeNames,
				Values: p.ExpressionAttributeValues}}
	case x.Update != nil:
		u := x.Update
		return action{kind: plan.WriteUpdate, table: u.TableName.Value, item: u.Key,
			onFailure: u.ReturnValuesOnConditionCheckFailure.Value,
			texts: plan.Texts{Update: u.UpdateExpression, Condition: u.ConditionExpression,
				Names: u.ExpressionAttributeNames, Values: u.ExpressionAttributeValues}}
	case x.Delete != nil:
		d := x.Delete
		return action{kind: plan.WriteDelete, table: d.TableName.Value, item: d.Key,
			onFailure: d.ReturnValuesOnConditionCheckFailure.Value,
			texts: plan.Texts{Condition: d.ConditionExpression, Names: d.ExpressionAttributeNames,
				Values: d.ExpressionAttributeValues}}
	}
	c := x.ConditionCheck
	return action{kind: plan.WriteCheck, table: c.TableName.Value, item: c.Key,
		onFailure: c.ReturnValuesOnConditionCheckFailure.Value,
		texts: plan.Texts{Condition: c.ConditionExpression, Names: c.ExpressionAttributeNames,
			Values: c.ExpressionAttributeValues}}
}

// TransactWriteItems runs up to 100 actions, all or none.
func (db *core) TransactWriteItems(ctx context.Context, in *api.TransactWriteItemsInput) (*api.TransactWriteItemsOutput, error) {
	actions := make([]action, len(in.TransactItems))
	err := validate.TransactWriteItemsWith(in, db.rules, func(i int) error {
		a := &actions[i]
		*a = actionOf(&in.TransactItems[i])
		if !a.texts.Any() {
			return nil
		}
		var err error
		a.trees, err = db.compiler.Compile(&a.texts)
		return err
	})
	if err != nil {
		return nil, err
	}
	tables := newHandles()
	defer tables.leave()
	x := exec.Transaction{
		Actions: make([]exec.Action, len(actions)), Token: in.ClientRequestToken.Value,
		WantResults: wantsCapacity(in.ReturnConsumedCapacity) || db.throttled() ||
			in.ReturnItemCollectionMetrics.Value == api.ReturnItemCollectionMetricsSize,
	}
	if err := db.bindActions(actions, &tables, &x); err != nil {
		return nil, err
	}
	if err := db.admitActions(x.Actions); err != nil {
		return nil, err
	}
	if x.Token != "" {
		x.Digest = digest(actions)
	}
	res, err := db.exec.TransactWrite(ctx, &x)
	if err != nil {
		return nil, err
	}
	if db.throttled() {
		db.chargeAll(&tables, transactMeters(actions, &x, &res), !res.Replayed)
	}
	return transactOutput(in, actions, &x, &res), nil
}

// bindActions looks up all tables before it binds, and refuses two actions on one item.
func (db *core) bindActions(actions []action, tables *handles, x *exec.Transaction) error {
	for i := range actions {
		t, err := tables.enter(db, actions[i].table, actions[i].item)
		if err != nil {
			return err
		}
		x.Actions[i].Table = t.Table
	}
	room := plan.NewRoom(len(actions))
	for i := range actions {
		a := &actions[i]
		w, err := bindWrite(&room, &x.Actions[i].Table.Table, a.kind, a.item, &a.trees)
		if err != nil {
			return err
		}
		w.ReturnOnFailure = a.onFailure == api.ReturnValuesOnConditionCheckFailureAllOld
		x.Actions[i].Write = w
		for j := range i {
			if bytes.Equal(x.Actions[j].Write.Key, w.Key) {
				return api.Errorf(api.Validation, api.MsgTransactDuplicate)
			}
		}
	}
	return nil
}

// digest identifies a request for its token: the decoded actions in order, whatever the spelling of
// the JSON was. What the answer shall contain is not part of it.
func digest(actions []action) [exec.DigestBytes]byte {
	room := digestRooms.Get().(*[]byte)
	b := (*room)[:0]
	for i := range actions {
		a := &actions[i]
		b = append(b, byte(a.kind))
		b = appendPart(b, a.table)
		b = appendPart(b, a.item)
		b = appendPart(b, a.onFailure)
		b = appendPart(b, a.texts.Update.Value)
		b = appendPart(b, a.texts.Condition.Value)
		for _, n := range a.texts.Names {
			b = appendPart(appendPart(b, n.Placeholder), n.Name)
		}
		for _, v := range a.texts.Values {
			b = appendPart(appendPart(b, v.Placeholder), v.Value)
		}
	}
	sum := sha256.Sum256(b)
	if cap(b) <= digestRoomMaxBytes {
		*room = b
		digestRooms.Put(room)
	}
	return sum
}

// digestRooms has memory for what is digested, of at most digestRoomMaxBytes each.
var digestRooms = sync.Pool{New: func() any { return new([]byte) }}

const digestRoomMaxBytes = 64 << 10

// appendPart appends one length-prefixed part.
func appendPart[T string | attr.Item | attr.Value](dst []byte, part T) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(part))), part...)
}

// transactOutput reports capacity: written units, or for a replay what reading the items costs
// (wire-facts §6.5).
func transactOutput(in *api.TransactWriteItemsInput, actions []action, x *exec.Transaction, res *exec.TransactResult) *api.TransactWriteItemsOutput {
	out := &api.TransactWriteItemsOutput{}
	if wantsCapacity(in.ReturnConsumedCapacity) {
		direction := capacity.TransactWrite
		if res.Replayed {
			direction = capacity.TransactRead
		}
		out.ConsumedCapacity = transactMeters(actions, x, res).consumed(in.ReturnConsumedCapacity, direction)
	}
	if in.ReturnItemCollectionMetrics.Value == api.ReturnItemCollectionMetricsSize && !res.Replayed {
		for i := range actions {
			if actions[i].kind != plan.WriteCheck {
				out.ItemCollectionMetrics = addMetrics(out.ItemCollectionMetrics, actions[i].table,
					collectionMetrics(&x.Actions[i].Table.Table, actions[i].item, res.Results[i].Collection))
			}
		}
	}
	return out
}

// transactMeters is what a transaction consumed of each table.
func transactMeters(actions []action, x *exec.Transaction, res *exec.TransactResult) meters {
	var m meters
	for i := range actions {
		tm := m.of(actions[i].table)
		if res.Replayed {
			tm.Table += capacity.TransactReadUnits(res.Sizes[i])
			continue
		}
		r := &res.Results[i]
		tm.Table += capacity.TransactWriteUnits(r.OldSize(), r.NewSize())
		meterIndexes(tm, x.Actions[i].Table, r)
	}
	return m
}

// addMetrics adds a collection to those of its table, once.
func addMetrics(list []api.ItemCollectionMetricsPerTableEntry, table string, m *api.ItemCollectionMetrics) []api.ItemCollectionMetricsPerTableEntry {
	if m == nil {
		return list
	}
	for i := range list {
		if list[i].Key != table {
			continue
		}
		for _, old := range list[i].Value {
			if bytes.Equal(old.ItemCollectionKey, m.ItemCollectionKey) {
				return list
			}
		}
		list[i].Value = append(list[i].Value, *m)
		return list
	}
	return append(list, api.ItemCollectionMetricsPerTableEntry{
		Key: table, Value: []api.ItemCollectionMetrics{*m},
	})
}

// transactReadMaxBytes bounds the items of TransactGetItems together.
const transactReadMaxBytes = 4 << 20

// TransactGetItems reads up to 100 items at one moment.
func (db *core) TransactGetItems(ctx context.Context, in *api.TransactGetItemsInput) (*api.TransactGetItemsOutput, error) {
	projections := make([]*expr.Projection, len(in.TransactItems))
	err := validate.TransactGetItemsWith(in, db.rules, func(i int) error {
		g := in.TransactItems[i].Get
		p, err := db.projection(g.ProjectionExpression, g.ExpressionAttributeNames, nil)
		projections[i] = p
		return err
	})
	if err != nil {
		return nil, err
	}
	tables := newHandles()
	defer tables.leave()
	keys, gets, err := db.bindGets(in, projections, &tables)
	if err != nil {
		return nil, err
	}
	if err := db.admitGets(gets, keys); err != nil {
		return nil, err
	}
	items, stored, err := db.exec.TransactGet(ctx, keys, gets)
	if err != nil {
		return nil, err
	}
	out := &api.TransactGetItemsOutput{Responses: make([]api.ItemResponse, len(items))}
	var m meters
	total := 0
	for i, item := range items {
		total += sizeOf(item)
		m.of(in.TransactItems[i].Get.TableName.Value).Table += capacity.TransactReadUnits(sizeOf(stored[i]))
		out.Responses[i].Item = project(item, projections[i])
	}
	db.chargeAll(&tables, m, false)
	if total > transactReadMaxBytes {
		return nil, api.Errorf(api.Validation, api.MsgTransactSize)
	}
	out.ConsumedCapacity = m.consumed(in.ReturnConsumedCapacity, capacity.TransactRead)
	return out, nil
}

func (db *core) bindGets(in *api.TransactGetItemsInput, projections []*expr.Projection, tables *handles) ([][]byte, []exec.Gets, error) {
	gets := make([]exec.Gets, len(in.TransactItems))
	for i := range gets {
		g := in.TransactItems[i].Get
		t, err := tables.enter(db, g.TableName.Value, g.Key)
		if err != nil {
			return nil, nil, err
		}
		gets[i] = exec.Gets{Table: t.Table, Count: 1}
	}
	keys, room := make([][]byte, len(gets)), plan.NewRoom(len(gets))
	for i := range gets {
		k, err := plan.Get(&room, &gets[i].Table.Table, in.TransactItems[i].Get.Key, projections[i])
		if err != nil {
			return nil, nil, err
		}
		for j := range i {
			if bytes.Equal(keys[j], k) {
				return nil, nil, api.Errorf(api.Validation, api.MsgTransactDuplicate)
			}
		}
		keys[i] = k
	}
	return keys, gets, nil
}
