package table

import (
	"bytes"
	"encoding/binary"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

const (
	blockBaseBytes = 8
	// entryMaxOverheadBytes bounds the four uvarints of an entry.
	entryMaxOverheadBytes = 4 * binary.MaxVarintLen64
)

// blockBuilder encodes a data block.
type blockBuilder struct {
	buf      []byte
	restarts []uint32
	n        int
	base     base.LSN
	first    []byte
	last     []byte
}

func (b *blockBuilder) reset() {
	b.buf, b.restarts, b.n = b.buf[:0], b.restarts[:0], 0
	b.last = b.last[:0]
}

// size of the block if it were finished now.
func (b *blockBuilder) size() int { return len(b.buf) + 4*len(b.restarts) + 4 }

func (b *blockBuilder) add(e base.Entry) {
	if b.n == 0 {
		b.base = e.LSN
		b.first = append(b.first[:0], e.Key...)
		b.buf = binary.LittleEndian.AppendUint64(b.buf, uint64(e.LSN))
	}
	shared := 0
	if b.n%restartInterval == 0 {
		b.restarts = append(b.restarts, uint32(len(b.buf)))
	} else {
		shared = sharedLen(b.last, e.Key)
	}
	size := uint64(len(e.Value)) << 1
	if e.Kind == base.KindTombstone {
		size |= 1
	}
	b.buf = binary.AppendUvarint(b.buf, uint64(shared))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(e.Key)-shared))
	b.buf = binary.AppendUvarint(b.buf, size)
	b.buf = binary.AppendVarint(b.buf, int64(e.LSN-b.base))
	b.buf = append(b.buf, e.Key[shared:]...)
	b.buf = append(b.buf, e.Value...)
	b.last = append(b.last[:shared], e.Key[shared:]...)
	b.n++
}

// finish returns the block, valid until reset.
func (b *blockBuilder) finish() []byte {
	for _, r := range b.restarts {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, r)
	}
	b.buf = binary.LittleEndian.AppendUint32(b.buf, uint32(len(b.restarts)))
	return b.buf
}

// block is a decoded data block. Everything that reads it checks bounds: its checksum says that it
// is what was written, not that what was written made sense.
type block struct {
	data     []byte // entries, after the base
	restarts []byte // 4 bytes each
	n        int    // restarts
	base     base.LSN
}

// parseBlock splits a block; ok is false when it is malformed.
func parseBlock(raw []byte) (b block, ok bool) {
	if len(raw) < blockBaseBytes+8 {
		return block{}, false
	}
	n := int64(binary.LittleEndian.Uint32(raw[len(raw)-4:]))
	end := int64(len(raw)) - 4 - 4*n
	if n == 0 || end < blockBaseBytes {
		return block{}, false
	}
	return block{
		data: raw[:end:end], restarts: raw[end : len(raw)-4], n: int(n),
		base: base.LSN(binary.LittleEndian.Uint64(raw)),
	}, true
}

// restart returns the offset of the i-th restart; an offset out of bounds is caught by entry.
func (b *block) restart(i int) int {
	return int(binary.LittleEndian.Uint32(b.restarts[4*i:]))
}

// blockEntry is one entry as it stands in the block.
type blockEntry struct {
	shared int
	suffix []byte
	value  []byte
	lsn    base.LSN
	kind   base.Kind
	next   int // offset of the entry behind it
}

// uvarintAt is binary.Uvarint with the one-byte case inlined; the second result is 0 on bad bytes.
func uvarintAt(b []byte, off int) (uint64, int) {
	if off < len(b) && b[off] < 0x80 {
		return uint64(b[off]), off + 1
	}
	return longUvarintAt(b, off)
}

func longUvarintAt(b []byte, off int) (uint64, int) {
	if off >= len(b) {
		return 0, 0
	}
	v, n := binary.Uvarint(b[off:])
	if n <= 0 {
		return 0, 0
	}
	return v, off + n
}

// entry decodes the entry at an offset; false when it is malformed.
func (b *block) entry(e *blockEntry, off int) bool {
	if off < blockBaseBytes {
		return false
	}
	var shared, unshared, size uint64
	d := b.data
	if off+4 <= len(d) && d[off]|d[off+1] < 0x80 && d[off+3] < 0x80 {
		// Nearly always: short keys, and a value below 8 KiB. d[off+3] may already be the next
		// number when the value is below 64 bytes.
		shared, unshared, size = uint64(d[off]), uint64(d[off+1]), uint64(d[off+2])
		off += 3
		if size >= 0x80 {
			size = size&0x7f | uint64(d[off])<<7
			off++
		}
	} else {
		if shared, off = uvarintAt(d, off); off == 0 {
			return false
		}
		if unshared, off = uvarintAt(d, off); off == 0 {
			return false
		}
		if size, off = uvarintAt(d, off); off == 0 {
			return false
		}
	}
	zigzag, off := uvarintAt(d, off)
	left := uint64(len(b.data) - off)
	if off == 0 || unshared > left || size>>1 > left-unshared || shared > blockRawMaxBytes {
		return false
	}
	e.lsn = b.base + base.LSN(zigzag>>1^-(zigzag&1))
	e.shared = int(shared)
	e.kind = base.KindPut
	if size&1 != 0 {
		e.kind = base.KindTombstone
	}
	valueAt := off + int(unshared)
	e.next = valueAt + int(size>>1)
	e.suffix = b.data[off:valueAt:valueAt]
	e.value = b.data[valueAt:e.next:e.next]
	return true
}

// seekRestart returns the last restart whose key is before key, 0 if there is none.
func (b *block) seekRestart(key []byte) (int, bool) {
	var e blockEntry
	lo, hi := 0, b.n-1 // the answer is in lo..hi
	for lo < hi {
		mid := int(uint(lo+hi+1) >> 1)
		if !b.entry(&e, b.restart(mid)) || e.shared != 0 {
			return 0, false
		}
		if bytes.Compare(e.suffix, key) < 0 {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo, true
}

// outcome of a search in one block.
type outcome uint8

const (
	absent    outcome = iota // the key, or a version that is old enough, is not in the table
	found                    // the entry is filled in
	goOn                     // the block ended; the next one may hold older versions of the key
	malformed                // the block makes no sense
)

// get looks for the newest version of key at or below maxLSN. It compares without putting keys
// together: matched is how many bytes of key the entry before has in common with it, and that
// entry is before key.
func (b *block) get(e *blockEntry, key []byte, maxLSN base.LSN) outcome {
	r, ok := b.seekRestart(key)
	if !ok {
		return malformed
	}
	matched, equal := 0, false
	for off := b.restart(r); off < len(b.data); off = e.next {
		if !b.entry(e, off) {
			return malformed
		}
		if e.shared == 0 {
			matched = 0 // a restart says nothing about what it shares
		}
		switch {
		case e.shared > matched:
			// The key differs from the target where the one before did: still before it. After an
			// equal key this is a longer key, behind the target.
			if equal {
				return absent
			}
			continue
		case e.shared < matched:
			// Sorted after the one before, at a byte that was equal to the target's: behind it.
			return absent
		}
		rest := key[matched:]
		n := sharedLen(e.suffix, rest)
		matched += n
		switch {
		case n == len(e.suffix) && n == len(rest):
			equal = true
			if e.lsn <= maxLSN {
				return found
			}
		case n < len(e.suffix) && (n == len(rest) || e.suffix[n] > rest[n]):
			return absent
		}
	}
	return goOn
}
