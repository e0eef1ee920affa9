package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// A frame's payload is a batch:
//
//	payload = kind 1 · body
//	kind 1 (inline)   body = op*
//	kind 2 (spilled)  body = length 8 · digest 8 · count uvarint · (offset uvarint · length uvarint)*
//	op = op kind 1 · key length uvarint · key [· value length uvarint · value]
//
// Op kind 1 is a put, 2 a delete without a value. A spilled batch keeps its op* in heap extents.
const (
	payloadInline  = 1
	payloadSpilled = 2
)

var errBatch = errors.New("batch does not parse")

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
	dst[0] = payloadInline
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

func cutBytes(b []byte) (head, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, false
	}
	return b[w : w+int(n) : w+int(n)], b[w+int(n):], true
}

// eachOp calls fn for every op; key and value alias b.
func eachOp(b []byte, fn func(kind base.Kind, key, value []byte)) error {
	for len(b) > 0 {
		kind := base.Kind(b[0])
		if kind != base.KindPut && kind != base.KindTombstone {
			return errBatch
		}
		key, rest, ok := cutBytes(b[1:])
		if !ok || len(key) > storage.KeyMaxBytes {
			return errBatch
		}
		var value []byte
		if kind == base.KindPut {
			if value, rest, ok = cutBytes(rest); !ok {
				return errBatch
			}
		}
		fn(kind, key, value)
		b = rest
	}
	return nil
}
