package archived

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

const (
	magic     = "kstnarc1"
	version   = 1
	headBytes = 184
	sumBytes  = 8
	pieceHead = 16
	piecesMax = 1 << 20
)

// ErrChunk: an object of the archive is no chunk, or is damaged.
var ErrChunk = errors.New("a piece of the archived log is damaged")

// Piece is a part of the database file.
type Piece struct {
	Offset int64
	Data   []byte
}

// Chunk is some groups of the log.
type Chunk struct {
	Database log.DatabaseID
	Timeline [16]byte
	// Start is the position of the first group, End the one behind the last; both in one segment.
	Start, End log.Position
	// FirstLSN is that of the first frame, or of the one that comes next; LastLSN the last one up to the end.
	FirstLSN, LastLSN base.LSN
	// EpochMax is at least the epoch of all groups.
	EpochMax base.Epoch
	// Until is a time in milliseconds since 1970: what was acknowledged before is in this chunk or in
	// one before it.
	Until int64
	// Seen is a time, too: nothing in the chunk was written later.
	Seen int64
	// Pieces are the groups, and then the extents of spills.
	Pieces []Piece
}

// Bytes of all pieces.
func (c *Chunk) Bytes() (n int64) {
	for _, p := range c.Pieces {
		n += int64(len(p.Data))
	}
	return n
}

// Append appends the object.
func (c *Chunk) Append(dst []byte) []byte {
	at := len(dst)
	le := binary.LittleEndian
	dst = append(dst, magic...)
	dst = le.AppendUint32(dst, version)
	dst = le.AppendUint32(dst, uint32(len(c.Pieces)))
	dst = append(dst, c.Database[:]...)
	dst = append(dst, c.Timeline[:]...)
	seg := c.Start.Extent
	for _, n := range []uint64{
		uint64(c.Start.Seq), uint64(c.End.Seq - 1), uint64(c.FirstLSN), uint64(c.LastLSN), uint64(c.Until),
		uint64(seg.Offset), uint64(seg.Length), uint64(c.Start.Offset), uint64(c.End.Offset - c.Start.Offset),
		c.Start.Digest,
	} {
		dst = le.AppendUint64(dst, n)
	}
	dst = le.AppendUint32(dst, uint32(c.Start.Epoch))
	dst = le.AppendUint32(dst, uint32(c.End.Epoch))
	dst = le.AppendUint64(dst, c.End.Digest)
	dst = le.AppendUint32(dst, uint32(c.EpochMax))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, uint64(c.Seen))
	dst = append(dst, make([]byte, at+headBytes-len(dst))...)
	for _, p := range c.Pieces {
		dst = le.AppendUint64(dst, uint64(p.Offset))
		dst = le.AppendUint64(dst, uint64(len(p.Data)))
		dst = append(dst, p.Data...)
	}
	return le.AppendUint64(dst, xxhash.Sum64(dst[at:]))
}

// Decode parses an object and verifies its digest; the pieces alias b.
func Decode(b []byte) (*Chunk, error) {
	end := len(b) - sumBytes
	if end < headBytes || binary.LittleEndian.Uint64(b[end:]) != xxhash.Sum64(b[:end]) {
		return nil, fmt.Errorf("%w: digest", ErrChunk)
	}
	c, pieces, err := decodeHead(b)
	if err != nil {
		return nil, err
	}
	rest := b[headBytes:end]
	for range pieces {
		if len(rest) < pieceHead {
			return nil, fmt.Errorf("%w: it ends early", ErrChunk)
		}
		p := Piece{Offset: int64(binary.LittleEndian.Uint64(rest))}
		n := binary.LittleEndian.Uint64(rest[8:])
		rest = rest[pieceHead:]
		if n > uint64(len(rest)) {
			return nil, fmt.Errorf("%w: it ends early", ErrChunk)
		}
		p.Data, rest = rest[:n:n], rest[n:]
		c.Pieces = append(c.Pieces, p)
	}
	if len(rest) != 0 || len(c.Pieces) == 0 || int64(len(c.Pieces[0].Data)) != c.End.Offset-c.Start.Offset {
		return nil, fmt.Errorf("%w: pieces", ErrChunk)
	}
	return c, nil
}

// ReadHead reads the head of an object only, whose digest it does not verify: the chunk has no pieces.
func ReadHead(r io.Reader) (*Chunk, error) {
	var b [headBytes]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrChunk, err)
	}
	c, _, err := decodeHead(b[:])
	return c, err
}

func decodeHead(b []byte) (c *Chunk, pieces int, err error) {
	le := binary.LittleEndian
	if string(b[:8]) != magic {
		return nil, 0, fmt.Errorf("%w: it is something else", ErrChunk)
	}
	if v := le.Uint32(b[8:]); v != version {
		return nil, 0, fmt.Errorf("the archived log has format %d, this program knows %d", v, version)
	}
	u64 := func(at int) uint64 { return le.Uint64(b[at:]) }
	seg := log.Extent{Offset: int64(u64(88)), Length: int64(u64(96))}
	c = &Chunk{
		FirstLSN: base.LSN(u64(64)), LastLSN: base.LSN(u64(72)), Until: int64(u64(80)),
		Start: log.Position{
			Extent: seg, Offset: int64(u64(104)), Seq: log.Seq(u64(48)), Digest: u64(120), Epoch: base.Epoch(le.Uint32(b[128:])),
		},
		EpochMax: base.Epoch(le.Uint32(b[144:])), Seen: int64(u64(152)),
	}
	copy(c.Database[:], b[16:])
	copy(c.Timeline[:], b[32:])
	c.End = log.Position{
		Extent: seg, Offset: c.Start.Offset + int64(u64(112)), Seq: log.Seq(u64(56)) + 1, Digest: u64(136),
		Epoch: base.Epoch(le.Uint32(b[132:])),
	}
	pieces = int(le.Uint32(b[12:]))
	if pieces > piecesMax || c.End.Seq < c.Start.Seq || c.Start.Offset < seg.Offset || c.End.Offset > seg.End() ||
		c.End.Offset < c.Start.Offset || seg.Offset < 0 || seg.Length < 0 {
		return nil, 0, fmt.Errorf("%w: impossible places", ErrChunk)
	}
	return c, pieces, nil
}

// ReadAt reads as the database file would: what the chunk does not hold reads as zeros.
func (c *Chunk) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for _, piece := range c.Pieces {
		from, to := max(off, piece.Offset), min(off+int64(len(p)), piece.Offset+int64(len(piece.Data)))
		if from < to {
			copy(p[from-off:to-off], piece.Data[from-piece.Offset:])
		}
	}
	return len(p), nil
}

// Config is for a reader over the groups of the chunk; keys are those of the database.
func (c *Chunk) Config(keys *crypt.Keys) log.ReaderConfig {
	return log.ReaderConfig{
		File: c, Ident: log.Ident{Log: log.WAL, Database: c.Database}, EpochMax: c.EpochMax,
		Start: c.Start, Until: c.End.Seq - 1, Region: "archived log", Keys: keys,
	}
}
