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
	// disabledFor is how long a region may be no replica's here until it is taken for one that will never be again: as
	// in the service, replicas in a region that is disabled are none after 20 hours.
	disabledFor = 20 * time.Hour
	// outKeysMin is how many rows the log of what is to be sent has at least when it is thrown away.
	outKeysMin = 1 << 20
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

// collecting is what is known of the last collection.
type collecting struct {
	// marks are how far the store was, by the ids of tables.
	marks map[uint64]storage.Seq
	// disabled are the regions of replicas that are not configured, with the time when that was noticed, in milliseconds
	// since 1970.
	disabled map[string]int64
}

// collectOnce is the work of the worker that forgets stamps. It waits for tables to get replicas.
func (db *core) collectOnce(ctx context.Context) (waiting bool, err error) {
	tables := db.catalog.Globals()
	return len(tables) > 0 || len(db.opts.regions.names()) > 0, db.collectAll(ctx)
}

// collectAll forgets what tables keep for their replicas and no replica needs.
func (db *core) collectAll(ctx context.Context) error {
	w := &db.background.stamps
	w.mu.Lock()
	defer w.mu.Unlock()
	errs := []error{db.loseDisabled(ctx)}
	marks := map[uint64]storage.Seq{}
	for _, t := range db.catalog.Globals() {
		if t.Filling != "" {
			continue
		}
		err := db.boundOut(ctx, w, t, marks)
		if err == nil && t.Global.Settled() {
			err = db.collectTable(ctx, w, t)
		}
		if ctx.Err() != nil || othersWork(err) {
			return err
		}
		errs = append(errs, err)
	}
	db.collecting.marks = marks
	return errors.Join(errs...)
}

// loseDisabled parts from the replicas in regions that have not been configured for disabledFor, while this database was
// open. Their tables stay.
func (db *core) loseDisabled(ctx context.Context) error {
	now, disabled := db.exec.Now().UnixMilli(), map[string]int64{}
	var errs []error
	for _, t := range db.catalog.Globals() {
		for _, region := range t.Global.Regions() {
			if db.opts.regions.get(region) != nil {
				continue
			}
			since, ok := db.collecting.disabled[region]
			if !ok {
				since = now
			}
			disabled[region] = since
			if t.Filling != "" || now-since < disabledFor.Milliseconds() {
				continue
			}
			db.opts.Logger.Error().Str("table", t.Table.Name).Str("region", region).
				Msg("the region of a replica has not been configured for 20 hours: the table goes on without it")
			errs = append(errs, db.losePeer(ctx, t, region))
		}
	}
	db.collecting.disabled = disabled
	return errors.Join(errs...)
}

// losePeer parts from a peer without a word to anybody.
func (db *core) losePeer(ctx context.Context, t *catalog.Table, region string) error {
	_, err := db.catalog.Update(ctx, t.Table.Name, false, func(r *catalog.Record) error {
		if r.Table.ID == t.Table.ID && r.Global != nil {
			r.LosePeer(region)
		}
		return nil
	})
	db.background.jobs.look()
	db.wakeSenders()
	return unlessGone(err)
}

// boundOut throws away what a table has to send once that is more than the table: replicas that are behind by so much
// get the whole table when they answer. marks gets how far the store is; what is newer than the last such mark is kept,
// so that those who are in step go on.
func (db *core) boundOut(ctx context.Context, w *worker, t *catalog.Table, marks map[uint64]storage.Seq) error {
	mark, err := db.store.Watermark(ctx, 0)
	if err != nil {
		return err
	}
	upTo := db.collecting.marks[t.Table.ID]
	marks[t.Table.ID] = mark
	if upTo == 0 || t.Global.Leaving {
		return nil
	}
	rows := rowsOf(t)
	long, err := rows.LongOut(ctx, db.store, db.opts.outKeys)
	if err != nil || !long {
		return err
	}
	if err := db.hold(ctx, w); err != nil {
		return err
	}
	for _, p := range t.Global.PeersBut("") {
		if p.State == catalog.PeerLeaving || p.State == catalog.PeerUnlinking {
			return nil // which waits for what is to be sent
		}
		if err := db.lose(ctx, t, p.Region, upTo); err != nil {
			return err
		}
	}
	return rows.Trim(ctx, db.store, 0, upTo)
}

// lose notes that a peer gets all, if something is still to be sent to it from the log up to upTo.
func (db *core) lose(ctx context.Context, t *catalog.Table, region string, upTo storage.Seq) error {
	has, err := db.sentTo(ctx, t, region)
	if err != nil {
		return err
	}
	found, err := rowsOf(t).HasOut(ctx, db.store, has.Seq, upTo)
	if err != nil || !found {
		return err
	}
	db.opts.Logger.Warn().Str("table", t.Table.Name).Str("region", region).
		Msg("a replica is further behind than the table is long, and will get the whole table")
	var batch storage.Batch
	batch.Put(t.LostRow(region), []byte{})
	return db.store.Apply(ctx, &batch, storage.UpdateOptions{})
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
	rows := rowsOf(t)
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
