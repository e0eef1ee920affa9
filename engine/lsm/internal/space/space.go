// Package space keeps the free space of a database file. It is derived at open from what the
// manifest and the live log use, never stored, and does no I/O itself.
//
// Offsets and lengths are multiples of Unit. An extent has one owner: taking or giving back what
// is not free or not taken is an error, at open a sign of corruption.
package space

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

const (
	// Unit of all extents, in bytes.
	Unit = 4096
	// HoleMinBytes is the smallest free run worth a hole while the file is written.
	HoleMinBytes = 2 << 20
	// HoleQuietBytes is the smallest one when it is not: nobody will ask for the run soon, and the
	// metadata that a hole costs is in nobody's way.
	HoleQuietBytes = 128 << 10
)

// Round rounds n up to whole units.
func Round(n int64) int64 { return (n + Unit - 1) &^ (Unit - 1) }

// set is a sorted list of extents that do not touch.
type set []log.Extent

// find returns the index of the first extent that ends after off.
func (s set) find(off int64) int {
	i, _ := slices.BinarySearchFunc(s, off, func(e log.Extent, off int64) int {
		if e.End() <= off {
			return -1
		}
		return 1
	})
	return i
}

// overlaps says whether some byte of e is in the set.
func (s set) overlaps(e log.Extent) bool {
	i := s.find(e.Offset)
	return i < len(s) && s[i].Offset < e.End()
}

// common counts the bytes of e that are in the set.
func (s set) common(e log.Extent) (n int64) {
	for i := s.find(e.Offset); i < len(s) && s[i].Offset < e.End(); i++ {
		n += min(e.End(), s[i].End()) - max(e.Offset, s[i].Offset)
	}
	return n
}

// add joins e with its neighbours; e does not overlap the set.
func (s *set) add(e log.Extent) {
	i := s.find(e.Offset)
	from, to := i, i
	if i > 0 && (*s)[i-1].End() == e.Offset {
		from--
		e = log.Extent{Offset: (*s)[from].Offset, Length: (*s)[from].Length + e.Length}
	}
	if i < len(*s) && e.End() == (*s)[i].Offset {
		e.Length += (*s)[i].Length
		to++
	}
	*s = slices.Replace(*s, from, to, e)
}

// cut removes from the set whatever it has of e.
func (s *set) cut(e log.Extent) {
	i := s.find(e.Offset)
	for i < len(*s) && (*s)[i].Offset < e.End() {
		old := (*s)[i]
		var rest []log.Extent
		if old.Offset < e.Offset {
			rest = append(rest, log.Extent{Offset: old.Offset, Length: e.Offset - old.Offset})
		}
		if old.End() > e.End() {
			rest = append(rest, log.Extent{Offset: e.End(), Length: old.End() - e.End()})
		}
		*s = slices.Replace(*s, i, i+1, rest...)
		i += len(rest)
	}
}

// Map is the free space of one file. Not safe for concurrent use.
type Map struct {
	start, end int64 // of the heap; end is the file's size
	free       set
	holes      set // parts of free whose blocks were given back
	freeBytes  int64
}

// ErrOverlap: an extent has two owners, or lies outside the file.
var ErrOverlap = errors.New("space: extent is used twice or lies outside the file")

// New derives the map of a heap from start to end from what is used, in any order; the slice stays
// as it is.
func New(start, end int64, used []log.Extent) (*Map, error) {
	m := &Map{start: start, end: max(start, end&^(Unit-1))}
	used = slices.Clone(used)
	slices.SortFunc(used, func(a, b log.Extent) int { return cmp.Compare(a.Offset, b.Offset) })
	at := start // where nothing is known yet
	for _, e := range used {
		if e.Length <= 0 || e.Offset%Unit != 0 || e.Length%Unit != 0 || e.Offset < at || e.End() > m.end {
			return nil, overlap(e)
		}
		m.addRun(at, e.Offset)
		at = e.End()
	}
	m.addRun(at, m.end)
	return m, nil
}

// addRun makes what lies behind all that is free so far free, too.
func (m *Map) addRun(from, to int64) {
	if to > from {
		m.free = append(m.free, log.Extent{Offset: from, Length: to - from})
		m.freeBytes += to - from
	}
}

func overlap(e log.Extent) error {
	return fmt.Errorf("%w: %d bytes at %d", ErrOverlap, e.Length, e.Offset)
}

// End is the size of the file.
func (m *Map) End() int64 { return m.end }

// UsedEnd is where the last extent ends that is not free; where the heap starts when all of it is.
func (m *Map) UsedEnd() int64 {
	if n := len(m.free); n > 0 && m.free[n-1].End() == m.end {
		return m.free[n-1].Offset
	}
	return m.end
}

// Fits says where Alloc would take length bytes, without taking them.
func (m *Map) Fits(length, keep int64) (offset int64, ok bool) {
	e, _, ok := m.find(length, keep, true)
	return e.Offset, ok
}

// FreeBytes counts everything that is free, holes included.
func (m *Map) FreeBytes() int64 { return m.freeBytes }

// HoleBytes counts free space whose blocks were given back.
func (m *Map) HoleBytes() int64 {
	var n int64
	for _, h := range m.holes {
		n += h.Length
	}
	return n
}

// SolidBytes counts the free bytes that have their blocks: they are there on a full disk, too.
func (m *Map) SolidBytes() int64 { return m.freeBytes - m.HoleBytes() }

// Alloc takes the first free run of length bytes that leaves keep solid bytes. It returns whether
// part of it is a hole; ok is false when the file must grow.
func (m *Map) Alloc(length, keep int64) (e log.Extent, hole, ok bool) {
	return m.alloc(length, keep, true)
}

// AllocSolid is Alloc without holes, for when the disk has no blocks for them.
func (m *Map) AllocSolid(length, keep int64) (e log.Extent, ok bool) {
	e, _, ok = m.alloc(length, keep, false)
	return e, ok
}

func (m *Map) alloc(length, keep int64, holesToo bool) (e log.Extent, hole, ok bool) {
	e, hole, ok = m.find(length, keep, holesToo)
	if ok {
		m.free.cut(e)
		m.holes.cut(e)
		m.freeBytes -= e.Length
	}
	return e, hole, ok
}

// find returns the first run that fits.
func (m *Map) find(length, keep int64, holesToo bool) (e log.Extent, hole, ok bool) {
	length = Round(length)
	if length <= 0 || m.freeBytes < length {
		return log.Extent{}, false, false
	}
	solid := m.SolidBytes()
	for _, f := range m.free {
		if f.Length < length {
			continue
		}
		runs := set{f}
		if !holesToo {
			runs = m.solidOf(f)
		}
		for _, run := range runs {
			if run.Length < length {
				continue
			}
			e = log.Extent{Offset: run.Offset, Length: length}
			holes := m.holes.common(e)
			if solid-(length-holes) < keep {
				continue
			}
			return e, holes > 0, true
		}
	}
	return log.Extent{}, false, false
}

// solidOf returns the parts of a free run that are not holes.
func (m *Map) solidOf(f log.Extent) set {
	s := set{f}
	for i := m.holes.find(f.Offset); i < len(m.holes) && m.holes[i].Offset < f.End(); i++ {
		s.cut(m.holes[i])
	}
	return s
}

// Free gives an extent back.
func (m *Map) Free(e log.Extent) error {
	if e.Length <= 0 || e.Offset < m.start || e.End() > m.end ||
		e.Offset%Unit != 0 || e.Length%Unit != 0 || m.free.overlaps(e) {
		return overlap(e)
	}
	m.free.add(e)
	m.freeBytes += e.Length
	return nil
}

// Grow adds what a longer file has.
func (m *Map) Grow(end int64) {
	end &^= Unit - 1
	if end <= m.end {
		return
	}
	e := log.Extent{Offset: m.end, Length: end - m.end}
	m.end = end
	m.free.add(e)
	m.freeBytes += e.Length
}

// Missing is how many bytes the file must grow by so that a run of length is free: less than
// length when the file ends with free space.
func (m *Map) Missing(length int64) int64 {
	length = Round(length)
	if n := len(m.free); n > 0 && m.free[n-1].End() == m.end {
		return max(0, length-m.free[n-1].Length)
	}
	return length
}

// TakeHole takes a free run of at least least bytes that still has its blocks, for punching, and
// leaves keep solid bytes. Give it back with Punched.
func (m *Map) TakeHole(least, keep int64) (log.Extent, bool) {
	spare := (m.SolidBytes() - keep) &^ (Unit - 1)
	if spare < least {
		return log.Extent{}, false
	}
	for _, f := range m.free {
		rest := set{f}
		for _, h := range m.holes {
			rest.cut(h)
		}
		for _, e := range rest {
			if e.Length >= least {
				e.Length = min(e.Length, spare)
				m.free.cut(e)
				m.freeBytes -= e.Length
				return e, true
			}
		}
	}
	return log.Extent{}, false
}

// Punched gives back what TakeHole took, as a hole.
func (m *Map) Punched(e log.Extent) error {
	if err := m.Free(e); err != nil {
		return err
	}
	m.holes.add(e)
	return nil
}

// solidUpTo returns where the first n solid bytes of a free run end, or the end of the run.
func (m *Map) solidUpTo(e log.Extent, n int64) int64 {
	at := e.Offset
	for i := m.holes.find(at); i < len(m.holes) && m.holes[i].Offset < e.End(); i++ {
		if gap := m.holes[i].Offset - at; gap >= n {
			break
		} else if gap > 0 {
			n -= gap
		}
		at = m.holes[i].End()
	}
	return min(at+n, e.End())
}

// TakeFrontHole takes a hole at the front of the free run at the end of the file, if CutTail could take
// length bytes more were the reserve of keep solid bytes there: after all else is punched it is what the
// file ends with. Give the hole back with Free once it has its blocks, or with Punched.
func (m *Map) TakeFrontHole(length, keep int64) (log.Extent, bool) {
	n := len(m.free)
	if n == 0 || m.free[n-1].End() != m.end {
		return log.Extent{}, false
	}
	e := m.free[n-1]
	elsewhere := m.SolidBytes() - (e.Length - m.holes.common(e))
	to := e.Offset + Round(max(0, keep-elsewhere))
	i := m.holes.find(e.Offset)
	if i == len(m.holes) || m.holes[i].Offset >= to || e.End()-to < length ||
		m.solidUpTo(e, to-e.Offset)-to < Unit {
		return log.Extent{}, false
	}
	hole := m.holes[i]
	hole.Length = min(hole.End(), to) - hole.Offset
	m.free.cut(hole)
	m.holes.cut(hole)
	m.freeBytes -= hole.Length
	return hole, true
}

// CutTail takes the free run at the end of the file, but for what the reserve of keep solid bytes
// needs, out of the map for good, if that is at least length bytes; the caller truncates the file to
// the returned size.
func (m *Map) CutTail(length, keep int64) (size int64, ok bool) {
	n := len(m.free)
	if n == 0 || m.free[n-1].End() != m.end {
		return 0, false
	}
	e := m.free[n-1]
	elsewhere := m.SolidBytes() - (e.Length - m.holes.common(e))
	if needed := Round(keep - elsewhere); needed > 0 {
		from := m.solidUpTo(e, needed)
		e = log.Extent{Offset: from, Length: e.End() - from}
	}
	if e.Length < length {
		return 0, false
	}
	m.free.cut(e)
	m.holes.cut(e)
	m.freeBytes -= e.Length
	m.end = e.Offset
	return m.end, true
}
