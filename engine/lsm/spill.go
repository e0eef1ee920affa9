package lsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/storage"
)

const (
	// spillExtentBytes is how much of a spill goes into one extent at most.
	spillExtentBytes = 16 << 20
	// spillExtentsMax bounds the list in a frame.
	spillExtentsMax = UpdateMaxBytes/spillExtentBytes + 8
	spillMagic      = "kstnspl\x01"
	// spillHeadBytes precede the batch: magic 8, object number 8, database id 16, and 32 bytes for
	// the salt of encryption, zero until there is any.
	spillHeadBytes = 64
)

// spill is a large batch in heap extents. It belongs to its writer until the frame that names it
// is in a group, then to the log until the durable tail has passed it.
type spill struct {
	lsn     base.LSN
	length  int64 // with the head
	digest  uint64
	extents []log.Extent
}

var errSpill = errors.New("spill reference does not parse")

func (s *spill) append(dst []byte) []byte {
	dst = append(dst, payloadSpilled)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.length))
	dst = binary.LittleEndian.AppendUint64(dst, s.digest)
	dst = binary.AppendUvarint(dst, uint64(len(s.extents)))
	for _, e := range s.extents {
		dst = binary.AppendUvarint(dst, uint64(e.Offset))
		dst = binary.AppendUvarint(dst, uint64(e.Length))
	}
	return dst
}

func parseSpill(b []byte) (*spill, error) {
	if len(b) < 16 {
		return nil, errSpill
	}
	s := &spill{
		length: int64(binary.LittleEndian.Uint64(b)), digest: binary.LittleEndian.Uint64(b[8:]),
	}
	b = b[16:]
	next := func() int64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<62 {
			b = nil
			return -1
		}
		b = b[n:]
		return int64(v)
	}
	count := next()
	if count < 1 || count > spillExtentsMax {
		return nil, errSpill
	}
	var room int64
	for range count {
		e := log.Extent{Offset: next(), Length: next()}
		if e.Offset < 0 || e.Length <= 0 || e.Length > UpdateMaxBytes+spillExtentBytes {
			return nil, errSpill
		}
		room += e.Length
		s.extents = append(s.extents, e)
	}
	if len(b) != 0 || s.length < spillHeadBytes || s.length > room {
		return nil, errSpill
	}
	return s, nil
}

// spillOps writes ops, which are n bytes, to the heap.
func (db *DB) spillOps(ops []storage.Op, n int) (*spill, error) {
	data := make([]byte, spillHeadBytes, spillHeadBytes+n)
	copy(data, spillMagic)
	binary.LittleEndian.PutUint64(data[8:], uint64(db.nextObject()))
	copy(data[16:], db.ident[:])
	data = appendOps(data, ops)
	s := &spill{length: int64(len(data)), digest: xxhash.Sum64(data)}
	w := db.heap.begin()
	defer w.end()
	if err := db.writeSpill(w, s, data); err != nil {
		if !w.lost(err) {
			db.dropSpill(s)
		}
		return nil, err
	}
	if bug.Enabled(bug.SpillSyncLeftOut) {
		return s, nil
	}
	if err := w.sync(); err != nil {
		// The extents are not used again before the next open.
		if isFull(err) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	return s, nil
}

func (db *DB) writeSpill(w *heapWrite, s *spill, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), spillExtentBytes)
		e, err := db.heap.alloc(int64(n), spareAll)
		if err != nil {
			return err
		}
		s.extents = append(s.extents, e)
		if err := w.writeAt(data[:n], e.Offset); err != nil {
			if isFull(err) {
				return err
			}
			return fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
		}
		data = data[n:]
	}
	return nil
}

// readSpill reads a batch back. A spill is synced before its frame is written, so that one that
// does not verify is corruption.
func (db *DB) readSpill(s *spill) ([]byte, error) {
	data := make([]byte, 0, s.length)
	for _, e := range s.extents {
		piece := make([]byte, min(e.Length, s.length-int64(len(data))))
		if _, err := db.heap.file.ReadAt(piece, e.Offset); err != nil {
			return nil, &base.CorruptError{Region: "spill", Offset: e.Offset, Reason: err.Error()}
		}
		data = append(data, piece...)
	}
	if int64(len(data)) != s.length || xxhash.Sum64(data) != s.digest ||
		string(data[:len(spillMagic)]) != spillMagic {
		return nil, &base.CorruptError{
			Region: "spill", Offset: s.extents[0].Offset, Reason: "digest does not match",
		}
	}
	return data[spillHeadBytes:], nil
}

// keepSpill gives a spill to the log.
func (db *DB) keepSpill(s *spill, lsn base.LSN) {
	if s == nil {
		return
	}
	if bug.Enabled(bug.SpillFreedEarly) {
		db.dropSpill(s)
		return
	}
	s.lsn = lsn
	db.spillMu.Lock()
	db.spills = append(db.spills, s)
	db.spillMu.Unlock()
}

// dropSpill gives back the space of a spill that no frame names.
func (db *DB) dropSpill(s *spill) {
	if s == nil {
		return
	}
	for _, e := range s.extents {
		db.freeExtent(e)
	}
}

// releaseSpills frees the spills that the durable tail has passed.
func (db *DB) releaseSpills(tail base.LSN) {
	db.spillMu.Lock()
	var passed []*spill
	db.spills = slices.DeleteFunc(db.spills, func(s *spill) bool {
		if s.lsn < tail {
			passed = append(passed, s)
		}
		return s.lsn < tail
	})
	db.spillMu.Unlock()
	for _, s := range passed {
		db.dropSpill(s)
	}
}

// spillBytes is what live spills take; they count as log use.
func (db *DB) spillBytes() int64 {
	db.spillMu.Lock()
	defer db.spillMu.Unlock()
	var n int64
	for _, s := range db.spills {
		n += space.Round(s.length)
	}
	return n
}
