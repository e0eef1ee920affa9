package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/backups"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/changelog"
	"github.com/keystone-db/kstone/engine/exec"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/tasks"
	"github.com/keystone-db/kstone/engine/ttl"
)

// Kinds of tasks. Stored: never rename.
const (
	taskBackup     = "backup"
	taskRestore    = "restore"
	taskDropBackup = "drop-backup"
)

const (
	// copyBytes is about how much a step of a backup or restore reads.
	copyBytes = 1 << 20
	// fillItems bounds how many items a step of a restore puts, since each is a key of the update.
	fillItems = 1024
)

// backupSpec is what a backup is of.
type backupSpec struct {
	ID    string `json:"id"`
	Space uint64 `json:"space"`
	Cut   cut    `json:"cut"`
}

// restoreSpec is the table that is filled; what from is in its record.
type restoreSpec struct {
	Table string `json:"table"`
	ID    uint64 `json:"id"`
	// Source and SourceID are the table whose log is held, as it may be gone from the record.
	Source   string `json:"source,omitempty"`
	SourceID uint64 `json:"sourceID,omitempty"`
}

// dropSpec is a backup that is removed.
type dropSpec struct {
	ID string `json:"id"`
}

// copied is how far a backup or restore is.
type copied struct {
	// Parts are none before the first step.
	Parts tableParts `json:"parts,omitempty"`
	Items int64      `json:"items"`
	Bytes int64      `json:"bytes"`
	// All: every item is copied.
	All bool `json:"all,omitempty"`
	// Again: a restore has put some items twice.
	Again bool `json:"again,omitempty"`
}

// copies is what a step copies of one part.
type copies struct {
	keys  [][]byte // of a backup
	items []attr.Item
	bytes int64
	again bool // of a restore
}

// next copies some of each open part and returns how far the task is then. What copyPart writes may be written
// twice.
func (c *copied) next(copyPart func(*tablePart) (*copies, error)) (copied, error) {
	next := *c
	if next.Parts == nil {
		next.Parts = wholeTable()
	}
	next.Parts = next.Parts.divided()
	open := next.Parts.open()
	done := make([]*copies, len(open))
	parts, err := next.Parts.each(open, func(n int, p *tablePart) (err error) {
		done[n], err = copyPart(p)
		return err
	})
	if err != nil {
		return next, err
	}
	for _, d := range done {
		next.Items += int64(len(d.items))
		next.Bytes += d.bytes
		next.Again = next.Again || d.again
	}
	next.Parts = parts
	next.All = len(parts.open()) == 0
	return next, nil
}

// copyKinds are the kinds of tasks of this file.
func (db *core) copyKinds() map[string]tasks.Kind {
	return map[string]tasks.Kind{
		taskBackup:     {Step: db.backupStep, Abort: db.abortBackup, Forget: true},
		taskRestore:    {Step: db.restoreStep, Abort: db.abortRestore, Forget: true},
		taskDropBackup: {Step: db.dropBackupStep, Forget: true},
	}
}

// backupStep copies some items of a table as of the backup's cut.
func (db *core) backupStep(ctx context.Context, run *tasks.Run) (bool, error) {
	var spec backupSpec
	var c copied
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&c)); err != nil {
		return false, err
	}
	if c.All {
		return true, db.releaseLog(ctx, spec.Cut.Name, spec.Cut.ID, run.ID)
	}
	next, err := c.next(func(p *tablePart) (*copies, error) { return db.backupPart(ctx, run, &spec, p) })
	if errors.Is(err, errTableGone) {
		return false, tasks.Fail("TableNotFoundException", "the table is gone")
	}
	if err != nil {
		return false, err
	}
	named := []storage.Named{{Key: backups.Row(spec.ID)}}
	return false, run.Commit(ctx, next, named, func(tx storage.Tx) error {
		if !next.All {
			return nil
		}
		stored, err := backups.Stored(tx.Value(0))
		if err != nil {
			return err
		}
		stored.Status, stored.Items, stored.Bytes = backups.Available, next.Items, next.Bytes
		row, err := stored.Encode()
		if err == nil {
			tx.Put(named[0].Key, row)
		}
		return err
	})
}

// backupPart copies some items of a part of a table.
func (db *core) backupPart(ctx context.Context, run *tasks.Run, spec *backupSpec, p *tablePart) (*copies, error) {
	b := backups.Backup{Space: spec.Space}
	var c *copies
	after, done, err := db.readAsOf(ctx, &spec.Cut, p.span(), db.opts.copyBytes,
		func() { c = new(copies) },
		func(k []byte, item attr.Item) error {
			c.keys, c.items = append(c.keys, b.ItemKey(k)), append(c.items, item.Clone())
			c.bytes += int64(item.Size())
			return nil
		})
	if err != nil {
		return nil, err
	}
	p.After, p.Done = after, done
	if len(c.keys) == 0 {
		return c, nil
	}
	return c, run.Write(ctx, []storage.Named{{Key: c.keys[0]}}, func(tx storage.Tx) error {
		for i, k := range c.keys {
			tx.Put(k, c.items[i])
		}
		return nil
	})
}

// abortBackup removes what a backup has that cannot be finished.
func (db *core) abortBackup(ctx context.Context, run *tasks.Run, why *tasks.Failure) error {
	var spec backupSpec
	if err := run.ParseSpec(&spec); err != nil {
		return err
	}
	db.opts.Logger.Error().Err(why).Str("backup", spec.ID).Str("table", spec.Cut.Name).Msg("backup failed and is removed")
	return errors.Join(db.removeBackup(ctx, spec.ID), db.releaseLog(ctx, spec.Cut.Name, spec.Cut.ID, run.ID))
}

// dropBackupStep removes the items and the row of a deleted backup.
func (db *core) dropBackupStep(ctx context.Context, run *tasks.Run) (bool, error) {
	var spec dropSpec
	if err := run.ParseSpec(&spec); err != nil {
		return false, err
	}
	return true, db.removeBackup(ctx, spec.ID)
}

func (db *core) removeBackup(ctx context.Context, id string) error {
	v, err := db.store.Get(ctx, backups.Row(id))
	if err != nil || !v.Present {
		return err
	}
	b, err := backups.Decode(v.Data)
	if err != nil {
		return err
	}
	if err := db.store.DropRange(ctx, b.Range()); err != nil {
		return err
	}
	var batch storage.Batch
	batch.Delete(backups.Row(id))
	return db.store.Apply(ctx, &batch, storage.UpdateOptions{})
}

// restoreStep fills a table with some items of its source.
func (db *core) restoreStep(ctx context.Context, run *tasks.Run) (bool, error) {
	var spec restoreSpec
	var c copied
	if err := errors.Join(run.ParseSpec(&spec), run.ParseCursor(&c)); err != nil {
		return false, err
	}
	t, err := db.catalog.Lookup(ctx, spec.Table)
	filling := err == nil && t.Table.ID == spec.ID && t.Filling != ""
	if c.All {
		if c.Again && filling {
			if end, err := db.recount(ctx, t); err != nil || !end {
				return false, err
			}
		}
		if err := db.catalog.Filled(ctx, spec.ID, spec.Table); err != nil {
			return false, err
		}
		return true, db.releaseLog(ctx, spec.Source, spec.SourceID, run.ID)
	}
	if err != nil {
		return true, unlessGone(err)
	}
	if !filling {
		return true, nil
	}
	next, err := c.next(func(p *tablePart) (*copies, error) {
		part, err := db.sourceItems(ctx, t.Restore, p)
		if err == nil {
			var results []exec.Result
			results, err = db.exec.Fill(t, part.items, func(named []storage.Named, fn func(storage.Tx) error) error {
				if len(named) == 0 {
					return nil
				}
				return run.Write(ctx, named, fn)
			})
			part.again = replaced(results)
		}
		return part, err
	})
	if err != nil {
		return false, err
	}
	return false, run.Commit(ctx, next, nil, nil)
}

// errFull ends the reading of a step.
var errFull = errors.New("engine: enough for a step")

// sourceItems reads the next items of a part of what a table is restored from.
func (db *core) sourceItems(ctx context.Context, r *catalog.Restore, p *tablePart) (*copies, error) {
	var c *copies
	var last []byte
	begin := func() { c = new(copies) }
	take := func(k []byte, item attr.Item) error {
		if len(c.items) == fillItems {
			return errFull
		}
		c.items = append(c.items, item.Clone())
		c.bytes += int64(item.Size())
		last = append(last[:0], k...)
		return nil
	}
	var after []byte
	var done bool
	var err error
	if r.Backup != "" {
		after, done, err = db.readBackup(ctx, r.Backup, p.span(), begin, take)
	} else {
		at := &cut{Name: r.Source, ID: r.SourceID, Seq: storage.Seq(r.Seq), AtMs: r.AtMs}
		after, done, err = db.readAsOf(ctx, at, p.span(), db.opts.copyBytes, begin, take)
	}
	switch {
	case errors.Is(err, errFull):
		p.After = last
		return c, nil
	case errors.Is(err, errTableGone), errors.Is(err, backups.ErrNotFound):
		return nil, tasks.Fail("BackupNotFoundException", "the source is gone")
	case err != nil:
		return nil, err
	}
	p.After, p.Done = after, done
	return c, nil
}

// readBackup hands the next items of a backup to take, as readAsOf does.
func (db *core) readBackup(
	ctx context.Context, id string, span changelog.Span, begin func(), take func(k []byte, item attr.Item) error,
) (after []byte, done bool, err error) {
	b, err := backups.Get(ctx, db.store, id)
	if err != nil {
		return nil, false, err
	}
	err = storage.Fresh(ctx, func() error {
		begin()
		after, done, err = db.readBackupOnce(ctx, b, span, take)
		return err
	})
	return after, done, err
}

func (db *core) readBackupOnce(
	ctx context.Context, b *backups.Backup, span changelog.Span, take func(k []byte, item attr.Item) error,
) (after []byte, done bool, err error) {
	snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "restore"})
	if err != nil {
		return nil, false, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, span.Rows(key.TableSpace(b.Space), key.TableSub), storage.IterOptions{Once: true})
	if err != nil {
		return nil, false, err
	}
	defer it.Close()
	after = bytes.Clone(span.After)
	for read := 0; it.Next(); {
		item := attr.Item(it.Value())
		if !ttl.Expired(b.HideBy, item, time.UnixMilli(b.CreatedMs)) {
			if err := take(it.Key(), item); err != nil {
				return nil, false, err
			}
		}
		after = append(after[:0], it.Key()...)
		if read += len(it.Key()) + len(item); read >= db.opts.copyBytes {
			return after, false, nil
		}
	}
	return after, true, it.Err()
}

// abortRestore removes a table that cannot be filled.
func (db *core) abortRestore(ctx context.Context, run *tasks.Run, why *tasks.Failure) error {
	var spec restoreSpec
	if err := run.ParseSpec(&spec); err != nil {
		return err
	}
	db.opts.Logger.Error().Err(why).Str("table", spec.Table).Msg("restore failed and its table is removed")
	return errors.Join(db.catalog.Abandon(ctx, spec.ID, spec.Table), db.releaseLog(ctx, spec.Source, spec.SourceID, run.ID))
}

// startRestores starts the tasks of tables that wait to be filled: whoever makes such a table does so in one
// update and leaves the task to this.
func (db *core) startRestores(ctx context.Context) error {
	for _, t := range db.catalog.Restoring() {
		spec := restoreSpec{Table: t.Table.Name, ID: t.Table.ID}
		if t.Restore.Backup == "" {
			spec.Source, spec.SourceID = t.Restore.Source, t.Restore.SourceID
		}
		_, err := db.tasks.Start(ctx, tasks.Request{ID: t.Filling, Kind: taskRestore, Spec: spec}, nil, nil)
		if err != nil && !errors.Is(err, tasks.ErrExists) {
			return err
		}
	}
	return nil
}
