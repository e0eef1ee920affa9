package lsm

import (
	"runtime/debug"
	"runtime/metrics"
)

const (
	// giveBackMinBytes must have been written, and the budget of the memtables, before memory is given
	// back once more.
	giveBackMinBytes = 32 << 20
	// giveBackShare: in a process whose heap is more than so many times what this store may take, the
	// memory is somebody else's, and a collection costs more than it brings.
	giveBackShare = 4
)

// givesBack says that a load has left memory behind which is given back once nothing is written. The
// collector lets a heap grow to twice what lives in it, and collects no more when nothing is allocated:
// what a load needed would stay for minutes.
func (db *DB) givesBack() bool {
	return !db.opts.manual && db.wal.taken.Load()-db.givenBack.Load() >= max(db.opts.MemtableBytes, giveBackMinBytes)
}

// giveBack returns to the operating system what a load has left behind. The flusher calls it when
// nothing is written; a compaction that runs puts it off.
func (db *DB) giveBack() {
	if !db.givesBack() {
		return
	}
	c := &db.compact
	c.mu.Lock()
	running := len(c.running)
	c.mu.Unlock()
	if running > 0 {
		return
	}
	defer db.givenBack.Store(db.wal.taken.Load())
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	own := db.opts.MemtableBytes + db.opts.CacheBytes + db.opts.ResidentBytes
	if heap[0].Value.Kind() == metrics.KindUint64 && heap[0].Value.Uint64() <= giveBackShare*uint64(own) {
		debug.FreeOSMemory()
	}
}
