package lsm

import (
	"errors"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/storage"
)

// Close takes no more updates, ends those under way, writes everything into tables, marks the file
// as cleanly closed and gives it back. A poisoned store writes no mark: the next open replays the
// log. A second Close does nothing. Forks stay open; the last of them gives the file back.
func (db *DB) Close() error {
	w := &db.wal
	w.mu.Lock()
	if w.shut {
		w.mu.Unlock()
		return nil
	}
	w.shut = true
	db.closed.Store(true) // first: what ends because of the other is told why
	db.beginClose()
	w.cond.Broadcast()
	for len(w.unfinished) > 0 && w.poison == nil {
		w.cond.Wait()
	}
	for w.writing {
		w.cond.Wait()
	}
	poisoned := w.poison != nil
	w.mu.Unlock()
	// Updates that have no frame yet may still be reading tables or writing a spill: the file is
	// not given back under their hands.
	db.inFlight.Lock()
	defer db.inFlight.Unlock()
	db.stop()
	db.background.Wait()
	db.seqs.fail(storage.ErrClosed)
	var err error
	if !poisoned && !db.opts.ReadOnly && !db.opts.InMemory {
		err = db.closeClean()
	}
	if db.opts.InMemory {
		db.empty()
	}
	if db.home != nil {
		return db.home.letGo()
	}
	return errors.Join(err, db.letGo())
}

func (db *DB) closeClean() error {
	db.archiver.finish()
	if err := db.checkpoint(); isFull(err) {
		db.log("the log is not empty after closing", err) // the next open replays it
	} else if err != nil {
		return err
	}
	if err := db.leaveSmall(); err != nil {
		db.log("the file stays larger than it need be", err)
	}
	if err := db.wal.syncAll(); err != nil {
		return err
	}
	c := &db.man
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return c.failed
	}
	super := db.super
	super.Generation++
	super.Clean = &superblock.Clean{
		WAL: lastGroup(db.wal.chain), Manifest: lastGroup(c.chain),
	}
	return db.writeSuper(super)
}

// lastGroup names the last group of a log.
func lastGroup(c *log.Chain) log.CleanMark {
	at := c.Position()
	return log.CleanMark{Epoch: base.Epoch(at.Epoch), Seq: at.Seq - 1}
}
