package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/replica"
	"github.com/keystone-db/kstone/engine/storage"
)

// Stamps of deleted items keep older writes out that come late. They may be forgotten when nothing older can come:
// when each replica has what any of them wrote until then, which they tell each other in marks. That they are kept for
// a day beyond makes good for clocks that differ and calls that were given up and still run, and lets a replica be
// opened from a copy of the day.
const (
	// stampKeep is how long stamps of deleted items are kept when all replicas know of the delete.
	stampKeep = 24 * time.Hour
	// markEvery is how often a table with such stamps marks how far it is.
	markEvery = 10 * time.Minute
	// markBehind is how far a mark stays behind the clock: no update takes as long.
	markBehind = time.Minute
	// collectInterval is how often is looked for what may be forgotten.
	collectInterval = 10 * time.Minute
)

// marked is the last mark that was sent of a table.
type marked struct{ atMs, low int64 }

// progress is what a mark says, as of before something is sent.
type progress struct{ through, low int64 }

// low is up to when the table has what any replica wrote, in microseconds since 1970.
func (db *core) low(ctx context.Context, t *catalog.Table) (int64, error) {
	low := db.exec.Now().Add(-markBehind).UnixMicro()
	for _, region := range t.Global.Regions() {
		r, err := db.received(ctx, t, region)
		if err != nil {
			return 0, err
		}
		low = min(low, r.Through)
	}
	return low, nil
}

// due is what is to be marked after everything is sent; nil for nothing. Who has forgotten all that there was marks
// once more what the others need to do so.
func (x *sending) due(ctx context.Context) (*progress, error) {
	now, last := x.db.exec.Now(), x.s.marks[x.table.Table.ID]
	if now.UnixMilli()-last.atMs < markEvery.Milliseconds() || !x.table.Global.Settled() {
		return nil, nil
	}
	found, err := x.rows().HasDead(ctx, x.db.store)
	if err != nil {
		return nil, err
	}
	upTo, err := x.db.collected(ctx, x.table)
	if err != nil || !found && (upTo == 0 || last.low >= upTo+stampKeep.Microseconds()) {
		return nil, err
	}
	low, err := x.db.low(ctx, x.table)
	return &progress{through: now.Add(-markBehind).UnixMicro(), low: low}, err
}

// mark tells the peer how far the table is.
func (x *sending) mark(ctx context.Context, m *progress) error {
	if m == nil {
		return nil
	}
	if _, err := x.call(ctx, &api.ReplicateInput{Step: api.ReplicateMark, Through: m.through, Low: m.low}); err != nil {
		return err
	}
	x.s.marks[x.table.Table.ID] = marked{atMs: x.db.exec.Now().UnixMilli(), low: m.low}
	return nil
}

// takeMark notes how far a peer is.
func (db *core) takeMark(ctx context.Context, t *catalog.Table, in *api.ReplicateInput) error {
	return db.receive(ctx, t, in.From, func(r *received) { r.Through, r.Low = in.Through, in.Low })
}

// collected is up to when stamps of deleted items are forgotten, in microseconds since 1970; 0 when none were.
func (db *core) collected(ctx context.Context, t *catalog.Table) (int64, error) {
	v, err := db.store.Get(ctx, t.CollectedRow())
	if err != nil || !v.Present {
		return 0, err
	}
	n, err := strconv.ParseInt(string(v.Data), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("engine: what is forgotten of %s: %w", t.Table.Name, storage.ErrCorrupt)
	}
	return n, nil
}

// collectOnce is the work of the worker that forgets stamps.
func (db *core) collectOnce(ctx context.Context) (waiting bool, err error) {
	tables := db.catalog.Globals()
	return len(tables) > 0, db.collectAll(ctx)
}

// collectAll forgets the stamps of deleted items that no replica needs.
func (db *core) collectAll(ctx context.Context) error {
	w := &db.background.stamps
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, t := range db.catalog.Globals() {
		if t.Filling != "" || !t.Global.Settled() {
			continue
		}
		err := db.collectTable(ctx, w, t)
		if ctx.Err() != nil || othersWork(err) {
			return err
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (db *core) collectTable(ctx context.Context, w *worker, t *catalog.Table) error {
	stable, err := db.low(ctx, t)
	if err != nil {
		return err
	}
	for _, region := range t.Global.Regions() {
		r, err := db.received(ctx, t, region)
		if err != nil {
			return err
		}
		stable = min(stable, r.Low)
	}
	upTo := time.UnixMicro(stable).Add(-stampKeep)
	if upTo.UnixMicro() <= 0 {
		return nil
	}
	rows := replica.Rows{Table: t.Table.ID, Stamps: t.Global.Stamps, Out: t.Global.Out, Dead: t.Global.Dead}
	note := storage.Op{Key: t.CollectedRow(), Value: strconv.AppendInt(nil, upTo.UnixMicro(), 10)}
	for more := true; more; {
		if err := db.hold(ctx, w); err != nil {
			return err
		}
		more, err = rows.Collect(ctx, db.store, upTo.UnixMilli(), replica.Guard{Named: w.lease.Named(), Check: w.lease.Check}, note)
		if err != nil {
			return err
		}
		if again, err := db.catalog.Lookup(ctx, t.Table.Name); err != nil || again.Table.ID != t.Table.ID || !again.Global.Settled() || again.Global == nil {
			return unlessGone(err)
		}
	}
	return nil
}
