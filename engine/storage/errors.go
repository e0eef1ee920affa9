package storage

import (
	"errors"
	"fmt"
)

// The closed list of storage errors, asked for with errors.Is.
var (
	// ErrConflict: nothing was applied. The *ConflictError behind it says which key.
	ErrConflict = errors.New("storage: conflict")
	// ErrUncertain: the update may or may not be applied; storage never retries it.
	ErrUncertain = errors.New("storage: outcome uncertain")
	// ErrUnavailable: certainly not applied.
	ErrUnavailable error = unavailable{}
	// ErrTooLarge: the encoded batch exceeds MaxUpdate, or a key or value its limit; nothing written.
	ErrTooLarge = errors.New("storage: too large")
	// ErrSnapshotGone: the snapshot was held too long.
	ErrSnapshotGone = errors.New("storage: snapshot is gone")
	// ErrReadOnly: the store was opened for reading.
	ErrReadOnly error = readOnly{}
	// ErrFull: no space; deletes may still work.
	ErrFull error = full{}
	// ErrCorrupt: bytes on disk do not verify. The text names region and offset.
	ErrCorrupt error = corrupt{}
	// ErrClosed: the store was closed; nothing applied. It also is ErrUnavailable.
	ErrClosed = fmt.Errorf("%w: closed", ErrUnavailable)
)

// These say by a method what they are, or what a client may know of them, for doors that do not know
// storage (api.CodeOf, api.Shown).
type (
	unavailable struct{}
	corrupt     struct{}
	readOnly    struct{}
	full        struct{}
)

func (unavailable) Error() string     { return "storage: unavailable" }
func (unavailable) Unavailable() bool { return true }
func (corrupt) Error() string         { return "storage: corrupt" }
func (corrupt) DataLoss() bool        { return true }
func (corrupt) ClientText() string    { return "Stored data are damaged" }
func (readOnly) Error() string        { return "storage: read-only" }
func (readOnly) ClientText() string   { return "The database is open for reading only" }
func (full) Error() string            { return "storage: full" }
func (full) ClientText() string {
	return "The disk is full: what needs space is refused until there is some"
}

// ConflictError says which key was in the way. errors.Is(err, ErrConflict) holds.
type ConflictError struct {
	Key []byte
	// Multi: the holder is a transaction.
	Multi bool
}

func (e *ConflictError) Error() string {
	if e.Multi {
		return fmt.Sprintf("storage: conflict with a transaction on key %x", e.Key)
	}
	return fmt.Sprintf("storage: conflict on key %x", e.Key)
}

// Is makes errors.Is(err, ErrConflict) hold.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
