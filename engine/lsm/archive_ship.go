package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// chunkTargetBytes, spills included, is where a chunk ends before its segment does: it is held in memory,
// here and by who restores it.
const chunkTargetBytes = 32 << 20

// ship stores all groups that are synced and visible, in chunks of at most a segment.
func (a *archiver) ship(ctx context.Context) error {
	db := a.db
	if db.wal.relaxed {
		if err := db.wal.syncThrough(db.wal.visibleLSN()); err != nil {
			return err
		}
	}
	until := db.millis()
	epoch := db.epoch()
	w := &db.wal
	w.mu.Lock()
	synced, lsn := w.synced, w.syncedLSN
	segments := w.segmentsLocked()
	w.mu.Unlock()
	a.seen = db.millis()
	if err := w.waitVisible(ctx, lsn); err != nil {
		return err
	}
	if err := a.put(ctx, a.pending); err != nil {
		return err
	}
	if synced < a.next.Seq {
		return a.covered(ctx, until)
	}
	r := log.NewReader(a.config(a.next, segments, epoch, synced))
	for r.Next() {
		if err := a.group(ctx, r, segments, epoch); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return a.unreadable(err)
	}
	c := a.pending
	if c == nil {
		return a.unreadable(errors.New("its groups are not where they were"))
	}
	c.End, c.Until = r.End().Position, until
	return a.put(ctx, c)
}

// config reads on from a position, such as that of the first group that is not shipped.
func (a *archiver) config(at log.Position, segments []log.Extent, epoch base.Epoch, until log.Seq) log.ReaderConfig {
	cfg := log.ReaderConfig{
		File: a.db.man.file, Ident: log.Ident{Log: log.WAL, Database: a.db.ident}, EpochMax: epoch,
		Start: at, Region: "wal", Until: until,
	}
	gone := true
	for _, e := range segments {
		if e != at.Extent {
			cfg.Linked = append(cfg.Linked, e)
		} else {
			gone = false
		}
	}
	if gone { // all of it is shipped, and the next group begins another segment
		cfg.Start.Offset = cfg.Start.Extent.End()
	}
	return cfg
}

// unreadable: the log has gone on in the meantime, or is damaged.
func (a *archiver) unreadable(err error) error {
	a.pending = nil
	if a.gap.Load() {
		return nil
	}
	return fmt.Errorf("read the log for its archive: %w", err)
}

// segmentsLocked are all segments of the ring.
func (w *wal) segmentsLocked() []log.Extent {
	var list []log.Extent
	for _, s := range w.live {
		list = append(list, s.Extent)
	}
	for _, s := range w.free {
		list = append(list, s.Extent)
	}
	return list
}

// group adds the reader's group to the chunk at hand, and stores the chunk before it if the group begins
// another one.
func (a *archiver) group(ctx context.Context, r *log.Reader, segments []log.Extent, epoch base.Epoch) error {
	h := r.Header()
	c := a.pending
	if c != nil && (h.Position != c.End.Offset || c.End.Offset-c.Start.Offset+a.spilled >= chunkTargetBytes) {
		c.End.Digest = h.Digest
		if err := a.put(ctx, c); err != nil {
			return err
		}
		c = nil
	}
	if c == nil {
		c = &archived.Chunk{
			Database: a.db.ident, Timeline: a.timeline(), EpochMax: epoch, FirstLSN: h.FirstLSN, LastLSN: a.nextLSN - 1,
			Seen:  a.seen,
			Start: log.Position{Offset: h.Position, Seq: h.Seq, Digest: h.Digest, Epoch: a.next.Epoch},
		}
		for _, e := range segments {
			if h.Position >= e.Offset && h.Position < e.End() {
				c.Start.Extent = e
			}
		}
		c.End = c.Start
		a.pending, a.spilled = c, 0
	}
	c.End.Offset, c.End.Seq, c.End.Epoch = h.Position+int64(h.Length), h.Seq+1, h.Epoch
	if h.Count > 0 {
		last := h.FirstLSN + base.LSN(h.Count-1)
		c.LastLSN = max(c.LastLSN, last)
		for _, s := range a.db.spillsBetween(h.FirstLSN, last) {
			a.spilled += s.Length
		}
	}
	return nil
}

func (db *DB) epoch() base.Epoch {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	return db.super.Epoch
}

func (a *archiver) timeline() [16]byte {
	a.db.man.mu.Lock()
	defer a.db.man.mu.Unlock()
	return a.db.super.Timeline
}

// fill reads what a chunk holds.
func (a *archiver) fill(c *archived.Chunk) error {
	if len(c.Pieces) > 0 {
		return nil
	}
	groups := vfs.AlignedBuffer(int(c.End.Offset - c.Start.Offset))
	if _, err := a.db.man.file.ReadAt(groups, c.Start.Offset); err != nil {
		return fmt.Errorf("read the log for its archive: %w", err)
	}
	pieces := []archived.Piece{{Offset: c.Start.Offset, Data: groups}}
	for _, s := range a.db.spillsBetween(c.FirstLSN, c.LastLSN) {
		left := s.Length
		for _, e := range s.Extents {
			data := make([]byte, min(e.Length, left))
			if _, err := a.db.heap.file.ReadAt(data, e.Offset); err != nil {
				return fmt.Errorf("read a spill for the archive: %w", err)
			}
			left -= int64(len(data))
			pieces = append(pieces, archived.Piece{Offset: e.Offset, Data: data})
		}
	}
	c.Pieces = pieces
	return nil
}

func (db *DB) spillsBetween(first, last base.LSN) []*spill {
	db.spillMu.Lock()
	defer db.spillMu.Unlock()
	var list []*spill
	for _, s := range db.spills {
		if s.LSN >= first && s.LSN <= last {
			list = append(list, s)
		}
	}
	return list
}

// put stores a chunk, or finds that it is there already, and lets go of the log behind it.
func (a *archiver) put(ctx context.Context, c *archived.Chunk) error {
	if c == nil {
		return nil
	}
	if err := a.fill(c); err != nil {
		return a.unreadable(err)
	}
	other, err := a.others(ctx, c)
	if a.gap.Load() {
		a.pending = nil // the log may have gone on while it was read
		return nil
	}
	if err != nil || other {
		return a.partIf(other, err)
	}
	data := c.Append(nil)
	err = a.store.Put(ctx, c.Name(), bytes.NewReader(data), false)
	if errors.Is(err, fs.ErrExist) {
		same, err := a.same(ctx, c.Name(), data)
		if err != nil || !same {
			return a.partIf(!same, err)
		}
	} else if err != nil {
		return err
	}
	a.last = c.Start.Seq
	a.pending = nil
	a.next, a.nextLSN = c.End, c.LastLSN+1
	a.holdAt(a.nextLSN)
	a.tell(c.LastLSN, c.Until)
	a.db.wake() // there may be writers that wait for the room
	return nil
}

func (a *archiver) tell(lsn base.LSN, until int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.LSN = uint64(lsn)
	if until != 0 {
		a.status.Covered = time.UnixMilli(until)
	}
}

// others says whether the archive has other groups of the chunk's numbers: then a copy of this file, with
// the same timeline, ships to the same archive. This file's own may be there in another chunk: the log
// behind a base backup may begin before what was shipped when the backup was made.
func (a *archiver) others(ctx context.Context, c *archived.Chunk) (bool, error) {
	names, err := a.store.List(ctx, archived.LogPrefix(c.Timeline), archived.LogFrom(c.Timeline, a.last))
	if err != nil {
		return false, err
	}
	for _, name := range names {
		n, ok := archived.ParseLog(name)
		if !ok || n.Last < c.Start.Seq || name == c.Name() {
			continue
		}
		end, err := readEnd(ctx, a.store, name)
		if err != nil {
			return false, err
		}
		if a.continues(end) != logGoesOn {
			return true, nil
		}
	}
	return false, nil
}

// partIf parts from another file's history, unless nobody knows.
func (a *archiver) partIf(other bool, err error) error {
	if err != nil || !other {
		return err
	}
	return a.part()
}

// same says whether an object is what was to be stored: then an earlier try has stored it.
func (a *archiver) same(ctx context.Context, name string, data []byte) (bool, error) {
	r, err := a.store.Get(ctx, name)
	if err != nil {
		return false, err
	}
	defer r.Close()
	got, err := io.ReadAll(io.LimitReader(r, int64(len(data))+1))
	return bytes.Equal(got, data), err
}

// covered notes that there is no more than what was shipped.
func (a *archiver) covered(ctx context.Context, until int64) error {
	if a.gap.Load() {
		return nil
	}
	what := archived.Covered(a.next.Seq, until)
	err := a.store.Put(ctx, archived.CoveredName(a.timeline()), bytes.NewReader(what), true)
	if err == nil {
		a.tell(a.nextLSN-1, until)
	}
	return err
}
