package log

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// Seq numbers the groups of one log, from 1, without gaps.
type Seq uint64

// WAL is the log id of the write-ahead log; a manifest's log id is its object number.
const WAL base.ObjectNum = 1

const (
	// HeaderBytes is the length of a group's header. It fits in one sector and so is never torn.
	HeaderBytes = 104
	// FrameHeadBytes precede a frame's payload, FrameTailBytes follow it.
	FrameHeadBytes = 12
	// FrameTailBytes is the length of a frame's checksum.
	FrameTailBytes = 4
	// GroupTargetBytes is where a leader stops filling a group.
	GroupTargetBytes = 1 << 20
	// FramePayloadMaxBytes bounds the payload of a frame on disk: larger batches are spilled to the heap.
	FramePayloadMaxBytes = 2 << 20
	// FrameMaxBytes bounds a whole frame.
	FrameMaxBytes = FrameHeadBytes + FramePayloadMaxBytes + FrameTailBytes
	// FrameCountMax bounds the frames of one group.
	FrameCountMax = 1 << 20
)

// DatabaseID names the database in every header.
type DatabaseID [16]byte

// Salt is the random part of every header, from which the key of its frames is derived.
type Salt [16]byte

// Ident says whose groups these are.
type Ident struct {
	Log      base.ObjectNum
	Database DatabaseID
}

// Extent is a piece of the database file, in bytes. Offset and Length are multiples of
// vfs.AlignMaxBytes.
type Extent struct {
	Offset, Length int64
}

// End is the offset behind the extent.
func (e Extent) End() int64 { return e.Offset + e.Length }

// Position is the place in a log where the next group begins or would begin. The tail of the WAL
// and the end of a replay are positions.
type Position struct {
	// Extent that holds Offset.
	Extent Extent
	// Offset in the file, from Extent.Offset to Extent.End() inclusive. At the end nothing is read
	// there and the group stands at the beginning of a linked extent.
	Offset int64
	// Seq of the next group.
	Seq Seq
	// Digest of the group before; zero at the beginning of a log.
	Digest uint64
	// Epoch of the group before; zero at the beginning of a log and where it is not known.
	Epoch base.Epoch
}

// Start is the position of the first group of a log that begins in e.
func Start(e Extent) Position { return Position{Extent: e, Offset: e.Offset, Seq: 1} }

// GroupBytes is the length on disk of a group whose frames have frameBytes bytes in all, heads and
// checksums included.
func GroupBytes(frameBytes, align int) int64 {
	return vfs.AlignUp(HeaderBytes+int64(frameBytes), align)
}

// EmptyGroupBytes is the length on disk of a group without frames: one block.
func EmptyGroupBytes(align int) int64 { return GroupBytes(0, align) }

// frameBytes is the length of a frame with this payload, as it is on disk.
func frameBytes(payload int) int { return FrameHeadBytes + payload + FrameTailBytes }

// FitsWAL says whether a group with frameBytes of frames may go to offset off of its segment: one
// block stays free behind it for an empty group.
func FitsWAL(e Extent, off int64, frameBytes, align int) bool {
	return GroupBytes(frameBytes, align)+EmptyGroupBytes(align) <= e.End()-off
}

// NextRecordFrameBytes bounds the frame of the manifest's record next {offset, length}, so that
// its group is one block at any alignment.
const NextRecordFrameBytes = vfs.SectorBytes - HeaderBytes

// FitsManifest says whether a group with frameBytes of frames may go to offset off of its extent:
// two blocks stay free behind it, one for the group that holds only next, one for an empty group.
func FitsManifest(e Extent, off int64, frameBytes, align int) bool {
	return GroupBytes(frameBytes, align)+2*EmptyGroupBytes(align) <= e.End()-off
}
