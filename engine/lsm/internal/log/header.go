package log

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// magic begins every group. On disk: a new format has another one.
const magic = "kstnlog1"

// Offsets of the header's fields. On disk: never change.
const (
	offLog      = 8
	offDatabase = 16
	offEpoch    = 32
	offCount    = 36
	offSalt     = 40
	offSeq      = 56
	offPosition = 64
	offFirstLSN = 72
	offDigest   = 80
	offSynced   = 88
	offLength   = 96
	offCRC      = 100
)

// Header of a group, as on disk.
type Header struct {
	Ident    Ident
	Epoch    base.Epoch
	Count    uint32 // of frames
	Salt     Salt
	Seq      Seq
	Position int64 // in the file
	FirstLSN base.LSN
	Digest   uint64 // of the group before
	Synced   Seq
	Length   uint32 // in bytes, filler included
}

// encode writes the header into dst[:HeaderBytes].
func (h *Header) encode(dst []byte) {
	le := binary.LittleEndian
	copy(dst, magic)
	le.PutUint64(dst[offLog:], uint64(h.Ident.Log))
	copy(dst[offDatabase:], h.Ident.Database[:])
	le.PutUint32(dst[offEpoch:], uint32(h.Epoch))
	le.PutUint32(dst[offCount:], h.Count)
	copy(dst[offSalt:], h.Salt[:])
	le.PutUint64(dst[offSeq:], uint64(h.Seq))
	le.PutUint64(dst[offPosition:], uint64(h.Position))
	le.PutUint64(dst[offFirstLSN:], uint64(h.FirstLSN))
	le.PutUint64(dst[offDigest:], h.Digest)
	le.PutUint64(dst[offSynced:], uint64(h.Synced))
	le.PutUint32(dst[offLength:], h.Length)
	le.PutUint32(dst[offCRC:], crc32.Checksum(dst[:offCRC], castagnoli))
}

// decodeHeader reads a header whose own checksum holds and whose fields are within their bounds;
// false for anything else.
func decodeHeader(src []byte) (Header, bool) {
	if len(src) < HeaderBytes || string(src[:len(magic)]) != magic {
		return Header{}, false
	}
	le := binary.LittleEndian
	if crc32.Checksum(src[:offCRC], castagnoli) != le.Uint32(src[offCRC:]) {
		return Header{}, false
	}
	h := Header{
		Ident:    Ident{Log: base.ObjectNum(le.Uint64(src[offLog:]))},
		Epoch:    base.Epoch(le.Uint32(src[offEpoch:])),
		Count:    le.Uint32(src[offCount:]),
		Seq:      Seq(le.Uint64(src[offSeq:])),
		Position: int64(le.Uint64(src[offPosition:])),
		FirstLSN: base.LSN(le.Uint64(src[offFirstLSN:])),
		Digest:   le.Uint64(src[offDigest:]),
		Synced:   Seq(le.Uint64(src[offSynced:])),
		Length:   le.Uint32(src[offLength:]),
	}
	copy(h.Ident.Database[:], src[offDatabase:])
	copy(h.Salt[:], src[offSalt:])
	if h.Epoch > base.EpochMax || h.Count > FrameCountMax || h.Seq == 0 || h.Position < 0 ||
		h.Length < HeaderBytes || h.Length%vfs.SectorBytes != 0 {
		return Header{}, false
	}
	return h, true
}

// digest of a group: xxhash64 over its header and its frames' checksums in order.
func digest(header, crcs []byte) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(header[:HeaderBytes]) // never fails
	_, _ = d.Write(crcs)
	return d.Sum64()
}

// frameAt checks the frame at the beginning of src and returns its length on disk; false when it
// is not the whole, undamaged frame of this LSN.
func frameAt(src []byte, lsn base.LSN) (n int, ok bool) {
	if len(src) < FrameHeadBytes+FrameTailBytes {
		return 0, false
	}
	le := binary.LittleEndian
	payload := le.Uint32(src[8:])
	if base.LSN(le.Uint64(src)) != lsn || payload > FramePayloadMaxBytes {
		return 0, false
	}
	n = frameBytes(int(payload))
	if n > len(src) {
		return 0, false
	}
	body := n - FrameTailBytes
	return n, crc32.Checksum(src[:body], castagnoli) == le.Uint32(src[body:])
}

// frames are the frames of a group that hold.
type frames struct {
	payloads [][]byte
	crcs     []byte
}

// parse reads the frames of a whole group; false unless every one of them holds.
func (f *frames) parse(h *Header, group []byte) bool {
	f.payloads, f.crcs = f.payloads[:0], f.crcs[:0]
	rest := group[HeaderBytes:]
	for i := range h.Count {
		n, ok := frameAt(rest, h.FirstLSN+base.LSN(i))
		if !ok {
			return false
		}
		f.payloads = append(f.payloads, rest[FrameHeadBytes:n-FrameTailBytes])
		f.crcs = append(f.crcs, rest[n-FrameTailBytes:n]...)
		rest = rest[n:]
	}
	return true
}
