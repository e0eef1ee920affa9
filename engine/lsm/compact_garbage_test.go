package lsm

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestWhatASnapshotKeptGoesWhenItHasGone: tombstones that came to the last level beside what they delete
// are dropped with it once no snapshot needs it, though nobody writes.
func TestWhatASnapshotKeptGoesWhenItHasGone(t *testing.T) {
	ctx := context.Background()
	db := openManual(t, vfs.NewMemFS(1))
	for i := range 50 {
		mustPut(t, db, testKey(3, fmt.Sprint(i)), string(bytes.Repeat([]byte{byte(i)}, 3000)))
	}
	snap, err := db.Snapshot(ctx, storage.SnapshotOptions{})
	require.NoError(t, err)
	var b storage.Batch
	for i := range 50 {
		b.Delete(testKey(3, fmt.Sprint(i)))
	}
	require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	require.Positive(t, db.Metrics().Tables)
	require.True(t, db.Settled(true))
	v, err := snap.Get(ctx, testKey(3, "7"))
	require.NoError(t, err)
	require.True(t, v.Present)
	snap.Close()
	require.False(t, db.Settled(true))
	require.NoError(t, db.compactAll(ctx))
	require.Zero(t, db.Metrics().Tables)
	require.NoError(t, db.Close())
}

// TestTombstonesAboveLargeValuesGoDown: in bytes they are next to nothing.
func TestTombstonesAboveLargeValuesGoDown(t *testing.T) {
	ctx := context.Background()
	db := openManual(t, vfs.NewMemFS(1))
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 50 {
		mustPut(t, db, testKey(3, fmt.Sprint(i)), randomValue(rng, 3000))
	}
	flushAll(t, db)
	require.NoError(t, db.compactAll(ctx))
	var b storage.Batch
	for i := range 20 {
		b.Delete(testKey(3, fmt.Sprint(i)))
	}
	require.NoError(t, db.Apply(ctx, &b, storage.UpdateOptions{}))
	flushAll(t, db)
	s := &db.stripes[3]
	s.mu.RLock()
	v := s.tables.acquire()
	s.mu.RUnlock()
	require.Len(t, v.levels[0], 1)
	c := v.job(3, 0, &db.opts)
	c.inputs, c.to, c.move = c.inputs[:1], levelLast-1, true
	require.True(t, db.claimCurrent(c))
	require.NoError(t, db.runCompaction(ctx, c))
	require.Equal(t, dueCompaction{score: 1, level: levelLast - 1, why: forSpace}, db.due(3, true))
	require.Less(t, db.due(3, false).score, 1.0, "only once nothing is written")
	require.NoError(t, db.compactAll(ctx))
	m := db.Metrics()
	for _, level := range m.Levels[:levelLast] {
		require.Zero(t, level.Tables)
	}
	require.NoError(t, db.Close())
}
