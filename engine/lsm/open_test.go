package lsm

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

func testKey(stripe byte, name string) []byte {
	k := make([]byte, storage.HeadBytes, storage.HeadBytes+2+len(name))
	k[7], k[storage.PrefixBytes] = 1, stripe
	return append(append(k, 0, byte(len(name))), name...)
}

func mustPut(t testing.TB, db *DB, key []byte, value string) {
	t.Helper()
	var b storage.Batch
	b.Put(key, []byte(value))
	require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
}

func mustGet(t testing.TB, db *DB, key []byte) string {
	t.Helper()
	v, err := db.Get(context.Background(), key)
	require.NoError(t, err)
	if !v.Present {
		return "-"
	}
	return string(v.Data)
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.keystone")
	for round := range 4 {
		db, err := Open(path, Options{SegmentBytes: 64 << 10, LogBytes: 1 << 20})
		require.NoError(t, err)
		for i := range 200 {
			k := testKey(byte(i), fmt.Sprint("k", i))
			if round > 0 {
				require.Equal(t, fmt.Sprint("v", round-1, i), mustGet(t, db, k))
			}
			mustPut(t, db, k, fmt.Sprint("v", round, i))
			assert.Equal(t, fmt.Sprint("v", round, i), mustGet(t, db, k))
		}
		_, err = Open(path, Options{})
		require.Error(t, err, "a second opener")
		require.NoError(t, db.Close())
		require.ErrorIs(t, db.Apply(context.Background(), &storage.Batch{}, storage.UpdateOptions{}), storage.ErrClosed)
	}
}

// TestLargerSegmentsAtReopen opens a file whose segments are smaller than the options ask for now:
// frames must still fit into those that are there.
func TestLargerSegmentsAtReopen(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db, err := Open("db", Options{FS: fsys, SegmentBytes: 64 << 10, LogBytes: 128 << 10})
	require.NoError(t, err)
	mustPut(t, db, testKey(1, "a"), "small")
	require.NoError(t, db.Close())
	db, err = Open("db", Options{FS: fsys})
	require.NoError(t, err)
	large := strings.Repeat("x", 500<<10)
	mustPut(t, db, testKey(1, "b"), large)
	require.NoError(t, db.Close())
	db, err = Open("db", Options{FS: fsys})
	require.NoError(t, err)
	require.Equal(t, "small", mustGet(t, db, testKey(1, "a")))
	require.Equal(t, large, mustGet(t, db, testKey(1, "b")))
	require.NoError(t, db.Close())
}
