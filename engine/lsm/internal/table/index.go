package table

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// indexBuilder encodes the index block.
type indexBuilder struct {
	entries []byte
	n       int
	prev    []byte
}

func appendShared(dst, prev, key []byte) []byte {
	n := sharedLen(prev, key)
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, uint64(len(key)-n))
	return append(dst, key[n:]...)
}

func sharedLen(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+8 <= n && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]) {
		i += 8
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func (x *indexBuilder) add(length uint32, first, last []byte) {
	x.entries = binary.AppendUvarint(x.entries, uint64(length))
	x.entries = appendShared(x.entries, x.prev, first)
	x.entries = appendShared(x.entries, first, last)
	x.prev = append(x.prev[:0], last...)
	x.n++
}

func (x *indexBuilder) append(dst []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(x.n)), x.entries...)
}

// index is a decoded index block.
type index struct {
	blocks []section
	// keys holds first and last key of block i one after the other: from ends[2i-1] (0 for the
	// first block) to ends[2i], and from there to ends[2i+1].
	keys []byte
	ends []uint32
	// All keys share their first common bytes; the eight after those, as a number, are the mark.
	common int
	marks  []uint64 // of the last keys
}

// parseIndex decodes an index block; ok is false when it is malformed. dataEnd is where the filter
// block begins: the data blocks must end there.
func parseIndex(b []byte, dataEnd uint32) (x *index, ok bool) {
	d := decoder{b: b}
	n := d.uvarint()
	const entryMinBytes = 5
	if n == 0 || n > uint64(len(d.b)/entryMinBytes) {
		return nil, false
	}
	x = &index{blocks: make([]section, 0, n), ends: make([]uint32, 0, 2*n)}
	at := uint64(headerBytes)
	var prev section // in keys
	for range n {
		length := d.uvarint()
		if length <= trailerBytes || length > uint64(dataEnd) || at+length > uint64(dataEnd) {
			return nil, false
		}
		x.blocks = append(x.blocks, section{uint32(at), uint32(length)})
		at += length
		for range 2 {
			shared := d.uvarint()
			rest := d.bytes(d.uvarint())
			if d.bad || shared > uint64(prev.length) || len(x.keys) > sectionRawMaxBytes {
				return nil, false
			}
			from := uint32(len(x.keys))
			x.keys = append(x.keys, x.keys[prev.offset:prev.offset+uint32(shared)]...)
			x.keys = append(x.keys, rest...)
			prev = section{from, uint32(len(x.keys)) - from}
			x.ends = append(x.ends, uint32(len(x.keys)))
		}
	}
	if d.bad || len(d.b) != 0 || at != uint64(dataEnd) || !x.sorted() {
		return nil, false
	}
	x.keys = slices.Clip(x.keys)
	x.mark()
	return x, true
}

func (x *index) sorted() bool {
	for i := range x.blocks {
		if bytes.Compare(x.first(i), x.last(i)) > 0 {
			return false
		}
		if i > 0 && bytes.Compare(x.last(i-1), x.first(i)) > 0 {
			return false
		}
	}
	return true
}

func (x *index) mark() {
	x.common = sharedLen(x.first(0), x.last(len(x.blocks)-1))
	x.marks = make([]uint64, len(x.blocks))
	for i := range x.marks {
		x.marks[i] = markOf(x.last(i)[x.common:])
	}
}

// markOf returns the first eight bytes as a number, in the order of the bytes.
func markOf(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var p [8]byte
	copy(p[:], b)
	return binary.BigEndian.Uint64(p[:])
}

func (x *index) first(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = x.ends[2*i-1]
	}
	return x.keys[from:x.ends[2*i]]
}

func (x *index) last(i int) []byte { return x.keys[x.ends[2*i]:x.ends[2*i+1]] }

// bytes held in memory.
func (x *index) bytes() int64 {
	return int64(cap(x.keys) + 4*cap(x.ends) + 8*cap(x.blocks) + 8*cap(x.marks))
}

// find returns the first block whose last key is at or after key; len(blocks) if there is none.
func (x *index) find(key []byte) int {
	c := x.common
	if len(key) < c || !bytes.Equal(key[:c], x.keys[:c]) {
		if bytes.Compare(key, x.keys[:c]) < 0 {
			return 0
		}
		return len(x.blocks)
	}
	mark := markOf(key[c:])
	lo, hi := 0, len(x.marks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		m := x.marks[mid]
		if m < mark || (m == mark && bytes.Compare(x.last(mid)[c:], key[c:]) < 0) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
