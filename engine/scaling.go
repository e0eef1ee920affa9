package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/validate"
)

// DescribeTableReplicaAutoScaling tells how the throughput of a table with replicas scales.
func (db *core) DescribeTableReplicaAutoScaling(ctx context.Context, in *api.DescribeTableReplicaAutoScalingInput) (*api.DescribeTableReplicaAutoScalingOutput, error) {
	if err := validate.DescribeTableReplicaAutoScaling(in, db.rules); err != nil {
		return nil, err
	}
	t, err := db.lookup(ctx, in.TableName.Value)
	if err != nil {
		return nil, err
	}
	if t.Global == nil {
		return nil, api.Errorf(api.ResourceNotFound, api.MsgGlobalNotFound, t.Table.Name)
	}
	return &api.DescribeTableReplicaAutoScalingOutput{TableAutoScalingDescription: db.describeScaling(&t.Record)}, nil
}

// UpdateTableReplicaAutoScaling sets it for all replicas.
func (db *core) UpdateTableReplicaAutoScaling(ctx context.Context, in *api.UpdateTableReplicaAutoScalingInput) (*api.UpdateTableReplicaAutoScalingOutput, error) {
	if err := validate.UpdateTableReplicaAutoScaling(in, db.rules); err != nil {
		return nil, err
	}
	name := tableName(in.TableName.Value)
	t, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		switch {
		case r.Global == nil:
			return api.Errorf(api.ResourceNotFound, api.MsgGlobalNotFound, name)
		case !r.Global.Settled():
			return api.Errorf(api.ResourceInUse, api.MsgTableBusy, "updated", name)
		}
		if err := busy(r); err != nil {
			return err
		}
		if err := db.setScaling(r, in); err != nil {
			return err
		}
		db.shared(r, db.exec.Now().UnixMilli())
		return nil
	})
	if err != nil {
		return nil, notFound(err, name)
	}
	db.wakeSenders()
	return &api.UpdateTableReplicaAutoScalingOutput{TableAutoScalingDescription: db.describeScaling(&t.Record)}, nil
}

// Names of what cannot be set on demand.
const (
	scalingWrites = "GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate"
	scalingReads  = "ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate"
)

func (db *core) setScaling(r *catalog.Record, in *api.UpdateTableReplicaAutoScalingInput) error {
	if err := db.scalable(r, in); err != nil {
		return err
	}
	set := func(old catalog.AutoScaling, u *api.AutoScalingSettingsUpdate, put func(catalog.AutoScaling)) error {
		next, err := nextScaling(r.Table.Name, old, u)
		if err == nil {
			put(next)
		}
		return err
	}
	if u := in.ProvisionedWriteCapacityAutoScalingUpdate; u != nil {
		if err := set(r.Scaling.Write[""], u, func(a catalog.AutoScaling) { r.Scaling.SetWrite("", a) }); err != nil {
			return err
		}
	}
	for i := range in.GlobalSecondaryIndexUpdates {
		x := &in.GlobalSecondaryIndexUpdates[i]
		index := x.IndexName.Value
		if u := x.ProvisionedWriteCapacityAutoScalingUpdate; u != nil {
			if err := set(r.Scaling.Write[index], u, func(a catalog.AutoScaling) { r.Scaling.SetWrite(index, a) }); err != nil {
				return err
			}
		}
	}
	for i := range in.ReplicaUpdates {
		x := &in.ReplicaUpdates[i]
		region := x.RegionName.Value
		if u := x.ReplicaProvisionedReadCapacityAutoScalingUpdate; u != nil {
			if err := set(r.Scaling.Read[region][""], u, func(a catalog.AutoScaling) { r.Scaling.SetRead(region, "", a) }); err != nil {
				return err
			}
		}
		for k := range x.ReplicaGlobalSecondaryIndexUpdates {
			y := &x.ReplicaGlobalSecondaryIndexUpdates[k]
			index := y.IndexName.Value
			if u := y.ProvisionedReadCapacityAutoScalingUpdate; u != nil {
				if err := set(r.Scaling.Read[region][index], u, func(a catalog.AutoScaling) { r.Scaling.SetRead(region, index, a) }); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// scalable refuses what names no replica or index, and what on-demand tables do not have.
func (db *core) scalable(r *catalog.Record, in *api.UpdateTableReplicaAutoScalingInput) error {
	index := func(name string) error {
		if ix := r.Table.Index(name); ix == nil || !ix.Global() {
			return api.Errorf(api.Validation, api.MsgScalingIndex, r.Table.Name, name)
		}
		return nil
	}
	asked := []string{}
	note := func(u *api.AutoScalingSettingsUpdate, what string) {
		if u != nil && !u.AutoScalingDisabled.Value && !slices.Contains(asked, what) {
			asked = append(asked, what)
		}
	}
	note(in.ProvisionedWriteCapacityAutoScalingUpdate, scalingWrites)
	for i := range in.GlobalSecondaryIndexUpdates {
		x := &in.GlobalSecondaryIndexUpdates[i]
		if err := index(x.IndexName.Value); err != nil {
			return err
		}
		note(x.ProvisionedWriteCapacityAutoScalingUpdate, scalingWrites)
	}
	for i := range in.ReplicaUpdates {
		x := &in.ReplicaUpdates[i]
		if region := x.RegionName.Value; region != db.opts.Region && r.Global.Peer(region) == nil {
			return api.Errorf(api.Validation, api.MsgScalingReplica, r.Table.Name, region)
		}
		note(x.ReplicaProvisionedReadCapacityAutoScalingUpdate, scalingReads)
		for k := range x.ReplicaGlobalSecondaryIndexUpdates {
			y := &x.ReplicaGlobalSecondaryIndexUpdates[k]
			if err := index(y.IndexName.Value); err != nil {
				return err
			}
			note(y.ProvisionedReadCapacityAutoScalingUpdate, scalingReads)
		}
	}
	if r.Billing.OnDemand && len(asked) > 0 {
		regions := []string{}
		for _, region := range append([]string{db.opts.Region}, r.Global.Regions()...) {
			regions = append(regions, "'"+strings.ToUpper(region)+"'")
		}
		slices.Sort(regions)
		return api.Errorf(api.Validation, api.MsgScalingOnDemand, r.Table.Name, strings.Join(regions, ", "), strings.Join(asked, ", "))
	}
	return nil
}

// nextScaling is what an update makes of settings: what is not named stays.
func nextScaling(table string, a catalog.AutoScaling, u *api.AutoScalingSettingsUpdate) (catalog.AutoScaling, error) {
	if u.AutoScalingDisabled.Value {
		return catalog.AutoScaling{Disabled: true}, nil
	}
	a.Disabled = false
	a.Min, a.Max, a.Role = u.MinimumUnits.Or(a.Min), u.MaximumUnits.Or(a.Max), u.AutoScalingRoleArn.Or(a.Role)
	switch {
	case a.Min == 0 || a.Max == 0:
		return a, api.Errorf(api.Validation, api.MsgScalingRequired, table, "MinimumUnits, MaximumUnits")
	case a.Min > a.Max:
		return a, api.Errorf(api.Validation, api.MsgScalingBounds)
	}
	if p := u.ScalingPolicyUpdate; p != nil {
		c := p.TargetTrackingScalingPolicyConfiguration
		a.Policy = &catalog.ScalingPolicy{
			Name: p.PolicyName.Value, Target: c.TargetValue.Value, DisableIn: c.DisableScaleIn.Value,
			InCooldown: c.ScaleInCooldown.Value, OutCooldown: c.ScaleOutCooldown.Value,
		}
	}
	return a, nil
}

func (db *core) describeScaling(r *catalog.Record) *api.TableAutoScalingDescription {
	d := &api.TableAutoScalingDescription{TableName: api.Some(r.Table.Name), TableStatus: api.Some(r.Status.String())}
	one := func(region, status string) {
		x := api.ReplicaAutoScalingDescription{
			RegionName: api.Some(region), ReplicaStatus: api.Some(status),
			ReplicaProvisionedReadCapacityAutoScalingSettings:  scalingOf(r.Scaling.Read[region], ""),
			ReplicaProvisionedWriteCapacityAutoScalingSettings: scalingOf(r.Scaling.Write, ""),
		}
		for i := range r.Table.Indexes {
			ix := &r.Table.Indexes[i]
			if !ix.Global() {
				continue
			}
			x.GlobalSecondaryIndexes = append(x.GlobalSecondaryIndexes, api.ReplicaGlobalSecondaryIndexAutoScalingDescription{
				IndexName: api.Some(ix.Name), IndexStatus: api.Some(api.IndexStatusActive),
				ProvisionedReadCapacityAutoScalingSettings:  scalingOf(r.Scaling.Read[region], ix.Name),
				ProvisionedWriteCapacityAutoScalingSettings: scalingOf(r.Scaling.Write, ix.Name),
			})
		}
		d.Replicas = append(d.Replicas, x)
	}
	one(db.opts.Region, api.ReplicaStatusActive)
	for i := range r.Global.Peers {
		one(r.Global.Peers[i].Region, db.peerStatus(&r.Global.Peers[i]))
	}
	return d
}

func scalingOf(of map[string]catalog.AutoScaling, index string) *api.AutoScalingSettingsDescription {
	a, ok := of[index]
	if !ok || a.Disabled {
		return &api.AutoScalingSettingsDescription{AutoScalingDisabled: api.Some(true)}
	}
	d := &api.AutoScalingSettingsDescription{MinimumUnits: api.Some(a.Min), MaximumUnits: api.Some(a.Max)}
	if a.Role != "" {
		d.AutoScalingRoleArn = api.Some(a.Role)
	}
	if p := a.Policy; p != nil {
		x := api.AutoScalingPolicyDescription{
			TargetTrackingScalingPolicyConfiguration: &api.AutoScalingTargetTrackingScalingPolicyConfigurationDescription{
				TargetValue: api.Some(p.Target), DisableScaleIn: api.Some(p.DisableIn),
				ScaleInCooldown: api.Some(p.InCooldown), ScaleOutCooldown: api.Some(p.OutCooldown),
			},
		}
		if p.Name != "" {
			x.PolicyName = api.Some(p.Name)
		}
		d.ScalingPolicies = append(d.ScalingPolicies, x)
	}
	return d
}
