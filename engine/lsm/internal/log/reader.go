package log

import (
	"fmt"
	"io"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// CleanMark names the last group of a log at a clean shutdown.
type CleanMark struct {
	Epoch base.Epoch
	Seq   Seq
}

// ReaderConfig says what to read.
type ReaderConfig struct {
	// File is read at multiples of vfs.AlignMaxBytes into aligned buffers: a log descriptor will do.
	File  io.ReaderAt
	Ident Ident
	// EpochMax is the superblock's epoch: no group has a higher one.
	EpochMax base.Epoch
	// Start is where the first group to be read begins or would begin.
	Start Position
	// Linked are the extents of the log besides Start.Extent, in any order. The slice is copied.
	Linked []Extent
	// Clean is the mark of a clean shutdown, nil without one.
	Clean *CleanMark
	// Keys open the frames; nil for a plain file, or for payloads as they are on disk.
	Keys *crypt.Keys
	// Region names the log in errors: "wal" or "manifest".
	Region string
	// Until ends the reading after the group of this seq without looking for the true end, as the
	// second walk over a log wants it; 0 looks for the end.
	Until Seq
}

// End says where the log ends.
type End struct {
	// Position of the next group.
	Position Position
	// LastLSN is the LSN of the last frame that was read; 0 without any.
	LastLSN base.LSN
	// Torn: a group that was never acknowledged follows and is dropped.
	Torn bool
	// Unsynced are the places of accepted groups that no accepted header names as synced, adjacent
	// ones joined, in log order: recovery writes them again with the same bytes.
	Unsynced []Extent
}

// Reader goes over a log group by group.
//
//	r := log.NewReader(cfg)
//	for r.Next() {
//		for i := range int(r.Header().Count) {
//			use(r.Payload(i))
//		}
//	}
//	if err := r.Err(); err != nil { … }
//	end := r.End()
type Reader struct {
	cfg ReaderConfig
	win window
	// headWin is apart from win, so that reading heads leaves the current group's payloads alone.
	headWin window
	heads   []head // first bytes of the first linked extents, as far as they were asked for
	pos     Position
	header  Header
	frames  frames
	opener  opener
	synced  Seq // the highest that an accepted header names
	open    []placed
	done    bool
	err     error
	end     End
}

// head is what stands at the first byte of an extent.
type head struct {
	extent Extent
	header Header
	ok     bool
}

// placed is an accepted group.
type placed struct {
	seq   Seq
	place Extent
}

// NewReader starts before the first group.
func NewReader(cfg ReaderConfig) *Reader {
	r := &Reader{
		cfg: cfg, pos: cfg.Start, opener: opener{keys: cfg.Keys},
		win:     window{file: cfg.File, region: cfg.Region, ahead: windowBytes},
		headWin: window{file: cfg.File, region: cfg.Region},
	}
	r.cfg.Linked = slices.Clone(cfg.Linked)
	return r
}

// Again starts a second walk over the same log, which ends after the group of a seq; see
// ReaderConfig.Until. What linked extents begin with is not read again.
func (r *Reader) Again(until Seq) *Reader {
	cfg := r.cfg
	cfg.Until = until
	again := NewReader(cfg)
	again.heads = r.heads[:len(r.heads):len(r.heads)]
	return again
}

// Link adds an extent that a record just read names: the manifest's next. An extent that the
// reader knows is ignored.
func (r *Reader) Link(e Extent) {
	if e == r.cfg.Start.Extent || slices.Contains(r.cfg.Linked, e) || r.done {
		return
	}
	r.cfg.Linked = append(r.cfg.Linked, e)
}

// readHeads reads what linked extents begin with.
func (r *Reader) readHeads() error {
	for _, e := range r.cfg.Linked[len(r.heads):] {
		h, ok, err := r.headerAt(&r.headWin, e, e.Offset)
		if err != nil {
			return err
		}
		r.heads = append(r.heads, head{extent: e, header: h, ok: ok})
	}
	return nil
}

// Next moves to the next group. False means the end, a read error or corruption: see Err.
func (r *Reader) Next() bool {
	if r.done {
		return false
	}
	if r.cfg.Until != 0 && r.pos.Seq > r.cfg.Until {
		r.finish()
		return false
	}
	if r.atCleanMark() {
		r.finish() // nothing was written behind the mark: the next open takes it away first
		return false
	}
	candidates, err := r.candidates()
	if err != nil {
		return r.fail(err)
	}
	for _, c := range candidates {
		group, err := r.win.bytes(c.extent, c.header.Position, int64(c.header.Length))
		if err != nil {
			return r.fail(err)
		}
		if r.frames.parse(&c.header, group) {
			r.accept(c, digest(group, r.frames.crcs))
			if err := r.opener.open(&r.header, r.frames.payloads); err != nil {
				return r.fail(r.corrupt(r.header.Position, "%v", err))
			}
			return true
		}
	}
	if err := r.judge(candidates); err != nil {
		return r.fail(err)
	}
	r.finish()
	return false
}

// Header of the current group.
func (r *Reader) Header() Header { return r.header }

// Position behind the current group, and of the first one before the first call of Next.
func (r *Reader) Position() Position { return r.pos }

// Payload of frame i of the current group, 0 ≤ i < Header().Count; its LSN is FirstLSN + i. Valid
// until the next call of Next.
func (r *Reader) Payload(i int) []byte { return r.frames.payloads[i] }

// Err is nil at a true end, torn or not. Corruption is a *base.CorruptError with the offset.
func (r *Reader) Err() error { return r.err }

// End is meaningful after Next returned false without error.
func (r *Reader) End() End { return r.end }

func (r *Reader) fail(err error) bool {
	r.err, r.done = err, true
	return false
}

// headerAt reads what stands at off of an extent; false unless it is a genuine header of this log
// whose group ends inside the extent.
func (r *Reader) headerAt(w *window, e Extent, off int64) (Header, bool, error) {
	raw, err := w.bytes(e, off, vfs.SectorBytes)
	if err != nil {
		return Header{}, false, err
	}
	h, ok := decodeHeader(raw)
	return h, ok && r.genuine(&h, e, off), nil
}

// genuine headers were written by this log at this place.
func (r *Reader) genuine(h *Header, e Extent, off int64) bool {
	return h.Ident == r.cfg.Ident && h.Position == off && h.Epoch <= r.cfg.EpochMax &&
		int64(h.Length) <= e.End()-off
}

// candidates are the headers that could be the successor's, highest epoch first. There is more than
// one when an open was interrupted: a group that it tore stays behind the last group, and the next
// open had to continue in another extent.
func (r *Reader) candidates() ([]head, error) {
	var list []head
	if r.pos.Offset < r.pos.Extent.End() {
		h, ok, err := r.headerAt(&r.win, r.pos.Extent, r.pos.Offset)
		if err != nil {
			return nil, err
		}
		if ok && r.succeeds(&h) {
			list = append(list, head{extent: r.pos.Extent, header: h})
		}
	}
	if err := r.readHeads(); err != nil {
		return nil, err
	}
	for _, c := range r.heads {
		if c.ok && c.extent != r.pos.Extent && r.succeeds(&c.header) {
			list = append(list, c)
		}
	}
	slices.SortStableFunc(list, func(a, b head) int {
		return int(b.header.Epoch) - int(a.header.Epoch)
	})
	return list, nil
}

func (r *Reader) succeeds(h *Header) bool {
	if bug.Enabled(bug.OldLapAccepted) {
		return true
	}
	return h.Seq == r.pos.Seq && h.Digest == r.pos.Digest && h.Epoch >= r.pos.Epoch
}

// accept makes a candidate the current group.
func (r *Reader) accept(c head, sum uint64) {
	h := c.header
	r.header = h
	r.pos = Position{
		Extent: c.extent, Offset: h.Position + int64(h.Length), Seq: h.Seq + 1, Digest: sum,
		Epoch: h.Epoch,
	}
	if h.Count > 0 {
		r.end.LastLSN = h.FirstLSN + base.LSN(h.Count-1)
	}
	r.open = append(r.open, placed{h.Seq, Extent{h.Position, int64(h.Length)}})
	r.synced = max(r.synced, h.Synced)
	for len(r.open) > 0 && r.open[0].seq <= r.synced {
		r.open = r.open[1:]
	}
}

// finish fills in the end.
func (r *Reader) finish() {
	r.done = true
	r.end.Position = r.pos
	for _, g := range r.open {
		last := len(r.end.Unsynced) - 1
		if last >= 0 && r.end.Unsynced[last].End() == g.place.Offset {
			r.end.Unsynced[last].Length += g.place.Length
			continue
		}
		r.end.Unsynced = append(r.end.Unsynced, g.place)
	}
}

// atCleanMark says that the group before is the last one at a clean shutdown.
func (r *Reader) atCleanMark() bool {
	clean := r.cfg.Clean
	if clean == nil || clean.Seq != r.pos.Seq-1 {
		return false
	}
	// The position at a tail does not know the epoch of the group before.
	known := r.header.Seq != 0 || r.pos.Epoch != 0
	return clean.Epoch == r.pos.Epoch || !known
}

// judge decides at a place without a valid successor whether the log is torn or damaged there.
func (r *Reader) judge(candidates []head) error {
	missing := r.pos.Seq
	where := r.pos.Offset
	if len(candidates) > 0 {
		where = candidates[0].header.Position
		r.end.Torn = true
	}
	if clean := r.cfg.Clean; clean != nil && clean.Seq >= missing-1 {
		return r.corrupt(where, "the clean mark names group %d of epoch %d, the log ends with "+
			"group %d of epoch %d", clean.Seq, clean.Epoch, missing-1, r.pos.Epoch)
	}
	if err := r.scan(r.pos.Extent, r.pos.Offset, where); err != nil {
		return err
	}
	for _, e := range append([]Extent{r.cfg.Start.Extent}, r.cfg.Linked...) {
		if e == r.pos.Extent {
			continue
		}
		if err := r.scan(e, e.Offset, where); err != nil {
			return err
		}
	}
	return nil
}

// scan looks from off to the end of an extent for a genuine header that names the missing group as
// synced: proof that it was whole once.
func (r *Reader) scan(e Extent, off, where int64) error {
	for ; off < e.End(); off += vfs.SectorBytes {
		h, ok, err := r.headerAt(&r.win, e, off)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if h.Synced >= r.pos.Seq {
			return r.corrupt(where, "group %d is missing or damaged, group %d at %d names group %d "+
				"as synced", r.pos.Seq, h.Seq, off, h.Synced)
		}
		r.end.Torn = r.end.Torn || h.Seq >= r.pos.Seq
	}
	return nil
}

func (r *Reader) corrupt(off int64, format string, args ...any) error {
	return &base.CorruptError{Region: r.cfg.Region, Offset: off, Reason: fmt.Sprintf(format, args...)}
}

// Rewrite reads each place from src and writes it to dst with the same bytes: recovery makes the
// accepted groups durable that may stand only in the page cache. dst is durable at return for the
// role Log; a RelaxedLog needs its own Sync.
func Rewrite(src io.ReaderAt, dst io.WriterAt, places []Extent) error {
	buf := vfs.AlignedBuffer(windowBytes)
	for _, place := range places {
		for off := place.Offset; off < place.End(); {
			n := min(int64(len(buf)), place.End()-off)
			if _, err := src.ReadAt(buf[:n], off); err != nil {
				return fmt.Errorf("read log group at %d: %w", off, err)
			}
			if _, err := dst.WriteAt(buf[:n], off); err != nil {
				return fmt.Errorf("rewrite log group at %d: %w", off, err)
			}
			off += n
		}
	}
	return nil
}
