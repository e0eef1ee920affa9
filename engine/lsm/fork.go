package lsm

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/storage"
)

// Fork returns a database in memory that holds what this one holds now: all updates that were
// answered, and no other one in part. It takes the same time however much that is: both share
// memtables and tables, and whoever writes copies the few nodes that lie on the way. What one writes
// never shows on the other. The fork's numbers go on from those of its parent, so that the order of
// its streams stays what it was; it has no snapshots.
//
// Writers wait while it happens, for those that are under way: microseconds in memory, the writes of
// the log in a file.
//
// A fork of a file reads the tables of the file. It holds them: the file grows as if a snapshot were
// open, and stays locked, when this database is closed, until its last fork is. Nothing is ever
// written to the file by a fork.
//
// Close gives back what a fork holds. One in memory, of one in memory, may as well be forgotten.
func (db *DB) Fork() (*DB, error) {
	w := &db.wal
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.holdLocked(); err != nil {
		return nil, err
	}
	defer w.resumeLocked()
	next := w.next
	if db.opts.ReadOnly { // it has no numbers of its own
		if db.super.Epoch >= base.EpochMax {
			return nil, errEpochs
		}
		next = base.MakeLSN(db.super.Epoch+1, 1)
	}
	f := db.child()
	f.seqs.last = db.seqs.lastIssued()
	f.objects.Store(db.objects.Load())
	f.wal.next = next
	f.wal.visible.Store(w.visible.Load())
	f.wal.gaps = []gap{{before: w.visibleLSN(), after: next}}
	var held int64
	for i := range db.stripes {
		held += db.stripes[i].share(&f.stripes[i])
	}
	f.memBytes.Store(held)
	if home := db.fileOf(); home != nil {
		f.home = home
		home.holders.Add(1)
	}
	return f, nil
}

// fileOf is the database whose file this one reads; nil when it reads none.
func (db *DB) fileOf() *DB {
	if db.opts.InMemory {
		return db.home
	}
	return db
}

// child is a database in memory whose stripes are still to be filled.
func (db *DB) child() *DB {
	opts := db.opts
	opts.InMemory, opts.ReadOnly = true, false
	f := newShell(opts)
	f.ident, f.cache, f.resident = db.ident, db.cache, db.resident
	return f
}

// share gives another stripe what this one holds, and returns the bytes of its memtables. It is
// called while no update is between its number and its publication.
func (s *stripe) share(to *stripe) (held int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to.active, to.frozen, to.tables = s.active.Clone(), s.frozen, s.tables.acquire()
	to.since = s.since
	to.graves = s.graves.share()
	held = s.active.Bytes()
	for _, m := range s.frozen {
		held += m.Bytes()
	}
	return held
}

// holdLocked keeps updates from getting numbers, and returns when all that have one are published:
// each of them needs nothing but the processor, and the log its one write. resumeLocked ends it, also
// after an error.
func (w *wal) holdLocked() error {
	w.held++
	for {
		switch {
		case w.shut:
			w.resumeLocked()
			return storage.ErrClosed
		case w.poison != nil:
			// What the groups hold that were not written is in memtables for ever.
			err := failed(storage.ErrUnavailable, w.poison)
			w.resumeLocked()
			return err
		case len(w.unfinished) == 0:
			return nil
		}
		w.cond.Wait()
	}
}

func (w *wal) resumeLocked() {
	if w.held--; w.held == 0 && w.waiting > 0 {
		w.cond.Broadcast()
	}
}

// LastSeq is the largest Seq that was given, used or not.
func (db *DB) LastSeq() storage.Seq { return storage.Seq(db.seqs.lastIssued()) }

// SkipSeq makes every Seq from now on larger than after, so that a database that takes the place of
// another goes on with the order of its streams.
func (db *DB) SkipSeq(after storage.Seq) {
	s := &db.seqs
	s.mu.Lock()
	s.last = max(s.last, uint64(after))
	s.mu.Unlock()
}

// empty lets go of all that a database in memory holds. It is closed: readers that find nothing look
// at that again.
func (db *DB) empty() {
	for i := range db.stripes {
		s := &db.stripes[i]
		s.mu.Lock()
		old := s.tables
		s.active, s.frozen, s.tables, s.graves = memtable.New(), nil, newVersion(version{}.levels, old.dead), graves{}
		s.mu.Unlock()
		db.release(old)
	}
	db.memBytes.Store(0)
}
