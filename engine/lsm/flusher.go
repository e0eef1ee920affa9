package lsm

import (
	"errors"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// start begins the background work.
func (db *DB) start() {
	db.startArchive()
	if db.opts.manual || db.opts.InMemory || db.opts.ReadOnly {
		return
	}
	db.background.Go(func() {
		db.flushLoop()
	})
	db.startCompaction()
	db.startScrub()
	if db.opts.Sync == SyncInterval {
		db.background.Go(func() {
			db.syncLoop()
		})
	}
}

// syncLoop syncs the log in the mode interval.
func (db *DB) syncLoop() {
	ticker := time.NewTicker(db.opts.SyncInterval)
	defer ticker.Stop()
	for {
		select {
		case <-db.stopped.Done():
			return
		case <-ticker.C:
			// A failure poisons, which tells everybody.
			_ = db.wal.syncThrough(db.wal.visibleLSN())
		}
	}
}

// flushLoop is the one flusher.
func (db *DB) flushLoop() {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	var ticks int64
	rest := newQuiet()
	var failedAt int64
	var failure error
	for {
		select {
		case <-db.stopped.Done():
			return
		case <-db.wakeup:
		case <-ticker.C:
			ticks++
			db.ticks.Add(int64(tickEvery))
			db.tick(ticks, rest)
		}
		if failure != nil && ticks-failedAt < int64(retryEvery/tickEvery) {
			db.setPressure(failure) // the log goes on filling up
			continue
		}
		if failure = db.tend(); failure != nil {
			failedAt = ticks
			if !errors.Is(failure, errStillFull) {
				db.log("a flush failed", failure)
			}
		}
	}
}

// tick closes off an idle log and gives free space back.
func (db *DB) tick(ticks int64, q *quiet) {
	w := &db.wal
	if w.groupCount() == q.groups {
		q.still++
		w.idle()
	} else {
		q.still = 0
	}
	db.compact.calm.Store(q.still >= calmTicks)
	if q.still >= calmTicks {
		db.giveBack()
	}
	least := int64(space.HoleMinBytes)
	if q.still >= quietTicks {
		least = space.HoleQuietBytes
	}
	if err := db.heap.tidy(holesEachTick, least); err != nil {
		db.log("a hole was not punched", err)
	}
	if err := db.tickRest(q); err != nil {
		db.log("a file at rest was not made smaller", err)
	}
	q.groups = w.groupCount()
	if ticks%ageEveryTicks == 0 {
		db.endSnapshots()
		db.warnOfSnapshots()
		if err := db.heap.cutTail(cutTailMinBytes); err != nil {
			db.log("the end of the file was not cut", err)
		}
		if err := db.pass(passAge); err != nil {
			db.log("a flush failed", err)
		}
	}
}

// tend makes the passes that memory and log ask for, and keeps the ring in shape.
func (db *DB) tend() error {
	w := &db.wal
	for {
		if db.stopped.Err() != nil {
			return nil
		}
		if db.counterNearEnd() {
			if err := db.renewEpoch(); err != nil {
				return err
			}
		}
		if w.full.Load() && !db.findSpace() {
			if given, err := db.giveUpSegments(); err != nil {
				return err
			} else if !given {
				return db.tendFull()
			}
		}
		kind, needed := db.neededPass()
		if !needed {
			db.setPressure(nil)
			return db.tendRing()
		}
		if kind != passBudget && db.growsRing() {
			continue
		}
		passes := db.figures.passes.Load()
		err := db.pass(kind)
		if isFull(err) {
			if room, failed := db.makeRoom(); failed != nil {
				return failed
			} else if room {
				continue
			}
		}
		db.setPressure(err)
		if err != nil {
			return err
		}
		if db.figures.passes.Load() == passes {
			// The bytes belong to batches that are not inserted yet: they wake us when they are.
			return db.tendRing()
		}
		if err := db.tendRing(); err != nil {
			return err
		}
		w.mu.Lock()
		w.cond.Broadcast()
		w.mu.Unlock()
	}
}

// neededPass says which pass is due. While a writer waits for room passes are repeated as long as
// the tail is below visible + 1.
func (db *DB) neededPass() (passKind, bool) {
	use, total, waiting := db.ringUse()
	w := &db.wal
	w.mu.Lock()
	forMemory := w.waitingMem
	waiting = waiting && w.waiting > forMemory
	w.mu.Unlock()
	if total > 0 && db.tailMoves() {
		switch {
		case waiting:
			return passLog, true
		case use > total/2:
			return passTail, true
		}
	}
	return passBudget, forMemory > 0 || db.memBytes.Load() > db.opts.MemtableBytes
}

// tailMoves says whether a pass could move the tail of the log.
func (db *DB) tailMoves() bool {
	tail := db.tailLSN()
	return tail <= db.wal.visibleLSN() && tail < db.archiver.holdLSN()
}

// ringUse counts the bytes of segments that are not free, spills included, against all.
func (db *DB) ringUse() (use, total int64, waiting bool) {
	w := &db.wal
	w.mu.Lock()
	for _, s := range w.live {
		if s != w.current {
			use += s.Extent.Length
		}
		total += s.Extent.Length
	}
	if w.current != nil {
		use += w.pos - w.current.Extent.Offset
	}
	for _, s := range w.free {
		total += s.Extent.Length
	}
	waiting = w.waiting > 0
	w.mu.Unlock()
	if spilled := db.spillBytes(); spilled > max(total, db.opts.LogBytes)/2 {
		use += spilled
	}
	return use, total, waiting
}

// setPressure tells the gate how close memory and log are to their ends. The store becomes full when
// flushes fail for space while the log passes three quarters, or the memtables their budget; it stays
// so until they go well.
func (db *DB) setPressure(err error) {
	use, total, _ := db.ringUse()
	memory := db.memBytes.Load()
	pressed := use*4 > total*3 || memory > db.opts.MemtableBytes*5/4
	w := &db.wal
	w.mu.Lock()
	full := err != nil && (w.full.Load() || isFull(err) && pressed)
	if w.full.Swap(full) != full {
		w.cond.Broadcast()
	}
	w.mu.Unlock()
	var delay int64
	if total >= db.opts.LogBytes && total >= pressSegmentsMin*db.opts.SegmentBytes && use*8 > total*7 {
		delay = int64(gateDelayMin)
	}
	db.delay.Store(delay)
}

// pressSegmentsMin is the shortest ring whose use slows writers before it is full: in a shorter one
// the segment at hand alone makes most of it.
const pressSegmentsMin = 8

const (
	// lapFast is the time of a lap below which the log grows, lapSlow the one above which spare
	// segments are dropped.
	lapFast = 30 * time.Second
	lapSlow = 10 * time.Minute
	// ringStepMax bounds the segments that are prepared at once.
	ringStepMax = 8
)

// growsRing prepares segments instead of a pass that the log asks for, while the lap under way will
// be a quick one: the small log of a new database would be flushed in many small tables. It says
// whether the log has grown.
func (db *DB) growsRing() bool {
	w := &db.wal
	w.mu.Lock()
	count := len(w.live) + len(w.free)
	took := time.Duration(w.now() - w.lapBegan)
	w.mu.Unlock()
	target := int(db.opts.LogBytes / db.opts.SegmentBytes)
	if took >= lapFast/2 || count >= target || db.clock() < db.growAfter {
		return false
	}
	// A failure is seen again where it is told: by the pass, or when the lap ends.
	err := db.addSegments(1) // writers fill the rest meanwhile
	w.mu.Lock()
	defer w.mu.Unlock()
	return err == nil && len(w.live)+len(w.free) > count
}

// tendRing prepares segments up to the target while laps are quick, and drops spare ones when they
// are slow.
func (db *DB) tendRing() error {
	w := &db.wal
	w.mu.Lock()
	count := len(w.live) + len(w.free)
	took := time.Duration(w.now() - w.lapBegan)
	ended := w.lapClaims >= count
	drops := took > lapSlow && len(w.free) > 1 && count > 2
	if ended && !drops { // a lap that becomes shorter meanwhile has not ended
		w.lapBegan, w.lapClaims = w.now(), 0
	}
	waiting := w.waiting > 0 && len(w.free) == 0
	w.mu.Unlock()
	target := int(db.opts.LogBytes / db.opts.SegmentBytes)
	held := db.archiver.holdLSN() <= db.tailLSN()
	if held && waiting && count < target {
		err := db.addSegments(min(count, target-count, ringStepMax))
		w.mu.Lock()
		grown := len(w.live)+len(w.free) > count
		w.mu.Unlock()
		if err != nil && !isFull(err) || grown {
			return err
		} // else the disk is full
	}
	db.archiver.press(held && (waiting || db.spillBytes() > db.opts.LogBytes))
	switch {
	case ended && took < lapFast && count < target && db.clock() >= db.growAfter:
		return db.addSegments(min(count, target-count, ringStepMax))
	case drops:
		return db.dropSegment()
	}
	return db.reshapeRing(target)
}

// reshapeRing makes the ring what this open's options ask for, which may be other ones than those of the
// open that made it: segments of another length leave, and those above the target. One step at a time:
// a free segment is dropped, or one of the right length is added where there are too few to drop one.
func (db *DB) reshapeRing(target int) error {
	w := &db.wal
	w.mu.Lock()
	count, free := len(w.live)+len(w.free), len(w.free)
	misfit := slices.IndexFunc(w.free, func(s *segment) bool { return s.Extent.Length != db.opts.SegmentBytes })
	if misfit >= 0 { // the last one is dropped
		s := w.free[misfit]
		w.free = append(slices.Delete(w.free, misfit, misfit+1), s)
	}
	w.mu.Unlock()
	switch {
	case misfit >= 0 && free < 2 && count <= target:
		return db.addSegments(1)
	case (misfit >= 0 || count > target) && free > 1 && count > 2:
		return db.dropSegment()
	}
	return nil
}

// addSegments adds n segments to the ring. They are used only when their record and a group after
// it are durable.
func (db *DB) addSegments(n int) error {
	var added []*segment
	e := &manifest.Edit{}
	for range n {
		extent, err := db.newLogExtent(db.opts.SegmentBytes, spareAll)
		if errors.Is(err, storage.ErrFull) {
			break // the ring stays as it is
		}
		if err != nil {
			db.poison(err)
			return err
		}
		db.warmSegment(extent)
		s := &segment{Segment: manifest.Segment{Num: db.nextObject(), Extent: extent}}
		added = append(added, s)
		e.SegmentAdd = append(e.SegmentAdd, s.Segment)
	}
	if len(added) == 0 {
		return nil
	}
	if err := db.edit(e, nil); err != nil {
		if isFull(err) { // not written: nothing names them
			for _, s := range added {
				db.freeExtent(s.Extent)
			}
		}
		return err
	}
	if err := db.vouchManifest(); err != nil {
		return err
	}
	w := &db.wal
	w.mu.Lock()
	w.free = append(w.free, added...)
	w.tightenLocked()
	w.cond.Broadcast()
	w.mu.Unlock()
	return nil
}

// warmSegment reads a new segment into the page cache, where a relaxed log is written: otherwise the
// first group that begins in a page waits for the disk to read it.
func (db *DB) warmSegment(e log.Extent) {
	if !db.wal.relaxed {
		return
	}
	buf := vfs.AlignedBuffer(warmBytes)
	for at := e.Offset; at < e.End(); at += warmBytes {
		// It is only about speed: whoever writes there sees the error, too.
		_, _ = db.wal.file.ReadAt(buf[:min(warmBytes, e.End()-at)], at)
	}
}

// warmBytes of a segment are read at once.
const warmBytes = 256 << 10

// vouchManifest writes an empty group behind the last record of the manifest.
func (db *DB) vouchManifest() error {
	return db.edit(&manifest.Edit{}, nil)
}

// dropSegment gives one spare segment back to the heap, once its drop is durable.
func (db *DB) dropSegment() error { return db.dropSegments(1) }

// dropSegments is dropSegment for the last so many free segments, with one record; one stays.
func (db *DB) dropSegments(n int) error {
	w := &db.wal
	w.mu.Lock()
	n = min(n, len(w.free)-1)
	if n < 1 {
		w.mu.Unlock()
		return nil
	}
	rest := len(w.free) - n
	dropped := slices.Clone(w.free[rest:])
	w.free = w.free[:rest]
	w.mu.Unlock()
	e := &manifest.Edit{}
	for _, s := range dropped {
		e.SegmentDrop = append(e.SegmentDrop, s.Num)
	}
	if err := db.edit(e, nil); err != nil {
		if isFull(err) { // not written: they are still part of the ring
			w.mu.Lock()
			w.free = append(w.free, dropped...)
			w.mu.Unlock()
		}
		return err
	}
	for _, s := range dropped {
		db.freeExtent(s.Extent)
	}
	return nil
}
