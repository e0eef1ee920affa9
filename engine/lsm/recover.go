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
	db.ident = db.super.Database
	db.setAlign(db.super.Align)
	m, err := readManifest(db.man.file, &db.super)
	if err != nil {
		return err
	}
	scan, err := db.scanLog(m.state)
	if err != nil {
		return err
	}
	if db.opts.ReadOnly {
		db.seqs.end(db.super.Epoch)
	} else if err := db.claimFile(m, scan); err != nil {
		return err
	}
	return db.replay(m.state, scan)
}

// scanned is the live log as the first walk found it.
type scanned struct {
	start    log.Position
	end      log.End
	segments []*segment // in the order of use, from the tail's on
	unused   []*segment
	spills   []*spill
}

func (s *scanned) use(num base.ObjectNum) {
	if i := slices.IndexFunc(s.unused, func(u *segment) bool { return u.Num == num }); i >= 0 {
		s.segments = append(s.segments, s.unused[i])
		s.unused = slices.Delete(s.unused, i, i+1)
	}
}

func (s *scanned) useAt(offset int64) {
	for _, u := range s.unused {
		if offset >= u.Extent.Offset && offset < u.Extent.End() {
			s.use(u.Num)
			return
		}
	}
}

func (db *DB) logReader(state *manifest.State, s *scanned, until log.Seq) *log.Reader {
	cfg := log.ReaderConfig{
		File: db.man.file, Ident: log.Ident{Log: log.WAL, Database: db.ident},
		EpochMax: db.super.Epoch, Start: s.start, Region: "wal", Until: until,
	}
	if db.super.Clean != nil {
		cfg.Clean = &db.super.Clean.WAL
	}
	for _, num := range sortedNums(state.Segments) {
		if e := state.Segments[num]; e != s.start.Extent {
			cfg.Linked = append(cfg.Linked, e)
		}
	}
	return log.NewReader(cfg)
}

func sortedNums(m map[base.ObjectNum]log.Extent) []base.ObjectNum {
	var nums []base.ObjectNum
	for n := range m {
		nums = append(nums, n)
	}
	slices.Sort(nums)
	return nums
}

// scanLog verifies the whole live log, finds its end and collects spills. It writes nothing.
func (db *DB) scanLog(state *manifest.State) (*scanned, error) {
	tail := state.Tail
	extent, ok := state.Segments[tail.Segment]
	if !ok || tail.Offset < 0 || tail.Offset > extent.Length {
		return nil, &base.CorruptError{
			Region: "manifest", Offset: db.super.ManifestFirst.Offset, Reason: "the log's tail is nowhere",
		}
	}
	s := &scanned{start: log.Position{
		Extent: extent, Offset: extent.Offset + tail.Offset, Seq: tail.Seq, Digest: tail.Digest,
		Epoch: tail.Epoch,
	}}
	for _, num := range sortedNums(state.Segments) {
		s.unused = append(s.unused, &segment{
			Segment: manifest.Segment{Num: num, Extent: state.Segments[num]},
		})
	}
	s.use(tail.Segment)
	db.limitInline(state)
	r := db.logReader(state, s, 0)
	for r.Next() {
		h := r.Header()
		s.useAt(h.Position)
		for i := range int(h.Count) {
			lsn := h.FirstLSN + base.LSN(i)
			payload := r.Payload(i)
			if lsn < tail.LSN || len(payload) == 0 || payload[0] != payloadSpilled {
				continue
			}
			sp, err := parseSpill(payload[1:])
			if err != nil {
				return nil, &base.CorruptError{Region: "wal", Offset: h.Position, Reason: err.Error()}
			}
			sp.lsn = lsn
			s.spills = append(s.spills, sp)
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	s.end = r.End()
	return s, nil
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
func (db *DB) claimFile(m *manifestRead, s *scanned) error {
	if db.super.Epoch >= base.EpochMax {
		return errEpochs
	}
	if bug.Enabled(bug.RecoveryWithoutRewrite) {
		m.end.Unsynced, s.end.Unsynced = nil, nil
	} else if err := db.heap.file.SyncFull(); err != nil {
		return fmt.Errorf("sync the file before recovery: %w", err)
	}
	for _, places := range [][]log.Extent{m.end.Unsynced, s.end.Unsynced} {
		if err := log.Rewrite(db.man.file, db.man.file, places); err != nil {
			return err
		}
	}
	super := db.super
	super.Epoch++
	super.Generation++
	super.Clean = nil
	if err := db.writeSuper(super); err != nil {
		return err
	}
	db.begin(super.Epoch)
	if err := db.deriveSpace(m, s); err != nil {
		return err
	}
	return db.continueManifest(m)
}

// deriveSpace marks what the manifest and the live log use; the rest is free.
func (db *DB) deriveSpace(m *manifestRead, s *scanned) error {
	size, err := db.heap.file.Size()
	if err != nil {
		return err
	}
	db.heap.space, err = space.New(superblock.AreaBytes, size, usedExtents(m, s))
	if err != nil {
		return &base.CorruptError{Region: "manifest", Offset: db.super.ManifestFirst.Offset, Reason: err.Error()}
	}
	return nil
}

// usedExtents are all that have an owner.
func usedExtents(m *manifestRead, s *scanned) []log.Extent {
	used := slices.Clone(m.extents)
	for _, e := range m.state.Segments {
		used = append(used, e)
	}
	for _, t := range m.state.Tables {
		used = append(used, log.Extent{Offset: t.Offset, Length: space.Round(t.Meta.Length)})
	}
	for _, sp := range s.spills {
		used = append(used, sp.extents...)
	}
	return used
}

// continueManifest goes on writing the manifest where it ends.
func (db *DB) continueManifest(m *manifestRead) error {
	c := &db.man
	salt, err := db.newSalt()
	if err != nil {
		return err
	}
	c.state, c.id, c.extents = m.state, db.super.ManifestLog, m.extents
	c.bytes, c.snapshot = m.bytes, m.snapshot
	c.next = base.MakeLSN(db.super.Epoch, 1)
	c.synced = m.end.Position.Seq - 1
	c.chain = log.NewChain(log.Ident{Log: c.id, Database: db.ident}, db.super.Epoch, salt,
		c.align, m.end.Position)
	last := m.extents[len(m.extents)-1]
	if last == m.end.Position.Extent {
		return nil
	}
	if m.linkOnly {
		if err := c.group(nil); err != nil {
			return err
		}
	}
	c.chain.MoveTo(last)
	return nil
}

// replay opens the tables and applies the frames from the tail on, in LSN order.
func (db *DB) replay(state *manifest.State, s *scanned) error {
	db.installAll(state)
	w := &db.wal
	w.live, w.free = s.segments, s.unused
	tail := state.Tail
	if db.opts.ReadOnly {
		w.visible.Store(uint64(tail.LSN - 1))
	} else if err := w.begin(db, s.start, tail.LSN-1); err != nil {
		return err
	}
	db.spills = s.spills
	r := db.logReader(state, s, s.end.Position.Seq-1)
	at := s.start
	for s.end.Position.Seq > s.start.Seq && r.Next() {
		h := r.Header()
		at = db.replayAt(at, &h)
		for i := range int(h.Count) {
			lsn := h.FirstLSN + base.LSN(i)
			if lsn < tail.LSN {
				continue
			}
			if err := db.applyFrame(lsn, r.Payload(i), h.Position); err != nil {
				return err
			}
			w.visible.Store(uint64(lsn))
			w.sealedLSN, w.writtenLSN, w.syncedLSN = lsn, lsn, lsn
		}
		at.Epoch = h.Epoch
		if err := db.replayPass(); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return err
	}
	if db.opts.ReadOnly {
		return nil
	}
	return w.begin(db, s.end.Position, w.visibleLSN())
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

// applyFrame applies one batch; LSNs make it idempotent.
func (db *DB) applyFrame(lsn base.LSN, payload []byte, offset int64) error {
	corrupt := func(reason string) error {
		return &base.CorruptError{Region: "wal", Offset: offset, Reason: reason}
	}
	if len(payload) == 0 {
		return corrupt("empty frame")
	}
	body := payload[1:]
	if payload[0] == payloadSpilled {
		sp, err := parseSpill(body)
		if err != nil {
			return corrupt(err.Error())
		}
		sp.lsn = lsn
		if body, err = db.readSpill(sp); err != nil {
			return err
		}
	} else if payload[0] != payloadInline {
		return corrupt("unknown kind of batch")
	}
	// Nobody reads yet, and the frame is accepted: it counts as visible.
	n := 0
	err := eachOp(body, func(kind base.Kind, key, value []byte) {
		if n++; n == 2 && bug.Enabled(bug.ReplayHalf) {
			return
		}
		e := base.Entry{Key: key, LSN: lsn, Kind: kind, Value: value}
		db.memBytes.Add(db.insert(e, false, lsn))
	})
	if err != nil {
		return corrupt(err.Error())
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
