package stream

import (
	"context"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// Limits of one read, as the service has them.
const (
	RecordsMax     = 1000
	RecordBytesMax = 1 << 20
)

// Page is what one read found.
type Page struct {
	Records []Record
	// Next is where to read on.
	Next Position
	// End: the shard is closed and Next is behind all of its records.
	End bool
}

// Read returns up to limit records of a shard from a position on, in order. It ends before
// RecordBytesMax is exceeded, but holds at least one record when there is one. What s says of the
// records that are gone must be looked at again afterwards: they may go while Read runs.
func Read(ctx context.Context, store storage.Store, s *schema.Stream, sh *schema.Shard, from Position, limit int) (Page, error) {
	// The watermark comes before the snapshot: what it covers is in there.
	mark, err := store.Watermark(ctx, 0)
	if err != nil {
		return Page{}, err
	}
	last := uint64(mark)
	if !sh.Open() {
		last = min(last, sh.Last)
	}
	if first := First(s, sh); from.Less(first) {
		from = first
	}
	p := pager{limit: limit}
	if uint64(from.Seq) <= last {
		if err := p.collect(ctx, store, s, sh.Slot, from, last); err != nil {
			return Page{}, err
		}
		if n := len(p.records); p.full {
			return Page{Records: p.records, Next: p.records[n-1].At.Next()}, nil
		}
		from = Position{Seq: storage.Seq(last + 1)}
	}
	return Page{Records: p.records, Next: from, End: !sh.Open() && uint64(from.Seq) > sh.Last}, nil
}

// First is the place of the oldest record that a shard may hold.
func First(s *schema.Stream, sh *schema.Shard) Position {
	return Position{Seq: storage.Seq(max(sh.First, s.Trimmed+1))}
}

// pager puts records together from their parts until a page is full.
type pager struct {
	limit   int
	records []Record
	bytes   int
	// pending is the record whose images may follow.
	pending *Record
	full    bool
}

func (p *pager) collect(ctx context.Context, store storage.Store, s *schema.Stream, slot uint32, from Position, last uint64) error {
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return err
	}
	defer snap.Close()
	r := Range(s, slot, uint64(from.Seq), last)
	r.Start = appendKey(nil, s.ID, slot, s.Slots, from, kindRecord)
	it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: p.limit, KeepValues: true})
	if err != nil {
		return err
	}
	defer it.Close()
	for !p.full && it.Next() {
		if err := p.add(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	p.finish()
	return it.Err()
}

// add takes one part of a record. The value may be kept.
func (p *pager) add(k, value []byte) error {
	at, kind, err := decodeKey(k)
	if err != nil {
		return err
	}
	if kind == kindRecord {
		p.finish()
		r, err := decode(at, value)
		p.pending = &r
		return err
	}
	switch {
	case p.pending == nil || p.pending.At != at:
		return fmt.Errorf("stream: an image without its record at %s: %w", at, storage.ErrCorrupt)
	case kind == kindNewImage:
		p.pending.New = attr.Item(value)
	case kind == kindOldImage:
		p.pending.Old = attr.Item(value)
	}
	return nil
}

// finish adds the record whose parts are complete to the page, unless the page is full.
func (p *pager) finish() {
	if p.pending == nil || p.full {
		return
	}
	size := p.pending.Size()
	if n := len(p.records); n == p.limit || n > 0 && p.bytes+size > RecordBytesMax {
		p.full = true
		return
	}
	p.bytes += size
	p.records = append(p.records, *p.pending)
	p.pending = nil
}
