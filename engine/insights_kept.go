package engine

import (
	"context"
	"time"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/insights"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// insightsKeptEvery is how often counted keys are stored. A crash loses what came later.
const insightsKeptEvery = time.Minute

// loadInsights reads the counts that were stored. Of several processes that count, the last one's stay.
func (db *core) loadInsights(ctx context.Context) error {
	return storage.Fresh(ctx, func() error {
		snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "counted keys"})
		if err != nil {
			return err
		}
		defer snap.Close()
		it, err := snap.Iter(ctx, storage.Range(key.CatalogRange(key.SubInsights)), storage.IterOptions{})
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			table, index, ok := key.SplitInsights(it.Key())
			if !ok || db.insights.Of(insights.ID{Table: table, Index: index}).Load(it.Value()) != nil {
				db.opts.Logger.Warn().Msg("counted keys cannot be read and are counted anew")
			}
		}
		return it.Err()
	})
}

// keepInsights stores the counts that changed, and drops those of tables and indexes that are not counted any more.
// counting says whether any is.
func (db *core) keepInsights(ctx context.Context) (counting bool, err error) {
	db.background.insights.mu.Lock()
	defer db.background.insights.mu.Unlock()
	tables, err := db.tablesByID(ctx)
	if err != nil {
		return true, err
	}
	counted := map[insights.ID]bool{}
	for _, t := range tables {
		for index, s := range t.Insights {
			if s.Enabled {
				counted[insights.ID{Table: t.Table.ID, Index: index}] = true
			}
		}
	}
	var batch storage.Batch
	db.insights.Each(func(id insights.ID, k *insights.Keys) {
		row := key.AppendInsights(nil, id.Table, id.Index)
		if !counted[id] {
			batch.Delete(row)
			db.insights.Forget(id)
			return
		}
		b, changed, e := k.Dump()
		if changed {
			batch.Put(row, b)
		}
		if err == nil {
			err = e
		}
	})
	if err != nil || len(batch.Ops) == 0 {
		return len(counted) > 0, err
	}
	return len(counted) > 0, db.store.Apply(ctx, &batch, storage.UpdateOptions{})
}

// forgetInsights drops the counts of a table or index.
func (db *core) forgetInsights(ctx context.Context, t *catalog.Table, index string) error {
	id := insights.ID{Table: t.Table.ID, Index: index}
	db.insights.Forget(id)
	var batch storage.Batch
	batch.Delete(key.AppendInsights(nil, id.Table, id.Index))
	return db.store.Apply(ctx, &batch, storage.UpdateOptions{})
}
