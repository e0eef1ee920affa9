package lsm

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// TestOnceLeavesTheCacheAlone: a walk through everything takes blocks from the cache but brings none, over
// tables of level 0 and of levels below.
func TestOnceLeavesTheCacheAlone(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		opts := memOptions(vfs.NewMemFS(1))
		opts.manual = true
		db, err := Open("dir/db", opts)
		require.NoError(t, err)
		for i := range 200 {
			mustPut(t, db, testKey(1, fmt.Sprintf("%03d", i)), fmt.Sprintf("%0100d", i))
		}
		flushAll(t, db)
		if compacted {
			require.NoError(t, db.compactAll(context.Background()))
		}
		walk := func(once bool) cacheUse {
			snap, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
			require.NoError(t, err)
			defer snap.Close()
			it, err := snap.Iter(context.Background(), storage.Range{}, storage.IterOptions{Once: once})
			require.NoError(t, err)
			defer it.Close()
			n := 0
			for it.Next() {
				n++
			}
			require.NoError(t, it.Err())
			require.Equal(t, 200, n)
			st := db.Metrics().Cache
			return cacheUse{st.Blocks, st.Hits}
		}
		once := walk(true)
		assert.Zero(t, once, "compacted: %v", compacted)
		filled := walk(false)
		assert.Positive(t, filled.blocks, "compacted: %v", compacted)
		again := walk(true)
		assert.Equal(t, filled.blocks, again.blocks)
		assert.Greater(t, again.hits, filled.hits)
		require.NoError(t, db.Close())
	}
}

// cacheUse is how many blocks the cache has and how often one was found there.
type cacheUse struct {
	blocks int64
	hits   uint64
}
