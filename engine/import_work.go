package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/input"
)

// importErrorsLogged is how many faults of an import are logged.
const importErrorsLogged = 1000

// importStep puts some items of an import.
func (db *core) importStep(ctx context.Context, run *tasks.Run) (done bool, err error) {
	var spec importSpec
	var state importState
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&state)); err != nil {
		return false, err
	}
	t, err := db.catalog.Lookup(ctx, spec.tableName())
	if errors.Is(err, catalog.ErrNotFound) || err == nil && t.Table.ID != spec.TableID {
		return false, tasks.Fail(codeTableGone, api.MsgTableGone)
	}
	if err != nil {
		return false, err
	}
	if t.Filling == "" { // the last step was cut off behind its end
		return true, db.importEnd(&state)
	}
	from := spec.Request.S3BucketSource
	in, err := db.takeInput(ctx, run.ID, &inputSource{from.S3Bucket.Value, from.S3BucketOwner.Value, input.Spec{
		Prefix: from.S3KeyPrefix.Value, Format: spec.Request.InputFormat.Value,
		Compression: spec.Request.InputCompressionType.Value, CSV: csvOptions(t, spec.Request.InputFormatOptions),
	}}, state.Input)
	if err = db.bucketFailure(ctx, run, err); err != nil {
		return false, err
	}
	end, err := db.load(ctx, run, t, in, &roundOptions{records: db.opts.loadRecords, rounds: loadRounds, unordered: true},
		func(r *round) error { return db.importRound(ctx, run, t, r, &spec, &state) })
	if err != nil || !end {
		return false, err
	}
	if state.Again {
		if end, err = db.recount(ctx, t); err != nil || !end {
			return false, err
		}
	}
	if err := db.catalog.Filled(ctx, t.Table.ID, t.Table.Name); err != nil {
		return false, err
	}
	return true, db.importEnd(&state)
}

// importRound puts the items of a round, and then stores how far the import is: when it is cut off between the
// two the same is put again.
func (db *core) importRound(ctx context.Context, run *tasks.Run, t *catalog.Table, r *round, spec *importSpec, state *importState) error {
	for _, seg := range r.segs {
		again, err := db.putAll(ctx, run, t, seg.writes)
		if err != nil {
			return err
		}
		next := *state
		next.Again = next.Again || again
		next.Input = seg.cursor
		next.Processed += seg.records
		next.Imported += int64(len(seg.writes)) + seg.replaced
		next.Errors += int64(len(seg.faults))
		if err := db.keepFaults(ctx, spec, run, seg.faults); err != nil {
			return err
		}
		if err := run.Commit(ctx, next, nil, nil); err != nil {
			return err
		}
		*state = next
		db.logFaults(spec, run, state, seg.faults)
	}
	return nil
}

// importEnd is how an import ends that has read everything.
func (db *core) importEnd(state *importState) error {
	if state.Errors > 0 {
		return tasks.Fail(codeItems, api.MsgItemsInvalid)
	}
	return nil
}

// importAbort ends an import that failed: a table with items stays, one into which nothing came goes.
func (db *core) importAbort(ctx context.Context, run *tasks.Run, _ *tasks.Failure) error {
	db.dropInput(run.ID)
	var spec importSpec
	var state importState
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&state)); err != nil {
		return err
	}
	if state.Processed > 0 {
		return db.catalog.Filled(ctx, spec.TableID, spec.tableName())
	}
	return db.catalog.Abandon(ctx, spec.TableID, spec.tableName())
}

// pointer says where a record came from, in the words of the service's log of an import.
type pointer struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	Index  int64  `json:"itemIndex"`
}

// faultLine is a fault as the service has it in CloudWatch.
func (db *core) faultLine(spec *importSpec, run *tasks.Run, f *fault) []byte {
	text, err := json.Marshal(struct {
		Pointer  pointer  `json:"itemS3Pointer"`
		ARN      string   `json:"importArn"`
		Messages []string `json:"errorMessages"`
	}{
		pointer{spec.Request.S3BucketSource.S3Bucket.Value, f.at.object, f.at.index},
		db.transferARN(spec.tableName(), &run.Task), []string{f.message},
	})
	if err != nil {
		return nil // strings and numbers: it cannot be
	}
	return text
}

// keepFaults hands faults to whoever keeps them, before the import goes on: after a crash some come again.
func (db *core) keepFaults(ctx context.Context, spec *importSpec, run *tasks.Run, faults []fault) error {
	if db.opts.ImportErrors == nil || len(faults) == 0 {
		return nil
	}
	var lines []byte
	for i := range faults {
		lines = append(append(lines, db.faultLine(spec, run, &faults[i])...), '\n')
	}
	_, id, _ := strings.Cut(run.ID, "/")
	if err := db.opts.ImportErrors(ctx, id, lines); err != nil {
		return fmt.Errorf("errors of the import %s cannot be kept: %w", id, err)
	}
	return nil
}

// logFaults logs the first faults.
func (db *core) logFaults(spec *importSpec, run *tasks.Run, state *importState, faults []fault) {
	first := state.Errors - int64(len(faults))
	for i := range faults {
		if first+int64(i) >= importErrorsLogged {
			return
		}
		db.opts.Logger.Warn().RawJSON("error_log", db.faultLine(spec, run, &faults[i])).Msg("an item was not imported")
	}
}
