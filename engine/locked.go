package engine

import "github.com/keystone-db/kstone/engine/lsm"

// Open returns these wrapped.
var (
	// ErrLocked: another process, or this one, has the file open.
	ErrLocked = lsm.ErrLocked
	// ErrForeign: the file is no database of ours; it is left as it was.
	ErrForeign = lsm.ErrForeign
)
