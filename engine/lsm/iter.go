package lsm

import (
	"bytes"
	"context"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// ctxCheckEvery is how many steps an iterator goes between two looks at its context.
const ctxCheckEvery = 64

// iter walks a range at a snapshot. Inside one 12-byte prefix the stripes follow each other in key
// order, and it visits them lazily, one at a time; a range over several prefixes merges all
// stripes. A version or memtable captured late is as good as one captured early, since the
// registered snapshot keeps what it needs.
type iter struct {
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
	scan     merge.Scan
	held     []*version // pinned for scan
	err      error
	done     bool

	// What a stripe needs, used again for the next one.
	merge   merge.Iter
	active  memtable.Iter
	sources []base.Iterator
	few     [fewSources]base.Iterator
	one     [1]*version
}

// fewSources of a stripe need no allocation of their own.
const fewSources = 4

func newIter(ctx context.Context, s *snapshot, r storage.Range, opts storage.IterOptions) *iter {
	it := &iter{ctx: ctx, snap: s, r: r, opts: opts}
	it.held, it.sources = it.one[:0], it.few[:0]
	if r.End != nil && bytes.Compare(r.Start, r.End) >= 0 {
		it.done = true
		return it
	}
	low, high, ok := stripesOf(r)
	it.merged = !ok
	it.next, it.last = low, high
	if it.merged {
		it.next, it.last = 0, 0
	} else if opts.Reverse {
		it.next, it.last = high, low
	}
	return it
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

// Next moves to the next entry of the walk.
func (it *iter) Next() bool {
	ok := it.step()
	if it.snap.gone() && it.err == nil {
		it.err = storage.ErrSnapshotGone
		return false
	}
	return ok
}

func (it *iter) step() bool {
	if it.err != nil || it.done && !it.scanning {
		return false
	}
	if it.steps%ctxCheckEvery == 0 {
		if it.err = it.snap.check(it.ctx); it.err != nil {
			return false
		}
	}
	it.steps++
	for {
		if it.scanning {
			if it.scan.Next() {
				return true
			}
			it.err = it.scan.Err()
			it.leave()
			if it.err != nil {
				return false
			}
		}
		if !it.enter() {
			it.done = true
			return false
		}
	}
}

// enter opens the next stripe, or all of them.
func (it *iter) enter() bool {
	if it.visited {
		return false
	}
	if it.merged {
		for i := range it.snap.db.stripes {
			it.add(&it.snap.db.stripes[i])
		}
		it.visited = true
	} else {
		it.add(&it.snap.db.stripes[it.next])
		switch {
		case it.next == it.last:
			it.visited = true
		case it.opts.Reverse:
			it.next--
		default:
			it.next++
		}
	}
	if it.snap.db.closed.Load() { // which empties stripes in memory
		it.err = storage.ErrClosed
		return false
	}
	it.merge.Reset(it.sources)
	it.scan.Reset(&it.merge, merge.ScanOptions{
		Range: it.r, Reverse: it.opts.Reverse, Snapshot: it.snap.at(), Dead: it.held[0].dead,
		KeepValues: it.opts.KeepValues,
	})
	it.scanning = true
	return true
}

// add appends the memtables and tables of a stripe that may hold keys of the range to the sources,
// newest first.
func (it *iter) add(s *stripe) {
	opts := memtable.IterOptions{MaxLSN: it.snap.at(), Bounds: it.r}
	dst := it.sources
	s.mu.RLock()
	active, frozen, tables := s.active, s.frozen, s.tables.acquire()
	empty := active.Empty()
	s.mu.RUnlock()
	s.ask(tables, scanAsks)
	it.held = append(it.held, tables)
	switch {
	case empty:
	case it.merged:
		dst = append(dst, active.NewIter(&s.mu, opts))
	default:
		it.active.Reset(active, &s.mu, opts)
		dst = append(dst, &it.active)
	}
	for _, m := range frozen {
		dst = append(dst, m.NewIter(nil, opts))
	}
	for _, t := range tables.levels[0] {
		if it.wants(t) {
			dst = append(dst, t.reader.NewIterWith(it.tableOptions()))
		}
	}
	for _, level := range tables.levels[1:] {
		var chosen []*liveTable
		for _, t := range level {
			if it.wants(t) {
				chosen = append(chosen, t)
			}
		}
		if len(chosen) > 0 {
			dst = append(dst, newLevelIter(chosen, it.tableOptions()))
		}
	}
	it.sources = dst
}

// wants says whether a table may hold keys of the range. The filter is asked only when the whole
// range lies inside one filter prefix.
func (it *iter) wants(t *liveTable) bool {
	if t.Meta.MinLSN > it.snap.at() || bytes.Compare(t.Meta.Largest, it.r.Start) < 0 ||
		(it.r.End != nil && bytes.Compare(t.Meta.Smallest, it.r.End) >= 0) {
		return false
	}
	prefix, ok := table.FilterRange(it.r)
	if !ok {
		return true
	}
	may, err := t.reader.MayContainPrefix(prefix)
	return may || err != nil // an error shows again when the table is read
}

func (it *iter) leave() {
	if it.scanning {
		if err := it.scan.Close(); err != nil && it.err == nil {
			it.err = err
		}
		it.scanning = false
	}
	clear(it.sources)
	it.sources = it.sources[:0]
	for _, v := range it.held {
		it.snap.db.release(v)
	}
	it.held = it.held[:0]
}

// tableOptions are the options of iterators over tables.
func (it *iter) tableOptions() table.IterOptions {
	return table.IterOptions{NoFill: it.opts.Once, KeepValues: it.opts.KeepValues, Limit: it.opts.LimitHint}
}

// Key of the entry; valid until the next call of Next or Close.
func (it *iter) Key() []byte { return it.scan.Key() }

// Value of the entry; valid until the next call of Next or Close, or for good with KeepValues.
func (it *iter) Value() []byte { return it.scan.Value() }

// Err says what ended the walk early.
func (it *iter) Err() error { return it.snap.db.readError(it.err) }

// Close lets go of what the iterator holds.
func (it *iter) Close() {
	it.leave()
	it.done = true
}

// levelIter goes through the tables of a level, which follow each other.
type levelIter struct {
	tables []*liveTable
	opts   table.IterOptions
	at     int
	cur    base.Iterator
	err    error
}

func newLevelIter(tables []*liveTable, opts table.IterOptions) *levelIter {
	return &levelIter{tables: tables, opts: opts, at: -1}
}

func (l *levelIter) open(i int) bool {
	l.close()
	if i < 0 || i >= len(l.tables) {
		return false
	}
	l.at, l.cur = i, l.tables[i].reader.NewIterWith(l.opts)
	return true
}

func (l *levelIter) close() {
	if l.cur != nil {
		if err := l.cur.Close(); err != nil && l.err == nil {
			l.err = err
		}
		l.cur = nil
	}
}

// forward moves on over tables that have nothing more.
func (l *levelIter) forward(ok bool) bool {
	for !ok {
		if l.cur == nil || l.fail() || !l.open(l.at+1) {
			return false
		}
		ok = l.cur.First()
	}
	return true
}

func (l *levelIter) backward(ok bool) bool {
	for !ok {
		if l.cur == nil || l.fail() || !l.open(l.at-1) {
			return false
		}
		ok = l.cur.Last()
	}
	return true
}

func (l *levelIter) fail() bool {
	if l.err == nil {
		l.err = l.cur.Err()
	}
	return l.err != nil
}

// First moves to the first version.
func (l *levelIter) First() bool { return l.open(0) && l.forward(l.cur.First()) }

// Last moves to the last version.
func (l *levelIter) Last() bool { return l.open(len(l.tables)-1) && l.backward(l.cur.Last()) }

// SeekGE moves to the first version at or after key. Bounds are rounded outwards: a table that ends
// before key may look as if it did not, and the one behind it need not begin there.
func (l *levelIter) SeekGE(key []byte) bool {
	for i, t := range l.tables {
		if bytes.Compare(t.Meta.Largest, key) < 0 {
			continue
		}
		if !l.open(i) || l.cur.SeekGE(key) || l.fail() {
			return l.Valid()
		}
	}
	l.close()
	return false
}

// SeekLT moves to the last version before key; see SeekGE.
func (l *levelIter) SeekLT(key []byte) bool {
	for i := len(l.tables) - 1; i >= 0; i-- {
		if bytes.Compare(l.tables[i].Meta.Smallest, key) >= 0 {
			continue
		}
		if !l.open(i) || l.cur.SeekLT(key) || l.fail() {
			return l.Valid()
		}
	}
	l.close()
	return false
}

// Next moves forward.
func (l *levelIter) Next() bool { return l.cur != nil && l.forward(l.cur.Next()) }

// Prev moves backward.
func (l *levelIter) Prev() bool { return l.cur != nil && l.backward(l.cur.Prev()) }

// Valid says whether the iterator stands on a version.
func (l *levelIter) Valid() bool { return l.err == nil && l.cur != nil && l.cur.Valid() }

// Key of the version.
func (l *levelIter) Key() []byte { return l.cur.Key() }

// LSN of the version.
func (l *levelIter) LSN() base.LSN { return l.cur.LSN() }

// Kind of the version.
func (l *levelIter) Kind() base.Kind { return l.cur.Kind() }

// Value of the version.
func (l *levelIter) Value() []byte { return l.cur.Value() }

// Err returns the first error.
func (l *levelIter) Err() error {
	if l.err == nil && l.cur != nil {
		return l.cur.Err()
	}
	return l.err
}

// Close lets go of the table.
func (l *levelIter) Close() error {
	l.close()
	return l.err
}
