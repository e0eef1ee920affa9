package lsm

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
)

// passKind says why a pass is made.
type passKind uint8

const (
	passBudget  passKind = iota // memory: some stripes, those with the oldest writes; small ones are left out
	passTail                    // the tail shall move: whoever pins the older half of the log
	passLog                     // somebody waits for room in the log: nobody who pins the tail is left out
	passAge                     // stripes that have been idle for long
	passAll                     // everything
	passReserve                 // on a full disk: a few stripes, those with many deletes first
	passPart                    // on a full disk: a few stripes, those with the oldest writes first
)

// spare is what the tables of a pass leave free.
func (k passKind) spare() spare {
	if k == passAll || k == passReserve {
		return spareHalf
	}
	return spareAll
}

// frozenStripe is what a pass writes of one stripe: all its frozen memtables.
type frozenStripe struct {
	index  int
	tables []*memtable.Memtable // newest first
}

// pass freezes memtables of many stripes, writes their tables in one run with one sync, and names
// them in one manifest record that also moves the tail (STORAGE §6).
func (db *DB) pass(kind passKind) error {
	db.passMu.Lock()
	defer db.passMu.Unlock()
	visible := db.wal.visibleLSN()
	chosen := db.freeze(kind)
	tail, at := db.newTail(visible, chosen)
	// A version may have been dropped, and the tail moved, because of an entry that only visible
	// covered: the log must be synced through it before the record.
	through := db.wal.visibleLSN()
	for _, f := range chosen {
		for _, m := range f.tables {
			through = max(through, m.MaxLSN())
		}
	}
	if bug.Enabled(bug.FlushUnsynced) {
		through = 0
	}
	if err := db.wal.syncThrough(through); err != nil {
		return err
	}
	if len(chosen) == 0 && tail <= db.tailLSN() {
		return nil
	}
	defer db.timed(&db.figures.flushNanos)()
	r := db.newRun(kind.spare(), nil)
	err := db.writePass(r, chosen)
	if isFull(err) {
		r.abandon(err)
		r = db.newRun(kind.spare(), nil)
		r.cut = fullTableBytes // there may be space in small pieces
		err = db.writePass(r, chosen)
	}
	if err != nil {
		db.figures.flushFailures.Add(1)
		r.abandon(err)
		return err
	}
	db.opts.hooks.beforeRecord.call()
	if bug.Enabled(bug.TailTooFar) {
		db.wal.mu.Lock()
		tail = db.wal.visibleLSN() + 1
		at = db.wal.positionLocked(tail)
		db.wal.mu.Unlock()
	}
	err = db.recordPass(r.tables, chosen, tail, at)
	if err != nil {
		db.figures.flushFailures.Add(1)
	}
	if isFull(err) {
		r.abandon(err)
	}
	return err
}

func (db *DB) tailLSN() base.LSN {
	db.man.mu.Lock()
	defer db.man.mu.Unlock()
	return db.man.state.Tail.LSN
}

// freeze makes the chosen active memtables frozen and returns all stripes that have frozen ones,
// those of an earlier pass that failed included.
func (db *DB) freeze(kind passKind) []frozenStripe {
	chosen := db.choose(kind)
	now := db.clock()
	var out []frozenStripe
	for i := range db.stripes {
		if (kind == passReserve || kind == passPart) && !chosen[i] {
			continue
		}
		s := &db.stripes[i]
		s.mu.Lock()
		old := kind != passAge || now-s.since >= int64(db.opts.FlushAge)
		if chosen[i] && !s.active.Empty() && old {
			s.frozen = slices.Insert(slices.Clone(s.frozen), 0, s.active)
			s.active = memtable.NewPacked()
		}
		if len(s.frozen) > 0 {
			out = append(out, frozenStripe{index: i, tables: s.frozen})
		}
		s.mu.Unlock()
	}
	return out
}

// passPartMinBytes is the least that a pass for the budget takes, if there is as much: each costs a
// sync and a record.
const passPartMinBytes = 8 << 20

// choose says which stripes a pass is about. One for the budget takes a quarter of it, the oldest
// writes first: writers wait for nothing as long as the rest lasts, and the log's tail follows.
func (db *DB) choose(kind passKind) (chosen [base.StripeCount]bool) {
	if kind == passReserve {
		for i := range db.deletedMost() {
			chosen[i] = true
		}
		return chosen
	}
	type candidate struct {
		index  int
		oldest base.LSN
		bytes  int64
	}
	var list []candidate
	least := int64(1)
	if kind == passBudget {
		least = max(1, db.memBytes.Load()/base.StripeCount/4)
	}
	last := base.LSN(math.MaxUint64)
	if kind == passTail {
		tail := db.tailLSN()
		last = tail + (db.wal.visibleLSN()-tail)/2
	}
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		c := candidate{i, s.active.MinLSN(), s.active.Bytes()}
		for _, m := range s.frozen {
			if kind == passPart {
				c.oldest = m.MinLSN() // the last is the oldest
				c.bytes += m.Bytes()
			}
		}
		s.mu.RUnlock()
		if c.bytes >= least && c.oldest <= last {
			list = append(list, c)
		}
	}
	part := int64(math.MaxInt64)
	switch kind {
	case passBudget:
		part = max(db.opts.MemtableBytes/4, passPartMinBytes)
	case passPart:
		part = fullPartBytes
	default:
	}
	if part < math.MaxInt64 {
		slices.SortFunc(list, func(a, b candidate) int { return cmp.Compare(a.oldest, b.oldest) })
	}
	for _, c := range list {
		if part <= 0 {
			break
		}
		chosen[c.index] = true
		part -= c.bytes
	}
	return chosen
}

// newTail is min(visible + 1, the smallest LSN in any memtable that is not in this pass). visible
// was read before the freeze.
func (db *DB) newTail(visible base.LSN, chosen []frozenStripe) (base.LSN, log.Position) {
	tail := visible + 1
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.RLock()
		if m := s.active.MinLSN(); m != 0 {
			tail = min(tail, m)
		}
		for _, f := range s.frozen {
			in := slices.ContainsFunc(chosen, func(c frozenStripe) bool {
				return c.index == i && slices.Contains(c.tables, f)
			})
			if !in {
				tail = min(tail, f.MinLSN())
			}
		}
		s.mu.RUnlock()
	}
	tail = min(tail, db.archiver.holdLSN()) // read after visible: see startBase
	db.wal.mu.Lock()
	defer db.wal.mu.Unlock()
	return tail, db.wal.positionLocked(tail)
}

// writePass writes the tables. Their log is synced already.
func (db *DB) writePass(r *run, chosen []frozenStripe) error {
	horizon := db.horizon()
	for _, f := range chosen {
		var sources []base.Iterator
		for _, m := range f.tables {
			sources = append(sources, m.NewIter(nil, memtable.IterOptions{}))
		}
		s := &db.stripes[f.index]
		s.mu.RLock()
		dead := s.tables.dead
		s.mu.RUnlock()
		c := merge.NewCompactor(merge.New(sources...), merge.CompactorOptions{
			Horizon: horizon, Dead: dead,
		})
		r.begin(uint8(f.index), 0)
		for c.Next() {
			if err := r.add(c.Entry(), c.NewKey()); err != nil {
				return errors.Join(err, c.Close())
			}
		}
		if err := errors.Join(c.Err(), c.Close(), r.endTable()); err != nil {
			return err
		}
	}
	return r.finish()
}

// recordPass makes the record durable, then gives the stripes their tables, frees the memtables
// and the log before the tail.
func (db *DB) recordPass(
	tables []manifest.Table, chosen []frozenStripe, tail base.LSN, at log.Position,
) error {
	num, ok := db.segmentAt(at)
	if !ok {
		return errors.New("lsm: the tail is in no segment")
	}
	t := tailOf(tail, at, num)
	e := &manifest.Edit{TableAdd: tables, Tail: &t}
	if len(tables) > 0 && bug.Enabled(bug.SegmentReusedEarly) {
		e.Tail = nil // a later pass, without tables, moves it
	}
	err := db.edit(e, func() { db.installPass(tables, chosen) })
	if err != nil {
		return err
	}
	db.releaseSpills(tail)
	db.wal.mu.Lock()
	db.wal.releaseLocked(at)
	db.wal.mu.Unlock()
	db.wakeCompaction()
	db.figures.passes.Add(1)
	for _, t := range tables {
		db.figures.flushedBytes.Add(uint64(t.Meta.Length))
	}
	return nil
}

func (db *DB) segmentAt(at log.Position) (base.ObjectNum, bool) {
	w := &db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.live {
		if s.Extent == at.Extent {
			return s.Num, true
		}
	}
	return 0, false
}

// installPass runs when the record is durable.
func (db *DB) installPass(tables []manifest.Table, chosen []frozenStripe) {
	byStripe := make(map[uint8][]*liveTable)
	for _, t := range tables {
		byStripe[t.Stripe] = append(byStripe[t.Stripe], db.openTable(t))
	}
	var freed int64
	for _, f := range chosen {
		s := &db.stripes[f.index]
		s.mu.Lock()
		s.frozen = slices.DeleteFunc(slices.Clone(s.frozen), func(m *memtable.Memtable) bool {
			return slices.Contains(f.tables, m)
		})
		for _, m := range f.tables {
			freed += m.Bytes()
		}
		old := s.tables
		s.tables = old.with(byStripe[uint8(f.index)], nil, old.dead)
		s.l0.Store(int32(len(s.tables.levels[0])))
		s.mu.Unlock()
		db.release(old)
	}
	db.memBytes.Add(-freed)
}

// checkpoint passes until everything that is visible is in tables and, but for what an archive waits for,
// the log is empty.
func (db *DB) checkpoint() error {
	for {
		if err := db.pass(passAll); err != nil {
			return err
		}
		if !db.tailMoves() {
			return nil
		}
	}
}

const (
	// tickEvery is how often the flusher looks around: idle logs are closed off after one to two
	// ticks, which makes about the 50 ms of STORAGE §4.
	tickEvery = 50 * time.Millisecond
	// retryEvery is how often a flush is tried again that has failed for want of space.
	retryEvery = time.Second
	// ageEveryTicks is how many ticks pass between two looks for stripes that are idle for long.
	ageEveryTicks = 100
	// holesEachTick is how many holes are punched between two ticks: 40 a second.
	holesEachTick = 2
	// calmTicks without a log group, 100 ms, let compaction write as fast as it can.
	calmTicks = 2
	// quietTicks without a log group make the store quiet: 2 s.
	quietTicks = 40
)
