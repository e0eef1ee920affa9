package lsm

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
)

// runExtentBytes is how much space a run takes at once; what is left over is given back.
const runExtentBytes = 8 << 20

// run writes tables back to back into the heap, for one pass or one compaction: one series of
// writes, one sync.
type run struct {
	db    *DB
	write *heapWrite
	keep  spare
	// expected bytes of a compaction's tables, 0 when unknown: it asks for no more at once, so that
	// the gaps between tables are used.
	expected int64
	// cut is the size from which a table ends at the next key.
	cut  int64
	pace func(bytes int)

	extent log.Extent // where tables go
	used   int64      // of extent
	out    []byte     // collected, not written
	outAt  int64

	stripe, level uint8
	table         bytes.Buffer
	writer        *table.Writer
	tables        []manifest.Table
	bytes         int64
}

// newRun begins a run. pace, if not nil, is asked before each piece.
func (db *DB) newRun(keep spare, pace func(bytes int)) *run {
	r := &run{db: db, write: db.heap.begin(), keep: keep, cut: table.SizeTargetBytes, pace: pace}
	if db.wal.full.Load() {
		// A table lies in one piece. What is left of a full disk is in many, and compaction, which
		// makes room, must not be in want of a large one.
		r.cut = reservePassBytes
	}
	return r
}

// begin says where the next tables belong.
func (r *run) begin(stripe, level uint8) { r.stripe, r.level = stripe, level }

// add appends a version; newKey says that its key differs from the one before, so that a full
// table may be cut here.
func (r *run) add(e base.Entry, newKey bool) error {
	if r.writer != nil && newKey && r.writer.Size() >= r.cut {
		if err := r.endTable(); err != nil {
			return err
		}
	}
	if r.writer == nil {
		r.table.Reset()
		opts := r.db.opts.blocks(r.level)
		opts.DatabaseID, opts.Num = table.DatabaseID(r.db.ident), r.db.nextObject()
		opts.Keys, opts.Rand = r.db.crypt, r.db.opts.Rand
		r.writer = table.NewWriter(&r.table, opts)
	}
	return r.writer.Add(e)
}

// blocks says how the blocks of a table of some level are made.
func (o *Options) blocks(level uint8) table.WriterOptions {
	w := table.WriterOptions{BlockBytes: o.BlockBytes}
	switch {
	case o.Compression == CompressionNone:
		w.Compression = table.CompressNone
	case o.Compression == CompressionZstd && level == levelLast:
		w.Compression = table.CompressZstd
		if w.BlockBytes == 0 {
			w.BlockBytes = BlockBytesZstdDefault
		}
	}
	return w
}

// endTable finishes the table at hand, if there is one, and places it.
func (r *run) endTable() error {
	if r.writer == nil {
		return nil
	}
	meta, err := r.writer.Finish()
	r.writer = nil
	if err != nil {
		return err
	}
	meta.Smallest = manifest.ShortenSmallest(meta.Smallest)
	meta.Largest = manifest.ShortenLargest(meta.Largest)
	at, err := r.place(r.table.Bytes())
	if err != nil {
		return err
	}
	r.bytes += meta.Length
	r.tables = append(r.tables, manifest.Table{
		Stripe: r.stripe, Level: r.level, Offset: at, Meta: meta,
	})
	return nil
}

// place puts a whole table behind the one before.
func (r *run) place(data []byte) (int64, error) {
	n := space.Round(int64(len(data)))
	if r.extent.Length-r.used < n {
		if err := r.flush(); err != nil {
			return 0, err
		}
		r.giveBack()
		most := int64(runExtentBytes)
		if r.expected > 0 {
			most = min(most, max(n, r.expected-r.bytes))
		}
		e, err := r.db.heap.allocBetween(n, most, r.keep)
		if err != nil {
			return 0, err
		}
		r.extent, r.used = e, 0
	}
	at := r.extent.Offset + r.used
	r.used += n
	if len(r.out) == 0 {
		r.outAt = at
	}
	r.out = append(r.out, data...)
	r.out = append(r.out, make([]byte, int(n)-len(data))...)
	if len(r.out) >= heapPieceBytes {
		if err := r.flush(); err != nil {
			r.used -= n // no table will name it
			return 0, err
		}
	}
	return at, nil
}

// flush writes what is collected.
func (r *run) flush() error {
	for at := 0; at < len(r.out); at += heapPieceBytes {
		piece := r.out[at:min(at+heapPieceBytes, len(r.out))]
		if r.pace != nil {
			r.pace(len(piece))
		}
		if err := r.write.writeAt(piece, r.outAt+int64(at)); err != nil {
			return err
		}
	}
	r.out = r.out[:0]
	return nil
}

// giveBack returns the unused end of the extent.
func (r *run) giveBack() {
	if rest := r.extent.Length - r.used; rest > 0 {
		r.db.heap.free(log.Extent{Offset: r.extent.Offset + r.used, Length: rest})
	}
	r.extent.Length = r.used
}

// finish ends the last table and makes all of them durable.
func (r *run) finish() error {
	err := r.endTable()
	if err == nil {
		err = r.flush()
	}
	if err != nil {
		return err
	}
	r.giveBack()
	if len(r.tables) == 0 || bug.Enabled(bug.TableSyncLeftOut) {
		r.write.end()
		return nil
	}
	return r.write.sync()
}

// abandon gives the run up because of an error. Its space is free again, unless a sync has failed.
func (r *run) abandon(err error) {
	r.write.end()
	if r.write.lost(err) {
		return
	}
	r.giveBack()
	for _, t := range r.tables {
		r.db.freeExtent(log.Extent{Offset: t.Offset, Length: space.Round(t.Meta.Length)})
	}
}
