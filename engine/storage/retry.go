package storage

import (
	"context"
	"errors"
)

// ConflictRetriesMax is how often Retrying tries an update again that met a conflict. An optimistic
// backend refuses a few in a hundred; one that waits for locks has waited long by then.
const ConflictRetriesMax = 4

// SnapshotRetriesMax is how often Fresh reads again that lost its snapshot.
const SnapshotRetriesMax = 4

// Fresh runs a read that takes a snapshot of its own, and runs it anew, so with a fresh one, while its
// snapshot goes before it is done. read overwrites what it hands out.
func Fresh(ctx context.Context, read func() error) error {
	err := read()
	for try := 0; errors.Is(err, ErrSnapshotGone) && try < SnapshotRetriesMax; try++ {
		if end := ctx.Err(); end != nil {
			return end
		}
		err = read()
	}
	return err
}

// retrying is a Store that tries again what a plain conflict refused.
type retrying struct{ Store }

// Retrying returns a store that tries an update or batch again when it meets another one that is no
// transaction: nothing was applied then, and plain writes never conflict with each other for a
// client. Conflicts with transactions come back at once. It does not sleep: backends pace waiting.
func Retrying(s Store) Store { return retrying{s} }

// PlainConflict says whether an error is a conflict with something that is no transaction.
func PlainConflict(err error) bool {
	if err == nil || !errors.Is(err, ErrConflict) {
		return false
	}
	c, ok := errors.AsType[*ConflictError](err)
	return !ok || !c.Multi
}

func (r retrying) Update(ctx context.Context, named []Named, opts UpdateOptions, fn func(Tx) error) error {
	err := r.Store.Update(ctx, named, opts, fn)
	for try := 0; PlainConflict(err) && try < ConflictRetriesMax; try++ {
		if end := ctx.Err(); end != nil {
			return end
		}
		err = r.Store.Update(ctx, named, opts, fn)
	}
	return err
}

func (r retrying) Apply(ctx context.Context, batch *Batch, opts UpdateOptions) error {
	err := r.Store.Apply(ctx, batch, opts)
	for try := 0; PlainConflict(err) && try < ConflictRetriesMax; try++ {
		if end := ctx.Err(); end != nil {
			return end
		}
		err = r.Store.Apply(ctx, batch, opts)
	}
	return err
}
