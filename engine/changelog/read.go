package changelog

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Source is a table with its log, as the snapshot has them that is read.
type Source struct {
	// Table is its id.
	Table uint64
	// History are the subs of the generations that are read: all that may hold changes from the cut on.
	// More do no harm.
	History []uint32
}

// Span is the part of a table that is read: items whose partition key has a hash in a range, in the order of
// their keys. The zero Span is the whole table.
type Span struct {
	// From and To bound the hashes, To not included; zero To means all from From on.
	From, To uint64
	// After is the key of the item behind which reading begins; nil begins with the first one.
	After []byte
}

// Rows is the range of a span under a space and sub whose rows are items.
func (span Span) Rows(space uint64, sub uint32) storage.Range {
	r := span.hashes(space, sub)
	if span.After != nil {
		r.Start = append(bytes.Clone(span.After), 0)
	}
	return r
}

// history is the range of a span under a sub of history rows.
func (s *Source) history(sub uint32, span Span) storage.Range {
	r := span.hashes(key.TableSpace(s.Table), sub)
	if span.After != nil {
		r.Start = key.PrefixEnd(key.AppendHistoryPrefix(nil, sub, span.After))
	}
	return r
}

func (span Span) hashes(space uint64, sub uint32) storage.Range {
	r := storage.Range(key.SpaceRange(space, sub))
	if span.From > 0 {
		r.Start = key.AppendHead(nil, space, sub, uint32(span.From))
	}
	if span.To > 0 && span.To <= math.MaxUint32 {
		r.End = key.AppendHead(nil, space, sub, uint32(span.To))
	}
	return r
}

// walkMax is how many rows of one item are walked over, one after the other, before those that decide are
// looked up: a counter has as many rows as it was counted.
const walkMax = 32

// generation walks the history rows of one generation, one item after the other.
type generation struct {
	sub uint32
	it  storage.Iterator
	end []byte // of the range
	// item and seq are those of the row at hand; item is nil at the end.
	item []byte
	seq  storage.Seq
	room []byte
}

func (g *generation) next() error {
	if !g.it.Next() {
		g.item = nil
		return g.it.Err()
	}
	item, seq, ok := key.SplitHistory(g.room[:0], g.it.Key())
	if !ok {
		return fmt.Errorf("changelog: key %x: %w", g.it.Key(), storage.ErrCorrupt)
	}
	g.room, g.item, g.seq = item, item, storage.Seq(seq)
	return nil
}

// versions are the rows of one item that decide what it was at a cut and what happened between two.
type versions struct {
	cutFrom, cutTo storage.Seq
	// from and to are the first rows from either cut on, if there is one.
	from, to           version
	hasFrom, hasTo     bool
	fromSeq, toSeq     storage.Seq
	fromBytes, toBytes []byte
	// between says that there is a row between the cuts, and the last ones are of the last of those.
	between bool
	lastSeq storage.Seq
	lastMs  int64
}

// take looks at a row; the value is copied when it decides something.
func (v *versions) take(seq storage.Seq, value []byte) error {
	if seq < v.cutFrom {
		return nil
	}
	if seq < v.cutTo && (!v.between || seq > v.lastSeq) {
		row, err := decode(value)
		if err != nil {
			return err
		}
		v.between, v.lastSeq, v.lastMs = true, seq, row.atMs
	}
	if !v.hasFrom || seq < v.fromSeq {
		v.fromBytes = append(v.fromBytes[:0], value...)
		row, err := decode(v.fromBytes)
		if err != nil {
			return err
		}
		v.from, v.hasFrom, v.fromSeq = row, true, seq
	}
	if seq >= v.cutTo && (!v.hasTo || seq < v.toSeq) {
		v.toBytes = append(v.toBytes[:0], value...)
		row, err := decode(v.toBytes)
		if err != nil {
			return err
		}
		v.to, v.hasTo, v.toSeq = row, true, seq
	}
	return nil
}

// reset forgets all but the cuts.
func (v *versions) reset() {
	*v = versions{cutFrom: v.cutFrom, cutTo: v.cutTo, fromBytes: v.fromBytes, toBytes: v.toBytes}
}

// reader walks the history of several generations at once.
type reader struct {
	ctx  context.Context //nolint:containedctx // that of the reading, as iterators have it
	snap storage.Snapshot
	gens []generation
	// read counts the bytes of all that was walked over.
	read int
}

func (s *Source) open(ctx context.Context, snap storage.Snapshot, span Span) (*reader, error) {
	r := &reader{ctx: ctx, snap: snap}
	for _, sub := range s.History {
		rows := s.history(sub, span)
		r.gens = append(r.gens, generation{sub: sub, end: rows.End})
		if err := r.walk(&r.gens[len(r.gens)-1], rows.Start); err != nil {
			r.close()
			return nil, err
		}
	}
	return r, nil
}

// walk makes a generation go on at a key.
func (r *reader) walk(g *generation, start []byte) error {
	if g.it != nil {
		g.it.Close()
		g.it = nil
	}
	it, err := r.snap.Iter(r.ctx, storage.Range{Start: start, End: g.end}, storage.IterOptions{Once: true})
	if err != nil {
		return err
	}
	g.it = it
	return g.next()
}

func (r *reader) close() {
	for i := range r.gens {
		if it := r.gens[i].it; it != nil {
			it.Close()
		}
	}
}

// least is the first item that has rows ahead, nil for none.
func (r *reader) least() []byte {
	var k []byte
	for i := range r.gens {
		if g := &r.gens[i]; g.item != nil && (k == nil || bytes.Compare(g.item, k) < 0) {
			k = g.item
		}
	}
	return k
}

// collect takes the rows of an item that decide and goes on behind it.
func (r *reader) collect(item []byte, v *versions) error {
	for i := range r.gens {
		g := &r.gens[i]
		for walked := 0; g.item != nil && bytes.Equal(g.item, item); walked++ {
			if walked == walkMax {
				if err := r.jump(g, item, v); err != nil {
					return err
				}
				break
			}
			if err := r.take(g.it, g.item, g.seq, v); err != nil {
				return err
			}
			if err := g.next(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) take(at storage.Iterator, item []byte, seq storage.Seq, v *versions) error {
	value := at.Value()
	r.read += len(item) + len(value)
	return v.take(seq, value)
}

// jump looks up the rows of an item that decide, in one generation, and goes on behind all of them.
func (r *reader) jump(g *generation, item []byte, v *versions) error {
	row := func(seq storage.Seq) []byte { return key.AppendHistory(nil, g.sub, item, uint64(seq)) }
	end := key.PrefixEnd(key.AppendHistoryPrefix(nil, g.sub, item))
	if err := r.first(storage.Range{Start: row(v.cutFrom), End: end}, false, item, v); err != nil {
		return err
	}
	if v.cutTo != v.cutFrom {
		if err := r.first(storage.Range{Start: row(v.cutTo), End: end}, false, item, v); err != nil {
			return err
		}
		if err := r.first(storage.Range{Start: row(v.cutFrom), End: row(v.cutTo)}, true, item, v); err != nil {
			return err
		}
	}
	return r.walk(g, end)
}

// first takes the first row of a range, or the last one.
func (r *reader) first(rows storage.Range, last bool, item []byte, v *versions) error {
	it, err := r.snap.Iter(r.ctx, rows, storage.IterOptions{Reverse: last, LimitHint: 1})
	if err != nil {
		return err
	}
	defer it.Close()
	if !it.Next() {
		return it.Err()
	}
	_, seq, ok := key.SplitHistory(nil, it.Key())
	if !ok {
		return fmt.Errorf("changelog: key %x: %w", it.Key(), storage.ErrCorrupt)
	}
	return r.take(it, item, storage.Seq(seq), v)
}

// Items reads a table as of a cut. It starts before the first item. It is not safe for concurrent use.
type Items struct {
	reader *reader
	rows   storage.Iterator
	more   bool // rows stands at an item
	key    []byte
	item   attr.Item
	room   []byte // of an item that is as it is stored
	found  versions
	err    error
	read   int
	bound  int
	full   bool
}

// Items opens a reader of a span as of a cut. Close it. The snapshot must be from after the watermark had
// come to the cut.
func (s *Source) Items(ctx context.Context, snap storage.Snapshot, span Span, cut storage.Seq) (*Items, error) {
	r, err := s.open(ctx, snap, span)
	if err != nil {
		return nil, err
	}
	rows, err := snap.Iter(ctx, span.Rows(key.TableSpace(s.Table), key.TableSub), storage.IterOptions{Once: true})
	if err != nil {
		r.close()
		return nil, err
	}
	it := &Items{reader: r, rows: rows, found: versions{cutFrom: cut, cutTo: cut}}
	it.more = rows.Next()
	if err := rows.Err(); err != nil {
		it.Close()
		return nil, err
	}
	return it, nil
}

// Bound makes Next return false once so many bytes were walked over; More says then that it was not the end.
func (it *Items) Bound(bytes int) { it.bound = bytes }

// More says whether Next ended at the bound, so that there may be more behind At.
func (it *Items) More() bool { return it.full }

// Next goes to the next item and says whether there is one.
func (it *Items) Next() bool {
	for it.err == nil {
		if it.full = it.bound > 0 && it.Read() >= it.bound; it.full {
			return false
		}
		k := it.reader.least()
		stored := it.more && (k == nil || bytes.Compare(it.rows.Key(), k) <= 0)
		if stored {
			k = it.rows.Key()
		}
		if k == nil {
			it.err = it.rows.Err()
			return false
		}
		it.key = append(it.key[:0], k...)
		it.found.reset()
		if it.err = it.reader.collect(it.key, &it.found); it.err != nil {
			return false
		}
		it.item = nil
		switch {
		case it.found.hasFrom && it.found.from.before:
			it.item = it.found.from.item
		case !it.found.hasFrom && stored:
			it.room = append(it.room[:0], it.rows.Value()...)
			it.item = it.room
		}
		if stored {
			it.read += len(it.rows.Key()) + len(it.rows.Value())
			it.more = it.rows.Next()
		}
		if it.item != nil {
			return true
		}
	}
	return false
}

// Key of the item in the store, valid until the next call of Next.
func (it *Items) Key() []byte { return it.key }

// Item is valid until the next call of Next.
func (it *Items) Item() attr.Item { return it.item }

// At is the key of the last item that was looked at, if it was there at the cut or not: reading may go on
// behind it. It is valid until the next call of Next.
func (it *Items) At() []byte { return it.key }

// Read is how many bytes were walked over, items that were not there at the cut included.
func (it *Items) Read() int { return it.read + it.reader.read }

// Err is what ended the walk; nil at the end of the span.
func (it *Items) Err() error { return it.err }

// Close ends the reading.
func (it *Items) Close() {
	it.reader.close()
	it.rows.Close()
}

// Changes reads which items changed between two cuts.
type Changes struct {
	reader *reader
	key    []byte
	found  versions
	old    attr.Item
	new    attr.Item
	err    error
	read   int
	bound  int
	full   bool
}

// Changes opens a reader of the items of a span with changes from one cut on and before another one. Close
// it.
func (s *Source) Changes(ctx context.Context, snap storage.Snapshot, span Span, from, to storage.Seq) (*Changes, error) {
	r, err := s.open(ctx, snap, span)
	if err != nil {
		return nil, err
	}
	return &Changes{reader: r, found: versions{cutFrom: from, cutTo: to}}, nil
}

// Next goes to the next item that changed and says whether there is one. One that is at the end as it was in
// the beginning counts.
func (c *Changes) Next() bool {
	for c.err == nil {
		if c.full = c.bound > 0 && c.Read() >= c.bound; c.full {
			return false
		}
		k := c.reader.least()
		if k == nil {
			return false
		}
		c.key = append(c.key[:0], k...)
		c.found.reset()
		if c.err = c.reader.collect(c.key, &c.found); c.err != nil {
			return false
		}
		if !c.found.between {
			continue
		}
		c.old, c.new = nil, nil
		if c.found.from.before {
			c.old = c.found.from.item
		}
		if c.found.hasTo {
			if c.found.to.before {
				c.new = c.found.to.item
			}
			return true
		}
		v, err := c.reader.snap.Get(c.reader.ctx, c.key)
		if c.err = err; err == nil && v.Present {
			c.new = v.Data
			c.read += len(v.Data)
		}
		return err == nil
	}
	return false
}

// Bound makes Next return false once so many bytes were walked over; More says then that it was not the end.
func (c *Changes) Bound(bytes int) { c.bound = bytes }

// More says whether Next ended at the bound, so that there may be more behind At.
func (c *Changes) More() bool { return c.full }

// At is the key of the last item that was looked at, changed between the cuts or not: reading may go on behind
// it. It is valid until the next call of Next.
func (c *Changes) At() []byte { return c.key }

// Key of the item in the store, valid until the next call of Next, as are Old and New.
func (c *Changes) Key() []byte { return c.key }

// Old is the item as of the first cut, New as of the second; nil when it was not there.
func (c *Changes) Old() attr.Item { return c.old }

// New is the item as of the second cut.
func (c *Changes) New() attr.Item { return c.new }

// LastMs is the time of the last change between the cuts, in milliseconds since 1970.
func (c *Changes) LastMs() int64 { return c.found.lastMs }

// Read is how many bytes were walked over.
func (c *Changes) Read() int { return c.read + c.reader.read }

// Err is what ended the walk; nil at the end of the span.
func (c *Changes) Err() error { return c.err }

// Close ends the reading.
func (c *Changes) Close() { c.reader.close() }

// Cut returns the cut of a time, in milliseconds since 1970: the lowest Seq of an update that was made later,
// as marks under subs of a table say. ok is false when none was.
func Cut(ctx context.Context, snap storage.Snapshot, table uint64, marks []uint32, ms int64) (cut storage.Seq, ok bool, err error) {
	for _, sub := range marks {
		if cut, ok, err = lowest(ctx, snap, table, sub, ms, cut, ok); err != nil {
			return 0, false, err
		}
	}
	return cut, ok, nil
}

// lowest looks through the marks of a generation for a lower Seq than the best one.
func lowest(ctx context.Context, snap storage.Snapshot, table uint64, sub uint32, ms int64, best storage.Seq, ok bool) (storage.Seq, bool, error) {
	r := storage.Range(key.SpaceRange(key.TableSpace(table), sub))
	r.Start = binary.BigEndian.AppendUint64(key.AppendHead(nil, key.TableSpace(table), sub, 0), uint64(ms+1))
	it, err := snap.Iter(ctx, r, storage.IterOptions{})
	if err != nil {
		return 0, false, err
	}
	defer it.Close()
	end := int64(math.MaxInt64)
	for it.Next() {
		at, seq, is := key.SplitMark(it.Key())
		if !is {
			return 0, false, fmt.Errorf("changelog: key %x: %w", it.Key(), storage.ErrCorrupt)
		}
		if at > end {
			break
		}
		if end == math.MaxInt64 {
			end = at + SlackMs
		}
		if !ok || storage.Seq(seq) < best {
			best, ok = storage.Seq(seq), true
		}
	}
	return best, ok, it.Err()
}
