package tasks

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lease"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// env is a store and the tasks of one process on it.
type env struct {
	t     *testing.T
	store storage.Store
	kinds map[string]Kind
	woken atomic.Int64
	now   atomic.Int64
	life  int
}

func newEnv(t *testing.T) *env {
	t.Helper()
	s, err := memstore.Open(memstore.Hostile(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return &env{t: t, store: storage.Retrying(s), kinds: map[string]Kind{}}
}

// open begins another life of the process.
func (e *env) open() *Set {
	e.life++
	owner := fmt.Sprint("life ", e.life)
	var l *lease.Lease
	return New(e.store, Options{
		Kinds: e.kinds, Parallel: 2, Wake: func() { e.woken.Add(1) },
		Clock: func() time.Time { return time.UnixMilli(e.now.Load()) },
		Hold: func(ctx context.Context) (*lease.Lease, error) {
			if l != nil {
				return l, nil
			}
			var err error
			l, err = lease.Take(ctx, e.store, "tasks", owner, time.UnixMilli(e.now.Load()))
			return l, err
		},
	})
}

func (e *env) get(s *Set, id string) Task {
	e.t.Helper()
	task, err := s.Get(e.t.Context(), id)
	require.NoError(e.t, err)
	return task
}

// counter writes a row a step, up to a number.
type counter struct{ To int }

func row(id string, i int) []byte { return fmt.Appendf(nil, "row of %s %06d", id, i) }

func (e *env) rows(id string, upTo int) (n int) {
	for i := range upTo {
		v, err := e.store.Get(e.t.Context(), row(id, i))
		require.NoError(e.t, err)
		if v.Present {
			n++
		}
	}
	return n
}

func count(ctx context.Context, r *Run) (bool, error) {
	var spec counter
	at := 0
	if err := errors.Join(r.ParseSpec(&spec), r.ParseCursor(&at)); err != nil {
		return false, err
	}
	if at == spec.To {
		return true, nil
	}
	return false, r.Commit(ctx, at+1, []storage.Named{{Key: row(r.ID, at)}}, func(tx storage.Tx) error {
		if tx.Value(0).Present {
			return errors.New("a step is done twice")
		}
		tx.Put(row(r.ID, at), []byte{1})
		return nil
	})
}

// TestTasksEnd: they take turns, what a task started meanwhile is done too, and all say how they ended.
func TestTasksEnd(t *testing.T) {
	e := newEnv(t)
	e.now.Store(1000)
	var s *Set
	e.kinds["count"] = Kind{Step: count}
	e.kinds["starts"] = Kind{Step: func(ctx context.Context, r *Run) (bool, error) {
		_, err := s.Start(ctx, Request{ID: "child", Kind: "count", Spec: counter{2}}, nil, nil)
		return true, err
	}}
	s = e.open()
	_, err := s.Start(t.Context(), Request{ID: "a", Kind: "count", Spec: counter{5}}, nil, nil)
	require.NoError(t, err)
	_, err = s.Start(t.Context(), Request{ID: "b", Kind: "starts"}, nil, nil)
	require.NoError(t, err)
	_, err = s.Start(t.Context(), Request{ID: "a", Kind: "count"}, nil, nil)
	require.ErrorIs(t, err, ErrExists)
	_, err = s.Start(t.Context(), Request{ID: "c", Kind: "nobody's"}, nil, nil)
	require.Error(t, err)
	require.EqualValues(t, 2, e.woken.Load())
	e.now.Store(2000)
	waiting, err := s.Work(t.Context())
	require.NoError(t, err)
	require.False(t, waiting)
	require.Equal(t, 5, e.rows("a", 9))
	require.Equal(t, 2, e.rows("child", 9))
	list, err := s.List(t.Context(), "count")
	require.NoError(t, err)
	require.Len(t, list, 2)
	for _, task := range list {
		require.Equal(t, Done, task.State)
		require.EqualValues(t, 2000, task.EndedMs)
	}
	require.EqualValues(t, 1000, list[0].CreatedMs)
	require.ErrorIs(t, func() error { _, err := s.Cancel(t.Context(), "a"); return err }(), ErrEnded)
	require.NoError(t, s.Forget(t.Context(), "a"))
	require.NoError(t, s.Forget(t.Context(), "a"))
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, ErrNotFound)
}

// TestStartWritesBeside: the rows of an operation and its task are there together or not at all.
func TestStartWritesBeside(t *testing.T) {
	e := newEnv(t)
	e.kinds["count"] = Kind{Step: count}
	s := e.open()
	no := errors.New("no")
	named := []storage.Named{{Key: []byte("beside the task")}}
	_, err := s.Start(t.Context(), Request{ID: "a", Kind: "count"}, named, func(storage.Tx) (any, error) { return nil, no })
	require.ErrorIs(t, err, no)
	_, err = s.Get(t.Context(), "a")
	require.ErrorIs(t, err, ErrNotFound)
	var seq storage.Seq
	_, err = s.Start(t.Context(), Request{ID: "a", Kind: "count"}, named, func(tx storage.Tx) (any, error) {
		seq = tx.Seq()
		tx.Put(named[0].Key, []byte("x"))
		return counter{int(seq)}, nil
	})
	require.NoError(t, err)
	var spec counter
	task := e.get(s, "a")
	require.NoError(t, task.ParseSpec(&spec))
	require.Equal(t, counter{int(seq)}, spec)
	v, err := e.store.Get(t.Context(), named[0].Key)
	require.NoError(t, err)
	require.True(t, v.Present)
}

// TestAStepIsDoneOnce: a process that dies after a step, or before its cursor is stored, leaves a task
// that the next one ends, and what the dead one still tries is refused.
func TestAStepIsDoneOnce(t *testing.T) {
	e := newEnv(t)
	for crash := range 4 {
		id := fmt.Sprint("task ", crash)
		ctx, kill := context.WithCancel(t.Context())
		var late *Run
		steps := 0
		e.kinds["count"] = Kind{Step: func(ctx context.Context, r *Run) (bool, error) {
			if steps++; steps == crash+1 {
				late = r
				kill()
				return false, ctx.Err()
			}
			return count(ctx, r)
		}}
		s := e.open()
		_, err := s.Start(t.Context(), Request{ID: id, Kind: "count", Spec: counter{3}}, nil, nil)
		require.NoError(t, err)
		_, err = s.Work(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, crash, e.rows(id, 9))
		e.kinds["count"] = Kind{Step: count}
		s = e.open()
		_, err = s.Work(t.Context())
		require.NoError(t, err)
		require.Equal(t, 3, e.rows(id, 9))
		require.Equal(t, Done, e.get(s, id).State)
		require.ErrorIs(t, late.Commit(t.Context(), 9, nil, nil), lease.ErrLost)
	}
}

// TestWrite: parts of a step are written at once, without the cursor, and not by a process that lost its lease or
// for a task that is to be cancelled.
func TestWrite(t *testing.T) {
	e := newEnv(t)
	var late *Run
	write := func(r *Run, i int) error {
		return r.Write(t.Context(), []storage.Named{{Key: row(r.ID, i)}}, func(tx storage.Tx) error {
			tx.Put(row(r.ID, i), []byte{1})
			return nil
		})
	}
	var s *Set
	e.kinds["writes"] = Kind{Step: func(_ context.Context, r *Run) (bool, error) {
		late = r
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() { assert.NoError(t, write(r, i)) })
		}
		all.Wait()
		if _, err := s.Cancel(t.Context(), r.ID); err != nil {
			return false, err
		}
		return false, write(r, 5)
	}}
	s = e.open()
	_, err := s.Start(t.Context(), Request{ID: "a", Kind: "writes"}, nil, nil)
	require.NoError(t, err)
	_, err = s.Work(t.Context())
	require.NoError(t, err)
	require.Equal(t, Cancelled, e.get(s, "a").State)
	require.Empty(t, e.get(s, "a").Cursor)
	require.Equal(t, 4, e.rows("a", 9))
	require.ErrorIs(t, write(late, 6), ErrEnded)
	_, err = e.open().Work(t.Context())
	require.NoError(t, err)
	e.kinds["writes"] = Kind{Step: func(context.Context, *Run) (bool, error) { return true, nil }}
	s = e.open()
	_, err = s.Start(t.Context(), Request{ID: "b", Kind: "writes"}, nil, nil)
	require.NoError(t, err)
	_, err = s.Work(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, write(late, 6), lease.ErrLost)
	require.Equal(t, 4, e.rows("a", 9))
}

// TestFailure: it ends a task after its work was taken back; other errors do not.
func TestFailure(t *testing.T) {
	e := newEnv(t)
	var undone, tried int
	var broken error
	e.kinds["fails"] = Kind{
		Step: func(context.Context, *Run) (bool, error) {
			tried++
			return false, broken
		},
		Abort: func(_ context.Context, r *Run, why *Failure) error {
			require.Equal(t, Running, r.State)
			require.Equal(t, "NoSuchBucket", why.Code)
			if undone++; undone == 1 {
				return errors.New("not now")
			}
			return nil
		},
	}
	s := e.open()
	_, err := s.Start(t.Context(), Request{ID: "a", Kind: "fails"}, nil, nil)
	require.NoError(t, err)
	broken = storage.ErrFull
	_, err = s.Work(t.Context())
	require.ErrorIs(t, err, storage.ErrFull)
	broken = ErrWait
	waiting, err := s.Work(t.Context())
	require.NoError(t, err)
	require.True(t, waiting)
	require.Equal(t, Running, e.get(s, "a").State)
	broken = fmt.Errorf("wrapped: %w", Fail("NoSuchBucket", "bucket %s", "b"))
	_, err = s.Work(t.Context())
	require.ErrorContains(t, err, "not now")
	_, err = s.Work(t.Context())
	require.NoError(t, err)
	task := e.get(s, "a")
	require.Equal(t, Failed, task.State)
	require.Equal(t, "NoSuchBucket", task.Code)
	require.Equal(t, "bucket b", task.Message)
	require.Equal(t, 4, tried)
	require.Equal(t, 2, undone)
}

// TestCancel ends a task between steps and in the middle of one.
func TestCancel(t *testing.T) {
	e := newEnv(t)
	undone := 0
	began := make(chan struct{}, 1)
	e.kinds["waits"] = Kind{
		Step: func(ctx context.Context, _ *Run) (bool, error) {
			began <- struct{}{}
			<-ctx.Done()
			return false, ctx.Err()
		},
		Abort: func(_ context.Context, _ *Run, why *Failure) error {
			require.Nil(t, why)
			undone++
			return nil
		},
	}
	s := e.open()
	_, err := s.Start(t.Context(), Request{ID: "a", Kind: "waits"}, nil, nil)
	require.NoError(t, err)
	var cancelled sync.WaitGroup
	cancelled.Go(func() {
		<-began
		_, err := s.Cancel(t.Context(), "a")
		assert.NoError(t, err)
	})
	_, err = s.Work(t.Context())
	require.NoError(t, err)
	cancelled.Wait()
	require.Equal(t, Cancelled, e.get(s, "a").State)
	_, err = s.Start(t.Context(), Request{ID: "b", Kind: "waits"}, nil, nil)
	require.NoError(t, err)
	_, err = s.Cancel(t.Context(), "b")
	require.NoError(t, err)
	_, err = s.Work(t.Context())
	require.NoError(t, err)
	require.Equal(t, Cancelled, e.get(s, "b").State)
	require.Equal(t, 2, undone)
	_, err = s.Cancel(t.Context(), "c")
	require.ErrorIs(t, err, ErrNotFound)
}

// TestTurns: a task with many steps does not keep others waiting, and no more run at once than may.
func TestTurns(t *testing.T) {
	e := newEnv(t)
	var mu sync.Mutex
	var order []string
	atOnce, most := 0, 0
	e.kinds["count"] = Kind{Step: func(ctx context.Context, r *Run) (bool, error) {
		mu.Lock()
		order = append(order, r.ID)
		atOnce++
		most = max(most, atOnce)
		mu.Unlock()
		defer func() {
			mu.Lock()
			atOnce--
			mu.Unlock()
		}()
		return count(ctx, r)
	}}
	s := e.open()
	const tasks, steps = 5, 20
	for i := range tasks {
		_, err := s.Start(t.Context(), Request{ID: fmt.Sprint("t", i), Kind: "count", Spec: counter{steps}}, nil, nil)
		require.NoError(t, err)
	}
	_, err := s.Work(t.Context())
	require.NoError(t, err)
	require.LessOrEqual(t, most, 2)
	first := map[string]bool{}
	for _, id := range order[:2*tasks] {
		first[id] = true
	}
	require.Len(t, first, tasks, "each had a turn before any had many")
}
