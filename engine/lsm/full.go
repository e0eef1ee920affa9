package lsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// On a full disk (STORAGE §12) puts are refused when flushes fail for space and the log passes three
// quarters. Deletes go on: they take the rest of the log, are flushed into a half of the reserve,
// those stripes first that have most of them, and compaction has the other half to make room with.
// When an ordinary flush would find space again, puts are taken again.

// errStillFull: nothing is wrong, but the flusher shall not try again at once.
var errStillFull = errors.New("lsm: the disk is full")

// findSpaceMaxBytes bounds what a full store wants to see free before it takes puts again.
const findSpaceMaxBytes = 8 << 20

// findSpace says whether ordinary flushes find space again.
func (db *DB) findSpace() bool {
	n := min(max(db.memBytes.Load(), growStepMinBytes), findSpaceMaxBytes)
	e, err := db.heap.alloc(n, spareAll)
	if err != nil {
		return false
	}
	db.heap.free(e)
	return true
}

// tendFull flushes what the reserve takes.
func (db *DB) tendFull() error {
	for {
		passes := db.figures.passes.Load()
		if err := db.pass(passReserve); err != nil && !isFull(err) {
			return err
		}
		if db.figures.passes.Load() == passes {
			db.wakeCompaction()
			return errStillFull
		}
	}
}

// reservePassBytes bounds one pass into the reserve, so that it fits where a larger one would not.
const reservePassBytes = reserveMinBytes / 8

// deletedMost returns the stripes that a pass into the reserve writes: those with the largest share
// of tombstones, as far as reservePassBytes go.
func (db *DB) deletedMost() map[int]bool {
	type candidate struct {
		index        int
		bytes, tombs int64
	}
	var all []candidate
	for i := range db.stripes {
		s := &db.stripes[i]
		c := candidate{index: i}
		s.mu.RLock()
		for _, m := range append([]*memtable.Memtable{s.active}, s.frozen...) {
			c.bytes += m.Bytes()
			m.Prefixes(storage.Range{}, func(p memtable.PrefixCount) { c.tombs += p.Tombstones })
		}
		s.mu.RUnlock()
		if c.bytes > 0 {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { // by tombs/bytes, the largest first
		return cmp.Compare(b.tombs*a.bytes, a.tombs*b.bytes)
	})
	chosen := make(map[int]bool, base.StripeCount)
	var sum int64
	for _, c := range all {
		if sum += c.bytes; sum > reservePassBytes && len(chosen) > 0 {
			break
		}
		chosen[c.index] = true
	}
	return chosen
}

// asFull says of an error of a new file that there was no space for it.
func asFull(err error) error {
	if vfs.IsNoSpace(err) && !isFull(err) {
		return fmt.Errorf("%w: %w", storage.ErrFull, err)
	}
	return err
}
