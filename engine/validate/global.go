package validate

import "github.com/keystone-db/kstone/engine/api"

// CreateGlobalTable makes the checks of the shape, and that no region is named twice.
func CreateGlobalTable(in *api.CreateGlobalTableInput, _ Options) error {
	if err := Constraints("CreateGlobalTable", in); err != nil {
		return err
	}
	var regions once
	for i := range in.ReplicationGroup {
		if err := regions.see(in.ReplicationGroup[i].RegionName.Value); err != nil {
			return err
		}
	}
	return nil
}

// once are regions that may come once.
type once map[string]bool

func (o *once) see(region string) error {
	if (*o)[region] {
		return invalid(api.MsgGlobalLegacyTwice, region)
	}
	if *o == nil {
		*o = once{}
	}
	(*o)[region] = true
	return nil
}

// DescribeGlobalTable makes the checks of the shape.
func DescribeGlobalTable(in *api.DescribeGlobalTableInput, _ Options) error {
	return Constraints("DescribeGlobalTable", in)
}

// DescribeGlobalTableSettings makes the checks of the shape.
func DescribeGlobalTableSettings(in *api.DescribeGlobalTableSettingsInput, _ Options) error {
	return Constraints("DescribeGlobalTableSettings", in)
}

// UpdateGlobalTable makes the checks of the shape, and that each update is one, of a region that no other is about.
func UpdateGlobalTable(in *api.UpdateGlobalTableInput, _ Options) error {
	if err := Constraints("UpdateGlobalTable", in); err != nil {
		return err
	}
	if len(in.ReplicaUpdates) == 0 {
		return invalid(api.MsgReplicaNoAction)
	}
	var regions once
	for i := range in.ReplicaUpdates {
		u := &in.ReplicaUpdates[i]
		if u.Create == nil && u.Delete == nil {
			return invalid(api.MsgReplicaNoAction)
		}
		if u.Create != nil {
			if err := regions.see(u.Create.RegionName.Value); err != nil {
				return err
			}
		}
		if u.Delete != nil {
			if err := regions.see(u.Delete.RegionName.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// UpdateGlobalTableSettings makes the checks of the shape, and that there is something to set.
func UpdateGlobalTableSettings(in *api.UpdateGlobalTableSettingsInput, _ Options) error {
	if err := Constraints("UpdateGlobalTableSettings", in); err != nil {
		return err
	}
	if !in.GlobalTableBillingMode.Set && !in.GlobalTableProvisionedWriteCapacityUnits.Set &&
		in.GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate == nil &&
		in.GlobalTableGlobalSecondaryIndexSettingsUpdate == nil && in.ReplicaSettingsUpdate == nil {
		return invalid(api.MsgScalingNothing, in.GlobalTableName.Value)
	}
	return nil
}

// ListGlobalTables makes the checks of the shape.
func ListGlobalTables(in *api.ListGlobalTablesInput, _ Options) error {
	return Constraints("ListGlobalTables", in)
}

// DescribeTableReplicaAutoScaling makes the checks of the shape.
func DescribeTableReplicaAutoScaling(in *api.DescribeTableReplicaAutoScalingInput, _ Options) error {
	return control("DescribeTableReplicaAutoScaling", in.TableName, in)
}

// UpdateTableReplicaAutoScaling makes the checks of the shape, and of settings by themselves.
func UpdateTableReplicaAutoScaling(in *api.UpdateTableReplicaAutoScalingInput, _ Options) error {
	if err := control("UpdateTableReplicaAutoScaling", in.TableName, in); err != nil {
		return err
	}
	if in.ProvisionedWriteCapacityAutoScalingUpdate == nil && len(in.GlobalSecondaryIndexUpdates) == 0 && len(in.ReplicaUpdates) == 0 {
		return invalid(api.MsgScalingNothing, in.TableName.Value)
	}
	return nil
}
