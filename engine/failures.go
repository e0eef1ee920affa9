package engine

import (
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

// What requests fail with when it is not their fault, to be asked for with errors.Is; they stand in the error
// chain of every operation. Clients of a server see these as InternalServerError or, where nothing was done
// and another try may help, ServiceUnavailableException, with a text that says the reason.
var (
	// ErrFull: no space. What needs space is refused, and taken again by itself when there is some; reads and
	// deletes go on.
	ErrFull = storage.ErrFull
	// ErrDamaged: stored bytes do not verify. A *DamageError behind it says where in the file, if that is
	// known. kstone verify says what is lost, and kstone salvage copies the rest.
	ErrDamaged = storage.ErrCorrupt
	// ErrFailed: a write or sync of the file has failed, and nothing is written any more until it is opened
	// again. Reads go on, and what was answered is safe. It is also ErrUncertain where the write may have been
	// done, and ErrUnavailable where it certainly was not.
	ErrFailed = lsm.ErrFailed
	// ErrReadOnly: the database is open for reading only.
	ErrReadOnly = storage.ErrReadOnly
	// ErrUncertain: the write may be done or not.
	ErrUncertain = storage.ErrUncertain
	// ErrUnavailable: certainly not done.
	ErrUnavailable = storage.ErrUnavailable
	// ErrClosed: the database is closed; nothing was done. It is also ErrUnavailable.
	ErrClosed = storage.ErrClosed
)

// DamageError says what does not verify: the region of the file ("superblock", "manifest", "wal", "table" or
// "spill"), the offset in it, and the reason. errors.Is(err, ErrDamaged) holds.
type DamageError = lsm.CorruptError
