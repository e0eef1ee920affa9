package lsm

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

func openers() map[string]Options {
	return map[string]Options{
		"in memory": {InMemory: true},
		"durable":   {},
		"interval":  {Sync: SyncInterval},
		"off":       {Sync: SyncOff},
		"tiny": {
			SegmentBytes: 64 << 10, LogBytes: 256 << 10, MemtableBytes: 64 << 10, CacheBytes: 64 << 10,
			BlockBytes: 512,
		},
	}
}

func TestStorage(t *testing.T) {
	for name, opts := range openers() {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(tb testing.TB) storage.Store {
				path := ""
				if !opts.InMemory {
					path = filepath.Join(tb.TempDir(), "x.keystone")
				}
				db, err := Open(path, opts)
				require.NoError(tb, err)
				return db
			})
		})
	}
}

var _ = context.Background
