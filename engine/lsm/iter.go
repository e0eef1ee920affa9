package lsm

import (
	"bytes"
	"context"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// ctxCheckEvery is how many steps an iterator goes between two looks at its context.
const ctxCheckEvery = 64

// iter is what a caller holds of a walk. It is not used again when the walk is: whoever asks a closed
// iterator is told that there is nothing, and never what another one found.
type iter struct {
	w   *walk // nil when closed
	err error // of the closed walk
}

// walk goes through a range at a snapshot. Inside one 12-byte prefix the stripes follow each other in key
// order, and it visits them lazily, one at a time; a range over several prefixes merges all
// stripes. A version or memtable captured late is as good as one captured early, since the
// registered snapshot keeps what it needs.
type walk struct {
	course

	// What a stripe needs, used again for the next one, and for the next walk.
	held      []*version // pinned for scan
	scan      merge.Scan
	merge     merge.Iter
	sources   []base.Iterator
	memtables spares[memtable.Iter]
	tables    spares[table.Iter]
	levels    spares[levelIter]
}

// course is where a walk goes, and how far it is.
type course struct {
	ctx   context.Context
	snap  *snapshot
	r     storage.Range
	opts  storage.IterOptions
	steps int

	// stripes yet to be visited, from next to last in the direction of the walk; both included.
	next, last int
	merged     bool
	visited    bool // no stripe is left

	scanning bool
	err      error
	done     bool
}

// spares are iterators of one kind. Those that are used are closed before all are free again.
type spares[T any] struct {
	all  []*T
	used int
}

func (s *spares[T]) next() *T {
	if s.used == len(s.all) {
		s.all = append(s.all, new(T))
	}
	s.used++
	return s.all[s.used-1]
}

// sourcesKept is how many sources a walk may have had in a stripe for its memory to be kept.
const sourcesKept = 32

func newIter(ctx context.Context, s *snapshot, r storage.Range, opts storage.IterOptions) *iter {
	w, ok := s.db.walks.Get().(*walk)
	if !ok {
		w = &walk{}
	}
	w.course = course{ctx: ctx, snap: s, r: r, opts: opts}
	w.begin()
	return &iter{w: w}
}

func (w *walk) begin() {
	if w.r.End != nil && bytes.Compare(w.r.Start, w.r.End) >= 0 {
		w.done = true
		return
	}
	low, high, ok := stripesOf(w.r)
	switch {
	case !ok:
		w.merged = true
	case w.opts.Reverse:
		w.next, w.last = high, low
	default:
		w.next, w.last = low, high
	}
}

// Next moves to the next entry of the walk.
func (it *iter) Next() bool { return it.w != nil && it.w.onward() }

// Key of the entry; valid until the next call of Next or Close.
func (it *iter) Key() []byte {
	if it.w == nil {
		return nil
	}
	return it.w.scan.Key()
}

// Value of the entry; valid until the next call of Next or Close, or for good with KeepValues.
func (it *iter) Value() []byte {
	if it.w == nil {
		return nil
	}
	return it.w.scan.Value()
}

// Err says what ended the walk early.
func (it *iter) Err() error {
	if it.w == nil {
		return it.err
	}
	return it.w.snap.db.readError(it.w.err)
}

// Close lets go of what the iterator holds.
func (it *iter) Close() {
	w := it.w
	if w == nil {
		return
	}
	w.leave()
	it.err = it.Err()
	it.w = nil
	w.recycle()
}

// recycle keeps the memory of a walk that nobody refers to any more for another one.
func (w *walk) recycle() {
	db := w.snap.db
	w.course = course{}
	if cap(w.sources) <= sourcesKept {
		db.walks.Put(w)
	}
}

// stripesOf returns the stripes of a range that lies inside one 12-byte prefix.
func stripesOf(r storage.Range) (low, high int, ok bool) {
	const n = storage.PrefixBytes
	if len(r.Start) < n || r.End == nil {
		return 0, 0, false
	}
	prefix := r.Start[:n]
	if len(r.Start) > n {
		low = int(r.Start[n])
	}
	high = base.StripeCount - 1
	if !bytes.HasPrefix(r.End, prefix) {
		return low, high, isSuccessor(r.End, prefix) && wholeHead(r.Start, low)
	}
	switch {
	case len(r.End) == n:
		return 0, 0, false
	case len(r.End) == n+1:
		high = int(r.End[n]) - 1
	default:
		high = int(r.End[n])
	}
	return low, max(low, high), wholeHead(r.Start, low)
}

// wholeHead: a start of exactly one prefix may also be a key, which lives in stripe 0; stripe 0 is
// then where the walk begins anyway.
func wholeHead(start []byte, low int) bool { return len(start) > storage.PrefixBytes || low == 0 }

// isSuccessor says whether end is the first key behind all that begin with prefix.
func isSuccessor(end, prefix []byte) bool {
	i := len(prefix) - 1
	for i >= 0 && prefix[i] == 0xff {
		i--
	}
	return i >= 0 && len(end) == i+1 && bytes.HasPrefix(end, prefix[:i]) && end[i] == prefix[i]+1
}

// onward moves to the next entry, and says when the snapshot was taken away meanwhile.
func (w *walk) onward() bool {
	ok := w.step()
	if w.snap.gone() && w.err == nil {
		w.err = storage.ErrSnapshotGone
		return false
	}
	return ok
}

func (w *walk) step() bool {
	if w.err != nil || w.done && !w.scanning {
		return false
	}
	if w.steps%ctxCheckEvery == 0 {
		if w.err = w.snap.check(w.ctx); w.err != nil {
			return false
		}
	}
	w.steps++
	for {
		if w.scanning {
			if w.scan.Next() {
				return true
			}
			w.err = w.scan.Err()
			w.leave()
			if w.err != nil {
				return false
			}
		}
		if !w.enter() {
			w.done = true
			return false
		}
	}
}

// enter opens the next stripe, or all of them.
func (w *walk) enter() bool {
	if w.visited {
		return false
	}
	if w.merged {
		for i := range w.snap.db.stripes {
			w.add(&w.snap.db.stripes[i])
		}
		w.visited = true
	} else {
		w.add(&w.snap.db.stripes[w.next])
		switch {
		case w.next == w.last:
			w.visited = true
		case w.opts.Reverse:
			w.next--
		default:
			w.next++
		}
	}
	if w.snap.db.closed.Load() { // which empties stripes in memory
		w.err = storage.ErrClosed
		return false
	}
	w.merge.Reset(w.sources)
	w.scan.Reset(&w.merge, merge.ScanOptions{
		Range: w.r, Reverse: w.opts.Reverse, Snapshot: w.snap.at(), Dead: w.held[0].dead,
		KeepValues: w.opts.KeepValues,
	})
	w.scanning = true
	return true
}

// add appends the memtables and tables of a stripe that may hold keys of the range to the sources,
// newest first.
func (w *walk) add(s *stripe) {
	opts := memtable.IterOptions{MaxLSN: w.snap.at(), Bounds: w.r}
	dst := w.sources
	s.mu.RLock()
	active, frozen, tables := s.active, s.frozen, s.tables.acquire()
	empty := active.Empty()
	s.mu.RUnlock()
	s.ask(tables, scanAsks)
	w.held = append(w.held, tables)
	if !empty {
		dst = append(dst, w.memtable(active, &s.mu.RWMutex, opts))
	}
	for _, m := range frozen {
		dst = append(dst, w.memtable(m, nil, opts))
	}
	for _, t := range tables.levels[0] {
		if w.wants(t) {
			in := w.tables.next()
			in.Reset(t.reader, w.tableOptions())
			dst = append(dst, in)
		}
	}
	for _, level := range tables.levels[1:] {
		var in *levelIter
		for _, t := range level {
			if !w.wants(t) {
				continue
			}
			if in == nil {
				in = w.levels.next()
				in.opts = w.tableOptions()
				dst = append(dst, in)
			}
			in.tables = append(in.tables, t)
		}
	}
	w.sources = dst
}

func (w *walk) memtable(m *memtable.Memtable, mu *sync.RWMutex, opts memtable.IterOptions) *memtable.Iter {
	in := w.memtables.next()
	in.Reset(m, mu, opts)
	return in
}

// wants says whether a table may hold keys of the range. The filter is asked only when the whole
// range lies inside one filter prefix.
func (w *walk) wants(t *liveTable) bool {
	if t.Meta.MinLSN > w.snap.at() || bytes.Compare(t.Meta.Largest, w.r.Start) < 0 ||
		(w.r.End != nil && bytes.Compare(t.Meta.Smallest, w.r.End) >= 0) {
		return false
	}
	prefix, ok := table.FilterRange(w.r)
	if !ok {
		return true
	}
	may, err := t.reader.MayContainPrefix(prefix)
	return may || err != nil // an error shows again when the table is read
}

// leave lets go of the stripe, or of all.
func (w *walk) leave() {
	if w.scanning {
		if err := w.scan.Close(); err != nil && w.err == nil {
			w.err = err
		}
		w.scanning = false
	} else {
		for _, in := range w.sources { // the database was closed before they were asked
			_ = in.Close()
		}
	}
	clear(w.sources)
	w.sources = w.sources[:0]
	w.memtables.used, w.tables.used, w.levels.used = 0, 0, 0
	for _, v := range w.held {
		w.snap.db.release(v)
	}
	clear(w.held)
	w.held = w.held[:0]
}

// tableOptions are the options of iterators over tables.
func (w *walk) tableOptions() table.IterOptions {
	return table.IterOptions{NoFill: w.opts.Once, KeepValues: w.opts.KeepValues, Limit: w.opts.LimitHint}
}
