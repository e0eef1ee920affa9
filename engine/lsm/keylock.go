package lsm

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/keystone-db/kstone/engine/storage"
)

// lockShards is a power of two.
const lockShards = 256

// spareLocksMax bounds the unused lock objects that a shard keeps.
const spareLocksMax = 64

// keyLocks are locks by exact key. A key that nobody holds takes no memory.
type keyLocks struct {
	shards [lockShards]lockShard
}

type lockShard struct {
	mu    sync.Mutex
	held  map[uint64]*keyLock // by hash, chained
	spare []*keyLock
}

// keyLock is held by one exclusive or several shared holders. Guarded by its shard's mutex.
type keyLock struct {
	key     []byte
	chained *keyLock // another key of the same hash
	shared  int
	excl    bool
	multis  int // holders that are transactions
	queue   []*lockWaiter
}

type lockWaiter struct {
	want lockWant
	// done gets nil when the lock is granted, a conflict when the waiter is refused. Buffered.
	done chan error
}

// lockWant is one key as an update wants it.
type lockWant struct {
	key                   []byte
	hash                  uint64
	shared, noWait, multi bool
}

func (k *keyLocks) shard(hash uint64) *lockShard { return &k.shards[hash%lockShards] }

// normalize sorts wants by key and joins equal keys: one that is not shared wins.
func normalize(wants []lockWant) []lockWant {
	if len(wants) < 2 {
		return wants
	}
	slices.SortFunc(wants, func(a, b lockWant) int { return bytes.Compare(a.key, b.key) })
	out := wants[:1]
	for _, w := range wants[1:] {
		last := &out[len(out)-1]
		if bytes.Equal(last.key, w.key) {
			last.shared = last.shared && w.shared
			last.noWait = last.noWait || w.noWait
			continue
		}
		out = append(out, w)
	}
	return out
}

// lockAll locks in key order; wants are normalized. On an error nothing is held.
func (k *keyLocks) lockAll(ctx context.Context, wants []lockWant, wait time.Duration) error {
	for i := range wants {
		wants[i].hash = xxhash.Sum64(wants[i].key)
		if err := k.lock(ctx, &wants[i], wait); err != nil {
			k.unlockAll(wants[:i])
			return err
		}
	}
	return nil
}

func (k *keyLocks) unlockAll(wants []lockWant) {
	for i := range wants {
		k.unlock(&wants[i])
	}
}

func (s *lockShard) findLocked(hash uint64, key []byte) *keyLock {
	for l := s.held[hash]; l != nil; l = l.chained {
		if bytes.Equal(l.key, key) {
			return l
		}
	}
	return nil
}

func (s *lockShard) addLocked(w *lockWant) *keyLock {
	var l *keyLock
	if n := len(s.spare); n > 0 {
		l, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		l = &keyLock{}
	}
	l.key = append(l.key[:0], w.key...)
	if s.held == nil {
		s.held = make(map[uint64]*keyLock)
	}
	l.chained = s.held[w.hash]
	s.held[w.hash] = l
	return l
}

// removeLocked forgets a lock that nobody holds or waits for.
func (s *lockShard) removeLocked(hash uint64, l *keyLock) {
	if first := s.held[hash]; first == l {
		if l.chained == nil {
			delete(s.held, hash)
		} else {
			s.held[hash] = l.chained
		}
	} else {
		for first.chained != l {
			first = first.chained
		}
		first.chained = l.chained
	}
	l.chained = nil
	if len(s.spare) < spareLocksMax {
		s.spare = append(s.spare, l)
	}
}

func (l *keyLock) free(w *lockWant) bool { return !l.excl && (w.shared || l.shared == 0) }

func (l *keyLock) grant(w *lockWant) {
	if w.shared {
		l.shared++
	} else {
		l.excl = true
	}
	if !w.multi {
		return
	}
	l.multis++
	// Whoever refuses to wait for a transaction and cannot share the key with it goes now.
	l.queue = slices.DeleteFunc(l.queue, func(q *lockWaiter) bool {
		if !q.want.noWait || l.free(&q.want) {
			return false
		}
		q.done <- conflict(q.want.key, true)
		return true
	})
}

func conflict(key []byte, multi bool) error {
	return &storage.ConflictError{Key: bytes.Clone(key), Multi: multi}
}

func (k *keyLocks) lock(ctx context.Context, w *lockWant, wait time.Duration) error {
	s := k.shard(w.hash)
	s.mu.Lock()
	l := s.findLocked(w.hash, w.key)
	if l == nil {
		l = s.addLocked(w)
	}
	if l.free(w) && len(l.queue) == 0 {
		l.grant(w)
		s.mu.Unlock()
		return nil
	}
	if w.noWait && l.multis > 0 && !l.free(w) {
		s.mu.Unlock()
		return conflict(w.key, true)
	}
	waiter := &lockWaiter{want: *w, done: make(chan error, 1)}
	l.queue = append(l.queue, waiter)
	s.mu.Unlock()
	return k.await(ctx, waiter, wait)
}

// await waits for a grant, a refusal, the context or the bound.
func (k *keyLocks) await(ctx context.Context, waiter *lockWaiter, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	var err error
	select {
	case err := <-waiter.done:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = conflict(waiter.want.key, false)
	}
	s := k.shard(waiter.want.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case granted := <-waiter.done:
		// The grant was faster than we were.
		return granted
	default:
	}
	l := s.findLocked(waiter.want.hash, waiter.want.key)
	l.queue = slices.DeleteFunc(l.queue, func(q *lockWaiter) bool { return q == waiter })
	s.settleLocked(waiter.want.hash, l)
	return err
}

func (k *keyLocks) unlock(w *lockWant) {
	s := k.shard(w.hash)
	s.mu.Lock()
	l := s.findLocked(w.hash, w.key)
	if w.shared {
		l.shared--
	} else {
		l.excl = false
	}
	if w.multi {
		l.multis--
	}
	s.settleLocked(w.hash, l)
	s.mu.Unlock()
}

// settleLocked grants in the order of arrival, and forgets a lock that is of no use any more.
func (s *lockShard) settleLocked(hash uint64, l *keyLock) {
	for len(l.queue) > 0 && l.free(&l.queue[0].want) {
		waiter := l.queue[0]
		l.queue = slices.Delete(l.queue, 0, 1)
		l.grant(&waiter.want)
		waiter.done <- nil
	}
	if len(l.queue) == 0 && l.shared == 0 && !l.excl {
		l.queue = l.queue[:0]
		s.removeLocked(hash, l)
	}
}
