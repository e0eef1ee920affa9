package stream

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// Limits of one read, as the service has them.
const (
	RecordsMax     = 1000
	RecordBytesMax = 1 << 20
)

// passedBytesMax bounds the records of other shards that one read passes over; what follows is for the
// next one, even if nothing was found.
const passedBytesMax = 16 << 20

// ErrTrimmed: the records at the position are gone.
var ErrTrimmed = errors.New("stream: trimmed")

// Source is a shard to read from.
type Source struct {
	Store storage.Store
	// Find returns the stream and the shard as the snapshot has them.
	Find func(context.Context, storage.Snapshot) (*schema.Stream, *schema.Shard, error)
}

// Page is what one read found.
type Page struct {
	// Stream is what was read, as it was then.
	Stream  *schema.Stream
	Records []Record
	// Next is where to read on.
	Next Position
	// End: the shard is closed and Next is behind all of its records.
	End bool
}

// Read returns up to limit records of a shard from a position on, in order; from nowhere, the zero
// position, means from the oldest record. It ends before RecordBytesMax is exceeded, but holds at
// least one record when there is one. Whether Page.Stream's records were trimmed further must be
// looked at again afterwards: they may go while Read runs.
func Read(ctx context.Context, src Source, from Position, limit int) (page Page, err error) {
	err = storage.Fresh(ctx, func() error {
		page, err = read(ctx, src, from, limit)
		return err
	})
	return page, err
}

func read(ctx context.Context, src Source, from Position, limit int) (Page, error) {
	// The watermark comes before the snapshot: what it covers is in there, and so is the end of the
	// shard if that lies below.
	mark, err := src.Store.Watermark(ctx, 0)
	if err != nil {
		return Page{}, err
	}
	snap, err := src.Store.Snapshot(ctx, storage.SnapshotOptions{Owner: "stream read"})
	if err != nil {
		return Page{}, err
	}
	defer snap.Close()
	s, sh, err := src.Find(ctx, snap)
	if err != nil {
		return Page{}, err
	}
	if from != (Position{}) && uint64(from.Seq) <= s.Trimmed {
		return Page{}, ErrTrimmed
	}
	last := uint64(mark)
	if !sh.Open() {
		last = min(last, sh.Last)
	}
	if first := First(s, sh); from.Less(first) {
		from = first
	}
	p := pager{limit: limit, key: &s.Key, shard: sh}
	if uint64(from.Seq) <= last {
		if err := p.collect(ctx, snap, s, sh.Slot, from, last); err != nil {
			return Page{}, err
		}
		if p.full {
			return Page{Stream: s, Records: p.records, Next: p.next}, nil
		}
		from = Position{Seq: storage.Seq(last + 1)}
	}
	end := !sh.Open() && uint64(from.Seq) > sh.Last
	return Page{Stream: s, Records: p.records, Next: from, End: end}, nil
}

// First is the place of the oldest record that a shard may hold.
func First(s *schema.Stream, sh *schema.Shard) Position {
	return Position{Seq: storage.Seq(max(sh.First, s.Trimmed+1))}
}

// pager puts records together from their parts until a page is full.
type pager struct {
	limit   int
	key     *schema.Key
	shard   *schema.Shard
	records []Record
	bytes   int
	// pending is the record whose images may follow, if there is one.
	pending Record
	begun   bool
	// passing is the place of the record of another shard whose images may follow, passed what was
	// passed over, in bytes.
	passing Position
	passed  int
	// full: no more can be taken, and next is where to read on.
	full bool
	next Position
}

func (p *pager) collect(ctx context.Context, snap storage.Snapshot, s *schema.Stream, slot uint32, from Position, last uint64) error {
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
		return p.begin(at, value)
	}
	switch {
	case !p.begun && p.passed > 0 && p.passing == at:
		p.passed += len(value)
	case !p.begun || p.pending.At != at:
		return fmt.Errorf("stream: an image without its record at %s: %w", at, storage.ErrCorrupt)
	case kind == kindNewImage:
		p.pending.New = attr.Item(value)
	case kind == kindOldImage:
		p.pending.Old = attr.Item(value)
	}
	return nil
}

// begin takes the first part of a record, unless it is of another shard.
func (p *pager) begin(at Position, value []byte) error {
	p.finish()
	if p.full {
		return nil
	}
	if p.passed > passedBytesMax {
		p.full, p.next = true, at
		return nil
	}
	r, err := decode(at, value)
	if err != nil {
		return err
	}
	if p.shard.Split() && !p.shard.Holds(hashOf(p.key, r.Keys)) {
		p.passing, p.passed = at, p.passed+len(value)
		return nil
	}
	p.pending, p.begun = r, true
	return nil
}

// hashOf is the hash of the partition key, as it stands in the item's key.
func hashOf(k *schema.Key, keys attr.Item) uint32 {
	return key.Hash(keys.Get(k.Hash[0].Name).Payload())
}

// finish adds the record whose parts are complete to the page, unless the page is full.
func (p *pager) finish() {
	if !p.begun || p.full {
		return
	}
	size := p.pending.Size()
	if n := len(p.records); n == p.limit || n > 0 && p.bytes+size > RecordBytesMax {
		p.full, p.next = true, p.records[n-1].At.Next()
		return
	}
	p.bytes += size
	p.records = append(p.records, p.pending)
	p.begun = false
}
