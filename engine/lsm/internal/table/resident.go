package table

import (
	"sync"
	"sync/atomic"
)

// ResidentBytesDefault bounds the resident parts of all tables of a database.
const ResidentBytesDefault = 64 << 20

// residentSpareShare of the bound is left to tables that are read.
const residentSpareShare = 8

// Resident counts the filters, indexes and properties that open tables keep in memory, and evicts
// those that were not used lately above its bound. Safe for concurrent use; nil counts nothing.
type Resident struct {
	bytesMax int64
	bytes    atomic.Int64
	filters  filterShards

	mu   sync.Mutex
	ring []*Reader // those that hold something
	hand int
}

// NewResident returns a budget of bytesMax bytes; 0 means the default.
func NewResident(bytesMax int64) *Resident {
	if bytesMax <= 0 {
		bytesMax = ResidentBytesDefault
	}
	return &Resident{bytesMax: bytesMax}
}

// Bytes resident now.
func (r *Resident) Bytes() int64 {
	if r == nil {
		return 0
	}
	return r.bytes.Load()
}

// Tables that hold something now.
func (r *Resident) Tables() int {
	if r == nil {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ring)
}

// full says whether one more table may push out another.
func (r *Resident) full() bool {
	return r != nil && r.bytes.Load()+r.bytesMax/residentSpareShare > r.bytesMax
}

// add takes in a reader's resident part and makes room for it. It may go over the bound by one
// table, since the newest is never evicted.
func (r *Resident) add(t *Reader, m *resident) *resident {
	if r == nil {
		t.resident.Store(m)
		return m
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if have := t.resident.Load(); have != nil {
		return have // another goroutine was first
	}
	m.slot = len(r.ring)
	r.ring = append(r.ring, t)
	r.bytes.Add(m.bytes)
	m.used.Store(true)
	t.resident.Store(m)
	for r.bytes.Load() > r.bytesMax && len(r.ring) > 1 {
		r.evictLocked(t)
	}
	return m
}

// evictLocked turns the hand to the first table that was not used since its last turn.
func (r *Resident) evictLocked(keep *Reader) {
	for {
		if r.hand >= len(r.ring) {
			r.hand = 0
		}
		t := r.ring[r.hand]
		if t != keep && !t.resident.Load().used.Swap(false) {
			r.dropLocked(t)
			return
		}
		r.hand++
	}
}

func (r *Resident) dropLocked(t *Reader) {
	m := t.resident.Load()
	last := len(r.ring) - 1
	moved := r.ring[last]
	r.ring[m.slot] = moved
	moved.resident.Load().slot = m.slot
	r.ring[last] = nil
	r.ring = r.ring[:last]
	r.bytes.Add(-m.bytes)
	t.resident.Store(nil)
}

// drop gives back what a table holds.
func (r *Resident) drop(t *Reader) {
	if r == nil {
		t.resident.Store(nil)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.resident.Load() != nil {
		r.dropLocked(t)
	}
}
