package crossref

import (
	"bytes"
	"context"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/replica"
)

// replication checks what a table keeps because of its replicas. A stamp that is removed leaves its item older than
// all others: it gets that of a replica, or the next write's.
func (t *tableCheck) replication(ctx context.Context) error {
	if t.Global == nil {
		return nil
	}
	err := t.walk(ctx, t.rows(t.Global.Stamps), func(k, v []byte) error {
		t.out.Counts.Stamps++
		return t.stamp(ctx, k, v)
	})
	if err != nil {
		return err
	}
	err = t.walk(ctx, t.rows(t.Global.Out), func(k, _ []byte) error {
		item, seq, ok := key.SplitOut(nil, k)
		if ok && seq <= t.mark && bytes.Equal(key.AppendOut(nil, t.Global.Out, item, seq), k) {
			return nil
		}
		t.fault(Replication, "", k, "what is to be sent to replicas is of no update")
		return t.remove(ctx, k)
	})
	if err != nil {
		return err
	}
	return t.walk(ctx, t.rows(t.Global.Dead), func(k, _ []byte) error {
		if _, ok := key.ItemOfExpiry(k); ok {
			return nil
		}
		t.fault(Replication, "", k, "what is known of a deleted item has an impossible key")
		return t.remove(ctx, k)
	})
}

// stamp checks one stamp against its item, and that it is found when it may be forgotten.
func (t *tableCheck) stamp(ctx context.Context, k, v []byte) error {
	s, err := replica.DecodeBytes(v)
	if err != nil || s.Micros < 0 {
		t.fault(Replication, "", k, "the time of the last write of an item cannot be read")
		return t.remove(ctx, k)
	}
	item := key.ItemOfStamp(nil, k)
	stored, known, err := t.get(ctx, item)
	switch {
	case err != nil || !known:
		return err
	case s.Deleted && stored.Present:
		t.fault(Replication, "", k, "an item that is there is marked as deleted")
		return t.remove(ctx, k)
	case !s.Deleted && !stored.Present:
		t.fault(Replication, "", k, "an item that is not there is marked as written")
		return t.remove(ctx, k)
	case !s.Deleted:
		return nil
	}
	row := replica.DeadRow(t.Global.Dead, item, s)
	found, known, err := t.get(ctx, row)
	if err != nil || !known || found.Present {
		return err
	}
	t.add(Fault{Warning: true, Region: Replication, Table: t.Table.Name, Key: k, What: "the stamp of a deleted item would be kept for ever"})
	return t.put(ctx, row, nil)
}
