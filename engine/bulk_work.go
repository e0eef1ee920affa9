package engine

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/transfer/input"
)

// bulkStep puts some items, or writes a part of the report.
func (db *core) bulkStep(ctx context.Context, run *tasks.Run) (done bool, err error) {
	var spec bulkSpec
	var state bulkState
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&state)); err != nil {
		return false, err
	}
	if db.foreign(spec.Home) {
		return false, tasks.Fail(codeCopied, msgCopied)
	}
	if state.Report.due() || state.Ended && state.Report.pending() {
		return false, db.bucketFailure(ctx, run, db.flushReport(ctx, run, &spec, &state))
	}
	if state.Ended {
		return true, db.bucketFailure(ctx, run, db.endReport(ctx, run, &spec, &state, ""))
	}
	if !state.Listed {
		if err := db.startReport(ctx, run, &spec); err != nil {
			return false, db.bucketFailure(ctx, run, err)
		}
	}
	if db.pausing(run.ID) {
		return false, tasks.ErrWait
	}
	t, err := db.catalog.Enter(spec.tableName(), 0)
	if err == nil {
		defer t.Leave(0)
	}
	if err != nil || t.Table.ID != spec.TableID {
		return false, tasks.Fail(codeTableGone, api.MsgTableGone)
	}
	from := spec.Request.InputS3Configuration
	in, err := db.takeInput(ctx, run.ID, &inputSource{from.S3Bucket.Value, from.S3BucketOwner.Value, input.Spec{
		Prefix: from.S3KeyPrefix.Value, Format: from.InputFormat.Value, Compression: from.InputCompressionType.Value,
	}}, state.Input)
	if err = db.bucketFailure(ctx, run, err); err != nil {
		return false, err
	}
	if !state.Listed {
		state.Listed, state.Total = true, in.in.Total()
		db.keepInput(run.ID, in)
		return false, run.Commit(ctx, state, nil, nil)
	}
	opts := &roundOptions{records: db.opts.loadRecords, rounds: loadRounds}
	limit := spec.Request.MaxWriteRequestUnits
	if limit.Set {
		opts.records, opts.rounds = min(opts.records, max(1, int(limit.Value))), 1
	}
	units := 0.0
	end, err := db.load(ctx, run, t, in, opts, func(r *round) error { return db.bulkRound(ctx, run, t, r, &spec, &state, &units) })
	if err == nil && limit.Set && !end {
		db.pause(run.ID, units/float64(limit.Value))
	}
	return false, err
}

// bulkRound puts the items of a round and adds the units that were used. Segments that are put leave the round.
func (db *core) bulkRound(ctx context.Context, run *tasks.Run, t *catalog.Table, r *round, spec *bulkSpec, state *bulkState, units *float64) error {
	for len(r.segs) > 0 {
		for state.Report.due() {
			if err := db.flushReport(ctx, run, spec, state); err != nil {
				return db.bucketFailure(ctx, run, err)
			}
		}
		seg := r.segs[0]
		put := &bulkSegment{spec: spec, seg: seg, table: t, before: *state, load: db.exec.NewLoad(t, seg.writes), id: run.ID}
		put.ended = r.end && len(r.segs) == 1
		err := run.Commit(ctx, put.after, put.load.Named(), put.run)
		put.load.End(err)
		if err != nil {
			return err
		}
		r.segs, r.from = r.segs[1:], seg.cursor
		*state = put.state
		*units += put.units
	}
	return nil
}

// bulkSegment is the puts of one update.
type bulkSegment struct {
	id     string
	spec   *bulkSpec
	seg    *segment
	table  *catalog.Table
	before bulkState
	load   *exec.Load
	ended  bool
	// state and units are of the last run of the update.
	state bulkState
	units float64
}

func (p *bulkSegment) after() any { return &p.state }

// run does the puts and notes what the report is to have. It is pure but for state and units.
func (p *bulkSegment) run(tx storage.Tx) error {
	if err := p.load.Run(tx); err != nil {
		return err
	}
	p.state, p.units = p.before, 0
	s := &p.state
	s.Indexes = map[uint32]int64{}
	maps.Copy(s.Indexes, p.before.Indexes)
	s.Input, s.Ended = p.seg.cursor, p.ended
	s.Processed += p.seg.records
	for i := range p.seg.faults {
		s.Failed++
		f := &p.seg.faults[i]
		if p.spec.wants(api.OutputTypeError) {
			s.Report.note(tx, p.id, &reportNote{Kind: api.OutputTypeError, Object: f.at.object, Index: f.at.index, Message: f.message, item: f.item})
		}
	}
	for i := range p.seg.writes {
		p.count(tx, i)
	}
	return nil
}

// count takes the outcome of a put into account.
func (p *bulkSegment) count(tx storage.Tx, i int) {
	s, r := &p.state, &p.load.Results[i]
	w, at := &p.seg.writes[i], p.seg.at[i]
	if failed := p.load.Failed[i]; failed != nil {
		n := &reportNote{Kind: api.OutputTypeError, Object: at.object, Index: at.index, Message: failed.Message, item: w.Item}
		if failed.Code == api.ConditionalCheckFailed {
			n.Kind, n.Message, n.existing = api.OutputTypeConditionCheckFailure, "", failed.Item
			s.Refused++
		} else {
			s.Failed++
		}
		if p.spec.wants(n.Kind) {
			s.Report.note(tx, p.id, n)
		}
		return
	}
	s.Table += int64(r.NewSize())
	p.units += capacity.WriteUnits(r.OldSize(), r.NewSize())
	for k := range r.Changes {
		c := &r.Changes[k]
		switch ix := &p.table.Table.Indexes[c.Index]; {
		case ix.Vector != nil:
			s.Indexes[ix.Sub] += int64(vectorBytes(r.Old != nil, c))
		case c.Put != nil:
			s.Indexes[ix.Sub] += int64(c.NewSize)
		}
	}
}

// bulkAbort ends a bulk put that failed or is cancelled. What is in the report is written if that can be.
func (db *core) bulkAbort(ctx context.Context, run *tasks.Run, why *tasks.Failure) error {
	db.dropInput(run.ID)
	var spec bulkSpec
	var state bulkState
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&state)); err != nil {
		return err
	}
	status := api.BulkOperationStatusCancelled
	if why != nil {
		status = api.BulkOperationStatusFailed
	}
	if db.foreign(spec.Home) {
		return db.dropReport(ctx, run)
	}
	err := db.abortReport(ctx, run, &spec, &state, status)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		db.opts.Logger.Warn().Err(err).Str("id", run.ID).Msg("the report of a bulk put could not be written")
	}
	return db.dropReport(ctx, run)
}

// pausing says whether a bulk put must wait for the units that it may use.
func (db *core) pausing(id string) bool {
	db.transfers.mu.Lock()
	defer db.transfers.mu.Unlock()
	return db.exec.Now().Before(db.transfers.pauses[id])
}

// pause makes a bulk put wait so many seconds.
func (db *core) pause(id string, seconds float64) {
	db.transfers.mu.Lock()
	defer db.transfers.mu.Unlock()
	now := db.exec.Now()
	from := db.transfers.pauses[id]
	if now.After(from) {
		from = now
	}
	db.transfers.pauses[id] = from.Add(time.Duration(seconds * float64(time.Second)))
}
