package lsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"

	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/storage"
)

// statsCountMax is how many keys Stats counts one by one where its estimate is not exact.
const statsCountMax = 4096

// Stats estimates a range from the counts per 12-byte prefix of memtables and tables; a part of a
// prefix counts by its share of the hashes. It is exact where one source of each stripe holds all
// of a prefix; a range that seems small is counted. A table that cannot be read is left out.
func (db *DB) Stats(ctx context.Context, r storage.Range) (storage.Stats, error) {
	if db.closed.Load() {
		return storage.Stats{}, storage.ErrClosed
	}
	sum, err := db.estimate(ctx, r)
	if err != nil {
		return storage.Stats{}, db.readError(err)
	}
	if !sum.Exact && sum.Keys <= statsCountMax {
		counted, err := db.countRange(ctx, r)
		switch {
		case errors.Is(err, storage.ErrCorrupt): // the estimate stands
		case err != nil || counted.Exact:
			return counted, err
		}
	}
	return sum, nil
}

func (db *DB) estimate(ctx context.Context, r storage.Range) (storage.Stats, error) {
	sum := storage.Stats{Exact: true}
	for i := range db.stripes {
		if err := ctx.Err(); err != nil {
			return storage.Stats{}, err
		}
		if err := db.stripeStats(&db.stripes[i], r, &sum); err != nil {
			return storage.Stats{}, err
		}
	}
	sum.Keys, sum.Bytes = max(sum.Keys, 0), max(sum.Bytes, 0)
	return sum, nil
}

// countRange counts the keys of a range, up to some more than statsCountMax.
func (db *DB) countRange(ctx context.Context, r storage.Range) (storage.Stats, error) {
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{Owner: "storage statistics"})
	if err != nil {
		return storage.Stats{}, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, r, storage.IterOptions{})
	if err != nil {
		return storage.Stats{}, err
	}
	defer it.Close()
	n := storage.Stats{Exact: true}
	for it.Next() {
		n.Keys++
		n.Bytes += int64(len(it.Key()) + len(it.Value()))
		if n.Keys > 2*statsCountMax {
			n.Exact = false
			break
		}
	}
	return n, it.Err()
}

// prefixStats adds up what the sources of one stripe say of one prefix.
type prefixStats struct {
	share                   float64
	keys, tombstones, bytes int64
	sources, last           int // last is the number of the source counted last
}

func (db *DB) stripeStats(s *stripe, r storage.Range, sum *storage.Stats) error {
	byPrefix := make(map[string]*prefixStats)
	s.mu.RLock()
	tables := s.tables.acquire()
	defer db.release(tables)
	source := 0
	count := func(prefix []byte, keys, tombstones, size int64) {
		share := shareOf(prefix, r)
		if share == 0 || tables.dead.Covers(prefix, append(bytes.Clone(prefix), 0xff, 0xff, 0xff, 0xff)) {
			return
		}
		p := byPrefix[string(prefix)]
		if p == nil {
			p = &prefixStats{share: share}
			byPrefix[string(prefix)] = p
		}
		p.keys, p.tombstones, p.bytes = p.keys+keys, p.tombstones+tombstones, p.bytes+size
		if p.last != source {
			p.sources, p.last = p.sources+1, source
		}
	}
	for _, m := range append([]*memtable.Memtable{s.active}, s.frozen...) {
		source++
		m.Prefixes(r, func(p memtable.PrefixCount) { count(p.Prefix, p.Keys, p.Tombstones, p.Bytes) })
	}
	s.mu.RUnlock()
	for l, level := range tables.levels {
		source++
		for _, t := range level {
			if l == 0 {
				source++ // the tables of the other levels share no keys
			}
			if bytes.Compare(t.Meta.Largest, r.Start) < 0 || r.End != nil && bytes.Compare(t.Meta.Smallest, r.End) >= 0 {
				continue // what is not asked about is not read either
			}
			p, err := t.reader.Properties()
			if errors.Is(err, storage.ErrCorrupt) {
				sum.Exact = false
				continue
			}
			if err != nil {
				return err
			}
			for _, c := range p.In(r) {
				count(c.Prefix, c.Keys, c.Tombstones, c.Bytes)
			}
		}
	}
	for prefix, p := range byPrefix {
		if p.share < 1 || p.sources > 1 || tables.dead.Overlaps([]byte(prefix), []byte(prefix+"\xff\xff\xff\xff")) {
			sum.Exact = false
		}
		if p.sources > 1 {
			// A tombstone is there for an older value; where it is not, the estimate is low.
			p.keys -= p.tombstones
		}
		sum.Keys += int64(p.share * float64(p.keys))
		sum.Bytes += int64(p.share * float64(p.bytes))
	}
	return nil
}

// shareOf is the share of a prefix's hashes that a range covers.
func shareOf(prefix []byte, r storage.Range) float64 {
	from, to := 0.0, 1.0
	if c := bytes.Compare(r.Start, prefix); c > 0 {
		if !bytes.HasPrefix(r.Start, prefix) {
			return 0
		}
		from = fraction(r.Start[len(prefix):])
	}
	if r.End != nil {
		switch {
		case bytes.Compare(r.End, prefix) <= 0:
			return 0
		case bytes.HasPrefix(r.End, prefix):
			to = fraction(r.End[len(prefix):])
		}
	}
	return max(to-from, 0)
}

func fraction(hash []byte) float64 {
	var b [4]byte
	copy(b[:], hash)
	return float64(binary.BigEndian.Uint32(b[:])) / (1 << 32)
}
