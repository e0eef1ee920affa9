package lsm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// RestoreOptions of a restored database.
type RestoreOptions struct {
	// FS, Rand and SegmentBytes as in Options.
	FS           vfs.FS
	Rand         io.Reader
	SegmentBytes int64
	// EncryptionKey opens encrypted backups, and later the restored database. It is enough that it opens
	// one of a chain, the others may be older than the last rekey.
	EncryptionKey []byte
	watch         func(crypt.Use) // set by tests of this package only
	// Overwrite replaces an existing file, unless somebody has it open.
	Overwrite bool
	// Progress, if not nil, is told after each table how many bytes are done of how many in all.
	Progress func(done, total int64)
}

// RestoreBackups makes a database at path of a full backup and the incremental ones that were made after
// it, each with the one before as its base, and verifies every byte on the way. The new database has a
// timeline of its own. Nothing is left under its name after an error.
func RestoreBackups(ctx context.Context, path string, chain []string, opts RestoreOptions) (CopyInfo, error) {
	o := Options{FS: opts.FS, Rand: opts.Rand, SegmentBytes: opts.SegmentBytes}.withDefaults()
	opts.FS, opts.Rand, opts.SegmentBytes = o.FS, o.Rand, o.SegmentBytes
	info, err := restoreBackups(ctx, path, chain, opts)
	if err != nil {
		return CopyInfo{}, fmt.Errorf("restore %s: %w", path, asFull(err))
	}
	return info, nil
}

func restoreBackups(ctx context.Context, path string, chain []string, opts RestoreOptions) (CopyInfo, error) {
	if len(chain) == 0 {
		return CopyInfo{}, errors.New("no backup to restore")
	}
	key, err := keyOfChain(opts.FS, chain, opts.EncryptionKey)
	if err != nil {
		return CopyInfo{}, err
	}
	defer key.Keys.Clear()
	if key.Keys != nil && opts.watch != nil {
		key.Keys.Watch(opts.watch)
	}
	var files []*copyFile
	defer func() {
		for _, c := range files {
			c.close()
		}
	}()
	for i, name := range chain {
		c, err := openCopy(opts.FS, name, key.unlock)
		if err != nil {
			return CopyInfo{}, fmt.Errorf("backup %s: %w", name, err)
		}
		files = append(files, c)
		if err := follows(files, i); err != nil {
			return CopyInfo{}, fmt.Errorf("backup %s: %w", name, err)
		}
	}
	place, err := newfile.Open(opts.FS, path, opts.Overwrite)
	if err != nil {
		return CopyInfo{}, err
	}
	info, err := joinCopies(ctx, place, files, key, opts)
	if err != nil {
		place.Abandon()
		return CopyInfo{}, err
	}
	return info, place.Commit()
}

// chainKey is the superblock, if there is one, that the user's key opens; zero for plain files.
type chainKey struct {
	superblock.Superblock
	path string
}

// keyOfChain finds it. A chain is of one timeline, and that has one data key, which may be wrapped by
// different keys in different files.
func keyOfChain(fsys vfs.FS, chain []string, user []byte) (key chainKey, err error) {
	for _, name := range chain {
		s, e := readSuper(fsys, name)
		if e != nil {
			return chainKey{}, fmt.Errorf("backup %s: %w", name, e)
		}
		if e = s.Unlock(user); e == nil && s.Encrypted() {
			return chainKey{s, name}, nil
		}
		if e != nil && err == nil {
			err = fmt.Errorf("backup %s: %w", name, e)
		}
	}
	return chainKey{}, err
}

// readSuper reads the superblock of a file.
func readSuper(fsys vfs.FS, path string) (superblock.Superblock, error) {
	f, err := fsys.Open(path, vfs.OpenOptions{Role: vfs.Log, ReadOnly: true, AlignMax: vfs.AlignMaxBytes})
	if err != nil {
		return superblock.Superblock{}, err
	}
	copies, err := superblock.Read(f)
	return copies.Newest, errors.Join(err, f.Close())
}

// unlock gives a backup of the chain its keys.
func (k chainKey) unlock(c *copyFile) error {
	switch {
	case k.Keys == nil && !c.super.Encrypted():
		return nil
	case k.Keys == nil:
		return ErrKeyNeeded
	case !c.super.Encrypted():
		return ErrNotEncrypted
	case c.super.Database != k.Database:
		return fmt.Errorf("%w than %s", errOtherDatabase, k.path)
	}
	c.super.Keys = k.Keys
	return nil
}

// follows says whether the i-th backup of a chain stands rightly behind the one before.
func follows(files []*copyFile, i int) error {
	c := files[i]
	if err := c.unchanged(); err != nil {
		return err
	}
	if i == 0 {
		if c.super.Origin.Incremental() {
			return fmt.Errorf("it is incremental: its base, timeline %s, must come before it", hexID(c.super.Origin.Base))
		}
		return nil
	}
	before := files[i-1]
	switch {
	case !c.super.Origin.Incremental():
		return fmt.Errorf("it is a full backup and needs nothing before it: leave out %s", before.path)
	case c.super.Database != before.super.Database:
		return fmt.Errorf("%w than %s", errOtherDatabase, before.path)
	case c.super.Origin.Base != before.super.Timeline:
		return fmt.Errorf("its base is the backup with timeline %s, and %s has %s",
			hexID(c.super.Origin.Base), before.path, hexID(before.super.Timeline))
	}
	return nil
}

// found is a table and the file that has it.
type found struct {
	manifest.Table
	in *copyFile
}

// locate finds the tables of the last backup, in the order of the files.
func locate(files []*copyFile) ([]found, error) {
	last := files[len(files)-1]
	var tables []found
	for _, t := range last.state.Tables {
		f, ok := find(files, t)
		if !ok {
			return nil, &base.CorruptError{
				Region: "manifest", Offset: last.super.ManifestFirst.Offset,
				Reason: fmt.Sprintf("table %v is in none of the backups", t.Meta.Num),
			}
		}
		tables = append(tables, f)
	}
	slices.SortFunc(tables, func(a, b found) int {
		return cmp.Or(cmp.Compare(slices.Index(files, a.in), slices.Index(files, b.in)), cmp.Compare(a.Offset, b.Offset))
	})
	return tables, nil
}

func find(files []*copyFile, t manifest.Table) (found, bool) {
	for _, c := range slices.Backward(files) {
		if own, ok := c.state.Tables[t.Meta.Num]; ok && own.Offset != 0 && c.has(t) {
			t.Offset = own.Offset
			return found{t, c}, true
		}
	}
	return found{}, false
}

// joinCopies writes the state of the last backup.
func joinCopies(
	ctx context.Context, place *newfile.Place, files []*copyFile, key chainKey, opts RestoreOptions,
) (CopyInfo, error) {
	tables, err := locate(files)
	if err != nil {
		return CopyInfo{}, err
	}
	align, err := place.Align()
	if err != nil {
		return CopyInfo{}, err
	}
	last := files[len(files)-1]
	origin := *last.super.Origin
	origin.Base = [16]byte{}
	f, err := newfile.New(place.File(), newfile.Options{
		Database: last.super.Database, WrappedKey: key.WrappedKey, Keys: key.Keys, Epoch: last.super.Epoch, Origin: &origin,
		Align: align, SegmentBytes: opts.SegmentBytes, NextObject: numbersFrom(last.super.Epoch, restoreNumbers),
		Rand: opts.Rand, Check: true,
	})
	if err != nil {
		return CopyInfo{}, err
	}
	if err := copyFound(ctx, f, tables, opts.Progress); err != nil {
		return CopyInfo{}, err
	}
	if err := errors.Join(f.Dead(last.state.Dead), f.Finish(ctx, origin.LSN)); err != nil {
		return CopyInfo{}, err
	}
	return CopyInfo{
		Timeline: hexID(f.Timeline()), Origin: hexID(origin.Timeline), LSN: uint64(origin.LSN),
		Tables: len(tables), Bytes: f.Bytes(),
	}, nil
}

func copyFound(ctx context.Context, f *newfile.File, tables []found, progress func(done, total int64)) error {
	var total, done int64
	for _, t := range tables {
		total += t.Meta.Length
	}
	for _, t := range tables {
		if err := f.Copy(ctx, t.in.file, t.Table); err != nil {
			return fmt.Errorf("%s: %w", t.in.path, err)
		}
		done += t.Meta.Length
		if progress != nil {
			progress(done, total)
		}
	}
	return nil
}
