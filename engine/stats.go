package engine

import (
	"github.com/keystone-db/kstone/engine/lsm"
)

// Stats are the figures of a database at one moment, in typed groups: the regions of the file, log,
// memory and caches, tables by level and stripe, filters, background work, stalls, snapshots and
// amplification. The groups are types of package lsm, whose comments give unit and meaning of each
// figure. As JSON each group is an object; times are in nanoseconds.
type Stats struct {
	lsm.Metrics
}

// Stats tells the figures. It costs some microseconds, does no I/O and reads no items, so that it may
// be asked every second. Of a store that OpenStore was given and that is no LSM all are zero.
func (db *DB) Stats() Stats {
	if db.served.Load().file == nil {
		return Stats{}
	}
	return Stats{Metrics: db.served.Load().file.Metrics()}
}
