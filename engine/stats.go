package engine

import (
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

// Stats are the figures of a database at one moment, in typed groups: the regions of the file, log,
// memory and caches, tables by level and stripe, filters, background work, stalls, snapshots and
// amplification. The groups are types of package lsm, whose comments give unit and meaning of each
// figure. As JSON each group is an object; times are in nanoseconds.
type Stats struct {
	lsm.Metrics
	// Consumers are those that this process delivers the changes of tables to, by table and name.
	Consumers []ConsumerStats `json:",omitempty"`
	// ChangeLogs are those of tables with point-in-time recovery or a task that reads them as of a moment, by table.
	ChangeLogs []ChangeLogStats `json:",omitempty"`
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

// ChangeLogStats tell what the change log of a table takes.
type ChangeLogStats struct {
	Table string
	// Bytes of its keys and values, before they are compressed, about. What nobody needs any more is not counted.
	Bytes int64
	// SinceMs is the earliest moment that it can show, in milliseconds since 1970; zero before it is complete.
	SinceMs int64
}

// Stats tells the figures. It costs some microseconds, does no I/O and reads no items, so that it may
// be asked every second; the sizes of change logs alone are looked up, once in a minute at most. Of a store
// that OpenStore was given and that is no LSM those of the store are zero.
func (db *DB) Stats() Stats {
	c := db.served.Load()
	s := Stats{Consumers: c.consumerStats(), ChangeLogs: c.changeLogStats()}
	s.VectorBytes, s.VectorBudget = c.neighbors.Memory()
	if c.file != nil {
		s.Metrics = c.file.Metrics()
	}
	return s
}

// logsMeasuredEvery is how old the sizes of change logs may be that Stats tells.
const logsMeasuredEvery = time.Minute

// logSizes are what Stats tells of change logs.
type logSizes struct {
	mu   sync.Mutex
	at   time.Time        // guarded by mu
	list []ChangeLogStats // guarded by mu; never changed
}

// changeLogStats are those of all tables with a log. One that cannot be measured is left out.
func (db *core) changeLogStats() []ChangeLogStats {
	m, now := &db.logSizes, db.exec.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && now.Sub(m.at) < logsMeasuredEvery {
		return m.list
	}
	m.at, m.list = now, nil
	for _, name := range db.catalog.WithLog() {
		t := db.catalog.Cached(name)
		if t == nil || t.Log == nil {
			continue
		}
		s := ChangeLogStats{Table: name, SinceMs: t.Log.SinceMs}
		var err error
		for _, sub := range t.Log.Subs() {
			var of storage.Stats
			if of, err = db.store.Stats(db.background.ctx, storage.Range(key.SpaceRange(key.TableSpace(t.Table.ID), sub))); err != nil {
				break
			}
			s.Bytes += of.Bytes
		}
		if err == nil {
			m.list = append(m.list, s)
		}
	}
	return m.list
}
