package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// DropRange puts the range on the dead list; see storage.Store. Tables wholly inside leave with
// the same edit, compaction drops the rest.
func (db *DB) DropRange(ctx context.Context, r storage.Range) error {
	db.inFlight.RLock()
	defer db.inFlight.RUnlock()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case db.closed.Load():
		return storage.ErrClosed
	case db.opts.ReadOnly:
		return storage.ErrReadOnly
	case r.End != nil && bytes.Compare(r.Start, r.End) >= 0:
		return nil
	}
	r = storage.Range{Start: bytes.Clone(r.Start), End: bytes.Clone(r.End)}
	if db.opts.InMemory {
		db.dropInMemory(r)
		return nil
	}
	if err := db.dropInFile(r); err != nil {
		return err
	}
	// Told last: a base backup that does not have the drop yet is older than this frame. Who gets no answer
	// drops again.
	if err := db.noteDrop(ctx, r); err != nil {
		return fmt.Errorf("%w: tell the archive of a dropped range: %w", storage.ErrUncertain, err)
	}
	return nil
}

func (db *DB) dropInFile(r storage.Range) error {
	// What made the caller drop the range must not vanish when the drop does not.
	visible := db.wal.visibleLSN()
	if err := db.wal.syncThrough(visible); err != nil {
		return err
	}
	e := &manifest.Edit{DeadAdd: []storage.Range{r}}
	claimed := db.claimCovered(r, e)
	defer func() {
		for _, s := range claimed {
			db.compact.unclaim(s)
		}
	}()
	db.compact.setSince(r, visible)
	if err := db.editDead(e); err != nil {
		if errors.Is(err, storage.ErrFull) {
			return err
		}
		return fmt.Errorf("%w: drop range: %w", storage.ErrUncertain, err)
	}
	db.wakeCompaction()
	return nil
}

// dropTablesMax bounds the tables that leave with one record, so that it fits a frame; compaction drops
// the others.
const dropTablesMax = 64 << 10

// claimCovered lists the tables that lie wholly inside the range and that nobody works on.
func (db *DB) claimCovered(r storage.Range, e *manifest.Edit) (claimed []*span) {
	dead := merge.NewDead([]storage.Range{r})
	most := dropTablesMax
	if db.opts.dropTablesMax != 0 {
		most = db.opts.dropTablesMax
	}
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		v := s.tables.acquire()
		s.mu.RUnlock()
		for l, level := range v.levels {
			for _, t := range level {
				if len(claimed) >= most || !dead.Covers(t.Meta.Smallest, t.Meta.Largest) {
					continue
				}
				sp := &span{stripe: i, first: t.Meta.Smallest, last: t.Meta.Largest}
				if db.compact.claim(sp) && db.holds(i, l, t.Meta.Num) {
					claimed = append(claimed, sp)
					e.TableDrop = append(e.TableDrop, manifest.TableRef{
						Stripe: uint8(i), Level: uint8(l), Num: t.Meta.Num,
					})
				} else {
					db.compact.unclaim(sp)
				}
			}
		}
		db.release(v)
	}
	return claimed
}

// holds says whether a table is still where the claimed span was looked up: a compaction may have
// ended in between.
func (db *DB) holds(stripe, level int, num base.ObjectNum) bool {
	s := &db.stripes[stripe]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.tables.levels[level], func(t *liveTable) bool { return t.Meta.Num == num })
}

// editDead makes an edit of the dead list durable and gives every stripe the new list.
func (db *DB) editDead(e *manifest.Edit) error {
	var old []*version
	install := func() {
		dead := merge.NewDead(db.man.state.Dead)
		for i := range db.stripes {
			var drop []base.ObjectNum
			for _, ref := range e.TableDrop {
				if int(ref.Stripe) == i {
					drop = append(drop, ref.Num)
				}
			}
			s := &db.stripes[i]
			s.mu.Lock()
			old = append(old, s.tables)
			s.tables = s.tables.with(nil, drop, dead)
			s.l0.Store(int32(len(s.tables.levels[0])))
			s.mu.Unlock()
		}
	}
	var err error
	if bug.Enabled(bug.DropRangeForgotten) {
		e.TableDrop = nil
		db.man.mu.Lock()
		err = db.man.state.Apply(e)
		install()
		db.man.mu.Unlock()
	} else {
		err = db.edit(e, install)
	}
	for _, v := range old {
		db.release(v)
	}
	if err == nil {
		db.compact.forgetDead(e)
	}
	return err
}

// dropChunk is how many keys leave a memtable under one lock.
const dropChunk = 256

// dropInMemory takes the keys of the range out of the memtables: there is nothing that would drop
// them later. What a fork has from a file stays, and is hidden.
func (db *DB) dropInMemory(r storage.Range) {
	if db.home != nil {
		db.hide(r)
	}
	keys := make([][]byte, 0, dropChunk)
	for i := range db.stripes {
		s := &db.stripes[i]
		for full := true; full; {
			keys = keys[:0]
			it := s.active.NewIter(&s.mu.RWMutex, memtable.IterOptions{MaxLSN: math.MaxUint64, Bounds: r})
			for ok := it.SeekGE(r.Start); ok && len(keys) < dropChunk && r.Contains(it.Key()); ok = it.Next() {
				keys = append(keys, it.Key())
			}
			full = len(keys) == dropChunk
			s.mu.Lock()
			for _, key := range keys {
				db.memBytes.Add(s.active.Remove(key))
			}
			s.mu.Unlock()
		}
	}
}

// hide puts a range on the dead lists of the stripes in memory that have more than one memtable. It
// stays there: the caller has promised that nothing is written into it again.
func (db *DB) hide(r storage.Range) {
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.Lock()
		old := s.tables
		under := old.count > 0 || len(s.frozen) > 0
		if under {
			s.tables = old.with(nil, nil, merge.NewDead(append(slices.Clone(old.dead.Ranges()), r)))
		}
		s.mu.Unlock()
		if under {
			db.release(old)
		}
	}
}

func memtableHolds(m *memtable.Memtable, mu *sync.RWMutex, r storage.Range) bool {
	it := m.NewIter(mu, memtable.IterOptions{})
	return it.SeekGE(r.Start) && r.Contains(it.Key())
}

func rangeName(r storage.Range) string { return fmt.Sprintf("%x-%x", r.Start, r.End) }

func (c *compactions) setSince(r storage.Range, lsn base.LSN) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deadSince == nil {
		c.deadSince = make(map[string]base.LSN)
	}
	c.deadSince[rangeName(r)] = lsn
}

// forgetDead forgets what is of no use any more behind an edit of the dead list: since when retired ranges
// were dead, where one that is dropped again meanwhile waits for longer, and which tables are clean of the
// list before.
func (c *compactions) forgetDead(e *manifest.Edit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clean = nil
	for _, r := range e.DeadDrop {
		delete(c.deadSince, rangeName(r))
	}
}

// since returns up to which LSN the log may hold keys of a dead range. After an open that is not
// known, and visible is safe: the caller promised to write nothing more into it.
func (c *compactions) since(r storage.Range, visible base.LSN) base.LSN {
	c.mu.Lock()
	lsn, ok := c.deadSince[rangeName(r)]
	c.mu.Unlock()
	if !ok {
		c.setSince(r, visible)
		return visible
	}
	return lsn
}

// retireDead takes those ranges off the dead list of which no table, memtable or live frame can
// hold a key.
func (db *DB) retireDead() error {
	if db.opts.InMemory || db.opts.ReadOnly {
		return nil
	}
	db.man.mu.Lock()
	ranges := slices.Clone(db.man.state.Dead)
	tail := db.man.state.Tail.LSN
	db.man.mu.Unlock()
	e := &manifest.Edit{}
	size := 0
	for _, r := range ranges {
		if size > manifest.RecordTargetBytes {
			break // the others next time
		}
		if tail <= db.compact.since(r, db.wal.visibleLSN()) {
			continue
		}
		held, err := db.rangeHeld(r)
		if err != nil {
			return err
		}
		if !held {
			e.DeadDrop = append(e.DeadDrop, r)
			size += len(r.Start) + len(r.End)
		}
	}
	if len(e.DeadDrop) == 0 {
		return nil
	}
	return db.editDead(e)
}

// rangeHeld says whether a memtable or a table holds a key of a dead range. Whatever moves from
// one to the other meanwhile was looked at in the memtable first.
func (db *DB) rangeHeld(r storage.Range) (bool, error) {
	dead := merge.NewDead([]storage.Range{r})
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		active, frozen, v := s.active, s.frozen, s.tables.acquire()
		s.mu.RUnlock()
		held := memtableHolds(active, &s.mu.RWMutex, r)
		for _, m := range frozen {
			held = held || memtableHolds(m, nil, r)
		}
		var err error
		for _, level := range v.levels {
			for _, t := range level {
				if !held && err == nil {
					held, err = t.holdsDead(dead)
				}
			}
		}
		db.release(v)
		if held || err != nil {
			return held, err
		}
	}
	return false, nil
}

// holdsDead looks into the table: its bounds may overlap a dead range that it has no key of.
func (t *liveTable) holdsDead(dead merge.Dead) (bool, error) {
	if !dead.Overlaps(t.Meta.Smallest, t.Meta.Largest) {
		return false, nil
	}
	it := t.reader.NewIterWith(table.IterOptions{NoFill: true})
	for _, r := range dead.Ranges() {
		if it.SeekGE(r.Start) && r.Contains(it.Key()) {
			return true, it.Close()
		}
		if err := it.Err(); err != nil {
			return false, err
		}
	}
	return false, it.Close()
}

// setClean notes that new tables have no keys of a dead list, and forgets the old ones.
func (c *compactions) setClean(out []manifest.Table, in []input, dead merge.Dead) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clean == nil {
		c.clean = make(map[base.ObjectNum]merge.Dead)
	}
	for _, t := range in {
		delete(c.clean, t.Meta.Num)
	}
	if dead.Len() == 0 {
		return
	}
	for _, t := range out {
		c.clean[t.Meta.Num] = dead
	}
}

// pickDead returns the rewriting of a table that holds dead keys.
func (db *DB) pickDead(start int) (*compaction, error) {
	for i := range base.StripeCount {
		n := (start + i) % base.StripeCount
		s := &db.stripes[n]
		s.mu.RLock()
		v := s.tables.acquire()
		s.mu.RUnlock()
		c, err := db.deadJob(v, n)
		if c != nil {
			return c, nil
		}
		db.release(v)
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (db *DB) deadJob(v *version, stripe int) (*compaction, error) {
	if v.dead.Len() == 0 {
		return nil, nil
	}
	for l, level := range v.levels {
		for _, t := range level {
			dirty, err := db.dirty(t, v)
			if err != nil {
				return nil, err
			}
			if !dirty {
				continue
			}
			c := &compaction{span: span{stripe: stripe}, version: v, to: l}
			if l == 0 {
				c = v.job(stripe, 0, &db.opts)
				c.move = false
			} else {
				c.add(t, l)
				c.expand(level, l)
			}
			c.why = forDead
			if db.claimCurrent(c) {
				return c, nil
			}
		}
	}
	return nil, nil
}

// dirty says whether a table holds dead keys, and remembers when it does not.
func (db *DB) dirty(t *liveTable, v *version) (bool, error) {
	if !v.dead.Overlaps(t.Meta.Smallest, t.Meta.Largest) {
		return false, nil
	}
	db.compact.mu.Lock()
	known, ok := db.compact.clean[t.Meta.Num]
	db.compact.mu.Unlock()
	if ok && known.Same(v.dead) {
		return false, nil
	}
	held, err := t.holdsDead(v.dead)
	if err == nil && !held {
		db.compact.setClean([]manifest.Table{{Meta: t.Meta}}, nil, v.dead)
	}
	return held, err
}
