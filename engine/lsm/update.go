package lsm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/storage"
)

// update is one Update or Apply on its way; kept in a pool.
type update struct {
	db     *DB
	multi  bool
	wants  []lockWant
	values []storage.Value
	ops    []storage.Op
	seq    uint64 // 0 until asked for
	read   base.LSN
	// reveals: the answer is fn's, and shows what was read.
	reveals bool
}

// Value of the i-th named key.
func (u *update) Value(i int) storage.Value { return u.values[i] }

// Put writes a key.
func (u *update) Put(key, value []byte) {
	u.ops = append(u.ops, storage.Op{Key: key, Value: value})
}

// Delete deletes a key.
func (u *update) Delete(key []byte) { u.ops = append(u.ops, storage.Op{Key: key, Delete: true}) }

// Seq of the update: issued and registered as unfinished at the first call.
func (u *update) Seq() storage.Seq {
	if u.seq == 0 {
		u.seq = u.db.seqs.issue()
	}
	return storage.Seq(u.seq)
}

func (db *DB) getUpdate(opts storage.UpdateOptions) *update {
	u := db.updates.Get().(*update)
	u.multi, u.seq, u.read, u.reveals = opts.Multi, 0, 0, false
	return u
}

func (db *DB) putUpdate(u *update) {
	clear(u.wants)
	clear(u.values)
	clear(u.ops)
	u.wants, u.values, u.ops = u.wants[:0], u.values[:0], u.ops[:0]
	db.updates.Put(u)
}

// Update runs fn on one state of the named keys and commits what it wrote; see storage.Store.
func (db *DB) Update(
	ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error,
) error {
	db.inFlight.RLock()
	defer db.inFlight.RUnlock()
	level0 := int32(0)
	if len(named) > 0 {
		level0 = db.stripes[base.StripeOf(named[0].Key)].l0.Load()
	}
	if err := db.gate(ctx, level0); err != nil {
		return err
	}
	u := db.getUpdate(opts)
	defer db.putUpdate(u)
	if opts.Multi {
		db.multis.Add(1)
		defer db.multis.Add(-1)
	}
	for i := range named {
		if err := checkKey(named[i].Key); err != nil {
			return err
		}
		u.wants = append(u.wants, lockWant{
			key: named[i].Key, shared: named[i].Shared, noWait: named[i].NoWait, multi: opts.Multi,
		})
	}
	u.wants = normalize(u.wants)
	if err := db.keys.lockAll(ctx, u.wants, db.opts.LockWait); err != nil {
		return err
	}
	p, err := db.runLocked(ctx, u, named, fn)
	if err != nil || p.group == nil {
		return db.finishUnwritten(ctx, u, err)
	}
	return db.finishWritten(u, p)
}

// finishUnwritten ends an update that wrote nothing: its answer must not reveal a state that may
// vanish, so it waits until what it read is visible (step 4).
func (db *DB) finishUnwritten(ctx context.Context, u *update, err error) error {
	if u.seq != 0 {
		db.seqs.finish(u.seq)
	}
	if u.reveals {
		if wait := db.wal.waitVisible(ctx, u.read); wait != nil {
			return wait
		}
	}
	return err
}

// finishWritten waits for visibility. The Seq of a poisoned update stays unfinished.
func (db *DB) finishWritten(u *update, p place) error {
	err := db.wal.commit(p)
	if err == nil && u.seq != 0 {
		db.seqs.finish(u.seq)
	}
	return err
}

// runLocked is steps 3 to 7; the keys are locked at entry and unlocked at return. A place without
// a group means that nothing was written.
func (db *DB) runLocked(
	ctx context.Context, u *update, named []storage.Named, fn func(storage.Tx) error,
) (p place, err error) {
	panicked := true
	defer func() {
		db.keys.unlockAll(u.wants)
		if panicked && u.seq != 0 {
			db.seqs.finish(u.seq) // whoever recovers goes on with the database
		}
	}()
	for i := range named {
		if err := db.readNamed(u, &named[i]); err != nil {
			return place{}, err
		}
	}
	err = fn(u)
	panicked = false
	if err != nil || len(u.ops) == 0 {
		u.reveals = true
		return place{}, err
	}
	if err := u.checkGuards(); err != nil {
		return place{}, err
	}
	return db.write(ctx, u)
}

// errGuard: fn broke the contract's first rule; nothing is written.
var errGuard = errors.New("lsm: an update wrote a key that is only read or that no named key guards")

// checkGuards refuses writes of keys that are named as only read, and any without a named key that
// is not shared.
func (u *update) checkGuards() error {
	guarded := false
	for i := range u.wants {
		if !u.wants[i].shared {
			guarded = true
			continue
		}
		for j := range u.ops {
			if bytes.Equal(u.ops[j].Key, u.wants[i].key) {
				return errGuard
			}
		}
	}
	if !guarded {
		return errGuard
	}
	return nil
}

// readNamed reads the newest version of a key, those above visible included.
func (db *DB) readNamed(u *update, n *storage.Named) error {
	e, multi, err := db.newest(n.Key)
	if err != nil {
		return err
	}
	u.read = max(u.read, e.LSN)
	if n.NoWait && multi && e.LSN > db.wal.visibleLSN() {
		return conflict(n.Key, true)
	}
	v := storage.Value{}
	if e.Kind == base.KindPut {
		v = storage.Value{Data: e.Value, Present: true}
		if v.Data == nil {
			v.Data = []byte{}
		}
	}
	u.values = append(u.values, v)
	return nil
}

// newest returns the newest version of a key whether it is visible or not; the zero entry when
// there is none.
func (db *DB) newest(key []byte) (e base.Entry, multi bool, err error) {
	s := &db.stripes[base.StripeOf(key)]
	s.mu.RLock()
	if s.tables.dead.Has(key) {
		s.mu.RUnlock()
		return base.Entry{}, false, nil
	}
	if v := s.newestLocked(key, math.MaxUint64); v != nil {
		s.mu.RUnlock()
		return base.Entry{LSN: v.LSN(), Kind: v.Kind(), Value: v.Value()}, v.Multi(), nil
	}
	if s.tables.count == 0 {
		s.mu.RUnlock()
		return base.Entry{}, false, nil
	}
	tables := s.tables.acquire()
	s.mu.RUnlock()
	s.ask(tables, 1)
	e, _, err = tables.get(key, math.MaxUint64, func() {})
	db.release(tables)
	return e, false, err
}

// refuse refuses the writes of a batch that do not wait for a transaction that wrote their key and is
// not visible yet. Its keys are locked: whoever wrote one was counted before, and is until it is
// visible. Without a transaction on its way nothing is looked at.
func (db *DB) refuse(ops []storage.Op) error {
	if db.multis.Load() == 0 {
		return nil
	}
	for i := range ops {
		if !ops[i].NoWait {
			continue
		}
		s := &db.stripes[base.StripeOf(ops[i].Key)]
		s.mu.RLock()
		v := s.newestLocked(ops[i].Key, math.MaxUint64)
		refused := v != nil && v.Multi() && v.LSN() > db.wal.visibleLSN()
		s.mu.RUnlock()
		if refused {
			return conflict(ops[i].Key, true)
		}
	}
	return nil
}

// Apply commits a blind batch: all its keys are locked, no value is read; see storage.Store.
func (db *DB) Apply(ctx context.Context, batch *storage.Batch, opts storage.UpdateOptions) error {
	db.inFlight.RLock()
	defer db.inFlight.RUnlock()
	if err := db.gate(ctx, db.mostLevel0(batch)); err != nil {
		return err
	}
	if len(batch.Ops) == 0 {
		return nil
	}
	u := db.getUpdate(opts)
	defer db.putUpdate(u)
	if opts.Multi {
		db.multis.Add(1)
		defer db.multis.Add(-1)
	}
	u.ops = append(u.ops, batch.Ops...)
	for i := range u.ops {
		u.wants = append(u.wants, lockWant{key: u.ops[i].Key, noWait: u.ops[i].NoWait, multi: opts.Multi})
	}
	u.wants = normalize(u.wants)
	if err := db.keys.lockAll(ctx, u.wants, db.opts.LockWait); err != nil {
		return err
	}
	var p place
	err := db.refuse(u.ops)
	if err == nil {
		p, err = db.write(ctx, u)
	}
	db.keys.unlockAll(u.wants)
	if err != nil {
		return err
	}
	return db.finishWritten(u, p)
}

func checkKey(key []byte) error {
	if len(key) > storage.KeyMaxBytes {
		return fmt.Errorf("%w: key of %d bytes", storage.ErrTooLarge, len(key))
	}
	return nil
}

// checkOps returns what the entries will take in memtables, and whether there is a put.
func checkOps(ops []storage.Op) (mem int64, put bool, err error) {
	for i := range ops {
		op := &ops[i]
		if err := checkKey(op.Key); err != nil {
			return 0, false, err
		}
		if len(op.Value) > storage.ValueMaxBytes {
			return 0, false, fmt.Errorf("%w: value of %d bytes", storage.ErrTooLarge, len(op.Value))
		}
		put = put || !op.Delete
		mem += int64(len(op.Key)+len(op.Value)) + memtable.EntryOverheadBytes
	}
	return mem, put, nil
}

// write is steps 5 and 6: spill if large, enqueue, encode in place, insert. The keys of the ops are
// protected by the caller.
func (db *DB) write(ctx context.Context, u *update) (place, error) {
	mem, put, err := checkOps(u.ops)
	if err != nil {
		return place{}, err
	}
	size := opsBytes(u.ops)
	if size > UpdateMaxBytes {
		return place{}, fmt.Errorf("%w: batch of more than %d bytes", storage.ErrTooLarge, UpdateMaxBytes)
	}
	payload := 1 + size
	var spilled *spill
	var reference []byte
	if log.FrameHeadBytes+payload > db.inlineMax && !db.opts.InMemory {
		if spilled, err = db.spillOps(u.ops, size); err != nil {
			return place{}, err
		}
		reference = spilled.Append(nil)
		payload = len(reference)
	}
	p, err := db.wal.enqueue(ctx, log.FrameBytes(payload, db.crypt), mem, put)
	if err != nil {
		db.dropSpill(spilled)
		return place{}, err
	}
	if p.frame != nil {
		db.opts.hooks.afterReserve.call()
		encodePayload(p.group.term.Payload(p.frame), u.ops, reference)
		p.seal()
	}
	db.opts.hooks.afterEnqueue.call()
	db.keepSpill(spilled, p.lsn)
	db.tendSnapshots()
	horizon := db.horizon()
	var grown int64
	for i := range u.ops {
		op := &u.ops[i]
		e := base.Entry{Key: op.Key, LSN: p.lsn, Kind: base.KindPut, Value: op.Value}
		if op.Delete {
			e.Kind, e.Value = base.KindTombstone, nil
		}
		grown += db.insert(e, u.multi, horizon)
	}
	if db.memBytes.Add(grown-mem) > db.opts.MemtableBytes && !db.opts.InMemory {
		db.wake()
	}
	return p, nil
}

// mostLevel0 is the largest number of level 0 tables of the stripes that a batch writes.
func (db *DB) mostLevel0(batch *storage.Batch) (most int32) {
	for i := range batch.Ops {
		most = max(most, db.stripes[base.StripeOf(batch.Ops[i].Key)].l0.Load())
	}
	return most
}

// gate is step 1; no locks are held. level0 is how many tables of level 0 the update meets.
func (db *DB) gate(ctx context.Context, level0 int32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	switch {
	case db.closed.Load():
		return storage.ErrClosed
	case db.opts.ReadOnly:
		return storage.ErrReadOnly
	case db.wal.ill.Load():
		db.wal.mu.Lock()
		defer db.wal.mu.Unlock()
		return db.wal.refusalLocked(false)
	}
	delay := time.Duration(db.delay.Load())
	if !db.opts.manual {
		delay = max(delay, level0Delay(level0), db.memoryDelay())
		if db.wal.tight.Load() {
			delay = max(delay, gateDelayTight)
		}
	}
	if delay <= 0 {
		return nil
	}
	began := db.clock()
	timer := time.NewTimer(min(delay, gateDelayMax))
	defer timer.Stop()
	defer func() { db.wal.stalls.add(db.clock() - began) }()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// level0Delay slows the writers of a stripe whose compaction is behind, more with each table: a millisecond
// for each at first, twice that from some thirty on.
func level0Delay(level0 int32) time.Duration {
	over := time.Duration(level0 - l0SlowTables)
	if over <= 0 {
		return 0
	}
	return (over + over*over/l0SteepTables) * time.Millisecond
}

// memoryDelay slows writers to the pace of the flusher before the memtables are full: the delay grows
// with the square of how far they are from an eighth above their budget to their bound, so that it
// stays where as much comes in as is flushed.
func (db *DB) memoryDelay() time.Duration {
	budget := db.opts.MemtableBytes
	over := db.memBytes.Load() - budget - budget/8
	if over <= 0 || db.wal.memCap == 0 {
		return 0
	}
	share := float64(over) / float64(db.wal.memCap-budget-budget/8)
	return max(gateDelayMin, time.Duration(share*share*float64(gateDelayMax)))
}

const (
	// l0SlowTables of level 0 in a stripe make its writers wait a little.
	l0SlowTables = 12
	// l0SteepTables beyond that make them wait twice as long for each.
	l0SteepTables = 24
	// gateDelayMax bounds the delay of one write by the gate; there is no timer for less than
	// gateDelayMin.
	gateDelayMax = 50 * time.Millisecond
	gateDelayMin = time.Millisecond
	// gateDelayTight is for as long as it takes to prepare a segment.
	gateDelayTight = 5 * time.Millisecond
)
