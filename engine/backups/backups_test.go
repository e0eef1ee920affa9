package backups

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestList: all that are not deleted, in order, from any of them on, however many rows are read at once; and who
// uses one may list others.
func TestList(t *testing.T) {
	ctx := t.Context()
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	defer store.Close()
	var want []string
	var batch storage.Batch
	for i := range 2*listRows + 10 {
		b := &Backup{ID: fmt.Sprintf("%05d", i), Status: Available}
		if i%7 == 0 || i >= listRows-2 && i <= listRows+2 {
			b.Status = Deleted
		} else {
			want = append(want, b.ID)
		}
		row, err := b.Encode()
		require.NoError(t, err)
		batch.Put(Row(b.ID), row)
	}
	require.NoError(t, store.Apply(ctx, &batch, storage.UpdateOptions{}))
	list := func(after string, most int) (ids []string) {
		require.NoError(t, List(ctx, store, after, func(b *Backup) bool {
			ids = append(ids, b.ID)
			return len(ids) < most
		}))
		return ids
	}
	require.Equal(t, want, list("", len(want)+1))
	require.Equal(t, want[:3], list("", 3))
	require.Equal(t, want[400:], list(want[399], len(want)))
	require.Empty(t, list("99999", 1))
	inner := 0
	require.NoError(t, List(ctx, store, want[300], func(*Backup) bool {
		inner = len(list(want[len(want)-2], 5))
		return false
	}))
	require.Equal(t, 1, inner)
}
