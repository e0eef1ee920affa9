package memstore

import (
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/storage"
)

// seqTable issues Seqs and knows which are unfinished.
type seqTable struct {
	mu   sync.Mutex
	last storage.Seq   // guarded by mu
	open []storage.Seq // guarded by mu: unfinished, ascending because they are issued so
	wake chan struct{} // guarded by mu: closed and replaced when the watermark may have moved
}

func newSeqTable() *seqTable { return &seqTable{wake: make(chan struct{})} }

// take issues the next Seq and registers it as unfinished, both under one lock: a watermark read
// between the two would promise too much.
func (t *seqTable) take() storage.Seq {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.open = append(t.open, t.last)
	return t.last
}

// finish says that s is visible or abandoned. Zero is ignored.
func (t *seqTable) finish(s storage.Seq) {
	if s == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i, ok := slices.BinarySearch(t.open, s); ok {
		t.open = slices.Delete(t.open, i, i+1)
	}
	t.wakeLocked()
}

// wakeAll wakes every waiter, to look at the store's state again.
func (t *seqTable) wakeAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wakeLocked()
}

func (t *seqTable) wakeLocked() {
	close(t.wake)
	t.wake = make(chan struct{})
}

// watermark returns the largest Seq below every unfinished one, and a channel that is closed when
// it may have moved.
func (t *seqTable) watermark() (storage.Seq, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.open) > 0 {
		return t.open[0] - 1, t.wake
	}
	return t.last, t.wake
}
