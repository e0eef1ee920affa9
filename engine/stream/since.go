package stream

import (
	"context"
	"math"

	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// SinceSlackMs is how much older a record may be than others that come before it, in milliseconds. A
// write takes its time, and then waits for its keys and a Seq; storage bounds that by less.
const SinceSlackMs = 60_000

// Since returns the position of the first record of a stream, or of a shard of it, that is not older
// than a time, in milliseconds since 1970, or the place behind all that there is. The line is found by
// bisection, SinceSlackMs before the time, and the rest by reading on from there.
func Since(ctx context.Context, store storage.Store, s *schema.Stream, shard *schema.Shard, ms int64) (at Position, err error) {
	err = storage.Fresh(ctx, func() error {
		at, err = since(ctx, store, s, shard, ms)
		return err
	})
	return at, err
}

func since(ctx context.Context, store storage.Store, s *schema.Stream, shard *schema.Shard, ms int64) (Position, error) {
	mark, err := store.Watermark(ctx, 0)
	if err != nil {
		return Position{}, err
	}
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: "stream search"})
	if err != nil {
		return Position{}, err
	}
	defer snap.Close()
	before := ms - SinceSlackMs
	if before > ms {
		before = math.MinInt64
	}
	m := NewMerge(s, shard, Position{})
	last := m.Last(mark)
	first := Position{Seq: storage.Seq(last + 1)}
	for i := range m.from {
		p := prober{snap: snap, stream: s, slot: m.first + uint32(i), last: last}
		_, from, err := p.divide(ctx, before)
		if err != nil {
			return Position{}, err
		}
		if first, err = m.since(ctx, snap, i, from, min(last, uint64(first.Seq)), ms, first); err != nil {
			return Position{}, err
		}
	}
	return first, nil
}

// since looks through one slot for a record that is not older than a time and lies before the best one
// so far.
func (m *Merge) since(ctx context.Context, snap storage.Snapshot, i int, from, last uint64, ms int64, best Position) (Position, error) {
	if from > last {
		return best, nil
	}
	it, err := snap.Iter(ctx, Range(m.stream, m.first+uint32(i), from, last), storage.IterOptions{})
	if err != nil {
		return best, err
	}
	defer it.Close()
	for it.Next() {
		at, kind, err := decodeKey(it.Key())
		if err != nil || kind == kindRecord && !at.Less(best) {
			return best, err
		}
		if kind != kindRecord {
			continue
		}
		r, err := decode(at, it.Value())
		if err != nil {
			return best, err
		}
		if r.TimeMs >= ms && m.wants(m.shardOf(i, &r)) {
			return at, nil
		}
	}
	return best, it.Err()
}
