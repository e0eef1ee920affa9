package merge

import (
	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// ScanOptions say what a Scan shows.
type ScanOptions struct {
	// Range bounds the keys.
	Range storage.Range
	// Reverse walks from the end of the range to its start.
	Reverse bool
	// Snapshot hides versions above it.
	Snapshot base.LSN
	// Dead hides dropped ranges.
	Dead Dead
}

// Scan yields, for each key of a range, the newest version at or below a snapshot, without
// tombstones and dead ranges. It starts before the first entry.
type Scan struct {
	it   base.Iterator
	opts ScanOptions
}

// NewScan scans over it, usually an Iter, and takes it over: Close closes it.
func NewScan(it base.Iterator, opts ScanOptions) *Scan { return &Scan{it: it, opts: opts} }

// Next moves to the next entry in the direction of the scan; false at the end or on an error.
func (s *Scan) Next() bool { return false }

// Key is valid until the next call of Next.
func (s *Scan) Key() []byte { return nil }

// Value is never changed afterwards; keeping it keeps the block or memtable entry it is part of.
func (s *Scan) Value() []byte { return nil }

// LSN of the version shown.
func (s *Scan) LSN() base.LSN { return 0 }

// Err returns what stopped the scan early.
func (s *Scan) Err() error { return nil }

// Close closes the source.
func (s *Scan) Close() error { return s.it.Close() }
