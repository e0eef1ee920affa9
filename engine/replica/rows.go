package replica

import (
	"bytes"
	"context"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// Rows says where a table has its rows: their subs.
type Rows struct {
	Table             uint64
	Stamps, Out, Dead uint32
}

// Note writes down that an item is to be sent, in the update that writes it. item is its key.
func Note(tx storage.Tx, out uint32, item []byte) {
	tx.Put(key.AppendOut(nil, out, item, uint64(tx.Seq())), []byte{})
}

// Change is an item as it is, to be sent.
type Change struct {
	// Key is that of the item here.
	Key []byte
	// Item is nil for one that is deleted.
	Item  attr.Item
	Stamp Stamp
}

// owner names the snapshots of those who send.
const owner = "replication"

// Batch is what is sent next.
type Batch struct {
	Changes []Change
	// Next is up to which Seq everything is in this batch or was in those before.
	Next storage.Seq
	// More: there is more, now.
	More bool
}

// Pending returns what was written since after, at most about limit items: each once, as it is now. The watermark is
// asked first, so that nothing is missed.
func (r Rows) Pending(ctx context.Context, store storage.Store, after storage.Seq, limit int) (b Batch, err error) {
	mark, err := store.Watermark(ctx, 0)
	if err != nil || mark == after {
		return Batch{Next: after}, err
	}
	if mark < after {
		after = 0 // a store that was made anew, by salvage
	}
	err = storage.Fresh(ctx, func() error {
		b, err = r.pending(ctx, store, after, mark, limit)
		return err
	})
	return b, err
}

func (r Rows) pending(ctx context.Context, store storage.Store, after, mark storage.Seq, limit int) (Batch, error) {
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: owner})
	if err != nil {
		return Batch{}, err
	}
	defer snap.Close()
	b := Batch{Next: mark}
	type row struct {
		item []byte
		seq  storage.Seq
	}
	var rows []row
	for slot := range key.OutSlots {
		it, err := snap.Iter(ctx, storage.Range(key.OutRange(r.Table, r.Out, slot, uint64(after), uint64(mark))),
			storage.IterOptions{LimitHint: limit})
		if err != nil {
			return Batch{}, err
		}
		n := 0
		for it.Next() {
			item, seq, ok := key.SplitOut(nil, it.Key())
			if !ok {
				continue
			}
			if n >= limit {
				// An update is in the batch as a whole or not at all.
				b.Next, b.More = min(b.Next, storage.Seq(seq)-1), true
				break
			}
			rows = append(rows, row{item, storage.Seq(seq)})
			n++
		}
		err = it.Err()
		it.Close()
		if err != nil {
			return Batch{}, err
		}
	}
	seen := map[string]bool{}
	var keys [][]byte
	for _, x := range rows {
		if x.seq <= b.Next && !seen[string(x.item)] {
			seen[string(x.item)] = true
			keys = append(keys, x.item)
		}
	}
	b.Changes, err = r.load(ctx, snap, keys, func(s Stamp) bool { return s != Stamp{} })
	return b, err
}

// load reads items with their stamps, those whose stamp is wanted.
func (r Rows) load(ctx context.Context, snap storage.Snapshot, items [][]byte, wanted func(Stamp) bool) ([]Change, error) {
	both := make([][]byte, 0, 2*len(items))
	for _, k := range items {
		both = append(both, k, key.AppendStamp(nil, r.Stamps, k))
	}
	values, err := snap.GetMany(ctx, both)
	if err != nil {
		return nil, err
	}
	out := make([]Change, 0, len(items))
	for i, k := range items {
		stamp, err := Decode(values[2*i+1])
		if err != nil {
			return nil, err
		}
		if !wanted(stamp) {
			continue
		}
		c := Change{Key: k, Stamp: stamp}
		if v := values[2*i]; v.Present {
			c.Item = attr.Item(v.Data)
		}
		out = append(out, c)
	}
	return out, nil
}

// Cursor is how far the filling of a replica has come. The zero value is the beginning.
type Cursor struct {
	// Items: the stamps are behind, and items are next.
	Items bool `json:"items,omitempty"`
	// After is the last key.
	After []byte `json:"after,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

// Fill returns the next items of a whole table, at most limit keys and about bytes bytes are walked over: first those with stamps, deleted ones too,
// then those without. An item without a stamp gets the least one of the region.
func (r Rows) Fill(ctx context.Context, store storage.Store, at Cursor, limit, bytes int, region string) (changes []Change, next Cursor, err error) {
	err = storage.Fresh(ctx, func() error {
		changes, next, err = r.fill(ctx, store, at, limit, bytes, region)
		return err
	})
	return changes, next, err
}

func (r Rows) fill(ctx context.Context, store storage.Store, at Cursor, limit, most int, region string) ([]Change, Cursor, error) {
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: owner})
	if err != nil {
		return nil, at, err
	}
	defer snap.Close()
	sub := r.Stamps
	if at.Items {
		sub = key.TableSub
	}
	span := storage.Range(key.SpaceRange(key.TableSpace(r.Table), sub))
	if at.After != nil {
		span.Start = append(bytes.Clone(at.After), 0)
	}
	it, err := snap.Iter(ctx, span, storage.IterOptions{LimitHint: limit, Once: true})
	if err != nil {
		return nil, at, err
	}
	defer it.Close()
	var keys [][]byte
	size := 0
	for len(keys) < limit && size < most && it.Next() {
		at.After = bytes.Clone(it.Key())
		keys = append(keys, key.ItemOfStamp(nil, at.After))
		if at.Items {
			size += len(it.Value())
		} else {
			size += fillGuess
		}
	}
	if err := it.Err(); err != nil {
		return nil, at, err
	}
	if len(keys) < limit && size < most {
		at = Cursor{Items: true, Done: at.Items}
	}
	stamps := !at.Items && !at.Done || sub == r.Stamps
	changes, err := r.load(ctx, snap, keys, func(s Stamp) bool { return (s != Stamp{}) == stamps })
	for i := range changes {
		if changes[i].Stamp == (Stamp{}) {
			changes[i].Stamp = Stamp{Region: region}
		}
	}
	return changes, at, err
}

// fillGuess is what an item is taken to have in bytes before it is read.
const fillGuess = 8 << 10

// LongOut says whether more is to be sent than there are items, and at least some.
func (r Rows) LongOut(ctx context.Context, store storage.Store, least int64) (bool, error) {
	out, err := store.Stats(ctx, storage.Range(key.SpaceRange(key.TableSpace(r.Table), r.Out)))
	if err != nil || out.Keys < least {
		return false, err
	}
	items, err := store.Stats(ctx, storage.Range(key.SpaceRange(key.TableSpace(r.Table), key.TableSub)))
	return out.Keys > items.Keys, err
}

// HasOut says whether something is to be sent from after one Seq up to another.
func (r Rows) HasOut(ctx context.Context, store storage.Store, after, upTo storage.Seq) (found bool, err error) {
	for slot := 0; slot < key.OutSlots && !found && err == nil; slot++ {
		found, err = r.any(ctx, store, key.OutRange(r.Table, r.Out, slot, uint64(after), uint64(upTo)))
	}
	return found, err
}

// Trim removes the rows from after one Seq up to another which all replicas have. It is done by whoever comes first,
// and twice does no harm.
func (r Rows) Trim(ctx context.Context, store storage.Store, after, upTo storage.Seq) error {
	for slot := range key.OutSlots {
		dead := storage.Range(key.OutRange(r.Table, r.Out, slot, uint64(after), uint64(upTo)))
		if err := store.DropRange(ctx, dead); err != nil {
			return err
		}
	}
	return nil
}
