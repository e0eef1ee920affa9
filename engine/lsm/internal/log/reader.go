package log

import (
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
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
	// Linked are the extents of the log besides Start.Extent, in any order.
	Linked []Extent
	// Clean is the mark of a clean shutdown, nil without one.
	Clean *CleanMark
	// Region names the log in errors: "wal" or "manifest".
	Region string
	// Until ends the reading after the group of this seq without looking for the true end, as the
	// second walk over a log wants it; 0 looks for the end.
	Until Seq
}

// Reader goes over a log group by group.
//
//	r := log.NewReader(cfg)
//	for r.Next() {
//		for i, frame := range r.Frames() { … }
//	}
//	if err := r.Err(); err != nil { … }
//	end := r.End()
type Reader struct {
	cfg ReaderConfig
	end End
	err error
}

// NewReader starts before the first group.
func NewReader(cfg ReaderConfig) *Reader { return &Reader{cfg: cfg} }

// Header of a group, as on disk.
type Header struct {
	Ident    Ident
	Epoch    base.Epoch
	Count    uint32
	Salt     Salt
	Seq      Seq
	Position int64 // in the file
	FirstLSN base.LSN
	Digest   uint64 // of the group before
	Synced   Seq
	Length   uint32 // with filler
}

// Next moves to the next group. False means the end, a read error or corruption: see Err.
func (r *Reader) Next() bool { panic("skeleton") }

// Header of the current group.
func (r *Reader) Header() Header { panic("skeleton") }

// Payload of frame i of the current group, 0 ≤ i < Header().Count; its LSN is FirstLSN + i. Valid
// until the next call of Next.
func (r *Reader) Payload(i int) []byte { panic("skeleton") }

// Link adds an extent that a record just read names: the manifest's next.
func (r *Reader) Link(e Extent) { r.cfg.Linked = append(r.cfg.Linked, e) }

// Err is nil at a true end, torn or not. Corruption is a *base.CorruptError with the offset.
func (r *Reader) Err() error { return r.err }

// End says where the log ends.
type End struct {
	// Position of the next group.
	Position Position
	// LastLSN is the LSN of the last frame that was read; 0 without any.
	LastLSN base.LSN
	// Torn: bytes of an unacknowledged group follow and are dropped.
	Torn bool
	// Unsynced are the places of accepted groups that no accepted header names as synced, adjacent
	// ones joined, in log order: recovery writes them again with the same bytes.
	Unsynced []Extent
}

// End is meaningful after Next returned false without error.
func (r *Reader) End() End { return r.end }

// Rewrite reads each place from src and writes it to dst with the same bytes: recovery makes the
// accepted groups durable that may stand only in the page cache. dst is durable at return for the
// role Log; a RelaxedLog needs its own Sync.
func Rewrite(src io.ReaderAt, dst io.WriterAt, places []Extent) error { panic("skeleton") }
