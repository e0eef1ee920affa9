package lsm

import (
	"errors"

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
	ErrKeyNeeded = errors.New("the file is encrypted and needs its key")
	// ErrWrongKey: the file is encrypted with another key. Nothing was read or written with this one.
	ErrWrongKey = errors.New("the file is encrypted with another key")
	// ErrNotEncrypted: there is a key, and the file is not encrypted.
	ErrNotEncrypted = errors.New("the file is not encrypted and takes no key")
)
