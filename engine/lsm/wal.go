package lsm

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// markEveryBytes is how densely positions of groups are remembered for the tail.
const markEveryBytes = 64 << 10

// group is a group of the log from its first frame to its publication. Guarded by wal.mu.
type group struct {
	segment    *segment   // nil in memory
	term       *log.Term  // that seals its frames; nil in memory
	buf        *log.Group // of the frames; nil in memory and when they are written
	count      int        // of frames
	frameBytes int
	first      base.LSN // of frame 0; the next LSN when there is no frame
	last       base.LSN
	pending    int // frames whose entries are not all inserted
	sealed     bool
	written    bool
	failed     bool
	frames     frames
}

// frames counts the frames of a group that are not whole yet. Each is encoded and summed by its own
// writer, in its region of the group's buffer and beside all others; the leader waits for them before
// it seals the group.
//
// That wait ends: whoever has a region needs nothing but the processor until it is filled. It takes
// no lock, waits for nobody and does no I/O, so that it cannot be waiting for the leader, nor for
// anything that the leader holds. Nor does it cost answers: a group is published only when its entries
// are inserted, which its writers do next, and groups are published in order. A writer without
// processor delayed its own group and all behind it before, too; only their writes have gone on.
//
// Alone, a writer finds its frame whole when it leads: the price is two atomic additions.
type frames struct {
	// open is the number of frames that are not whole, and one for the leader, who gives it up when
	// the group is closed. So it comes to zero exactly once, after the last frame has its place.
	open atomic.Int32
	// whole is told, once, when a writer and not the leader has brought open to zero. Room for one:
	// no writer blocks.
	whole chan struct{}
}

// begin counts the frame of one more writer; under the log's mutex.
func (f *frames) begin() { f.open.Add(1) }

// end says that a frame is whole.
func (f *frames) end() {
	if f.open.Add(-1) == 0 {
		f.whole <- struct{}{}
	}
}

// allWhole gives up the leader's part. False: wait must follow.
func (f *frames) allWhole() bool { return f.open.Add(-1) == 0 }

func (f *frames) wait() { <-f.whole }

// segment of the ring.
type segment struct {
	manifest.Segment
}

// mark remembers where a group begins.
type mark struct {
	lsn base.LSN // of its first frame
	pos log.Position
}

// wal is the write-ahead log as the commit protocol of STORAGE §5 sees it. In memory it has the
// same groups, pending counts and waits, without segments and writes.
type wal struct {
	visible atomic.Uint64 // last LSN of the last finished group; written under mu
	taken   atomic.Int64  // keys and values of all frames, as memtables count them; written under mu
	ill     atomic.Bool   // poison is set
	tight   atomic.Bool   // the last segment is in use, and others are being prepared
	full    atomic.Bool   // flushes fail for space: only deletes are taken; written under mu

	file     vfs.File     // of the role that fits the sync mode; nil in memory
	syncFile func() error // for relaxed
	align    int
	relaxed  bool // a write is durable only after a sync
	hooks    *hooks
	now      func() int64
	// counterMax is where the LSNs of an epoch end.
	counterMax uint64
	memCap     int64         // of memBytes; 0 without bound
	segments   int           // that the log may grow to
	mem        *atomic.Int64 // reserved and used by memtables
	stalls     stalls
	wanted     func()      // tells the flusher that somebody waits for room
	claimed    func()      // tells the archiver that a segment is full; with mu held
	poisons    func(error) // told once, with mu held

	mu         sync.Mutex
	cond       *sync.Cond
	open       *group
	closed     []*group // not sealed, in order
	unfinished []*group // from the oldest on, the open one included
	spare      []*group
	spareBufs  []*log.Group
	writing    bool
	lastFrames int // of the last group
	waiting    int // writers that wait for room
	waitingMem int // those of them that wait for room in the memtables
	held       int // forks that wait until everything is published: nothing gets a number
	oversize   bool
	poison     error
	shut       bool
	term       *log.Term // of new groups
	next       base.LSN
	gaps       []gap // since Open, in order

	current *segment // of the open group, or where the next one begins
	pos     int64    // in the file, where the open group begins
	live    []*segment
	free    []*segment
	// A lap began at lapBegan, in nanoseconds of the clock, and ends when lapClaims reaches the
	// number of segments.
	lapBegan  int64
	lapClaims int

	marks      []mark
	end        log.Position // behind the last sealed group
	sealedLSN  base.LSN     // of the last sealed frame
	written    log.Seq
	writtenLSN base.LSN
	synced     log.Seq
	syncedLSN  base.LSN
	idleDone   bool // the last group has a successor, or is empty itself

	chain *log.Chain // used by the leader alone

	syncMu sync.Mutex // one sync at a time, in relaxed modes
	stats  walStats
}

type walStats struct {
	groups, empty, frames, bytes, payload, syncs, claims uint64
	sizes                                                [GroupSizeCount]uint64
}

func (w *wal) visibleLSN() base.LSN { return base.LSN(w.visible.Load()) }

var errFull = fmt.Errorf("%w: tables cannot be written", storage.ErrFull)

// refusalLocked says why no write is taken.
func (w *wal) refusalLocked(put bool) error {
	switch {
	case w.shut:
		return storage.ErrClosed
	case w.poison != nil:
		return failed(storage.ErrUnavailable, w.poison)
	case put && w.full.Load():
		return errFull
	}
	return w.noNumbersLocked()
}

// place is where a frame goes.
type place struct {
	group    *group
	lsn      base.LSN
	frame    []byte // to be filled in at once, with nothing to wait for, and then sealed; nil in memory
	oversize bool
}

// seal completes a frame whose payload is in place, and counts it.
func (p *place) seal() {
	p.group.term.SealFrame(p.frame, p.lsn)
	p.frame = nil // the buffer is used again when the group is written
	p.group.frames.end()
}

// enqueue gives a frame of n bytes its LSN and its place in the open group: step 5. memBytes are
// reserved.
func (w *wal) enqueue(ctx context.Context, n int, memBytes int64, put bool) (place, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var stop func() bool
	var began int64
	for {
		if err := w.refusalLocked(put); err != nil {
			return place{}, err
		}
		oversize, ok := w.memRoomLocked(memBytes)
		if ok && w.held == 0 && w.numberedLocked() && w.placeLocked(n) {
			if stop != nil {
				w.stalls.add(w.now() - began)
			}
			w.oversize = w.oversize || oversize
			w.mem.Add(memBytes)
			w.taken.Store(w.taken.Load() + memBytes)
			return w.reserveLocked(n, oversize), nil
		}
		if w.full.Load() && w.held == 0 {
			return place{}, errFull // room will not come soon
		}
		if err := ctx.Err(); err != nil {
			return place{}, err
		}
		if stop == nil {
			stop, began = w.wakeAtEnd(ctx), w.now()
			defer stop()
		}
		w.waiting++
		if !ok {
			w.waitingMem++
		}
		w.wanted()
		w.cond.Wait()
		w.waiting--
		if !ok {
			w.waitingMem--
		}
	}
}

// wakeAtEnd wakes all who wait when the context ends, unless the result is called before.
func (w *wal) wakeAtEnd(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		w.mu.Lock()
		w.cond.Broadcast()
		w.mu.Unlock()
	})
}

// memRoomLocked says whether the memtables may take n more bytes. One large update at a time may
// exceed the cap.
func (w *wal) memRoomLocked(n int64) (oversize, ok bool) {
	if w.memCap == 0 || w.mem.Load()+n <= w.memCap {
		return false, true
	}
	return true, !w.oversize && n > w.memCap/4
}

// placeLocked makes sure that the open group takes n more bytes of frames.
func (w *wal) placeLocked(n int) bool {
	g := w.open
	if g != nil && g.frameBytes+n <= log.GroupTargetBytes &&
		(w.file == nil || log.FitsWAL(w.current.Extent, w.pos, g.frameBytes+n, w.align)) {
		return true
	}
	w.closeOpenLocked()
	if w.file != nil && !log.FitsWAL(w.current.Extent, w.pos, n, w.align) && !w.claimLocked() {
		return false
	}
	w.open = w.newGroupLocked()
	if w.file != nil {
		// The regions must not move, so that there is room for the largest group from the beginning.
		w.open.buf.Room(max(n, int(min(log.GroupTargetBytes, w.current.Extent.Length))))
	}
	return true
}

func (w *wal) newGroupLocked() *group {
	var g *group
	if n := len(w.spare); n > 0 {
		g, w.spare = w.spare[n-1], w.spare[:n-1]
	} else {
		g = &group{frames: frames{whole: make(chan struct{}, 1)}}
	}
	*g = group{
		segment: w.current, term: w.term, first: w.next, last: w.next - 1, frames: frames{whole: g.frames.whole},
	}
	g.frames.begin() // the leader
	if w.file != nil {
		g.buf = w.takeBufLocked()
	}
	w.unfinished = append(w.unfinished, g)
	return g
}

// spareBufsMax bounds the buffers of groups that are kept: one that is filled, one that is written and
// those that queue behind it when values are large.
const spareBufsMax = 8

func (w *wal) takeBufLocked() *log.Group {
	n := len(w.spareBufs)
	if n == 0 {
		return new(log.Group)
	}
	buf := w.spareBufs[n-1] // the one used last: it is in the processor's cache
	w.spareBufs = w.spareBufs[:n-1]
	return buf
}

// keepBufLocked takes the buffer of a group back: it is written, and so all its frames were whole.
func (w *wal) keepBufLocked(g *group) {
	if len(w.spareBufs) < spareBufsMax {
		g.buf.Reset()
		w.spareBufs = append(w.spareBufs, g.buf)
	}
	g.buf = nil
}

func (w *wal) closeOpenLocked() {
	if g := w.open; g != nil {
		w.open = nil
		w.closed = append(w.closed, g)
		if w.file != nil {
			w.pos += log.GroupBytes(g.frameBytes, w.align)
		}
	}
}

// claimLocked moves on to a whole free segment.
func (w *wal) claimLocked() bool {
	if len(w.free) == 0 {
		return false
	}
	w.current = w.free[0]
	w.free = append(w.free[:0], w.free[1:]...)
	w.live = append(w.live, w.current)
	w.pos = w.current.Extent.Offset
	w.tightenLocked()
	w.lapClaims++
	w.stats.claims++
	w.claimed()
	if len(w.free) == 0 || len(w.live) > len(w.free) {
		w.wanted()
	}
	return true
}

func (w *wal) reserveLocked(n int, oversize bool) place {
	g := w.open
	p := place{group: g, lsn: w.next, oversize: oversize}
	if w.file != nil {
		p.frame = g.buf.Reserve(n)
		g.frames.begin()
	}
	g.count++
	g.frameBytes += n
	g.last = w.next
	g.pending++
	w.next++
	w.idleDone = false
	return p
}

// commit uncounts an inserted frame and returns when it is visible, or has failed: steps 8 to 10.
func (w *wal) commit(p place) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := p.group
	g.pending--
	if p.oversize {
		w.oversize = false
	}
	if g.pending == 0 && g.written && w.advanceLocked() {
		w.cond.Broadcast()
	}
	for {
		switch {
		case w.visibleLSN() >= p.lsn || bug.Enabled(bug.AckBeforeWrite) && g.sealed:
			return nil
		case g.failed:
			return failed(storage.ErrUncertain, w.poison)
		case w.poison != nil && !g.sealed:
			return failed(storage.ErrUnavailable, w.poison)
		case w.canLeadLocked():
			w.leadLocked()
		default:
			w.cond.Wait()
		}
	}
}

func (w *wal) canLeadLocked() bool {
	return !w.writing && w.poison == nil && (w.open != nil || len(w.closed) > 0)
}

// leadLocked writes one group: the oldest that is not sealed. The mutex is not held during the
// write; one write is in flight.
func (w *wal) leadLocked() {
	w.writing = true
	if w.file != nil && w.lastFrames > 1 {
		w.yieldLocked()
	}
	if len(w.closed) == 0 {
		w.closeOpenLocked()
	}
	g := w.closed[0]
	if w.file != nil && !g.frames.allWhole() {
		w.mu.Unlock()
		w.hooks.beforeFrames.call()
		g.frames.wait()
		w.mu.Lock()
	}
	if w.poison != nil { // since it was looked at; the group is never written
		w.writing = false
		w.cond.Broadcast()
		return
	}
	w.closed = append(w.closed[:0], w.closed[1:]...)
	w.writeLocked(g)
}

const (
	// fewFrames is the largest group before which a leader yields once: while it does the disk idles.
	// Above, that is less than what it costs to wake all writers after every group. The scheduler comes
	// back to the leader after some 60 others, so that a crowd on one processor needs more than one.
	fewFrames = 64
	// yieldsMax is for some 256 writers.
	yieldsMax = 8
)

// yieldLocked lets the writers that were just woken queue into this group instead of the next.
func (w *wal) yieldLocked() {
	frames := -1
	for range yieldsMax {
		if len(w.closed) > 0 || w.open != nil && w.open.count == frames {
			return
		}
		if w.open != nil {
			frames = w.open.count
		}
		w.mu.Unlock()
		runtime.Gosched()
		w.mu.Lock()
		if w.lastFrames <= fewFrames {
			return
		}
	}
}

// writeLocked seals and writes g, with writing set.
func (w *wal) writeLocked(g *group) {
	g.sealed = true
	w.lastFrames = g.count
	w.stats.sizeLocked(g)
	var err error
	if w.file != nil {
		synced := w.synced
		w.mu.Unlock()
		var at log.Position
		at, err = w.write(g, synced)
		w.mu.Lock()
		w.sealedLocked(g, at)
		w.keepBufLocked(g)
	}
	w.writing = false
	if err != nil {
		g.failed = true
		w.poisonLocked(err)
	} else {
		g.written = true
		w.writtenLSN = g.last
		w.written = w.end.Seq - 1
		if !w.relaxed {
			w.synced, w.syncedLSN = w.written, w.writtenLSN
		}
		w.advanceLocked()
	}
	w.cond.Broadcast()
}

// write seals the group, whose frames are whole, and writes it. Only the leader is here.
func (w *wal) write(g *group, synced log.Seq) (log.Position, error) {
	w.hooks.beforeSeal.call()
	if w.chain.Position().Extent != g.segment.Extent {
		w.chain.MoveTo(g.segment.Extent)
	}
	at := w.chain.Position()
	sealed := w.chain.Seal(g.buf, g.term, g.first, synced)
	err := w.hooks.beforeWrite.call()
	if err == nil {
		_, err = w.file.WriteAt(sealed.Bytes, sealed.Offset)
	}
	w.hooks.afterWrite.call()
	if err != nil {
		err = fmt.Errorf("write log group %d: %w", sealed.Seq, err)
	}
	return at, err
}

// sealedLocked keeps the books of a sealed group.
func (w *wal) sealedLocked(g *group, at log.Position) {
	w.end = w.chain.Position()
	w.sealedLSN = g.last
	w.stats.bytes += uint64(w.end.Offset - at.Offset)
	w.markLocked(g.first, at)
}

func (w *wal) markLocked(first base.LSN, at log.Position) {
	if n := len(w.marks); n > 0 {
		last := w.marks[n-1].pos
		if last.Extent == at.Extent && at.Offset-last.Offset < markEveryBytes {
			return
		}
	}
	w.marks = append(w.marks, mark{lsn: first, pos: at})
}

// advanceLocked publishes finished groups, in group order only.
func (w *wal) advanceLocked() bool {
	if bug.Enabled(bug.PublishOutOfOrder) {
		for _, g := range w.unfinished {
			if g.written && g.pending == 0 && g.last > w.visibleLSN() {
				w.visible.Store(uint64(g.last))
			}
		}
	}
	n := 0
	for n < len(w.unfinished) && w.unfinished[n].written && w.unfinished[n].pending == 0 {
		g := w.unfinished[n]
		if g.last > w.visibleLSN() {
			w.visible.Store(uint64(g.last))
		}
		w.spare = append(w.spare, g)
		n++
	}
	if n > 0 {
		w.unfinished = append(w.unfinished[:0], w.unfinished[n:]...)
	}
	return n > 0
}

// poisonLocked ends all writing for good: nothing is retried.
func (w *wal) poisonLocked(err error) {
	if w.poison == nil {
		w.poison = err
		w.ill.Store(true)
		w.poisons(err)
	}
	w.cond.Broadcast()
}

// waitVisible waits until everything up to lsn is published. It never leads: the owners of the
// frames do.
func (w *wal) waitVisible(ctx context.Context, lsn base.LSN) error {
	if w.visibleLSN() >= lsn {
		return nil
	}
	defer w.wakeAtEnd(ctx)()
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.visibleLSN() < lsn {
		if err := ctx.Err(); err != nil {
			return err
		}
		if w.poison != nil {
			return failed(storage.ErrUnavailable, w.poison)
		}
		w.cond.Wait()
	}
	return nil
}

// syncThrough makes the log durable up to lsn, which is visible.
func (w *wal) syncThrough(lsn base.LSN) error {
	if w.file == nil {
		return nil
	}
	if err := w.waitVisible(context.Background(), lsn); err != nil {
		return err
	}
	w.syncMu.Lock()
	defer w.syncMu.Unlock()
	w.mu.Lock()
	seq, last, done, poison := w.written, w.writtenLSN, w.syncedLSN >= lsn, w.poison
	w.mu.Unlock()
	if done {
		return nil
	}
	if poison != nil {
		return failed(storage.ErrUnavailable, poison)
	}
	err := w.syncFile()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stats.syncs++
	if err != nil {
		err = fmt.Errorf("sync log: %w", err)
		w.poisonLocked(err)
		return err
	}
	if seq > w.synced {
		w.synced, w.syncedLSN = seq, last
	}
	return nil
}

// syncAll makes every group durable, empty ones included: the clean mark will name the last.
func (w *wal) syncAll() error {
	if !w.relaxed {
		return nil
	}
	if err := w.syncFile(); err != nil {
		err = fmt.Errorf("sync log: %w", err)
		w.mu.Lock()
		w.poisonLocked(err)
		w.mu.Unlock()
		return err
	}
	return nil
}

// groupCount is how many groups have been written.
func (w *wal) groupCount() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats.groups
}

// idle writes one empty group behind the last one, once that is synced, so that the last
// acknowledged group has a successor that vouches for it.
func (w *wal) idle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idleDone || !w.restingLocked() {
		return
	}
	if log.EmptyGroupBytes(w.align) > w.current.Extent.End()-w.pos && !w.claimLocked() {
		return
	}
	w.emptyLocked()
}

// restingLocked says that every group is written and synced, and none is begun.
func (w *wal) restingLocked() bool {
	return w.file != nil && !w.writing && w.poison == nil && w.open == nil && len(w.closed) == 0 &&
		w.synced >= w.written
}

// emptyLocked writes an empty group.
func (w *wal) emptyLocked() {
	w.idleDone = true
	g := w.newGroupLocked()
	w.pos += log.EmptyGroupBytes(w.align)
	w.writing = true
	w.writeLocked(g)
}

// moveOn leaves the current segment for the first free one, with an empty group; false when there is
// none or somebody writes.
func (w *wal) moveOn() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting > 0 || !w.restingLocked() || !w.claimLocked() {
		return false
	}
	w.emptyLocked()
	return w.poison == nil
}

// positionLocked returns where the group that holds lsn begins, or one before it.
func (w *wal) positionLocked(lsn base.LSN) log.Position {
	if lsn > w.sealedLSN || len(w.marks) == 0 {
		return w.end
	}
	i := len(w.marks) - 1
	for i > 0 && w.marks[i].lsn > lsn {
		i--
	}
	return w.marks[i].pos
}

// tightenLocked tells the gate whether writers may use up a log that is growing.
func (w *wal) tightenLocked() {
	w.tight.Store(len(w.free) == 0 && len(w.live) < w.segments && w.now()-w.lapBegan < int64(lapFast/2))
}

// releaseLocked makes the segments that the durable tail has left free.
func (w *wal) releaseLocked(tail log.Position) {
	for len(w.live) > 1 && w.live[0].Extent != tail.Extent {
		w.free = append(w.free, w.live[0])
		w.live = append(w.live[:0], w.live[1:]...)
	}
	w.tightenLocked()
	n := 0
	for n+1 < len(w.marks) && w.marks[n+1].pos.Seq <= tail.Seq {
		n++
	}
	w.marks = append(w.marks[:0], w.marks[n:]...)
	w.cond.Broadcast()
}

// nextLSN is what the next frame will get.
func (w *wal) nextLSN() base.LSN {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next
}
