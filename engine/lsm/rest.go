package lsm

import (
	"cmp"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
)

const (
	// restTicks without a group of the log, 30 s, are the first time at which a store is at rest; then
	// it is after twice, four times … that long.
	restTicks = 600
	// restShare: at rest the log takes no more than a restShare-th of what the tables take. It grows
	// again within a few laps.
	restShare = 2
	// restMovesMax bounds the segments and manifests that are moved at one time.
	restMovesMax = 4
)

// closeHolesMax bounds the holes that are punched before a file is closed: less than a tenth of a
// second.
const closeHolesMax = 256

// rest gives back what a store that is written to keeps: spare segments of the log, and the end of the
// file, from where the log and the manifest move away. The flusher calls it.
func (db *DB) rest() error {
	if err := db.shrinkRing(); err != nil {
		return err
	}
	for range restMovesMax {
		moved, err := db.moveFromEnd()
		if err != nil {
			return err
		}
		if !moved {
			break
		}
	}
	return db.heap.cutTail(growStepMinBytes)
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
	var tables int64
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		for l := range s.tables.levels {
			tables += s.tables.levelBytes(l)
		}
		s.mu.RUnlock()
	}
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

// sortSegments puts those at the beginning of the file first.
func sortSegments(list []*segment) {
	slices.SortFunc(list, func(a, b *segment) int { return cmp.Compare(a.Extent.Offset, b.Extent.Offset) })
}

// moveFromEnd moves what the used part of the file ends with, a segment of the log or the manifest, to
// free space before it; false when that is something else or there is no such space.
func (db *DB) moveFromEnd() (moved bool, err error) {
	db.heap.mu.Lock()
	end := db.heap.space.UsedEnd()
	segmentTo, segmentFits := db.heap.space.Fits(db.opts.SegmentBytes, spareAll.bytes(end))
	manifestTo, manifestFits := db.heap.space.Fits(manifestExtentBytes, spareAll.bytes(end))
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
	c := &db.man
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil || !manifestFits || manifestTo >= end-manifestExtentBytes ||
		!slices.ContainsFunc(c.extents, func(e log.Extent) bool { return e.End() == end }) {
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
