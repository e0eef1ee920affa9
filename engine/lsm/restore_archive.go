package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// PointInTime says up to where an archive is replayed. The zero value takes all that is there.
type PointInTime struct {
	// Timeline in hexadecimal, or the beginning of one; empty if the archive has only one.
	Timeline string
	// Time, if not zero: nothing that was written later is restored, and all that was answered up to
	// about a second before it.
	Time time.Time
	// LSN, if not 0, is the last batch that is restored.
	LSN uint64
}

// Restored says what a restore has come to.
type Restored struct {
	CopyInfo
	// Time of the last mark in the log that was passed, or of the base backup: all that was written up to
	// then is in the database.
	Time time.Time
	// Base is the LSN of the base backup, Batches how many were replayed on it.
	Base, Batches uint64
}

// RestoreArchive makes a database at path of an archive: its newest base backup that is not later than
// the point, and the log up to it. Every byte is verified on the way. What is missing on the way to the
// point is an error that names it, and nothing is left at path. The archive is not changed; the new
// database has a timeline of its own.
func RestoreArchive(
	ctx context.Context, path string, from archive.Store, to PointInTime, opts RestoreOptions,
) (Restored, error) {
	o := Options{FS: opts.FS, Rand: opts.Rand, SegmentBytes: opts.SegmentBytes}.withDefaults()
	opts.FS, opts.Rand, opts.SegmentBytes = o.FS, o.Rand, o.SegmentBytes
	r := &replayer{store: from, to: to, opts: opts}
	if err := r.restore(ctx, path); err != nil {
		return Restored{}, fmt.Errorf("restore %s: %w", path, asFull(err))
	}
	return r.out, nil
}

// replayer is one restore from an archive.
type replayer struct {
	store archive.Store
	to    PointInTime
	opts  RestoreOptions
	base  archived.Base
	done  baseDone
	log   []archived.LogName
	out   Restored
	// reached: the point was passed, or is exactly there.
	reached bool
	millis  int64 // of the last mark
	// held are batches of which the next mark will say whether they are before the time.
	held []heldFrame
}

func (r *replayer) restore(ctx context.Context, path string) error {
	if err := r.choose(ctx); err != nil {
		return err
	}
	place, err := newfile.Open(r.opts.FS, path, r.opts.Overwrite)
	if err != nil {
		return err
	}
	if err := r.fetchBase(ctx, place); err != nil {
		place.Abandon()
		return err
	}
	if err := r.replay(ctx, place); err != nil {
		place.Abandon()
		return err
	}
	return place.Commit()
}

// choose finds timeline, base backup and the chunks behind it.
func (r *replayer) choose(ctx context.Context) error {
	bases, err := listBases(ctx, r.store, "")
	if err != nil {
		return err
	}
	if bases, err = r.ofTimeline(bases); err != nil {
		return err
	}
	ok := false
	for _, b := range bases {
		if (r.to.LSN == 0 || uint64(b.LSN) <= r.to.LSN) && (r.to.Time.IsZero() || b.Millis <= r.to.Time.UnixMilli()) {
			r.base, ok = b, true
		}
	}
	if !ok {
		first := bases[0]
		return fmt.Errorf("the archive begins at LSN %d, %s: nothing before that can be restored",
			uint64(first.LSN), timeOf(first.Millis).UTC().Format(time.RFC3339))
	}
	if r.done, err = readDone(ctx, r.store, r.base); err != nil {
		return err
	}
	names, err := r.store.List(ctx, archived.LogPrefix(r.base.Timeline), "")
	if err != nil {
		return err
	}
	for _, name := range names {
		if n, ok := archived.ParseLog(name); ok && n.Last >= r.done.Next.Seq {
			r.log = append(r.log, n)
		}
	}
	return nil
}

// ofTimeline leaves the base backups of the timeline that is wanted.
func (r *replayer) ofTimeline(all []archived.Base) ([]archived.Base, error) {
	if len(all) == 0 {
		return nil, errNoBase
	}
	var ids []string
	byID := map[string][]archived.Base{}
	for _, b := range all {
		id := hexID(b.Timeline)
		if len(id) < len(r.to.Timeline) || id[:len(r.to.Timeline)] != r.to.Timeline {
			continue
		}
		if byID[id] == nil {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], b)
	}
	switch len(ids) {
	case 0:
		return nil, fmt.Errorf("the archive has no timeline %s", r.to.Timeline)
	case 1:
		return byID[ids[0]], nil
	}
	var text strings.Builder
	for _, id := range ids {
		last := byID[id][len(byID[id])-1]
		text.WriteString(fmt.Sprintf("; %s (last base backup %s)", id, timeOf(last.Millis).UTC().Format(time.RFC3339)))
	}
	return nil, fmt.Errorf("the archive has several timelines, name one%s", text.String())
}

// fetchBase writes the base backup to its place.
func (r *replayer) fetchBase(ctx context.Context, place *newfile.Place) error {
	in := &partReader{ctx: ctx, r: r}
	in.sum.Reset()
	_, err := newfile.Receive(in, place.File(), nil)
	err = errors.Join(err, in.Close())
	if errors.Is(err, newfile.ErrCut) {
		return &base.CorruptError{Region: "base backup " + r.base.Prefix(), Offset: in.read, Reason: err.Error()}
	}
	if err != nil {
		return fmt.Errorf("base backup: %w", err)
	}
	return r.checkDigest(in)
}

// checkDigest verifies a base backup that was read to its end.
func (r *replayer) checkDigest(in *partReader) error {
	if in.read != r.done.Size || in.sum.Sum64() != r.done.Digest {
		return &base.CorruptError{Region: "base backup " + r.base.Prefix(), Offset: 0, Reason: "digest does not match"}
	}
	return nil
}

// partReader reads the parts of a base backup one after the other.
type partReader struct {
	ctx   context.Context //nolint:containedctx // of one restore
	r     *replayer
	part  io.ReadCloser // nil before the first and after the last
	parts int
	read  int64
	sum   xxhash.Digest
}

func (in *partReader) Read(p []byte) (int, error) {
	for in.read < in.r.done.Size {
		if in.part == nil {
			var err error
			if in.part, err = openObject(in.ctx, in.r.store, in.r.base.Part(in.parts)); err != nil {
				return 0, err
			}
			in.parts++
		}
		n, err := in.part.Read(p)
		_, _ = in.sum.Write(p[:n]) // never fails
		in.read += int64(n)
		if in.r.opts.Progress != nil {
			in.r.opts.Progress(in.read, in.r.done.Size)
		}
		if errors.Is(err, io.EOF) {
			err = in.Close()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.EOF
}

// Close gives the part at hand back.
func (in *partReader) Close() error {
	if in.part == nil {
		return nil
	}
	err := in.part.Close()
	in.part = nil
	return err
}

// replay opens the base backup, applies the log and closes it as a database of its own.
func (r *replayer) replay(ctx context.Context, place *newfile.Place) error {
	var last base.LSN
	for _, n := range r.log {
		last = max(last, n.LSN)
	}
	if err := r.raiseEpoch(place.File(), last.Epoch()+1); err != nil {
		return err
	}
	if err := place.Lend(); err != nil {
		return err
	}
	db, err := Open(place.Temporary(), Options{
		FS: r.opts.FS, Rand: r.opts.Rand, EncryptionKey: r.opts.EncryptionKey, SegmentBytes: r.opts.SegmentBytes, LogBytes: 2 * r.opts.SegmentBytes,
		manual: true,
	})
	if err != nil {
		return err
	}
	r.out.Base, r.out.LSN, r.millis = uint64(r.base.LSN), uint64(r.base.LSN), r.base.Millis
	err = r.applyAll(ctx, db)
	if err == nil {
		err = r.setTimeline(db)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	r.out.Time = timeOf(r.millis)
	return place.TakeBack()
}

// raiseEpoch makes the epoch of the base backup at least e, so that the open takes one above all that
// the log has.
func (r *replayer) raiseEpoch(f vfs.File, e base.Epoch) error {
	copies, err := superblock.Read(f)
	if err != nil {
		return err
	}
	s := copies.Newest
	s.Epoch = max(s.Epoch, e)
	return superblock.Write(f, &s, 1)
}

// setTimeline is made durable by the close.
func (r *replayer) setTimeline(db *DB) error {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	db.super.Origin = &superblock.Origin{
		Timeline: r.base.Timeline, LSN: base.LSN(r.out.LSN), Millis: r.millis,
	}
	if _, err := io.ReadFull(db.opts.Rand, db.super.Timeline[:]); err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	r.out.Timeline, r.out.Origin = hexID(db.super.Timeline), hexID(r.base.Timeline)
	r.out.Tables = len(db.man.state.Tables)
	for _, t := range db.man.state.Tables {
		r.out.Bytes += t.Meta.Length
	}
	return nil
}

// following returns the chunk that begins with a group, or has it inside: an earlier shipment may have
// ended in the middle of a later one.
func (r *replayer) following(seq uint64) (archived.LogName, bool) {
	i := slices.IndexFunc(r.log, func(n archived.LogName) bool {
		return uint64(n.First) <= seq && uint64(n.Last) >= seq
	})
	if i < 0 {
		return archived.LogName{}, false
	}
	n := r.log[i]
	for _, o := range r.log[i+1:] {
		if uint64(o.First) <= seq && o.Last > n.Last {
			n = o
		}
	}
	return n, true
}
