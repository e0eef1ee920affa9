package validate

import (
	"slices"

	"github.com/keystone-db/kstone/engine/api"
)

// UpdateTable makes the static checks of wire-facts §6.2.
func UpdateTable(in *api.UpdateTableInput, _ Options) error {
	if err := controlTable(in.TableName); err != nil {
		return err
	}
	if err := Constraints(opUpdateTable, in); err != nil {
		return err
	}
	if err := tableForm(in.TableName.Value); err != nil {
		return err
	}
	if in.ProvisionedThroughput == nil && !in.BillingMode.Set &&
		len(in.GlobalSecondaryIndexUpdates) == 0 && !in.TableClass.Set &&
		!in.DeletionProtectionEnabled.Set && in.SSESpecification == nil && in.OnDemandThroughput == nil &&
		in.StreamSpecification == nil && in.WarmThroughput == nil && len(in.VectorIndexUpdates) == 0 && in.ReplicaUpdates == nil &&
		!in.GlobalTableSettingsReplicationMode.Set && !in.DisassociationProtectionEnabled.Set {
		return invalid(api.MsgUpdateNothing)
	}
	if err := replicaUpdates(in); err != nil {
		return err
	}
	provisioned := in.BillingMode.Value == api.BillingModeProvisioned
	if provisioned && in.ProvisionedThroughput == nil {
		return invalid(api.MsgUpdateUnitsAbsent)
	}
	if err := unitsInRange(in.ProvisionedThroughput); err != nil {
		return err
	}
	for _, check := range []func(*api.UpdateTableInput) error{oneChange, updatedStream, updatedSSE, updatedMaxima, indexUpdates, vectorUpdates} {
		if err := check(in); err != nil {
			return err
		}
	}
	return nil
}

func updatedStream(in *api.UpdateTableInput) error {
	return streamSetting(in.StreamSpecification, api.MsgStreamView, api.MsgStreamViewOff)
}

func updatedSSE(in *api.UpdateTableInput) error { return sseSetting(in.SSESpecification) }

// indexUpdates makes the checks #4 and #5, and #3 for indexes to be created.
func indexUpdates(in *api.UpdateTableInput) error {
	for i := range in.GlobalSecondaryIndexUpdates {
		u, actions := &in.GlobalSecondaryIndexUpdates[i], 0
		for _, given := range []bool{u.Update != nil, u.Create != nil, u.Delete != nil} {
			if given {
				actions++
			}
		}
		switch actions {
		case 0:
			return invalid(api.MsgUpdateIndexEmpty)
		case 1:
		default:
			return invalid(api.MsgUpdateIndexSeveral)
		}
	}
	var names []string
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		var name string
		switch {
		case u.Update != nil:
			name = u.Update.IndexName.Value
		case u.Create != nil:
			name = u.Create.IndexName.Value
		default:
			name = u.Delete.IndexName.Value
		}
		if slices.Contains(names, name) {
			return invalid(api.MsgUpdateIndexTwice, name)
		}
		names = append(names, name)
	}
	for i := range in.GlobalSecondaryIndexUpdates {
		u := &in.GlobalSecondaryIndexUpdates[i]
		if u.Create == nil {
			continue
		}
		if err := unitsInRangeIndex(u.Create.ProvisionedThroughput, u.Create.IndexName.Value); err != nil {
			return err
		}
	}
	return nil
}

// NewIndex makes check #11 of wire-facts §6.2, which comes after the table is looked up, and then those
// that CreateTable makes of an index (unsure: their place).
func NewIndex(ix *api.CreateGlobalSecondaryIndexAction, definitions []api.AttributeDefinition) error {
	defined := make([]string, len(definitions))
	for i, d := range definitions {
		defined[i] = d.AttributeName.Value
	}
	if err := globalKey(ix.KeySchema, defined); err != nil {
		return err
	}
	return new(creation).projection(ix.Projection)
}

// control makes the checks that control-plane operations with a TableName share.
func control(operation string, name api.Opt[string], in any) error {
	if err := controlTable(name); err != nil {
		return err
	}
	if err := Constraints(operation, in); err != nil {
		return err
	}
	return tableForm(name.Value)
}

// DeleteTable makes the static checks of wire-facts §6.3.
func DeleteTable(in *api.DeleteTableInput, _ Options) error {
	return control(opDeleteTable, in.TableName, in)
}

// DescribeTable makes the static checks of wire-facts §6.4.
func DescribeTable(in *api.DescribeTableInput, _ Options) error {
	return control(opDescribeTable, in.TableName, in)
}

// ListTables makes the static checks of wire-facts §6.4.
func ListTables(in *api.ListTablesInput, _ Options) error { return Constraints(opListTables, in) }

// DescribeTimeToLive makes the static checks of wire-facts §6.16.
func DescribeTimeToLive(in *api.DescribeTimeToLiveInput, _ Options) error {
	return control(opDescribeTimeToLive, in.TableName, in)
}

// UpdateTimeToLive makes the static checks of wire-facts §6.16.
func UpdateTimeToLive(in *api.UpdateTimeToLiveInput, _ Options) error {
	return control(opUpdateTimeToLive, in.TableName, in)
}
