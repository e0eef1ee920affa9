package merge

import (
	"bytes"

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
	// KeepValues says that the source's values stay valid and unchanged, and so do the scan's.
	KeepValues bool
}

// Scan yields, for each key of a range, the newest version at or below a snapshot, without
// tombstones and dead ranges. It starts before the first entry.
type Scan struct {
	it      base.Iterator // not asked by its owner once the scan has it
	all     base.Iterator // to close
	opts    ScanOptions
	started bool
	done    bool

	key   []byte // a copy
	value []byte
	lsn   base.LSN
	room  []byte // for copies of values, going backward

	keyBuf [keyRoom]byte
}

// keyRoom is how long a key may be without an allocation for its copy.
const keyRoom = 96

// NewScan scans over it, usually an Iter, and takes it over: Close closes it.
func NewScan(it base.Iterator, opts ScanOptions) *Scan {
	s := &Scan{}
	s.Reset(it, opts)
	return s
}

// Reset makes a new scan of one that is closed or was never used; see NewScan. A Scan must not be
// copied afterwards.
func (s *Scan) Reset(it base.Iterator, opts ScanOptions) {
	s.it, s.all, s.opts = it, it, opts
	s.started, s.done = false, false
	if s.key == nil {
		s.key = s.keyBuf[:0]
	}
	if m, ok := it.(*Iter); ok && len(m.sources) == 1 {
		s.it = m.sources[0].it
	}
}

// Next moves to the next entry in the direction of the scan; false at the end or on an error.
func (s *Scan) Next() bool {
	if s.done {
		return false
	}
	ok := false
	if s.opts.Reverse {
		ok = s.prev()
	} else {
		ok = s.next()
	}
	s.done = !ok
	return ok
}

// next goes forward: the versions of a key come newest first, and the first that is old enough
// decides.
func (s *Scan) next() bool {
	ok := false
	if s.started {
		ok = s.skip()
	} else {
		s.started = true
		ok = s.it.SeekGE(s.opts.Range.Start)
	}
	for ok {
		key := s.it.Key()
		if s.opts.Range.End != nil && bytes.Compare(key, s.opts.Range.End) >= 0 {
			return false
		}
		if s.opts.Dead.Has(key) {
			end := s.opts.Dead.ranges[s.opts.Dead.find(key)].End
			ok = end != nil && s.it.SeekGE(end)
			continue
		}
		if s.it.LSN() > s.opts.Snapshot {
			ok = s.it.Next()
			continue
		}
		s.key = append(s.key[:0], key...)
		if s.it.Kind() == base.KindPut {
			s.value, s.lsn = s.it.Value(), s.it.LSN()
			return true
		}
		ok = s.skip()
	}
	return false
}

// skip moves behind the versions of s.key.
func (s *Scan) skip() bool {
	for s.it.Next() {
		if !bytes.Equal(s.it.Key(), s.key) {
			return true
		}
	}
	return false
}

// prev goes backward: the versions of a key come oldest first, and the last that is old enough
// decides. Afterwards the source stands on the key before.
func (s *Scan) prev() bool {
	ok := false
	switch {
	case s.started:
		ok = s.it.Valid()
	case s.opts.Range.End == nil:
		ok = s.it.Last()
	default:
		ok = s.it.SeekLT(s.opts.Range.End)
	}
	s.started = true
	for ok {
		s.key = append(s.key[:0], s.it.Key()...)
		if bytes.Compare(s.key, s.opts.Range.Start) < 0 {
			return false
		}
		if s.opts.Dead.Has(s.key) {
			ok = s.it.SeekLT(s.opts.Dead.ranges[s.opts.Dead.find(s.key)].Start)
			continue
		}
		kind := base.Kind(0)
		for ok && bytes.Equal(s.it.Key(), s.key) {
			if s.it.LSN() <= s.opts.Snapshot {
				kind, s.value, s.lsn = s.it.Kind(), s.it.Value(), s.it.LSN()
				if !s.opts.KeepValues {
					s.room = append(s.room[:0], s.value...)
					s.value = s.room
				}
			}
			ok = s.it.Prev()
		}
		if s.it.Err() != nil {
			// A version that was not read may be newer than the one found.
			return false
		}
		if kind == base.KindPut {
			return true
		}
	}
	return false
}

// Key is valid until the next call of Next.
func (s *Scan) Key() []byte { return s.key }

// Value is valid until the next call of Next or Close or, with KeepValues, for good: keeping it keeps
// the block or memtable entry it is part of.
func (s *Scan) Value() []byte { return s.value }

// LSN of the version shown.
func (s *Scan) LSN() base.LSN { return s.lsn }

// Err returns what stopped the scan early; nil once the scan is closed.
func (s *Scan) Err() error {
	if s.it == nil {
		return nil
	}
	return s.it.Err()
}

// roomMax is how much room for keys and for values a closed scan keeps.
const roomMax = 32 << 10

// Close closes the source and lets go of it, and of what it showed.
func (s *Scan) Close() error {
	if s.all == nil {
		return nil
	}
	err := s.all.Close()
	s.it, s.all, s.opts = nil, nil, ScanOptions{}
	s.done, s.value, s.lsn = true, nil, 0
	s.key, s.room = emptied(s.key), emptied(s.room)
	return err
}

// emptied returns room without what is in it, or nil for too much of it.
func emptied(room []byte) []byte {
	if cap(room) > roomMax {
		return nil
	}
	clear(room[:cap(room)])
	return room[:0]
}
