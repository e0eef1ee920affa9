package lsm

import (
	"bytes"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
)

// stripe is 1/256 of the keys. Readers hold the lock for microseconds and never during I/O.
type stripe struct {
	mu     sync.RWMutex
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

// snapshots are the registered ones.
type snapshots struct {
	mu sync.Mutex
	// pins in the order in which they were registered, which is that of their LSNs, too: visible only
	// grows. There are few: one for each LSN and owner.
	pins   []pinned
	oldest atomic.Uint64 // the LSN of the first pin, noPin without any
}

// pin is one LSN that snapshots of one owner hold. Owners are told apart, since on a quiet database
// all snapshots have the same LSN: a forgotten one would hide behind the pages that come and go.
type pin struct {
	lsn   base.LSN
	owner string
}

// pinned is what is known of a pin.
type pinned struct {
	pin
	count  int
	since  int64 // nanoseconds of the clock
	warned bool
}

const noPin = ^uint64(0)

// horizon is the lower of visible, read first, and all registered snapshots: the only rule of
// garbage. See pin for why the order matters.
func (db *DB) horizon() base.LSN {
	visible := db.wal.visible.Load()
	return base.LSN(min(visible, db.snaps.oldest.Load()))
}

// pin registers a snapshot and returns its LSN and the pin to give back. The pin is announced
// before the snapshot's LSN is read: whoever computed a horizon without seeing it had read a
// visible that is not above the snapshot.
func (db *DB) pin(owner string) (base.LSN, pin) {
	s := &db.snaps
	s.mu.Lock()
	defer s.mu.Unlock()
	k := pin{lsn: db.wal.visibleLSN(), owner: owner}
	p := s.findLocked(k)
	if p == nil {
		s.pins = append(s.pins, pinned{pin: k, since: db.clock()})
		p = &s.pins[len(s.pins)-1]
		s.oldest.Store(uint64(s.pins[0].lsn))
	}
	p.count++
	return db.wal.visibleLSN(), k
}

func (db *DB) unpin(k pin) {
	s := &db.snaps
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.findLocked(k)
	if p.count--; p.count > 0 {
		return
	}
	s.pins = slices.DeleteFunc(s.pins, func(p pinned) bool { return p.count == 0 })
	oldest := noPin
	if len(s.pins) > 0 {
		oldest = uint64(s.pins[0].lsn)
	}
	s.oldest.Store(oldest)
}

// findLocked returns nil for what is not pinned. The newest come last, and most are short.
func (s *snapshots) findLocked(k pin) *pinned {
	for i := len(s.pins) - 1; i >= 0; i-- {
		if s.pins[i].pin == k {
			return &s.pins[i]
		}
	}
	return nil
}
