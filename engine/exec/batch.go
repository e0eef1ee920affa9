package exec

import (
	"bytes"
	"context"
	"errors"

	"github.com/keystone-db/kstone/engine/storage"
)

// BatchWrite runs unconditional puts and deletes. They share one storage update, so that a batch
// waits for one commit; the service promises less, only that each is atomic. needOld says that the
// caller wants sizes; without it there may be no results. unprocessed lists the actions that met a
// running transaction: nothing was done for them.
func (e *Executor) BatchWrite(ctx context.Context, actions []Action, needOld bool) (results []Result, unprocessed []int, err error) {
	blind := !needOld && allBlind(actions)
	if !blind {
		results = make([]Result, len(actions))
	}
	todo := make([]int, len(actions))
	for i := range todo {
		todo[i] = i
	}
	for len(todo) > 0 {
		var sizes *collections
		if blind {
			err = e.applyBlind(ctx, actions, todo)
		} else {
			for place, i := range todo {
				sizes = e.collect(sizes, place, actions[i].Table, &actions[i].Write)
			}
			err = e.updateBatch(ctx, actions, todo, sizes, results)
		}
		var c *storage.ConflictError
		if !errors.As(err, &c) || !c.Multi {
			return results, unprocessed, storeError(err)
		}
		rest := make([]int, 0, len(todo))
		for place, i := range todo {
			if bytes.Equal(actions[i].Write.Key, c.Key) || sizes.blames(place, c.Key) {
				unprocessed = append(unprocessed, i)
			} else {
				rest = append(rest, i)
			}
		}
		if len(rest) == len(todo) {
			return results, append(unprocessed, todo...), nil // a row beside the items was in the way
		}
		todo = rest
	}
	return results, unprocessed, nil
}

func allBlind(actions []Action) bool {
	for i := range actions {
		if !blind(actions[i].Table, &actions[i].Write) {
			return false
		}
	}
	return true
}

// applyBlind runs the actions named by todo, which depend on nothing that is stored.
func (e *Executor) applyBlind(ctx context.Context, actions []Action, todo []int) error {
	batch := e.blinds.Get().(*storage.Batch)
	defer e.putBlind(batch)
	for _, i := range todo {
		e.addBlind(batch, actions[i].Table, &actions[i].Write)
	}
	return e.store.Apply(ctx, batch, storage.UpdateOptions{})
}

// updateBatch runs the actions named by todo in one update.
func (e *Executor) updateBatch(ctx context.Context, actions []Action, todo []int, c *collections, results []Result) error {
	now := e.Now()
	named := make([]storage.Named, len(todo))
	for i, at := range todo {
		named[i] = e.item(actions[at].Write.Key)
	}
	named = c.name(named)
	var wrote written
	err := e.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		wrote.reset()
		sizes, err := c.load(tx)
		if err != nil {
			return err
		}
		for i, at := range todo {
			a := &actions[at]
			v := tx.Value(i)
			v.Data = bytes.Clone(v.Data)
			r, err := evaluate(a.Table, &a.Write, v, now)
			if err == nil {
				err = sizes.grow(i, a.Table, v, &r)
			}
			if err != nil {
				return err
			}
			results[at] = r
			commit(tx, a.Table, &a.Write, v, &results[at])
			if a.Table.Recorded() {
				o := outcome{
					table: a.Table, write: &a.Write, stored: v, result: &results[at], now: now, index: at,
					beside: c, place: i,
				}
				if err := o.record(tx, &wrote); err != nil {
					return err
				}
			}
		}
		sizes.commit(tx)
		return nil
	})
	for _, at := range todo {
		wrote.over(actions[at].Table, now, err)
		e.noteVectors(actions[at].Table)
	}
	return err
}
