package lsm

import (
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/storage"
)

// errEpochs is what an open says that would pass the last epoch, and a running store that has used
// up the numbers of the last one.
var errEpochs = errors.New("lsm: the epochs of this file are used up: " +
	"restore it from a backup into a new file")

// renewShare: a new epoch is taken when less than 1/renewShare of the numbers of any counter is left.
// That leaves the flusher hours; a writer that is faster waits for it.
const renewShare = 16

// counterNearEnd says whether a counter of the epoch comes to its end.
func (db *DB) counterNearEnd() bool {
	end := db.wal.counterMax - db.wal.counterMax/renewShare
	near := func(n uint64) bool { return base.LSN(n).Counter() >= end }
	db.man.mu.Lock()
	record := db.man.next
	db.man.mu.Unlock()
	return near(uint64(db.wal.nextLSN())) || near(uint64(record)) || near(db.objects.Load()) ||
		near(db.seqs.lastIssued())
}

// renewEpoch durably takes a new epoch and begins all counters anew. Numbers of the old epoch that
// are on their way stay valid: they are smaller than all that follow.
func (db *DB) renewEpoch() error {
	c := &db.man
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	super := db.super
	if super.Epoch >= base.EpochMax {
		return nil // writers are refused when the last number is used
	}
	super.Epoch++
	var terms [2]*log.Term
	for i, id := range [...]base.ObjectNum{c.id, log.WAL} {
		var err error
		if terms[i], err = db.newTerm(id, super.Epoch); err != nil {
			return err
		}
	}
	super.Generation++
	if err := db.writeSuper(super); err != nil {
		return db.manifestFailed(err)
	}
	c.term = terms[0]
	c.next = base.MakeLSN(super.Epoch, 1)
	db.objects.Store(uint64(super.Epoch) << base.CounterBits)
	db.seqs.begin(super.Epoch)
	db.wal.renew(super.Epoch, terms[1])
	return nil
}

// renew makes the log go on in a new epoch, which is durable.
func (w *wal) renew(epoch base.Epoch, term *log.Term) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closeOpenLocked() // the frames of a group are numbered without a gap, and sealed in one term
	w.term = term
	w.beginEpochLocked(epoch)
	w.cond.Broadcast()
}

// numberedLocked says whether there is a number for one more frame.
func (w *wal) numberedLocked() bool {
	if w.next.Counter() < w.counterMax {
		return true
	}
	if w.file != nil {
		return false // the flusher takes a new epoch
	}
	w.closeOpenLocked()
	w.beginEpochLocked(w.next.Epoch() + 1)
	return true
}

// gap in the numbers of frames: before is the last one in front of it, after the first one behind.
type gap struct{ before, after base.LSN }

// beginEpochLocked leaves out what is left of the numbers of the epoch before.
func (w *wal) beginEpochLocked(epoch base.Epoch) {
	first := base.MakeLSN(epoch, 1)
	w.gaps = append(w.gaps, gap{before: w.next - 1, after: first})
	w.next = first
}

// framesBetweenLocked counts the frames behind from, up to to.
func (w *wal) framesBetweenLocked(from, to base.LSN) uint64 {
	n := uint64(to - from)
	for _, g := range w.gaps {
		if from <= g.before && g.after <= to {
			n -= uint64(g.after - g.before - 1)
		}
	}
	return n
}

func (w *wal) noNumbersLocked() error {
	if w.next.Counter() < w.counterMax || w.next.Epoch() < base.EpochMax {
		return nil
	}
	return fmt.Errorf("%w: %w", storage.ErrUnavailable, errEpochs)
}
