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
)
