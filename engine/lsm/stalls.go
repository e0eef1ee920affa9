package lsm

import "sync/atomic"

// stalls counts the waits that the backlog imposes on writers: by the gate, for room in the log and for
// room in the memtables. Waits for keys, for the log's write and for visibility are none.
type stalls struct {
	count, total, longest atomic.Int64 // times in nanoseconds of the clock
}

func (s *stalls) add(took int64) {
	s.count.Add(1)
	s.total.Add(took)
	for old := s.longest.Load(); took > old && !s.longest.CompareAndSwap(old, took); old = s.longest.Load() {
	}
}
