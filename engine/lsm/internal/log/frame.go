package log

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A frame is built outside every lock: BeginFrame reserves the head, the caller appends the
// payload, EndFrame adds room for the checksum, and SealFrame fills head and checksum in when the
// LSN is known.
//
//	buf, at := log.BeginFrame(buf)
//	buf = append(buf, payload...)
//	buf = log.EndFrame(buf)
//	log.SealFrame(buf[at:], lsn)

// BeginFrame appends the room of a frame's head to dst and returns dst and where the frame begins.
func BeginFrame(dst []byte) (buf []byte, at int) {
	at = len(dst)
	return append(dst, make([]byte, FrameHeadBytes)...), at
}

// EndFrame appends the room of the checksum.
func EndFrame(dst []byte) []byte { return append(dst, make([]byte, FrameTailBytes)...) }

// SealFrame writes LSN, length and checksum into a whole frame. It may run concurrently for
// different frames, as late as just before the group is sealed.
func SealFrame(frame []byte, lsn base.LSN) {
	body := len(frame) - FrameTailBytes
	binary.LittleEndian.PutUint64(frame, uint64(lsn))
	binary.LittleEndian.PutUint32(frame[8:], uint32(body-FrameHeadBytes))
	binary.LittleEndian.PutUint32(frame[body:], crc32.Checksum(frame[:body], castagnoli))
}

// AppendFrame appends a sealed frame: the simple form, for the manifest and for tests.
func AppendFrame(dst []byte, lsn base.LSN, payload []byte) []byte {
	dst, at := BeginFrame(dst)
	dst = EndFrame(append(dst, payload...))
	SealFrame(dst[at:], lsn)
	return dst
}
