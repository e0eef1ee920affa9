package validate

import (
	"errors"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
)

// Options choose between ages of the service. The zero value is the present one.
type Options struct {
	// ClassicErrors leaves the envelope of 2026 off the texts of PutItem, UpdateItem and Query.
	ClassicErrors bool
	// Account is the twelve-digit account that texts name; empty is as good as any.
	Account string
}

// invalid is a ValidationException.
func invalid(format string, args ...any) error {
	return api.Errorf(api.Validation, format, args...)
}

// Envelope puts the prefix of 2026 before the text of a request-validation error (wire-facts §3.6).
// It is for PutItem and UpdateItem (and one error of Query), for errors of this package (which are wrapped already) and
// of compiling expressions, not for those that need the table. Codes other than Validation and
// texts that have the prefix pass unchanged.
func Envelope(err error, opt Options) error {
	if err == nil || opt.ClassicErrors {
		return err
	}
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != api.Validation || enveloped(e.Message) {
		return err
	}
	wrapped := *e
	wrapped.Message = api.PrefixEnvelope + e.Message
	return &wrapped
}

// enveloped says whether a text begins as those of constraint errors do.
func enveloped(text string) bool {
	text = strings.TrimLeft(text, "0123456789")
	return strings.HasPrefix(text, " validation error detected: ") ||
		strings.HasPrefix(text, " validation errors detected: ")
}

// Operations whose name a check needs.
const (
	opCancelBulk           = "CancelBulkOperation"
	opDescribeBulk         = "DescribeBulkOperation"
	opDescribeExport       = "DescribeExport"
	opDescribeImport       = "DescribeImport"
	opExportTable          = "ExportTableToPointInTime"
	opImportTable          = "ImportTable"
	opListBulk             = "ListBulkOperations"
	opListExports          = "ListExports"
	opListImports          = "ListImports"
	opStartBulk            = "StartBulkPutItems"
	opBatchGetItem         = "BatchGetItem"
	opBatchWriteItem       = "BatchWriteItem"
	opCreateTable          = "CreateTable"
	opDeleteItem           = "DeleteItem"
	opDeleteTable          = "DeleteTable"
	opDescribeTable        = "DescribeTable"
	opDescribeStream       = "DescribeStream"
	opDescribeTimeToLive   = "DescribeTimeToLive"
	opGetItem              = "GetItem"
	opGetRecords           = "GetRecords"
	opGetShardIterator     = "GetShardIterator"
	opListStreams          = "ListStreams"
	opListTables           = "ListTables"
	opListTags             = "ListTagsOfResource"
	opPutItem              = "PutItem"
	opQuery                = "Query"
	opScan                 = "Scan"
	opSearchVectors        = "SearchVectors"
	opTagResource          = "TagResource"
	opTransactGetItems     = "TransactGetItems"
	opTransactWriteItems   = "TransactWriteItems"
	opUntagResource        = "UntagResource"
	opUpdateItem           = "UpdateItem"
	opUpdateTable          = "UpdateTable"
	opCreateBackup         = "CreateBackup"
	opDescribeBackup       = "DescribeBackup"
	opListBackups          = "ListBackups"
	opDeleteBackup         = "DeleteBackup"
	opRestoreFromBackup    = "RestoreTableFromBackup"
	opRestoreToTime        = "RestoreTableToPointInTime"
	opDescribeRecovery     = "DescribeContinuousBackups"
	opUpdateRecovery       = "UpdateContinuousBackups"
	opUpdateTimeToLive     = "UpdateTimeToLive"
	opUpdateInsights       = "UpdateContributorInsights"
	opDescribeInsights     = "DescribeContributorInsights"
	opListInsights         = "ListContributorInsights"
	opDeleteResourcePolicy = "DeleteResourcePolicy"
	opGetResourcePolicy    = "GetResourcePolicy"
	opPutResourcePolicy    = "PutResourcePolicy"
	opEnableKinesis        = "EnableKinesisStreamingDestination"
	opDisableKinesis       = "DisableKinesisStreamingDestination"
	opDescribeKinesis      = "DescribeKinesisStreamingDestination"
	opUpdateKinesis        = "UpdateKinesisStreamingDestination"
)

// Names of members that texts list.
const (
	memberAttributesToGet        = "AttributesToGet"
	memberAttributeUpdates       = "AttributeUpdates"
	memberConditionalOperator    = "ConditionalOperator"
	memberConditionExpression    = "ConditionExpression"
	memberExpected               = "Expected"
	memberExclusiveStartKey      = "ExclusiveStartKey"
	memberFilterExpression       = "FilterExpression"
	memberItem                   = "Item"
	memberKey                    = "Key"
	memberKeyConditionExpression = "KeyConditionExpression"
	memberKeyConditions          = "KeyConditions"
	memberProjectionExpression   = "ProjectionExpression"
	memberQueryFilter            = "QueryFilter"
	memberScanFilter             = "ScanFilter"
	memberSearchCondition        = "SearchConditionExpression"
	memberSearchVector           = "SearchVector"
	memberUpdateExpression       = "UpdateExpression"
	memberValues                 = "ExpressionAttributeValues"
)
