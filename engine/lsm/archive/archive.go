// Package archive is where a database's log and its base backups are kept beside the database: a folder,
// or whatever implements Store.
//
// The names of objects are paths with slashes, of letters, digits, '-' and '/':
//
//	TIMELINE/base/LSN-MILLIS/PART   a piece of a backup; PART "done" comes last and completes it
//	TIMELINE/log/FIRST-LAST-LSN     groups of the log, by their numbers, and the last LSN in them
//	TIMELINE/covered                up to when the log is all that there is
//
// Numbers are of 16 hexadecimal digits, MILLIS is the time since 1970 in 13 decimal ones. What is in the
// objects stands in engine/lsm/FORMAT.md. A database deletes nothing; lsm.PruneArchive does.
package archive

import (
	"context"
	"io"
)

// Store keeps objects under names. Objects are never changed, but those that are put with Replace. Its
// methods may be called concurrently.
type Store interface {
	// Put stores all of body, durably and as a whole, or returns an error. Without replace it fails with
	// fs.ErrExist when the name is taken, as far as the store can tell.
	Put(ctx context.Context, name string, body io.ReadSeeker, replace bool) error
	// Get opens an object; fs.ErrNotExist when there is none.
	Get(ctx context.Context, name string) (io.ReadCloser, error)
	// List returns the names that begin with prefix and come after the name after, sorted.
	List(ctx context.Context, prefix, after string) ([]string, error)
	// Sizes returns the bytes of all objects whose names begin with prefix.
	Sizes(ctx context.Context, prefix string) (map[string]int64, error)
	// Delete removes objects, durably and in any order; those that are not there are no error. After an
	// error some may be gone.
	Delete(ctx context.Context, names ...string) error
}
