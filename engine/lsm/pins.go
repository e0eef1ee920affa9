package lsm

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// snapshots are the registered ones.
type snapshots struct {
	mu sync.Mutex
	// pins in the order in which they were registered, which is that of their LSNs, too: visible only
	// grows. There are few: one for each LSN and owner.
	pins   []*pin
	spare  []*pin
	ended  uint64        // by their limits
	oldest atomic.Uint64 // the LSN of the first pin, noPin without any
	// looked is how much had been written when the limits were looked at.
	looked atomic.Int64
}

// pin is one LSN that snapshots of one owner hold. Owners are told apart, since on a quiet database
// all snapshots have the same LSN: a forgotten one would hide behind the pages that come and go.
type pin struct {
	lsn   base.LSN
	owner string
	// gone: its time is over, and the horizon has moved on or will at once. Set before that happens, so
	// that a reader who looks at it after it has read knows whether it can rely on what it read.
	gone atomic.Bool
	keep bool // it has no limits

	// Guarded by the mutex.
	count   int
	since   int64 // nanoseconds of the clock
	written int64 // wal.taken at that time
	warned  bool
}

const (
	noPin = ^uint64(0)
	// sparePinsMax are kept to be used again.
	sparePinsMax = 16
	// joinShare: a snapshot shares the pin of an earlier one while that has used no more than
	// 1/joinShare of the time that both have.
	joinShare = 4
	// lookEveryBytes is how much is written between two looks at the limits.
	lookEveryBytes = 1 << 20
)

// horizon is the lower of visible, read first, and all registered snapshots: the only rule of
// garbage. See pin for why the order matters.
func (db *DB) horizon() base.LSN {
	visible := db.wal.visible.Load()
	return base.LSN(min(visible, db.snaps.oldest.Load()))
}

// pin registers a snapshot and returns its LSN and the pin to give back. The pin is announced
// before the snapshot's LSN is read: whoever computed a horizon without seeing it had read a
// visible that is not above the snapshot. With keep it has no limits.
func (db *DB) pin(owner string, keep bool) (base.LSN, *pin) {
	s := &db.snaps
	now := db.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	visible := db.wal.visibleLSN()
	p := s.findLocked(visible, owner, keep)
	if p == nil || db.opts.SnapshotMaxAge > 0 && now-p.since > int64(db.opts.SnapshotMaxAge)/joinShare {
		p = s.newLocked()
		p.lsn, p.owner, p.keep, p.since, p.written = visible, owner, keep, now, db.wal.taken.Load()
		s.pins = append(s.pins, p)
		s.oldest.Store(uint64(s.pins[0].lsn))
	}
	p.count++
	return db.wal.visibleLSN(), p
}

func (s *snapshots) newLocked() *pin {
	n := len(s.spare)
	if n == 0 {
		return &pin{}
	}
	p := s.spare[n-1]
	s.spare = s.spare[:n-1]
	p.warned = false
	return p
}

func (db *DB) unpin(p *pin) {
	s := &db.snaps
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.count--; p.count > 0 || p.gone.Load() {
		return
	}
	s.dropLocked(func(o *pin) bool { return o == p })
	if len(s.spare) < sparePinsMax {
		s.spare = append(s.spare, p)
	}
}

// dropLocked takes pins off the list; the horizon moves on.
func (s *snapshots) dropLocked(drop func(*pin) bool) {
	s.pins = slices.DeleteFunc(s.pins, drop)
	oldest := noPin
	if len(s.pins) > 0 {
		oldest = uint64(s.pins[0].lsn)
	}
	s.oldest.Store(oldest)
}

// findLocked returns the newest pin of an owner at an LSN; nil without one. The newest come last, and
// most are short.
func (s *snapshots) findLocked(lsn base.LSN, owner string, keep bool) *pin {
	for _, p := range slices.Backward(s.pins) {
		if p.lsn == lsn && p.owner == owner && p.keep == keep {
			return p
		}
	}
	return nil
}

// limitsSnapshots says whether snapshots have any limits.
func (db *DB) limitsSnapshots() bool {
	return db.opts.SnapshotMaxAge > 0 || db.opts.SnapshotMaxBytes > 0
}

// tendSnapshots ends old snapshots when there is one and something was written since the last look. It
// is called by every write.
func (db *DB) tendSnapshots() {
	s := &db.snaps
	if s.oldest.Load() == noPin {
		return
	}
	looked, taken := s.looked.Load(), db.wal.taken.Load()
	if taken-looked >= lookEveryBytes && s.looked.CompareAndSwap(looked, taken) && db.limitsSnapshots() {
		db.endSnapshots()
	}
}

// endSnapshots ends those that are past their limits.
func (db *DB) endSnapshots() {
	if !db.limitsSnapshots() {
		return
	}
	age, size := int64(db.opts.SnapshotMaxAge), db.opts.SnapshotMaxBytes
	now, taken := db.clock(), db.wal.taken.Load()
	var ended []*pin
	s := &db.snaps
	s.mu.Lock()
	for _, p := range s.pins {
		if !p.keep && (age > 0 && now-p.since > age || size > 0 && taken-p.written > size) {
			p.gone.Store(true)
			ended = append(ended, p)
		}
	}
	if len(ended) > 0 {
		s.ended += uint64(len(ended))
		s.dropLocked(func(p *pin) bool { return p.gone.Load() })
	}
	s.mu.Unlock()
	for _, p := range ended {
		db.log("a snapshot was open for too long and has ended: what it kept can be used again",
			snapshotError(p.owner, time.Duration(now-p.since), taken-p.written))
	}
}
