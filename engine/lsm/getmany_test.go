package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestGetManyOfManyKeys, which several goroutines read: values come in the order of the keys.
func TestGetManyOfManyKeys(t *testing.T) {
	ctx := context.Background()
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.SegmentBytes, o.LogBytes = 2<<20, 4<<20 })
	for i := range 300 {
		mustPut(t, db, testKey(1, fmt.Sprint(i)), fmt.Sprint("v", i))
		if i == 200 {
			require.NoError(t, db.pass(passAll))
		}
	}
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 31, 32, 33, 100, 1000} {
		keys, want := make([][]byte, n), make([]string, n)
		for i := range keys {
			k := r.IntN(320)
			keys[i] = testKey(1, fmt.Sprint(k))
			if k < 300 {
				want[i] = fmt.Sprint("v", k)
			}
		}
		values, err := snap.GetMany(ctx, keys)
		require.NoError(t, err)
		require.Len(t, values, n)
		for i, v := range values {
			require.Equal(t, want[i] != "", v.Present)
			require.Equal(t, want[i], string(v.Data))
		}
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		if n > 0 {
			values, err = snap.GetMany(cancelled, keys)
			require.ErrorIs(t, err, context.Canceled)
			require.Nil(t, values)
		}
	}
	snap.Close()
	_, err = snap.GetMany(ctx, make([][]byte, 100))
	require.ErrorIs(t, err, storage.ErrSnapshotGone)
	require.NoError(t, db.Close())
}
