package validate

import (
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// arnBackupInfix stands between table and id in the ARN of a backup.
const arnBackupInfix = "/backup/"

// Backup returns the table's name and the backup's id of the ARN of a backup; false when it is none.
func Backup(arn string) (table, id string, ok bool) {
	rest, ok := arnResource(arn)
	if !ok {
		return "", "", false
	}
	table, id, ok = strings.Cut(rest, arnBackupInfix)
	return table, id, ok && id != "" && nameChars(table)
}

func backupForm(arn string) error {
	if _, _, ok := Backup(arn); !ok {
		return invalid(api.MsgBackupARN)
	}
	return nil
}

// CreateBackup makes the static checks of wire-facts §6.18.
func CreateBackup(in *api.CreateBackupInput, _ Options) error {
	return control(opCreateBackup, in.TableName, in)
}

// DescribeBackup makes the static checks of wire-facts §6.18.
func DescribeBackup(in *api.DescribeBackupInput, _ Options) error {
	if err := Constraints(opDescribeBackup, in); err != nil {
		return err
	}
	return backupForm(in.BackupArn.Value)
}

// DeleteBackup makes the static checks of wire-facts §6.18.
func DeleteBackup(in *api.DeleteBackupInput, _ Options) error {
	if err := Constraints(opDeleteBackup, in); err != nil {
		return err
	}
	return backupForm(in.BackupArn.Value)
}

// ListBackups makes the static checks of wire-facts §6.18.
func ListBackups(in *api.ListBackupsInput, _ Options) error {
	if err := Constraints(opListBackups, in); err != nil {
		return err
	}
	if in.TableName.Set {
		if err := tableForm(in.TableName.Value); err != nil {
			return err
		}
	}
	lower, upper := in.TimeRangeLowerBound, in.TimeRangeUpperBound
	if lower.Set && upper.Set && lower.Value.After(upper.Value) {
		return invalid(api.MsgBackupBounds)
	}
	if in.ExclusiveStartBackupArn.Set {
		return backupForm(in.ExclusiveStartBackupArn.Value)
	}
	return nil
}

// DescribeContinuousBackups makes the static checks of wire-facts §6.18.
func DescribeContinuousBackups(in *api.DescribeContinuousBackupsInput, _ Options) error {
	return control(opDescribeRecovery, in.TableName, in)
}

// UpdateContinuousBackups makes the static checks of wire-facts §6.18.
func UpdateContinuousBackups(in *api.UpdateContinuousBackupsInput, _ Options) error {
	if err := control(opUpdateRecovery, in.TableName, in); err != nil {
		return err
	}
	s := in.PointInTimeRecoverySpecification
	if !s.PointInTimeRecoveryEnabled.Value && s.RecoveryPeriodInDays.Set {
		return invalid(api.MsgRecoveryPeriod)
	}
	return nil
}

// RestoreTableFromBackup makes the static checks of wire-facts §6.18.
func RestoreTableFromBackup(in *api.RestoreTableFromBackupInput, _ Options) error {
	if err := Constraints(opRestoreFromBackup, in); err != nil {
		return err
	}
	if err := tableForm(in.TargetTableName.Value); err != nil {
		return err
	}
	if err := backupForm(in.BackupArn.Value); err != nil {
		return err
	}
	return overrideUnits(in.ProvisionedThroughputOverride, in.GlobalSecondaryIndexOverride)
}

// RestoreTableToPointInTime makes the static checks of wire-facts §6.18.
func RestoreTableToPointInTime(in *api.RestoreTableToPointInTimeInput, _ Options) error {
	if err := Constraints(opRestoreToTime, in); err != nil {
		return err
	}
	if err := tableForm(in.TargetTableName.Value); err != nil {
		return err
	}
	switch name, arn := in.SourceTableName.Set, in.SourceTableArn.Set; {
	case !name && !arn:
		return invalid(api.MsgTableNameAbsent)
	case name && arn:
		return invalid(api.MsgRestoreSourceTwice)
	}
	source := in.SourceTableName.Value
	if in.SourceTableArn.Set {
		source = in.SourceTableArn.Value
	}
	if err := tableForm(source); err != nil {
		return err
	}
	switch latest, at := in.UseLatestRestorableTime.Value, in.RestoreDateTime.Set; {
	case !latest && !at:
		return invalid(api.MsgRestoreTimeAbsent)
	case latest && at:
		return invalid(api.MsgRestoreTimeTwice)
	}
	return overrideUnits(in.ProvisionedThroughputOverride, in.GlobalSecondaryIndexOverride)
}

// overrideUnits makes the checks of the size of throughput that CreateTable makes, of what overrides it.
func overrideUnits(p *api.ProvisionedThroughput, indexes []api.GlobalSecondaryIndex) error {
	if err := unitsInRange(p); err != nil {
		return err
	}
	for i := range indexes {
		ix := &indexes[i]
		if err := unitsInRangeIndex(ix.ProvisionedThroughput, ix.IndexName.Value); err != nil {
			return err
		}
	}
	return nil
}
