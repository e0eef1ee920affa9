package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/lsm/archive"
)

// Archive keeps the log of a database and base backups to replay it on: a folder, or whatever else
// implements it.
type Archive = archive.Store

// ArchiveStatus says how far the archive of a database is.
type ArchiveStatus = lsm.ArchiveStatus

// PointInTime says up to where an archive is replayed. The zero value takes all that is there.
type PointInTime = lsm.PointInTime

// Restored says what a restore from an archive has come to.
type Restored = lsm.Restored

// OpenArchive opens an archive in a folder, which is made if it is not there; the one above it must be.
func OpenArchive(dir string) (Archive, error) { return archive.OpenDir(dir, true) }

// OpenExistingArchive opens an archive in a folder to restore from it; fs.ErrNotExist when there is none.
func OpenExistingArchive(dir string) (Archive, error) { return archive.OpenDir(dir, false) }

// ArchiveStatus says how far the archive of Options.Archive is; the zero value without one.
func (db *DB) ArchiveStatus() ArchiveStatus {
	if file := db.served.Load().file; file != nil {
		return file.ArchiveStatus()
	}
	return ArchiveStatus{}
}

// RestoreArchive makes a database file at path of an archive: its newest base backup that is not later
// than the point, and the log up to it. Every byte is verified on the way. What is missing on the way to
// the point is an error that names it, and nothing is left at path then. The archive stays as it is, and
// can be restored from again.
func RestoreArchive(
	ctx context.Context, path string, from Archive, to PointInTime, opts RestoreOptions,
) (Restored, error) {
	return lsm.RestoreArchive(ctx, path, from, to, opts)
}

// ArchiveTimeline is one history of a database in an archive, with its base backups (ArchiveBase) and what can
// be restored of it (ArchiveSpan).
type ArchiveTimeline = lsm.ArchiveTimeline

// ArchiveBase is a base backup of an archive.
type ArchiveBase = lsm.ArchiveBase

// ArchiveSpan is a part of a timeline every moment of which can be restored.
type ArchiveSpan = lsm.ArchiveSpan

// ArchiveSize is how many objects and bytes there are.
type ArchiveSize = lsm.ArchiveSize

// PruneOptions say what leaves an archive.
type PruneOptions = lsm.PruneOptions

// Pruned says what has left a timeline of an archive.
type Pruned = lsm.Pruned

// ListArchive says what an archive has, timeline by timeline. It reads names, and some small objects. The
// archive may be in use.
func ListArchive(ctx context.Context, from Archive) ([]ArchiveTimeline, error) {
	return lsm.ListArchive(ctx, from)
}

// PruneArchive deletes the base backups before the newest one that is not later than a moment, and the log
// before that. Everything from that moment on stays as restorable as it was, also when this is interrupted
// or killed; the next call ends the work. A database may go on writing to the archive meanwhile.
func PruneArchive(ctx context.Context, from Archive, opts PruneOptions) ([]Pruned, error) {
	return lsm.PruneArchive(ctx, from, opts)
}
