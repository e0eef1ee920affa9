package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
)

// Kind is one kind of tasks.
type Kind struct {
	// Step does a small part of a task and says whether that was the last. What it writes goes through
	// Run.Commit. It ends soon after its context does.
	Step func(context.Context, *Run) (done bool, err error)
	// Abort, unless nil, takes back what a task has done that fails or is cancelled, before its row says
	// so. why is nil for a cancelled one. It is tried again until it has no error, and may be called
	// again after it had none.
	Abort func(ctx context.Context, run *Run, why *Failure) error
	// Forget removes the row of a task that is Done, since what it did says so itself.
	Forget bool
}

// ParallelDefault is Options.Parallel when that is 0.
const ParallelDefault = 4

// Options of a set of tasks. All are required but Parallel.
type Options struct {
	Kinds map[string]Kind
	Clock func() time.Time
	// Hold takes or renews the lease of the worker. It is called by one goroutine at a time.
	Hold func(context.Context) (*lease.Lease, error)
	// Wake makes the worker call Work soon.
	Wake func()
	// Parallel is how many tasks run at once; 0 means ParallelDefault.
	Parallel int
}

// Set is the tasks of one store. It is safe for concurrent use, but for Work, which one goroutine calls.
type Set struct {
	store storage.Store
	opts  Options

	holding sync.Mutex // one Hold at a time

	mu sync.Mutex
	// started counts calls of Start, so that Work knows of tasks that came while it ran.
	started uint64 // guarded by mu
	// running holds what ends the step of a task that is being cancelled.
	running map[string]context.CancelCauseFunc // guarded by mu
}

// New makes the set of the tasks in a store.
func New(store storage.Store, opts Options) *Set {
	if opts.Parallel == 0 {
		opts.Parallel = ParallelDefault
	}
	return &Set{store: store, opts: opts, running: map[string]context.CancelCauseFunc{}}
}

// Request is a task to be started.
type Request struct {
	ID, Kind string
	// Spec is stored as JSON.
	Spec any
	// Cursor is what the first step finds, nil for nothing.
	Cursor any
}

// Start stores a task in one update with whatever else fn writes, and wakes the worker. fn, unless nil,
// finds the values of named in their places; it is pure, as all functions of updates are, and its error
// comes back unchanged. spec, unless nil, makes Request.Spec inside of the update, where its Seq is known.
func (s *Set) Start(ctx context.Context, r Request, named []storage.Named, fn func(storage.Tx) (spec any, err error)) (Task, error) {
	t := Task{ID: r.ID, Kind: r.Kind, State: Running, CreatedMs: s.opts.Clock().UnixMilli()}
	if _, ok := s.opts.Kinds[r.Kind]; !ok {
		return t, fmt.Errorf("tasks: no kind %q", r.Kind)
	}
	var err error
	if r.Cursor != nil {
		if t.Cursor, err = json.Marshal(r.Cursor); err != nil {
			return t, fmt.Errorf("tasks: cursor of %s: %w", r.ID, err)
		}
	}
	row := t.Row()
	named = append(append([]storage.Named(nil), named...), storage.Named{Key: row})
	err = s.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if tx.Value(len(named) - 1).Present {
			return ErrExists
		}
		spec := r.Spec
		if fn != nil {
			made, err := fn(tx)
			if err != nil {
				return err
			}
			if made != nil {
				spec = made
			}
		}
		b, err := json.Marshal(spec)
		if err != nil {
			return fmt.Errorf("tasks: spec of %s: %w", r.ID, err)
		}
		t.Spec = b
		if b, err = t.encode(); err != nil {
			return err
		}
		tx.Put(row, b)
		return nil
	})
	if err != nil {
		return t, err
	}
	s.mu.Lock()
	s.started++
	s.mu.Unlock()
	s.opts.Wake()
	return t, nil
}

// Get returns a task.
func (s *Set) Get(ctx context.Context, id string) (Task, error) {
	v, err := s.store.Get(ctx, key.AppendTask(nil, id))
	if err != nil {
		return Task{}, err
	}
	return stored(v)
}

// List returns the tasks of a kind, or all when kind is empty, in the order of their ids.
func (s *Set) List(ctx context.Context, kind string) (list []Task, err error) {
	err = storage.Fresh(ctx, func() error {
		list, err = s.list(ctx, func(t *Task) bool { return kind == "" || t.Kind == kind })
		return err
	})
	return list, err
}

func (s *Set) list(ctx context.Context, wanted func(*Task) bool) ([]Task, error) {
	snap, err := s.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "tasks"})
	if err != nil {
		return nil, err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.CatalogRange(key.SubTask)), storage.IterOptions{})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var list []Task
	for it.Next() {
		t, err := Decode(it.Value())
		if err != nil {
			return nil, err
		}
		if wanted(&t) {
			list = append(list, t)
		}
	}
	return list, it.Err()
}

// Cancel makes a task end without its other steps; it is over when its state says so. Whoever cancels
// twice gets no error. A task that has ended is ErrEnded.
func (s *Set) Cancel(ctx context.Context, id string) (t Task, err error) {
	row := key.AppendTask(nil, id)
	err = s.store.Update(ctx, []storage.Named{{Key: row}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if t, err = stored(tx.Value(0)); err != nil {
			return err
		}
		if t.State != Running {
			return ErrEnded
		}
		t.Cancelling = true
		b, err := t.encode()
		if err != nil {
			return err
		}
		tx.Put(row, b)
		return nil
	})
	if err != nil {
		return t, err
	}
	s.mu.Lock()
	if stop := s.running[id]; stop != nil {
		stop(errCancelled)
	}
	s.mu.Unlock()
	s.opts.Wake()
	return t, nil
}

// Forget removes the row of a task that has ended. One that is gone is no error.
func (s *Set) Forget(ctx context.Context, id string) error {
	row := key.AppendTask(nil, id)
	return s.store.Update(ctx, []storage.Named{{Key: row}}, storage.UpdateOptions{}, func(tx storage.Tx) error {
		t, err := stored(tx.Value(0))
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case t.State == Running:
			return fmt.Errorf("tasks: task %s still runs", id)
		}
		tx.Delete(row)
		return nil
	})
}
