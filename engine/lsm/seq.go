package lsm

import (
	"context"
	"sync"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// seqs issues the numbers that order updates for streams and knows which are unfinished.
type seqs struct {
	mu   sync.Mutex
	last uint64 // issued last
	// open holds the issued numbers from the oldest unfinished one on, in order; done ones among
	// them are marked.
	open    []openSeq
	watched chan struct{} // closed when the watermark moves; nil while nobody waits
	err     error         // poison
}

type openSeq struct {
	seq  uint64
	done bool
}

func (s *seqs) begin(epoch base.Epoch) {
	s.mu.Lock()
	s.last = uint64(epoch) << base.CounterBits
	s.mu.Unlock()
}

// end is for a store that takes no updates: all that an epoch could issue is finished.
func (s *seqs) end(epoch base.Epoch) {
	s.mu.Lock()
	s.last = (uint64(epoch)+1)<<base.CounterBits - 1
	s.mu.Unlock()
}

func (s *seqs) lastIssued() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// issue takes the next number and registers it as unfinished, under one mutex.
func (s *seqs) issue() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.open = append(s.open, openSeq{seq: s.last})
	return s.last
}

// finish marks a number whose update is visible or abandoned.
func (s *seqs) finish(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.open {
		if s.open[i].seq == seq {
			s.open[i].done = true
			break
		}
	}
	n := 0
	for n < len(s.open) && s.open[n].done {
		n++
	}
	if n > 0 {
		s.open = s.open[:copy(s.open, s.open[n:])]
	}
	s.wakeLocked()
}

func (s *seqs) wakeLocked() {
	if s.watched != nil {
		close(s.watched)
		s.watched = nil
	}
}

// fail tells every waiter of Watermark.
func (s *seqs) fail(err error) {
	s.mu.Lock()
	s.err = err
	s.wakeLocked()
	s.mu.Unlock()
}

func (s *seqs) watermarkLocked() uint64 {
	if len(s.open) > 0 {
		return s.open[0].seq - 1
	}
	return s.last
}

// Watermark waits until it is above after and returns it; see storage.Store.
func (db *DB) Watermark(ctx context.Context, after storage.Seq) (storage.Seq, error) {
	s := &db.seqs
	for {
		s.mu.Lock()
		w := storage.Seq(s.watermarkLocked())
		if db.closed.Load() {
			s.mu.Unlock()
			return 0, storage.ErrClosed
		}
		if w > after || after == 0 {
			s.mu.Unlock()
			return w, nil
		}
		if err := s.err; err != nil {
			s.mu.Unlock()
			return 0, err
		}
		if s.watched == nil {
			s.watched = make(chan struct{})
		}
		watched := s.watched
		s.mu.Unlock()
		select {
		case <-watched:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}
