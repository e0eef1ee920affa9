package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
)

const (
	// basePartBytes is how much of a base backup goes into one object.
	basePartBytes = 16 << 20
)

// begin finds out where the archive goes on: behind its last chunk or base backup if the log still has
// what follows, with a new base backup otherwise.
func (a *archiver) begin(ctx context.Context) error {
	bases, err := listBases(ctx, a.store, archived.BasePrefix(a.timeline()))
	if err != nil {
		return err
	}
	if len(bases) == 0 {
		a.gap.Store(true)
		return nil
	}
	newest := bases[len(bases)-1]
	a.based.Store(true)
	a.tellBase(newest)
	done, err := readDone(ctx, a.store, newest)
	if err != nil {
		return err
	}
	at, lsn := done.Next, newest.LSN
	names, err := a.store.List(ctx, archived.LogPrefix(a.timeline()), "")
	if err != nil {
		return err
	}
	if last, ok := lastChunk(names); ok && last.Last >= at.Seq {
		if at, err = readEnd(ctx, a.store, last.Name); err != nil {
			return err
		}
		lsn, a.last = last.LSN, last.First
	}
	switch a.continues(at) {
	case logGoesOn:
		a.next, a.nextLSN, a.baseAt = at, lsn+1, newest.Millis
		a.holdAt(a.nextLSN)
		a.tell(lsn, 0)
	case logHasGap:
		a.gap.Store(true)
	case logDiffers:
		return a.part()
	}
	return nil
}

// lastChunk is the one that ends last: a chunk that begins earlier may hold all of a later one.
func lastChunk(names []string) (last archived.LogName, ok bool) {
	for _, name := range names {
		if n, is := archived.ParseLog(name); is && n.Last >= last.Last {
			last, ok = n, true
		}
	}
	return last, ok
}

// part leaves the timeline to the other file that has it: this one goes on with one of its own, which
// begins with a base backup.
func (a *archiver) part() error {
	a.gap.Store(true)
	a.pending, a.last = nil, 0
	a.based.Store(false)
	a.mu.Lock()
	a.newest = ""
	a.mu.Unlock()
	return a.db.newTimeline()
}

// errTwin: another file with this timeline has made the timeline's first base backup meanwhile.
var errTwin = errors.New("another file has begun the archive of this timeline")

// first says whether a first base backup of the timeline is still the first one.
func (a *archiver) first(ctx context.Context, b archived.Base) error {
	if a.based.Load() {
		return nil
	}
	bases, err := listBases(ctx, a.store, archived.BasePrefix(b.Timeline))
	if err == nil && len(bases) > 0 {
		err = errTwin
	}
	return err
}

// readEnd reads where the groups of a chunk end.
func readEnd(ctx context.Context, store archive.Store, name string) (log.Position, error) {
	c, err := readHead(ctx, store, name)
	if err != nil {
		return log.Position{}, err
	}
	return c.End, nil
}

// continuation says how the log goes on behind a position.
type continuation uint8

const (
	logGoesOn  continuation = iota
	logHasGap               // what followed is gone
	logDiffers              // something else follows
)

// continues looks for the group that the archive has not. A file that was put back in place of a newer
// one has the archive's timeline and other groups.
func (a *archiver) continues(at log.Position) continuation {
	w := &a.db.wal
	w.mu.Lock()
	end, segments := w.end, w.segmentsLocked()
	synced := w.synced
	w.mu.Unlock()
	tail := a.db.tailSeq()
	switch {
	case at.Seq > end.Seq:
		return logDiffers
	case at.Seq == end.Seq:
		if at.Digest != end.Digest {
			return logDiffers
		}
		return logGoesOn
	case at.Seq < tail:
		return logHasGap
	}
	r := log.NewReader(a.config(at, segments, a.db.epoch(), min(synced, at.Seq)))
	if r.Next() || at.Seq > synced {
		return logGoesOn
	}
	return logDiffers
}

func (db *DB) tailSeq() log.Seq {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	return db.man.state.Tail.Seq
}

// newTimeline begins a history of its own, which ends the one that another file goes on with.
func (db *DB) newTimeline() error {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	if db.man.failed != nil {
		return db.man.failed
	}
	super := db.super
	super.Generation++
	if err := db.partFrom(&super, db.wal.visibleLSN()); err != nil {
		return err
	}
	if err := db.writeSuper(super); err != nil {
		return db.manifestFailed(err)
	}
	db.log("the archive has another history of this timeline: this file goes on with a timeline of its own",
		fmt.Errorf("lsm: timeline %s", hexID(super.Timeline)))
	return nil
}

// startBase begins a base backup. With anew the log is shipped from there on, as at the beginning and
// after a gap.
func (a *archiver) startBase(ctx context.Context, anew bool) {
	v := a.takeView(anew)
	a.baseAt = a.db.millis()
	a.working = make(chan error, 1)
	done := a.working
	work := func() {
		err := a.makeBase(ctx, v)
		v.close()
		done <- err
		a.poke()
	}
	if a.db.opts.manual {
		work()
		return
	}
	a.db.background.Go(work)
}

// takeView fixes what a base backup holds. With anew the log is shipped from there on.
func (a *archiver) takeView(anew bool) *copyView {
	if !anew {
		return a.db.view("archive")
	}
	tail := a.db.tailLSN()
	a.mu.Lock()
	a.gap.Store(false)         // there may be another one before this is over
	a.hold.Store(uint64(tail)) // before the view's LSN is read: no pass moves the tail past it
	a.mu.Unlock()
	v := a.db.view("archive")
	a.db.opts.hooks.afterView.call()
	a.pending = nil
	a.next, a.nextLSN = v.next, v.lsn+1
	a.holdAt(a.nextLSN)
	return v
}

// makeBase stores a backup as a stream, in parts. It needs no space beside the database.
func (a *archiver) makeBase(ctx context.Context, v *copyView) error {
	b := archived.Base{Timeline: v.super.Timeline, LSN: v.lsn, Millis: a.db.millis()}
	w := &partWriter{ctx: ctx, store: a.store, base: b}
	w.sum.Reset()
	s := newfile.NewStream(w)
	opts := BackupOptions{BytesPerSecond: compactRateBytes}
	_, err := a.db.writeCopy(ctx, s, v.super.Align, v, nil, opts)
	if err == nil {
		err = s.End(nil)
	}
	if err == nil {
		err = w.flush()
	}
	if err == nil {
		err = a.first(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	done := baseDone{Size: w.size, Digest: w.sum.Sum64(), Next: v.next}
	err = a.store.Put(ctx, b.Prefix()+archived.Done, bytes.NewReader(done.append(nil)), true)
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	a.based.Store(true)
	a.tellBase(b)
	return nil
}

func (a *archiver) tellBase(b archived.Base) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status.Base, a.newest = timeOf(b.Millis), b.Prefix()+archived.Done
}

// checkBase looks whether the newest base backup is still there: without it what is shipped can be replayed
// on nothing, and the archive has to begin again.
func (a *archiver) checkBase(ctx context.Context) error {
	a.mu.Lock()
	name := a.newest
	a.mu.Unlock()
	if name == "" || a.gap.Load() {
		return nil
	}
	r, err := a.store.Get(ctx, name)
	switch {
	case err == nil:
		return r.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	a.mu.Lock()
	a.newest = ""
	a.status.Gaps++
	a.mu.Unlock()
	a.based.Store(false)
	a.gap.Store(true)
	a.pending, a.last = nil, 0
	a.db.log("the newest base backup is gone from the archive, which begins again with another one", err)
	return nil
}

// partWriter stores what is written to it in parts.
type partWriter struct {
	ctx   context.Context //nolint:containedctx // of one base backup
	store archive.Store
	base  archived.Base
	buf   []byte
	parts int
	size  int64
	sum   xxhash.Digest
}

func (w *partWriter) Write(p []byte) (n int, err error) {
	n = len(p)
	_, _ = w.sum.Write(p) // never fails
	w.size += int64(n)
	for len(p) > 0 {
		k := min(len(p), basePartBytes-len(w.buf))
		w.buf, p = append(w.buf, p[:k]...), p[k:]
		if len(w.buf) == basePartBytes {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *partWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.store.Put(w.ctx, w.base.Part(w.parts), bytes.NewReader(w.buf), true)
	w.parts++
	w.buf = w.buf[:0]
	return err
}

var errNoBase = errors.New("the archive has no base backup")

// listBases returns the complete base backups whose names begin with prefix, oldest first by LSN.
func listBases(ctx context.Context, store archive.Store, prefix string) ([]archived.Base, error) {
	names, err := store.List(ctx, prefix, "")
	if err != nil {
		return nil, err
	}
	var list []archived.Base
	for _, name := range names {
		if b, ok := archived.ParseDone(name); ok {
			list = append(list, b)
		}
	}
	return list, nil
}
