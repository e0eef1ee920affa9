package lsm

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/lsm/internal/ondisk"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/storage"
)

// spill is a large batch in heap extents.
type spill = ondisk.Spill

// spillOps writes ops, which are n bytes, to the heap.
func (db *DB) spillOps(ops []storage.Op, n int) (*spill, error) {
	data := make([]byte, ondisk.SpillHeadBytes, ondisk.SpillHeadBytes+n+db.crypt.Overhead())
	copy(data, ondisk.SpillMagic)
	binary.LittleEndian.PutUint64(data[8:], uint64(db.nextObject()))
	copy(data[16:], db.ident[:])
	data = appendOps(data, ops)
	data, err := db.sealSpill(data)
	if err != nil {
		return nil, err
	}
	s := &spill{Length: int64(len(data)), Digest: xxhash.Sum64(data)}
	w := db.heap.begin()
	defer w.end()
	if err := db.writeSpill(w, s, data); err != nil {
		if !w.lost(err) {
			db.dropSpill(s)
		}
		return nil, err
	}
	db.figures.spillCount.Add(1)
	db.figures.spilledBytes.Add(uint64(len(data)))
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

// sealSpill encrypts a spill in place; data has room for the tag.
func (db *DB) sealSpill(data []byte) ([]byte, error) {
	if db.crypt == nil {
		return data, nil
	}
	if _, err := io.ReadFull(db.opts.Rand, data[ondisk.SpillHeadBytes-crypt.SaltBytes:ondisk.SpillHeadBytes]); err != nil {
		return nil, fmt.Errorf("%w: draw a salt: %w", storage.ErrUnavailable, err)
	}
	sealer, err := ondisk.SpillSealer(db.crypt, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", storage.ErrUnavailable, err)
	}
	data = data[:len(data)+sealer.Overhead()]
	sealer.Seal(data[ondisk.SpillHeadBytes:], 0, 0)
	return data, nil
}

func (db *DB) writeSpill(w *heapWrite, s *spill, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), ondisk.SpillExtentBytes)
		e, err := db.heap.alloc(int64(n), spareAll)
		if err != nil {
			return err
		}
		s.Extents = append(s.Extents, e)
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

// keepSpill gives a spill to the log.
func (db *DB) keepSpill(s *spill, lsn base.LSN) {
	if s == nil {
		return
	}
	if bug.Enabled(bug.SpillFreedEarly) {
		db.dropSpill(s)
		return
	}
	s.LSN = lsn
	db.spillMu.Lock()
	db.spills = append(db.spills, s)
	db.spillMu.Unlock()
}

// dropSpill gives back the space of a spill that no frame names.
func (db *DB) dropSpill(s *spill) {
	if s == nil {
		return
	}
	for _, e := range s.Extents {
		db.freeExtent(e)
	}
}

// releaseSpills frees the spills that the durable tail has passed.
func (db *DB) releaseSpills(tail base.LSN) {
	db.spillMu.Lock()
	var passed []*spill
	db.spills = slices.DeleteFunc(db.spills, func(s *spill) bool {
		if s.LSN < tail {
			passed = append(passed, s)
		}
		return s.LSN < tail
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
		n += space.Round(s.Length)
	}
	return n
}
