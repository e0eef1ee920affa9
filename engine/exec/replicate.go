package exec

import (
	"bytes"
	"context"
	"math"
	"slices"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/replica"
	"github.com/keystone-db/kstone/engine/storage"
)

// stamp names the stamp of the i-th write of an update.
func (c *collections) stamp(i int, t *catalog.Table, w *plan.Write) {
	for len(c.stampOf) < i {
		c.stampOf = append(c.stampOf, noCollection)
	}
	c.stampOf = append(c.stampOf, len(c.stamps))
	c.stamps = append(c.stamps, key.AppendStamp(nil, t.Global.Stamps, w.Key))
}

// stampAt is the stored stamp of the i-th write.
func (c *collections) stampAt(tx storage.Tx, i int) (replica.Stamp, error) {
	return replica.Decode(tx.Value(c.firstStamp + c.stampOf[i]))
}

// stamp writes when and where the item of an outcome was written, and that it is to be sent if that was here. A
// delete of what is not there is no write; a put of what is there is one, because it is the last.
func (o *outcome) stamp(tx storage.Tx, w *written) error {
	next := o.remote
	if o.forward {
		replica.Note(tx, o.table.Global.Out, o.write.Key)
		w.out = true
	}
	if next == nil {
		if !o.stored.Present && o.result.New == nil {
			return nil
		}
		stored, err := o.beside.stampAt(tx, o.place)
		if err != nil {
			return err
		}
		s := stored.Next(o.now, o.table.Region)
		next = &s
		replica.Note(tx, o.table.Global.Out, o.write.Key)
		w.out = true
	}
	s := *next
	if s.Deleted = o.result.New == nil; s.Deleted {
		replica.NoteDead(tx, o.table.Global.Dead, o.write.Key, s)
	}
	tx.Put(o.beside.stamps[o.beside.stampOf[o.place]], s.Encode())
	return nil
}

// Beside is a row that goes with an update.
type Beside struct {
	Key []byte
	// Next makes the row's value of the one that is there. It may run several times.
	Next func(storage.Value) ([]byte, error)
}

// later says whether a change wins over what is stored. Two writes of one time and region were made by one database
// before and after it was reset: of those the one with the larger bytes wins, everywhere.
func later(c *replica.Change, stored replica.Stamp, v storage.Value) bool {
	if c.Stamp.Micros != stored.Micros || c.Stamp.Region != stored.Region {
		return c.Stamp.After(stored)
	}
	return bytes.Compare(c.Item, v.Data) > 0
}

// Replicate applies writes that were made elsewhere, in one update, each unless a later one is there. The keys are
// those of the items here, none twice. beside is a row that is changed in the same update; nil for
// none. What was not written in from, the region that they come from, is sent on: who wrote it may lack it by now.
func (e *Executor) Replicate(ctx context.Context, t *catalog.Table, from string, changes []replica.Change, beside *Beside) error {
	if len(changes) == 0 {
		return nil
	}
	now := e.Now()
	named := make([]storage.Named, 0, 2*len(changes))
	writes := make([]plan.Write, len(changes))
	var rows *collections
	for i := range changes {
		c := &changes[i]
		writes[i] = plan.Write{Kind: plan.WritePut, Key: c.Key, Item: c.Item}
		if c.Item == nil {
			writes[i].Kind = plan.WriteDelete
		}
		named = append(named, storage.Named{Key: c.Key})
		rows = e.collect(rows, i, t, &writes[i])
	}
	rows.limit = math.MaxInt64 // it was let pass where it was written
	named = rows.name(named)
	if beside != nil {
		named = append(named, storage.Named{Key: beside.Key})
	}
	var wrote written
	err := e.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		wrote.reset()
		if beside != nil {
			next, err := beside.Next(tx.Value(len(named) - 1))
			if err != nil {
				return err
			}
			tx.Put(beside.Key, next)
		}
		sum, err := rows.load(tx)
		if err != nil {
			return err
		}
		for i := range writes {
			stored, err := rows.stampAt(tx, i)
			if err != nil {
				return err
			}
			v := tx.Value(i)
			if stored == (replica.Stamp{}) && v.Present {
				stored.Region = t.Region // as it would be sent
			}
			if !later(&changes[i], stored, v) {
				continue
			}
			v.Data = bytes.Clone(v.Data)
			r, err := evaluate(t, &writes[i], v, now)
			if err == nil {
				err = sum.grow(i, t, v, &r)
			}
			if err != nil {
				return err
			}
			commit(tx, t, &writes[i], v, &r)
			o := outcome{
				table: t, write: &writes[i], stored: v, result: &r, now: now, index: i,
				beside: rows, place: i, remote: &changes[i].Stamp, forward: changes[i].Stamp.Region != from && t.Filling == "",
			}
			if err := o.record(tx, &wrote); err != nil {
				return err
			}
		}
		sum.commit(tx)
		return nil
	})
	wrote.over(t, now, err)
	e.noteVectors(t)
	return storeError(err)
}

// Distinct keeps the last of several changes of one item.
func Distinct(changes []replica.Change) []replica.Change {
	last := map[string]int{}
	for i := range changes {
		if at, ok := last[string(changes[i].Key)]; !ok || changes[i].Stamp.After(changes[at].Stamp) {
			last[string(changes[i].Key)] = i
		}
	}
	i := -1
	return slices.DeleteFunc(changes, func(c replica.Change) bool { i++; return last[string(c.Key)] != i })
}
