// Package tasks runs long operations in small steps that survive a crash.
//
// A task is a row of the catalog space: its kind, what was asked for, how far it came, and how it ended.
// A kind does one step at a time; what the step writes and how far the task is then are one update, which
// names the task's row and the lease of the worker. So a step is done once, whichever process does it and
// whenever it is killed. A step whose effect lies outside the store, such as an object in a bucket, comes
// first and the cursor afterwards: such a step may be done twice, and the kind makes that harmless.
//
// Tasks take turns, one step each, and a few of them run at once. An error that is a *Failure ends a task;
// any other one is reported, and its step tried again.
package tasks

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/storage"
)

// State of a task. Stored: never rename.
type State string

const (
	// Running tasks have steps left.
	Running State = "RUNNING"
	// Done tasks came to their end.
	Done State = "DONE"
	// Failed tasks say why in Task.Code and Task.Message.
	Failed State = "FAILED"
	// Cancelled tasks were ended by Set.Cancel.
	Cancelled State = "CANCELLED"
)

var (
	// ErrNotFound: there is no task of that id.
	ErrNotFound = errors.New("tasks: no such task")
	// ErrExists: there is a task of that id already.
	ErrExists = errors.New("tasks: task exists")
	// ErrEnded: the task has ended.
	ErrEnded = errors.New("tasks: task has ended")
	// ErrWait, from a step, says that there is nothing to do now: the task gets its next turn when the
	// worker looks again.
	ErrWait = errors.New("tasks: nothing to do now")
	// errCancelled, from a commit, says that the task is to be cancelled.
	errCancelled = errors.New("tasks: task is to be cancelled")
)

// Failure ends a task. Code and Message are for whoever asked for it.
type Failure struct {
	Code, Message string
	// Cause is for the log; it may be nil.
	Cause error
}

// Error implements error.
func (f *Failure) Error() string { return f.Code + ": " + f.Message }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Fail returns a Failure.
func Fail(code, format string, args ...any) *Failure {
	return &Failure{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Task is one long operation, as its row has it.
type Task struct {
	// ID is its own; ids of a kind that begin with a time list in the order of time.
	ID string `json:"id"`
	// Kind is a name of Options.Kinds.
	Kind string `json:"kind"`
	// Spec is what was asked for, and never changes; it is JSON.
	Spec json.RawMessage `json:"spec,omitempty"`
	// Cursor is how far it came, JSON that only the kind understands; nil before the first step.
	Cursor json.RawMessage `json:"cursor,omitempty"`
	State  State           `json:"state"`
	// Cancelling: Set.Cancel was called, and the task will end.
	Cancelling bool `json:"cancelling,omitempty"`
	// CreatedMs and EndedMs are in milliseconds since 1970; EndedMs is zero while it runs.
	CreatedMs int64 `json:"createdMs"`
	EndedMs   int64 `json:"endedMs,omitempty"`
	// Code and Message say why it failed.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Row is the key of the task's row.
func (t *Task) Row() []byte { return key.AppendTask(nil, t.ID) }

// ParseSpec reads Spec into v.
func (t *Task) ParseSpec(v any) error { return parse("spec", t.Spec, v) }

// ParseCursor reads Cursor into v, which stays as it is before the first step.
func (t *Task) ParseCursor(v any) error {
	if len(t.Cursor) == 0 {
		return nil
	}
	return parse("cursor", t.Cursor, v)
}

func parse(what string, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("tasks: %s: %w: %w", what, storage.ErrCorrupt, err)
	}
	return nil
}

// encode is the task's row.
func (t *Task) encode() ([]byte, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("tasks: task %s: %w", t.ID, err)
	}
	return b, nil
}

// Decode reads the row of a task. What does not parse wraps storage.ErrCorrupt.
func Decode(b []byte) (Task, error) {
	var t Task
	return t, parse("row", b, &t)
}

// stored reads a named task row of an update.
func stored(v storage.Value) (Task, error) {
	if !v.Present {
		return Task{}, ErrNotFound
	}
	return Decode(v.Data)
}
