package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

var (
	// ErrNoCheckpoint: Reset was asked for a name that no Checkpoint has.
	ErrNoCheckpoint = errors.New("engine: no such checkpoint")
	// ErrNotInMemory: the operation is for databases in memory; Fork makes one of any.
	ErrNotInMemory = errors.New("engine: this is for databases in memory")

	errNoFork = errors.New("engine: the store that this database was opened with cannot be forked")
)

// checkpoint is a state that nobody changes.
type checkpoint struct {
	file *lsm.DB
	gaps []gap
}

// Fork returns a database in memory that holds what this one holds now, with everything in it: tables,
// indexes, streams, settings. It takes the same fraction of a millisecond however much that is, since both
// share what neither has changed; what one writes never shows in the other. It has the options of this one.
// Tables with replicas in other regions are of its region alone in a fork, and replicas that are being filled are not
// in it. Exports and bulk puts that run go on in this database and fail in the fork.
// Forks can be forked, and cost what they change until they are closed.
//
// A fork of a file reads that file: the space of what the file's database deletes meanwhile, and the file
// itself when it is closed, stay until the last fork is closed. Nothing is written to the file by a fork,
// so that one of a read-only database can be written to.
//
// Every request is in the fork whole or not at all; those that were answered are.
func (db *DB) Fork() (*DB, error) {
	s, err := db.state()
	if err != nil {
		return nil, fmt.Errorf("fork: %w", err)
	}
	opts := db.opts
	opts.InMemory, opts.ReadOnly, opts.Archive, opts.DataStreams = true, false, nil, nil
	opts.Replicas, opts.regions = nil, newRegions(nil) // what a fork writes is its own
	opts.home = "fork " + db.served.Load().newUUID()
	c, err := coreOf(s, opts)
	if err != nil {
		return nil, err
	}
	if err := c.endGlobals(context.Background()); err != nil {
		return nil, closeAfter(s.file, err)
	}
	c.startBackground()
	return dbOf(c, opts), nil
}

// endGlobals makes all tables those of this region alone.
func (db *core) endGlobals(ctx context.Context) error {
	for _, t := range db.catalog.Globals() {
		if t.Filling != "" {
			if err := db.catalog.Abandon(ctx, t.Table.ID, t.Table.Name); err != nil {
				return err
			}
			continue
		}
		_, err := db.catalog.Update(ctx, t.Table.Name, false, func(r *catalog.Record) error {
			r.EndGlobal()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// state is a fork of the store, and what must be known to serve it.
func (db *DB) state() (*checkpoint, error) {
	for {
		c := db.served.Load()
		if c.file == nil {
			return nil, errNoFork
		}
		f, err := c.file.Fork()
		if err == nil {
			return &checkpoint{file: f, gaps: c.gaps}, nil
		}
		if !c.replaced(err) {
			return nil, err
		}
	}
}

// coreOf makes a core that serves a state, which is closed when that fails. Its background work has not
// begun.
func coreOf(s *checkpoint, opts Options) (*core, error) {
	c, err := openCore(s.file, opts)
	if err != nil {
		return nil, closeAfter(s.file, err)
	}
	c.gaps = s.gaps
	return c, nil
}

// Checkpoint keeps the present state under a name, for Reset, and takes as long as Fork. An earlier
// checkpoint of that name is dropped. It costs what is changed afterwards, until it is dropped or the
// database closed. Only databases in memory have checkpoints, ErrNotInMemory, and the name is not empty.
func (db *DB) Checkpoint(name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	switch {
	case name == "":
		return errors.New("engine: a checkpoint needs a name: the empty one is the empty database")
	case !db.opts.InMemory:
		return fmt.Errorf("checkpoint %q: %w", name, ErrNotInMemory)
	}
	s, err := db.state()
	if err != nil {
		return fmt.Errorf("checkpoint %q: %w", name, err)
	}
	db.dropLocked(name)
	db.checkpoints[name] = s
	return nil
}

// DropCheckpoint forgets a checkpoint; ErrNoCheckpoint when there is none of that name.
func (db *DB) DropCheckpoint(name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.checkpoints[name] == nil {
		return fmt.Errorf("drop checkpoint %q: %w", name, ErrNoCheckpoint)
	}
	db.dropLocked(name)
	return nil
}

func (db *DB) dropLocked(name string) {
	if s := db.checkpoints[name]; s != nil {
		_ = s.file.Close() // nothing is written by it
		delete(db.checkpoints, name)
	}
}

// Reset makes the database what it was at a checkpoint, or empty for the empty name, in the time that Fork
// takes. The checkpoint stays. Requests that run meanwhile happen before it, and then they are undone with
// everything else, or after it; none sees both. The sequence numbers of streams go on. Change feeds and
// shard iterators that have passed what the checkpoint holds get TrimmedDataAccess, those of streams that
// it does not hold ResourceNotFound.
//
// Only databases in memory can be reset, ErrNotInMemory; a name without a checkpoint is ErrNoCheckpoint.
// On an error nothing has changed.
func (db *DB) Reset(name string) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	next, err := db.resetTo(name)
	if err != nil {
		return fmt.Errorf("reset to %q: %w", name, err)
	}
	old := db.served.Load()
	old.retired.Store(true)
	// What fails while the old one is closed is lost with it.
	_ = old.close()
	if last := old.file.LastSeq(); last > next.gaps[len(next.gaps)-1].last { // see seqsApart
		next.gaps[len(next.gaps)-1].last = last
		next.file.SkipSeq(last)
	}
	next.startBackground()
	db.served.Store(next)
	close(old.next)
	return nil
}

// seqsApart is how many numbers Reset leaves out for the requests that run while the new state is opened,
// which may number something, too.
const seqsApart = 1 << 16

// resetTo makes what Reset puts in the place of what is there now.
func (db *DB) resetTo(name string) (*core, error) {
	old := db.served.Load().file
	switch {
	case !db.opts.InMemory:
		return nil, ErrNotInMemory
	case db.closed:
		return nil, storage.ErrClosed
	case old == nil:
		return nil, errNoFork
	}
	s := &checkpoint{}
	var err error
	switch kept := db.checkpoints[name]; {
	case kept != nil:
		s.gaps = kept.gaps
		s.file, err = kept.file.Fork()
	case name == "":
		s.file, err = lsm.Open("", db.opts.lsm())
	default:
		err = ErrNoCheckpoint
	}
	if err != nil {
		return nil, err
	}
	g := gap{first: s.file.LastSeq() + 1, last: old.LastSeq() + seqsApart}
	s.file.SkipSeq(g.last)
	s.gaps = append(s.gaps[:len(s.gaps):len(s.gaps)], g)
	return coreOf(s, db.opts)
}

// gap are numbers of streams, both included, that were given at most in a state that Reset has taken away.
type gap struct{ first, last storage.Seq }

// undone says whether a reader that stands at a place has passed records that Reset has taken away.
func (db *core) undone(at stream.Position) bool {
	for _, g := range db.gaps {
		if (stream.Position{Seq: g.first}).Less(at) && at.Seq <= g.last {
			return true
		}
	}
	return false
}
