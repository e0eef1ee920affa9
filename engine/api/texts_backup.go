package api

// Backups and point-in-time recovery (wire-facts §6.18).
const (
	// MsgBackupTableNotFound is TableNotFound of the operations on backups; table.
	MsgBackupTableNotFound = "Table not found: %s"
	// MsgBackupNotFound is BackupNotFound; ARN.
	MsgBackupNotFound = "Backup not found: %s"
	// MsgBackupARN is an ARN that is none of a backup; ARN; unsure.
	MsgBackupARN = PrefixInvalid + "Invalid BackupArn: %s"
	// MsgBackupInUse is BackupInUse of a backup that is being created or restored; ARN; unsure.
	MsgBackupInUse = "Backup is being created, deleted or restored: %s"
	// MsgBackupTableInUse is TableInUse of CreateBackup; "created", "updated" or "deleted", table; unsure.
	MsgBackupTableInUse = "Table is being %s: %s"
	// MsgBackupPins is ResourceInUse of DeleteTable while a task reads the table; table; unsure: only the
	// refusal is known.
	MsgBackupPins = "Attempt to change a resource which is still in use: Table is being backed up or restored: %s"
	// MsgBackupBounds is a range of times that ends before it begins; unsure.
	MsgBackupBounds = PrefixInvalid + "TimeRangeLowerBound must be before TimeRangeUpperBound"
	// MsgRecoveryOff is PointInTimeRecoveryUnavailable; table.
	MsgRecoveryOff = "Point in time recovery is not enabled for table '%s'"
	// MsgRecoveryPeriod is a recovery period while switching recovery off; unsure: only the rule is
	// documented.
	MsgRecoveryPeriod = PrefixInvalid + "RecoveryPeriodInDays can only be specified when " +
		"PointInTimeRecoveryEnabled is true"
	// MsgRestoreTime is InvalidRestoreTime; unsure: the words are those of the documentation.
	MsgRestoreTime = "An invalid restore time was specified. RestoreDateTime must be between " +
		"EarliestRestorableDateTime and LatestRestorableDateTime."
	// MsgRestoreTimeAbsent and MsgRestoreTimeTwice are neither and both of the two members; unsure.
	MsgRestoreTimeAbsent = PrefixInvalid + "One of RestoreDateTime or UseLatestRestorableTime must be specified"
	MsgRestoreTimeTwice  = PrefixInvalid + "Only one of RestoreDateTime or UseLatestRestorableTime may be specified"
	// MsgRestoreSourceAbsent and MsgRestoreSourceTwice are the same for the source; unsure.
	MsgRestoreSourceAbsent = PrefixInvalid + "One of SourceTableName or SourceTableArn must be specified"
	MsgRestoreSourceTwice  = PrefixInvalid + "Only one of SourceTableName or SourceTableArn may be specified"
	// MsgRestoreIndex is an index override that is not of the source; index; unsure: only the rule is
	// documented.
	MsgRestoreIndex = PrefixInvalid + "Index override does not match an index of the source table: %s"
)
