package log

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Group is a group that is being assembled: room for the header, then sealed frames, in a buffer
// fit for direct I/O. The zero value is empty; Reset keeps the buffer. Not safe for concurrent use.
type Group struct {
	buf   []byte
	count int
	crcs  []byte
}

// Reset empties the group.
func (g *Group) Reset() { panic("skeleton") }

// Add copies a sealed frame to the end of the group. Frames come in LSN order without gaps.
func (g *Group) Add(frame []byte) { panic("skeleton") }

// Count of frames.
func (g *Group) Count() int { return g.count }

// FrameBytes is the length of all frames.
func (g *Group) FrameBytes() int { panic("skeleton") }

// Chain seals groups: it knows seq and digest of the group before. It is used by one leader at a
// time.
type Chain struct {
	ident Ident
	epoch base.Epoch
	salt  Salt
	align int
	next  Position
}

// NewChain continues a log at a position: at Start for a new log, at the end of a replay otherwise.
// align is the alignment of groups in bytes.
func NewChain(ident Ident, epoch base.Epoch, salt Salt, align int, at Position) *Chain {
	return &Chain{ident: ident, epoch: epoch, salt: salt, align: align, next: at}
}

// Position is where the next group would begin.
func (c *Chain) Position() Position { return c.next }

// MoveTo makes the next group begin at the first byte of a linked extent.
func (c *Chain) MoveTo(e Extent) { panic("skeleton") }

// Sealed is a group ready to be written: Bytes at Offset, one contiguous write.
type Sealed struct {
	// Bytes belong to the Group and are valid until its Reset.
	Bytes  []byte
	Offset int64
	Seq    Seq
}

// Seal chains the group: fills in its header and filler and moves the chain behind it. firstLSN is
// the LSN of frame 0, in an empty group that of the frame that would be next; synced the last group
// whose sync was seen to succeed. The group must fit into the rest of the current extent.
//
// A sealed group counts as written: when its write fails the log is over.
func (c *Chain) Seal(g *Group, firstLSN base.LSN, synced Seq) Sealed { panic("skeleton") }

// Prepare writes zeros over an extent that enters a log and makes them durable, so that commits
// never meet unwritten blocks and old bytes never pass for groups. f has the role Log or RelaxedLog.
func Prepare(f vfs.File, e Extent) error { panic("skeleton") }
