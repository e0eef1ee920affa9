package lsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

// PruneOptions say what leaves an archive.
type PruneOptions struct {
	// Before is the oldest moment that is to be restored afterwards. Of each timeline the newest base backup
	// that is not later stays with all that follows, and what is older goes.
	Before time.Time
	// Timeline in hexadecimal, or the beginning of one; empty for all.
	Timeline string
	// DryRun deletes nothing.
	DryRun bool
	// NoCheck: the base backup that becomes the oldest one is not read to verify it before older ones go.
	NoCheck bool
	// Progress, if not nil, is called with the bytes that were verified and all that are to be.
	Progress func(done, total int64)
}

// Pruned says what has left a timeline of an archive, or would.
type Pruned struct {
	Timeline string `json:"timeline"`
	// Oldest is the base backup that is the oldest now; nil if there is none that can be used.
	Oldest *ArchiveBase `json:"oldest,omitempty"`
	// Bases counts base backups; the sizes have the log and all their pieces.
	Bases int `json:"bases"`
	ArchiveSize
}

// pruneBatch is how many objects are deleted by one call.
const pruneBatch = 1000

var errNoTimeline = errors.New("the archive has no such timeline")

// PruneArchive deletes the base backups before the newest one that is not later than a moment, and the log
// before that. Everything from that base backup on stays as restorable as it was. What completes an old base
// backup goes first and on its own, oldest ones first: a crash leaves an archive that begins somewhat later
// than before, and pieces that nobody needs, which the next call deletes. A server may go on writing to the
// archive meanwhile.
func PruneArchive(ctx context.Context, from archive.Store, opts PruneOptions) ([]Pruned, error) {
	out, err := pruneArchive(ctx, from, opts)
	if err != nil {
		return out, fmt.Errorf("prune the archive: %w", err)
	}
	return out, nil
}

func pruneArchive(ctx context.Context, from archive.Store, opts PruneOptions) ([]Pruned, error) {
	if opts.Before.IsZero() {
		return nil, errors.New("it is not said before which moment")
	}
	all, err := readTimelines(ctx, from)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(t *timelineObjects) bool { return !strings.HasPrefix(t.id, opts.Timeline) })
	if len(all) == 0 && opts.Timeline != "" {
		return nil, fmt.Errorf("%w: %s", errNoTimeline, opts.Timeline)
	}
	list := []Pruned{}
	for _, t := range all {
		p, err := t.prune(ctx, from, opts)
		list = append(list, p)
		if err != nil {
			return list, fmt.Errorf("timeline %s: %w", t.id, err)
		}
	}
	return list, nil
}

// oldestKept is the number of the base backup that becomes the oldest; -1 if all stay.
func (t *timelineObjects) oldestKept(before int64) int {
	kept := -1
	for i := range t.bases {
		if b := &t.bases[i]; b.broken == "" && b.Millis <= before {
			kept = i
		}
	}
	return kept
}

func (t *timelineObjects) prune(ctx context.Context, from archive.Store, opts PruneOptions) (Pruned, error) {
	out := Pruned{Timeline: t.id}
	kept := t.oldestKept(opts.Before.UnixMilli())
	if kept < 0 {
		if i := slices.IndexFunc(t.bases, func(b archiveBase) bool { return b.broken == "" }); i >= 0 {
			out.Oldest = t.bases[i].tell()
		}
		return out, nil
	}
	oldest := &t.bases[kept]
	out.Oldest = oldest.tell()
	marks, rest := t.older(kept)
	if len(marks)+len(rest) == 0 {
		return out, nil
	}
	if !opts.NoCheck && !opts.DryRun {
		r := &replayer{store: from, base: oldest.Base, done: oldest.done, opts: RestoreOptions{Progress: opts.Progress}}
		if err := r.checkBase(ctx); err != nil {
			return out, fmt.Errorf("nothing is deleted, since what would be the oldest base backup cannot be used: %w", err)
		}
	}
	gone := func(names ...string) error {
		if !opts.DryRun {
			if err := from.Delete(ctx, names...); err != nil {
				return err
			}
		}
		for _, name := range names {
			out.add(t.sizes[name])
		}
		return nil
	}
	for _, mark := range marks {
		if err := gone(mark); err != nil {
			return out, err
		}
		out.Bases++
	}
	for batch := range slices.Chunk(rest, pruneBatch) {
		if err := gone(batch...); err != nil {
			return out, err
		}
	}
	return out, nil
}

// older returns what is older than a base backup: what completes older ones, and everything else.
func (t *timelineObjects) older(kept int) (marks, rest []string) {
	oldest := &t.bases[kept]
	next := oldest.done.Next.Seq
	for i := range t.bases {
		b := &t.bases[i]
		if i < kept {
			marks = append(marks, b.Prefix()+archived.Done)
			rest = append(rest, b.names...)
		} else if b.broken == "" {
			next = min(next, b.done.Next.Seq)
		}
	}
	for prefix, names := range t.pieces {
		if prefix < oldest.Prefix() { // of one that was not completed
			rest = append(rest, names...)
		}
	}
	slices.Sort(rest)
	return marks, append(rest, t.logBefore(next)...)
}

// logBefore are the chunks that end before a group.
func (t *timelineObjects) logBefore(next log.Seq) (names []string) {
	for _, n := range t.log {
		if n.Last < next {
			names = append(names, n.Name)
		}
	}
	return names
}

func (b *archiveBase) tell() *ArchiveBase {
	return &ArchiveBase{LSN: uint64(b.LSN), Time: timeOf(b.Millis), ArchiveSize: b.size, Broken: b.broken}
}

// checkBase reads a base backup and verifies its digest.
func (r *replayer) checkBase(ctx context.Context) error {
	in := &partReader{ctx: ctx, r: r}
	in.sum.Reset()
	_, err := io.Copy(io.Discard, in)
	if err = errors.Join(err, in.Close()); err != nil {
		return err
	}
	return r.checkDigest(in)
}
