package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// A step of a count reads no more keys and bytes than this, with a snapshot of its own. With the pause
// after it a count takes some hundredths of a core and reads at most 20 MB a second.
const (
	countStepKeys  = 4096
	countStepBytes = 1 << 20
	countPause     = 50 * time.Millisecond
)

// countSave is after how many steps a count stores how far it came. What a crash loses of it is read
// again within seconds, so it is not worth a write a step.
const countSave = 64

// A table that changes is counted again when its last count is past by countRests times what the pauses
// of that one took, within these bounds.
const (
	countRests   = 4
	countRestMin = time.Minute
	countRestMax = 6 * time.Hour
)

// countInterval is how often the worker looks whether a count is due, and countSearch how often it looks
// for tables that have become large.
const (
	countInterval = countRestMin
	countSearch   = 10 * time.Minute
)

// counting is the state of the background count.
type counting struct {
	mu     sync.Mutex
	wanted map[countID]string // and the names of the tables; guarded by mu

	// runs are the counts on their way as they are beyond what was stored; guarded by the worker's mu,
	// as is the time of the next search.
	runs       map[countID]*tally
	nextSearch time.Time
}

// countRun is a count on its way.
type countRun struct {
	sums
	// After is the key of the last item that was counted.
	After []byte `json:"after,omitempty"`
	// Begin is what storage said at the beginning.
	Begin hint  `json:"begin"`
	Steps int64 `json:"steps"`
}

// due says whether a count should go on or begin, when storage says s.
func (c *tally) due(s storage.Stats, now time.Time) bool {
	if c.Run != nil || c.Last == nil {
		return true
	}
	if c.Last.Settled && c.Last.End == hintOf(s) {
		return false
	}
	rest := min(max(time.Duration(c.Last.Steps)*countPause*countRests, countRestMin), countRestMax)
	return now.Sub(time.UnixMilli(c.Last.EndMs)) >= rest
}

// wantCount asks the worker to look at a table or index.
func (db *core) wantCount(id countID, table string) {
	c := &db.counting
	c.mu.Lock()
	c.wanted[id] = table
	c.mu.Unlock()
	db.background.counts.look()
}

// takeWanted adds to a list what was asked for since the last call.
func (db *core) takeWanted(list []countTask) []countTask {
	c := &db.counting
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, table := range c.wanted {
		list = addTask(list, countTask{id, table})
	}
	clear(c.wanted)
	return list
}

// countTask is a table or index to be looked at, with the table's name.
type countTask struct {
	countID
	name string
}

func addTask(list []countTask, t countTask) []countTask {
	if slices.Contains(list, t) {
		return list
	}
	return append(list, t)
}

// pace waits between two steps.
type pace func(context.Context)

func unpaced(context.Context) {}

// countOnce is the work of the worker, which has nothing to wait for without tables.
func (db *core) countOnce(ctx context.Context) (waiting bool, err error) {
	err = db.countDue(ctx, func(ctx context.Context) {
		if db.opts.After == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-db.opts.After(countPause):
		}
	})
	return db.catalog.Count() > 0, err
}

// countDue does all counts that are due by now, step by step in turn.
func (db *core) countDue(ctx context.Context, pause pace) error {
	list, err := db.countedTables(ctx)
	if err != nil {
		return err
	}
	large, err := db.searchLarge(ctx, pause)
	errs := []error{err}
	for _, t := range large {
		list = addTask(list, t)
	}
	for {
		if list = db.takeWanted(list); len(list) == 0 {
			return errors.Join(errs...)
		}
		list = slices.DeleteFunc(list, func(t countTask) bool {
			done, err := db.countStep(ctx, t)
			if err != nil {
				errs = append(errs, err)
			}
			if !done && err == nil {
				pause(ctx)
			}
			return done || err != nil
		})
	}
}

// countedTables are those that have been counted. Rows that a table has left are deleted.
func (db *core) countedTables(ctx context.Context) (list []countTask, err error) {
	var left storage.Batch
	err = storage.Fresh(ctx, func() error {
		list, left = nil, storage.Batch{}
		snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "count of keys"})
		if err != nil {
			return err
		}
		defer snap.Close()
		it, err := snap.Iter(ctx, storage.Range(key.CatalogRange(key.SubCount)), storage.IterOptions{})
		if err != nil {
			return err
		}
		defer it.Close()
		for it.Next() {
			table, sub, ok := key.SplitCount(it.Key())
			if !ok {
				return fmt.Errorf("engine: key of a count: %w", storage.ErrCorrupt)
			}
			c, err := decodeTally(it.Value())
			if err != nil {
				return err
			}
			list = append(list, countTask{countID{table, sub}, c.Table})
		}
		return it.Err()
	})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(t countTask) bool {
		now, err := db.catalog.Lookup(ctx, t.name)
		if errors.Is(err, catalog.ErrNotFound) || err == nil && !t.in(now) {
			left.Delete(t.row())
			return true
		}
		return false
	})
	if len(left.Ops) == 0 {
		return list, nil
	}
	return list, db.store.Apply(ctx, &left, storage.UpdateOptions{})
}

// searchLarge finds the tables and indexes that have become large, every countSearch. It asks storage
// about many tables at once and parts them while they are large together, so that it asks once where
// nothing is large.
func (db *core) searchLarge(ctx context.Context, pause pace) (list []countTask, err error) {
	if !db.searchDue() {
		return nil, nil
	}
	tables, err := db.tablesByID(ctx)
	if err != nil {
		return nil, err
	}
	for parts := [][]*catalog.Table{tables}; len(parts) > 0; pause(ctx) {
		part := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if len(part) == 0 {
			continue
		}
		first, last := part[0].Table.ID, part[len(part)-1].Table.ID
		stats, err := db.store.Stats(ctx, storage.Range{
			Start: key.WholeSpace(key.TableSpace(first)).Start, End: key.WholeSpace(key.TableSpace(last)).End,
		})
		switch half := len(part) / 2; {
		case err != nil:
			return list, err
		case db.small(stats.Keys, stats.Bytes):
		case half > 0:
			parts = append(parts, part[half:], part[:half])
		default:
			if list, err = db.searchTable(ctx, part[0], list); err != nil {
				return list, err
			}
		}
	}
	return list, nil
}

// searchDue says whether to search now, and when the next time is.
func (db *core) searchDue() bool {
	db.background.counts.mu.Lock()
	defer db.background.counts.mu.Unlock()
	now := db.exec.Now()
	if now.Before(db.counting.nextSearch) {
		return false
	}
	db.counting.nextSearch = now.Add(countSearch)
	return true
}

// searchTable adds what of a table is large.
func (db *core) searchTable(ctx context.Context, t *catalog.Table, list []countTask) ([]countTask, error) {
	subs := []uint32{key.TableSub}
	for i := range t.Table.Indexes {
		subs = append(subs, t.Table.Indexes[i].Sub)
	}
	for _, sub := range subs {
		id := countID{t.Table.ID, sub}
		stats, err := db.store.Stats(ctx, id.keys())
		if err != nil {
			return list, err
		}
		if !db.small(stats.Keys, stats.Bytes) {
			list = append(list, countTask{id, t.Table.Name})
		}
	}
	return list, nil
}

// tablesByID are all tables in the order of their keys.
func (db *core) tablesByID(ctx context.Context) ([]*catalog.Table, error) {
	names, _, err := db.catalog.Names(ctx, "", db.catalog.Count())
	if err != nil {
		return nil, err
	}
	var tables []*catalog.Table
	for _, name := range names {
		if t, err := db.catalog.Lookup(ctx, name); err == nil && t.Status != catalog.StatusDeleting {
			tables = append(tables, t)
		}
	}
	slices.SortFunc(tables, func(a, b *catalog.Table) int { return int(int64(a.Table.ID - b.Table.ID)) })
	return tables, nil
}

// countStep does one step of the count of a table or index, if one is due, and reports whether nothing
// is left to do. The table is kept from being removed meanwhile.
func (db *core) countStep(ctx context.Context, task countTask) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	w := &db.background.counts
	w.mu.Lock()
	defer w.mu.Unlock()
	t, err := db.catalog.Enter(task.name, 0)
	if err == nil {
		defer t.Leave(0)
	}
	if err != nil || !task.in(t) {
		delete(db.counting.runs, task.countID) // deleted meanwhile
		return true, nil
	}
	return db.countEntered(ctx, t, task)
}

// recountSteps is how many steps of counts recount does at most.
const recountSteps = 256

// recount counts what of a table is large, before the table is ACTIVE: whoever has filled it knows that storage says
// too much of it, since items were put twice. The background would say so some time later. It reports whether all is
// counted.
func (db *core) recount(ctx context.Context, t *catalog.Table) (end bool, err error) {
	list, err := db.searchTable(ctx, t, nil)
	if err != nil {
		return false, err
	}
	w := &db.background.counts
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, left := 0, recountSteps; i < len(list); left-- {
		if left == 0 {
			return false, nil
		}
		done, err := db.countEntered(ctx, t, list[i])
		if othersWork(err) {
			return true, nil // they count it some time
		}
		if err != nil {
			return false, err
		}
		if done {
			i++
		}
	}
	return true, nil
}

// countEntered does a step of a table that stays meanwhile. The worker's mu is held.
func (db *core) countEntered(ctx context.Context, t *catalog.Table, task countTask) (done bool, err error) {
	w := &db.background.counts
	c, err := db.beginCount(ctx, task)
	if c == nil || err != nil {
		return true, err
	}
	if err := db.hold(ctx, w); err != nil {
		return false, err
	}
	if done, err = db.countOn(ctx, task.countID, t.Table.BySub(task.sub), c.Run); err != nil {
		return false, err
	}
	steps := c.Run.Steps
	if done {
		if err := db.endCount(ctx, task.countID, c); err != nil {
			return false, err
		}
	}
	if done || steps%countSave == 0 {
		if err := db.storeTally(ctx, task.countID, c, w.lease); err != nil {
			return false, err
		}
	}
	if done {
		delete(db.counting.runs, task.countID)
	} else {
		db.counting.runs[task.countID] = c
	}
	return done, nil
}

// beginCount returns the count that is on its way, for the next step to change, or a new one; nil when
// none is due.
func (db *core) beginCount(ctx context.Context, task countTask) (*tally, error) {
	c := db.counting.runs[task.countID]
	if c == nil {
		var err error
		if c, err = db.loadTally(ctx, task.countID, task.name); err != nil {
			return nil, err
		}
	}
	next := *c
	if c.Run != nil {
		run := *c.Run
		next.Run = &run
		return &next, nil
	}
	stats, err := db.store.Stats(ctx, task.keys())
	if err != nil || !c.due(stats, db.exec.Now()) {
		return nil, err
	}
	next.Run = &countRun{Begin: hintOf(stats)}
	return &next, nil
}

// countOn reads the next keys of a count and reports whether there are no more.
func (db *core) countOn(ctx context.Context, id countID, ix *schema.Index, run *countRun) (end bool, err error) {
	before := *run
	err = storage.Fresh(ctx, func() error {
		*run, end = before, false
		run.Steps++
		snap, err := db.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "count of keys"})
		if err != nil {
			return err
		}
		defer snap.Close()
		r := id.keys()
		if run.After != nil {
			r.Start = append(slices.Clone(run.After), 0)
		}
		it, err := snap.Iter(ctx, r, storage.IterOptions{LimitHint: int(db.opts.countStep), Once: true})
		if err != nil {
			return err
		}
		defer it.Close()
		for {
			if !it.Next() {
				end = true
				return it.Err()
			}
			run.add(ix, it.Key(), it.Value())
			if run.Items-before.Items >= db.opts.countStep || run.Bytes-before.Bytes >= countStepBytes {
				run.After = slices.Clone(it.Key())
				return nil
			}
		}
	})
	return end, err
}

// endCount makes a run that has come to its end the last count.
func (db *core) endCount(ctx context.Context, id countID, c *tally) error {
	stats, err := db.store.Stats(ctx, id.keys())
	if err != nil {
		return err
	}
	c.Last = &counted{
		sums: c.Run.sums, End: hintOf(stats), EndMs: db.exec.Now().UnixMilli(),
		Steps: c.Run.Steps, Settled: c.Run.Begin == hintOf(stats),
	}
	c.Run = nil
	return nil
}

// storeTally writes the row of a tally under the lease of the work. What turned out to be small needs
// none.
func (db *core) storeTally(ctx context.Context, id countID, c *tally, l *lease.Lease) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("engine: count of a table: %w", err)
	}
	named := []storage.Named{l.Named(), {Key: id.row()}}
	small := c.Run == nil && db.small(c.Last.Items, c.Last.Bytes)
	return db.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(0)); err != nil {
			return err
		}
		switch {
		case !small:
			tx.Put(named[1].Key, b)
		case tx.Value(1).Present:
			tx.Delete(named[1].Key)
		}
		return nil
	})
}
