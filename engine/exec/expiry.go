package exec

import (
	"bytes"
	"context"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/ttl"
)

// expiryRow is the key of the row that says when an item ends; nil when it never does, or when nobody
// keeps rows. A blind write leaves the row of the item before it: whoever sweeps drops it.
func expiryRow(t *catalog.Table, k []byte, item attr.Item) []byte {
	if t.Table.TTLSub == 0 {
		return nil
	}
	ms, ok := ttl.Millis(t.Table.TTL, item)
	if !ok {
		return nil
	}
	return key.AppendExpiry(nil, t.Table.TTLSub, ms, k)
}

// expiry moves the expiry row of an item from the time of what is stored to that of what is written.
func expiry(tx storage.Tx, t *catalog.Table, w *plan.Write, v storage.Value, res *Result) {
	var old []byte
	if v.Present {
		old = expiryRow(t, w.Key, attr.Item(v.Data))
	}
	next := expiryRow(t, w.Key, res.New)
	if bytes.Equal(old, next) {
		return
	}
	if old != nil {
		tx.Delete(old)
	}
	if next != nil {
		tx.Put(next, []byte{})
	}
}

// BackfillExpiry does one step of writing the expiry rows of a table and reports whether the end is
// reached.
func (e *Executor) BackfillExpiry(ctx context.Context, t *catalog.Table, sub uint32, c *Cursor, l *lease.Lease) (bool, error) {
	if t.Table.TTLSub != sub {
		return true, nil
	}
	return e.backfill(ctx, t, sub, c, l, func(t *catalog.Table, k []byte, item attr.Item) ([]byte, []byte, bool) {
		row := expiryRow(t, k, item)
		return row, []byte{}, row != nil
	})
}

// Due returns the expiry rows of a bucket whose time is before now, at most so many, and one an item.
// after is the last row that was handled, or nil: whoever goes on there does not read again over what
// has just been removed.
func (e *Executor) Due(ctx context.Context, t *catalog.Table, bucket, limit int, after []byte, now time.Time) (rows [][]byte, err error) {
	err = storage.Fresh(ctx, func() error {
		rows, err = e.due(ctx, t, bucket, limit, after, now)
		return err
	})
	return rows, err
}

func (e *Executor) due(ctx context.Context, t *catalog.Table, bucket, limit int, after []byte, now time.Time) ([][]byte, error) {
	snap, err := e.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "expiry sweep"})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	r := storage.Range(key.ExpiryRange(t.Table.ID, t.Table.TTLSub, bucket, now.UnixMilli()))
	if bytes.HasPrefix(after, r.Start) { // not a row of an earlier setting
		r.Start = append(bytes.Clone(after), 0)
	}
	it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: limit})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var rows [][]byte
	seen := map[string]bool{}
	for len(rows) < limit && it.Next() {
		k, ok := key.ItemOfExpiry(it.Key())
		if !ok || seen[string(k)] {
			continue
		}
		seen[string(k)] = true
		rows = append(rows, bytes.Clone(it.Key()))
	}
	return rows, it.Err()
}

// Sweep removes the items of expiry rows that are past their time, and rows that speak of an item as
// it was. Each item is looked at again in the update that removes it, together with its index entries
// and with the stream record that names the service. It returns how many rows are gone.
func (e *Executor) Sweep(ctx context.Context, t *catalog.Table, rows [][]byte, now time.Time, l *lease.Lease) (int, error) {
	named := make([]storage.Named, 0, len(rows)+1)
	for _, row := range rows {
		k, _ := key.ItemOfExpiry(row)
		named = append(named, storage.Named{Key: k})
	}
	named = append(named, l.Named())
	var sizes *collections
	for i := range rows {
		sizes = e.collect(sizes, i, t, &plan.Write{Kind: plan.WriteDelete, Key: named[i].Key})
	}
	named = sizes.name(named)
	gone, wrote := 0, written{}
	err := e.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		gone = 0
		wrote.reset()
		if err := l.Check(tx.Value(len(rows))); err != nil {
			return err
		}
		s, err := sizes.load(tx)
		if err != nil {
			return err
		}
		for i, row := range rows {
			done, err := sweep(tx, t, &s, i, row, now, &wrote)
			if err != nil {
				return err
			}
			if done {
				gone++
			}
		}
		s.commit(tx)
		return nil
	})
	wrote.over(t, now, err)
	e.noteVectors(t)
	return gone, err
}

// sweep does what one expiry row asks for and reports whether the row is gone.
func sweep(tx storage.Tx, t *catalog.Table, s *sizes, i int, row []byte, now time.Time, wrote *written) (bool, error) {
	k, _ := key.ItemOfExpiry(row)
	v := tx.Value(i)
	item := attr.Item(v.Data)
	if !v.Present || !bytes.Equal(expiryRow(t, k, item), row) {
		tx.Delete(row)
		return true, nil
	}
	if !ttl.Expired(t.Table.TTL, item, now) {
		late := !ttl.Expired(t.Table.TTL, item, now.Add(time.Second))
		if late { // too long ago, and so it stays
			tx.Delete(row)
		}
		return late, nil
	}
	w := plan.Write{Kind: plan.WriteDelete, Key: k}
	res, err := evaluate(t, &w, v, now)
	if err == nil {
		err = s.grow(i, t, v, &res)
	}
	if err != nil {
		return false, err
	}
	res.Expired = true
	commit(tx, t, &w, v, &res)
	if t.Recorded() {
		o := outcome{table: t, write: &w, stored: v, result: &res, now: now, index: i, beside: s.collections, place: i}
		return true, o.record(tx, wrote)
	}
	return true, nil
}
