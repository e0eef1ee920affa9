package exec

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/index"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
)

// A step of a backfill looks at no more items and reads no more bytes than this, so that writers wait
// for it only shortly.
const (
	backfillItems = 512
	backfillBytes = 1 << 20
)

// Cursor is how far a backfill came. It is stored by the update that does a step.
type Cursor struct {
	// After is the key of the last item that was looked at.
	After []byte `json:"after"`
	// Items that were looked at, Entries that were written.
	Items   int64 `json:"items"`
	Entries int64 `json:"entries"`
}

// LoadCursor reads how far a job came; the zero Cursor when it has not begun.
func (e *Executor) LoadCursor(ctx context.Context, row []byte) (Cursor, error) {
	var c Cursor
	v, err := e.store.Get(ctx, row)
	if err != nil || !v.Present {
		return c, err
	}
	if err := json.Unmarshal(v.Data, &c); err != nil {
		return c, fmt.Errorf("exec: cursor of a job: %w: %w", storage.ErrCorrupt, err)
	}
	return c, nil
}

// derive returns the row that an item has under the sub of a job, and whether it has
// one.
type derive func(t *catalog.Table, row []byte, item attr.Item) (key, value []byte, ok bool)

// BackfillIndex does one step of filling an index and reports whether the end is reached. Every write
// that is bound to t keeps the index, so only items have to be looked at that were there before.
func (e *Executor) BackfillIndex(ctx context.Context, t *catalog.Table, sub uint32, c *Cursor, l *lease.Lease) (bool, error) {
	for i := range t.Table.Indexes {
		if ix := &t.Table.Indexes[i]; ix.Sub == sub {
			return e.backfill(ctx, t, sub, c, l, func(t *catalog.Table, _ []byte, item attr.Item) ([]byte, []byte, bool) {
				return index.Entry(&t.Table, ix, t.ProjectedNames(i), item)
			})
		}
	}
	return true, nil
}

func (e *Executor) backfill(ctx context.Context, t *catalog.Table, sub uint32, c *Cursor, l *lease.Lease, d derive) (bool, error) {
	var keys [][]byte
	var next Cursor
	var done bool
	err := storage.Fresh(ctx, func() (err error) {
		keys, next, done, err = e.candidates(ctx, t, *c, d)
		return err
	})
	if err != nil {
		return false, err
	}
	named := []storage.Named{l.Named(), {Key: t.Cursor(sub)}}
	for _, k := range keys {
		named = append(named, storage.Named{Key: k})
	}
	first := len(named) - len(keys)
	var after Cursor
	err = e.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(0)); err != nil {
			return err
		}
		after = next
		for i, k := range keys {
			v := tx.Value(first + i)
			if !v.Present {
				continue
			}
			if row, value, ok := d(t, k, attr.Item(v.Data)); ok {
				tx.Put(row, value)
				if ix := t.Table.BySub(sub); ix != nil {
					changed(tx, ix, row)
				}
				after.Entries++
			}
		}
		b, err := json.Marshal(&after)
		if err != nil {
			return fmt.Errorf("exec: cursor of a job: %w", err)
		}
		tx.Put(named[1].Key, b)
		return nil
	})
	if err == nil {
		*c = after
		e.noteVectors(t)
	}
	return done, err
}

// candidates reads the items after a cursor and returns the keys of those that have something to be
// written. An item that has nothing now needs no second look: what gives it something also writes it.
func (e *Executor) candidates(ctx context.Context, t *catalog.Table, c Cursor, d derive) (keys [][]byte, next Cursor, done bool, err error) {
	snap, err := e.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "index backfill"})
	if err != nil {
		return nil, c, false, err
	}
	defer snap.Close()
	r := storage.Range(key.SpaceRange(key.TableSpace(t.Table.ID), key.TableSub))
	if c.After != nil {
		r.Start = append(append([]byte(nil), c.After...), 0)
	}
	it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: backfillItems, Once: true})
	if err != nil {
		return nil, c, false, err
	}
	defer it.Close()
	next = c
	for items, bytes := 0, 0; items < backfillItems && bytes < backfillBytes; items++ {
		if !it.Next() {
			return keys, next, true, it.Err()
		}
		k := append([]byte(nil), it.Key()...)
		if _, _, ok := d(t, k, attr.Item(it.Value())); ok {
			keys = append(keys, k)
		}
		bytes += len(it.Value())
		next.After = k
		next.Items++
	}
	return keys, next, false, nil
}
