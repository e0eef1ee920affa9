package api

// prefixRequest is what the service puts before most texts on backups and destinations of changes.
const prefixRequest = "Invalid Request: "

// Backups and point-in-time recovery (wire-facts §6.18).
const (
	// MsgBackupTableNotFound is TableNotFound of the operations on backups; table.
	MsgBackupTableNotFound = "Table not found: %s"
	// MsgBackupNotFound is BackupNotFound; ARN.
	MsgBackupNotFound = "Backup not found: %s"
	// MsgBackupARN is an ARN that is none of a backup; its beginning is unsure.
	MsgBackupARN = prefixRequest + "Invalid Backup ARN"
	// MsgBackupCreating is BackupInUse of a backup that is being created; ARN; unsure: the service's are there at once.
	MsgBackupCreating = "Backup is being created: %s"
	// MsgBackupRestoring is BackupInUse of DeleteBackup while a table is restored; ARN.
	MsgBackupRestoring = "Backup is being used to restore table: %s"
	// MsgBackupRestoringOther is BackupInUse of a second restore from one backup; ARN.
	MsgBackupRestoringOther = "Backup is being used to restore another table: %s"
	// MsgBackupSystem is DeleteBackup of the backup that a deleted table leaves; ARN, time; its end is unsure.
	MsgBackupSystem = prefixRequest + "User is not allowed to delete the system backup with arn %s. It will " +
		"automatically expire on %s"
	// MsgBackupPins is ResourceInUse of DeleteTable while a task reads the table; table; unsure: only the
	// refusal is known.
	MsgBackupPins = "Attempt to change a resource which is still in use: Table is being backed up or restored: %s"
	// MsgBackupBounds is a range of times that ends before it begins; its beginning is unsure.
	MsgBackupBounds = prefixRequest + "Time range lower bound must be less than or equal to upper bound"
	// MsgRecoveryOff is PointInTimeRecoveryUnavailable; table.
	MsgRecoveryOff = "Point in time recovery is not enabled for table '%s'"
	// MsgRecoveryPeriod is a recovery period while switching recovery off.
	MsgRecoveryPeriod = prefixRequest + "Cannot specify RecoveryPeriodInDays when disabling point-in-time recovery."
	// MsgRestoreTime is InvalidRestoreTime; the time, the earliest and the latest one.
	MsgRestoreTime = "RestoreDateTime '%s' must be within EarliestRestorableDateTime '%s' and LatestRestorableDateTime '%s'"
	// MsgRestoreTimeAbsent and MsgRestoreTimeTwice are neither and both of the two members.
	MsgRestoreTimeAbsent = prefixRequest + "Either one of RestoreDateTime or UseLatestRestorableTime must be specified, " +
		"but not both"
	MsgRestoreTimeTwice = prefixRequest + "Both RestoreDateTime and UseLatestRestorableTime cannot be set for " +
		"point-in-time restore request. Please specify either RestoreDateTime time or UseLatestRestorableTime"
	// MsgRestoreSourceTwice is both members that name the source; its beginning is unsure. Without any the text is
	// MsgTableNameAbsent.
	MsgRestoreSourceTwice = prefixRequest + "Must provide exactly one of: sourceTableArn, sourceTableName"
	// MsgRestoreTargetBackup and MsgRestoreTargetTable are TableInUse of a name into which a backup, or a table as it
	// was, is being restored; name, ARN of the source; unsure: the second.
	MsgRestoreTargetBackup = "Table: %s is already being restored from backup: %s"
	MsgRestoreTargetTable  = "Table: %s is already being restored from table: %s"
	// MsgRestoresAtOnce is LimitExceeded; the most restores at once.
	MsgRestoresAtOnce = "Subscriber limit exceeded: Only %d restore operations can be done simultaneously"
)

// Overrides of a restore; the beginnings are unsure.
const (
	// MsgRestoreIndex is an index override that is not of the source; index.
	MsgRestoreIndex = prefixRequest + "Index %s does not match a secondary index that existed in the source table and " +
		"cannot be created during the restore operation"
	// MsgRestoreUnits is throughput for a table that will be on demand.
	MsgRestoreUnits = prefixRequest + "Cannot override ProvisionedThroughput unless BillingMode is PROVISIONED"
	// MsgRestoreUnitsAbsent is a change to PROVISIONED without throughput.
	MsgRestoreUnitsAbsent = prefixRequest + "Must override ProvisionedThroughput if BillingMode is overridden to PROVISIONED"
	// MsgRestoreUnitsIndex is throughput for an index of a table that will be on demand; index.
	MsgRestoreUnitsIndex = prefixRequest + "Cannot override ProvisionedThroughput if BillingMode is overridden to " +
		"PAY_PER_REQUEST for index %s"
	// MsgRestoreUnitsIndexAbsent is an index override without throughput for a table that will be provisioned; index.
	MsgRestoreUnitsIndexAbsent = prefixRequest + "Must specify provisioned throughput for index %s"
	// MsgRestoreMaximum is an on-demand maximum for a table that will be provisioned; member.
	MsgRestoreMaximum = prefixRequest + "Cannot override %s for OnDemandThroughput unless BillingModeOverride is PAY_PER_REQUEST"
	// MsgRestoreMaximumRange is an on-demand maximum that is none; member.
	MsgRestoreMaximumRange = prefixRequest + "Requested %s for OnDemandThroughput is outside of valid range"
)
