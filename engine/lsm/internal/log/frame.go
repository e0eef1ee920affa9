package log

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Term is what the groups of one writer have in common, from the open of a log until it is closed or
// takes a new epoch: the epoch, a salt that no other term has, and the cipher that follows from it. Safe
// for concurrent use.
type Term struct {
	ident  Ident
	epoch  base.Epoch
	salt   Salt
	sealer *crypt.Sealer // nil for a plain file
}

// NewTerm derives the cipher of a log and salt. Nil keys are those of a plain file.
func NewTerm(ident Ident, epoch base.Epoch, salt Salt, keys *crypt.Keys) (*Term, error) {
	sealer, err := keys.Sealer(crypt.Log, salt[:], uint64(ident.Log))
	if err != nil {
		return nil, err
	}
	return &Term{ident: ident, epoch: epoch, salt: salt, sealer: sealer}, nil
}

// A frame is built in its own region of a group, outside every lock and beside the other frames:
//
//	frame := group.Reserve(term.FrameBytes(len(payload))) // with the LSN, under the log's mutex
//	copy(term.Payload(frame), payload)
//	term.SealFrame(frame, lsn)

// FrameBytes is the length of a frame with this payload in a log whose terms have these keys.
func FrameBytes(payload int, keys *crypt.Keys) int { return frameBytes(payload + keys.Overhead()) }

// FrameBytes is the length of a frame with this payload. A nil Term is that of a log in memory.
func (t *Term) FrameBytes(payload int) int {
	if t == nil {
		return frameBytes(payload)
	}
	return frameBytes(payload + t.sealer.Overhead())
}

// Payload is where the payload of a frame goes.
func (t *Term) Payload(frame []byte) []byte {
	end := len(frame) - FrameTailBytes - t.sealer.Overhead()
	return frame[FrameHeadBytes:end:end]
}

// SealFrame completes a frame whose payload is in place: encrypts it and writes LSN, length and
// checksum. It may run concurrently for different frames, as late as just before the group is sealed. A
// term seals one frame for an LSN.
func (t *Term) SealFrame(frame []byte, lsn base.LSN) {
	body := len(frame) - FrameTailBytes
	t.sealer.Seal(frame[FrameHeadBytes:body:body], uint32(t.epoch), uint64(lsn))
	binary.LittleEndian.PutUint64(frame, uint64(lsn))
	binary.LittleEndian.PutUint32(frame[8:], uint32(body-FrameHeadBytes))
	binary.LittleEndian.PutUint32(frame[body:], crc32.Checksum(frame[:body], castagnoli))
}

// AppendFrame appends a sealed frame: the simple form, for the manifest and for tests.
func (t *Term) AppendFrame(dst []byte, lsn base.LSN, payload []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, t.FrameBytes(len(payload)))...)
	copy(t.Payload(dst[at:]), payload)
	t.SealFrame(dst[at:], lsn)
	return dst
}
