package memstore

import (
	"context"

	"github.com/tidwall/btree"

	"github.com/keystone-db/kstone/engine/storage"
)

// misfortune draws the failures that come before anything is applied.
func (c *core) misfortune(claims []*claim) error {
	if c.isPoisoned() {
		return storage.ErrUnavailable
	}
	if len(claims) > 0 && c.dice.roll(c.opts.Conflict) {
		victim := claims[c.dice.upTo(len(claims)-1)]
		return &storage.ConflictError{
			Key:   []byte(victim.key),
			Multi: c.dice.roll(c.opts.ConflictMulti),
		}
	}
	if c.dice.roll(c.opts.Unavailable) {
		return storage.ErrUnavailable
	}
	return nil
}

// rehearse runs fn on consistent states that are then thrown away, as an optimistic backend does
// whose commit failed. No key is locked, so the state is often not the one that counts.
func (c *core) rehearse(ctx context.Context, named []storage.Named, fn func(storage.Tx) error) error {
	for range RerunMax {
		if !c.dice.roll(c.opts.Rerun) {
			return nil
		}
		tree := c.pastState()
		values := make([]storage.Value, len(named))
		for i, n := range named {
			v, err := c.lookup(tree, n.Key)
			if err != nil {
				return err
			}
			values[i] = v
		}
		t, _ := c.runTx(values, fn) // its error is thrown away like its writes
		t.abandon()
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// refuseLocked refuses claims that do not wait for a transaction that wrote their key and is not
// visible yet. The keys are locked.
func (c *core) refuseLocked(claims []*claim) error {
	for _, cl := range claims {
		t := c.traces[cl.key]
		if cl.noWait && t != nil && t.newest != nil && t.newest.multi {
			return &storage.ConflictError{Key: []byte(cl.key), Multi: true}
		}
	}
	return nil
}

// newest reads the named keys, pending versions included, and refuses those that do not wait for a
// transaction that wrote one. The keys are locked.
func (c *core) newest(named []storage.Named, claims []*claim) ([]storage.Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refuseLocked(claims); err != nil {
		return nil, err
	}
	values := make([]storage.Value, len(named))
	for i, n := range named {
		v, err := c.newestLocked(n.Key)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

func (c *core) newestLocked(key []byte) (storage.Value, error) {
	t := c.traces[string(key)]
	if t == nil || t.newest == nil {
		return c.lookup(c.visible, key)
	}
	if !t.newest.present {
		return storage.Value{}, nil
	}
	return c.hand(newEntry(string(key), t.newest.value, c.opts.Mangle))
}

// pastState returns a state that was visible a little while ago, or is now.
func (c *core) pastState() *btree.BTreeG[entry] {
	lag := c.dice.upTo(c.opts.Stale)
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := len(c.past) - 1 - lag; i >= 0 && lag > 0 {
		return c.past[i]
	}
	return c.visible.Copy()
}

func (c *core) isPoisoned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.poisoned
}

// StallPublish keeps everything from being published until release is called; calls nest. Updates
// still run and become pending. It is a hook of storagetest.
func (s *Store) StallPublish() (release func()) {
	c := s.core
	c.mu.Lock()
	c.stalls++
	c.mu.Unlock()
	released := false
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if released {
			return
		}
		released = true
		c.stalls--
		waiting := make([]*commit, 0, len(c.pending))
		for cm := range c.pending {
			waiting = append(waiting, cm)
		}
		for _, cm := range waiting {
			c.settleLocked(cm)
		}
	}
}

// FailLog is a failed sync: whatever is pending ends Uncertain, or Unavailable where it only read
// what may vanish, and the store takes no writes any more. It is a hook of storagetest.
func (s *Store) FailLog() {
	c := s.core
	c.mu.Lock()
	c.poisoned = true
	for cm := range c.pending {
		if len(cm.writes) > 0 {
			c.endLocked(cm, storage.ErrUncertain)
		} else {
			c.endLocked(cm, storage.ErrUnavailable)
		}
	}
	c.mu.Unlock()
	c.seqs.wakeAll()
}

// LoseNextAnswer makes the next update or batch that writes end Uncertain, applied or not. It is a
// hook of storagetest.
func (s *Store) LoseNextAnswer(applied bool) {
	c := s.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if applied {
		c.losses = append(c.losses, lostApplied)
	} else {
		c.losses = append(c.losses, lostNotApplied)
	}
}
