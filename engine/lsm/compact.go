package lsm

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// compactTick is how often an idle worker looks whether the database has become idle. After an
	// error, too, it waits that long.
	compactTick = time.Second
	// moveMinBytes is the smallest table that may move down unwritten: small ones are joined with
	// others when there are any to join.
	moveMinBytes = 64 << 10
	levelLast    = manifest.LevelCount - 1
)

// compactions is the state of the background compaction.
type compactions struct {
	wake chan struct{}
	idle atomic.Bool // nothing became visible for a tick
	calm atomic.Bool // no group was written for some ticks of the flusher
	// resting: next to nothing was written for long. What is idle by fits and starts is compacted then.
	resting atomic.Bool
	// idleAt is visible when idle was set: it holds only until something is committed.
	idleAt atomic.Uint64

	mu      sync.Mutex
	running []*span
	next    int // the stripe that is looked at first
	// clean remembers for which dead list a table was found, or written, without dead keys: its
	// bounds may overlap a dead range all the same.
	clean map[base.ObjectNum]merge.Dead
	// corrupt are stripes with a table that does not verify: they are left alone until the next
	// open, so that the others are not kept waiting.
	corrupt map[int]struct{}
	// deadSince is the LSN up to which the log may hold keys of a dead range.
	deadSince map[string]base.LSN
}

// span is a key range of a stripe that a compaction, or a dropped range, works on. Both bounds are
// included. Spans of one stripe do not overlap.
type span struct {
	stripe      int
	first, last []byte
}

func (s *span) conflicts(o *span) bool {
	return s.stripe == o.stripe &&
		bytes.Compare(s.first, o.last) <= 0 && bytes.Compare(o.first, s.last) <= 0
}

// claim registers a span; false when it is taken.
func (c *compactions) claim(s *span) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.ContainsFunc(c.running, s.conflicts) {
		return false
	}
	c.running = append(c.running, s)
	return true
}

func (c *compactions) unclaim(s *span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.running {
		if r == s {
			c.running = append(c.running[:i], c.running[i+1:]...)
			return
		}
	}
}

// claimCurrent claims the span of a job, unless the stripe has got other tables since the job was
// made: another job may have ended in between. From here on only flushes change what the span
// holds, and they add to level 0.
func (db *DB) claimCurrent(c *compaction) bool {
	db.compact.mu.Lock()
	_, corrupt := db.compact.corrupt[c.stripe]
	db.compact.mu.Unlock()
	if corrupt || !db.compact.claim(&c.span) {
		return false
	}
	s := &db.stripes[c.stripe]
	s.mu.RLock()
	current := s.tables == c.version
	s.mu.RUnlock()
	if !current {
		db.compact.unclaim(&c.span)
	}
	return current
}

// compaction is one job: tables of a key range of a stripe that become tables of level to.
type compaction struct {
	span
	version *version // pinned
	inputs  []input
	to      int
	why     reason
	move    bool // the one input only changes its level
}

type input struct {
	*liveTable
	level int
}

// startCompaction starts the workers. The flusher calls wakeCompaction when it has added tables.
func (db *DB) startCompaction() {
	for range db.opts.Workers {
		db.background.Go(db.compactLoop)
	}
}

func (db *DB) wakeCompaction() {
	select {
	case db.compact.wake <- struct{}{}:
	default:
	}
}

func (db *DB) compactLoop() {
	tick := time.NewTicker(compactTick)
	defer tick.Stop()
	var seen base.LSN
	for db.stopped.Err() == nil {
		worked, err := db.compactOnce(db.stopped, db.isIdle())
		if err != nil && !errors.Is(err, context.Canceled) {
			db.log("a compaction was given up", err)
		}
		if worked && err == nil {
			continue
		}
		wake := db.compact.wake
		if err != nil {
			wake = nil
		}
		select {
		case <-db.stopped.Done():
		case <-wake:
		case <-tick.C:
			visible := db.wal.visibleLSN()
			db.compact.idleAt.Store(uint64(visible))
			db.compact.idle.Store(visible == seen)
			seen = visible
			if err := db.retireDead(); err != nil {
				db.log("a dropped range stays listed", err)
			}
		}
	}
}

// isIdle says that nothing was committed lately, or next to nothing for long.
func (db *DB) isIdle() bool {
	return db.compact.resting.Load() || db.compact.idle.Load() && db.compact.idleAt.Load() == db.wal.visible.Load()
}

// compactAll compacts until there is nothing to do, as in an idle database. Tests and closing use
// it; it stops at the first error.
func (db *DB) compactAll(ctx context.Context) error {
	for {
		worked, err := db.compactOnce(ctx, true)
		if err != nil || !worked {
			return err
		}
	}
}

// compactOnce does the most urgent job, if there is one.
func (db *DB) compactOnce(ctx context.Context, idle bool) (worked bool, err error) {
	for range fullTries {
		var c *compaction
		if c, err = db.pickCompaction(idle); c == nil || err != nil {
			return false, err
		}
		if err = db.runCompaction(ctx, c); !isFull(err) || !db.wal.full.Load() {
			break
		}
	}
	return true, err
}

// runCompaction does a job that is claimed.
func (db *DB) runCompaction(ctx context.Context, c *compaction) error {
	defer db.compact.unclaim(&c.span)
	defer db.release(c.version)
	if c.move {
		db.figures.moves.Add(1)
		db.figures.compactWhy[c.why].Add(1)
		return db.moveDown(c)
	}
	err := db.rewrite(ctx, c)
	if err != nil && ctx.Err() == nil {
		db.figures.compactFailures.Add(1)
	}
	if errors.Is(err, storage.ErrCorrupt) {
		db.compact.setCorrupt(c.stripe)
	}
	return err
}

func (c *compactions) setCorrupt(stripe int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.corrupt == nil {
		c.corrupt = make(map[int]struct{})
	}
	c.corrupt[stripe] = struct{}{}
}

// pickCompaction returns a job whose span it has claimed and whose version is pinned.
func (db *DB) pickCompaction(idle bool) (*compaction, error) {
	db.compact.mu.Lock()
	start := db.compact.next
	db.compact.next = (start + 1) % base.StripeCount
	db.compact.mu.Unlock()
	full := db.wal.full.Load()
	var best *compaction
	var bestScore float64
	drop := func() {
		if best != nil {
			db.compact.unclaim(&best.span)
			db.release(best.version)
			best = nil
		}
	}
	for i := range base.StripeCount {
		n := (start + i) % base.StripeCount
		s := &db.stripes[n]
		s.mu.RLock()
		v := s.tables.acquire()
		s.mu.RUnlock()
		due := v.due(n, idle, s.asked.Load())
		if full {
			due = v.dueForRoom(due)
		}
		if due.score < 1 || due.score <= bestScore {
			db.release(v)
			continue
		}
		c := v.job(n, due.level, &db.opts)
		if c == nil || !db.claimCurrent(c) {
			db.release(v)
			continue
		}
		drop()
		c.why = due.why
		best, bestScore = c, due.score
	}
	if best != nil {
		if full { // stripes take turns
			db.compact.mu.Lock()
			db.compact.next = (best.stripe + 1) % base.StripeCount
			db.compact.mu.Unlock()
		}
		return best, nil
	}
	if c, err := db.pickDead(start); c != nil || err != nil || !idle {
		return c, err
	}
	return db.pickGarbage(start), nil
}

// levelBytes, levelTombstones and levelEntries of a version.
func (v *version) levelBytes(l int) (n int64) {
	for _, t := range v.levels[l] {
		n += t.Meta.Length
	}
	return n
}

func (v *version) levelTombstones(l int) (n int64) {
	for _, t := range v.levels[l] {
		n += t.Meta.Tombstones
	}
	return n
}

func (v *version) levelEntries(l int) (n int64) {
	for _, t := range v.levels[l] {
		n += t.Meta.Entries
	}
	return n
}

// job returns what takes tables of a level one down; nil when there are none. The caller's
// reference of the version goes to the job.
func (v *version) job(stripe, level int, opts *Options) *compaction {
	if len(v.levels[level]) == 0 {
		return nil
	}
	c := &compaction{span: span{stripe: stripe}, version: v, to: level + 1}
	if level == 0 {
		// The oldest, and whatever overlaps it: newer versions must not go below older ones.
		c.add(v.levels[0][len(v.levels[0])-1], 0)
		c.expand(v.levels[0], 0)
		c.to = v.baseLevel(c)
	} else {
		c.add(v.pickTable(level), level)
	}
	upper := len(c.inputs)
	// All whose shortened bounds overlap, too: version.with orders those with equal ones by number.
	c.expand(v.levels[c.to], c.to)
	// Where zstd begins a table is rewritten for it.
	c.move = upper == 1 && len(c.inputs) == 1 && !v.dead.Overlaps(c.first, c.last) &&
		opts.blocks(uint8(level)).Compression == opts.blocks(uint8(c.to)).Compression &&
		(c.inputs[0].Meta.Length >= moveMinBytes || len(v.levels[c.to]) == 0)
	if upper == 1 && len(c.inputs) == 1 && !c.move {
		c.joinNeighbour(v.levels[c.to])
	}
	return c
}

// joinNeighbour adds a small table next to the only input, so that small tables become few.
func (c *compaction) joinNeighbour(level []*liveTable) {
	for i := len(level) - 1; i >= 0; i-- {
		if bytes.Compare(level[i].Meta.Largest, c.first) < 0 || i == 0 {
			c.add(level[i], c.to)
			// What lies between is nothing, or a table that overlaps the bounds now.
			c.expand(level, c.to)
			return
		}
	}
}

func (t *liveTable) overlaps(first, last []byte) bool {
	return bytes.Compare(t.Meta.Smallest, last) <= 0 && bytes.Compare(first, t.Meta.Largest) <= 0
}

func (c *compaction) has(t *liveTable) bool {
	for _, in := range c.inputs {
		if in.liveTable == t {
			return true
		}
	}
	return false
}

func (c *compaction) add(t *liveTable, level int) {
	if len(c.inputs) == 0 || bytes.Compare(t.Meta.Smallest, c.first) < 0 {
		c.first = t.Meta.Smallest
	}
	if len(c.inputs) == 0 || bytes.Compare(t.Meta.Largest, c.last) > 0 {
		c.last = t.Meta.Largest
	}
	c.inputs = append(c.inputs, input{t, level})
}

// expand adds the tables of a level that overlap the inputs, until there are none.
func (c *compaction) expand(tables []*liveTable, level int) {
	for again := true; again; {
		again = false
		for _, t := range tables {
			if t.overlaps(c.first, c.last) && !c.has(t) {
				c.add(t, level)
				again = true
			}
		}
	}
}

// pickTable returns the table of a level with the least to rewrite below it for its size.
func (v *version) pickTable(level int) *liveTable {
	best, bestCost := v.levels[level][0], -1.0
	for _, t := range v.levels[level] {
		var below int64
		for _, o := range v.levels[level+1] {
			if t.overlaps(o.Meta.Smallest, o.Meta.Largest) {
				below += o.Meta.Length
			}
		}
		if cost := float64(below) / float64(t.Meta.Length); bestCost < 0 || cost < bestCost {
			best, bestCost = t, cost
		}
	}
	return best
}

// bottom says whether no table below the outputs can hold a key. The rest of the inputs' range
// above them was written later than the inputs.
func (c *compaction) bottom(key []byte) bool {
	for l := c.to + 1; l <= levelLast; l++ {
		for _, t := range c.version.levels[l] {
			if t.contains(key) {
				return false
			}
		}
	}
	return true
}

// moveDown gives a table that overlaps nothing its new level without writing it.
func (db *DB) moveDown(c *compaction) error {
	in := c.inputs[0]
	moved := manifest.Table{
		Stripe: uint8(c.stripe), Level: uint8(c.to), Offset: in.Offset, Meta: in.Meta,
	}
	e := &manifest.Edit{TableDrop: []manifest.TableRef{c.ref(in)}, TableAdd: []manifest.Table{moved}}
	return db.installTables(e, c.stripe, func() []*liveTable {
		return []*liveTable{{moved, in.sharedTable}}
	})
}

func (c *compaction) ref(in input) manifest.TableRef {
	return manifest.TableRef{Stripe: uint8(c.stripe), Level: uint8(in.level), Num: in.Meta.Num}
}

// installTables makes an edit of one stripe's tables durable and shows it.
func (db *DB) installTables(e *manifest.Edit, stripe int, add func() []*liveTable) error {
	s := &db.stripes[stripe]
	drop := make([]base.ObjectNum, 0, len(e.TableDrop))
	for _, r := range e.TableDrop {
		drop = append(drop, r.Num)
	}
	var old *version
	err := db.edit(e, func() {
		added := add()
		s.mu.Lock()
		old = s.tables
		s.tables = old.with(added, drop, old.dead)
		s.l0.Store(int32(len(s.tables.levels[0])))
		if len(s.tables.levels[0]) < len(old.levels[0]) {
			s.asked.Store(0)
		}
		s.mu.Unlock()
	})
	if old != nil {
		db.release(old)
	}
	return err
}
