package lsm

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
)

// figures are counted while the database is open.
type figures struct {
	passes, flushedBytes, flushNanos     atomic.Uint64
	compactions, moves, compactNanos     atomic.Uint64
	compactRead, compactWrote            atomic.Uint64
	compactWhy                           [reasonCount]atomic.Uint64
	flushFailures, compactFailures       atomic.Uint64
	spillCount, spilledBytes             atomic.Uint64
	scrubPasses, scrubBytes, scrubFaults atomic.Uint64
	manifest                             atomic.Pointer[manifestFigures]
	readOnlyFileBytes, readOnlyFreeBytes int64 // set by an open for reading
}

// timed adds to sum what passes until the result is called.
func (db *DB) timed(sum *atomic.Uint64) (stop func()) {
	began := db.clock()
	return func() { sum.Add(uint64(max(db.clock()-began, 0))) }
}

// GroupSizeCount is the number of size classes of LogMetrics.GroupSizes.
const GroupSizeCount = 11

// GroupSizeMax is the most batches of a group of size class i: 1, 2, 4, … 512; the last class has no
// bound, and there it is 0.
func GroupSizeMax(i int) int {
	if i >= GroupSizeCount-1 {
		return 0
	}
	return 1 << i
}

// sizeLocked counts a group that is sealed.
func (s *walStats) sizeLocked(g *group) {
	s.groups++
	s.frames += uint64(g.count)
	if g.count == 0 {
		s.empty++
		return
	}
	s.payload += uint64(g.frameBytes - g.count*g.term.FrameBytes(0))
	s.sizes[sizeClass(g.count)]++
}

// sizeClass of a group of n batches, at least one.
func sizeClass(n int) int { return min(bits.Len(uint(n-1)), GroupSizeCount-1) }

// manifestFigures are those of the manifest at one moment; its mutex is held during I/O and is not
// asked for figures.
type manifestFigures struct {
	tail    tailFigures
	extents int
	bytes   int64 // of the extents
	used    int64 // of these, written
	written uint64
	epoch   uint32
}

type tailFigures struct {
	lsn, seq, segment uint64
	offset            int64
}

// showLocked keeps the figures; the catalogue's mutex is held.
func (db *DB) showManifestLocked() {
	c := &db.man
	f := &manifestFigures{
		extents: len(c.extents), used: c.bytes, written: c.written, epoch: uint32(db.super.Epoch),
	}
	for _, e := range c.extents {
		f.bytes += e.Length
	}
	if c.state != nil {
		t := c.state.Tail
		f.tail = tailFigures{uint64(t.LSN), uint64(t.Seq), uint64(t.Segment), t.Offset}
	}
	db.figures.manifest.Store(f)
}

// measureReadOnly keeps the figures of a file that is only read, where nobody keeps books of space.
func (db *DB) measureReadOnly(m *ondisk.Manifest, s *ondisk.Log) error {
	size, err := db.heap.file.Size()
	if err != nil {
		return err
	}
	free := size - superblockBytes
	for _, e := range ondisk.UsedExtents(m, s) {
		free -= e.Length
	}
	db.figures.readOnlyFileBytes, db.figures.readOnlyFreeBytes = size, max(free, 0)
	c := &db.man
	c.state, c.extents, c.bytes = m.State, m.Extents, m.Bytes
	db.showManifestLocked()
	return nil
}

// duration of a sum of nanoseconds.
func duration(sum *atomic.Uint64) time.Duration { return time.Duration(sum.Load()) }
