package engine

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/validate"
)

// UpdateTable changes settings of a table: throughput, billing mode, deletion protection, table
// class, encryption, stream, global indexes and those of vectors, replicas.
func (db *core) UpdateTable(ctx context.Context, in *api.UpdateTableInput) (*api.UpdateTableOutput, error) {
	if err := validate.UpdateTable(in, db.rules); err != nil {
		return nil, err
	}
	if in.ReplicaUpdates != nil {
		return db.updateReplicas(ctx, in)
	}
	name := tableName(in.TableName.Value)
	now := db.exec.Now().UnixMilli()
	if err := db.strictPassing(ctx); err != nil {
		return nil, err
	}
	t, err := db.catalog.Update(ctx, name, true, func(r *catalog.Record) error {
		if err := busy(r); err != nil {
			return err
		}
		if err := db.unlessReplicating(r, in); err != nil {
			return err
		}
		next, err := nextBilling(in, r, now)
		if err != nil {
			return err
		}
		if err := nextStream(in.StreamSpecification, r); err != nil {
			return err
		}
		r.Pending = &next
		if err := nextIndexes(in, r); err != nil {
			return err
		}
		if err := nextVectors(in, r); err != nil {
			return err
		}
		if err := db.strictUpdate(in, r, &next, now); err != nil {
			return err
		}
		if in.DeletionProtectionEnabled.Set {
			r.DeletionProtection = in.DeletionProtectionEnabled.Value
		}
		if in.TableClass.Set {
			r.ChangeClass(in.TableClass.Value, now)
		}
		if in.SSESpecification != nil {
			if err := changeSSE(r, sseOf(in.SSESpecification), now); err != nil {
				return err
			}
		}
		ownNoMore(r, in)
		db.shared(r, now)
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	if len(t.Jobs) > 0 {
		db.background.jobs.look()
	}
	if t.Streams() {
		db.background.streams.look()
	}
	db.wakeSenders()
	d, err := db.describe(ctx, t)
	return &api.UpdateTableOutput{TableDescription: d}, err
}

// nextStream enables or disables the stream (wire-facts §6.2 #7 and #8).
func nextStream(in *api.StreamSpecification, r *catalog.Record) error {
	switch {
	case in == nil:
	case in.StreamEnabled.Value && r.Streams():
		return api.Errorf(api.Validation, api.MsgStreamEnabled, r.Table.Name)
	case in.StreamEnabled.Value:
		r.Stream = &catalog.Stream{Enabled: true, ViewType: in.StreamViewType.Value}
	case !r.Streams():
		return api.Errorf(api.Validation, api.MsgStreamDisabled, r.Table.Name)
	default:
		r.Stream.Enabled = false
	}
	return nil
}

// nextBilling is what the table will pay for, checked in the order of wire-facts §6.2. The answer
// shows the old numbers until the table is active again: DynamoDB does this (TestUpdateTable).
func nextBilling(in *api.UpdateTableInput, r *catalog.Record, now int64) (catalog.Billing, error) {
	next := r.Billing.Clone()
	switch in.BillingMode.Value {
	case api.BillingModePayPerRequest:
		if !next.OnDemand {
			next.Switch(now)
		}
		next.Switched = true
	case api.BillingModeProvisioned:
		if next.OnDemand {
			next.Switched = true
			next.SwitchedMs = cmp.Or(next.SwitchedMs, r.CreatedMs)
		}
		next.OnDemand = false
	}
	if next.OnDemand && (in.ProvisionedThroughput != nil || updatesThroughput(in)) {
		return next, api.Errorf(api.Validation, api.MsgUnitsOnDemand)
	}
	if err := checkIndexChanges(in, r); err != nil {
		return next, err
	}
	if next.OnDemand {
		next.Table, next.Indexes = catalog.Throughput{}, nil
	}
	if err := checkIndexUnits(in, r, &next); err != nil {
		return next, err
	}
	if err := tableThroughput(in, r, &next, now); err != nil {
		return next, err
	}
	if err := indexThroughput(in, r, &next, now); err != nil {
		return next, err
	}
	if err := nextMaxima(in, &next); err != nil {
		return next, err
	}
	keepWarm(&r.Billing, &next)
	return next, nextWarm(in, r, &next)
}

// nextMaxima applies what is asked of on-demand maxima, which a switch of the billing mode takes away.
func nextMaxima(in *api.UpdateTableInput, next *catalog.Billing) error {
	if !next.OnDemand {
		next.Max, next.IndexMax = nil, nil
	}
	if o := in.OnDemandThroughput; o != nil {
		if !next.OnDemand {
			member := "MaxReadRequestUnits"
			if !o.MaxReadRequestUnits.Set {
				member = "MaxWriteRequestUnits"
			}
			return api.Errorf(api.Validation, api.MsgMaximumMode, member)
		}
		next.Max = ceiling(next.Max, o)
	}
	indexCeilings(in, next)
	return nil
}

// keepWarm keeps what a table and its indexes are warm for when their throughput falls: DynamoDB does this
// (TestWarmThroughputStays).
func keepWarm(old, next *catalog.Billing) {
	was := warmOf(old.OnDemand, old.Warm, old.Table)
	if is := warmOf(next.OnDemand, next.Warm, next.Table); was.Lowered(is) {
		next.Warm = &catalog.Throughput{Read: max(was.Read, is.Read), Write: max(was.Write, is.Write)}
	}
	for name := range old.Indexes {
		was := warmOfIndex(old, name)
		if is := warmOfIndex(next, name); was.Lowered(is) {
			setThroughput(&next.IndexWarm, name, catalog.Throughput{Read: max(was.Read, is.Read), Write: max(was.Write, is.Write)})
		}
	}
}

// changeSSE changes the encryption of a table.
func changeSSE(r *catalog.Record, next *catalog.SSE, now int64) error {
	if next == nil && r.SSE == nil {
		return api.Errorf(api.Validation, api.MsgSSESame)
	}
	r.SSE = next
	if len(r.SSEChanges) > 0 && now >= r.SSEChanges[0]+sseWindow.Milliseconds() {
		r.SSEChanges = nil
	}
	r.SSEChanges = append(r.SSEChanges, now)
	if len(r.SSEChanges) > sseChangesKept {
		r.SSEChanges = slices.Delete(r.SSEChanges, 1, 2) //nolint:mnd // the first says when the day began
	}
	return nil
}

// nextWarm applies what is asked of warm throughput.
func nextWarm(in *api.UpdateTableInput, r *catalog.Record, next *catalog.Billing) error {
	b := &r.Billing
	if w := in.WarmThroughput; w != nil {
		warmer, err := warmed(w, warmOf(b.OnDemand, b.Warm, b.Table), "table")
		if err != nil {
			return err
		}
		next.Warm = &warmer
	}
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Update == nil || u.Update.WarmThroughput == nil {
			continue
		}
		name := u.Update.IndexName.Value
		warmer, err := warmed(u.Update.WarmThroughput, warmOfIndex(b, name), "index "+name)
		if err != nil {
			return err
		}
		setThroughput(&next.IndexWarm, name, warmer)
	}
	return nil
}

// warmed is warm throughput after a change, which may only raise it: DynamoDB does this
// (TestWarmThroughputRises).
func warmed(w *api.WarmThroughput, now catalog.Throughput, of string) (catalog.Throughput, error) {
	asked := catalog.Throughput{Read: w.ReadUnitsPerSecond.Or(now.Read), Write: w.WriteUnitsPerSecond.Or(now.Write)}
	switch {
	case asked.Read < now.Read:
		return now, api.Errorf(api.Validation, api.MsgWarmReadFalls, of)
	case asked.Write < now.Write:
		return now, api.Errorf(api.Validation, api.MsgWarmWriteFalls, of)
	}
	return asked, nil
}

// ceiling is an on-demand ceiling after a change: what is not named stays as it was.
func ceiling(old *catalog.Throughput, o *api.OnDemandThroughput) *catalog.Throughput {
	if old == nil {
		return onDemand(o)
	}
	return &catalog.Throughput{
		Read: o.MaxReadRequestUnits.Or(old.Read), Write: o.MaxWriteRequestUnits.Or(old.Write),
	}
}

// indexCeilings applies the updates of indexes' on-demand ceilings.
func indexCeilings(in *api.UpdateTableInput, next *catalog.Billing) {
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Update == nil || u.Update.OnDemandThroughput == nil {
			continue
		}
		name := u.Update.IndexName.Value
		var old *catalog.Throughput
		if m, ok := next.IndexMax[name]; ok {
			old = &m
		}
		setThroughput(&next.IndexMax, name, *ceiling(old, u.Update.OnDemandThroughput))
	}
}

func updatesThroughput(in *api.UpdateTableInput) bool {
	return slices.ContainsFunc(in.GlobalSecondaryIndexUpdates, func(u api.GlobalSecondaryIndexUpdate) bool {
		return u.Update != nil && u.Update.ProvisionedThroughput != nil ||
			u.Create != nil && u.Create.ProvisionedThroughput != nil
	})
}

// indexUpdatesMax is the number of index updates that one call may hold.
const indexUpdatesMax = 5

// indexUnitsMax is the largest throughput that an index update may ask for.
const indexUnitsMax = 1_000_000_000_000

// indexUnits calls f for each update of an index's throughput.
func indexUnits(in *api.UpdateTableInput, f func(name string, p catalog.Throughput) error) error {
	for _, u := range in.GlobalSecondaryIndexUpdates {
		if u.Update == nil || u.Update.ProvisionedThroughput == nil {
			continue
		}
		err := f(u.Update.IndexName.Value, throughput(u.Update.ProvisionedThroughput))
		if err != nil {
			return err
		}
	}
	return nil
}

// checkIndexUnits makes the checks 4 and 5: what is beyond all reason, and a switch to provisioned
// that leaves out an index.
func checkIndexUnits(in *api.UpdateTableInput, r *catalog.Record, next *catalog.Billing) error {
	given := map[string]bool{}
	err := indexUnits(in, func(name string, p catalog.Throughput) error {
		given[name] = true
		if max(p.Read, p.Write) > indexUnitsMax {
			return api.Errorf(api.Validation, api.MsgIndexUnitsBlocked)
		}
		return nil
	})
	if err != nil || next.OnDemand || !r.Billing.OnDemand {
		return err
	}
	var missing []string
	for i := range r.Table.Indexes {
		if ix := &r.Table.Indexes[i]; ix.Global() && !given[ix.Name] {
			missing = append(missing, ix.Name)
		}
	}
	if len(missing) > 0 {
		return api.Errorf(api.Validation, api.MsgIndexUnitsAbsent, strings.Join(missing, ","))
	}
	return nil
}

// indexThroughput applies the updates of indexes after check 6, throughput that stays the same. Whether
// the indexes are there is looked at later.
func indexThroughput(in *api.UpdateTableInput, r *catalog.Record, next *catalog.Billing, now int64) error {
	err := indexUnits(in, func(name string, p catalog.Throughput) error {
		if old, ok := r.Billing.Indexes[name]; ok && old == p && !r.Billing.OnDemand {
			return api.Errorf(api.Validation, api.MsgUnitsSameIndex, name,
				name, old.Read, p.Read, name, old.Write, p.Write)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return indexUnits(in, func(name string, p catalog.Throughput) error {
		if old, ok := r.Billing.Indexes[name]; ok && !r.Billing.OnDemand {
			if next.IndexChanges == nil {
				next.IndexChanges = map[string]catalog.Changes{}
			}
			next.IndexChanges[name] = next.IndexChanges[name].Changed(old, p, now)
		}
		setThroughput(&next.Indexes, name, p)
		return nil
	})
}

func tableThroughput(in *api.UpdateTableInput, r *catalog.Record, next *catalog.Billing, now int64) error {
	if in.ProvisionedThroughput == nil {
		return nil
	}
	old, p := r.Billing.Table, throughput(in.ProvisionedThroughput)
	if old == p && !r.Billing.OnDemand {
		return api.Errorf(api.Validation, api.MsgUnitsSame, old.Read, p.Read, old.Write, p.Write)
	}
	if !r.Billing.OnDemand {
		next.Changes = next.Changed(old, p, now)
	}
	next.Table = p
	return nil
}
