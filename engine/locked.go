package engine

import "github.com/keystone-db/kstone/engine/lsm"

// ErrLocked: another process, or this one, has the file open. Open returns it wrapped.
var ErrLocked = lsm.ErrLocked
