package engine

import (
	"context"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// StampsOf counts the stamps of a table's items, for tests.
func StampsOf(ctx context.Context, db *DB, table string) (n int, err error) {
	c := db.served.Load()
	t, err := c.catalog.Lookup(ctx, table)
	if err != nil {
		return 0, err
	}
	snap, err := c.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "test"})
	if err != nil {
		return 0, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.SpaceRange(key.TableSpace(t.Table.ID), t.Global.Stamps)), storage.IterOptions{})
	if err != nil {
		return 0, err
	}
	defer it.Close()
	for it.Next() {
		n++
	}
	return n, it.Err()
}

// OutKeys sets how many rows a log of what is to be sent has at least when it is thrown away.
func (o Options) OutKeys(n int64) Options {
	o.outKeys = n
	return o
}

// OutOf counts what a table has to send.
func OutOf(ctx context.Context, db *DB, table string) (int64, error) {
	c := db.served.Load()
	t, err := c.catalog.Lookup(ctx, table)
	if err != nil {
		return 0, err
	}
	s, err := c.store.Stats(ctx, storage.Range(key.SpaceRange(key.TableSpace(t.Table.ID), t.Global.Out)))
	return s.Keys, err
}
