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
		if !seen[""] {
			faults = append(faults, op.Name+" never succeeded")
		}
		delete(seen, "")
		if len(seen) == 0 && op.Name != "DescribeEndpoints" {
			faults = append(faults, op.Name+" never failed")
		}
		for _, name := range op.Errors {
			if byChance["* "+name] != "" || byChance[op.Name+" "+name] != "" {
				continue
			}
			excused := excuse(op.Name, name)
			delete(stale, excused)
			switch {
			case !seen[name] && excused == "":
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
	"* InternalServerError":              "only a broken disk or a fault of ours; TestFailuresOfStorage of the engine makes them",
	"* RequestLimitExceeded":             "an account has no limit of requests here",
	"* ReplicatedWriteConflictException": "is of tables with MULTI-REGION STRONG consistency, which are refused",

	"TransactGetItems ProvisionedThroughputExceededException":   cancels,
	"TransactGetItems ThrottlingException":                      cancels,
	"TransactWriteItems ProvisionedThroughputExceededException": cancels,
	"TransactWriteItems ThrottlingException":                    cancels,
	"ExecuteTransaction ProvisionedThroughputExceededException": cancels,
	"ExecuteTransaction ThrottlingException":                    cancels,
	"BatchExecuteStatement ThrottlingException":                 "is the error of a statement, in the answer",
	"SearchVectors ProvisionedThroughputExceededException":      "vector indexes have no provisioned throughput",
	"SearchVectors ThrottlingException":                         "searches have no limit here",
	"DeleteItem ItemCollectionSizeLimitExceededException":       "what is deleted makes no collection larger",

	"CreateBackup TableInUseException":                              "a table that changes can be backed up; one that comes or goes is TableNotFoundException",
	"CreateBackup BackupInUseException":                             "each backup is another one",
	"CreateBackup ContinuousBackupsUnavailableException":            continuous,
	"CreateBackup LimitExceededException":                           "backups may be made at any rate, of so many tables as there are",
	"UpdateContinuousBackups ContinuousBackupsUnavailableException": continuous,
	"DeleteBackup LimitExceededException":                           rates,
	"UpdateTableReplicaAutoScaling LimitExceededException":          rates,
	"CreateGlobalTable LimitExceededException":                      rates,
	"DescribeExport LimitExceededException":                         rates,
	"ListExports LimitExceededException":                            rates,
	"ListImports LimitExceededException":                            rates,
	"TagResource LimitExceededException":                            rates,
	"UntagResource LimitExceededException":                          rates,
	"GetRecords LimitExceededException":                             "any number of readers may read a shard",
	"StartBulkPutItems LimitExceededException":                      "bulk puts wait for one another",
	"ExportTableToPointInTime LimitExceededException":               "takes 300 exports at once; TestExportsAtOnce of the engine makes them",
	"ImportTable LimitExceededException":                            "takes 50 imports at once; those of transfers in the exchanges of dynamowire",
	"RestoreTableFromBackup LimitExceededException":                 "takes 50 restores at once; TestRestoresAtOnce of the engine makes them",
	"RestoreTableToPointInTime LimitExceededException":              "takes 50 restores at once; TestRestoresAtOnce of the engine makes them",
	"GetRecords ExpiredIteratorException":                           "takes 15 minutes; TestStreamErrors of the engine moves the clock",
	"ListStreams ResourceNotFoundException":                         "the service has no streams to list of a table that is not there",

	"DisableKinesisStreamingDestination LimitExceededException": kinesisStates,
	"DisableKinesisStreamingDestination ResourceInUseException": kinesisStates,
	"EnableKinesisStreamingDestination LimitExceededException":  kinesisStates,
	"EnableKinesisStreamingDestination ResourceInUseException":  kinesisStates,
	"UpdateKinesisStreamingDestination LimitExceededException":  kinesisStates,
	"UpdateKinesisStreamingDestination ResourceInUseException":  kinesisStates,
	"PutResourcePolicy LimitExceededException":                  "the service answers ValidationException for what is too long",
	"DeleteResourcePolicy LimitExceededException":               rates,
}

// Reasons of several lines of neverHere.
const (
	cancels       = "the service answers TransactionCanceledException, with the throttling among its reasons"
	continuous    = "continuous backups are there as soon as a table is"
	rates         = "the operation has no limit of calls or jobs here"
	kinesisStates = "the service answers ValidationException for a destination that is in another state, or one too many"
)

// byChance are errors that these tests may see and need not, as those of neverHere.
var byChance = map[string]string{
	"* TransactionConflictException":   "takes a request within the microseconds of a transaction; TestWhatMeetsATransaction of the engine holds one",
	"* TransactionInProgressException": "takes the same; TestWhatMeetsATransaction of the engine holds one",

	"DeleteBackup BackupInUseException":             atWork,
	"RestoreTableFromBackup BackupInUseException":   atWork,
	"RestoreTableFromBackup TableInUseException":    atWork,
	"RestoreTableToPointInTime TableInUseException": atWork,
}

// atWork is the reason of errors that end with a background task.
const atWork = "takes a request while a backup is made or restored; TestBackupAndRestore and TestRestoresAtOnce of the engine hold the work"

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
