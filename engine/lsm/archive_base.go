package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
)

const (
	// basePartBytes is how much of a base backup goes into one object.
	basePartBytes = 16 << 20
	// baseSuffix names the file in which a base backup is made, beside the database.
	baseSuffix = ".base"
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
	done, err := readDone(ctx, a.store, newest)
	if err != nil {
		return err
	}
	at, lsn := done.Next, newest.LSN
	names, err := a.store.List(ctx, archived.LogPrefix(a.timeline()), "")
	if err != nil {
		return err
	}
	if len(names) > 0 {
		last, ok := archived.ParseLog(names[len(names)-1])
		if ok && last.Last >= at.Seq {
			if at, err = readEnd(ctx, a.store, last.Name); err != nil {
				return err
			}
			lsn = last.LSN
		}
	}
	switch a.continues(at) {
	case logGoesOn:
		a.next, a.nextLSN, a.baseAt = at, lsn+1, newest.Millis
		a.hold.Store(uint64(a.nextLSN))
		a.tell(lsn, 0)
	case logHasGap:
		a.gap.Store(true)
	case logDiffers:
		a.gap.Store(true)
		return a.db.newTimeline()
	}
	return nil
}

// readEnd reads where the groups of a chunk end.
func readEnd(ctx context.Context, store archive.Store, name string) (log.Position, error) {
	r, err := openObject(ctx, store, name)
	if err != nil {
		return log.Position{}, err
	}
	defer r.Close()
	at, err := archived.ReadEnd(r)
	if err != nil {
		return log.Position{}, fmt.Errorf("%s: %w", name, err)
	}
	return at, nil
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
	a.next = at
	r := log.NewReader(a.config(segments, a.db.epoch(), min(synced, at.Seq)))
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
	super.Origin = &superblock.Origin{Timeline: db.super.Timeline, LSN: db.wal.visibleLSN()}
	if _, err := io.ReadFull(db.opts.Rand, super.Timeline[:]); err != nil {
		return fmt.Errorf("draw an id: %w", err)
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
	a.hold.Store(uint64(a.db.tailLSN())) // before the view's LSN is read: no pass moves the tail past it
	v := a.db.view("archive")
	a.pending = nil
	a.next, a.nextLSN = v.next, v.lsn+1
	a.hold.Store(uint64(a.nextLSN))
	a.gap.Store(false)
	return v
}

// makeBase writes a backup beside the database, stores it and removes it.
func (a *archiver) makeBase(ctx context.Context, v *copyView) error {
	place, err := newfile.Open(a.db.opts.FS, a.db.path+baseSuffix, true)
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	defer place.Abandon()
	millis := a.db.millis()
	align, err := place.Align()
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	opts := BackupOptions{BytesPerSecond: compactRateBytes}
	if _, err := a.db.writeCopy(ctx, place.File(), align, v, nil, opts); err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	size, err := place.File().Size()
	if err != nil {
		return err
	}
	b := archived.Base{Timeline: v.super.Timeline, LSN: v.lsn, Millis: millis}
	done := baseDone{Size: size, Next: v.next}
	var d xxhash.Digest
	d.Reset()
	for i, at := 0, int64(0); at < size; i, at = i+1, at+basePartBytes {
		part := io.NewSectionReader(place.File(), at, min(basePartBytes, size-at))
		if _, err := io.Copy(&d, part); err != nil {
			return err
		}
		if _, err := part.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := a.store.Put(ctx, b.Part(i), part, true); err != nil {
			return fmt.Errorf("base backup: %w", err)
		}
	}
	done.Digest = d.Sum64()
	err = a.store.Put(ctx, b.Prefix()+archived.Done, bytes.NewReader(done.append(nil)), true)
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	a.based.Store(true)
	a.mu.Lock()
	a.status.Base = timeOf(millis)
	a.mu.Unlock()
	return nil
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
