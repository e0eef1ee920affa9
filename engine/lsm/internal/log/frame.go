package log

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A frame is built in its own region of a group, outside every lock and beside the other frames:
//
//	frame := group.Reserve(log.FrameBytes(len(payload))) // with the LSN, under the log's mutex
//	copy(log.Payload(frame), payload)
//	log.SealFrame(frame, lsn)

// Payload is where the payload of a frame goes.
func Payload(frame []byte) []byte {
	end := len(frame) - FrameTailBytes
	return frame[FrameHeadBytes:end:end]
}

// SealFrame writes LSN, length and checksum into a frame whose payload is in place. It may run
// concurrently for different frames, as late as just before the group is sealed.
func SealFrame(frame []byte, lsn base.LSN) {
	body := len(frame) - FrameTailBytes
	binary.LittleEndian.PutUint64(frame, uint64(lsn))
	binary.LittleEndian.PutUint32(frame[8:], uint32(body-FrameHeadBytes))
	binary.LittleEndian.PutUint32(frame[body:], crc32.Checksum(frame[:body], castagnoli))
}

// AppendFrame appends a sealed frame: the simple form, for the manifest and for tests.
func AppendFrame(dst []byte, lsn base.LSN, payload []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, FrameBytes(len(payload)))...)
	copy(Payload(dst[at:]), payload)
	SealFrame(dst[at:], lsn)
	return dst
}
