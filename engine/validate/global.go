package validate

import "github.com/keystone-db/kstone/engine/api"

// CreateGlobalTable makes the checks of the shape, and then refuses: as the service, which has no new global tables
// of version 2017.11.29.
func CreateGlobalTable(in *api.CreateGlobalTableInput, _ Options) error {
	if err := Constraints("CreateGlobalTable", in); err != nil {
		return err
	}
	return invalid(api.MsgGlobalLegacy)
}

// DescribeGlobalTable makes the checks of the shape.
func DescribeGlobalTable(in *api.DescribeGlobalTableInput, _ Options) error {
	return Constraints("DescribeGlobalTable", in)
}

// DescribeGlobalTableSettings makes the checks of the shape.
func DescribeGlobalTableSettings(in *api.DescribeGlobalTableSettingsInput, _ Options) error {
	return Constraints("DescribeGlobalTableSettings", in)
}

// UpdateGlobalTable makes the checks of the shape.
func UpdateGlobalTable(in *api.UpdateGlobalTableInput, _ Options) error {
	return Constraints("UpdateGlobalTable", in)
}

// UpdateGlobalTableSettings makes the checks of the shape.
func UpdateGlobalTableSettings(in *api.UpdateGlobalTableSettingsInput, _ Options) error {
	return Constraints("UpdateGlobalTableSettings", in)
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
