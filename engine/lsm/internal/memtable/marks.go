package memtable

import (
	"bytes"
	"encoding/binary"
)

const (
	// nodeMax is the most keys of a node.
	nodeMax = 64
	// shareAt is how many keys a new leaf has when their marks are chosen for the first time.
	shareAt = 16
	// markBytes of a key make its mark.
	markBytes = 8
)

// marks stand for the keys of a node, so that most comparisons need no key, which would be a cache
// miss. What all keys share behind the tree's prefix is kept once; the mark of a key is the eight
// bytes behind that, as a number. Marks lie next to each other and order as the keys do; equal ones
// decide nothing.
//
// In the methods a key is given without the tree's prefix.
type marks struct {
	common []byte
	at     [nodeMax]uint64
}

// markOf returns the first eight bytes as a number, with zeros behind a short key.
func markOf(key []byte) uint64 {
	if len(key) >= markBytes {
		return binary.BigEndian.Uint64(key)
	}
	var b [markBytes]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// place tells a key before all keys of the node (side < 0) from one behind them all (side > 0) and
// from one whose mark says more (side 0).
func (m *marks) place(key []byte) (side int, mark uint64) {
	n := len(m.common)
	if side = bytes.Compare(key[:min(n, len(key))], m.common); side != 0 {
		return side, 0
	}
	return 0, markOf(key[n:])
}

// insert notes the i-th of now n keys, which key returns.
func (m *marks) insert(i, n int, key func(int) []byte) {
	side, mark := m.place(key(i))
	if side != 0 || n == shareAt {
		m.choose(n, key)
		return
	}
	copy(m.at[i+1:n], m.at[i:n-1])
	m.at[i] = mark
}

// remove forgets the i-th of n keys.
func (m *marks) remove(i, n int) { copy(m.at[i:], m.at[i+1:n]) }

// choose finds what n keys share and marks them anew.
func (m *marks) choose(n int, key func(int) []byte) {
	m.common = nil
	if n == 0 {
		return
	}
	first, last := key(0), key(n-1)
	shared := 0
	for shared < min(len(first), len(last)) && first[shared] == last[shared] {
		shared++
	}
	m.common = bytes.Clone(first[:shared])
	for i := range n {
		m.at[i] = markOf(key(i)[shared:])
	}
}
