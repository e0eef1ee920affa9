package table

import (
	"bytes"
	"encoding/binary"
)

// fences is what stays in memory of an index: where the blocks are, and for each block but the last a
// short key that is not before its last key, and before the first key of the next block where these two
// differ; for the last block its last key. That is a fifth of the index with all its keys.
type fences struct {
	starts []uint32 // of the blocks, and where the last one ends
	// All fences share their first bytes. keys holds the rest of fence i, from ends[i-1] to ends[i]; the
	// first eight bytes of that, as a number, are its mark.
	common []byte
	keys   []byte
	ends   []uint32
	marks  []uint64
}

func (x *index) fences() *fences {
	n := len(x.blocks)
	f := &fences{
		starts: make([]uint32, n+1), ends: make([]uint32, n), marks: make([]uint64, n),
	}
	// Fences are in order, so that all share what the first and the last do.
	f.common = bytes.Clone(x.fence(n - 1)[:sharedLen(x.fence(0), x.fence(n-1))])
	size := 0
	for i := range n {
		size += len(x.fence(i)) - len(f.common)
	}
	f.keys = make([]byte, 0, size)
	for i, s := range x.blocks {
		rest := x.fence(i)[len(f.common):]
		f.starts[i] = s.offset
		f.keys = append(f.keys, rest...)
		f.ends[i] = uint32(len(f.keys))
		f.marks[i] = markOf(rest)
	}
	f.starts[n] = uint32(x.blocks[n-1].end())
	return f
}

// fence returns a short key from the last of block i, included, to the first of the next.
func (x *index) fence(i int) []byte {
	last := x.last(i)
	if i+1 == len(x.blocks) {
		return last
	}
	next := x.first(i + 1)
	if n := sharedLen(last, next) + 1; n < len(next) {
		return next[:n]
	}
	return last
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

// len is the number of blocks, at least one.
func (f *fences) len() int { return len(f.marks) }

// block says where the i-th block is.
func (f *fences) block(i int) section {
	return section{offset: f.starts[i], length: f.starts[i+1] - f.starts[i]}
}

// rest returns fence i without what all share.
func (f *fences) rest(i int) []byte {
	from := uint32(0)
	if i > 0 {
		from = f.ends[i-1]
	}
	return f.keys[from:f.ends[i]]
}

// bytes held in memory.
func (f *fences) bytes() int64 {
	return int64(cap(f.common) + cap(f.keys) + 4*cap(f.starts) + 4*cap(f.ends) + 8*cap(f.marks))
}

// find returns the first block that key may be in; len if there is none. All keys of the blocks before
// are before key, all of those behind are at or after it.
func (f *fences) find(key []byte) int {
	c := len(f.common)
	if len(key) < c || !bytes.Equal(key[:c], f.common) {
		if bytes.Compare(key, f.common) < 0 {
			return 0
		}
		return f.len()
	}
	key = key[c:]
	mark := markOf(key)
	lo, hi := 0, len(f.marks)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		m := f.marks[mid]
		if m < mark || (m == mark && bytes.Compare(f.rest(mid), key) < 0) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// at says whether a fence, which is not before key, is key: only then may the block behind it hold
// more versions of key.
func (f *fences) at(i int, key []byte) bool {
	c := len(f.common)
	return len(key) >= c && bytes.Equal(f.rest(i), key[c:])
}
