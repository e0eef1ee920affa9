package lsm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

var (
	errOtherDatabase = errors.New("it is of another database")
	errOtherTimeline = errors.New("it is a backup of another timeline: of a restored or copied file, not of this one")
	errChangedSince  = errors.New("it has been opened for writing since it was made, and is no backup any more")
	errNoCopy        = errors.New("it is a database and no backup of one")
)

// copyFile is a backup as it lies there: its superblock, its manifest and its tables.
type copyFile struct {
	path  string
	super superblock.Superblock
	state *manifest.State
	file  vfs.File
	log   vfs.File
	lock  io.Closer
}

// openCopy reads a backup. Nobody writes to it meanwhile. unlock looks at its superblock before anything
// else is read, and gives it its keys.
func openCopy(fsys vfs.FS, path string, unlock func(*copyFile) error) (*copyFile, error) {
	c := &copyFile{path: path}
	if err := c.open(fsys, unlock); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *copyFile) open(fsys vfs.FS, unlock func(*copyFile) error) (err error) {
	if c.lock, err = fsys.Lock(c.path, vfs.LockShared); err != nil {
		return err
	}
	if c.file, err = fsys.Open(c.path, vfs.OpenOptions{ReadOnly: true}); err != nil {
		return err
	}
	opts := vfs.OpenOptions{Role: vfs.Log, ReadOnly: true, AlignMax: vfs.AlignMaxBytes}
	if c.log, err = fsys.Open(c.path, opts); err != nil {
		return err
	}
	copies, err := superblock.Read(c.log)
	if err != nil {
		return err
	}
	c.super = copies.Newest
	if err := unlock(c); err != nil {
		return err
	}
	m, err := ondisk.ReadManifest(c.log, &c.super)
	if err != nil {
		return err
	}
	c.state = m.State
	return nil
}

// unchanged says whether the file is as it was made: every open for writing raises the generation.
func (c *copyFile) unchanged() error {
	switch {
	case c.super.Origin == nil:
		return errNoCopy
	case c.super.Generation != 1:
		return errChangedSince
	}
	return nil
}

// has says whether the state holds a table; none has nil.
func (c *copyFile) has(t manifest.Table) bool {
	if c == nil {
		return false
	}
	own, ok := c.state.Tables[t.Meta.Num]
	return ok && own.Meta.Digest == t.Meta.Digest && own.Meta.Length == t.Meta.Length
}

func (c *copyFile) close() {
	for _, x := range []io.Closer{c.log, c.file, c.lock} {
		if x != nil {
			_ = x.Close()
		}
	}
}

// openBase opens the base of an incremental backup of this database.
func (db *DB) openBase(path string) (*copyFile, error) {
	db.man.mu.Lock()
	super := db.super
	db.man.mu.Unlock()
	return openCopy(db.opts.FS, path, func(c *copyFile) error {
		if err := c.unchanged(); err != nil {
			return err
		}
		switch {
		case c.super.Database != db.ident:
			return errOtherDatabase
		case c.super.Origin.Timeline != super.Timeline:
			return fmt.Errorf("%w: %s, this one is %s", errOtherTimeline, hexID(c.super.Origin.Timeline), hexID(super.Timeline))
		}
		c.super.Keys = super.Keys // a timeline has one data key
		return nil
	})
}

func hexID(id [16]byte) string { return hex.EncodeToString(id[:]) }
