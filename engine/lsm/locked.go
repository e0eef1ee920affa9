package lsm

import "github.com/keystone-db/kstone/engine/lsm/internal/vfs"

// ErrLocked: another opener, of this process or another, holds the file. Open returns it wrapped.
var ErrLocked = vfs.ErrLocked
