package lsm

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/storage/storagetest"
)

// openers are the kinds of stores that must keep the contract. In the short form only one of them
// is on the disk: its syncs are what the suite waits for where others use the disk too.
func openers() map[string]Options {
	all := map[string]Options{
		"in memory": {InMemory: true},
		"durable":   {},
		"interval":  {Sync: SyncInterval},
		"off":       {Sync: SyncOff},
		"tiny": {
			SegmentBytes: 64 << 10, LogBytes: 256 << 10, MemtableBytes: 64 << 10, CacheBytes: 64 << 10,
			BlockBytes: 512,
		},
		"encrypted": {
			FS: vfs.NewMemFS(1), EncryptionKey: ownersKey, SegmentBytes: 64 << 10, LogBytes: 256 << 10,
			MemtableBytes: 64 << 10, CacheBytes: 64 << 10, BlockBytes: 512,
		},
	}
	if testing.Short() {
		// What one thread does is the unit stage's to see: "interval" runs the threads of "off", and "encrypted"
		// those of "tiny".
		delete(all, "off")
		delete(all, "tiny")
		o := all["interval"]
		o.FS, o.LogBytes = vfs.NewMemFS(1), 1<<20 // a log for each property
		all["interval"] = o
	}
	return all
}

// hooked offers storagetest the faults that hooks can make.
type hooked struct {
	*DB
	mu     sync.Mutex
	gate   chan struct{} // closed: writes pass; nil: they pass too
	failed bool
}

var errLogFails = errors.New("the log fails")

func (h *hooked) beforeWrite() error {
	h.mu.Lock()
	gate := h.gate
	h.mu.Unlock()
	if gate != nil {
		<-gate
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed {
		return errLogFails
	}
	return nil
}

// StallPublish holds back the next write of the log.
func (h *hooked) StallPublish() func() {
	gate := make(chan struct{})
	h.mu.Lock()
	h.gate = gate
	h.mu.Unlock()
	return h.open
}

func (h *hooked) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gate != nil {
		close(h.gate)
		h.gate = nil
	}
}

// FailLog makes the write that is held back, and all that follow, fail.
func (h *hooked) FailLog() {
	h.mu.Lock()
	h.failed = true
	h.mu.Unlock()
	h.open()
}

func TestStorage(t *testing.T) {
	for name, opts := range openers() {
		t.Run(name, func(t *testing.T) {
			storagetest.Run(t, func(tb testing.TB) storage.Store {
				if opts.InMemory {
					db, err := Open("", opts)
					require.NoError(tb, err)
					return db
				}
				h := &hooked{}
				opts := opts
				opts.hooks = &hooks{beforeWrite: h.beforeWrite}
				db, err := Open(filepath.Join(tb.TempDir(), "x.keystone"), opts)
				require.NoError(tb, err)
				h.DB = db
				return h
			}, storagetest.Skip{
				Name: "GuardIsOne", Reason: "the guard of a key is the caller's promise: the LSM keeps no list",
			})
		})
	}
}
