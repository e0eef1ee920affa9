package lsm

import (
	"runtime"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
)

const (
	// replayBytes of the log are applied at once, but no more than a replayShare-th of the memtables.
	replayBytes = 1 << 20
	replayShare = 16
	// replayWorkersMax bounds the goroutines that apply them, each some of the stripes.
	replayWorkersMax = 8
	// replayAloneMax entries are not worth goroutines.
	replayAloneMax = 64
)

// logReplay applies frames in LSN order, several stripes at once. LSNs make it idempotent.
type logReplay struct {
	db      *DB
	buf     []byte         // what the entries alias
	lists   [][]base.Entry // of each worker, in LSN order
	entries int
	bytes   int64    // of all that is not applied yet, spills included
	last    base.LSN // of the frames that are not applied yet; 0 without any
}

func newLogReplay(db *DB) *logReplay {
	workers := min(runtime.GOMAXPROCS(0), replayWorkersMax)
	return &logReplay{db: db, lists: make([][]base.Entry, workers)}
}

// room makes room for the frames of a group of n bytes.
func (r *logReplay) room(n int) error {
	if len(r.buf)+n <= cap(r.buf) && r.bytes+int64(n) <= r.db.opts.MemtableBytes/replayShare {
		return nil
	}
	if err := r.run(); err != nil {
		return err
	}
	if cap(r.buf) < n {
		r.buf = make([]byte, 0, max(n, replayBytes))
	}
	return nil
}

// frame takes one frame of a group for which there is room.
func (r *logReplay) frame(lsn base.LSN, payload []byte, offset int64) error {
	body, err := ondisk.Ops(r.db.heap.file, r.db.crypt, payload, offset)
	if err != nil {
		return err
	}
	if len(body) <= len(payload) { // the reader uses its memory again; that of a spill is its own
		at := len(r.buf)
		r.buf = append(r.buf, body...)
		body = r.buf[at:]
	}
	r.last, r.bytes = lsn, r.bytes+int64(len(body))
	return eachEntry(lsn, body, offset, func(e base.Entry) {
		list := &r.lists[int(base.StripeOf(e.Key))*len(r.lists)/base.StripeCount]
		*list = append(*list, e)
		r.entries++
	})
}

// run applies the frames that were taken, and makes a pass when the memtables ask for one.
func (r *logReplay) run() error {
	if r.last == 0 {
		return nil
	}
	var wg sync.WaitGroup
	for _, list := range r.lists {
		if r.entries <= replayAloneMax {
			r.db.replayEntries(list)
		} else {
			wg.Go(func() { r.db.replayEntries(list) })
		}
	}
	wg.Wait()
	w := &r.db.wal
	w.visible.Store(uint64(r.last))
	w.sealedLSN, w.writtenLSN, w.syncedLSN = r.last, r.last, r.last
	for i := range r.lists {
		clear(r.lists[i])
		r.lists[i] = r.lists[i][:0]
	}
	r.buf, r.entries, r.bytes, r.last = r.buf[:0], 0, 0, 0
	return r.db.replayPass()
}

// replayEntries applies entries of accepted frames. Nobody reads yet: they count as visible.
func (db *DB) replayEntries(list []base.Entry) {
	var grown int64
	for i := range list {
		grown += db.insert(list[i], false, list[i].LSN)
	}
	db.memBytes.Add(grown)
}

// applyOps applies the ops of a batch.
func (db *DB) applyOps(lsn base.LSN, body []byte, offset int64) error {
	return eachEntry(lsn, body, offset, func(e base.Entry) { db.memBytes.Add(db.insert(e, false, lsn)) })
}

// eachEntry calls fn for every op of a batch; key and value alias body.
func eachEntry(lsn base.LSN, body []byte, offset int64, fn func(base.Entry)) error {
	n := 0
	err := ondisk.EachOp(body, func(kind base.Kind, key, value []byte) {
		if n++; n == 2 && bug.Enabled(bug.ReplayHalf) {
			return
		}
		fn(base.Entry{Key: key, LSN: lsn, Kind: kind, Value: value})
	})
	if err != nil {
		return &base.CorruptError{Region: "wal", Offset: offset, Reason: err.Error()}
	}
	return nil
}
