package log

import (
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
)

// DecodeHeader reads what may be a header: false unless its own checksum holds. For those who look for
// groups without knowing where they are.
func DecodeHeader(src []byte) (Header, bool) { return decodeHeader(src) }

// Magic begins every group.
const Magic = magic

// Rescue calls fn for each frame of a group that holds, whatever became of the others: a frame is a
// whole batch. It returns how many do not. The payloads are valid during the call.
func Rescue(h *Header, group []byte, keys *crypt.Keys, fn func(lsn base.LSN, payload []byte)) (lost int) {
	o := opener{keys: keys}
	rest := group[min(HeaderBytes, len(group)):]
	for i := range h.Count {
		lsn := h.FirstLSN + base.LSN(i)
		n, ok := frameAt(rest, lsn)
		if ok {
			one := *h
			one.FirstLSN = lsn
			payloads := [][]byte{rest[FrameHeadBytes : n-FrameTailBytes]}
			if ok = o.open(&one, payloads) == nil; ok {
				fn(lsn, payloads[0])
			}
		}
		if !ok {
			lost++
			// Its length may be right all the same: then the next frame stands behind it.
			if len(rest) < FrameHeadBytes {
				return lost + int(h.Count-i) - 1
			}
			n = frameBytes(int(min(binary.LittleEndian.Uint32(rest[8:]), FramePayloadMaxBytes)))
		}
		rest = rest[min(n, len(rest)):]
	}
	return lost
}
