package lsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/invariants"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// compactCtxEvery is how many versions are merged between two looks at the context.
const compactCtxEvery = 256

// rewrite merges the inputs into new tables. The inputs die only when the new version is durable
// and nobody holds the old one.
func (db *DB) rewrite(ctx context.Context, c *compaction) error {
	defer db.timed(&db.figures.compactNanos)()
	opts := merge.CompactorOptions{Horizon: db.horizon(), Bottom: c.bottom, Dead: c.version.dead}
	r, err := db.writeTables(ctx, c, opts, 0)
	if isFull(err) {
		r, err = db.writeTables(ctx, c, opts, fullTableBytes) // there may be space in small pieces
	}
	if err != nil {
		return fmt.Errorf("compact stripe %d to level %d: %w", c.stripe, c.to, err)
	}
	if invariants.Enabled {
		db.mustEqualNaiveMerge(c, opts, r.tables)
	}
	if bug.Enabled(bug.InputsFreedEarly) {
		for _, in := range c.inputs {
			in.refs.Add(1 << 20) // so that nobody frees them again
			db.freeExtent(in.extent())
		}
	}
	if err := db.replaceInputs(c, r); err != nil {
		if isFull(err) {
			r.abandon(err)
		}
		return err
	}
	db.compact.setClean(r.tables, c.inputs, c.version.dead)
	db.figures.compactions.Add(1)
	db.figures.compactWhy[c.why].Add(1)
	db.figures.compactWrote.Add(uint64(r.bytes))
	for _, in := range c.inputs {
		db.figures.compactRead.Add(uint64(in.Meta.Length))
	}
	return nil
}

// writeTables writes the outputs, none much larger than cut, if it is not 0.
func (db *DB) writeTables(ctx context.Context, c *compaction, opts merge.CompactorOptions, cut int64) (*run, error) {
	r := db.newRun(c.spare(), func(n int) { db.pace(ctx, c.stripe, n) })
	if cut != 0 {
		r.cut = cut
	}
	for _, in := range c.inputs {
		r.expected += in.extent().Length
	}
	r.begin(uint8(c.stripe), uint8(c.to))
	err := c.merge(ctx, opts, r)
	if err == nil {
		err = r.finish()
	}
	if err != nil {
		r.abandon(err)
		return nil, err
	}
	return r, nil
}

// merge writes what must be kept of the inputs.
func (c *compaction) merge(ctx context.Context, opts merge.CompactorOptions, r *run) error {
	sources := make([]base.Iterator, 0, len(c.inputs))
	for _, in := range c.inputs {
		sources = append(sources, in.reader.NewIterWith(table.IterOptions{NoFill: true}))
	}
	m := merge.NewCompactor(merge.New(sources...), opts)
	for n := 1; m.Next(); n++ {
		if n%compactCtxEvery == 0 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), m.Close())
		}
		if err := r.add(m.Entry(), m.NewKey()); err != nil {
			return errors.Join(err, m.Close())
		}
	}
	return errors.Join(m.Err(), m.Close())
}

// replaceInputs is the edit of a compaction.
func (db *DB) replaceInputs(c *compaction, r *run) error {
	e := &manifest.Edit{TableAdd: r.tables}
	for _, in := range c.inputs {
		e.TableDrop = append(e.TableDrop, c.ref(in))
	}
	return db.installTables(e, c.stripe, func() []*liveTable {
		live := make([]*liveTable, 0, len(r.tables))
		for _, t := range r.tables {
			live = append(live, db.openTable(t))
		}
		return live
	})
}

// isFull says that an error is want of space, which may pass.
func isFull(err error) bool { return errors.Is(err, storage.ErrFull) }
