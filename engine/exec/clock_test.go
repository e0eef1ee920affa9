package exec

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/memstore"
)

// TestTimeIsKept: time goes on from what was kept when the clock was set back while nobody looked, and
// stands still until the clock has caught up.
func TestTimeIsKept(t *testing.T) {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	clock := time.UnixMilli(1_000_000)
	open := func() *Executor {
		e, err := New(t.Context(), store, func() time.Time { return clock })
		require.NoError(t, err)
		return e
	}
	stored := func() int64 {
		v, err := store.Get(t.Context(), timeRow())
		require.NoError(t, err)
		at, err := decodeTime(v)
		require.NoError(t, err)
		return at
	}
	e := open()
	require.NoError(t, e.KeepTime(t.Context(), time.Minute))
	require.Equal(t, int64(1_000_000), stored())
	clock = clock.Add(time.Minute)
	require.NoError(t, e.KeepTime(t.Context(), time.Minute))
	require.Equal(t, int64(1_000_000), stored(), "young enough")
	clock = clock.Add(time.Millisecond)
	require.NoError(t, e.KeepTime(t.Context(), time.Minute))
	require.Equal(t, int64(1_060_001), stored())

	clock = clock.Add(-time.Hour)
	e = open()
	require.Equal(t, time.Hour, e.Behind())
	require.Equal(t, int64(1_060_001), e.Now().UnixMilli())
	clock = clock.Add(time.Hour)
	require.Zero(t, e.Behind())
	require.Equal(t, clock.UnixMilli(), e.Now().UnixMilli())

	// Another process is further.
	clock = clock.Add(time.Hour)
	require.NoError(t, open().KeepTime(t.Context(), 0))
	clock = clock.Add(-time.Minute)
	require.NoError(t, e.KeepTime(t.Context(), 0))
	require.Equal(t, int64(1_060_001+3_600_000), stored())
}

func TestStoredTimeIsDamaged(t *testing.T) {
	store, err := memstore.Open(memstore.Options{})
	require.NoError(t, err)
	require.NoError(t, store.Apply(t.Context(), &storage.Batch{Ops: []storage.Op{{Key: timeRow(), Value: []byte{1}}}},
		storage.UpdateOptions{}))
	_, err = New(t.Context(), store, time.Now)
	require.ErrorIs(t, err, storage.ErrCorrupt)
}
