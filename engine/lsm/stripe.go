package lsm

import (
	"bytes"
	"slices"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
)

// stripe is 1/256 of the keys. Readers hold the lock for microseconds and never during I/O.
type stripe struct {
	mu     stripeLock
	active *memtable.Memtable
	frozen []*memtable.Memtable // newest first; nobody inserts into them
	tables *version
	since  int64 // of the first write into active, in nanoseconds of the clock
	graves graves

	l0    atomic.Int32 // tables of level 0, for the gate
	asked atomic.Int64 // reads that may have asked level 0 since it was compacted
	_     [32]byte     // keeps neighbours off a busy lock's cache line
}

// newestLocked returns the newest version of a key in the memtables at or below maxLSN.
func (s *stripe) newestLocked(key []byte, maxLSN base.LSN) *memtable.Version {
	if v := s.active.Get(key, maxLSN); v != nil {
		return v
	}
	for _, m := range s.frozen {
		if v := m.Get(key, maxLSN); v != nil {
			return v
		}
	}
	return nil
}

// insert adds one entry and returns by how much the memtable grew.
func (db *DB) insert(e base.Entry, multi bool, horizon base.LSN) int64 {
	s := &db.stripes[base.StripeOf(e.Key)]
	s.mu.Lock()
	if s.active.Empty() {
		s.since = db.clock()
	}
	grown := s.active.Insert(e, multi, horizon)
	if db.opts.InMemory && s.tables.count == 0 && len(s.frozen) == 0 {
		grown += s.bury(e, horizon)
	}
	s.mu.Unlock()
	return grown
}

// graves are the tombstones of a stripe in memory, where no flush or compaction drops them, in the
// order of their coming. Most are dropped soon. A fork of a file has none: its tombstones stand over
// values in tables.
type graves struct {
	list []grave
	next int // list[:next] are dealt with
	// shared with forks: what is in the list is not changed, others stand behind it in a copy.
	shared bool
}

// share returns the graves for a fork.
func (g *graves) share() graves {
	if g.next == len(g.list) {
		return graves{}
	}
	g.shared = true
	return graves{list: g.list[g.next:len(g.list):len(g.list)], shared: true}
}

type grave struct {
	key []byte
	lsn base.LSN
}

// burials are how many old tombstones one write drops at most: more than it brings.
const burials = 2

// bury notes a tombstone, and drops those of old that everybody sees by now.
func (s *stripe) bury(e base.Entry, horizon base.LSN) (grown int64) {
	g := &s.graves
	if e.Kind == base.KindTombstone {
		g.list = append(g.list, grave{key: bytes.Clone(e.Key), lsn: e.LSN})
	}
	for range burials {
		if g.next == len(g.list) || g.list[g.next].lsn > horizon {
			break
		}
		grown += s.active.Bury(g.list[g.next].key, horizon)
		if !g.shared {
			g.list[g.next] = grave{}
		}
		g.next++
	}
	switch {
	case g.next*2 < len(g.list):
	case g.shared:
		*g = graves{list: slices.Clone(g.list[g.next:])}
	default:
		g.list = slices.Delete(g.list, 0, g.next)
		g.next = 0
	}
	return grown
}
