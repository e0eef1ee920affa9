package lsm

import (
	"cmp"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
)

const (
	// restTicks without much that is written, 30 s, are the first time at which a store comes to rest; then
	// it does after twice, four times … that long, and every restTicksMax, 10 minutes.
	restTicks    = 600
	restTicksMax = 12_000
	// restNoiseBytes of keys and values between two rests do not disturb them: what is above writes the
	// time and its leases now and then.
	restNoiseBytes = 4 << 10
	// settleTicks pass between two looks whether compaction has done what it can, and settleTicksMax, two
	// minutes, at most before the file is made smaller all the same.
	settleTicks    = 10
	settleTicksMax = 2400
	// restShare: at rest the log takes no more than a restShare-th of what the tables take. It grows
	// again within a few laps.
	restShare = 2
	// restMovesMax bounds the parts that are moved between two ticks.
	restMovesMax = 4
	// moveShare: tables are moved when a moveShare-th of the file is free beside the reserve, so that no
	// more than three times what is given back is written.
	moveShare = 4
)

// closeHolesMax bounds the holes that are punched before a file is closed: less than a tenth of a
// second.
const closeHolesMax = 256

// quiet is how long little has been written, and how far the store is in coming to rest. It belongs to
// the flusher.
type quiet struct {
	groups uint64 // of the log at the last tick
	still  int    // ticks since a group was written
	ticks  int    // since more than restNoiseBytes were written
	taken  int64  // wal.taken when ticks began, or at the last rest
	next   int    // ticks at which the store comes to rest
	stage  restStage
	// flushed is wal.taken when all memtables were last flushed for a rest.
	flushed int64
	settle  int   // ticks at which settling began
	moves   int64 // bytes that this rest may still move
}

// restStage is what coming to rest does next.
type restStage uint8

const (
	restFlush  restStage = iota // tombstones and what they delete meet in tables only
	restSettle                  // compaction drops both
	restShrink                  // the end of the file moves to the front, and is cut off
)

func newQuiet() *quiet { return &quiet{next: restTicks, flushed: -restNoiseBytes - 1} }

// tickRest brings a store to which little is written to rest, a step at a time: writers are not kept
// waiting, and end it.
func (db *DB) tickRest(q *quiet) error {
	taken := db.wal.taken.Load()
	if taken-q.taken > restNoiseBytes {
		q.taken, q.ticks, q.next, q.stage = taken, 0, restTicks, restFlush
		db.compact.resting.Store(false)
		return nil
	}
	q.ticks++
	if q.ticks < q.next {
		return nil
	}
	more, err := db.restStep(q, taken)
	if err != nil || !more {
		q.stage, q.taken = restFlush, taken
		q.next = q.ticks + min(q.ticks, restTicksMax)
	}
	return err
}

// restStep does what is next; false when the store is at rest.
func (db *DB) restStep(q *quiet, taken int64) (more bool, err error) {
	switch q.stage {
	case restFlush:
		db.compact.resting.Store(true)
		if taken-q.flushed > restNoiseBytes {
			if err := db.pass(passAll); err != nil {
				return false, err
			}
			q.flushed = taken
		}
		q.stage, q.settle = restSettle, q.ticks
	case restSettle:
		waited := q.ticks - q.settle
		if waited%settleTicks == 0 && db.settled() || waited >= settleTicksMax {
			q.stage, q.moves = restShrink, db.tableBytes()
		}
	case restShrink:
		return db.rest(&q.moves)
	}
	return true, nil
}

// settled says that compaction has nothing to do in a store at rest.
func (db *DB) settled() bool {
	db.man.mu.Lock()
	dead := len(db.man.state.Dead)
	db.man.mu.Unlock()
	return dead == 0 && db.Settled(true)
}

// rest gives back what a store that is written to keeps: spare segments of the log, and the end of the
// file, from where log, manifest and tables move away, the latter at most so many bytes. False when
// there is no more to move. The flusher calls it.
func (db *DB) rest(moves *int64) (more bool, err error) {
	if err := db.shrinkRing(); err != nil {
		return false, err
	}
	more = true
	for i := 0; i < restMovesMax && more; i++ {
		if more, err = db.moveFromEnd(moves); err != nil {
			return false, err
		}
	}
	return more, db.heap.cutTail(growStepMinBytes)
}

// leaveSmall makes a file that is about to be closed smaller, as far as that is quickly done. The log
// is empty. An error has cost nothing but space, unless it is that of the manifest too.
func (db *DB) leaveSmall() error {
	err := db.shrinkRing()
	if err == nil {
		err = db.heap.cutTail(growStepMinBytes)
	}
	db.heap.mu.Lock()
	freed := db.heap.freed
	db.heap.mu.Unlock()
	for _, least := range []int64{space.HoleMinBytes, space.HoleQuietBytes} {
		if err == nil && freed {
			err = db.heap.tidy(closeHolesMax/2, least)
		}
	}
	return err
}

// shrinkRing drops spare segments down to what a store at rest has, those at the end of the file
// first.
func (db *DB) shrinkRing() error {
	tables := db.tableBytes()
	w := &db.wal
	w.mu.Lock()
	var ring int64
	for _, s := range slices.Concat(w.live, w.free) {
		ring += s.Extent.Length
	}
	sortSegments(w.free)
	n := 0
	for n < len(w.free)-1 && ring > tables/restShare {
		n++
		ring -= w.free[len(w.free)-n].Extent.Length
	}
	w.mu.Unlock()
	return db.dropSegments(n)
}

// tableBytes is the space that all tables take.
func (db *DB) tableBytes() (n int64) {
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		for _, level := range s.tables.levels {
			for _, t := range level {
				n += t.extent().Length
			}
		}
		s.mu.RUnlock()
	}
	return n
}

// sortSegments puts those at the beginning of the file first.
func sortSegments(list []*segment) {
	slices.SortFunc(list, func(a, b *segment) int { return cmp.Compare(a.Extent.Offset, b.Extent.Offset) })
}

// moveFromEnd moves what the used part of the file ends with, a segment of the log, the manifest or a
// table, to free space before it, so that the end comes nearer; false when that is something else or
// there is no such space.
func (db *DB) moveFromEnd(moves *int64) (moved bool, err error) {
	db.heap.mu.Lock()
	end := db.heap.space.UsedEnd()
	segmentTo, segmentFits := db.heap.space.Fits(db.opts.SegmentBytes, spareAll.bytes(end))
	db.heap.mu.Unlock()
	w := &db.wal
	w.mu.Lock()
	i := slices.IndexFunc(slices.Concat(w.live, w.free), func(s *segment) bool { return s.Extent.End() == end })
	w.mu.Unlock()
	if i >= 0 {
		if !segmentFits || segmentTo >= end-db.opts.SegmentBytes {
			return false, nil
		}
		return db.replaceSegment(end)
	}
	if moved, err := db.moveManifest(end); moved || err != nil {
		return moved, err
	}
	return db.moveTable(end, moves)
}

// moveManifest begins a new manifest when the old one has an extent that ends at an offset.
func (db *DB) moveManifest(end int64) (moved bool, err error) {
	c := &db.man
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil || !slices.ContainsFunc(c.extents, func(e log.Extent) bool { return e.End() == end }) {
		return false, nil
	}
	db.heap.mu.Lock()
	to, fits := db.heap.space.Fits(manifestExtentBytes, spareAll.bytes(end))
	db.heap.mu.Unlock()
	if !fits || to >= end-manifestExtentBytes {
		return false, nil
	}
	if err := db.switchManifest(); isFull(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// replaceSegment adds a segment and drops the one that ends at an offset, from which the log moves on
// if it is there.
func (db *DB) replaceSegment(end int64) (done bool, err error) {
	w := &db.wal
	w.mu.Lock()
	count := len(w.live) + len(w.free)
	w.mu.Unlock()
	if err := db.addSegments(1); err != nil {
		return false, err
	}
	w.mu.Lock()
	added := len(w.live)+len(w.free) > count
	// The new one is the next, and the one to go is the last.
	sortSegments(w.free)
	isLive := slices.ContainsFunc(w.live, func(s *segment) bool { return s.Extent.End() == end })
	w.mu.Unlock()
	if !added {
		return false, nil // the disk is full
	}
	if isLive {
		if moved, err := db.moveLogOn(); err != nil || !moved {
			return false, err
		}
		w.mu.Lock()
		sortSegments(w.free)
		w.mu.Unlock()
	}
	return true, db.dropSegment()
}

// moveLogOn lets an empty log go on in its first free segment, with its tail; false when it is not
// empty or somebody writes.
func (db *DB) moveLogOn() (bool, error) {
	db.passMu.Lock()
	defer db.passMu.Unlock()
	if !db.wal.moveOn() {
		return false, nil
	}
	visible := db.wal.visibleLSN()
	tail, at := db.newTail(visible, nil)
	if tail != visible+1 {
		return false, nil
	}
	if err := db.wal.syncThrough(visible); err != nil {
		return false, err
	}
	return true, db.recordPass(nil, nil, tail, at)
}
