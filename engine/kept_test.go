package engine

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestVerifyComparesKeptCounts: a kept count that is not what there is is told, with what differs, and is no
// error: the next count in the background puts it right.
func TestVerifyComparesKeptCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counted.keystone")
	store, err := lsm.Open(path, lsm.Options{})
	require.NoError(t, err)
	d := openCounting(t, store)
	d.orders()
	d.orderRange(0, 90)
	d.described()
	d.work()
	rows := d.countRows()
	require.Len(t, rows, 3)
	require.NoError(t, d.Close())
	verify := func() VerifyReport {
		r, err := Verify(t.Context(), path, VerifyOptions{Clock: d.clock.Now})
		require.NoError(t, err)
		require.True(t, r.OK, "%v", r.Faults)
		return r
	}
	require.Empty(t, verify().Faults)

	change := func(change func(*tally)) {
		store, err := lsm.Open(path, lsm.Options{})
		require.NoError(t, err)
		var batch storage.Batch
		for _, id := range rows {
			v, err := store.Get(t.Context(), id.row())
			require.NoError(t, err)
			c, err := decodeTally(v.Data)
			require.NoError(t, err)
			require.True(t, c.Last.Settled)
			change(c)
			b, err := json.Marshal(c)
			require.NoError(t, err)
			batch.Put(id.row(), b)
		}
		require.NoError(t, store.Apply(t.Context(), &batch, storage.UpdateOptions{}))
		require.NoError(t, store.Close())
	}
	change(func(c *tally) { c.Last.Items += 3 })
	r := verify()
	require.EqualValues(t, len(rows), r.Warnings)
	told := map[string]string{}
	for _, f := range r.Faults {
		require.Equal(t, "orders", f.Name)
		told[f.Index] = f.What
	}
	require.Contains(t, told[""], "the kept count says 93 items of ")
	require.Contains(t, told[""], ", and there are 90 of ")
	require.Contains(t, told["byG"], "says 63 items")
	require.Contains(t, told["byL"], "says 93 items")

	// A salvaged file counts anew.
	fresh := filepath.Join(t.TempDir(), "fresh.keystone")
	s, err := Salvage(t.Context(), path, fresh, SalvageOptions{Clock: d.clock.Now})
	require.NoError(t, err)
	require.Empty(t, s.Verified.Faults)

	// A count that items were written after is an estimate.
	change(func(c *tally) { c.Last.End.Keys++ })
	require.Empty(t, verify().Faults)
	change(func(c *tally) { c.Last.Items = -1 })
	r, err = Verify(t.Context(), path, VerifyOptions{Clock: d.clock.Now})
	require.NoError(t, err)
	require.EqualValues(t, len(rows), r.Errors)
	require.Contains(t, r.Faults[0].What, "says less than nothing")
}
