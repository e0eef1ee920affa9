package compat

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// outcomes notes how operations ended, over all clients of this package's tests. The empty string stands for
// success, any other for an error by its name.
type outcomes struct {
	mu   sync.Mutex
	seen map[string]map[string]bool // operation → outcomes
}

var witnessed = &outcomes{seen: map[string]map[string]bool{}}

// watch makes a client note its answers, each attempt of a call by itself.
func (o *outcomes) watch(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("Outcomes", func(
		ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
	) (middleware.DeserializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleDeserialize(ctx, in)
		var answer smithy.APIError
		if err == nil {
			o.note(middleware.GetOperationName(ctx), "")
		} else if errors.As(err, &answer) {
			o.note(middleware.GetOperationName(ctx), answer.ErrorCode())
		}
		return out, metadata, err
	}), middleware.Before)
}

func (o *outcomes) note(operation, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[operation] == nil {
		o.seen[operation] = map[string]bool{}
	}
	o.seen[operation][outcome] = true
}

// wholeRun says whether every test of the package ran, so that what was not seen is not tested.
func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" {
			return false
		}
	}
	return true
}

// missing compares what was seen with what the models promise. Every operation must have succeeded and failed, with
// every error that the service's model names for it but for those of neverHere; whatever neverHere names must not have
// been seen, so that the list stays true.
func (o *outcomes) missing() ([]string, error) {
	text, err := os.ReadFile("../scripts/gen/model.json")
	if err != nil {
		return nil, err
	}
	var model struct {
		Operations []struct {
			Name   string
			Errors []string
		}
	}
	if err = json.Unmarshal(text, &model); err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var faults []string
	stale := excuses()
	for _, op := range model.Operations {
		seen := maps.Clone(o.seen[op.Name])
		if !seen[""] && !notYet[op.Name+" succeeded"] {
			faults = append(faults, op.Name+" never succeeded")
		}
		delete(seen, "")
		if len(seen) == 0 && op.Name != "DescribeEndpoints" && !notYet[op.Name+" failed"] {
			faults = append(faults, op.Name+" never failed")
		}
		for _, name := range op.Errors {
			if byChance["* "+name] != "" {
				continue
			}
			excused := excuse(op.Name, name)
			delete(stale, excused)
			switch {
			case !seen[name] && excused == "" && !notYet[op.Name+" "+name]:
				faults = append(faults, fmt.Sprintf("%s: no test sees %s", op.Name, name))
			case seen[name] && excused != "":
				faults = append(faults, fmt.Sprintf("%s: %s was seen; take %q off neverHere", op.Name, name, excused))
			}
		}
	}
	for _, line := range slices.Sorted(maps.Keys(stale)) {
		faults = append(faults, fmt.Sprintf("neverHere: the models have no %q", line))
	}
	return faults, nil
}

// neverHere are the errors of the models that this server does not answer, as "OPERATION ERROR" or "* ERROR", each
// with the reason.
var neverHere = map[string]string{
	"* InternalServerError": "only a broken disk or a fault of ours; TestFailuresOfStorage of the engine makes them",
}

// byChance are errors that these tests may see and need not, as those of neverHere.
var byChance = map[string]string{
	"* TransactionConflictException":   "takes a request within the microseconds of a transaction; TestWhatMeetsATransaction of the engine holds one",
	"* TransactionInProgressException": "takes the same; TestWhatMeetsATransaction of the engine holds one",
}

// excuse is the line of neverHere that names an error of an operation; empty when there is none.
func excuse(operation, name string) string {
	for _, line := range []string{operation + " " + name, "* " + name} {
		if neverHere[line] != "" {
			return line
		}
	}
	return ""
}

func excuses() map[string]bool {
	lines := map[string]bool{}
	for line := range neverHere {
		lines[line] = true
	}
	return lines
}

// notYet is what still waits for its test.
var notYet = map[string]bool{
	"BatchExecuteStatement failed":                                  true,
	"BatchExecuteStatement RequestLimitExceeded":                    true,
	"BatchExecuteStatement ThrottlingException":                     true,
	"BatchGetItem ProvisionedThroughputExceededException":           true,
	"BatchGetItem RequestLimitExceeded":                             true,
	"BatchGetItem ThrottlingException":                              true,
	"BatchWriteItem ProvisionedThroughputExceededException":         true,
	"BatchWriteItem ItemCollectionSizeLimitExceededException":       true,
	"BatchWriteItem RequestLimitExceeded":                           true,
	"BatchWriteItem ReplicatedWriteConflictException":               true,
	"BatchWriteItem ThrottlingException":                            true,
	"CreateBackup TableInUseException":                              true,
	"CreateBackup ContinuousBackupsUnavailableException":            true,
	"CreateBackup BackupInUseException":                             true,
	"CreateBackup LimitExceededException":                           true,
	"CreateGlobalTable succeeded":                                   true,
	"CreateGlobalTable LimitExceededException":                      true,
	"CreateGlobalTable GlobalTableAlreadyExistsException":           true,
	"CreateGlobalTable TableNotFoundException":                      true,
	"CreateTable LimitExceededException":                            true,
	"DeleteBackup BackupInUseException":                             true,
	"DeleteBackup LimitExceededException":                           true,
	"DeleteItem ProvisionedThroughputExceededException":             true,
	"DeleteItem ItemCollectionSizeLimitExceededException":           true,
	"DeleteItem RequestLimitExceeded":                               true,
	"DeleteItem ReplicatedWriteConflictException":                   true,
	"DeleteItem ThrottlingException":                                true,
	"DeleteResourcePolicy ResourceNotFoundException":                true,
	"DeleteResourcePolicy ResourceInUseException":                   true,
	"DeleteResourcePolicy LimitExceededException":                   true,
	"DeleteTable LimitExceededException":                            true,
	"DescribeExport LimitExceededException":                         true,
	"DescribeGlobalTable succeeded":                                 true,
	"DescribeGlobalTableSettings succeeded":                         true,
	"DescribeGlobalTableSettings failed":                            true,
	"DescribeGlobalTableSettings GlobalTableNotFoundException":      true,
	"DescribeLimits failed":                                         true,
	"DescribeTableReplicaAutoScaling succeeded":                     true,
	"DescribeTableReplicaAutoScaling failed":                        true,
	"DescribeTableReplicaAutoScaling ResourceNotFoundException":     true,
	"DisableKinesisStreamingDestination LimitExceededException":     true,
	"DisableKinesisStreamingDestination ResourceInUseException":     true,
	"EnableKinesisStreamingDestination LimitExceededException":      true,
	"EnableKinesisStreamingDestination ResourceInUseException":      true,
	"ExecuteStatement ProvisionedThroughputExceededException":       true,
	"ExecuteStatement ItemCollectionSizeLimitExceededException":     true,
	"ExecuteStatement RequestLimitExceeded":                         true,
	"ExecuteStatement ThrottlingException":                          true,
	"ExecuteTransaction ResourceNotFoundException":                  true,
	"ExecuteTransaction IdempotentParameterMismatchException":       true,
	"ExecuteTransaction ProvisionedThroughputExceededException":     true,
	"ExecuteTransaction RequestLimitExceeded":                       true,
	"ExecuteTransaction ThrottlingException":                        true,
	"ExportTableToPointInTime LimitExceededException":               true,
	"ExportTableToPointInTime InvalidExportTimeException":           true,
	"ExportTableToPointInTime ExportConflictException":              true,
	"GetItem ProvisionedThroughputExceededException":                true,
	"GetItem RequestLimitExceeded":                                  true,
	"GetItem ThrottlingException":                                   true,
	"GetRecords ResourceNotFoundException":                          true,
	"GetRecords LimitExceededException":                             true,
	"GetRecords ExpiredIteratorException":                           true,
	"GetRecords TrimmedDataAccessException":                         true,
	"GetResourcePolicy ResourceNotFoundException":                   true,
	"GetShardIterator failed":                                       true,
	"GetShardIterator ResourceNotFoundException":                    true,
	"GetShardIterator TrimmedDataAccessException":                   true,
	"ImportTable LimitExceededException":                            true,
	"ListBackups failed":                                            true,
	"ListBulkOperations failed":                                     true,
	"ListContributorInsights failed":                                true,
	"ListContributorInsights ResourceNotFoundException":             true,
	"ListExports LimitExceededException":                            true,
	"ListGlobalTables succeeded":                                    true,
	"ListGlobalTables failed":                                       true,
	"ListImports LimitExceededException":                            true,
	"ListStreams failed":                                            true,
	"ListStreams ResourceNotFoundException":                         true,
	"PutItem RequestLimitExceeded":                                  true,
	"PutItem ReplicatedWriteConflictException":                      true,
	"PutItem ThrottlingException":                                   true,
	"PutResourcePolicy ResourceNotFoundException":                   true,
	"PutResourcePolicy LimitExceededException":                      true,
	"PutResourcePolicy PolicyNotFoundException":                     true,
	"PutResourcePolicy ResourceInUseException":                      true,
	"Query ProvisionedThroughputExceededException":                  true,
	"Query RequestLimitExceeded":                                    true,
	"Query ThrottlingException":                                     true,
	"RestoreTableFromBackup TableInUseException":                    true,
	"RestoreTableFromBackup BackupInUseException":                   true,
	"RestoreTableFromBackup LimitExceededException":                 true,
	"RestoreTableToPointInTime TableInUseException":                 true,
	"RestoreTableToPointInTime LimitExceededException":              true,
	"Scan ProvisionedThroughputExceededException":                   true,
	"Scan RequestLimitExceeded":                                     true,
	"Scan ThrottlingException":                                      true,
	"SearchVectors ProvisionedThroughputExceededException":          true,
	"SearchVectors RequestLimitExceeded":                            true,
	"SearchVectors ThrottlingException":                             true,
	"StartBulkPutItems LimitExceededException":                      true,
	"StartBulkPutItems ResourceInUseException":                      true,
	"TagResource LimitExceededException":                            true,
	"TagResource ResourceInUseException":                            true,
	"TransactGetItems ResourceNotFoundException":                    true,
	"TransactGetItems ProvisionedThroughputExceededException":       true,
	"TransactGetItems RequestLimitExceeded":                         true,
	"TransactGetItems ThrottlingException":                          true,
	"TransactWriteItems ProvisionedThroughputExceededException":     true,
	"TransactWriteItems RequestLimitExceeded":                       true,
	"TransactWriteItems ThrottlingException":                        true,
	"UntagResource LimitExceededException":                          true,
	"UntagResource ResourceInUseException":                          true,
	"UpdateContinuousBackups ContinuousBackupsUnavailableException": true,
	"UpdateContributorInsights failed":                              true,
	"UpdateContributorInsights ResourceNotFoundException":           true,
	"UpdateGlobalTable succeeded":                                   true,
	"UpdateGlobalTable failed":                                      true,
	"UpdateGlobalTable GlobalTableNotFoundException":                true,
	"UpdateGlobalTable ReplicaAlreadyExistsException":               true,
	"UpdateGlobalTable ReplicaNotFoundException":                    true,
	"UpdateGlobalTable TableNotFoundException":                      true,
	"UpdateGlobalTableSettings succeeded":                           true,
	"UpdateGlobalTableSettings failed":                              true,
	"UpdateGlobalTableSettings GlobalTableNotFoundException":        true,
	"UpdateGlobalTableSettings ReplicaNotFoundException":            true,
	"UpdateGlobalTableSettings IndexNotFoundException":              true,
	"UpdateGlobalTableSettings LimitExceededException":              true,
	"UpdateGlobalTableSettings ResourceInUseException":              true,
	"UpdateItem ProvisionedThroughputExceededException":             true,
	"UpdateItem ItemCollectionSizeLimitExceededException":           true,
	"UpdateItem RequestLimitExceeded":                               true,
	"UpdateItem ReplicatedWriteConflictException":                   true,
	"UpdateItem ThrottlingException":                                true,
	"UpdateKinesisStreamingDestination LimitExceededException":      true,
	"UpdateKinesisStreamingDestination ResourceInUseException":      true,
	"UpdateTable ResourceInUseException":                            true,
	"UpdateTable LimitExceededException":                            true,
	"UpdateTableReplicaAutoScaling succeeded":                       true,
	"UpdateTableReplicaAutoScaling failed":                          true,
	"UpdateTableReplicaAutoScaling ResourceNotFoundException":       true,
	"UpdateTableReplicaAutoScaling ResourceInUseException":          true,
	"UpdateTableReplicaAutoScaling LimitExceededException":          true,
	"UpdateTimeToLive ResourceInUseException":                       true,
	"UpdateTimeToLive LimitExceededException":                       true,
}
