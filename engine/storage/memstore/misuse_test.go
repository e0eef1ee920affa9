package memstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

func TestOptionsReportEveryFault(t *testing.T) {
	_, err := memstore.Open(memstore.Options{Rerun: 2, Late: -1, Stale: memstore.StaleMax + 1})
	for _, name := range []string{"Rerun", "Late", "Stale"} {
		require.ErrorContains(t, err, name)
	}
}

func TestCallersAreChecked(t *testing.T) {
	s, err := memstore.Open(memstore.Options{Mangle: true})
	require.NoError(t, err)
	ctx, k := t.Context(), []byte("key")
	named := []storage.Named{{Key: k}}
	buf := []byte("first")
	require.ErrorIs(t, s.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		tx.Put(k, buf)
		buf[0] = 'X'
		return nil
	}), memstore.ErrMisuse)
	var kept []byte
	require.NoError(t, s.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		tx.Put(k, []byte("value"))
		return nil
	}))
	require.NoError(t, s.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		kept = tx.Value(0).Data
		return nil
	}))
	require.NotEqual(t, "value", string(kept), "a value outlives fn only as a copy")
}

func TestSnapshotsExpire(t *testing.T) {
	s, err := memstore.Open(memstore.Options{Expire: 1})
	require.NoError(t, err)
	snap, err := s.Snapshot(t.Context(), storage.SnapshotOptions{})
	require.NoError(t, err)
	require.Equal(t, 1, s.OpenSnapshots())
	for range memstore.ExpireSteps + 1 {
		_, err = snap.Get(t.Context(), []byte("k"))
	}
	require.ErrorIs(t, err, storage.ErrSnapshotGone)
	snap.Close()
	require.Zero(t, s.OpenSnapshots())
}
