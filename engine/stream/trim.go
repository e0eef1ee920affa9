package stream

import (
	"cmp"
	"context"
	"slices"

	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// Expired returns the Seq up to which all records of a stream are from before a time, zero when none
// is. Times grow with the Seqs, so it looks at few records.
func Expired(ctx context.Context, store storage.Store, s *schema.Stream, beforeMs int64) (upTo uint64, err error) {
	err = storage.Fresh(ctx, func() error {
		upTo, err = expired(ctx, store, s, beforeMs)
		return err
	})
	return upTo, err
}

func expired(ctx context.Context, store storage.Store, s *schema.Stream, beforeMs int64) (uint64, error) {
	mark, err := store.Watermark(ctx, 0)
	if err != nil {
		return 0, err
	}
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: "stream trimming"})
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	old, live := uint64(0), uint64(mark)+1
	for slot := range s.Slots {
		p := prober{snap: snap, stream: s, slot: slot, last: uint64(mark)}
		o, l, err := p.divide(ctx, beforeMs)
		if err != nil {
			return 0, err
		}
		old, live = max(old, o), min(live, l)
	}
	return min(old, live-1), nil
}

// prober looks at single records of a slot.
type prober struct {
	snap   storage.Snapshot
	stream *schema.Stream
	slot   uint32
	last   uint64
}

// divide returns the Seq of the last record from before a time, zero for none, and that of the first
// one from then on, behind all for none.
func (p *prober) divide(ctx context.Context, beforeMs int64) (old, live uint64, err error) {
	lo, hi := p.stream.Trimmed+1, p.last+1
	live = hi
	for lo < hi {
		mid := lo + (hi-lo)/2
		r, ok, err := p.first(ctx, mid)
		switch {
		case err != nil:
			return 0, 0, err
		case ok && r.TimeMs < beforeMs:
			old, lo = uint64(r.At.Seq), uint64(r.At.Seq)+1
			continue
		case ok:
			live = uint64(r.At.Seq)
		}
		hi = mid
	}
	return old, live, nil
}

// first returns the first record of the slot from a Seq on.
func (p *prober) first(ctx context.Context, seq uint64) (Record, bool, error) {
	r := Range(p.stream, p.slot, seq, p.last)
	it, err := p.snap.Iter(ctx, r, storage.IterOptions{LimitHint: 1})
	if err != nil {
		return Record{}, false, err
	}
	defer it.Close()
	if !it.Next() {
		return Record{}, false, it.Err()
	}
	at, _, err := decodeKey(it.Key())
	if err != nil {
		return Record{}, false, err
	}
	record, err := decode(at, it.Value())
	record.Keys = nil // they would not outlive the iterator
	return record, true, err
}

// Meter counts the bytes that a stream keeps, so that they can be bounded. Each record is counted
// once, in steps of stepBytes; keys and values count as they are before compression.
type Meter struct {
	counted uint64
	total   int64
	steps   []step
}

// step is a stretch of a slot's records that ends with a Seq.
type step struct {
	last  uint64
	bytes int64
}

const stepBytes = 64 << 10

// Excess counts what is new and returns the Seq up to which records must go so that no more than
// limit bytes are kept; zero when they need not.
func (m *Meter) Excess(ctx context.Context, store storage.Store, s *schema.Stream, limit int64) (uint64, error) {
	if err := storage.Fresh(ctx, func() error { return m.count(ctx, store, s) }); err != nil {
		return 0, err
	}
	cut := s.Trimmed
	for len(m.steps) > 0 && (m.total > limit || m.steps[0].last <= cut) {
		cut = max(cut, m.steps[0].last)
		m.total -= m.steps[0].bytes
		m.steps = m.steps[1:]
	}
	if cut == s.Trimmed {
		return 0, nil
	}
	return cut, nil
}

func (m *Meter) count(ctx context.Context, store storage.Store, s *schema.Stream) error {
	mark, err := store.Watermark(ctx, 0)
	if err != nil {
		return err
	}
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: "stream metering"})
	if err != nil {
		return err
	}
	defer snap.Close()
	from := max(m.counted, s.Trimmed) + 1
	var found []step
	for slot := range s.Slots {
		if found, err = appendSteps(ctx, found, snap, Range(s, slot, from, uint64(mark))); err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b step) int { return cmp.Compare(a.last, b.last) })
	for _, st := range found {
		m.total += st.bytes
	}
	m.steps, m.counted = append(m.steps, found...), uint64(mark)
	return nil
}

func appendSteps(ctx context.Context, dst []step, snap storage.Snapshot, r storage.Range) ([]step, error) {
	it, err := snap.Iter(ctx, r, storage.IterOptions{})
	if err != nil {
		return dst, err
	}
	defer it.Close()
	var open step
	for it.Next() {
		at, _, err := decodeKey(it.Key())
		if err != nil {
			return dst, err
		}
		// A step does not end within an update.
		if open.bytes >= stepBytes && uint64(at.Seq) != open.last {
			dst, open = append(dst, open), step{}
		}
		open.last = uint64(at.Seq)
		open.bytes += int64(len(it.Key()) + len(it.Value()))
	}
	if open.bytes > 0 {
		dst = append(dst, open)
	}
	return dst, it.Err()
}
