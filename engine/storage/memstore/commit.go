package memstore

import (
	"context"
	"runtime"
	"slices"

	"github.com/keystone-db/kstone/engine/storage"
)

// version is one write of a pending commit.
type version struct {
	value   []byte
	present bool
	multi   bool
}

// commit is one update or batch on its way from its locks to its publication.
type commit struct {
	writes map[string]*version
	reads  []string // named keys that it does not write
	owned  []string // keys named exclusively, sorted: its guards
	seq    storage.Seq

	// The rest is guarded by core.mu.
	blockers   int // earlier pending commits that must be published first
	dependents []*commit
	ready      bool  // its delay is over
	settled    bool  // published or failed
	err        error // set before done is closed
	done       chan struct{}
}

// trace is the list of pending commits that touch one key, in order.
type trace struct {
	commits []*commit
	newest  *version // the newest pending version, nil if none is written
}

// enqueueLocked makes c pending. Its keys are still locked, so that the order of pending commits
// along each key is the order of its locks. With an error nothing has happened.
func (c *core) enqueueLocked(cm *commit) error {
	if c.poisoned {
		return storage.ErrUnavailable // its Seq stays unfinished
	}
	guards, err := c.guards.check(cm.writes, cm.owned)
	if err != nil {
		c.seqs.finish(cm.seq)
		return err
	}
	c.guards.note(cm.writes, guards)
	cm.done = make(chan struct{})
	seen := map[*commit]bool{}
	for key, v := range cm.writes {
		c.joinLocked(cm, key, true, seen)
		c.traces[key].newest = v
	}
	for _, key := range cm.reads {
		c.joinLocked(cm, key, false, seen)
	}
	c.pending[cm] = struct{}{}
	return nil
}

// joinLocked adds cm behind every pending commit with which it is ordered on key. Two readers are
// not; a writer behind a reader is: published first, it would show what the reader did not see,
// to someone who does not see the reader's other effects.
func (c *core) joinLocked(cm *commit, key string, writes bool, seen map[*commit]bool) {
	t := c.traces[key]
	if t == nil {
		t = &trace{}
		c.traces[key] = t
	}
	for _, earlier := range t.commits {
		if !writes && earlier.writes[key] == nil || seen[earlier] {
			continue
		}
		seen[earlier] = true
		earlier.dependents = append(earlier.dependents, cm)
		cm.blockers++
	}
	t.commits = append(t.commits, cm)
}

// leaveLocked takes a settled commit out of the traces of its keys.
func (c *core) leaveLocked(cm *commit) {
	leave := func(key string) {
		t := c.traces[key]
		if i := slices.Index(t.commits, cm); i >= 0 {
			t.commits = slices.Delete(t.commits, i, i+1)
		}
		if v := cm.writes[key]; v != nil && t.newest == v {
			t.newest = nil
		}
		if len(t.commits) == 0 {
			delete(c.traces, key)
		}
	}
	for key := range cm.writes {
		leave(key)
	}
	for _, key := range cm.reads {
		leave(key)
	}
	delete(c.pending, cm)
}

// settleLocked publishes every commit that is ready and unblocked, starting with cm.
func (c *core) settleLocked(cm *commit) {
	work := []*commit{cm}
	for len(work) > 0 {
		cm := work[len(work)-1]
		work = work[:len(work)-1]
		if !cm.ready || cm.settled || cm.blockers > 0 || c.stalls > 0 && len(cm.writes) > 0 {
			continue
		}
		c.publishLocked(cm)
		for _, d := range cm.dependents {
			d.blockers--
			work = append(work, d)
		}
	}
}

// publishLocked makes cm visible: the moment at which it takes effect.
func (c *core) publishLocked(cm *commit) {
	for key, v := range cm.writes {
		if v.present {
			c.visible.Set(newEntry(key, v.value, c.opts.Mangle))
		} else {
			c.visible.Delete(entry{key: key})
		}
	}
	if len(cm.writes) > 0 {
		c.rememberLocked()
	}
	c.endLocked(cm, nil)
	c.seqs.finish(cm.seq)
}

func (c *core) endLocked(cm *commit, err error) {
	cm.settled, cm.err = true, err
	c.leaveLocked(cm)
	close(cm.done)
}

// rememberLocked keeps the states that stale snapshots and reruns may see.
func (c *core) rememberLocked() {
	if c.opts.Stale == 0 {
		return
	}
	c.past = append(c.past, c.visible.Copy())
	if len(c.past) > c.opts.Stale+1 {
		c.past = slices.Delete(c.past, 0, 1)
	}
}

// finish is the way of a commit from its locks to its answer. verdict is what the caller is told
// once the commit is published: nil, or fn's own error.
func (s *Store) finish(ctx context.Context, cm *commit, locks *held, verdict error) error {
	c := s.core
	loss := c.loseAnswer(cm)
	if loss == lostNotApplied {
		locks.release()
		c.seqs.finish(cm.seq)
		return storage.ErrUncertain
	}
	c.mu.Lock()
	err := c.enqueueLocked(cm)
	c.mu.Unlock()
	locks.release()
	if err != nil {
		return err
	}

	if loss == lostAppliedLater {
		c.background.Go(func() {
			c.mature(cm)
		})
		return storage.ErrUncertain
	}
	c.mature(cm)
	if len(cm.writes) > 0 {
		<-cm.done // the write is in the log: the context no longer counts
	} else {
		select {
		case <-cm.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	switch {
	case cm.err != nil:
		return cm.err
	case loss == lostApplied:
		return storage.ErrUncertain
	}
	return verdict
}

// mature lets the delay of late visibility pass and publishes what can be published.
func (c *core) mature(cm *commit) {
	for range c.dice.upTo(c.opts.Late) {
		runtime.Gosched()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	cm.ready = true
	c.settleLocked(cm)
}

// loss is how an answer is lost.
type loss uint8

const (
	lostNothing loss = iota
	lostNotApplied
	lostApplied
	lostAppliedLater
)

func (c *core) loseAnswer(cm *commit) loss {
	if len(cm.writes) == 0 {
		return lostNothing
	}
	c.mu.Lock()
	planned := c.losses
	if len(planned) > 0 {
		c.losses = planned[1:]
	}
	c.mu.Unlock()
	switch {
	case len(planned) > 0:
		return planned[0]
	case !c.dice.roll(c.opts.Uncertain):
		return lostNothing
	case c.dice.roll(0.5):
		return lostNotApplied
	case c.dice.roll(0.5):
		return lostAppliedLater
	}
	return lostApplied
}
