package lsm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// recover is STORAGE §9: it reads everything, decides, and only then writes; the first write is
// the new epoch in both superblocks.
func (db *DB) recover(path string) error {
	if err := db.openDescriptors(path, vfs.AlignMaxBytes); err != nil {
		return err
	}
	copies, err := superblock.Read(db.man.file)
	if err != nil {
		return err
	}
	db.super, db.superAt = copies.Newest, copies.At
	if db.super.Origin.Incremental() {
		return superblock.ErrIncremental
	}
	if err := db.super.Unlock(db.opts.EncryptionKey); err != nil {
		return err
	}
	db.ident = db.super.Database
	db.useKeys()
	db.setAlign(db.super.Align)
	m, err := ondisk.ReadManifest(db.man.file, &db.super)
	if err != nil {
		return err
	}
	db.limitInline(m.State)
	// Through the page cache, where a log that was not synced still is.
	scan, err := ondisk.ScanLog(db.heap.file, &db.super, m.State, nil)
	if err != nil {
		return err
	}
	if db.opts.ReadOnly {
		db.seqs.end(db.super.Epoch)
		if err := db.measureReadOnly(m, scan); err != nil {
			return err
		}
	} else if err := db.claimFile(m, scan); err != nil {
		return err
	}
	db.holdForArchive()
	return db.replay(m.State, scan)
}

// liveSegments are segments as an open log keeps them.
func liveSegments(list []manifest.Segment) []*segment {
	out := make([]*segment, 0, len(list))
	for _, s := range list {
		out = append(out, &segment{Segment: s})
	}
	return out
}

// limitInline makes every frame fit into the shortest segment of the ring, which may be shorter than
// the options ask for now.
func (db *DB) limitInline(state *manifest.State) {
	for _, e := range state.Segments {
		db.inlineMax = min(db.inlineMax, inlineMaxFor(e.Length, db.super.Align))
	}
}

// claimFile is steps 3 to 5: the accepted groups are made durable, the new epoch is taken, free
// space is derived.
func (db *DB) claimFile(m *ondisk.Manifest, s *ondisk.Log) error {
	if db.super.Epoch >= base.EpochMax {
		return errEpochs
	}
	if err := db.settleAccepted(m.End.Unsynced, s.End.Unsynced); err != nil {
		return err
	}
	super := db.super
	super.Epoch++
	super.Generation++
	super.Clean = nil
	if err := db.settle(&super, s.End.LastLSN); err != nil {
		return err
	}
	if err := db.writeSuper(super); err != nil {
		return err
	}
	db.begin(super.Epoch)
	if err := db.deriveSpace(m, s); err != nil {
		return err
	}
	return db.continueManifest(m)
}

// settleAccepted makes what this open shows durable: the groups that were accepted, and everything
// else in the file. A sync alone would not do. One that failed before, in the same boot, leaves pages
// that the disk lacks and that count as clean, so that the next sync passes them over. Writing the same
// bytes again makes them dirty. The log's go into the page cache, most of it there and not yet written,
// and are written once, by the sync: past the cache it would be twice, and each piece waited for.
func (db *DB) settleAccepted(manifest, wal []log.Extent) error {
	if bug.Enabled(bug.RecoveryWithoutRewrite) {
		return nil
	}
	if err := log.Rewrite(db.man.file, db.man.file, manifest); err != nil {
		return err
	}
	if err := log.Rewrite(db.heap.file, db.heap.file, wal); err != nil {
		return err
	}
	if err := db.heap.file.SyncFull(); err != nil {
		return fmt.Errorf("sync the file before recovery: %w", err)
	}
	return nil
}

// deriveSpace marks what the manifest and the live log use; the rest is free.
func (db *DB) deriveSpace(m *ondisk.Manifest, s *ondisk.Log) error {
	size, err := db.heap.file.Size()
	if err != nil {
		return err
	}
	db.heap.space, err = space.New(superblock.AreaBytes, size, ondisk.UsedExtents(m, s))
	if err != nil {
		return &base.CorruptError{Region: "manifest", Offset: db.super.ManifestFirst.Offset, Reason: err.Error()}
	}
	return nil
}

// continueManifest goes on writing the manifest where it ends.
func (db *DB) continueManifest(m *ondisk.Manifest) error {
	c := &db.man
	c.state, c.id, c.extents = m.State, db.super.ManifestLog, m.Extents
	c.bytes, c.snapshot = m.Bytes, m.SnapshotBytes
	c.next = base.MakeLSN(db.super.Epoch, 1)
	c.synced = m.End.Position.Seq - 1
	var err error
	if c.term, err = db.newTerm(c.id, db.super.Epoch); err != nil {
		return err
	}
	c.chain = log.NewChain(c.align, m.End.Position)
	defer db.showManifestLocked()
	last := m.Extents[len(m.Extents)-1]
	if last == m.End.Position.Extent {
		return nil
	}
	if m.LinkOnly {
		if err := c.group(nil); err != nil {
			return err
		}
	}
	c.chain.MoveTo(last)
	return nil
}

// replay opens the tables and applies the frames from the tail on, in LSN order.
func (db *DB) replay(state *manifest.State, s *ondisk.Log) error {
	db.installAll(state)
	w := &db.wal
	w.live, w.free = liveSegments(s.Segments), liveSegments(s.Unused)
	tail := state.Tail
	if db.opts.ReadOnly {
		w.visible.Store(uint64(tail.LSN - 1))
	} else if err := w.begin(db, s.Start, tail.LSN-1); err != nil {
		return err
	}
	db.spills = s.Spills
	r := s.Again()
	at := s.Start
	apply := newLogReplay(db)
	for s.End.Position.Seq > s.Start.Seq && r.Next() {
		h := r.Header()
		if err := apply.room(int(h.Length)); err != nil {
			return err
		}
		at = db.replayAt(at, &h)
		for i := range int(h.Count) {
			lsn := h.FirstLSN + base.LSN(i)
			if lsn < tail.LSN {
				continue
			}
			if err := apply.frame(lsn, r.Payload(i), h.Position); err != nil {
				return err
			}
		}
		at.Epoch = h.Epoch
	}
	if err := apply.run(); err != nil {
		return err
	}
	if err := r.Err(); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		return nil
	}
	return w.begin(db, s.End.Position, w.visibleLSN())
}

// replayAt marks where a group begins, so that a pass during replay can place its tail. at is the
// position of the group before, with its epoch.
func (db *DB) replayAt(at log.Position, h *log.Header) log.Position {
	w := &db.wal
	for _, s := range w.live {
		if h.Position >= s.Extent.Offset && h.Position < s.Extent.End() {
			at = log.Position{
				Extent: s.Extent, Offset: h.Position, Seq: h.Seq, Digest: h.Digest, Epoch: at.Epoch,
			}
		}
	}
	w.markLocked(h.FirstLSN, at)
	w.end = at
	return at
}

// replayPass flushes when the budget asks for it; on a full disk replay goes on in memory.
func (db *DB) replayPass() error {
	if db.opts.ReadOnly || db.memBytes.Load() <= db.opts.MemtableBytes {
		return nil
	}
	err := db.pass(passBudget)
	if err != nil && db.man.failed != nil {
		return errors.Join(err, db.man.failed)
	}
	return nil
}

// installAll gives every stripe the tables of a state.
func (db *DB) installAll(state *manifest.State) {
	dead := merge.NewDead(slices.Clone(state.Dead))
	byStripe := make([][]*liveTable, base.StripeCount)
	for _, t := range state.Tables {
		byStripe[t.Stripe] = append(byStripe[t.Stripe], db.openTable(t))
	}
	for i := range db.stripes {
		s := &db.stripes[i]
		s.tables = s.tables.with(byStripe[i], nil, dead)
		s.l0.Store(int32(len(s.tables.levels[0])))
	}
}
