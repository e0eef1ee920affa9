package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/schema"
)

// Parts of the reasons of throttling (wire-facts §1.4).
const (
	reasonTable = "Table"
	reasonIndex = "Index"
	reasonRead  = "Read"
	reasonWrite = "Write"

	reasonProvisioned = "ProvisionedThroughputExceeded"
	reasonOnDemand    = "MaxOnDemandThroughputExceeded"
)

// throttled says whether requests are held to the throughput of their tables.
func (db *core) throttled() bool { return db.buckets != nil }

// limitOf is what a table, or its global index, may consume a second; false when it has no limit:
// on-demand tables have one only where a maximum is set.
func limitOf(t *catalog.Table, index string, write bool) (float64, bool) {
	b := &t.Billing
	var rate catalog.Throughput
	switch {
	case b.OnDemand && index != "":
		rate = b.IndexMax[index]
	case b.OnDemand && b.Max != nil:
		rate = *b.Max
	case !b.OnDemand && index != "":
		rate = b.Indexes[index]
	case !b.OnDemand:
		rate = b.Table
	}
	if write {
		return float64(rate.Write), rate.Write > 0
	}
	return float64(rate.Read), rate.Read > 0
}

// admit refuses a request when the table, or with a name its index, has less left than the request
// costs at least.
func (db *core) admit(t *catalog.Table, index string, write bool, least float64) error {
	if !db.throttled() {
		return nil
	}
	rate, ok := limitOf(t, index, write)
	name := capacity.Bucket{Table: t.Table.ID, Index: index, Write: write}
	if !ok || db.buckets.Has(name, rate, least, db.exec.Now()) {
		return nil
	}
	return db.throttling(t, index, write)
}

// admitRead admits a read of a table or an index. Local indexes live on the table's throughput.
func (db *core) admitRead(t *catalog.Table, ix *schema.Index, consistent bool) error {
	index := ""
	if ix != nil && ix.Global() {
		index = ix.Name
	}
	return db.admit(t, index, false, capacity.ReadUnits(0, consistent))
}

// admitWrite admits a write. An index without capacity refuses all writes, also those that will not
// touch it: unsure; which do is known only once the item is read.
func (db *core) admitWrite(t *catalog.Table, least float64) error {
	if !db.throttled() {
		return nil
	}
	if err := db.admit(t, "", true, least); err != nil {
		return err
	}
	for i := range t.Table.Indexes {
		if ix := &t.Table.Indexes[i]; ix.Global() {
			if err := db.admit(t, ix.Name, true, capacity.WriteUnits(0, 0)); err != nil {
				return err
			}
		}
	}
	return nil
}

// throttling is the error of a refused request.
func (db *core) throttling(t *catalog.Table, index string, write bool) *api.Error {
	reason, resource := reasonTable, db.tableARN(t.Table.Name)
	provisioned, onDemand := api.MsgThroughputTable, api.MsgThrottledTable
	if index != "" {
		reason, resource = reasonIndex, resource+"/index/"+index
		provisioned, onDemand = api.MsgThroughputIndex, api.MsgThrottledIndex
	}
	if write {
		reason += reasonWrite
	} else {
		reason += reasonRead
	}
	err := api.Errorf(api.ProvisionedThroughputExceeded, "%s", provisioned)
	if t.Billing.OnDemand {
		err = api.Errorf(api.Throttling, "%s", onDemand)
		reason += reasonOnDemand
	} else {
		reason += reasonProvisioned
	}
	err.Throttling = []api.ThrottlingReason{{Reason: api.Some(reason), Resource: api.Some(resource)}}
	return err
}

// charge takes what a request consumed.
func (db *core) charge(t *catalog.Table, m *capacity.Meter, write bool) {
	if !db.throttled() {
		return
	}
	now := db.exec.Now()
	take := func(index string, units float64) {
		if rate, ok := limitOf(t, index, write); ok {
			db.buckets.Take(capacity.Bucket{Table: t.Table.ID, Index: index, Write: write}, rate, units, now)
		}
	}
	table := m.Table
	m.Indexes(func(name string, local bool, units float64) {
		if local {
			table += units
		} else {
			take(name, units)
		}
	})
	take("", table)
}

// chargeAll takes what a request consumed of several tables, which the meters name as it did.
func (db *core) chargeAll(tables *handles, m meters, write bool) {
	if !db.throttled() {
		return
	}
	for i := range m {
		for k := range tables.list {
			if tables.list[k].name == m[i].TableName {
				db.charge(tables.list[k].Table, &m[i], write)
			}
		}
	}
}

// chargeRefused takes the unit of a write whose condition failed. What it costs is the size of the
// stored item, which is not known any more here: unsure.
func (db *core) chargeRefused(t *catalog.Table, err error) {
	if db.throttled() && api.CodeOf(err) == api.ConditionalCheckFailed {
		db.charge(t, &capacity.Meter{Table: capacity.WriteUnits(0, 0)}, true)
	}
}

// cancelThrottled turns the refusals of a transaction's actions, one an action, into its cancellation;
// nil when there are none.
func cancelThrottled(refusals []error) error {
	reasons := make([]api.CancellationReason, len(refusals))
	refused := false
	for i, err := range refusals {
		reasons[i].Code = api.Some(api.ReasonNone)
		own, ok := err.(*api.Error) //nolint:errorlint // admit made it
		if !ok {
			continue
		}
		refused = true
		reasons[i].Code = api.Some(api.ReasonProvisionedThroughput)
		if own.Code == api.Throttling {
			reasons[i].Code = api.Some(api.ReasonThrottlingError)
		}
		reasons[i].Message = api.Some(own.Message)
	}
	if !refused {
		return nil
	}
	return exec.Cancelled(reasons)
}

// admitActions admits the writes of a transaction, all or none.
func (db *core) admitActions(actions []exec.Action) error {
	if !db.throttled() {
		db.noteActions(actions, nil)
		return nil
	}
	refusals := make([]error, len(actions))
	for i := range actions {
		refusals[i] = db.admitWrite(actions[i].Table, capacity.TransactWriteUnits(0, 0))
		db.note(actions[i].Table, nil, actions[i].Write.Key, true, refusals[i])
	}
	return cancelThrottled(refusals)
}

// admitGets admits the reads of a transaction, all or none. Each entry is one read.
func (db *core) admitGets(gets []exec.Gets, keys [][]byte) error {
	if !db.throttled() {
		db.noteGets(gets, keys, nil)
		return nil
	}
	refusals := make([]error, len(gets))
	for i := range gets {
		refusals[i] = db.admit(gets[i].Table, "", false, capacity.TransactReadUnits(0))
		db.note(gets[i].Table, nil, keys[i], true, refusals[i])
	}
	return cancelThrottled(refusals)
}

// throttleGets says which keys of a batch are left unprocessed, and charges the others one by one. It
// is an error when none is left. The items are read already: what they cost is known.
func (db *core) throttleGets(
	in *api.BatchGetItemInput, gets []exec.Gets, keys [][]byte, items []attr.Item,
) (skip []bool, err error) {
	if !db.throttled() {
		db.noteGets(gets, keys, nil)
		return nil, nil
	}
	skip = make([]bool, len(items))
	at, served := 0, 0
	for i := range gets {
		consistent := in.RequestItems[i].Value.ConsistentRead.Value
		for range gets[i].Count {
			e := db.admitRead(gets[i].Table, nil, consistent)
			db.note(gets[i].Table, nil, keys[at], true, e)
			if e != nil {
				skip[at], err = true, e
			} else {
				db.charge(gets[i].Table, &capacity.Meter{Table: capacity.ReadUnits(sizeOf(items[at]), consistent)}, false)
				served++
			}
			at++
		}
	}
	if served > 0 {
		err = nil
	}
	return skip, err
}

// batchWrite runs the writes of a batch for which there is capacity; the others are unprocessed. It is
// an error when there is none for any. The writes are charged one by one by what is known of them
// before, so that one batch does not use up what is not there, and set right afterwards.
func (db *core) batchWrite(ctx context.Context, actions []exec.Action, needOld bool) ([]exec.Result, []int, error) {
	if !db.throttled() {
		db.noteActions(actions, nil)
		return db.exec.BatchWrite(ctx, actions, needOld)
	}
	var kept []exec.Action
	var at, unprocessed []int
	var refusal error
	for i := range actions {
		a := &actions[i]
		err := db.admitWrite(a.Table, capacity.WriteUnits(0, 0))
		db.note(a.Table, nil, a.Write.Key, true, err)
		if err != nil {
			refusal = err
			unprocessed = append(unprocessed, i)
			continue
		}
		db.charge(a.Table, &capacity.Meter{Table: before(a)}, true)
		kept, at = append(kept, *a), append(at, i)
	}
	if len(kept) == 0 {
		return nil, nil, refusal
	}
	part, skipped, err := db.exec.BatchWrite(ctx, kept, true)
	if err != nil {
		return nil, nil, err
	}
	results := make([]exec.Result, len(actions))
	for i := range part {
		results[at[i]] = part[i]
		m := capacity.Meter{Table: capacity.WriteUnits(part[i].OldSize(), part[i].NewSize()) - before(&kept[i])}
		meterIndexes(&m, kept[i].Table, &part[i])
		db.charge(kept[i].Table, &m, true)
	}
	for _, i := range skipped {
		unprocessed = append(unprocessed, at[i])
	}
	return results, unprocessed, nil
}

// before is what is known of the cost of a put or delete before it is run.
func before(a *exec.Action) float64 { return capacity.WriteUnits(0, sizeOf(a.Write.Item)) }
