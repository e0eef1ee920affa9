package lsm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

func mustDelete(t testing.TB, db *DB, key []byte) {
	t.Helper()
	var b storage.Batch
	b.Delete(key)
	require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
}

// TestDeletesInMemoryLeaveNothing: no flush and no compaction drops tombstones there.
func TestDeletesInMemoryLeaveNothing(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	const stripes, rounds = 4, 2000
	key := func(i int) []byte { return testKey(byte(i%stripes), fmt.Sprintf("k%06d", i)) }
	for i := range rounds {
		mustPut(t, db, key(i), "some value")
		mustDelete(t, db, key(i))
	}
	few := int64(stripes * (burials + 1) * 200)
	require.Less(t, db.memBytes.Load(), few)

	// A snapshot keeps what it needs, and no longer than it is open.
	snap, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	mustPut(t, db, key(0), "again")
	old, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	for i := range rounds {
		mustDelete(t, db, key(i))
	}
	v, err := old.Get(context.Background(), key(0))
	require.NoError(t, err)
	require.Equal(t, "again", string(v.Data))
	require.Equal(t, "-", mustGet(t, db, key(0)))
	require.Greater(t, db.memBytes.Load(), few)
	snap.Close()
	old.Close()
	for i := range rounds {
		mustDelete(t, db, key(i))
	}
	require.Less(t, db.memBytes.Load(), few)
	require.NoError(t, db.Close())
}

// TestADeletedKeyThatIsBackStays: its old tombstone is noted, and finds a value.
func TestADeletedKeyThatIsBackStays(t *testing.T) {
	db, err := Open("", Options{InMemory: true})
	require.NoError(t, err)
	for i := range 100 {
		key := testKey(1, fmt.Sprint(i%7))
		mustDelete(t, db, key)
		mustPut(t, db, key, fmt.Sprint(i))
	}
	for i := range 7 {
		require.NotEqual(t, "-", mustGet(t, db, testKey(1, fmt.Sprint(i))))
	}
	require.NoError(t, db.Close())
}

// TestDropRangeInMemoryKeepsTransactionsApart: a version that no snapshot sees yet is known as a
// transaction's after a range beside it was dropped.
func TestDropRangeInMemoryKeepsTransactionsApart(t *testing.T) {
	var stall atomic.Bool
	reached, release := make(chan struct{}), make(chan struct{})
	db, err := Open("", Options{InMemory: true, hooks: &hooks{afterEnqueue: func() {
		if stall.CompareAndSwap(true, false) {
			close(reached)
			<-release
		}
	}}})
	require.NoError(t, err)
	ctx := context.Background()
	key, other := testKey(1, "key"), testKey(1, "other")
	mustPut(t, db, other, "v")
	put := func(k []byte, opts storage.UpdateOptions, noWait bool) error {
		named := []storage.Named{{Key: k, NoWait: noWait}}
		return db.Update(ctx, named, opts, func(tx storage.Tx) error {
			tx.Put(k, []byte("v"))
			return nil
		})
	}
	stall.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() { assert.NoError(t, put(testKey(2, "stalled"), storage.UpdateOptions{}, false)) })
	<-reached
	wg.Go(func() { assert.NoError(t, put(key, storage.UpdateOptions{Multi: true}, false)) })
	for e := (base.Entry{}); e.LSN == 0; {
		e, _, err = db.newest(key)
		require.NoError(t, err)
	}
	end := testKey(1, "other2")
	require.NoError(t, db.DropRange(ctx, storage.Range{Start: other, End: end}))
	err = put(key, storage.UpdateOptions{}, true)
	var conflict *storage.ConflictError
	require.True(t, errors.As(err, &conflict), "%v", err)
	require.True(t, conflict.Multi)
	close(release)
	wg.Wait()
	require.Equal(t, "-", mustGet(t, db, other))
	require.NoError(t, db.Close())
}
