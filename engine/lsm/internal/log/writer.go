package log

import (
	"encoding/binary"
	"fmt"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Group is a group that is being assembled: room for the header, then frames, in a buffer fit for
// direct I/O. The zero value is empty. Its methods are not safe for concurrent use, but the regions
// that Reserve has given out may be filled meanwhile: after Room the buffer stays where it is.
type Group struct {
	buf   []byte // header room and frames; nil before the first frame
	crcs  []byte
	count int
}

// groupBufferBytes is the first size of a group's buffer; it doubles as needed.
const groupBufferBytes = 64 << 10

// Reset empties the group and keeps its buffer, unless one large frame has blown it up.
func (g *Group) Reset() {
	if cap(g.buf) > 2*GroupTargetBytes {
		g.buf = nil
	}
	g.buf, g.count = g.buf[:0], 0
}

// Room makes room for n bytes of frames in an empty group.
func (g *Group) Room(n int) { g.grow(n) }

// Reserve gives the next n bytes to a frame, within what Room has made. They hold anything: the
// frame must be whole when the group is sealed. Frames come in LSN order without gaps.
func (g *Group) Reserve(n int) (frame []byte) {
	at := len(g.buf)
	g.buf = g.buf[:at+n]
	g.count++
	return g.buf[at : at+n : at+n]
}

// Add copies a sealed frame to the end of the group and makes room for it: for those who write
// their frames alone.
func (g *Group) Add(frame []byte) {
	g.grow(len(frame))
	copy(g.Reserve(len(frame)), frame)
}

// sums gathers the checksums of the frames. The lengths are those that SealFrame has written.
func (g *Group) sums() []byte {
	g.crcs = g.crcs[:0]
	for at := HeaderBytes; at < len(g.buf); {
		at += frameBytes(int(binary.LittleEndian.Uint32(g.buf[at+8:])))
		g.crcs = append(g.crcs, g.buf[at-FrameTailBytes:at]...)
	}
	return g.crcs
}

// grow makes room for the header, n more bytes and the filler without leaving aligned memory.
func (g *Group) grow(n int) {
	if len(g.buf) == 0 {
		n += HeaderBytes
	}
	if need := len(g.buf) + n + vfs.AlignMaxBytes; need > cap(g.buf) {
		bigger := vfs.AlignedBuffer(max(need, 2*cap(g.buf), groupBufferBytes))
		g.buf = bigger[:copy(bigger, g.buf)]
	}
	if len(g.buf) == 0 {
		g.buf = g.buf[:HeaderBytes]
	}
}

// Count of frames.
func (g *Group) Count() int { return g.count }

// FrameBytes is the length of all frames.
func (g *Group) FrameBytes() int { return max(len(g.buf)-HeaderBytes, 0) }

// Chain seals groups: it knows seq and digest of the group before. It is used by one leader at a
// time.
type Chain struct {
	align int
	next  Position
}

// NewChain continues a log at a position: at Start for a new log, at the end of a replay otherwise.
// align is the alignment of groups in bytes.
func NewChain(align int, at Position) *Chain { return &Chain{align: align, next: at} }

// Position is where the next group would begin.
func (c *Chain) Position() Position { return c.next }

// MoveTo makes the next group begin at the first byte of a linked extent.
func (c *Chain) MoveTo(e Extent) { c.next.Extent, c.next.Offset = e, e.Offset }

// Sealed is a group ready to be written: Bytes at Offset, one contiguous write.
type Sealed struct {
	// Bytes belong to the Group and are valid until its Reset.
	Bytes  []byte
	Offset int64
	Seq    Seq
}

// Seal chains the group, whose frames are whole: fills in its header and filler and moves the chain
// behind it. term is the one that sealed the frames, not an earlier one than of the group before;
// firstLSN the LSN of frame 0, in an empty group that of the frame that would be next; synced the last group
// whose sync was seen to succeed. The group must fit into the rest of the current extent: a caller
// that has not asked FitsWAL or FitsManifest has a bug, and Seal panics rather than let a group
// reach beyond its extent.
//
// A sealed group counts as written: when its write fails the log is over.
func (c *Chain) Seal(g *Group, term *Term, firstLSN base.LSN, synced Seq) Sealed {
	g.grow(0)
	used := len(g.buf)
	length := GroupBytes(used-HeaderBytes, c.align)
	if c.next.Offset+length > c.next.Extent.End() {
		panic(fmt.Sprintf("log: group of %d bytes at %d leaves its extent %+v",
			length, c.next.Offset, c.next.Extent))
	}
	buf := g.buf[:length]
	clear(buf[used:])
	if bug.Enabled(bug.SyncedTooHigh) {
		synced = c.next.Seq
	}
	header := Header{
		Ident: term.ident, Epoch: term.epoch, Count: uint32(g.count), Salt: term.salt, Seq: c.next.Seq,
		Position: c.next.Offset, FirstLSN: firstLSN, Digest: c.next.Digest, Synced: synced,
		Length: uint32(length),
	}
	header.encode(buf)
	sealed := Sealed{Bytes: buf, Offset: c.next.Offset, Seq: c.next.Seq}
	c.next.Offset += length
	c.next.Seq++
	c.next.Digest = digest(buf, g.sums())
	c.next.Epoch = term.epoch
	return sealed
}

// preparePieceBytes is how much is written at once over a new extent.
const preparePieceBytes = 1 << 20

// Prepare writes zeros over an extent that enters a log and makes them durable, so that commits
// never meet unwritten blocks and old bytes never pass for groups. f has the role Log in every sync
// mode: a sync of the shared file would wait for the heap's dirty pages and swallow their errors.
func Prepare(f vfs.File, e Extent) error {
	zeros := vfs.AlignedBuffer(int(min(e.Length, preparePieceBytes)))
	for off := e.Offset; off < e.End(); off += int64(len(zeros)) {
		n := min(int64(len(zeros)), e.End()-off)
		if _, err := f.WriteAt(zeros[:n], off); err != nil {
			return fmt.Errorf("prepare log extent at %d: %w", off, err)
		}
	}
	return nil
}
