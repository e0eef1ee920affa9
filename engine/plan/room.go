package plan

import (
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// itemKeyBytes is the room that most keys need: head, lengths and short values.
const itemKeyBytes = 64

// Room is the memory of the keys of one request: they are cut from one piece, so that their number
// does not matter to the collector. The zero Room is ready for one key.
type Room struct {
	free []byte // empty; its capacity is what is left of the piece
	size int    // of the next piece
}

// NewRoom makes room for n keys of the usual length.
func NewRoom(n int) Room {
	size := n * itemKeyBytes
	return Room{free: make([]byte, 0, size), size: size}
}

// item makes the key of an item from the values of its key attributes; sort is nil when the table
// has none.
func (r *Room) item(t *schema.Table, hash, sort attr.Value) []byte {
	if cap(r.free) < itemKeyBytes {
		r.size = max(r.size, itemKeyBytes)
		r.free = make([]byte, 0, r.size)
	}
	k := key.AppendValues(r.free, t, hash, sort)
	n := len(k)
	if n <= cap(r.free) { // otherwise it has grown out of the piece
		r.free = r.free[n:n]
	}
	return k[:n:n]
}
