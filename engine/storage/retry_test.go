package storage

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// refusing answers the first updates and batches with err and counts all of them.
type refusing struct {
	Store
	err    error
	first  int
	calls  int
	during func() // runs in each call
}

func (r *refusing) Update(context.Context, []Named, UpdateOptions, func(Tx) error) error {
	r.calls++
	if r.during != nil {
		r.during()
	}
	if r.calls <= r.first {
		return r.err
	}
	return nil
}

func (r *refusing) Apply(ctx context.Context, _ *Batch, opts UpdateOptions) error {
	return r.Update(ctx, nil, opts, nil)
}

func TestRetrying(t *testing.T) {
	plain, multi := &ConflictError{Key: []byte("k")}, &ConflictError{Key: []byte("k"), Multi: true}
	for _, c := range []struct {
		name  string
		err   error
		first int
		calls int
		want  error
	}{
		{"none", nil, 0, 1, nil},
		{"some", plain, ConflictRetriesMax, ConflictRetriesMax + 1, nil},
		{"too many", plain, ConflictRetriesMax + 1, ConflictRetriesMax + 1, plain},
		{"bare", ErrConflict, 1, 2, nil},
		{"a transaction", multi, 1, 1, multi},
		{"lost answer", ErrUncertain, 1, 1, ErrUncertain},
		{"unavailable", ErrUnavailable, 1, 1, ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &refusing{err: c.err, first: c.first}
			require.Equal(t, c.want, Retrying(s).Update(t.Context(), nil, UpdateOptions{}, nil))
			require.Equal(t, c.calls, s.calls)
			s = &refusing{err: c.err, first: c.first}
			require.Equal(t, c.want, Retrying(s).Apply(t.Context(), &Batch{}, UpdateOptions{}))
			require.Equal(t, c.calls, s.calls)
		})
	}
}

// Nobody who has gone is worked for.
func TestRetryingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &refusing{err: &ConflictError{}, first: ConflictRetriesMax + 1, during: cancel}
	err := Retrying(s).Update(ctx, nil, UpdateOptions{}, nil)
	require.True(t, errors.Is(err, context.Canceled), err)
	require.Equal(t, 1, s.calls)
}

// TestFresh: what a lost snapshot ended is read again, so often and no more; nothing else is.
func TestFresh(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		first int
		calls int
		want  error
	}{
		{"none", nil, 0, 1, nil},
		{"some", ErrSnapshotGone, SnapshotRetriesMax, SnapshotRetriesMax + 1, nil},
		{"too many", ErrSnapshotGone, SnapshotRetriesMax + 1, SnapshotRetriesMax + 1, ErrSnapshotGone},
		{"another", ErrUnavailable, 1, 1, ErrUnavailable},
	} {
		s := &refusing{err: c.err, first: c.first}
		read := func() error { return s.Update(t.Context(), nil, UpdateOptions{}, nil) }
		require.Equal(t, c.want, Fresh(t.Context(), read), c.name)
		require.Equal(t, c.calls, s.calls, c.name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := &refusing{err: ErrSnapshotGone, first: 2, during: cancel}
	require.ErrorIs(t, Fresh(ctx, func() error { return s.Update(ctx, nil, UpdateOptions{}, nil) }), context.Canceled)
	require.Equal(t, 1, s.calls)
}
