package memstore

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/storage"
)

// claim is what one update wants of one key.
type claim struct {
	key    string
	shared bool
	noWait bool
	multi  bool
}

// waiter is a claim in a queue. ready receives exactly one value: nil when the key is granted, or
// the refusal of a claim that does not wait.
type waiter struct {
	*claim
	ready chan error
}

// keyLock is the state of one key that is held or waited for.
type keyLock struct {
	holders []*claim
	queue   []*waiter
}

// lockTable locks exact keys, shared or exclusive, first come first served. Everyone takes keys in
// key order, so there is no deadlock.
type lockTable struct {
	mu   sync.Mutex
	keys map[string]*keyLock // guarded by mu
}

func newLockTable() *lockTable { return &lockTable{keys: map[string]*keyLock{}} }

// held is the set of keys that one update holds.
type held struct {
	table  *lockTable
	claims []*claim
}

// claimsOf sorts and merges the named keys: a key that is named twice is locked once, exclusively
// if either asks so.
func claimsOf(named []storage.Named, multi bool) []*claim {
	claims := make([]*claim, 0, len(named))
	for _, n := range named {
		claims = append(claims, &claim{
			key: string(n.Key), shared: n.Shared, noWait: n.NoWait, multi: multi,
		})
	}
	slices.SortStableFunc(claims, func(a, b *claim) int {
		return bytes.Compare([]byte(a.key), []byte(b.key))
	})
	out := claims[:0]
	for _, c := range claims {
		if n := len(out); n > 0 && out[n-1].key == c.key {
			out[n-1].shared = out[n-1].shared && c.shared
			out[n-1].noWait = out[n-1].noWait || c.noWait
			continue
		}
		out = append(out, c)
	}
	return out
}

// lock takes all claims in order. It ends early with a context's error, with a Conflict, or with
// ErrClosed when closed is closed; then nothing is held.
func (t *lockTable) lock(ctx context.Context, claims []*claim, closed <-chan struct{}) (*held, error) {
	h := &held{table: t}
	for _, c := range claims {
		if err := t.lockOne(ctx, c, closed); err != nil {
			h.release()
			return nil, err
		}
		h.claims = append(h.claims, c)
	}
	return h, nil
}

func (t *lockTable) lockOne(ctx context.Context, c *claim, closed <-chan struct{}) error {
	w := t.request(c)
	select {
	case err := <-w.ready:
		return err
	default:
	}
	var cause error
	select {
	case err := <-w.ready:
		return err
	case <-ctx.Done():
		cause = ctx.Err()
	case <-closed:
		cause = storage.ErrClosed
	}
	t.withdraw(w)
	return cause
}

func (t *lockTable) request(c *claim) *waiter {
	w := &waiter{claim: c, ready: make(chan error, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.keys[c.key]
	if l == nil {
		l = &keyLock{}
		t.keys[c.key] = l
	}
	l.queue = append(l.queue, w)
	l.settleLocked()
	t.forgetLocked(c.key, l)
	return w
}

// withdraw takes a waiter out of its queue, or gives the key back if it was granted meanwhile.
func (t *lockTable) withdraw(w *waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.keys[w.key]
	if l == nil {
		return
	}
	if i := slices.Index(l.queue, w); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	} else if i := slices.Index(l.holders, w.claim); i >= 0 {
		l.holders = slices.Delete(l.holders, i, i+1)
	}
	l.settleLocked()
	t.forgetLocked(w.key, l)
}

// release gives all keys back. It may be called again.
func (h *held) release() {
	h.table.mu.Lock()
	defer h.table.mu.Unlock()
	for _, c := range h.claims {
		l := h.table.keys[c.key]
		if i := slices.Index(l.holders, c); i >= 0 {
			l.holders = slices.Delete(l.holders, i, i+1)
		}
		l.settleLocked()
		h.table.forgetLocked(c.key, l)
	}
	h.claims = nil
}

func (t *lockTable) forgetLocked(key string, l *keyLock) {
	if len(l.holders) == 0 && len(l.queue) == 0 {
		delete(t.keys, key)
	}
}

// settleLocked grants what the front of the queue may have and refuses those who do not wait for a
// transaction, until neither changes anything.
func (l *keyLock) settleLocked() {
	for l.grantLocked() || l.refuseLocked() {
	}
}

func (l *keyLock) grantLocked() bool {
	if len(l.queue) == 0 || !l.admits(l.queue[0].claim) {
		return false
	}
	w := l.queue[0]
	l.queue = slices.Delete(l.queue, 0, 1)
	l.holders = append(l.holders, w.claim)
	w.ready <- nil
	return true
}

func (l *keyLock) refuseLocked() bool {
	for i, w := range l.queue {
		if w.noWait && l.heldByMulti(w.claim) {
			l.queue = slices.Delete(l.queue, i, i+1)
			w.ready <- &storage.ConflictError{Key: []byte(w.key), Multi: true}
			return true
		}
	}
	return false
}

// admits says whether c is compatible with every holder.
func (l *keyLock) admits(c *claim) bool {
	for _, h := range l.holders {
		if !h.shared || !c.shared {
			return false
		}
	}
	return true
}

// heldByMulti says whether c would wait for a transaction.
func (l *keyLock) heldByMulti(c *claim) bool {
	for _, h := range l.holders {
		if h.multi && (!h.shared || !c.shared) {
			return true
		}
	}
	return false
}
