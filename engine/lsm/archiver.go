package lsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/lsm/archive"
	"github.com/keystone-db/kstone/engine/lsm/internal/archived"
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// ArchiveEveryDefault is the default of Options.ArchiveEvery.
	ArchiveEveryDefault = 10 * time.Second
	// ArchiveBaseEveryDefault is the default of Options.ArchiveBaseEvery.
	ArchiveBaseEveryDefault = 24 * time.Hour

	// markEvery is the time between two marks in the log, and so how exactly a time can be restored.
	markEvery = time.Second
	// archivePatience is how long writers wait for a slow archive before the log goes on without it.
	archivePatience = 5 * time.Second
	// archiveLastTry bounds the last shipment, when the database is closed.
	archiveLastTry = 3 * time.Second
	// baseRetry is the time until a base backup that failed is tried again.
	baseRetry = time.Minute
	// noHold: the tail of the log is not held back.
	noHold = math.MaxUint64
)

// archiver ships the log to an archive, group by group and in their order, and base backups to replay it
// on. The tail of the log stays before what is not shipped yet, so that neither a lap nor a crash loses
// any of it. When the archive is down for so long that the log would be full, the log goes on without it:
// the archive has a gap then, and the next base backup is where it begins again.
type archiver struct {
	db    *DB
	store archive.Store
	wake  chan struct{}
	// hold is the LSN of the first frame that is not shipped: the tail is not moved past it.
	hold atomic.Uint64
	// gap: what is in the archive and what can be shipped do not meet; only a base backup helps. The flusher
	// sets it when the log goes on without the archive, and hold to noHold with it, under the mutex.
	gap     atomic.Bool
	failing atomic.Bool // the last shipment failed
	based   atomic.Bool // there is a base backup
	pressed int64       // since when writers wait for the archive; used by the flusher

	// Used by the loop alone.
	begun   bool
	next    log.Position // of the first group that is not shipped
	nextLSN base.LSN
	last    log.Seq         // first group of the last chunk in the archive; zero if there is none
	pending *archived.Chunk // was not stored, or nobody knows
	spilled int64           // bytes of the spills that belong to pending
	seen    int64           // nothing that is shipped now was written later
	working chan error      // a base backup is being made
	baseAt  int64           // when the last one was begun, in milliseconds since 1970

	mu     sync.Mutex
	status ArchiveStatus
	newest string // what completes the newest base backup
}

// ArchiveStatus says how far an archive is.
type ArchiveStatus struct {
	// LSN of the last batch in the archive, and the time up to which it has everything: zero before the
	// first shipment.
	LSN     uint64
	Covered time.Time
	// Base is when the newest base backup was made.
	Base time.Time
	// Gaps counts how often the log went on without the archive, since the open.
	Gaps int
	// Err is why the last shipment or base backup failed; nil when all goes well.
	Err error
}

// ArchiveStatus says how far the archive is; the zero value without one.
func (db *DB) ArchiveStatus() ArchiveStatus {
	a := db.archiver
	if a == nil {
		return ArchiveStatus{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// ArchiveMetrics say how far the archive is; zero without one.
type ArchiveMetrics struct {
	// Archived says that there is an archive.
	Archived bool `json:"is_there"`
	// ArchiveLSN is the last batch in it, ArchiveCovered the time up to which it has everything.
	ArchiveLSN     uint64    `json:"lsn"`
	ArchiveCovered time.Time `json:"covered"`
	// ArchiveBase is when the newest base backup was made.
	ArchiveBase time.Time `json:"base"`
	// ArchiveGaps counts how often the log went on without it.
	ArchiveGaps int `json:"gaps"`
	// ArchiveFailing says that the last shipment or base backup failed; it is tried again.
	ArchiveFailing bool `json:"failing"`
}

func (db *DB) archiveMetrics() ArchiveMetrics {
	if db.archiver == nil {
		return ArchiveMetrics{}
	}
	s := db.ArchiveStatus()
	return ArchiveMetrics{
		Archived: true, ArchiveLSN: s.LSN, ArchiveCovered: s.Covered, ArchiveBase: s.Base, ArchiveGaps: s.Gaps,
		ArchiveFailing: s.Err != nil,
	}
}

func newArchiver(db *DB, store archive.Store) *archiver {
	a := &archiver{db: db, store: store, wake: make(chan struct{}, 1)}
	a.hold.Store(noHold)
	return a
}

// holdLSN is what the tail of the log must not pass.
func (a *archiver) holdLSN() base.LSN {
	if a == nil {
		return noHold
	}
	return base.LSN(a.hold.Load())
}

// holdAt holds the tail of the log back at an LSN, unless the log goes on without the archive: what it held
// until then may be gone.
func (a *archiver) holdAt(lsn base.LSN) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.gap.Load() {
		a.hold.Store(uint64(lsn))
	}
}

// poke asks for a shipment; it never blocks.
func (a *archiver) poke() {
	if a == nil {
		return
	}
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// holdForArchive keeps the tail where it is until the archive has said how far it is: the passes of a
// replay, too, would move it past what is not shipped.
func (db *DB) holdForArchive() {
	if db.opts.Archive == nil || db.opts.InMemory || db.opts.ReadOnly {
		return
	}
	db.archiver = newArchiver(db, db.opts.Archive)
	db.archiver.hold.Store(uint64(db.tailLSN()))
}

// startArchive begins to ship.
func (db *DB) startArchive() {
	if db.archiver == nil || db.opts.manual {
		return
	}
	db.background.Go(func() { db.archiver.run(db.stopped) })
	db.background.Go(func() { db.markLoop(db.stopped) })
}

// run ships at every tick of ArchiveEvery, and whenever a segment of the log is full.
func (a *archiver) run(ctx context.Context) {
	tick := time.NewTicker(a.db.opts.ArchiveEvery)
	defer tick.Stop()
	for {
		a.report(a.round(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-a.wake:
			if !a.failing.Load() {
				break
			}
			select { // the next try is at the next tick
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// round does what is due.
func (a *archiver) round(ctx context.Context) error {
	var err error
	if a.working != nil {
		select {
		case err = <-a.working:
			a.working = nil
			if errors.Is(err, errTwin) {
				if err = a.part(); err != nil {
					return err
				}
			}
			if err != nil { // the whole database was copied for nothing: not again at once
				a.baseAt = a.db.millis() - a.db.opts.ArchiveBaseEvery.Milliseconds() + baseRetry.Milliseconds()
			}
		default:
		}
	}
	if !a.begun {
		if e := a.begin(ctx); e != nil {
			return e
		}
		a.begun = true
	}
	if e := a.checkBase(ctx); e != nil {
		return e
	}
	if a.working == nil && err == nil {
		if a.gap.Load() {
			if _, e := a.store.List(ctx, archived.BasePrefix(a.timeline()), ""); e != nil {
				return e // nothing is copied while the archive is away
			}
			a.failing.Store(false) // writers wait a little for what is shipped behind the base backup
			a.startBase(ctx, true)
		} else if a.db.millis()-a.baseAt >= a.db.opts.ArchiveBaseEvery.Milliseconds() {
			a.startBase(ctx, false)
		}
	}
	return errors.Join(err, a.ship(ctx))
}

// catchUp ships everything, with a first base backup if there is none yet.
func (a *archiver) catchUp(ctx context.Context) error {
	if !a.begun {
		if err := a.begin(ctx); err != nil {
			return err
		}
		a.begun = true
	}
	if a.gap.Load() || !a.based.Load() {
		v := a.takeView(a.gap.Load())
		err := a.makeBase(ctx, v)
		v.close()
		if err != nil {
			return err
		}
	}
	return a.ship(ctx)
}

// report logs the first failure of a row of them, and the end of the row.
func (a *archiver) report(err error) {
	if a.db.stopped.Err() != nil {
		return
	}
	a.mu.Lock()
	before := a.status.Err
	a.status.Err = err
	a.mu.Unlock()
	a.failing.Store(err != nil)
	switch {
	case err != nil && before == nil:
		a.db.log("the archive was not reached: it is tried again", err)
	case err == nil && before != nil:
		a.db.log("the archive is reached again", nil)
	}
}

// millis is the time of the options' clock.
func (db *DB) millis() int64 { return db.opts.Clock().UnixMilli() }

// press is called by the flusher while writers wait for room in a log that cannot grow. After a while, or
// at once if the archive fails, the log goes on without it.
func (a *archiver) press(waiting bool) {
	if a == nil || a.holdLSN() == noHold {
		return
	}
	if !waiting {
		a.pressed = 0
		return
	}
	a.poke()
	now := a.db.clock()
	if a.pressed == 0 {
		a.pressed = max(now, 1)
	}
	if !a.failing.Load() && now-a.pressed < int64(archivePatience) {
		return
	}
	a.pressed = 0
	a.mu.Lock()
	a.status.Gaps++
	a.gap.Store(true)
	a.hold.Store(noHold)
	a.mu.Unlock()
	a.db.log("the log goes on without its archive, which has a gap until its next base backup",
		fmt.Errorf("lsm: the log is full of what the archive has not taken"))
	a.db.wake()
}

// markLoop writes the time into the log, once a second while anything is written. It stands apart from
// the shipping, which makes room in the log for marks, too.
func (db *DB) markLoop(ctx context.Context) {
	tick := time.NewTicker(markEvery)
	defer tick.Stop()
	var m marker
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			// What fails, fails for all writers, who are told.
			_ = m.mark(ctx, db)
		}
	}
}

// marker writes marks.
type marker struct {
	next base.LSN // of the frame behind the last mark
	last int64    // time in it
}

const markBytes = 1 + 8

// mark writes a mark if anything was written since the last one. Its time is read when its place in the
// log is fixed: whatever stands before it was given its place earlier.
func (m *marker) mark(ctx context.Context, db *DB) error {
	if db.wal.nextLSN() == m.next {
		return nil
	}
	lsn, err := db.note(ctx, markBytes, func(payload []byte) {
		m.last = max(m.last, db.millis())
		payload[0] = ondisk.PayloadMark
		binary.LittleEndian.PutUint64(payload[1:], uint64(m.last))
	})
	m.next = lsn + 1
	return err
}

// note writes a frame that changes nothing.
func (db *DB) note(ctx context.Context, n int, fill func(payload []byte)) (base.LSN, error) {
	if !db.inFlight.TryRLock() {
		return 0, storage.ErrClosed // by Close, which waits for the goroutine that writes marks
	}
	defer db.inFlight.RUnlock()
	if db.closed.Load() {
		return 0, storage.ErrClosed
	}
	return db.noteInFlight(ctx, n, fill)
}

func (db *DB) noteInFlight(ctx context.Context, n int, fill func(payload []byte)) (base.LSN, error) {
	p, err := db.wal.enqueue(ctx, log.FrameBytes(n, db.crypt), 0, false)
	if err != nil {
		return 0, err
	}
	fill(p.group.term.Payload(p.frame))
	p.seal()
	return p.lsn, db.wal.commit(p)
}

// noteDrop tells an archive's log of a dropped range: the manifest, which says it otherwise, is not in it.
func (db *DB) noteDrop(ctx context.Context, r storage.Range) error {
	if db.archiver == nil {
		return nil
	}
	record := ondisk.AppendDrop(nil, r)
	_, err := db.noteInFlight(ctx, len(record), func(payload []byte) { copy(payload, record) })
	if isFull(err) {
		return nil // the drop makes room; a restored copy keeps what nobody can see
	}
	return err
}

// finish ships what is left before the database is closed.
func (a *archiver) finish() {
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), archiveLastTry)
	defer cancel()
	if err := a.catchUp(ctx); err != nil {
		a.db.log("the end of the log is not in the archive yet: the next open ships it", err)
	}
}
