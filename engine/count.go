package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// What DescribeTable counts one by one has at most countExactMax keys and countExactBytes in the store.
// What holds more is counted in the background (count_work.go).
const (
	countExactMax   = 10_000
	countExactBytes = 32 << 20
)

// small says whether so much is counted one by one.
func (db *core) small(keys, bytes int64) bool {
	return keys <= db.opts.countMax && bytes <= db.opts.countBytes
}

// probesMax is how many times as much DescribeTable looks at where storage said that a table is small.
const probesMax = 4

// sums are those of the items of a table or of the entries of an index.
type sums struct {
	Items int64 `json:"items"`
	// Size is as the service accounts for it, Bytes that of keys and values in the store.
	Size  int64 `json:"size"`
	Bytes int64 `json:"bytes"`
}

func (s *sums) add(ix *schema.Index, k, value []byte) {
	s.Items++
	if ix == nil {
		s.Size += int64(attr.Item(value).Size())
	} else {
		s.Size += int64(index.Size(ix, value))
	}
	s.Bytes += int64(len(k) + len(value))
}

// hint is what storage says of a range. Unlike sums it may be wrong, but it costs little, and does not
// change while nothing is written.
type hint struct {
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
}

func hintOf(s storage.Stats) hint { return hint{Keys: s.Keys, Bytes: s.Bytes} }

// counted is a count that came to its end.
type counted struct {
	sums
	// End is what storage said then.
	End hint `json:"end"`
	// EndMs is the time of the end in milliseconds since 1970, Steps how many there were.
	EndMs int64 `json:"endMs"`
	Steps int64 `json:"steps"`
	// Settled: storage said at the end what it said at the beginning, so nothing was written
	// meanwhile, as far as that shows.
	Settled bool `json:"settled,omitempty"`
}

// at returns what a count says now, when storage says s.
func (c *counted) at(s storage.Stats) sums {
	now := c.sums
	now.Bytes = adrift(c.Bytes, c.End.Bytes, s.Bytes)
	now.Size = share(c.Size, now.Bytes, c.Bytes)
	if now.Items = adrift(c.Items, c.End.Keys, s.Keys); s.Exact {
		now.Items = s.Keys
	}
	return now
}

// adrift is what was counted when storage said then, moved to what it says now. Storage says too much
// as far as it has older versions of a key beside the newest. So a fall is taken at first for the loss
// of such versions, and of a rise only that share for new keys which newest versions had then.
func adrift(n, then, now int64) int64 {
	if now <= then {
		return max(n-max(then-now-max(then-n, 0), 0), 0)
	}
	return n + share(now-then, min(n, then), then)
}

// share is n·part/whole.
func share(n, part, whole int64) int64 {
	if part == whole || whole == 0 {
		return n
	}
	return int64(float64(n) * float64(part) / float64(whole))
}

// tally is what is known of a table or index by counting, and stored in a row.
type tally struct {
	// Table is the name of the table.
	Table string `json:"table"`
	// Last is the last count that came to its end, nil before.
	Last *counted `json:"last,omitempty"`
	// Run is a count on its way.
	Run *countRun `json:"run,omitempty"`
}

func decodeTally(b []byte) (*tally, error) {
	c := new(tally)
	if err := json.Unmarshal(b, c); err != nil {
		return nil, fmt.Errorf("engine: count of a table: %w: %w", storage.ErrCorrupt, err)
	}
	return c, nil
}

// loadTally reads a row of counts; without one the tally is empty.
func (db *core) loadTally(ctx context.Context, id countID, table string) (*tally, error) {
	v, err := db.store.Get(ctx, id.row())
	if err != nil {
		return nil, err
	}
	if !v.Present {
		return &tally{Table: table}, nil
	}
	return decodeTally(v.Data)
}

// count returns the number of items of a table or index and the sum of their accounted sizes. Small
// ones are counted one by one, so that a test sees what it wrote. Of large ones the last count of the
// background stands, moved by what storage says; before there is one, storage's figures.
func (db *core) count(ctx context.Context, t *catalog.Table, sub uint32) (items, size int64, err error) {
	if t.Status == catalog.StatusDeleting || t.Status == catalog.StatusCreating {
		return 0, 0, nil
	}
	held, err := db.catalog.Enter(t.Table.Name, 0)
	if err != nil {
		return 0, 0, nil // on its way out
	}
	defer held.Leave(0)
	id := countID{table: t.Table.ID, sub: sub}
	if !id.in(held) {
		return 0, 0, nil
	}
	n, err := db.countNow(ctx, id, t.Table.Name, held.Table.BySub(sub))
	return n.Items, n.Size, err
}

func (db *core) countNow(ctx context.Context, id countID, table string, ix *schema.Index) (sums, error) {
	stats, err := db.store.Stats(ctx, id.keys())
	if err != nil {
		return sums{}, err
	}
	var known sums
	times := int64(probesMax)
	if !db.small(stats.Keys, stats.Bytes) {
		times = 1
		known, err = db.lastCount(ctx, id, table, stats)
		if err != nil || !db.small(known.Items, known.Bytes) {
			return known, err
		}
	}
	seen, end, err := db.countFew(ctx, id, ix, times)
	if errors.Is(err, storage.ErrCorrupt) {
		return seen.unread(stats), nil
	}
	if err != nil || end {
		return seen, err
	}
	if times > 1 {
		if known, err = db.lastCount(ctx, id, table, stats); err != nil {
			return sums{}, err
		}
	}
	db.wantCount(id, table)
	if known.Items > seen.Items {
		return known, nil
	}
	return sums{
		Items: max(stats.Keys, seen.Items),
		Size:  max(share(seen.Size, stats.Bytes, seen.Bytes), seen.Size),
	}, nil
}

// unread is what there is where some of it cannot be read: what storage says, which knows without reading.
// A damaged block does not make a table unknown; whoever reads what was in it is told.
func (s sums) unread(stats storage.Stats) sums {
	if s.Bytes == 0 {
		s.Size, s.Bytes = stats.Bytes, stats.Bytes
	}
	return sums{
		Items: max(stats.Keys, s.Items), Size: max(share(s.Size, stats.Bytes, s.Bytes), s.Size), Bytes: max(stats.Bytes, s.Bytes),
	}
}

// lastCount returns what the last count says when storage says s, zeros before there is one, and asks
// for the next one if it is due.
func (db *core) lastCount(ctx context.Context, id countID, table string, s storage.Stats) (sums, error) {
	c, err := db.loadTally(ctx, id, table)
	if err != nil {
		return sums{}, err
	}
	if c.Last == nil {
		return sums{}, nil
	}
	if c.due(s, db.exec.Now()) {
		db.wantCount(id, table)
	}
	return c.Last.at(s), nil
}

// countFew counts one by one, and reports whether that came to the end before there was more than so
// many times what is small.
func (db *core) countFew(ctx context.Context, id countID, ix *schema.Index, times int64) (n sums, end bool, err error) {
	err = storage.Fresh(ctx, func() error {
		n, end = sums{}, false
		snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "count of keys"})
		if err != nil {
			return err
		}
		defer snap.Close()
		it, err := snap.Iter(ctx, id.keys(), storage.IterOptions{})
		if err != nil {
			return err
		}
		defer it.Close()
		for n.Items <= times*db.opts.countMax && n.Bytes <= times*db.opts.countBytes {
			if !it.Next() {
				end = true
				return it.Err()
			}
			n.add(ix, it.Key(), it.Value())
		}
		return nil
	})
	return n, end, err
}

// countID names what is counted: a table or one of its indexes.
type countID struct {
	table uint64
	sub   uint32
}

func (id countID) row() []byte { return key.AppendCount(nil, id.table, id.sub) }

func (id countID) keys() storage.Range {
	return storage.Range(key.SpaceRange(key.TableSpace(id.table), id.sub))
}

// in says whether it is a table, or one of its indexes.
func (id countID) in(t *catalog.Table) bool {
	return t.Table.ID == id.table && (id.sub == key.TableSub || t.Table.HasSub(id.sub))
}
