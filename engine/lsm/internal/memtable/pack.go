package memtable

import (
	"unsafe"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

const (
	// pieceMinBytes and pieceMaxBytes bound the pieces of a packed memtable: about a quarter of what
	// it holds, so that a small one wastes little. The largest is the allocator's largest size class.
	pieceMinBytes = 1 << 10
	pieceMaxBytes = 32 << 10
	// packMaxBytes is the largest version that is packed.
	packMaxBytes = pieceMaxBytes / 4
)

// pack makes the first version of a key. In a packed memtable such versions share pieces of memory:
// an allocation, and an object for the collector to mark, for some 60 items of 400 bytes. A piece
// lives until nothing refers to any of its versions, usually as long as the memtable. So what
// replaces a version is never packed: a key that is overwritten for ever leaves one dead version in
// a piece, which goes on counting.
func (m *Memtable) pack(e base.Entry, multi bool) *Version {
	const align = int(unsafe.Alignof(Version{}))
	size := (versionBytes + len(e.Key) + len(e.Value) + align - 1) &^ (align - 1)
	if !m.packs || size > packMaxBytes {
		return newVersion(e, multi)
	}
	if size > len(m.room) {
		piece := pieceMinBytes
		for piece < pieceMaxBytes && (piece < size || int64(piece)*4 < m.bytes) {
			piece *= 2
		}
		m.room = make([]byte, piece)
	}
	v := fillVersion(m.room[:size:size], e, multi)
	v.packed = true
	m.room = m.room[size:]
	return v
}
