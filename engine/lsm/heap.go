package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/invariants"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// growStepMinBytes and growStepMaxBytes bound by how much the file grows at once: an eighth of
	// its size.
	growStepMinBytes = 1 << 20
	growStepMaxBytes = 64 << 20
	// heapPieceBytes is the largest write into the heap; the log's p99 depends on it.
	heapPieceBytes = 1 << 20
	// reserveMinBytes to reserveMaxBytes, a sixty-fourth of the file, stay free for compaction and
	// the flush of deletes when the disk is full, manifestReserveBytes for the manifest and its switch.
	reserveMinBytes      = 2 << 20
	reserveMaxBytes      = 64 << 20
	manifestReserveBytes = 1 << 20
)

// spare says what an allocation leaves free, with its blocks, for those who are more urgent.
type spare uint8

const (
	spareAll      spare = iota // ordinary flushes, log segments, spills: the whole reserve
	spareHalf                  // flushes while the disk is full: a half, for compaction
	spareManifest              // compaction, which gives more than it takes
	spareNothing               // the manifest
)

func (s spare) bytes(fileEnd int64) int64 {
	reserve := space.Round(min(max(fileEnd/64, reserveMinBytes), reserveMaxBytes))
	switch s {
	case spareAll:
		return reserve + manifestReserveBytes
	case spareHalf:
		return reserve/2 + manifestReserveBytes
	case spareManifest:
		return manifestReserveBytes
	case spareNothing:
	}
	return 0
}

// heap is the part of the file behind the superblocks: its descriptor, its free space, and the one
// function that syncs it.
type heap struct {
	file vfs.File
	// blocks is where tables are read: file, or its mappings.
	blocks io.ReaderAt

	mu    sync.Mutex // guards space, noHoles and freed
	space *space.Map
	// noHoles: a hole could not be punched. That loses space only, and is not tried before the next open.
	noHoles bool
	// freed: something was given back since the open, so that there may be new holes to punch.
	freed bool

	growMu sync.Mutex // one growth at a time; held during I/O

	syncMu sync.Mutex // held during I/O
	writes map[*heapWrite]struct{}
}

// heapWrite is a series of writes that one later sync shall cover.
type heapWrite struct {
	heap   *heap
	failed bool // guarded by heap.syncMu
}

// errLostWrites: nothing is known about the blocks that were written. Their extents are not used
// again before the next open.
var errLostWrites = errors.New("a sync of the file failed: what was written into the heap is lost")

// lost says whether the series, which ended with an error, may have been under a failed sync.
func (w *heapWrite) lost(err error) bool {
	w.heap.syncMu.Lock()
	defer w.heap.syncMu.Unlock()
	return w.failed || errors.Is(err, errLostWrites)
}

// begin registers a series of writes.
func (h *heap) begin() *heapWrite {
	w := &heapWrite{heap: h}
	h.syncMu.Lock()
	if h.writes == nil {
		h.writes = make(map[*heapWrite]struct{})
	}
	h.writes[w] = struct{}{}
	h.syncMu.Unlock()
	return w
}

// end forgets a series that was given up.
func (w *heapWrite) end() {
	w.heap.syncMu.Lock()
	delete(w.heap.writes, w)
	w.heap.syncMu.Unlock()
}

func (w *heapWrite) writeAt(p []byte, off int64) error {
	for len(p) > 0 {
		n := min(len(p), heapPieceBytes)
		if _, err := w.heap.file.WriteAt(p[:n], off); err != nil {
			if vfs.IsNoSpace(err) { // blocks that were never there, in a hole of an earlier open
				err = fmt.Errorf("%w: %w", storage.ErrFull, err)
			}
			return fmt.Errorf("write heap at %d: %w", off, err)
		}
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// sync makes the series durable and ends it.
func (w *heapWrite) sync() error { return w.heap.syncWith(w, w.heap.file.Sync) }

// syncWith is where all syncs of the file go through, those of the log too: the kernel reports a lost
// write once, to whoever syncs first, so that a failure fails every series that is under way. w may
// be nil.
func (h *heap) syncWith(w *heapWrite, sync func() error) error {
	h.syncMu.Lock()
	defer h.syncMu.Unlock()
	if w != nil {
		defer delete(h.writes, w)
		if w.failed {
			return errLostWrites
		}
	}
	if err := sync(); err != nil {
		for other := range h.writes {
			other.failed = true
		}
		if vfs.IsNoSpace(err) { // the file has its blocks, the volume below it has not
			return fmt.Errorf("%w: %w: %w", storage.ErrFull, errLostWrites, err)
		}
		return fmt.Errorf("%w: %w", errLostWrites, err)
	}
	return nil
}

// allocBetween takes most bytes of what is free, or a half, a quarter and so on down to least, before
// the file grows for least: small pieces between tables are used before new space.
func (h *heap) allocBetween(least, most int64, keep spare) (log.Extent, error) {
	for n := most; n > least; n /= 2 {
		e, ok, err := h.tryAlloc(space.Round(n), spareAll)
		if ok || err != nil && !isFull(err) { // full: no blocks for a hole, but a smaller piece may have some
			return e, err
		}
	}
	return h.alloc(least, keep)
}

// tryAlloc takes space without growing the file; false when there is none.
func (h *heap) tryAlloc(n int64, keep spare) (e log.Extent, ok bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	least := keep.bytes(h.space.End())
	e, hole, ok := h.space.Alloc(n, least)
	if !ok || !hole {
		return e, ok, nil
	}
	h.mu.Unlock()
	err = h.file.Allocate(e.Offset, e.Length)
	h.mu.Lock()
	if err == nil {
		return e, true, nil
	}
	if again := h.space.Punched(e); again != nil {
		return log.Extent{}, false, again
	}
	if e, ok := h.space.AllocSolid(n, least); ok {
		return e, true, nil
	}
	return log.Extent{}, false, fmt.Errorf("%w: %w", storage.ErrFull, err)
}

// alloc takes space and leaves some for those who are more urgent. It grows the file when it must;
// growth is durable before it returns. The reserve is not touched before the disk is full.
func (h *heap) alloc(n int64, keep spare) (log.Extent, error) {
	for {
		e, ok, err := h.tryAlloc(n, spareAll)
		if !ok && err == nil {
			err = h.grow(n)
			if err == nil {
				continue
			}
		}
		if keep != spareAll && errors.Is(err, storage.ErrFull) {
			if e, ok, try := h.tryAlloc(n, keep); ok || try != nil {
				return e, try
			}
		}
		return e, err
	}
}

// grow makes the file longer, so that n bytes beside the whole reserve are free.
func (h *heap) grow(n int64) error {
	h.growMu.Lock()
	defer h.growMu.Unlock()
	h.mu.Lock()
	end := h.space.End()
	missing := h.space.Missing(n)
	short := space.Round(n) + spareAll.bytes(end) - h.space.SolidBytes()
	h.mu.Unlock()
	if missing == 0 && short <= 0 {
		return nil
	}
	least := max(missing, space.Round(short), space.Unit)
	step := space.Round(max(least, min(max(end/8, growStepMinBytes), growStepMaxBytes)))
	err := h.file.Allocate(end, step)
	if err != nil && step > least {
		step = least
		err = h.file.Allocate(end, step)
	}
	if err != nil {
		return fmt.Errorf("%w: grow the file: %w", storage.ErrFull, err)
	}
	if bug.Enabled(bug.GrowSyncLeftOut) {
		err = nil
	} else {
		err = h.syncWith(nil, h.file.SyncFull)
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	h.space.Grow(end + step)
	h.mu.Unlock()
	return nil
}

func (h *heap) free(e log.Extent) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.space.Free(e); err != nil {
		panic(fmt.Sprintf("lsm: an extent is freed twice: %v", err))
	}
	h.freed = true
}

// scribbleFreed spoils what is given back, so that tests notice whoever still needs it.
const scribbleFreed = invariants.Enabled || bug.Build

// scribble spoils an extent that nobody needs any more; failing at it is no matter.
func (h *heap) scribble(e log.Extent) {
	junk := bytes.Repeat([]byte{0xdb}, int(min(e.Length, heapPieceBytes)))
	for off := e.Offset; off < e.End(); off += int64(len(junk)) {
		if _, err := h.file.WriteAt(junk[:min(int64(len(junk)), e.End()-off)], off); err != nil {
			return
		}
	}
}

// tidy punches a few holes of at least least bytes.
func (h *heap) tidy(holesMax int, least int64) error {
	for range holesMax {
		h.mu.Lock()
		var e log.Extent
		ok := false
		if !h.noHoles {
			e, ok = h.space.TakeHole(least, spareAll.bytes(h.space.End()))
		}
		h.mu.Unlock()
		if !ok {
			break
		}
		err := h.file.PunchHole(e.Offset, e.Length)
		h.mu.Lock()
		if err == nil {
			err = h.space.Punched(e)
		} else {
			h.noHoles = true
			err = errors.Join(err, h.space.Free(e))
		}
		h.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// cutTailMinBytes of free space at the end of the file are worth cutting off while it is written, if
// they are a quarter of it.
const cutTailMinBytes = 32 << 20

// cutTail shortens the file by a free run of at least least bytes at its end, if that is a quarter of
// the file. The size need not be durable: nothing points behind it.
func (h *heap) cutTail(least int64) error {
	h.growMu.Lock()
	defer h.growMu.Unlock()
	h.mu.Lock()
	end := h.space.End()
	least = max(least, space.Round(end/4))
	h.mu.Unlock()
	if err := h.fillFront(least, spareAll.bytes(end)); err != nil {
		return err
	}
	h.mu.Lock()
	size, ok := h.space.CutTail(least, spareAll.bytes(end))
	h.mu.Unlock()
	if !ok {
		return nil
	}
	err := h.file.Truncate(size)
	if err != nil {
		h.mu.Lock()
		h.space.Grow(end)
		h.mu.Unlock()
	}
	return err
}

// fillFront gives the holes at the front of the free run at the end of the file their blocks anew when
// that lets it be cut: the reserve lies there then. Without space for them all stays as it was.
func (h *heap) fillFront(least, keep int64) error {
	for {
		h.mu.Lock()
		hole, ok := h.space.TakeFrontHole(least, keep)
		h.mu.Unlock()
		if !ok {
			return nil
		}
		failed := h.file.Allocate(hole.Offset, hole.Length)
		h.mu.Lock()
		give := h.space.Free
		if failed != nil {
			give = h.space.Punched
		}
		err := give(hole)
		h.mu.Unlock()
		if failed != nil || err != nil {
			return err
		}
	}
}

// freeExtent gives an extent back, unless the database is closed or in memory.
func (db *DB) freeExtent(e log.Extent) {
	if db.heap.space != nil && e.Length > 0 {
		if scribbleFreed {
			db.heap.scribble(e)
		}
		db.heap.free(e)
	}
}
