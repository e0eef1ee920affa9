package lease

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

func open(t *testing.T, shared bool) *memstore.Store {
	t.Helper()
	opts := memstore.Hostile(1)
	opts.Shared = shared
	s, err := memstore.Open(opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// work is one update of the work that the lease is for.
func work(t *testing.T, s storage.Store, l *Lease) error {
	t.Helper()
	named := []storage.Named{l.Named(), {Key: []byte("work")}}
	return s.Update(t.Context(), named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if err := l.Check(tx.Value(0)); err != nil {
			return err
		}
		tx.Put([]byte("work"), []byte(l.row.Owner))
		return nil
	})
}

// TestTheNewestOwnerWins: on a store of one process, at once; updates of the old owner fail.
func TestTheNewestOwnerWins(t *testing.T) {
	s, now := open(t, false), time.UnixMilli(1_000_000)
	a, err := Take(t.Context(), s, "jobs", "a", now)
	require.NoError(t, err)
	require.NoError(t, work(t, s, a))
	b, err := Take(t.Context(), s, "jobs", "b", now)
	require.NoError(t, err)
	require.ErrorIs(t, work(t, s, a), ErrLost)
	require.ErrorIs(t, a.Beat(t.Context(), s, now.Add(Length)), ErrLost)
	require.NoError(t, work(t, s, b))
	again, err := Take(t.Context(), s, "jobs", "b", now)
	require.NoError(t, err)
	require.ErrorIs(t, work(t, s, b), ErrLost, "another life of the same owner")
	require.NoError(t, work(t, s, again))
}

// TestASharedLeaseIsHeldWhileItBeats: it is taken over only after its length without a beat.
func TestASharedLeaseIsHeldWhileItBeats(t *testing.T) {
	s, now := open(t, true), time.UnixMilli(1_000_000)
	a, err := Take(t.Context(), s, "jobs", "a", now)
	require.NoError(t, err)
	now = now.Add(Length - time.Millisecond)
	_, err = Take(t.Context(), s, "jobs", "b", now)
	require.ErrorIs(t, err, ErrHeld)
	require.NoError(t, a.Beat(t.Context(), s, now))
	now = now.Add(Length - time.Millisecond)
	_, err = Take(t.Context(), s, "jobs", "b", now)
	require.ErrorIs(t, err, ErrHeld)
	now = now.Add(time.Millisecond)
	b, err := Take(t.Context(), s, "jobs", "b", now)
	require.NoError(t, err)
	require.ErrorIs(t, work(t, s, a), ErrLost)
	require.NoError(t, work(t, s, b))
}
