package lsm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/storage"
)

// chunkMaxBytes bounds what is read of an object: a segment, and the spills of its frames.
const chunkMaxBytes = 4 << 30

// applyAll replays chunk after chunk up to the point.
func (r *replayer) applyAll(ctx context.Context, db *DB) error {
	at := r.done.Next
	covered := int64(0)
	for !r.reached {
		name, ok := r.following(uint64(at.Seq))
		if !ok {
			break
		}
		c, err := r.fetch(ctx, name)
		if err != nil {
			return err
		}
		if at, err = r.apply(ctx, db, c, at); err != nil {
			return fmt.Errorf("%s: %w", name.Name, err)
		}
		covered = max(covered, c.Until)
	}
	if r.reached || r.to.Time.IsZero() && r.to.LSN == 0 {
		return r.missing(at)
	}
	if r.to.LSN != 0 {
		if r.out.LSN == r.to.LSN {
			return nil
		}
		if err := r.missing(at); err != nil {
			return err
		}
		return fmt.Errorf("the archive ends with LSN %d, before LSN %d", r.out.LSN, r.to.LSN)
	}
	return r.checkCovered(ctx, at, max(covered, r.base.Millis))
}

// missing looks for chunks behind a place where none follows, unless the point is reached. Without a point
// to reach, all that is there is taken, and there must be no gap in it either.
func (r *replayer) missing(at log.Position) error {
	if r.reached {
		return nil
	}
	for _, n := range r.log {
		if n.First > at.Seq {
			return fmt.Errorf("groups %d to %d of the log of timeline %s are missing in the archive: "+
				"nothing behind LSN %d can be restored from the base backup of LSN %d",
				at.Seq, n.First-1, hexID(r.base.Timeline), r.out.LSN, r.out.Base)
		}
	}
	return nil
}

// checkCovered says whether the archive is known to have everything up to the time. What is missing
// behind that is not needed.
func (r *replayer) checkCovered(ctx context.Context, at log.Position, covered int64) error {
	until, err := readCovered(ctx, r.store, r.base.Timeline, at.Seq)
	if err != nil {
		return err
	}
	if covered = max(covered, until); r.to.Time.UnixMilli() <= covered {
		return nil
	}
	if err := r.missing(at); err != nil {
		return err
	}
	return fmt.Errorf("the archive of timeline %s covers the time up to %s: give one before it, or none for all there is",
		hexID(r.base.Timeline), timeOf(covered).UTC().Format(time.RFC3339))
}

// fetch reads and verifies a chunk.
func (r *replayer) fetch(ctx context.Context, name archived.LogName) (*archived.Chunk, error) {
	o, err := openObject(ctx, r.store, name.Name)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	data, err := io.ReadAll(io.LimitReader(o, chunkMaxBytes))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name.Name, err)
	}
	c, err := archived.Decode(data)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name.Name, err)
	case c.Timeline != r.base.Timeline || c.Start.Seq != name.First || c.End.Seq != name.Last+1:
		return nil, fmt.Errorf("%s: it is of timeline %s and has groups %d to %d: it was renamed",
			name.Name, hexID(c.Timeline), c.Start.Seq, c.End.Seq-1)
	}
	return c, nil
}

// apply replays the groups of a chunk from a position on, and returns the one behind it.
func (r *replayer) apply(ctx context.Context, db *DB, c *archived.Chunk, at log.Position) (log.Position, error) {
	if c.Database != db.ident {
		return at, errOtherDatabase
	}
	groups := log.NewReader(c.Config(db.crypt))
	for groups.Next() {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		h := groups.Header()
		if h.Seq == at.Seq && h.Digest != at.Digest {
			return at, fmt.Errorf("group %d does not follow what was replayed before: it is of another history", h.Seq)
		}
		if h.Seq < at.Seq {
			continue
		}
		for i := range int(h.Count) {
			if r.reached {
				return at, nil
			}
			if err := r.frame(ctx, db, c, h.FirstLSN+base.LSN(i), groups.Payload(i)); err != nil {
				return at, err
			}
		}
		if db.memBytes.Load() > db.opts.MemtableBytes {
			if err := db.pass(passBudget); err != nil {
				return at, err
			}
		}
	}
	if err := groups.Err(); err != nil {
		return at, err
	}
	end := groups.End().Position
	if end.Seq != c.End.Seq {
		return at, fmt.Errorf("it has groups up to %d, not to %d", end.Seq-1, c.End.Seq-1)
	}
	return end, nil
}

// frame applies one batch, unless the base backup has it or it is behind the point.
func (r *replayer) frame(ctx context.Context, db *DB, c *archived.Chunk, lsn base.LSN, payload []byte) error {
	millis, isMark := ondisk.Mark(payload)
	if r.to.LSN != 0 && uint64(lsn) > r.to.LSN || isMark && !r.to.Time.IsZero() && millis > r.to.Time.UnixMilli() {
		r.reached, r.held = true, nil
		return nil
	}
	if lsn <= r.base.LSN {
		return nil
	}
	f := heldFrame{lsn: lsn}
	if drop, ok := ondisk.Drop(payload); ok {
		f.drop = &storage.Range{Start: bytes.Clone(drop.Start), End: bytes.Clone(drop.End)}
	} else if !isMark {
		var err error
		if f.ops, err = ondisk.Ops(c, db.crypt, payload, c.Start.Offset); err != nil {
			return err
		}
	}
	if isMark {
		r.millis = max(r.millis, millis)
	}
	if !r.to.Time.IsZero() && c.Seen > r.to.Time.UnixMilli() && !isMark {
		f.ops = bytes.Clone(f.ops)
		r.held = append(r.held, f)
		return nil
	}
	for _, h := range append(r.held, f) {
		if err := r.keep(ctx, db, h); err != nil {
			return err
		}
	}
	r.held = r.held[:0]
	r.reached = r.to.LSN != 0 && uint64(lsn) == r.to.LSN
	return nil
}

// heldFrame is a batch of which a mark will say whether it is before the point.
type heldFrame struct {
	lsn  base.LSN
	ops  []byte
	drop *storage.Range
}

// keep applies a batch.
func (r *replayer) keep(ctx context.Context, db *DB, f heldFrame) error {
	if err := db.applyOps(f.lsn, f.ops, 0); err != nil {
		return err
	}
	w := &db.wal
	w.mu.Lock()
	w.visible.Store(uint64(f.lsn))
	w.sealedLSN, w.writtenLSN, w.syncedLSN = f.lsn, f.lsn, f.lsn
	w.mu.Unlock()
	r.out.LSN = uint64(f.lsn)
	r.out.Batches++
	if f.drop == nil {
		return nil
	}
	return db.DropRange(ctx, *f.drop)
}
