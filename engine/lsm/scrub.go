package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/verify"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

const (
	// scrubTick is the time between two looks at what may be read.
	scrubTick = time.Second
	// scrubPass is how long a pass takes without a rate, scrubRest the shortest time from one to the next.
	scrubPass = 7 * 24 * time.Hour
	scrubRest = time.Hour
	// scrubBusyFrames committed in a tick make it a busy one, which counts scrubBusyShare as much.
	scrubBusyFrames = 100
	scrubBusyShare  = 8
)

// scrubber checks the file of a running database bit by bit, past the page cache: what nobody reads may
// be damaged for a long time, until no copy without the damage is left.
type scrubber struct {
	db   *DB
	file vfs.File
	// budget of bytes that may be read now.
	budget int64
	// stripe is the one at hand, counted from first; left are its tables still to be checked. At
	// stripe base.StripeCount the pass is over.
	first, stripe int
	left          []base.ObjectNum
	ticks         int64 // since the beginning of the pass
	frames        base.LSN
	found         uint64 // faults of this pass
	log           logScrub
}

// startScrub begins the background check, unless it is turned off.
func (db *DB) startScrub() {
	if db.opts.ScrubRate < 0 {
		return
	}
	db.background.Go(func() {
		s, err := db.newScrubber()
		if err != nil {
			db.log("the file is not checked in the background", err)
			return
		}
		defer s.file.Close()
		ticker := time.NewTicker(scrubTick)
		defer ticker.Stop()
		for {
			select {
			case <-db.stopped.Done():
				return
			case <-ticker.C:
				s.tick(db.stopped)
			}
		}
	})
}

func (db *DB) newScrubber() (*scrubber, error) {
	f, err := db.opts.FS.Open(db.path, vfs.OpenOptions{Role: vfs.Log, ReadOnly: true, AlignMax: vfs.AlignMaxBytes})
	if err != nil {
		return nil, err
	}
	// Whoever opens a database often is to have all of it checked in time, too.
	var b [1]byte
	if _, err := io.ReadFull(db.opts.Rand, b[:]); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &scrubber{db: db, file: f, first: int(b[0]), stripe: -1}, nil
}

// rate in bytes a tick.
func (s *scrubber) rate() int64 {
	if r := s.db.opts.ScrubRate; r > 0 {
		return r
	}
	s.db.heap.mu.Lock()
	end := s.db.heap.space.End()
	s.db.heap.mu.Unlock()
	return end/int64(scrubPass/scrubTick) + 1
}

// tick checks as much as the time since the last one allows.
func (s *scrubber) tick(ctx context.Context) {
	s.ticks++
	earned := s.rate()
	frames := s.db.wal.visibleLSN()
	if frames-s.frames > scrubBusyFrames {
		earned /= scrubBusyShare
	}
	s.frames = frames
	if s.stripe == base.StripeCount {
		if s.ticks < int64(scrubRest/scrubTick) {
			return
		}
		s.stripe, s.ticks, s.budget = -1, 0, 0
	}
	s.budget += earned
	for s.budget > 0 && s.stripe < base.StripeCount && ctx.Err() == nil {
		s.step(ctx)
	}
}

// step checks the next part. It may overdraw the budget, by one table at most.
func (s *scrubber) step(ctx context.Context) {
	if s.stripe < 0 {
		s.found = 0
		s.head()
		s.beginLog()
		s.next()
		return
	}
	if s.log.on {
		s.stepLog()
		return
	}
	if len(s.left) == 0 {
		s.next()
		return
	}
	num := s.left[0]
	s.left = s.left[1:]
	v := s.pin()
	defer s.db.release(v)
	for _, level := range v.levels {
		for _, t := range level {
			if t.Meta.Num == num && t.home == s.db {
				s.table(ctx, t.Table)
				return
			}
		}
	}
}

// pin holds the tables of the stripe at hand.
func (s *scrubber) pin() *version {
	st := &s.db.stripes[(s.first+s.stripe)%base.StripeCount]
	st.mu.RLock()
	defer st.mu.RUnlock()
	return st.tables.acquire()
}

// next goes on to the next stripe, or ends the pass.
func (s *scrubber) next() {
	s.stripe++
	if s.stripe == base.StripeCount {
		s.db.figures.scrubPasses.Add(1)
		return
	}
	v := s.pin()
	defer s.db.release(v)
	for _, level := range v.levels {
		for _, t := range level {
			s.left = append(s.left, t.Meta.Num)
		}
	}
}

// spent counts what was read.
func (s *scrubber) spent(n int64) {
	s.budget -= n
	s.db.figures.scrubBytes.Add(uint64(n))
}

// fault tells the operator. Reads of the place fail with ErrCorrupt; nothing else does.
func (s *scrubber) fault(f verify.Fault) {
	s.db.figures.scrubFaults.Add(1)
	if s.found++; s.found <= scrubFaultsTold {
		s.db.log("the background check found damage: make a backup, and run kstone verify on it", errors.New(f.String()))
	}
}

// scrubFaultsTold bounds the messages of one pass; all faults are counted.
const scrubFaultsTold = 20

// table checks one table that is pinned.
func (s *scrubber) table(ctx context.Context, t manifest.Table) {
	size, err := s.file.Size()
	if err == nil {
		s.db.man.mu.Lock()
		super := s.db.super
		s.db.man.mu.Unlock()
		err = verify.OneTable(ctx, s.file, size, &super, t, s.fault)
	}
	if err != nil && ctx.Err() == nil {
		s.db.log("the background check cannot read the file", err)
	}
	s.spent(t.Meta.Length)
}

// head checks both superblocks and the manifest, which nobody writes meanwhile.
func (s *scrubber) head() {
	c := &s.db.man
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return
	}
	s.spent(superblock.AreaBytes + c.bytes)
	both, err := superblock.ReadBoth(s.file)
	if err != nil {
		s.db.log("the background check cannot read the file", err)
		return
	}
	for i := range both {
		if both[i].Err != nil || both[i].Generation != s.db.super.Generation {
			s.fault(verify.Fault{
				Region: verify.Superblock, Offset: int64(i) * superblock.CopyBytes, Length: superblock.CopyBytes,
				Part: fmt.Sprintf("copy %d", i), What: "it does not verify, or is an old one",
			})
		}
	}
	m, err := ondisk.ReadManifest(s.file, &s.db.super)
	f := verify.Fault{Region: verify.ManifestOf, Offset: s.db.super.ManifestFirst.Offset}
	switch want := c.chain.Position(); {
	case err != nil:
		f.What = err.Error()
		if ce, ok := errors.AsType[*base.CorruptError](err); ok {
			f.Offset, f.What = ce.Offset, ce.Reason
		}
	case m.End.Position.Seq != want.Seq:
		f.Offset, f.What = m.End.Position.Offset, fmt.Sprintf("it ends before group %d, and %d were written", m.End.Position.Seq, want.Seq-1)
	default:
		return
	}
	s.fault(f)
}
