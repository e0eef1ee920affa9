package exec

import (
	"bytes"
	"time"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
)

// Load is a run of puts of one table for an update of somebody else's, who writes in it also how far the
// run came. A put that fails by its condition, or by the size of its collection, leaves the others alone.
type Load struct {
	exec   *Executor
	table  *catalog.Table
	writes []plan.Write
	now    time.Time
	sizes  *collections
	named  []storage.Named
	// Results and Failed hold one entry a write, as of the last run of the update.
	Results []Result
	Failed  []*api.Error
	wrote   written
}

// NewLoad prepares puts with different keys. The caller has entered the table or is the only one to know it,
// until it has called End.
func (e *Executor) NewLoad(t *catalog.Table, writes []plan.Write) *Load {
	l := &Load{
		exec: e, table: t, writes: writes, now: e.Now(),
		Results: make([]Result, len(writes)), Failed: make([]*api.Error, len(writes)),
	}
	l.named = make([]storage.Named, len(writes))
	for i := range writes {
		// It waits for a transaction that is in the way: nobody waits for its answer.
		l.named[i] = storage.Named{Key: writes[i].Key}
		l.sizes = e.collect(l.sizes, i, t, &writes[i])
	}
	l.named = l.sizes.name(l.named)
	return l
}

// Named are the keys that the update must name first, in this order.
func (l *Load) Named() []storage.Named { return l.named }

// Run does the puts inside the update. It is pure but for Results and Failed, which it replaces.
func (l *Load) Run(tx storage.Tx) error {
	l.wrote.reset()
	sizes, err := l.sizes.load(tx)
	if err != nil {
		return err
	}
	for i := range l.writes {
		w, v := &l.writes[i], tx.Value(i)
		v.Data = bytes.Clone(v.Data)
		r, err := evaluate(l.table, w, v, l.now)
		if err == nil {
			err = sizes.grow(i, l.table, v, &r)
		}
		l.Failed[i], l.Results[i] = nil, r
		if err != nil {
			own, ok := err.(*api.Error) //nolint:errorlint // what evaluate and grow return themselves
			if !ok {
				return err
			}
			l.Failed[i] = own
			continue
		}
		commit(tx, l.table, w, v, &l.Results[i])
		if l.table.Recorded() {
			o := outcome{
				table: l.table, write: w, stored: v, result: &l.Results[i], now: l.now, index: i,
				beside: l.sizes, place: i,
			}
			if err := o.record(tx, &l.wrote); err != nil {
				return err
			}
		}
	}
	sizes.commit(tx)
	return nil
}

// End is called when the update is over, with what came of it.
func (l *Load) End(err error) {
	l.wrote.over(l.table, l.now, err)
	l.exec.noteVectors(l.table)
}
