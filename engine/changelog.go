package engine

import (
	"context"
	"errors"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/changelog"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/ttl"
)

// cut is a table as of a moment, for a task that reads it. It is stored with the task.
type cut struct {
	Name string `json:"name"`
	ID   uint64 `json:"id"`
	// Seq is the changelog's cut.
	Seq storage.Seq `json:"seq"`
	// AtMs is the moment, in milliseconds since 1970: items whose time to live was over are not there.
	AtMs int64 `json:"atMs"`
}

// errTableGone: the table that a task reads is no more.
var errTableGone = errors.New("engine: the table is gone")

// holdLog makes a task keep the change log of a table from a time on, and makes one if there is none. When it
// returns, every change that begins is in the log. check may refuse it.
func (db *core) holdLog(ctx context.Context, name string, h catalog.LogHold, check func(*catalog.Record) error) (*catalog.Table, error) {
	t, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if err := check(r); err != nil {
			return err
		}
		r.HoldLog(h)
		return nil
	})
	if err != nil || t.Log.SinceMs != 0 {
		return t, err
	}
	return db.settleLog(ctx, name)
}

// settleLog writes down since when a log is complete, which a change of it before has seen to.
func (db *core) settleLog(ctx context.Context, name string) (*catalog.Table, error) {
	return db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		r.SettleLog(db.exec.Now().UnixMilli())
		return nil
	})
}

// releaseLog takes the hold of a task away, if the table is still there.
func (db *core) releaseLog(ctx context.Context, name string, tableID uint64, hold string) error {
	if t, err := db.catalog.Lookup(ctx, name); err != nil || t.Table.ID != tableID || !t.Held(hold) {
		return unlessGone(err)
	}
	_, err := db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
		if r.Table.ID == tableID {
			r.ReleaseLog(hold, db.exec.Now().UnixMilli())
		}
		return nil
	})
	db.background.jobs.look()
	return unlessGone(err)
}

// letGo releases a hold that its task was not started for. If that fails, the hold goes when it is old.
func (db *core) letGo(ctx context.Context, name string, tableID uint64, hold string) {
	if err := db.releaseLog(context.WithoutCancel(ctx), name, tableID, hold); err != nil {
		db.opts.Logger.Error().Err(err).Str("table", name).Msg("a change log is kept for an hour without need")
	}
}

// cutAt returns the cut of a time of a table whose log is held from then on: that of the present when nothing
// was written later.
func (db *core) cutAt(ctx context.Context, t *catalog.Table, ms int64) (seq storage.Seq, err error) {
	// In this order: what is written later than the present is not in the table as of it, and what was written
	// before is found.
	present, err := db.exec.Moment(ctx)
	if err != nil {
		return 0, err
	}
	if err := db.settledBefore(ctx, present); err != nil {
		return 0, err
	}
	err = storage.Fresh(ctx, func() error {
		snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerAsOf})
		if err != nil {
			return err
		}
		defer snap.Close()
		r, err := catalog.LogIn(ctx, snap, t.Table.Name, t.Table.ID)
		if err != nil {
			return err
		}
		found, ok, err := changelog.Cut(ctx, snap, r.Table.ID, r.Log.Marks(ms), ms)
		if seq = present; ok {
			seq = min(found, present)
		}
		return err
	})
	return seq, err
}

// settledBefore waits until all that has a lower Seq can be seen, or never will be.
func (db *core) settledBefore(ctx context.Context, seq storage.Seq) error {
	if seq <= 1 {
		return nil
	}
	_, err := db.store.Watermark(ctx, seq-2) // waits until it is above
	return err
}

// ownerAsOf names the snapshots of those who read tables as of a cut.
const ownerAsOf = "reading as of a moment"

// readAsOf hands the next items of a table as of a cut to take, in the order of their keys, until about so many
// bytes were walked over. It returns the key behind which to go on, and whether that is the end of the span.
// The item is valid until take returns. It may begin anew when its snapshot goes: begin is called before each
// beginning.
func (db *core) readAsOf(
	ctx context.Context, at *cut, span changelog.Span, bytes int, begin func(), take func(k []byte, item attr.Item) error,
) (after []byte, done bool, err error) {
	if err := db.settledBefore(ctx, at.Seq); err != nil {
		return nil, false, err
	}
	err = storage.Fresh(ctx, func() error {
		begin()
		after, done, err = db.readAsOfOnce(ctx, at, span, bytes, take)
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) {
		err = errTableGone
	}
	return after, done, err
}

func (db *core) readAsOfOnce(
	ctx context.Context, at *cut, span changelog.Span, bytes int, take func(k []byte, item attr.Item) error,
) (after []byte, done bool, err error) {
	snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerAsOf})
	if err != nil {
		return nil, false, err
	}
	defer snap.Close()
	r, err := catalog.LogIn(ctx, snap, at.Name, at.ID)
	if err != nil {
		return nil, false, err
	}
	source := changelog.Source{Table: at.ID, History: r.Log.History(at.AtMs)}
	it, err := source.Items(ctx, snap, span, at.Seq)
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	it.Bound(bytes)
	for it.Next() {
		item := db.there(r, it.Item(), at.AtMs)
		if item == nil {
			continue
		}
		if err := take(it.Key(), item); err != nil {
			return nil, false, err
		}
	}
	return append([]byte(nil), it.At()...), !it.More(), it.Err()
}

// readChanges hands the next items of a table that changed from one cut on and before another one to take, as
// readAsOf does: what was stored at the first cut, what was there at the other, and the time of its last change
// between them in milliseconds since 1970. The log must be held from the first cut on.
func (db *core) readChanges(
	ctx context.Context, from, to *cut, span changelog.Span, bytes int, begin func(),
	take func(k []byte, old, now attr.Item, lastMs int64) error,
) (after []byte, done bool, err error) {
	if err := db.settledBefore(ctx, to.Seq); err != nil {
		return nil, false, err
	}
	err = storage.Fresh(ctx, func() error {
		begin()
		after, done, err = db.readChangesOnce(ctx, from, to, span, bytes, take)
		return err
	})
	if errors.Is(err, catalog.ErrNotFound) {
		err = errTableGone
	}
	return after, done, err
}

func (db *core) readChangesOnce(
	ctx context.Context, from, to *cut, span changelog.Span, bytes int,
	take func(k []byte, old, now attr.Item, lastMs int64) error,
) (after []byte, done bool, err error) {
	snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerAsOf})
	if err != nil {
		return nil, false, err
	}
	defer snap.Close()
	r, err := catalog.LogIn(ctx, snap, from.Name, from.ID)
	if err != nil {
		return nil, false, err
	}
	source := changelog.Source{Table: from.ID, History: r.Log.History(from.AtMs)}
	it, err := source.Changes(ctx, snap, span, from.Seq, to.Seq)
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	it.Bound(bytes)
	for it.Next() {
		// What was past its time in the beginning and was swept since is told as a deletion: nobody was told
		// that its time was over.
		old, now := it.Old(), db.there(r, it.New(), to.AtMs)
		if err := take(it.Key(), old, now, it.LastMs()); err != nil {
			return nil, false, err
		}
	}
	return append([]byte(nil), it.At()...), !it.More(), it.Err()
}

// there is an item that was stored, nil if its time was over.
func (db *core) there(r *catalog.Record, item attr.Item, atMs int64) attr.Item {
	if !db.opts.TTLLag && ttl.Expired(r.Table.TTL, item, time.UnixMilli(atMs)) {
		return nil
	}
	return item
}

// orphanAge is how old a hold becomes before it goes for want of its task: who makes one starts the task
// right afterwards.
const orphanAge = time.Hour

// tendLogs begins new generations of change logs and drops what nobody needs.
func (db *core) tendLogs(ctx context.Context) error {
	now := db.exec.Now().UnixMilli()
	var errs []error
	for _, name := range db.catalog.WithLog() {
		t, err := db.catalog.Lookup(ctx, name)
		if err != nil || t.Log == nil {
			errs = append(errs, unlessGone(err))
			continue
		}
		orphans, err := db.orphans(ctx, t.Log.Holds, now)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		gone := func(h catalog.LogHold) bool { return orphans[h.ID] }
		if !t.LogDue(now, gone) {
			continue
		}
		_, err = db.catalog.Update(ctx, name, false, func(r *catalog.Record) error {
			r.TendLog(now, gone)
			return nil
		})
		errs = append(errs, unlessGone(err))
		db.background.jobs.look()
	}
	return errors.Join(errs...)
}

// orphans are the holds whose tasks are over or never were.
func (db *core) orphans(ctx context.Context, holds []catalog.LogHold, nowMs int64) (map[string]bool, error) {
	var out map[string]bool
	for _, h := range holds {
		if nowMs-h.MadeMs < orphanAge.Milliseconds() {
			continue
		}
		t, err := db.tasks.Get(ctx, h.ID)
		switch {
		case err != nil && !errors.Is(err, tasks.ErrNotFound):
			return nil, err
		case err != nil, t.State != tasks.Running:
			if out == nil {
				out = map[string]bool{}
			}
			out[h.ID] = true
		}
	}
	return out, nil
}
