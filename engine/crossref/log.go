package crossref

import (
	"context"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/changelog"
	"github.com/keystone-db/kstone/engine/key"
)

// history checks the rows of a table's change log.
func (t *tableCheck) history(ctx context.Context) error {
	if t.Log == nil {
		return nil
	}
	for _, g := range t.Log.Generations {
		err := t.walk(ctx, t.rows(g.History), func(k, v []byte) error {
			t.out.Counts.HistoryRows++
			what := changelog.Check(k, v, t.mark, func(item attr.Item) ([]byte, bool) {
				return key.AppendItem(nil, &t.Table, item)
			})
			if what == "" {
				return nil
			}
			t.fault(Log, "", k, "%s", what)
			return t.remove(ctx, k)
		})
		if err != nil {
			return err
		}
		err = t.walk(ctx, t.rows(g.Marks), func(k, _ []byte) error {
			_, seq, ok := key.SplitMark(k)
			if ok && seq <= t.mark {
				return nil
			}
			t.fault(Log, "", k, "a mark of a time that no update was made at")
			return t.remove(ctx, k)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
