package validate

import "github.com/keystone-db/kstone/engine/api"

// replicaUpdates makes the static checks of changes of replicas (wire-facts §6.20).
func replicaUpdates(in *api.UpdateTableInput) error {
	if in.GlobalTableWitnessUpdates != nil && in.MultiRegionConsistency.Value != api.MultiRegionConsistencyStrong {
		return invalid(api.MsgWitnessStrong)
	}
	if m := in.GlobalTableSettingsReplicationMode; m.Set && m.Value == api.GlobalTableSettingsReplicationModeEnabledWithOverrides {
		return invalid(api.MsgSettingsMode, m.Value)
	}
	if in.DisassociationProtectionEnabled.Set && (in.ReplicaUpdates != nil || changesMore(in)) {
		return invalid(api.MsgProtectionAlone)
	}
	if in.ReplicaUpdates == nil {
		return nil
	}
	if changesMore(in) {
		return invalid(api.MsgReplicaAlone)
	}
	return replicaActions(in)
}

// changesMore says whether something else than replicas is to be changed.
func changesMore(in *api.UpdateTableInput) bool {
	return in.ProvisionedThroughput != nil || in.BillingMode.Set || len(in.GlobalSecondaryIndexUpdates) > 0 || in.TableClass.Set ||
		in.DeletionProtectionEnabled.Set || in.SSESpecification != nil || in.OnDemandThroughput != nil ||
		in.StreamSpecification != nil || in.WarmThroughput != nil || in.GlobalTableSettingsReplicationMode.Set ||
		len(in.VectorIndexUpdates) > 0
}

// replicaActions counts the actions. The same Create twice is one: DynamoDB does this (TestReplicaErrors).
func replicaActions(in *api.UpdateTableInput) error {
	kinds, regions := map[string]bool{}, map[string]bool{}
	for i := range in.ReplicaUpdates {
		u := &in.ReplicaUpdates[i]
		n := 0
		note := func(kind, region string) {
			n++
			kinds[kind], regions[region] = true, true
		}
		if u.Create != nil {
			note("create", u.Create.RegionName.Value)
		}
		if u.Update != nil {
			if u.Update.KMSMasterKeyId.Set {
				return invalid(api.MsgReplicaKey)
			}
			if u.Update.ProvisionedThroughputOverride == nil && u.Update.OnDemandThroughputOverride == nil &&
				!u.Update.TableClassOverride.Set && len(u.Update.GlobalSecondaryIndexes) == 0 {
				return invalid(api.MsgReplicaNoAction)
			}
			note("update", u.Update.RegionName.Value)
		}
		if u.Delete != nil {
			note("delete", u.Delete.RegionName.Value)
		}
		if u.Disassociate != nil {
			note("disassociate", u.Disassociate.RegionName.Value)
		}
		if n == 0 {
			return invalid(api.MsgReplicaNoAction)
		}
	}
	switch c := in.MultiRegionConsistency; {
	case kinds["disassociate"] && (len(kinds) > 1 || len(in.ReplicaUpdates) > 1 || c.Set):
		return invalid(api.MsgDisassociateAlone)
	case len(kinds) > 1:
		return invalid(api.MsgReplicaKinds)
	case c.Set && !kinds["create"]:
		return invalid(api.MsgConsistencyActions)
	case c.Value == api.MultiRegionConsistencyStrong && len(regions)+len(in.GlobalTableWitnessUpdates) != strongOthers:
		return invalid(api.MsgStrongCount)
	case c.Value == api.MultiRegionConsistencyStrong:
		return nil
	case len(regions) > 1 && !kinds["update"], kinds["update"] && len(in.ReplicaUpdates) > 1:
		return invalid(api.MsgReplicaCount)
	}
	return nil
}

// strongOthers is how many other regions strong consistency needs.
const strongOthers = 2
