package exec

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
)

// Fill puts items with their index entries into a table, in place of those of the same keys, in one update
// that update makes: it names the keys it is given in front of its own, and calls the function. No two items
// may have the same key, and all must be such as a put would let pass. The results come in the order of the
// items; they are valid until the next run of the function.
func (e *Executor) Fill(t *catalog.Table, items []attr.Item, update func([]storage.Named, func(storage.Tx) error) error) ([]Result, error) {
	now := e.Now()
	writes := make([]plan.Write, len(items))
	named := make([]storage.Named, len(items))
	var sizes *collections
	for i, item := range items {
		k, ok := key.AppendItem(nil, &t.Table, item)
		if !ok {
			return nil, storage.ErrCorrupt
		}
		writes[i] = plan.Write{Kind: plan.WritePut, Key: k, Item: item}
		named[i] = storage.Named{Key: k}
		sizes = e.collect(sizes, i, t, &writes[i])
	}
	named = sizes.name(named)
	results := make([]Result, len(items))
	var wrote written
	err := update(named, func(tx storage.Tx) error {
		wrote.reset()
		sum, err := sizes.load(tx)
		if err != nil {
			return err
		}
		for i := range writes {
			v := tx.Value(i)
			v.Data = bytes.Clone(v.Data)
			r, err := evaluate(t, &writes[i], v, now)
			if err == nil {
				err = sum.grow(i, t, v, &r)
			}
			if err != nil {
				return err
			}
			results[i] = r
			commit(tx, t, &writes[i], v, &results[i])
			if t.Recorded() {
				o := outcome{table: t, write: &writes[i], stored: v, result: &results[i], now: now, index: i, beside: sizes, place: i}
				if err := o.record(tx, &wrote); err != nil {
					return err
				}
			}
		}
		sum.commit(tx)
		return nil
	})
	wrote.over(t, now, err)
	return results, storeError(err)
}
