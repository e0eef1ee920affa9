package tasks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
)

// Run is a task while one of its steps is done. It is for the goroutine of the step alone.
type Run struct {
	Task
	set   *Set
	lease lease.Lease
}

// Commit stores how far the task is, as JSON, in one update with whatever fn writes. fn, unless nil,
// finds the values of named in their places and is pure. An error of it comes back unchanged, and nothing
// was written then. cursor may be a function of no arguments that returns it, to be called after fn.
func (r *Run) Commit(ctx context.Context, cursor any, named []storage.Named, fn func(storage.Tx) error) error {
	return r.update(ctx, named, func(tx storage.Tx, t *Task) error {
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		value := cursor
		if late, ok := cursor.(func() any); ok {
			value = late()
		}
		b, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("tasks: cursor of %s: %w", t.ID, err)
		}
		t.Cursor = b
		return nil
	})
}

// Write does what fn writes in one update, as Commit does, and leaves the cursor as it is: for a part of a step
// that may be done twice. One of named must not be shared. It may be called concurrently, not beside Commit.
func (r *Run) Write(ctx context.Context, named []storage.Named, fn func(storage.Tx) error) error {
	named = append(append([]storage.Named(nil), named...), r.lease.Named(), storage.Named{Key: r.Row(), Shared: true})
	return r.set.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if _, err := r.allowed(tx, len(named)); err != nil {
			return err
		}
		return fn(tx)
	})
}

// allowed returns the task's row in an update that names lease and row last, unless this run may not write any
// more.
func (r *Run) allowed(tx storage.Tx, named int) (Task, error) {
	if err := r.lease.Check(tx.Value(named - 2)); err != nil {
		return Task{}, err
	}
	t, err := stored(tx.Value(named - 1))
	switch {
	case err != nil:
	case t.State != Running:
		err = ErrEnded
	case t.Cancelling && !r.Cancelling:
		err = errCancelled
	}
	return t, err
}

// update changes the task's row, behind the lease.
func (r *Run) update(ctx context.Context, named []storage.Named, fn func(storage.Tx, *Task) error) error {
	row, next := r.Row(), Task{}
	named = append(append([]storage.Named(nil), named...), r.lease.Named(), storage.Named{Key: row})
	err := r.set.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		var err error
		if next, err = r.allowed(tx, len(named)); err != nil {
			return err
		}
		if err := fn(tx, &next); err != nil {
			return err
		}
		if next.State == Done && r.set.opts.Kinds[r.Kind].Forget {
			tx.Delete(row)
			return nil
		}
		b, err := next.encode()
		if err != nil {
			return err
		}
		tx.Put(row, b)
		return nil
	})
	if err == nil {
		r.Task = next
	}
	return err
}

// end stores how the task ended.
func (r *Run) end(ctx context.Context, state State, why *Failure) error {
	return r.update(ctx, nil, func(_ storage.Tx, t *Task) error {
		t.State, t.EndedMs = state, r.set.opts.Clock().UnixMilli()
		if why != nil {
			t.Code, t.Message = why.Code, why.Message
		}
		return nil
	})
}

// turns is one call of Work.
type turns struct {
	set *Set

	mu    sync.Mutex
	ready *sync.Cond
	// queue are the ids of the tasks that wait for their turn, known all that this call has met.
	queue []string
	known map[string]bool
	// busy counts the tasks at their turn.
	busy    int
	waiting bool
	started uint64
	errs    []error
	stopped bool
}

// Work does the steps of all tasks until each has ended, waits, or met an error that is no Failure; these
// come back together. waiting says that some are to be looked at again later.
func (s *Set) Work(ctx context.Context) (waiting bool, err error) {
	t := &turns{set: s, known: map[string]bool{}}
	t.ready = sync.NewCond(&t.mu)
	if err := t.look(ctx); err != nil {
		return false, err
	}
	if len(t.queue) == 0 {
		return false, nil
	}
	var workers sync.WaitGroup
	for range s.opts.Parallel {
		workers.Go(func() { t.work(ctx) })
	}
	workers.Wait()
	return t.waiting, errors.Join(t.errs...)
}

// look queues the tasks that were not met yet.
func (t *turns) look(ctx context.Context) error {
	s := t.set
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	var list []Task
	err := storage.Fresh(ctx, func() (err error) {
		list, err = s.list(ctx, func(t *Task) bool { return t.State == Running })
		return err
	})
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.started = started
	for i := range list {
		if id := list[i].ID; !t.known[id] {
			t.known[id] = true
			t.queue = append(t.queue, id)
		}
	}
	t.ready.Broadcast()
	return nil
}

// work takes turns until there are none.
func (t *turns) work(ctx context.Context) {
	for {
		id, ok := t.next()
		if !ok {
			return
		}
		again, err := t.set.turn(ctx, id)
		// Before the turn ends: what it started is in the queue by then.
		if t.stale() {
			err = errors.Join(err, t.look(ctx))
		}
		t.back(id, again, err)
	}
}

// stale says whether tasks were started since the last look.
func (t *turns) stale() bool {
	t.set.mu.Lock()
	defer t.set.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.set.started != t.started
}

// next waits for a task whose turn it is; false when there are none left.
func (t *turns) next() (id string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.queue) == 0 && t.busy > 0 && !t.stopped {
		t.ready.Wait()
	}
	if len(t.queue) == 0 || t.stopped {
		return "", false
	}
	id, t.queue = t.queue[0], t.queue[1:]
	t.busy++
	return id, true
}

// back ends a turn. An error of the lease or the context ends all of them.
func (t *turns) back(id string, again bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.ready.Broadcast()
	t.busy--
	switch {
	case err == ErrWait: //nolint:errorlint // alone
		t.waiting = true
	case err != nil:
		t.errs = append(t.errs, err)
		t.stopped = t.stopped || errors.Is(err, lease.ErrHeld) || errors.Is(err, lease.ErrLost) ||
			errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	case again:
		t.queue = append(t.queue, id)
	}
}

// turn does one step of a task and reports whether there are more.
func (s *Set) turn(ctx context.Context, id string) (again bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	held, err := s.hold(ctx)
	if err != nil {
		return false, err
	}
	stepping, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.mu.Lock()
	s.running[id] = stop
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.running, id)
		s.mu.Unlock()
	}()
	t, err := s.Get(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && t.State != Running {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	run := &Run{Task: t, set: s, lease: *held}
	if t.Cancelling {
		return false, s.abort(ctx, run, nil)
	}
	kind, ok := s.opts.Kinds[t.Kind]
	if !ok {
		return false, fmt.Errorf("tasks: task %s is of the kind %q, which this program does not know", id, t.Kind)
	}
	done, err := kind.Step(stepping, run)
	why, failed := failure(err)
	switch {
	case context.Cause(stepping) == errCancelled || errors.Is(err, errCancelled): //nolint:errorlint // the cause itself
		return true, nil // the next turn ends it
	case failed:
		return false, s.abort(ctx, run, why)
	case err != nil:
		return false, unended(err)
	case done:
		err := run.end(ctx, Done, nil)
		if errors.Is(err, errCancelled) {
			return true, nil
		}
		return false, unended(err)
	}
	return true, nil
}

// unended is nil for what only says that somebody else has ended the task.
func unended(err error) error {
	if errors.Is(err, ErrEnded) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// failure says whether an error ends a task, and how. Damaged data will not get better by waiting.
func failure(err error) (*Failure, bool) {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f, true
	}
	if errors.Is(err, storage.ErrCorrupt) {
		return &Failure{Code: "InternalError", Message: "Stored data are damaged", Cause: err}, true
	}
	return nil, false
}

// abort ends a task that failed, or is cancelled when why is nil.
func (s *Set) abort(ctx context.Context, run *Run, why *Failure) error {
	if undo := s.opts.Kinds[run.Kind].Abort; undo != nil {
		if err := undo(ctx, run, why); err != nil {
			return fmt.Errorf("tasks: ending %s: %w", run.ID, err)
		}
	}
	// Whoever cancels now comes too late: the task failed.
	run.Cancelling = true
	state := Failed
	if why == nil {
		state = Cancelled
	}
	return unended(run.end(ctx, state, why))
}

func (s *Set) hold(ctx context.Context) (*lease.Lease, error) {
	s.holding.Lock()
	defer s.holding.Unlock()
	l, err := s.opts.Hold(ctx)
	if err != nil {
		return nil, err
	}
	held := *l // its beats are the worker's; who it is does not change
	return &held, nil
}
