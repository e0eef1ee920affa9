package lsm

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Open returns these wrapped.
var (
	// ErrLocked: another opener, of this process or another, holds the file.
	ErrLocked = vfs.ErrLocked
	// ErrForeign: the file is no database of ours.
	ErrForeign = superblock.ErrForeign
	// ErrKeyNeeded: the file is encrypted, and Options.EncryptionKey is nil.
	ErrKeyNeeded = superblock.ErrKeyNeeded
	// ErrWrongKey: the file is encrypted with another key. Nothing was read or written with this one.
	ErrWrongKey = superblock.ErrWrongKey
	// ErrNotEncrypted: there is a key, and the file is not encrypted.
	ErrNotEncrypted = superblock.ErrNotEncrypted
)
