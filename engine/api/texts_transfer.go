package api

// Import, export and bulk put (wire-facts §6.19, §6.26).
const (
	// MsgImportNotFound is ImportNotFound; ARN; unsure.
	MsgImportNotFound = "Import not found: %s"
	// MsgExportNotFound is ExportNotFound; ARN; unsure.
	MsgExportNotFound = "Export not found: %s"
	// MsgBulkNotFound is ResourceNotFound; ARN; unsure.
	MsgBulkNotFound = "Requested resource not found: Bulk operation: %s not found"
	// MsgImportConflict is ImportConflict: the client token was used for other parameters; unsure.
	MsgImportConflict = "The specified client token was already used by an import with different parameters: %s"
	// MsgExportConflict is ExportConflict; ARN of the export that has the token; unsure.
	MsgExportConflict = "The specified client token was already used by an export with different parameters: %s"
	// MsgBulkConflict is IdempotentParameterMismatch; ARN of the operation that has the token; unsure.
	MsgBulkConflict = "The specified client token was already used by a bulk operation with different parameters: %s"
	// MsgImportCSV is options of CSV beside another format; unsure.
	MsgImportCSV = PrefixInvalid + "InputFormatOptions.Csv can only be specified when InputFormat is CSV"
	// MsgImportHeader is a name that HeaderList has twice; name; unsure.
	MsgImportHeader = PrefixInvalid + "HeaderList contains the duplicate header %s"
	// MsgKMSKey is a key of KMS without that way to encrypt; unsure.
	MsgKMSKey = PrefixInvalid + "S3SseKmsKeyId can only be specified when S3SseAlgorithm is KMS"
	// MsgImportsAtOnce is LimitExceeded; the most imports at once; unsure.
	MsgImportsAtOnce = "Subscriber limit exceeded: There is a limit of %d simultaneous imports"
	// MsgExportsAtOnce is LimitExceeded; the most exports at once; unsure.
	MsgExportsAtOnce = "Subscriber limit exceeded: There is a limit of %d simultaneous exports"
	// MsgTransferToken is a NextToken that no answer had; unsure.
	MsgTransferToken = PrefixInvalid + "Invalid NextToken"
	// MsgMaxResults is a page size of less than one; size; unsure.
	MsgMaxResults = PrefixInvalid + "MaxResults must be greater than or equal to 1, was %d"
	// MsgOutputTypes is an OutputType that is empty or has a value twice; unsure.
	MsgOutputTypes = PrefixInvalid + "OutputType must contain one or both of [ERROR, CONDITION_CHECK_FAILURE]"
	// MsgBulkEnded is ResourceInUse of a cancellation that comes too late; ARN; unsure.
	MsgBulkEnded = "Bulk operation %s has already reached a terminal status"
	// MsgBulkIndex is ResourceInUse of a table to which an index is being added; table; unsure.
	MsgBulkIndex = "Attempt to change a resource which is still in use: An index of the table is being created: %s"
	// MsgBulkGlobal is ResourceInUse of a table with replicas; table; unsure.
	MsgBulkGlobal = "Attempt to change a resource which is still in use: Bulk operations are not supported on the global table: %s"

	// MsgExportArn is a TableArn that is the ARN of no table; unsure.
	MsgExportArn = PrefixInvalid + "Invalid TableArn"
	// MsgExportTime is InvalidExportTime: a time outside of the window; unsure.
	MsgExportTime = "The specified ExportTime is outside of the point in time recovery window"
	// MsgExportIncrement is an incremental export without its parameters; unsure.
	MsgExportIncrement = PrefixInvalid + "IncrementalExportSpecification must be specified when ExportType is INCREMENTAL_EXPORT"
	// MsgExportFull is parameters of an incremental export beside a full one; unsure.
	MsgExportFull = PrefixInvalid + "IncrementalExportSpecification can only be specified when ExportType is INCREMENTAL_EXPORT"
	// MsgExportTimeIncrement is ExportTime beside an incremental export; unsure.
	MsgExportTimeIncrement = PrefixInvalid + "ExportTime can not be specified when ExportType is INCREMENTAL_EXPORT"
	// MsgExportFrom is an incremental export that does not say where it begins; unsure.
	MsgExportFrom = PrefixInvalid + "ExportFromTime must be specified when ExportType is INCREMENTAL_EXPORT"
	// MsgExportWindow is a period of an incremental export that is too short or too long; unsure.
	MsgExportWindow = PrefixInvalid + "The difference between ExportFromTime and ExportToTime must be at least 15 minutes and at most 24 hours"
	// MsgExportOrder is an ExportToTime that is not behind ExportFromTime (apache/airflow pull request 41517).
	MsgExportOrder = "Incremental export period from time should not be greater or equal to incremental export period " +
		"to time"

	// MsgNoBucket is the FailureMessage of a bucket that does not exist.
	MsgNoBucket = "The specified bucket does not exist"
	// MsgBucketDenied is the FailureMessage of a bucket that may not be used; unsure.
	MsgBucketDenied = "Access Denied"
	// MsgNoObjects is the FailureMessage of an input without objects; unsure.
	MsgNoObjects = "The specified key does not exist"
	// MsgManyObjects is the FailureMessage of an input with too many objects; the most; unsure.
	MsgManyObjects = "The number of objects exceeds the limit of %d"
	// MsgObjectChanged is the FailureMessage of an input that was changed while it was read; unsure.
	MsgObjectChanged = "An object was modified while it was read"
	// MsgTableGone is the FailureMessage of an operation whose table was deleted meanwhile; unsure.
	MsgTableGone = "The table was deleted"
	// MsgItemsInvalid is the FailureMessage of an import some of whose items are not in the table.
	MsgItemsInvalid = "Some of the items failed validation checks and were not imported. Please check CloudWatch " +
		"error logs for more details."
	// MsgBulkCancelled is the FailureMessage of a bulk put that was cancelled; unsure.
	MsgBulkCancelled = "The bulk operation was cancelled"
)
