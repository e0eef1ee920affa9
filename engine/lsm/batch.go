package lsm

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/storage"
)

func appendOps(dst []byte, ops []storage.Op) []byte {
	for i := range ops {
		op := &ops[i]
		kind := base.KindPut
		if op.Delete {
			kind = base.KindTombstone
		}
		dst = append(dst, byte(kind))
		dst = binary.AppendUvarint(dst, uint64(len(op.Key)))
		dst = append(dst, op.Key...)
		if !op.Delete {
			dst = binary.AppendUvarint(dst, uint64(len(op.Value)))
			dst = append(dst, op.Value...)
		}
	}
	return dst
}

// encodePayload fills dst, which has their length, with the ops, or with a reference to where they are
// spilled.
func encodePayload(dst []byte, ops []storage.Op, reference []byte) {
	if reference != nil {
		copy(dst, reference)
		return
	}
	dst[0] = ondisk.PayloadInline
	if n := len(appendOps(dst[:1], ops)); n != len(dst) {
		// The frame would be sealed over what the buffer held before.
		panic(fmt.Sprintf("lsm: a batch of %d bytes has a frame for %d", n, len(dst)))
	}
}

// opsBytes is how much appendOps appends.
func opsBytes(ops []storage.Op) int {
	n := 0
	for i := range ops {
		op := &ops[i]
		n += 1 + uvarintBytes(len(op.Key)) + len(op.Key)
		if !op.Delete {
			n += uvarintBytes(len(op.Value)) + len(op.Value)
		}
	}
	return n
}

// uvarintBytes is the length of n as a uvarint.
func uvarintBytes(n int) int { return (bits.Len64(uint64(n)|1) + 6) / 7 }
