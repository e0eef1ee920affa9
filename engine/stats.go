package engine

import (
	"time"

	"github.com/keystone-db/kstone/engine/lsm"
)

// Stats are the figures of a database at one moment, in typed groups: the regions of the file, log,
// memory and caches, tables by level and stripe, filters, background work, stalls, snapshots and
// amplification. The groups are types of package lsm, whose comments give unit and meaning of each
// figure. As JSON each group is an object; times are in nanoseconds.
type Stats struct {
	lsm.Metrics
	// Consumers are those that this process delivers the changes of tables to, by table and name.
	Consumers []ConsumerStats `json:",omitempty"`
	// VectorBytes is about how much memory the graphs of indexes of vectors take, VectorBudget their bound.
	VectorBytes, VectorBudget int64
}

// ConsumerStats tell how far one that changes are delivered to has come: "kinesis/" and the ARN for a data
// stream.
type ConsumerStats struct {
	Table, Consumer string
	// Lag is how long ago the consumer last had all changes; zero while it has.
	Lag time.Duration
	// Passed counts the records that were delivered, Missed how often some were forgotten before.
	Passed, Missed uint64
	// Refused counts those of the delivered that the consumer would never take and were left out, since the
	// database was opened.
	Refused uint64
}

// Stats tells the figures. It costs some microseconds, does no I/O and reads no items, so that it may
// be asked every second. Of a store that OpenStore was given and that is no LSM those of the store are
// zero.
func (db *DB) Stats() Stats {
	c := db.served.Load()
	s := Stats{Consumers: c.consumerStats()}
	s.VectorBytes, s.VectorBudget = c.neighbors.Memory()
	if c.file != nil {
		s.Metrics = c.file.Metrics()
	}
	return s
}
