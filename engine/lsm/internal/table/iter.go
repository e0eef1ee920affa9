package table

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// IterOptions direct an iterator over a table.
type IterOptions struct {
	// NoFill leaves the block cache as it is: compaction reads everything once.
	NoFill bool
	// KeepValues keeps values valid and unchanged for as long as they are referenced. Without it they
	// are valid until the iterator moves.
	KeepValues bool
	// Limit is how many entries the caller expects to take; 0 means unknown.
	Limit int
}

// Iter walks the versions of a table in both directions. It implements base.Iterator; Reset makes it
// ready. It must not be copied.
type Iter struct {
	r    *Reader
	opts IterOptions
	m    *resident
	err  error

	lender  lender // of the block, if it is lent
	ahead   int    // blocks to read with the next one that follows on the last
	valid   bool
	blockAt int // index of the block that is loaded, -1 without
	b       block
	e       blockEntry
	off     int // of the entry in the block
	key     []byte

	// While the iterator goes backward, stops are the entries of the restart interval that begins
	// at interval, up to the current one, so that one step back need not decode it again.
	stops    []stop
	interval int // the restart, -1 when stops holds nothing
	slab     []byte
}

// stop is an entry on the way back; its key is slab[keyFrom:keyTo].
type stop struct {
	e              blockEntry
	off            int
	keyFrom, keyTo int
}

// NewIter returns an iterator over all versions, in both directions. Keys and values are valid until
// the next positioning call or Close.
func (r *Reader) NewIter() base.Iterator { return r.NewIterWith(IterOptions{}) }

// NewIterWith is NewIter with options.
func (r *Reader) NewIterWith(opts IterOptions) *Iter {
	it := &Iter{}
	it.Reset(r, opts)
	return it
}

// Reset makes an iterator over a table of one that is closed or was never used. It keeps the room that
// the other has for keys.
func (it *Iter) Reset(r *Reader, opts IterOptions) {
	it.r, it.opts, it.err = r, opts, nil
	it.lender.cache = r.opts.Cache
	it.blockAt, it.interval = -1, -1
}

func (it *Iter) fail(err error) bool {
	it.err, it.valid = err, false
	return false
}

// ready opens the table; false on an error, and once the iterator is closed.
func (it *Iter) ready() bool {
	it.valid = false
	if it.err != nil || it.r == nil {
		return false
	}
	if it.m == nil {
		m, err := it.r.open()
		if err != nil {
			return it.fail(err)
		}
		it.m = m
	}
	return true
}

// load makes block i the current one; the next ones will follow in the direction dir, 1 or -1.
func (it *Iter) load(i, dir int) bool {
	it.interval = -1
	if it.blockAt == i {
		return true
	}
	if it.blockAt >= 0 && i == it.blockAt+dir {
		it.ahead = min(2*it.ahead+1, aheadMax-1)
	} else {
		it.ahead = it.expected()
	}
	b, _, err := it.r.dataBlock(it.m, i, &it.lender, it.upkeep(), dir*it.ahead, nothing)
	if err != nil {
		it.blockAt = -1
		return it.fail(err)
	}
	it.b, it.blockAt = b, i
	return true
}

func nothing() {}

// expected is how many blocks the caller will want behind the first, as far as is known.
func (it *Iter) expected() int {
	perBlock := max(1, int(it.m.props.Entries)/it.m.fences.len())
	return min(it.opts.Limit/perBlock, aheadMax-1)
}

func (it *Iter) upkeep() (how upkeep) {
	if !it.opts.NoFill {
		how |= fill
	}
	if it.opts.KeepValues {
		how |= own
	}
	return how
}

// decode makes the entry at an offset the current one. The key before it is in it.key.
func (it *Iter) decode(off int) bool {
	if !it.b.entry(&it.e, off) || it.e.shared > len(it.key) {
		return it.fail(it.r.malformed(it.m, it.blockAt))
	}
	it.key = append(it.key[:it.e.shared], it.e.suffix...)
	it.off, it.valid = off, true
	return true
}

// begin moves to the first entry of block i.
func (it *Iter) begin(i int) bool {
	if i >= it.m.fences.len() {
		it.valid = false
		return false
	}
	if !it.load(i, 1) {
		return false
	}
	it.key = it.key[:0]
	return it.decode(it.b.restart(0))
}

// First moves to the first version.
func (it *Iter) First() bool { return it.ready() && it.begin(0) }

// SeekGE moves to the first version whose key is at or after key.
func (it *Iter) SeekGE(key []byte) bool {
	if !it.ready() {
		return false
	}
	i := it.m.fences.find(key)
	if i == it.m.fences.len() {
		return false
	}
	if !it.load(i, 1) {
		return false
	}
	r, ok := it.b.seekRestart(key)
	if !ok {
		return it.fail(it.r.malformed(it.m, i))
	}
	it.key = it.key[:0]
	for off := it.b.restart(r); off < len(it.b.data); off = it.e.next {
		if !it.decode(off) {
			return false
		}
		if bytes.Compare(it.key, key) >= 0 {
			return true
		}
	}
	if i+1 == it.m.fences.len() {
		return it.fail(it.r.malformed(it.m, i)) // its fence is its last key
	}
	return it.begin(i + 1) // the fence is at or after key, but need not be the last key of the block
}

// Last moves to the last version.
func (it *Iter) Last() bool {
	if !it.ready() {
		return false
	}
	return it.end(it.m.fences.len() - 1)
}

// end moves to the last entry of block i.
func (it *Iter) end(i int) bool {
	if i < 0 {
		it.valid = false
		return false
	}
	return it.load(i, -1) && it.collect(it.b.n-1, len(it.b.data)) && it.pop()
}

// SeekLT moves to the last version whose key is before key.
func (it *Iter) SeekLT(key []byte) bool {
	if !it.ready() {
		return false
	}
	i := it.m.fences.find(key)
	if i == it.m.fences.len() {
		return it.end(i - 1)
	}
	if !it.load(i, -1) {
		return false
	}
	r, ok := it.b.seekRestart(key)
	if !ok {
		return it.fail(it.r.malformed(it.m, i))
	}
	if !it.collect(r, len(it.b.data)) {
		return false
	}
	for n := len(it.stops); n > 0; n-- {
		s := &it.stops[n-1]
		if bytes.Compare(it.slab[s.keyFrom:s.keyTo], key) < 0 {
			it.stops = it.stops[:n]
			return it.pop()
		}
	}
	if r > 0 {
		return it.fail(it.r.malformed(it.m, i)) // its key was before key
	}
	return it.end(i - 1)
}

// collect fills stops with the entries of restart r that begin before limit.
func (it *Iter) collect(r, limit int) bool {
	if it.stops == nil {
		it.stops = make([]stop, 0, restartInterval)
		it.slab = make([]byte, 0, 64*restartInterval)
	}
	it.stops, it.slab, it.interval = it.stops[:0], it.slab[:0], r
	if r+1 < it.b.n {
		limit = min(limit, it.b.restart(r+1))
	}
	var s stop
	for off := it.b.restart(r); off < limit; off = s.e.next {
		prevFrom, prevTo := s.keyFrom, s.keyTo
		if !it.b.entry(&s.e, off) || s.e.shared > prevTo-prevFrom {
			return it.fail(it.r.malformed(it.m, it.blockAt))
		}
		s.off, s.keyFrom = off, len(it.slab)
		it.slab = append(it.slab, it.slab[prevFrom:prevFrom+s.e.shared]...)
		it.slab = append(it.slab, s.e.suffix...)
		s.keyTo = len(it.slab)
		it.stops = append(it.stops, s)
	}
	return true
}

// pop makes the last of stops the current entry and takes it off.
func (it *Iter) pop() bool {
	n := len(it.stops)
	if n == 0 {
		return it.fail(it.r.malformed(it.m, it.blockAt))
	}
	s := &it.stops[n-1]
	it.e, it.off = s.e, s.off
	it.key = append(it.key[:0], it.slab[s.keyFrom:s.keyTo]...)
	it.stops = it.stops[:n-1]
	it.valid = true
	return true
}

// Next moves forward.
func (it *Iter) Next() bool {
	if !it.valid {
		return false
	}
	it.interval = -1
	if it.e.next < len(it.b.data) {
		return it.decode(it.e.next)
	}
	return it.begin(it.blockAt + 1)
}

// Prev moves backward.
func (it *Iter) Prev() bool {
	if !it.valid {
		return false
	}
	if it.interval < 0 {
		r := it.b.restartAt(it.off)
		if !it.collect(r, it.off) {
			return false
		}
	}
	if len(it.stops) > 0 {
		return it.pop()
	}
	if it.interval > 0 {
		return it.collect(it.interval-1, len(it.b.data)) && it.pop()
	}
	return it.end(it.blockAt - 1)
}

// restartAt returns the last restart at or before an offset.
func (b *block) restartAt(off int) int {
	lo, hi := 0, b.n-1
	for lo < hi {
		mid := int(uint(lo+hi+1) >> 1)
		if b.restart(mid) <= off {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return lo
}

// Valid says whether the iterator stands on a version.
func (it *Iter) Valid() bool { return it.valid }

// Key is valid until the next positioning call.
func (it *Iter) Key() []byte { return it.key }

// LSN of the version.
func (it *Iter) LSN() base.LSN { return it.e.lsn }

// Kind of the version.
func (it *Iter) Kind() base.Kind { return it.e.kind }

// Value is valid until the next positioning call or, with KeepValues, for good.
func (it *Iter) Value() []byte { return it.e.value }

// Err returns what stopped the iterator.
func (it *Iter) Err() error { return it.err }

// keyRoomMax is how much room for keys a closed iterator keeps.
const keyRoomMax = 16 << 10

// Close lets go of the table, and of all that was read of it.
func (it *Iter) Close() error {
	it.r, it.m, it.b, it.e = nil, nil, block{}, blockEntry{}
	it.valid, it.blockAt, it.ahead, it.interval = false, -1, 0, -1
	it.lender.giveBack()
	it.key = emptied(it.key)
	if it.stops != nil {
		clear(it.stops[:cap(it.stops)])
		it.stops, it.slab = it.stops[:0], emptied(it.slab)
	}
	return nil
}

// emptied returns room for keys without the keys, or nil for too much of it.
func emptied(room []byte) []byte {
	if cap(room) > keyRoomMax {
		return nil
	}
	clear(room[:cap(room)])
	return room[:0]
}
