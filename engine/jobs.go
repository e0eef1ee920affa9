package engine

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// progressItems is after how many items a backfill says how far it is.
const progressItems = 100_000

// doJobs does the jobs of all tables. waiting says that some cannot begin yet.
func (db *core) doJobs(ctx context.Context) (waiting bool, err error) {
	db.background.jobs.mu.Lock()
	defer db.background.jobs.mu.Unlock()
	names, err := db.catalog.Busy(ctx)
	if err != nil {
		return false, err
	}
	var errs []error
	for _, name := range names {
		t, err := db.catalog.Lookup(ctx, name)
		if err != nil {
			errs = append(errs, unlessGone(err))
			continue
		}
		for i := range t.Jobs {
			if !t.Jobs[i].Ready {
				waiting = true
				continue
			}
			errs = append(errs, db.doJob(ctx, name, t.Table.ID, t.Jobs[i].Sub))
		}
	}
	return waiting, errors.Join(errs...)
}

// unlessGone is the error of looking a table up, nil for one that was deleted meanwhile.
func unlessGone(err error) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return nil
	}
	return err
}

// doJob does all steps of one job.
func (db *core) doJob(ctx context.Context, name string, id uint64, sub uint32) error {
	for {
		done, err := db.jobStep(ctx, name, id, sub)
		if done || err != nil {
			return err
		}
	}
}

// jobStep does one step of a job and reports whether it was the last, or the job is gone. The next
// one goes on where it ended, in this process or another one.
func (db *core) jobStep(ctx context.Context, name string, id uint64, sub uint32) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if err := db.hold(ctx, &db.background.jobs); err != nil {
		return false, err
	}
	t, err := db.catalog.Lookup(ctx, name)
	if err != nil {
		return true, unlessGone(err)
	}
	if t.Table.ID != id {
		return true, nil
	}
	job := t.Job(sub)
	if job == nil {
		return true, nil
	}
	if job.Kind == catalog.JobDrop {
		// The step of the catalog that made the job has waited for all that knew these keys.
		r := key.SpaceRange(key.TableSpace(id), sub)
		if err := db.store.DropRange(ctx, storage.Range(r)); err != nil {
			return false, err
		}
		return true, db.catalog.Finish(ctx, id, name, sub)
	}
	end, c, err := db.backfillStep(ctx, name, id, sub)
	if err != nil || !end {
		return false, err
	}
	db.filling(t, sub, &c).Msg("backfill finished")
	return true, db.catalog.Finish(ctx, id, name, sub)
}

// backfillStep does one step while the table cannot change. end is reported when there are no more
// items, or no job any more.
func (db *core) backfillStep(ctx context.Context, name string, id uint64, sub uint32) (end bool, c exec.Cursor, err error) {
	t, err := db.catalog.Enter(name, 0)
	if err != nil {
		return true, c, nil // deleted meanwhile
	}
	defer t.Leave(0)
	if t.Table.ID != id || t.Job(sub) == nil {
		return true, c, nil
	}
	if c, err = db.exec.LoadCursor(ctx, t.Cursor(sub)); err != nil {
		return false, c, err
	}
	before := c.Items
	step := db.exec.BackfillIndex
	if t.Job(sub).Kind == catalog.JobExpiry {
		step = db.exec.BackfillExpiry
	}
	if end, err = step(ctx, t, sub, &c, db.background.jobs.lease); err != nil {
		return false, c, err
	}
	if each := db.opts.progressItems; before == 0 || before/each != c.Items/each {
		db.filling(t, sub, &c).Msg("backfill in progress")
	}
	return end, c, nil
}

// filling begins a line of the log about a backfill: that of an index, or without one of the times at
// which items expire.
func (db *core) filling(t *catalog.Table, sub uint32, c *exec.Cursor) *zerolog.Event {
	line := db.opts.Logger.Info().Str("table", t.Table.Name)
	for i := range t.Table.Indexes {
		if ix := &t.Table.Indexes[i]; ix.Sub == sub {
			line.Str("index", ix.Name)
		}
	}
	return line.Int64("items", c.Items).Int64("entries", c.Entries)
}
