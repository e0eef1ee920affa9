package stream

import (
	"context"
	"math"
	"slices"

	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// Merge reads the records of a stream in the order of their positions, whichever slots they are in, page
// by page. It looks only at slots that may have something, one after the other: it holds one iterator
// and at most one record more than a page, whatever the number of slots. It is not safe for concurrent
// use.
type Merge struct {
	stream *schema.Stream
	// only is the id of the one shard that is wanted, empty for all.
	only string
	// first is the slot of the zeroth element of the lists that follow.
	first uint32
	// shards are those of each slot, in order of their beginning.
	shards [][]*schema.Shard
	// from is, by slot, where its records still to come begin; upTo is the highest Seq of a record that
	// there may be.
	from []Position
	upTo []storage.Seq
	next Position
	// changed is the Seq of the last change of the stream that is known of.
	changed storage.Seq
	// last is the Seq with which what is wanted ends, if ended says that it does.
	last  uint64
	ended bool
}

// NewMerge reads a stream from a position on, or one shard of it.
func NewMerge(s *schema.Stream, shard *schema.Shard, from Position) *Merge {
	m := &Merge{next: from}
	first, slots := uint32(0), s.Slots
	if shard != nil {
		m.only, first, slots = shard.ID, shard.Slot, 1
	}
	m.first = first
	m.from, m.upTo = make([]Position, slots), make([]storage.Seq, slots)
	for i := range m.from {
		m.from[i] = from
	}
	m.SetStream(s)
	return m
}

// Listen adds a listener for the slots of the merge.
func (m *Merge) Listen(b *Bell) *Listener { return b.Listen(m.first, uint32(len(m.from))) }

// Next is where the page that comes next begins.
func (m *Merge) Next() Position { return m.next }

// Stream is what is read, as of the last SetStream.
func (m *Merge) Stream() *schema.Stream { return m.stream }

// SetStream replaces the stream by what it is by now.
func (m *Merge) SetStream(s *schema.Stream) {
	m.stream, m.shards = s, make([][]*schema.Shard, len(m.from))
	m.last, m.ended = 0, true
	for i := range s.Shards {
		sh := &s.Shards[i]
		if m.only == "" || m.only == sh.ID {
			m.last, m.ended = max(m.last, sh.Last), m.ended && !sh.Open()
		}
		if at := sh.Slot - m.first; at < uint32(len(m.shards)) {
			m.shards[at] = append(m.shards[at], sh)
		}
	}
}

// Last is the Seq up to which there is something to read, given a watermark.
func (m *Merge) Last(mark storage.Seq) uint64 {
	if m.ended {
		return min(uint64(mark), m.last)
	}
	return uint64(mark)
}

// Ended says whether there are no more records and never will be.
func (m *Merge) Ended() bool { return m.ended && uint64(m.next.Seq) > m.last }

// Hear takes what a listener knows. mark is a watermark from before. It returns the highest Seq that is
// over and may lie above the watermark, and whether the stream has changed.
func (m *Merge) Hear(l *Listener, mark storage.Seq) (rung storage.Seq, changed bool) {
	idle := !m.Pending(math.MaxUint64)
	h := l.heard(m.upTo)
	if changed = h.changed > m.changed; h.changed <= mark {
		m.changed = h.changed
	}
	if idle && !h.first && !changed && h.lowest > 0 {
		m.Skip(min(uint64(h.lowest)-1, uint64(mark))) // a record before would have been noted
	}
	return h.rung, changed
}

// HearAll takes as known that there may be records in all slots up to a Seq.
func (m *Merge) HearAll(upTo storage.Seq) {
	for i := range m.upTo {
		m.upTo[i] = max(m.upTo[i], upTo)
	}
}

// Found is a record and its shard.
type Found struct {
	Record
	Shard *schema.Shard
}

// Pending says whether there may be records up to a Seq.
func (m *Merge) Pending(last uint64) bool {
	for i := range m.from {
		if m.pending(i, last) {
			return true
		}
	}
	return false
}

func (m *Merge) pending(i int, last uint64) bool {
	return uint64(m.from[i].Seq) <= min(last, uint64(m.upTo[i]))
}

// Skip goes on behind a Seq up to which nothing is pending.
func (m *Merge) Skip(last uint64) {
	if end := (Position{Seq: storage.Seq(last + 1)}); m.next.Less(end) {
		m.next = end
	}
}

// Restart begins anew at a position: pages that were read from there on were not used.
func (m *Merge) Restart(at Position) {
	m.next = at
	for i := range m.from {
		m.from[i] = at
	}
}

// Read reads a page: at most limit records, of RecordBytesMax bytes together unless it is one, up to a
// Seq that a watermark from before the snapshot covers. It goes on to Next, and says whether it came to
// the end of what there is.
func (m *Merge) Read(ctx context.Context, snap storage.Snapshot, last uint64, limit int) (page []Found, end bool, err error) {
	behind := Position{Seq: storage.Seq(last + 1)}
	p := merging{merge: m, limit: limit, bound: behind, from: slices.Clone(m.from)}
	order := make([]int, 0, 1)
	for i := range m.from {
		if m.pending(i, last) {
			order = append(order, i)
		}
	}
	// Where records are known to come late there is nothing to look for once the page is full.
	slices.SortFunc(order, func(a, b int) int { return m.from[a].compare(m.from[b]) })
	for _, i := range order {
		if !m.from[i].Less(p.bound) {
			break
		}
		if err := p.slot(ctx, snap, i, last); err != nil {
			return nil, false, err
		}
	}
	m.from = p.from
	if m.next.Less(p.bound) {
		m.next = p.bound
	}
	return p.records(), p.bound == behind, nil
}

// merging is a page on its way: the records before bound, which comes down while it gets full.
type merging struct {
	merge *Merge
	limit int
	bound Position
	from  []Position
	// found are the records, free the places among them that hold none, and entries name the others: a
	// heap with the last position first.
	found   []Found
	free    []int
	entries []entry
	bytes   int
	passed  int
}

type entry struct {
	at   Position
	size int
	// found is the place in the list of that name, slot that of the merge.
	found, slot int
}

// slot takes the records of a slot that belong to the page.
func (p *merging) slot(ctx context.Context, snap storage.Snapshot, i int, last uint64) error {
	m := p.merge
	sc, err := scan(ctx, snap, m.stream, m.first+uint32(i), m.from[i], last, p.limit+1)
	if err != nil {
		return err
	}
	defer sc.close()
	p.from[i] = Position{Seq: storage.Seq(last + 1)}
	for sc.next() {
		r := &sc.record
		if !r.At.Less(p.bound) {
			p.leave(i, r.At)
			break
		}
		sh := m.shardOf(i, r)
		if !m.wants(sh) {
			if p.passed += r.stored(); p.passed > passedBytesMax {
				p.leave(i, r.At.Next())
				p.shrink()
				break
			}
			continue
		}
		p.take(i, r, sh)
	}
	return sc.err
}

// leave says that the slot's records from a position on are for another page.
func (p *merging) leave(slot int, at Position) {
	if at.Less(p.from[slot]) {
		p.from[slot] = at
	}
	if at.Less(p.bound) {
		p.bound = at
	}
}

// take adds a record, and gives back the last ones while they are too many.
func (p *merging) take(slot int, r *Record, sh *schema.Shard) {
	e := entry{at: r.At, size: r.Size(), slot: slot}
	if n := len(p.free); n > 0 {
		e.found, p.free = p.free[n-1], p.free[:n-1]
		p.found[e.found] = Found{*r, sh}
	} else {
		e.found, p.found = len(p.found), append(p.found, Found{*r, sh})
	}
	p.push(e)
	p.bytes += e.size
	p.shrink()
}

// shrink gives back the last records while they are too many or are not before bound.
func (p *merging) shrink() {
	for n := len(p.entries); n > 0; n = len(p.entries) {
		if n <= p.limit && (n == 1 || p.bytes <= RecordBytesMax) && p.entries[0].at.Less(p.bound) {
			return
		}
		e := p.pop()
		p.bytes -= e.size
		p.found[e.found] = Found{}
		p.free = append(p.free, e.found)
		p.leave(e.slot, e.at)
	}
}

// records are those of the page in their order.
func (p *merging) records() []Found {
	slices.SortFunc(p.entries, func(a, b entry) int { return a.at.compare(b.at) })
	out := make([]Found, len(p.entries))
	for i, e := range p.entries {
		out[i] = p.found[e.found]
	}
	return out
}

// wants says whether the records of a shard are read; nil is none.
func (m *Merge) wants(sh *schema.Shard) bool { return sh != nil && (m.only == "" || sh.ID == m.only) }

// shardOf is the shard of a record of a slot; nil for one from outside of the stream's life.
func (m *Merge) shardOf(i int, r *Record) *schema.Shard {
	hash, hashed := uint32(0), false
	for _, sh := range slices.Backward(m.shards[i]) {
		if uint64(r.At.Seq) < sh.First || !sh.Open() && uint64(r.At.Seq) > sh.Last {
			continue
		}
		if sh.Split() && !hashed {
			hash, hashed = hashOf(&m.stream.Key, r.Keys), true
		}
		if sh.Holds(hash) {
			return sh
		}
	}
	return nil
}

// push and pop keep the heap.
func (p *merging) push(e entry) {
	p.entries = append(p.entries, e)
	h := p.entries
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[up].at.Less(h[i].at) {
			return
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (p *merging) pop() entry {
	h := p.entries
	top, n := h[0], len(h)-1
	h[0] = h[n]
	p.entries = h[:n]
	for i := 0; ; {
		down := 2*i + 1
		if down+1 < n && h[down].at.Less(h[down+1].at) {
			down++
		}
		if down >= n || !h[i].at.Less(h[down].at) {
			return top
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}
