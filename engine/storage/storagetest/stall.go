package storagetest

import (
	"context"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/storage"
)

// Stalling is a store that stops a transaction while it holds its keys, for tests of what meets it.
// Updates of another kind are never stopped.
type Stalling struct {
	storage.Store
	next atomic.Pointer[Stall]
}

// Stall is one transaction that is stopped: Reached is closed when it holds its keys, and it goes on
// when Release is closed.
type Stall struct{ Reached, Release chan struct{} }

// StopNext stops the next transaction, and only that.
func (s *Stalling) StopNext() *Stall {
	stall := &Stall{Reached: make(chan struct{}), Release: make(chan struct{})}
	s.next.Store(stall)
	return stall
}

// Update implements storage.Store.
func (s *Stalling) Update(ctx context.Context, named []storage.Named, opts storage.UpdateOptions, fn func(storage.Tx) error) error {
	return s.Store.Update(ctx, named, opts, func(tx storage.Tx) error {
		if opts.Multi {
			if stall := s.next.Swap(nil); stall != nil {
				close(stall.Reached)
				<-stall.Release
			}
		}
		return fn(tx)
	})
}
