package lsm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// mappedDB has 500 values of 400 bytes in tables of a file of the system, whose cache is too small for them.
func mappedDB(t *testing.T, mmap bool) (db *DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.keystone")
	db, err := Open(path, Options{
		manual: true, LogBytes: 8 << 20, CacheBytes: cacheBytesMin, MmapReads: mmap,
	})
	require.NoError(t, err)
	for i := range 500 {
		mustPut(t, db, mappedKey(i), mappedValue(i))
	}
	require.NoError(t, db.checkpoint())
	return db, path
}

func mappedKey(i int) []byte { return testKey(1, fmt.Sprintf("%05d", i)) }

func mappedValue(i int) string { return strings.Repeat(fmt.Sprintf("%08x", uint32(i)*2654435761), 50) }

func TestMappedReadsAgree(t *testing.T) {
	db, _ := mappedDB(t, true)
	for _, compacted := range []bool{false, true} {
		if compacted {
			require.NoError(t, db.compactAll(context.Background()))
		}
		for i := range 500 {
			require.Equal(t, mappedValue(i), mustGet(t, db, mappedKey(i)))
		}
		all, err := readAll(db)
		require.NoError(t, err)
		require.Len(t, all, 500)
	}
	require.NoError(t, db.Close())
	_, err := db.Get(context.Background(), mappedKey(1))
	require.ErrorIs(t, err, storage.ErrClosed)
}

// TestAMappedFileThatShrinksIsAnError: pages that were read vanish under the mappings.
func TestAMappedFileThatShrinksIsAnError(t *testing.T) {
	db, path := mappedDB(t, true)
	for i := range 500 {
		require.Equal(t, mappedValue(i), mustGet(t, db, mappedKey(i)))
	}
	first, last := int64(1)<<62, int64(0)
	for i := range db.stripes {
		for _, l := range db.stripes[i].tables.levels[0] {
			first, last = min(first, l.Offset), max(last, l.Offset+l.Meta.Length)
		}
	}
	require.NoError(t, os.Truncate(path, (first+last)/2))
	read, lost := 0, 0
	for i := range 500 {
		v, err := db.Get(context.Background(), mappedKey(i))
		switch {
		case err == nil:
			require.Equal(t, mappedValue(i), string(v.Data))
			read++
		default:
			require.ErrorIs(t, err, storage.ErrCorrupt)
			lost++
		}
	}
	require.Positive(t, read)
	require.Positive(t, lost)
	_, err := readAll(db)
	require.ErrorIs(t, err, storage.ErrCorrupt)
	if m, ok := db.heap.blocks.(*vfs.Mapped); ok {
		require.Positive(t, m.Faults())
	}
	_ = db.Close() // it fails or does not: the file is no longer what it was
}

func TestByDefaultNothingOfTheFileIsMapped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the mappings of a process are told by /proc")
	}
	for _, mmap := range []bool{false, true} {
		db, path := mappedDB(t, mmap)
		require.Equal(t, mappedValue(1), mustGet(t, db, mappedKey(1)))
		maps, err := os.ReadFile("/proc/self/maps")
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("no /proc")
		}
		require.NoError(t, err)
		require.Equal(t, mmap, strings.Contains(string(maps), path))
		require.NoError(t, db.Close())
		maps, err = os.ReadFile("/proc/self/maps")
		require.NoError(t, err)
		require.NotContains(t, string(maps), path)
	}
}
