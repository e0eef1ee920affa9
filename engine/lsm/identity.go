package lsm

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Identity tells this database from copies that were made of it by Backup, Save or a restore, and by copying the
// closed file as long as the origin lies where it was and is not encrypted. It stays when the file is moved or encrypted anew. It is zero
// in memory.
func (db *DB) Identity() [16]byte {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	return db.super.Identity()
}

// errCopied is what is logged of a file that turns out to be a copy.
var errCopied = errors.New("lsm: the file that this one was copied from is still there")

// settle notes in a superblock where the file lies, unless it is encrypted: nobody without the key is to read the
// path. A file that was copied from where its origin still lies goes on with a timeline of its own from lsn on.
func (db *DB) settle(super *superblock.Superblock, lsn base.LSN) error {
	place, err := filepath.Abs(db.path)
	if err != nil || len(place) > superblock.PlaceMaxBytes || len(super.WrappedKey) > 0 {
		place = ""
	}
	was := super.Place
	super.Place = place
	if was == "" || was == place || vfs.Same(was, db.path) {
		return nil
	}
	other, err := readSuper(db.opts.FS, was)
	if err != nil || other.Database != super.Database || other.Timeline != super.Timeline {
		return nil //nolint:nilerror // nothing that is known lies there: this file was moved
	}
	db.log("this file goes on with a timeline of its own", fmt.Errorf("%w: %s", errCopied, was))
	return db.partFrom(super, lsn)
}

// partFrom gives a superblock a timeline of its own from lsn on.
func (db *DB) partFrom(super *superblock.Superblock, lsn base.LSN) error {
	super.Origin, super.Successor = &superblock.Origin{Timeline: super.Timeline, LSN: lsn}, [16]byte{}
	if _, err := io.ReadFull(db.opts.Rand, super.Timeline[:]); err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	return nil
}
