package lsm

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// moveTable copies the table that ends at an offset, byte for byte and under its number, to free space
// before it: nothing in a table depends on where it lies. Whoever reads the old copy keeps it until they
// let go. False when no table ends there, somebody works on it, there is no space, it is more than what
// may be moved, or it would not pay.
func (db *DB) moveTable(end int64, moves *int64) (moved bool, err error) {
	t, ok := db.tableBefore(end)
	n := space.Round(t.Meta.Length)
	if !ok || n > *moves || !db.heap.worthMoving(t.Offset, n) {
		return false, nil
	}
	c := db.claimTable(t)
	if c == nil {
		return false, nil
	}
	defer db.compact.unclaim(&c.span)
	defer db.release(c.version)
	*moves -= n
	to, ok, err := db.heap.tryAlloc(n, spareHalf)
	if err != nil || !ok {
		return false, unlessFull(err)
	}
	if to.Offset > t.Offset { // somebody else took what was free before it
		db.freeExtent(to)
		return false, nil
	}
	if err := db.copyTable(t, to); err != nil {
		return false, unlessFull(err)
	}
	t.Offset = to.Offset
	e := &manifest.Edit{TableDrop: []manifest.TableRef{c.ref(c.inputs[0])}, TableAdd: []manifest.Table{t}}
	err = db.installTables(e, c.stripe, func() []*liveTable { return []*liveTable{db.openTable(t)} })
	if isFull(err) { // not written: nothing names the copy
		db.freeExtent(to)
	}
	if err != nil {
		return false, unlessFull(err)
	}
	db.figures.compactRead.Add(uint64(n))
	db.figures.compactWrote.Add(uint64(n))
	return true, nil
}

// unlessFull is the error, unless it is want of space, which is no failure of who needs none.
func unlessFull(err error) error {
	if isFull(err) {
		return nil
	}
	return err
}

// tableBefore returns the table whose extent ends at an offset.
func (db *DB) tableBefore(end int64) (manifest.Table, bool) {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	for _, t := range db.man.state.Tables {
		if t.Offset+space.Round(t.Meta.Length) == end {
			return t, true
		}
	}
	return manifest.Table{}, false
}

// claimTable claims the span of a table as a compaction does, so that nobody else replaces it; nil when
// it is no longer there or somebody works on it.
func (db *DB) claimTable(t manifest.Table) *compaction {
	s := &db.stripes[t.Stripe]
	s.mu.RLock()
	v := s.tables.acquire()
	s.mu.RUnlock()
	c := &compaction{span: span{stripe: int(t.Stripe)}, version: v, to: int(t.Level)}
	for _, live := range v.levels[t.Level] {
		if live.Meta.Num == t.Meta.Num && live.Offset == t.Offset {
			c.add(live, c.to)
		}
	}
	if len(c.inputs) == 1 && db.claimCurrent(c) {
		return c
	}
	db.release(v)
	return nil
}

// copyTable copies a table that is claimed to an extent of its length, which is free again after an
// error, and makes the copy durable.
func (db *DB) copyTable(t manifest.Table, to log.Extent) error {
	w := db.heap.begin()
	buf := vfs.AlignedBuffer(int(min(to.Length, heapPieceBytes)))
	err := error(nil)
	for at := int64(0); at < to.Length && err == nil; at += int64(len(buf)) {
		piece := buf[:min(int64(len(buf)), to.Length-at)]
		if _, err = db.heap.file.ReadAt(piece, t.Offset+at); err == nil {
			err = w.writeAt(piece, to.Offset+at)
		}
	}
	if err == nil {
		err = w.sync()
	}
	if err != nil {
		w.end()
		if !w.lost(err) {
			db.freeExtent(to)
		}
	}
	return err
}

// worthMoving says whether n bytes fit in front of an offset, and so much is free that the file can be cut
// once its end has moved.
func (h *heap) worthMoving(offset, n int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := h.space.End()
	to, fits := h.space.Fits(n, spareHalf.bytes(end))
	return fits && to < offset && h.space.FreeBytes()-spareAll.bytes(end) >= max(growStepMinBytes, end/moveShare)
}
