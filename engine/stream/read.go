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

// pager takes records until a page is full.
type pager struct {
	limit   int
	key     *schema.Key
	shard   *schema.Shard
	records []Record
	bytes   int
	// passed is what was passed over, in bytes.
	passed int
	// full: no more can be taken, and next is where to read on.
	full bool
	next Position
}

func (p *pager) collect(ctx context.Context, snap storage.Snapshot, s *schema.Stream, slot uint32, from Position, last uint64) error {
	sc, err := scan(ctx, snap, s, slot, from, last, p.limit)
	if err != nil {
		return err
	}
	defer sc.close()
	for sc.next() {
		if p.take(&sc.record); p.full {
			p.next = sc.record.At
			return nil
		}
	}
	return sc.err
}

// take adds a record to the page, unless it is of another shard or the page is full.
func (p *pager) take(r *Record) {
	if p.passed > passedBytesMax {
		p.full = true
		return
	}
	if p.shard.Split() && !p.shard.Holds(hashOf(p.key, r.Keys)) {
		p.passed += r.stored()
		return
	}
	size := r.Size()
	if n := len(p.records); n == p.limit || n > 0 && p.bytes+size > RecordBytesMax {
		p.full = true
		return
	}
	p.bytes += size
	p.records = append(p.records, *r)
}

// hashOf is the hash of the partition key, as it stands in the item's key.
func hashOf(k *schema.Key, keys attr.Item) uint32 {
	return key.Hash(keys.Get(k.Hash[0].Name).Payload())
}

// scanner walks the records of a slot and puts each together from its parts.
type scanner struct {
	it     storage.Iterator
	record Record
	err    error
	// at, kind and value are the entry at which it stands, unless it is at the end.
	at    Position
	kind  kind
	value []byte
	end   bool
}

// scan begins at a position and ends with a Seq. limit is how many records are expected to be taken.
func scan(ctx context.Context, snap storage.Snapshot, s *schema.Stream, slot uint32, from Position, last uint64, limit int) (*scanner, error) {
	r := Range(s, slot, uint64(from.Seq), last)
	r.Start = appendKey(nil, s.ID, slot, s.Slots, from, kindRecord)
	it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: limit, KeepValues: true})
	if err != nil {
		return nil, err
	}
	sc := &scanner{it: it}
	sc.step()
	return sc, nil
}

func (sc *scanner) close() { sc.it.Close() }

// next reads a record; false at the end and after an error.
func (sc *scanner) next() bool {
	if sc.end {
		return false
	}
	if sc.kind != kindRecord {
		return sc.fail(fmt.Errorf("stream: an image without its record at %s: %w", sc.at, storage.ErrCorrupt))
	}
	r, err := decode(sc.at, sc.value)
	if err != nil {
		return sc.fail(err)
	}
	for sc.step(); !sc.end && sc.at == r.At; sc.step() {
		switch sc.kind {
		case kindNewImage:
			r.New = attr.Item(sc.value)
		case kindOldImage:
			r.Old = attr.Item(sc.value)
		}
	}
	sc.record = r
	return sc.err == nil
}

// step goes to the next entry.
func (sc *scanner) step() {
	if !sc.it.Next() {
		sc.fail(sc.it.Err())
		return
	}
	var err error
	if sc.at, sc.kind, err = decodeKey(sc.it.Key()); err != nil {
		sc.fail(err)
	}
	sc.value = sc.it.Value()
}

func (sc *scanner) fail(err error) bool {
	sc.err, sc.end = err, true
	return false
}
