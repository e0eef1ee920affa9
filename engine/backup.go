package engine

import (
	"context"
	"errors"
	"io"

	"github.com/keystone-db/kstone/engine/lsm"
)

// BackupOptions of DB.Backup. The zero value makes a full backup as fast as the disk goes, and checks it.
type BackupOptions = lsm.BackupOptions

// CopyInfo says what a backup or a restored database is.
type CopyInfo = lsm.CopyInfo

// RestoreOptions of a restored database.
type RestoreOptions = lsm.RestoreOptions

// errNoFile: the store was not opened by Open.
var errNoFile = errors.New("engine: this database has no file that could be copied")

// Backup writes a consistent copy of the database to the file path while requests are served. The copy
// opens as a database of its own. It is whole and durable under its name, or not there at all: an error,
// a crash or the end of the context leaves nothing, and an existing file stays unless
// BackupOptions.Overwrite says otherwise. With BackupOptions.Base it is incremental: RestoreBackups makes
// a database of it and what it is based on. A database in memory has no backup.
func (db *DB) Backup(ctx context.Context, path string, opts BackupOptions) (CopyInfo, error) {
	file := db.served.Load().file
	if file == nil {
		return CopyInfo{}, errNoFile
	}
	return file.Backup(ctx, path, opts)
}

// BackupTo writes a full backup as a stream, from which ReceiveBackup makes the file: for another process or
// machine. An error after the first byte is in the stream, too. BackupOptions.Base must be empty.
func (db *DB) BackupTo(ctx context.Context, w io.Writer, opts BackupOptions) (CopyInfo, error) {
	file := db.served.Load().file
	if file == nil {
		return CopyInfo{}, errNoFile
	}
	return file.BackupTo(ctx, w, opts)
}

// ReceiveBackup makes the file of a stream of DB.BackupTo at path, or leaves nothing there. Of the options
// Overwrite and Progress count; the total is not known and 0.
func ReceiveBackup(ctx context.Context, path string, r io.Reader, opts RestoreOptions) (CopyInfo, error) {
	return lsm.ReceiveBackup(ctx, path, r, opts)
}

// RestoreBackups makes a database file at path of a full backup and the incremental ones after it, each
// based on the one before, and verifies every byte of them. Backups that do not belong together, damaged
// ones and those that were opened for writing are refused, and nothing is left at path.
func RestoreBackups(ctx context.Context, path string, backups []string, opts RestoreOptions) (CopyInfo, error) {
	return lsm.RestoreBackups(ctx, path, backups, opts)
}
