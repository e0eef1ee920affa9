package table

import (
	"bytes"
	"encoding/binary"
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

// index is a decoded index block, with the first and the last key of each data block.
type index struct {
	blocks []section
	// keys holds first and last key of block i one after the other: from ends[2i-1] (0 for the
	// first block) to ends[2i], and from there to ends[2i+1].
	keys []byte
	ends []uint32
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

func (x *index) first(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = x.ends[2*i-1]
	}
	return x.keys[from:x.ends[2*i]]
}

func (x *index) last(i int) []byte { return x.keys[x.ends[2*i]:x.ends[2*i+1]] }
