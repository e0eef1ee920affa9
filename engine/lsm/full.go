package lsm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/memtable"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// A pass that finds no space first takes that of the log's spare segments, and then writes as much as
// fits, a few stripes at a time: the memtables may be much larger than what is free.
//
// On a full disk (STORAGE §12) puts are refused when flushes fail for space and the log passes three
// quarters. Deletes go on: they take the rest of the log, are flushed into a half of the reserve,
// those stripes first that have most of them, and compaction has the other half to make room with.
// When an ordinary flush would find space again, puts are taken again.

// errStillFull: nothing is wrong, but the flusher shall not try again at once.
var errStillFull = errors.New("lsm: the disk is full")

const (
	// findSpaceMaxBytes bounds what a full store wants to see free before it takes puts again, in pieces
	// that tables of its size fit into.
	findSpaceMaxBytes   = 8 << 20
	findSpacePieceBytes = 2 * fullTableBytes
)

// findSpace says whether ordinary flushes find space again.
func (db *DB) findSpace() bool {
	var taken []log.Extent
	defer func() {
		for _, e := range taken {
			db.heap.free(e)
		}
	}()
	wanted := min(max(db.memBytes.Load(), growStepMinBytes), findSpaceMaxBytes)
	for n := int64(0); n < wanted; n += findSpacePieceBytes {
		e, err := db.heap.alloc(findSpacePieceBytes, spareAll)
		if err != nil {
			return false
		}
		taken = append(taken, e)
	}
	return true
}

const (
	// fullTableBytes is where a table ends when a larger one found no space.
	fullTableBytes = 32 << 10
	// fullTries: on a full disk another stripe may find the space that one did not.
	fullTries = 16
	// fullRingSpare segments of the log stay free when the others are given up, for deletes.
	fullRingSpare = 2
	// fullPartBytes of memtables are written at once where all of them find no space.
	fullPartBytes = 4 << 20
)

// makeRoom is for a pass that found no space. It says whether another will find more, or less to do.
func (db *DB) makeRoom() (bool, error) {
	given, err := db.giveUpSegments()
	if given || err != nil {
		return given, err
	}
	passes := db.figures.passes.Load()
	for before := passes; ; before = db.figures.passes.Load() {
		if err := db.pass(passPart); err != nil && !isFull(err) {
			return false, err
		}
		if now := db.figures.passes.Load(); now == before {
			return now > passes, nil
		}
	}
}

// giveUpSegments gives all but a few of the free segments of the log to the heap. The log does not grow
// again soon.
func (db *DB) giveUpSegments() (bool, error) {
	w := &db.wal
	w.mu.Lock()
	n := len(w.free) - fullRingSpare
	sortSegments(w.free)
	w.mu.Unlock()
	if n < 1 {
		return false, nil
	}
	db.growAfter = db.clock() + int64(lapSlow)
	return true, db.dropSegments(n)
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

// deletedMost returns the stripes that a pass into the reserve writes: those whose deletes give more
// than their memtables take, the largest share first, as far as reservePassBytes go. When the log is
// nearly used up it is any that have deletes.
func (db *DB) deletedMost() map[int]bool {
	type candidate struct {
		index       int
		bytes, gain int64
	}
	use, total, _ := db.ringUse()
	urgent := use*8 > total*7
	var all []candidate
	for i := range db.stripes {
		s := &db.stripes[i]
		c := candidate{index: i}
		var tombs, size, entries int64
		s.mu.RLock()
		for _, m := range append([]*memtable.Memtable{s.active}, s.frozen...) {
			c.bytes += m.Bytes()
			m.Prefixes(storage.Range{}, func(p memtable.PrefixCount) { tombs += p.Tombstones })
		}
		for l := range s.tables.levels {
			size, entries = size+s.tables.levelBytes(l), entries+s.tables.levelEntries(l)
		}
		s.mu.RUnlock()
		c.gain = tombs * size / max(entries, 1)
		if c.gain > c.bytes || tombs > 0 && urgent {
			all = append(all, c)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { // by gain/bytes, the largest first
		return cmp.Compare(b.gain*a.bytes, a.gain*b.bytes)
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
