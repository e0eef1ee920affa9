package merge

import (
	"bytes"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// Iter merges several iterators over versions into one, in the order of base.Compare. It
// implements base.Iterator. Of versions equal in key and LSN it yields the one of the source that
// comes first in the list.
//
// The sources stand in a heap whose top is the current version. Going forward, all others stand on
// the first version behind it that is not equal to it; going backward, on the last one before it.
type Iter struct {
	sources []source
	heap    []*source
	second  int // the child of the top that comes up first, 0 when not known
	back    bool
	err     error

	// Room for the sources of most merges.
	sourcesBuf [fewSources]source
	heapBuf    [fewSources]*source
}

// fewSources are merged without an allocation of their own.
const fewSources = 4

// source is one iterator with what it stands on.
type source struct {
	it    base.Iterator
	key   []byte
	lsn   base.LSN
	order int
}

// New merges sources, newest first, and takes them over: Close closes them.
func New(sources ...base.Iterator) *Iter {
	m := &Iter{}
	m.Reset(sources)
	return m
}

// Reset makes a new merge of one that is closed or was never used; see New. The slice stays the
// caller's. An Iter must not be copied afterwards.
func (m *Iter) Reset(sources []base.Iterator) {
	m.back, m.err = false, nil
	if m.sources == nil {
		m.sources, m.heap = m.sourcesBuf[:0], m.heapBuf[:0]
	}
	m.heap = slices.Grow(m.heap[:0], len(sources))
	m.sources = slices.Grow(m.sources[:0], len(sources))
	for i, it := range sources {
		m.sources = append(m.sources, source{it: it, order: i})
	}
}

// before says whether a comes up first in the direction of the merge; of equal ones, the source
// that is first in the list.
func (m *Iter) before(a, b *source) bool {
	c := base.Compare(a.key, a.lsn, b.key, b.lsn)
	if c == 0 {
		return a.order < b.order
	}
	return (c < 0) != m.back
}

// take notes what a source stands on after a move; ok is what the move returned. An error ends the
// merge.
func (m *Iter) take(s *source, ok bool) bool {
	if ok {
		s.key, s.lsn = s.it.Key(), s.it.LSN()
		return true
	}
	if err := s.it.Err(); err != nil && m.err == nil {
		m.err = err
	}
	return false
}

// build makes a heap of the sources for which move succeeds.
func (m *Iter) build(back bool, move func(*source) bool) bool {
	if m.err != nil {
		return false
	}
	m.back, m.heap = back, m.heap[:0]
	for i := range m.sources {
		if s := &m.sources[i]; m.take(s, move(s)) {
			m.heap = append(m.heap, s)
		}
	}
	m.heapify()
	return m.settle()
}

func (m *Iter) heapify() {
	m.second = 0
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
}

func (m *Iter) down(i int) {
	h := m.heap
	m.second = 0
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && m.before(h[c+1], h[c]) {
			c++
		}
		if !m.before(h[c], h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// step moves the i-th source of the heap on in the current direction.
func (m *Iter) step(i int) {
	m.second = 0
	s := m.heap[i]
	ok := false
	if m.back {
		ok = s.it.Prev()
	} else {
		ok = s.it.Next()
	}
	if !m.take(s, ok) {
		last := len(m.heap) - 1
		m.heap[i] = m.heap[last]
		m.heap = m.heap[:last]
	}
	if i < len(m.heap) {
		m.down(i)
	}
}

// pass moves the top on. Most often it comes up next again: one comparison with the child that comes up
// first, which stays the same until another source moves, tells so, and that no other source stands on
// the same version.
func (m *Iter) pass() bool {
	top := m.heap[0]
	if !m.take(top, advance(top.it, m.back)) {
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap = m.heap[:last]
		m.down(0)
		return m.settle()
	}
	if len(m.heap) == 1 {
		return m.err == nil
	}
	if m.second == 0 {
		m.second = 1
		if len(m.heap) > 2 && m.before(m.heap[2], m.heap[1]) {
			m.second = 2
		}
	}
	s := m.heap[m.second]
	switch c := base.Compare(top.key, top.lsn, s.key, s.lsn); {
	case c == 0:
		if s.order < top.order {
			m.swap()
		}
		return m.settle()
	case (c < 0) != m.back:
		return true
	}
	m.swap()
	return m.settle()
}

// swap puts the second in the place of the top.
func (m *Iter) swap() {
	i := m.second
	m.heap[0], m.heap[i] = m.heap[i], m.heap[0]
	m.down(i)
}

// settle moves on the sources that stand on the same version as the top. In a heap one of them is
// always a child of the top.
func (m *Iter) settle() bool {
	for m.err == nil && len(m.heap) > 1 {
		switch {
		case m.equal(1):
			m.step(1)
		case len(m.heap) > 2 && m.equal(2):
			m.step(2)
		default:
			return true
		}
	}
	return m.Valid()
}

func (m *Iter) equal(i int) bool {
	top, s := m.heap[0], m.heap[i]
	return top.lsn == s.lsn && bytes.Equal(top.key, s.key)
}

// First moves to the first version.
func (m *Iter) First() bool {
	return m.build(false, func(s *source) bool { return s.it.First() })
}

// Last moves to the last version.
func (m *Iter) Last() bool {
	return m.build(true, func(s *source) bool { return s.it.Last() })
}

// SeekGE moves to the first version whose key is at or after key.
func (m *Iter) SeekGE(key []byte) bool {
	return m.build(false, func(s *source) bool { return s.it.SeekGE(key) })
}

// SeekLT moves to the last version whose key is before key.
func (m *Iter) SeekLT(key []byte) bool {
	return m.build(true, func(s *source) bool { return s.it.SeekLT(key) })
}

// Next moves forward.
func (m *Iter) Next() bool { return m.move(false) }

// Prev moves backward.
func (m *Iter) Prev() bool { return m.move(true) }

func (m *Iter) move(back bool) bool {
	if !m.Valid() {
		return false
	}
	if m.back != back {
		return m.turn(back)
	}
	return m.pass()
}

// turn changes the direction: the sources other than the current one stand on its far side.
func (m *Iter) turn(back bool) bool {
	top := m.heap[0]
	m.back, m.heap = back, m.heap[:0]
	for i := range m.sources {
		s := &m.sources[i]
		if s == top {
			continue
		}
		ok := m.cross(s, back)
		for ok && s.lsn == top.lsn && bytes.Equal(s.key, top.key) {
			ok = m.take(s, advance(s.it, back))
		}
		if ok {
			m.heap = append(m.heap, s)
		}
	}
	if m.take(top, advance(top.it, back)) {
		m.heap = append(m.heap, top)
	}
	m.heapify()
	return m.settle()
}

// cross moves a source one step; one that had run out comes back in at its end.
func (m *Iter) cross(s *source, back bool) bool {
	switch {
	case s.it.Valid():
		return m.take(s, advance(s.it, back))
	case back:
		return m.take(s, s.it.Last())
	}
	return m.take(s, s.it.First())
}

func advance(it base.Iterator, back bool) bool {
	if back {
		return it.Prev()
	}
	return it.Next()
}

// Valid says whether the iterator stands on a version.
func (m *Iter) Valid() bool { return m.err == nil && len(m.heap) > 0 }

// Key of the version; valid until the next positioning call.
func (m *Iter) Key() []byte { return m.heap[0].key }

// LSN of the version.
func (m *Iter) LSN() base.LSN { return m.heap[0].lsn }

// Kind of the version.
func (m *Iter) Kind() base.Kind { return m.heap[0].it.Kind() }

// Value of the version; valid for as long as the source's is.
func (m *Iter) Value() []byte { return m.heap[0].it.Value() }

// Err returns the first error of a source; after one the iterator is not valid.
func (m *Iter) Err() error { return m.err }

// Close closes the sources, lets go of them and returns the first error.
func (m *Iter) Close() error {
	var first error
	for i := range m.sources {
		if err := m.sources[i].it.Close(); first == nil {
			first = err
		}
	}
	clear(m.sources)
	m.sources, m.heap = m.sources[:0], m.heap[:0]
	return first
}
