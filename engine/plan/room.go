package plan

import (
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
)

// KeyBytes is the room that most keys need: head, lengths and short values.
const KeyBytes = 64

// Room is the memory of the keys of one request: they are cut from one piece, so that their number
// does not matter to the collector. The zero Room is ready for one key.
type Room struct {
	free []byte // empty; its capacity is what is left of the piece
	size int    // of the next piece
}

// NewRoom makes room for n keys of the usual length.
func NewRoom(n int) Room {
	size := n * KeyBytes
	return Room{free: make([]byte, 0, size), size: size}
}

// RoomOf makes room of memory that the caller has.
func RoomOf(memory []byte) Room { return Room{free: memory[:0]} }

// item makes the key of an item from the values of its key attributes; sort is nil when the table
// has none.
func (r *Room) item(t *schema.Table, hash, sort attr.Value) []byte {
	return r.taken(key.AppendValues(r.take(), t, hash, sort))
}

// take begins a key: what is appended goes back to taken before the next is begun.
func (r *Room) take() []byte {
	if cap(r.free) < KeyBytes {
		r.size = max(r.size, KeyBytes)
		r.free = make([]byte, 0, r.size)
	}
	return r.free
}

// taken ends a key.
func (r *Room) taken(k []byte) []byte {
	n := len(k)
	if n <= cap(r.free) { // otherwise it has grown out of the piece
		r.free = r.free[n:n]
	}
	return k[:n:n]
}
