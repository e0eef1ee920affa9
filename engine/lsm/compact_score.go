package lsm

import (
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// What is compacted, and when, follows from what it costs not to: reads that ask one table more each,
// space that superseded versions take, and levels that make the writing below them dear.

const (
	// levelFanout is the ratio of the sizes of neighbouring levels.
	levelFanout = 8
	// levelMinBytes is what a level may hold whatever is below it.
	levelMinBytes = 256 << 10
	// baseRatioMax: level 0 goes into what is below it as long as that is at most so many times its
	// size. Beyond, a level between them spares work: going through it costs levelFanout and some more.
	baseRatioMax = 10
	// l0Start to l0Start+l0Spread-1 tables of level 0 are compacted though nobody reads the stripe:
	// many at a time, since all that is below is written anew each time, and not in all stripes at once,
	// as uniform writes would have it. l0SlowTables is where the gate slows writers.
	l0Start, l0Spread = 6, 4
	// l0Idle tables are compacted once nothing is written.
	l0Idle = 4
	// idleShare: once nothing is written, level 0 goes down when it is more than 1/idleShare of
	// what lies below, so that the space wasted stays under 1/4 + 1/8 + 1/64.
	idleShare = 4
	// askNanos is what it costs a get to ask one table more, writeNanos what a compaction takes for a
	// byte of its inputs: level 0 goes down when reads have paid for it. A scan is as dear as scanAsks
	// gets.
	askNanos, writeNanos, scanAsks = 60, 6, 50
)

// reason of a compaction.
type reason uint8

const (
	forWrites reason = iota // as many tables are in level 0 as it takes
	forReads                // reads have paid for fewer tables
	forSize                 // a level is larger than its share
	forSpace                // nothing is written, and superseded versions take too much
	forDead                 // dropped ranges
	forRoom                 // the disk is full
	reasonCount
)

// dueCompaction says which level of a stripe is to go down, how urgently, from a score of 1 on, and why.
type dueCompaction struct {
	score float64
	level int
	why   reason
}

// raise makes a level due if that is more urgent.
func (d *dueCompaction) raise(score float64, level int, why reason) {
	if score > d.score {
		*d = dueCompaction{score: score, level: level, why: why}
	}
}

// due says what a stripe needs most. asked counts the gets that may have asked level 0 since it was
// compacted, scans as scanAsks of them.
func (v *version) due(stripe int, idle bool, asked int64) (d dueCompaction) {
	if v.count == 0 {
		return d
	}
	v.dueLevel0(&d, stripe, idle, asked)
	target := v.levelBytes(levelLast) / levelFanout
	for l := levelLast - 1; l > 0; l-- {
		if s := float64(v.levelBytes(l)) / float64(max(target, levelMinBytes)); s > 1 {
			d.raise(s, l, forSize)
		}
		target /= levelFanout
	}
	// Levels that a shrunk last level has left too high go down at leisure, and those whose tombstones
	// have much to meet: a few bytes of them hold a large value each.
	if idle && d.score < 1 {
		var below int64
		for l := levelLast; l > 0; l-- {
			n, deleted := v.levelBytes(l), v.levelTombstones(l)
			if l < levelLast && n > 0 && (idleShare*n > v.levelBytes(levelLast) || idleShare*deleted > below) {
				d.raise(1, l, forSpace)
			}
			below += v.levelEntries(l)
		}
	}
	return d
}

// garbage returns a table of the last level with many tombstones which, with what they delete, nobody
// needs any more: a snapshot that kept them has gone, or the table came down unwritten. Nil without one.
func (v *version) garbage(horizon base.LSN) *liveTable {
	for _, t := range v.levels[levelLast] {
		if m := &t.Meta; m.Tombstones > 0 && idleShare*m.Tombstones >= m.Entries && m.MaxLSN <= horizon {
			return t
		}
	}
	return nil
}

// pickGarbage returns the rewriting of a table of the last level with many tombstones.
func (db *DB) pickGarbage(start int) *compaction {
	horizon := db.horizon()
	for i := range base.StripeCount {
		n := (start + i) % base.StripeCount
		s := &db.stripes[n]
		s.mu.RLock()
		v := s.tables.acquire()
		s.mu.RUnlock()
		if t := v.garbage(horizon); t != nil {
			c := &compaction{span: span{stripe: n}, version: v, to: levelLast, why: forSpace}
			c.add(t, levelLast)
			c.expand(v.levels[levelLast], levelLast)
			if db.claimCurrent(c) {
				return c
			}
		}
		db.release(v)
	}
	return nil
}

func (v *version) dueLevel0(d *dueCompaction, stripe int, idle bool, asked int64) {
	count := len(v.levels[0])
	if count == 0 {
		return
	}
	most := l0Start + stripe%l0Spread
	if idle {
		most = l0Idle
	}
	d.raise(float64(count)/float64(most), 0, forWrites)
	if count > 1 && d.score < 1 {
		rewrite := v.levelBytes(0)
		if top := v.topLevel(); top > 0 {
			rewrite += v.levelBytes(top)
		}
		paid := asked * int64(count-1) * askNanos
		d.raise(float64(paid)/float64(rewrite*writeNanos), 0, forReads)
	}
	if idle && d.score < 1 {
		var size, entries int64
		for l := 1; l <= levelLast; l++ {
			size += v.levelBytes(l)
			entries += v.levelEntries(l)
		}
		if idleShare*v.levelBytes(0) > size || idleShare*v.levelEntries(0) > entries {
			d.raise(1, 0, forSpace)
		}
	}
}

// dueForRoom is due on a full disk: deletes make room when they meet what they delete. All others are as
// urgent as each other: the most urgent one may find no space.
func (v *version) dueForRoom(due dueCompaction) dueCompaction {
	due.score = min(due.score, 1)
	if slices.ContainsFunc(v.levels[0], func(t *liveTable) bool { return t.Meta.Tombstones > 0 }) {
		return dueCompaction{score: 2, why: forRoom}
	}
	return due
}

// spare is what the tables of a compaction leave free on a full disk. The last of the reserve is for
// those that are sure to give more than they take.
func (c *compaction) spare() spare {
	deletes := func(in input) bool { return in.level < c.to && in.Meta.Tombstones > 0 }
	if slices.ContainsFunc(c.inputs, deletes) || c.version.dead.Overlaps(c.first, c.last) {
		return spareManifest
	}
	return spareHalf
}

// topLevel is the highest one below level 0 that has tables, 0 without any.
func (v *version) topLevel() int {
	for l := 1; l <= levelLast; l++ {
		if len(v.levels[l]) > 0 {
			return l
		}
	}
	return 0
}

// baseLevel is where the tables of level 0 in a job go: to the highest level that has tables, since
// newer versions must not go below older ones, or to the one above it where too much of it would be
// written anew for them.
func (v *version) baseLevel(c *compaction) int {
	top := v.topLevel()
	if top == 0 {
		return levelLast
	}
	var above, below int64
	for _, in := range c.inputs {
		above += in.Meta.Length
	}
	for _, t := range v.levels[top] {
		if t.overlaps(c.first, c.last) {
			below += t.Meta.Length
		}
	}
	if top > 1 && below > baseRatioMax*above && v.levelBytes(top) > levelFanout*levelMinBytes {
		top--
	}
	return top
}

// asksTold is how many gets are counted at once, so that they do not meet in their stripe's counter. It is
// prime: gets that go round the stripes are told of all.
const asksTold = 17

// askOnce is ask for a get.
func (db *DB) askOnce(s *stripe, v *version) {
	if len(v.levels[0]) > 1 && db.asks.Add()%asksTold == 0 {
		s.asked.Add(asksTold)
	}
}

// ask counts reads that may ask level 0, for the score of the stripe.
func (s *stripe) ask(v *version, reads int64) {
	if len(v.levels[0]) > 1 {
		s.asked.Add(reads)
	}
}

// due says what a stripe's tables need most.
func (db *DB) due(stripe int, idle bool) dueCompaction {
	s := &db.stripes[stripe]
	s.mu.RLock()
	v := s.tables.acquire()
	s.mu.RUnlock()
	defer db.release(v)
	d := v.due(stripe, idle, s.asked.Load())
	if idle && v.garbage(db.horizon()) != nil {
		d.raise(1, levelLast, forSpace)
	}
	return d
}
