package engine

import "github.com/keystone-db/kstone/engine/lsm"

// Open returns these wrapped.
var (
	// ErrLocked: another process, or this one, has the file open.
	ErrLocked = lsm.ErrLocked
	// ErrForeign: the file is no database of ours; it is left as it was.
	ErrForeign = lsm.ErrForeign
	// ErrKeyNeeded: the file is encrypted, and Options.EncryptionKey is nil.
	ErrKeyNeeded = lsm.ErrKeyNeeded
	// ErrWrongKey: the file is encrypted with another key. Nothing was read or written with this one.
	ErrWrongKey = lsm.ErrWrongKey
	// ErrNotEncrypted: there is a key, and the file is not encrypted.
	ErrNotEncrypted = lsm.ErrNotEncrypted
)
