package engine

import (
	"context"
	"encoding/json"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/validate"
)

// UpdateGlobalTableSettings sets throughput in all replicas of a global table of version 2017.11.29, and what one
// of them has of its own.
func (db *core) UpdateGlobalTableSettings(ctx context.Context, in *api.UpdateGlobalTableSettingsInput) (*api.UpdateGlobalTableSettingsOutput, error) {
	if err := validate.UpdateGlobalTableSettings(in, db.rules); err != nil {
		return nil, err
	}
	name := in.GlobalTableName.Value
	if _, err := db.legacy(ctx, name); err != nil {
		return nil, err
	}
	t, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		switch {
		case r.Global == nil || !r.Global.Legacy:
			return noLegacy(name)
		case !r.Global.Settled():
			return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", name)
		}
		if err := busy(r); err != nil {
			return err
		}
		return db.setGlobal(r, in)
	})
	if err != nil {
		return nil, err
	}
	db.wakeSenders()
	return &api.UpdateGlobalTableSettingsOutput{GlobalTableName: in.GlobalTableName, ReplicaSettings: db.replicaSettings(ctx, t)}, nil
}

// setGlobal checks what is asked for, and sets it.
func (db *core) setGlobal(r *catalog.Record, in *api.UpdateGlobalTableSettingsInput) error {
	if err := db.namesReplicas(r, in); err != nil {
		return err
	}
	now := db.exec.Now().UnixMilli()
	next, err := nextBilling(throughputAsked(r, in), r, now)
	if err != nil {
		return err
	}
	if db.opts.StrictLimits {
		if err := db.strictUnits(r.Table.Name, &r.Billing, &next); err != nil {
			return err
		}
	}
	r.Billing = next
	if err := db.setScaling(r, scalingAsked(in)); err != nil {
		return err
	}
	for i := range in.ReplicaSettingsUpdate {
		db.setReplica(r, &in.ReplicaSettingsUpdate[i], now)
	}
	r.NoteShared(now, db.opts.Region)
	return nil
}

// namesReplicas refuses regions and indexes that there are not, and reads of on-demand tables.
func (db *core) namesReplicas(r *catalog.Record, in *api.UpdateGlobalTableSettingsInput) error {
	index := func(name string) error {
		if ix := r.Table.Index(name); ix == nil || !ix.Global() {
			return api.Errorf(api.IndexNotFound, api.MsgGlobalLegacyNoIndex, name)
		}
		return nil
	}
	for i := range in.GlobalTableGlobalSecondaryIndexSettingsUpdate {
		if err := index(in.GlobalTableGlobalSecondaryIndexSettingsUpdate[i].IndexName.Value); err != nil {
			return err
		}
	}
	onDemand := r.Billing.OnDemand
	if m := in.GlobalTableBillingMode; m.Set {
		onDemand = m.Value == api.BillingModePayPerRequest
	}
	for i := range in.ReplicaSettingsUpdate {
		u := &in.ReplicaSettingsUpdate[i]
		if region := u.RegionName.Value; region != db.opts.Region && r.Global.Peer(region) == nil {
			return api.Errorf(api.ReplicaNotFound, api.MsgGlobalLegacyNoReplica, region)
		}
		reads := u.ReplicaProvisionedReadCapacityUnits.Set
		for k := range u.ReplicaGlobalSecondaryIndexSettingsUpdate {
			x := &u.ReplicaGlobalSecondaryIndexSettingsUpdate[k]
			if err := index(x.IndexName.Value); err != nil {
				return err
			}
			reads = reads || x.ProvisionedReadCapacityUnits.Set
		}
		if onDemand && reads {
			return api.Errorf(api.Validation, api.MsgUnitsOnDemand)
		}
	}
	return nil
}

// throughputAsked is what UpdateTable would be asked for here. Units that stay as they are are left out, which
// UpdateTable refuses.
func throughputAsked(r *catalog.Record, in *api.UpdateGlobalTableSettingsInput) *api.UpdateTableInput {
	out := &api.UpdateTableInput{BillingMode: in.GlobalTableBillingMode}
	units := func(old catalog.Throughput, write int64) *api.ProvisionedThroughput {
		if old.Write == write {
			return nil
		}
		return &api.ProvisionedThroughput{ReadCapacityUnits: api.Some(max(old.Read, 1)), WriteCapacityUnits: api.Some(write)}
	}
	if w := in.GlobalTableProvisionedWriteCapacityUnits; w.Set {
		out.ProvisionedThroughput = units(r.Billing.Table, w.Value)
	}
	for i := range in.GlobalTableGlobalSecondaryIndexSettingsUpdate {
		x := &in.GlobalTableGlobalSecondaryIndexSettingsUpdate[i]
		if w := x.ProvisionedWriteCapacityUnits; w.Set {
			if p := units(r.Billing.Indexes[x.IndexName.Value], w.Value); p != nil {
				out.GlobalSecondaryIndexUpdates = append(out.GlobalSecondaryIndexUpdates, api.GlobalSecondaryIndexUpdate{
					Update: &api.UpdateGlobalSecondaryIndexAction{IndexName: x.IndexName, ProvisionedThroughput: p},
				})
			}
		}
	}
	return out
}

// scalingAsked is what UpdateTableReplicaAutoScaling would be asked for.
func scalingAsked(in *api.UpdateGlobalTableSettingsInput) *api.UpdateTableReplicaAutoScalingInput {
	out := &api.UpdateTableReplicaAutoScalingInput{
		ProvisionedWriteCapacityAutoScalingUpdate: in.GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate,
	}
	for i := range in.GlobalTableGlobalSecondaryIndexSettingsUpdate {
		x := &in.GlobalTableGlobalSecondaryIndexSettingsUpdate[i]
		out.GlobalSecondaryIndexUpdates = append(out.GlobalSecondaryIndexUpdates, api.GlobalSecondaryIndexAutoScalingUpdate{
			IndexName: x.IndexName, ProvisionedWriteCapacityAutoScalingUpdate: x.ProvisionedWriteCapacityAutoScalingSettingsUpdate,
		})
	}
	for i := range in.ReplicaSettingsUpdate {
		x := &in.ReplicaSettingsUpdate[i]
		u := api.ReplicaAutoScalingUpdate{
			RegionName: x.RegionName, ReplicaProvisionedReadCapacityAutoScalingUpdate: x.ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate,
		}
		for k := range x.ReplicaGlobalSecondaryIndexSettingsUpdate {
			y := &x.ReplicaGlobalSecondaryIndexSettingsUpdate[k]
			u.ReplicaGlobalSecondaryIndexUpdates = append(u.ReplicaGlobalSecondaryIndexUpdates, api.ReplicaGlobalSecondaryIndexAutoScalingUpdate{
				IndexName: y.IndexName, ProvisionedReadCapacityAutoScalingUpdate: y.ProvisionedReadCapacityAutoScalingSettingsUpdate,
			})
		}
		out.ReplicaUpdates = append(out.ReplicaUpdates, u)
	}
	return out
}

// setReplica gives one replica what it has of its own.
func (db *core) setReplica(r *catalog.Record, u *api.ReplicaSettingsUpdate, nowMs int64) {
	own := catalog.Override{Read: u.ReplicaProvisionedReadCapacityUnits.Value, TableClass: u.ReplicaTableClass.Value}
	for i := range u.ReplicaGlobalSecondaryIndexSettingsUpdate {
		x := &u.ReplicaGlobalSecondaryIndexSettingsUpdate[i]
		if x.ProvisionedReadCapacityUnits.Set {
			if own.IndexRead == nil {
				own.IndexRead = map[string]int64{}
			}
			own.IndexRead[x.IndexName.Value] = x.ProvisionedReadCapacityUnits.Value
		}
	}
	p := r.Global.Peer(u.RegionName.Value)
	if p == nil {
		r.Apply(r.Global.Own.Merge(own))
		return
	}
	p.Own = p.Own.Merge(own)
	p.OwnMs = max(nowMs, p.OwnMs+1)
}

// DescribeGlobalTableSettings tells the settings of each replica of a global table of version 2017.11.29. Of one
// that does not answer it tells what is known here.
func (db *core) DescribeGlobalTableSettings(ctx context.Context, in *api.DescribeGlobalTableSettingsInput) (*api.DescribeGlobalTableSettingsOutput, error) {
	if err := validate.DescribeGlobalTableSettings(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.legacy(ctx, in.GlobalTableName.Value)
	if err != nil {
		return nil, err
	}
	return &api.DescribeGlobalTableSettingsOutput{GlobalTableName: in.GlobalTableName, ReplicaSettings: db.replicaSettings(ctx, t)}, nil
}

func (db *core) replicaSettings(ctx context.Context, t *catalog.Table) []api.ReplicaSettingsDescription {
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	list := []api.ReplicaSettingsDescription{
		db.describeSettings(t, db.opts.Region, api.ReplicaStatusActive, &t.Billing, t.TableClass),
	}
	for i := range t.Global.Peers {
		p := &t.Global.Peers[i]
		billing, class := t.Billing.Clone(), t.TableClass
		if there, err := db.atRegion(ctx, p.Region, t.Table.Name, t.Global.ID); err == nil {
			var s settings
			if json.Unmarshal(there.Settings, &s) == nil && s.Shared != nil {
				billing, class = s.Shared.Billing, s.Shared.TableClass
			}
		}
		if p.Own.Read != 0 {
			billing.Table.Read = p.Own.Read
		}
		for name, n := range p.Own.IndexRead {
			if u, ok := billing.Indexes[name]; ok {
				u.Read = n
				billing.Indexes[name] = u
			}
		}
		if p.Own.TableClass != "" {
			class = p.Own.TableClass
		}
		list = append(list, db.describeSettings(t, p.Region, db.peerStatus(p), &billing, class))
	}
	return list
}

func (db *core) describeSettings(t *catalog.Table, region, status string, b *catalog.Billing, class string) api.ReplicaSettingsDescription {
	d := api.ReplicaSettingsDescription{
		RegionName: api.Some(region), ReplicaStatus: api.Some(status),
		ReplicaProvisionedReadCapacityUnits:                api.Some(b.Table.Read),
		ReplicaProvisionedReadCapacityAutoScalingSettings:  scalingOf(t.Scaling.Read[region], ""),
		ReplicaProvisionedWriteCapacityUnits:               api.Some(b.Table.Write),
		ReplicaProvisionedWriteCapacityAutoScalingSettings: scalingOf(t.Scaling.Write, ""),
	}
	if b.OnDemand {
		d.ReplicaBillingModeSummary = &api.BillingModeSummary{BillingMode: api.Some(api.BillingModePayPerRequest)}
	}
	if class != "" {
		d.ReplicaTableClassSummary = &api.TableClassSummary{TableClass: api.Some(class)}
	}
	for i := range t.Table.Indexes {
		ix := &t.Table.Indexes[i]
		if !ix.Global() {
			continue
		}
		x := api.ReplicaGlobalSecondaryIndexSettingsDescription{
			IndexName: api.Some(ix.Name), IndexStatus: api.Some(api.IndexStatusActive),
			ProvisionedReadCapacityAutoScalingSettings:  scalingOf(t.Scaling.Read[region], ix.Name),
			ProvisionedWriteCapacityAutoScalingSettings: scalingOf(t.Scaling.Write, ix.Name),
		}
		if u := b.Indexes[ix.Name]; !b.OnDemand {
			x.ProvisionedReadCapacityUnits, x.ProvisionedWriteCapacityUnits = api.Some(u.Read), api.Some(u.Write)
		}
		d.ReplicaGlobalSecondaryIndexSettings = append(d.ReplicaGlobalSecondaryIndexSettings, x)
	}
	return d
}
