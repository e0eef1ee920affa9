package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
)

// SaveOptions of a saved database.
type SaveOptions struct {
	// EncryptionKey, 32 bytes, encrypts the file; nil leaves it plain, also when the database was read
	// from an encrypted one.
	EncryptionKey []byte
}

// Save writes what the database holds now to the file path, while it is read and written: an ordinary
// database file with an id of its own, in which every key stands once. A file that is there is replaced
// when the new one is whole and durable; an error, a crash or the end of the context leaves it as it was.
// One that somebody has open is not replaced.
func (db *DB) Save(ctx context.Context, path string, opts SaveOptions) error {
	if err := db.save(ctx, path, opts); err != nil {
		return fmt.Errorf("save to %s: %w", path, asFull(err))
	}
	return nil
}

func (db *DB) save(ctx context.Context, path string, opts SaveOptions) (err error) {
	f, err := db.Fork() // nobody writes to it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	place, err := newfile.Open(db.opts.FS, path, true)
	if err != nil {
		return err
	}
	if err := f.writeTo(ctx, place, opts); err != nil {
		place.Abandon()
		return err
	}
	return place.Commit()
}

// writeTo writes the file of a fork.
func (db *DB) writeTo(ctx context.Context, place *newfile.Place, opts SaveOptions) error {
	super := superblock.Superblock{}
	if _, err := io.ReadFull(db.opts.Rand, super.Database[:]); err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	if err := super.Lock(opts.EncryptionKey, db.opts.Rand); err != nil {
		return err
	}
	defer super.Keys.Clear()
	align, err := place.Align()
	if err != nil {
		return err
	}
	epoch := max(db.wal.next.Epoch(), base.Epoch(db.seqs.last>>base.CounterBits))
	if epoch >= base.EpochMax {
		return errEpochs
	}
	f, err := newfile.New(place.File(), newfile.Options{
		Database: super.Database, WrappedKey: super.WrappedKey, Keys: super.Keys, Epoch: epoch, Align: align,
		SegmentBytes: db.opts.SegmentBytes, NextObject: numbersFrom(epoch, 0), TableOptions: db.opts.blocks,
		Rand: db.opts.Rand,
	})
	if err != nil {
		return err
	}
	for i := range db.stripes {
		if err := f.Begin(ctx, uint8(i), levelLast); err != nil {
			return err
		}
		err := db.stripes[i].each(func(e base.Entry, newKey bool) error { return f.Add(ctx, e, newKey) })
		if err != nil {
			return err
		}
	}
	return f.Finish(ctx, max(db.wal.visibleLSN(), base.MakeLSN(epoch, 0)))
}

// each shows the newest version of every key of a stripe that nobody writes to, in order, without
// tombstones.
func (s *stripe) each(fn func(e base.Entry, newKey bool) error) error {
	var sources []base.Iterator
	for _, m := range slices.Insert(slices.Clone(s.frozen), 0, s.active) {
		if !m.Empty() {
			sources = append(sources, m.NewIter(nil, memtable.IterOptions{}))
		}
	}
	opts := table.IterOptions{NoFill: true}
	for _, t := range s.tables.levels[0] {
		sources = append(sources, t.reader.NewIterWith(opts))
	}
	for _, level := range s.tables.levels[1:] {
		if len(level) > 0 {
			sources = append(sources, newLevelIter(level, opts))
		}
	}
	if len(sources) == 0 {
		return nil
	}
	c := merge.NewCompactor(merge.New(sources...), merge.CompactorOptions{
		Horizon: base.LSN(noPin), Bottom: func([]byte) bool { return true }, Dead: s.tables.dead,
	})
	var err error
	for err == nil && c.Next() {
		err = fn(c.Entry(), c.NewKey())
	}
	return errors.Join(err, c.Err(), c.Close())
}

// Load opens a database in memory that begins with what the file at path holds, copied: the file is read
// and let go of, and may be replaced by Save. fs.ErrNotExist when there is none. A file that is open for
// writing elsewhere is refused with ErrLocked. Options.EncryptionKey opens an encrypted one.
//
// A fork of a file that is open for reading only takes no time and no memory instead, but keeps the file.
func Load(path string, opts Options) (*DB, error) {
	opts.InMemory, opts.ReadOnly = false, true
	file, err := Open(path, opts)
	if err != nil {
		return nil, err
	}
	db, err := file.Fork()
	if err != nil {
		return nil, openError(path, errors.Join(err, file.Close()))
	}
	for i := range db.stripes {
		if err = db.absorb(&db.stripes[i]); err != nil {
			return nil, openError(path, errors.Join(err, db.Close(), file.Close()))
		}
	}
	db.home = nil
	db.cache, db.resident = cache.New(db.opts.CacheBytes), table.NewResident(db.opts.ResidentBytes)
	if err := errors.Join(file.letGo(), file.Close()); err != nil {
		return nil, openError(path, errors.Join(err, db.Close()))
	}
	return db, nil
}

// absorb replaces what a stripe holds by one memtable of it.
func (db *DB) absorb(s *stripe) error {
	m := memtable.New()
	var grown int64
	err := s.each(func(e base.Entry, _ bool) error {
		grown += m.Insert(e, false, 0)
		return nil
	})
	if err != nil {
		return err
	}
	old := s.tables
	grown -= s.active.Bytes()
	for _, f := range s.frozen {
		grown -= f.Bytes()
	}
	s.active, s.frozen, s.tables = m, nil, newVersion(version{}.levels, merge.Dead{})
	db.memBytes.Add(grown)
	db.release(old)
	return nil
}
