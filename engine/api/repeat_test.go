package api

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestReads: what counts as a read, which is made again whatever happened, changes nothing.
func TestReads(t *testing.T) {
	for _, name := range []string{
		"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems",
		"ExecuteStatement", "ExecuteTransaction", "BatchExecuteStatement", "CreateTable", "UpdateTable", "DeleteTable",
		"TagResource", "UpdateTimeToLive", "PutResourcePolicy", "StartBulkPutItems", "CancelBulkOperation",
		"RestoreTableFromBackup", "EnableKinesisStreamingDestination",
	} {
		assert.Equal(t, RepeatRefused, RepeatOf(name, nil), name)
	}
	for _, name := range []string{
		"GetItem", "Query", "Scan", "BatchGetItem", "TransactGetItems", "GetRecords",
		"GetShardIterator", "DescribeTable", "ListTables", "ListTagsOfResource", "SearchVectors",
	} {
		assert.Equal(t, RepeatFree, RepeatOf(name, nil), name)
	}
}

// TestRepeatOf: requests decide where their operations do not.
func TestRepeatOf(t *testing.T) {
	selects := Some(" select * FROM t")
	for name, c := range map[string]struct {
		in   any
		want Repeat
	}{
		"put":                    {&PutItemInput{ReturnValues: Some(ReturnValueNone)}, RepeatWrites},
		"put on a condition":     {&PutItemInput{ConditionExpression: Some("a = b")}, RepeatRefused},
		"put for the old item":   {&PutItemInput{ReturnValues: Some(ReturnValueAllOld)}, RepeatRefused},
		"delete":                 {&DeleteItemInput{}, RepeatWrites},
		"delete on a legacy one": {&DeleteItemInput{Expected: []ExpectedAttributeMapEntry{}}, RepeatRefused},
		"batch":                  {&BatchWriteItemInput{}, RepeatWrites},
		"transaction":            {&TransactWriteItemsInput{ClientRequestToken: Some("t")}, RepeatFree},
		"without a token":        {&TransactWriteItemsInput{}, RepeatRefused},
		"statements":             {&ExecuteTransactionInput{ClientRequestToken: Some("t")}, RepeatFree},
		"select":                 {&ExecuteStatementInput{Statement: selects}, RepeatFree},
		"insert":                 {&ExecuteStatementInput{Statement: Some("INSERT INTO t VALUE {}")}, RepeatRefused},
		"selects":                {&BatchExecuteStatementInput{Statements: []BatchStatementRequest{{Statement: selects}}}, RepeatFree},
		"one of them an update": {&BatchExecuteStatementInput{Statements: []BatchStatementRequest{
			{Statement: selects}, {Statement: Some("UPDATE t SET a = 1")},
		}}, RepeatRefused},
	} {
		assert.Equal(t, c.want, RepeatOf("", c.in), name)
	}
}

// TestPassing: only what surely did nothing passes.
func TestPassing(t *testing.T) {
	cancelled := func(codes ...string) *Error {
		e := Errorf(TransactionCanceled, "")
		for _, code := range codes {
			e.Reasons = append(e.Reasons, CancellationReason{Code: Some(code)})
		}
		return e
	}
	for err, want := range map[error]bool{
		Errorf(Throttling, ""):                                                    true,
		Errorf(TransactionConflict, ""):                                           true,
		Errorf(Unavailable, ""):                                                   true,
		Errorf(InternalServerError, ""):                                           false,
		Errorf(Validation, ""):                                                    false,
		errors.New("broken"):                                                      false,
		cancelled(ReasonNone, ReasonTransactionConflict):                          true,
		cancelled(ReasonNone, ReasonNone):                                         false,
		cancelled(ReasonTransactionConflict, ReasonConditionalCheckFailed):        false,
		cancelled(ReasonProvisionedThroughput, ReasonNone, ReasonThrottlingError): true,
	} {
		assert.Equal(t, want, Passing(err), "%v", err)
	}
}
