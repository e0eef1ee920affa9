package lsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// BackupOptions of a backup. The zero value is a full one as fast as the disk goes, checked.
type BackupOptions struct {
	// Base is the path of a backup of this database, of the same timeline and never opened for writing
	// since; the new backup is incremental then and holds only the tables that Base has not. Empty makes
	// a full backup.
	Base string
	// Overwrite replaces an existing file, unless somebody has it open.
	Overwrite bool
	// BytesPerSecond bounds the rate; 0 means no bound.
	BytesPerSecond int64
	// NoCheck does not read back and verify what was copied, which costs the time saved where the file
	// system shares blocks instead of copying them.
	NoCheck bool
	// Progress, if not nil, is told after each table how many bytes are done of how many in all.
	Progress func(done, total int64)
}

// CopyInfo says what a backup or restored copy is.
type CopyInfo struct {
	// Timeline is the copy's own, Origin that of the database it was taken from: 16 bytes in hexadecimal.
	Timeline, Origin string
	// LSN is the last batch in it.
	LSN uint64
	// Tables are all tables of the copy, Bytes those that the file holds: for an incremental backup only
	// what its base has not.
	Tables int
	Bytes  int64
}

// Backup writes a consistent copy of the database to path while it is read and written: an ordinary
// database file with a timeline of its own, whole and durable under its name or not there at all. What
// the database frees meanwhile stays in the file until the backup ends. It ends with the context's error
// when that ends, and with storage.ErrClosed when the database is closed.
func (db *DB) Backup(ctx context.Context, path string, opts BackupOptions) (CopyInfo, error) {
	info, err := db.backup(ctx, path, opts)
	if err != nil {
		return CopyInfo{}, fmt.Errorf("backup to %s: %w", path, asFull(err))
	}
	return info, nil
}

func (db *DB) backup(ctx context.Context, path string, opts BackupOptions) (info CopyInfo, err error) {
	err = db.whileOpen(ctx, func(ctx context.Context) (err error) {
		var have *copyFile
		if opts.Base != "" {
			if have, err = db.openBase(opts.Base); err != nil {
				return fmt.Errorf("base %s: %w", opts.Base, err)
			}
			defer have.close()
		}
		place, err := newfile.Open(db.opts.FS, path, opts.Overwrite)
		if err != nil {
			return err
		}
		align, err := place.Align()
		if err == nil {
			v := db.view("backup")
			info, err = db.writeCopy(ctx, place.File(), align, v, have, opts)
			v.close()
		}
		if err == nil {
			err = db.closing.Err() // the context hears of it a little later
		}
		if err != nil {
			place.Abandon()
			return err
		}
		return place.Commit()
	})
	return info, err
}

// whileOpen runs fn with the file open, and ends its context when the database is closed.
func (db *DB) whileOpen(ctx context.Context, fn func(context.Context) error) error {
	if db.opts.InMemory {
		return errors.New("a database in memory has no file: save it")
	}
	db.inFlight.RLock()
	defer db.inFlight.RUnlock()
	if db.closed.Load() {
		return storage.ErrClosed
	}
	ctx, stop := db.untilClose(ctx)
	defer stop()
	err := fn(ctx)
	if err != nil && db.closed.Load() {
		return storage.ErrClosed
	}
	return err
}

// writeCopy writes the view.
func (db *DB) writeCopy(
	ctx context.Context, out vfs.File, align int, v *copyView, have *copyFile, opts BackupOptions,
) (CopyInfo, error) {
	// What the copy has must not be lost by the original: they share their history.
	if !db.opts.ReadOnly {
		if err := db.wal.syncThrough(v.lsn); err != nil {
			return CopyInfo{}, err
		}
	}
	origin := &superblock.Origin{
		Timeline: v.super.Timeline, LSN: v.lsn, Seq: v.next.Seq, Digest: v.next.Digest, Epoch: v.next.Epoch,
	}
	if db.opts.Clock != nil {
		origin.Millis = db.opts.Clock().UnixMilli()
	}
	if have != nil {
		origin.Base = have.super.Timeline
	}
	f, err := newfile.New(out, newfile.Options{
		Database: db.ident, WrappedKey: v.super.WrappedKey, Keys: db.crypt, Epoch: v.super.Epoch, Origin: origin,
		Align: align, SegmentBytes: db.opts.SegmentBytes, NextObject: db.copyNumbers(v.super.Epoch),
		TableOptions: db.opts.blocks, Rand: db.opts.Rand, Pace: paceAt(opts.BytesPerSecond), Check: !opts.NoCheck,
	})
	if err != nil {
		return CopyInfo{}, err
	}
	if err := v.copyTables(ctx, f, have, opts.Progress); err != nil {
		return CopyInfo{}, err
	}
	if err := v.writeMemtables(ctx, f); err != nil {
		return CopyInfo{}, err
	}
	if err := errors.Join(f.Dead(v.dead), f.Finish(ctx, v.lsn)); err != nil {
		return CopyInfo{}, err
	}
	return CopyInfo{
		Timeline: hexID(f.Timeline()), Origin: hexID(origin.Timeline), LSN: uint64(v.lsn),
		Tables: f.Tables(), Bytes: f.Bytes(),
	}, nil
}

// copyTables copies, in the order of the file, the tables that the base has not.
func (v *copyView) copyTables(
	ctx context.Context, f *newfile.File, have *copyFile, progress func(done, total int64),
) error {
	var tables []manifest.Table
	var total, done int64
	for i := range v.stripes {
		for _, level := range v.stripes[i].tables.levels {
			for _, t := range level {
				if have.has(t.Table) {
					if err := f.Refer(t.Table); err != nil {
						return err
					}
					continue
				}
				tables = append(tables, t.Table)
				total += t.Meta.Length
			}
		}
	}
	slices.SortFunc(tables, func(a, b manifest.Table) int { return cmp.Compare(a.Offset, b.Offset) })
	for _, t := range tables {
		if err := f.Copy(ctx, v.db.heap.file, t); err != nil {
			return err
		}
		done += t.Meta.Length
		if progress != nil {
			progress(done, total)
		}
	}
	return nil
}

// writeMemtables makes a table of level 0 of what each stripe has in memory.
func (v *copyView) writeMemtables(ctx context.Context, f *newfile.File) error {
	for i := range v.stripes {
		c := v.entries(i)
		if c == nil {
			continue
		}
		err := f.Begin(ctx, uint8(i), 0)
		for err == nil && c.Next() {
			err = f.Add(ctx, c.Entry(), c.NewKey())
		}
		if err = errors.Join(err, c.Err(), c.Close()); err != nil {
			return err
		}
	}
	return nil
}

// copyNumbers numbers the objects of a copy. A read-only database has not taken an epoch: its last one is
// continued in the half of the numbers that nobody reaches. No two objects of one content differ by that:
// tables under such a number are always in the file that names them.
func (db *DB) copyNumbers(epoch base.Epoch) func() base.ObjectNum {
	if db.opts.ReadOnly {
		return numbersFrom(epoch, readOnlyNumbers)
	}
	return db.nextObject
}

// Where copies number the objects that they add to an epoch that is over. Renewal keeps running stores
// from 15/16 of the counter on, and nothing but years of work brings them to a half.
const (
	readOnlyNumbers = base.CounterMax / 2
	restoreNumbers  = base.CounterMax / 4 * 3
)

func numbersFrom(epoch base.Epoch, counter uint64) func() base.ObjectNum {
	next := base.ObjectNum(base.MakeLSN(epoch, counter))
	return func() base.ObjectNum {
		next++
		return next
	}
}

// untilClose ends a context when the database is being closed.
func (db *DB) untilClose(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(db.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// paceAt holds a copy to a rate; nil without one.
func paceAt(bytesPerSecond int64) func(context.Context, int) error {
	if bytesPerSecond <= 0 {
		return nil
	}
	return func(ctx context.Context, n int) error {
		t := time.NewTimer(time.Duration(float64(n) / float64(bytesPerSecond) * float64(time.Second)))
		defer t.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return nil
		}
	}
}
