package storagetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keystone-db/kstone/engine/storage"
)

// HistoryKeys is the largest number of keys of one history; the checker's state is that small.
const HistoryKeys = 8

// Cell is the content of one key in a history. Zero is absent; every write is a number of its own,
// so that a read says which write it saw.
type Cell int64

// Access is one key of an operation and what was read from it or written to it.
type Access struct {
	Key   int // below HistoryKeys
	Value Cell
}

// Outcome says what the caller learned.
type Outcome uint8

const (
	// Done: the operation took effect.
	Done Outcome = iota
	// Maybe: it took effect or will, or never; what it read counts only if it did.
	Maybe
	// Never: it took no effect and what it read says nothing.
	Never
)

// Step is one finished operation: all reads and all writes happen at one instant between its call
// and its return.
type Step struct {
	Reads, Writes []Access
	Outcome       Outcome
}

// History records operations of concurrent clients and decides whether some order of them, which
// respects who returned before whom was called, explains what they saw. That is strict
// serializability, and linearizability for operations on one key. It serves storage as well as any
// layer above whose operations can be told as Steps.
type History struct {
	clock atomic.Int64
	value atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation // guarded by mu
}

// forever is after every return: an operation that may still take effect never returned.
const forever = int64(1) << 62

// NewValue returns a cell value that no other write of the history has.
func (h *History) NewValue() Cell { return Cell(h.value.Add(1)) }

// Record runs one operation of a client and keeps what it returns.
func (h *History) Record(client int, do func() Step) {
	h.RecordAll(client, func() []Step { return []Step{do()} })
}

// RecordAll is Record for a call whose parts each happen at an instant of their own, such as a
// batch that is not a transaction.
func (h *History) RecordAll(client int, do func() []Step) {
	call := h.clock.Add(1)
	steps := do()
	ret := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, step := range steps {
		op := porcupine.Operation{ClientId: client, Input: step, Call: call, Return: ret}
		switch step.Outcome {
		case Never:
			continue
		case Maybe:
			op.Return = forever
		}
		h.ops = append(h.ops, op)
	}
}

// Len is the number of recorded operations.
func (h *History) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ops)
}

// checkMax bounds the search; a history of the suite's size takes milliseconds.
const checkMax = 50 * time.Second

// Check returns nil when the history is strictly serializable, and otherwise an error that shows
// where the longest explanation ends. The history must be at rest.
func (h *History) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	model := historyModel()
	res, info := porcupine.CheckOperationsVerbose(model, h.ops, checkMax)
	switch res {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("storagetest: no verdict on %d operations within %v", len(h.ops), checkMax)
	}
	longest := 0
	for _, partial := range info.PartialLinearizations() {
		for _, p := range partial {
			longest = max(longest, len(p))
		}
	}
	var text strings.Builder
	for _, op := range h.ops {
		text.WriteString(fmt.Sprintf("\n client %d [%d, %d]: %s", op.ClientId, op.Call, op.Return,
			op.Input.(Step)))
	}
	return fmt.Errorf("storagetest: not strictly serializable: %d of %d operations explained%s",
		longest, len(h.ops), text.String())
}

// String shows a step.
func (s Step) String() string {
	mark := ""
	if s.Outcome == Maybe {
		mark = " (maybe)"
	}
	return fmt.Sprintf("read %v write %v%s", s.Reads, s.Writes, mark)
}

// cells is the checker's state: every key's content.
type cells [HistoryKeys]Cell

// apply returns the state after s took effect in c; not ok when it cannot have seen c.
func (c cells) apply(s Step) (next cells, ok bool) {
	for _, r := range s.Reads {
		if c[r.Key] != r.Value {
			return c, false
		}
	}
	for _, w := range s.Writes {
		c[w.Key] = w.Value
	}
	return c, true
}

func historyModel() porcupine.Model {
	nondeterministic := porcupine.NondeterministicModel{
		Init: func() []any { return []any{cells{}} },
		Step: func(state, input, _ any) []any {
			before, step := state.(cells), input.(Step)
			var out []any
			if after, ok := before.apply(step); ok {
				out = append(out, after)
			}
			if step.Outcome == Maybe {
				out = append(out, before)
			}
			return out
		},
		Equal: func(a, b any) bool { return a.(cells) == b.(cells) },
	}
	return nondeterministic.ToModel()
}

// Recorder makes operations of one client on a store and records them.
type Recorder struct {
	History *History
	Client  int
	Store   storage.Store
	// Keys are the store's keys; a history knows them by index.
	Keys [][]byte
}

// outcome grades a storage error. fn's own errors are for the caller to grade.
func outcome(err error) (Outcome, error) {
	switch {
	case err == nil:
		return Done, nil
	case errors.Is(err, storage.ErrUncertain):
		return Maybe, nil
	case errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrUnavailable),
		errors.Is(err, storage.ErrSnapshotGone):
		return Never, nil
	}
	return Never, err
}

func cellOf(v storage.Value) Cell { return Cell(number(v)) }

// Get reads one key.
func (r *Recorder) Get(ctx context.Context, k int) (err error) {
	r.History.Record(r.Client, func() (s Step) {
		v, e := r.Store.Get(ctx, r.Keys[k])
		s.Outcome, err = outcome(e)
		s.Reads = []Access{{k, cellOf(v)}}
		return s
	})
	return err
}

// Read reads several keys through one snapshot.
func (r *Recorder) Read(ctx context.Context, ks ...int) (err error) {
	r.History.Record(r.Client, func() (s Step) {
		snap, e := r.Store.Snapshot(ctx, storage.SnapshotOptions{})
		if e == nil {
			defer snap.Close()
			var values []storage.Value
			if values, e = snap.GetMany(ctx, r.keys(ks)); e == nil {
				for i, v := range values {
					s.Reads = append(s.Reads, Access{ks[i], cellOf(v)})
				}
			}
		}
		s.Outcome, err = outcome(e)
		return s
	})
	return err
}

func (r *Recorder) keys(ks []int) [][]byte {
	out := make([][]byte, len(ks))
	for i, k := range ks {
		out[i] = r.Keys[k]
	}
	return out
}

// Apply writes new values blindly, or deletes.
func (r *Recorder) Apply(ctx context.Context, remove bool, ks ...int) (err error) {
	r.History.Record(r.Client, func() (s Step) {
		var b storage.Batch
		for _, k := range ks {
			if remove {
				b.Delete(r.Keys[k])
				s.Writes = append(s.Writes, Access{k, 0})
				continue
			}
			v := r.History.NewValue()
			b.Put(r.Keys[k], decimal(int(v)))
			s.Writes = append(s.Writes, Access{k, v})
		}
		s.Outcome, err = outcome(r.Store.Apply(ctx, &b, storage.UpdateOptions{}))
		return s
	})
	return err
}

// Update reads all keys and writes new values to those in writes. With fail, fn returns an error
// after reading: a failed condition, whose reads count.
func (r *Recorder) Update(ctx context.Context, reads, writes []int, fail bool) (err error) {
	r.History.Record(r.Client, func() (s Step) {
		named := exclusive(r.keys(writes)...)
		for _, k := range reads {
			named = append(named, storage.Named{Key: r.Keys[k], Shared: true})
		}
		all := append(append([]int{}, writes...), reads...)
		values := make([]Cell, len(writes))
		for i := range values {
			values[i] = r.History.NewValue()
		}
		e := r.Store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
			s = Step{}
			for i, k := range all {
				s.Reads = append(s.Reads, Access{k, cellOf(tx.Value(i))})
			}
			if fail {
				return errMine
			}
			for i, k := range writes {
				tx.Put(r.Keys[k], decimal(int(values[i])))
				s.Writes = append(s.Writes, Access{k, values[i]})
			}
			return nil
		})
		if fail && errors.Is(e, errMine) {
			e = nil
		}
		s.Outcome, err = outcome(e)
		return s
	})
	return err
}
