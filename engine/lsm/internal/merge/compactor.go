package merge

import (
	"bytes"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/bug"
)

// CompactorOptions say what a Compactor may leave out.
type CompactorOptions struct {
	// Horizon is the lower of visible and all registered snapshots.
	Horizon base.LSN
	// Bottom says whether no source older than the inputs can hold key. nil means never, as in a
	// flush, whose tombstones must stay.
	Bottom func(key []byte) bool
	// Dead ranges are left out whole.
	Dead Dead
}

// Compactor walks versions forward and leaves out the droppable ones. Flush and compaction write
// what it yields.
type Compactor struct {
	it      base.Iterator
	opts    CompactorOptions
	started bool

	key    []byte   // of the version before, kept or not
	newer  base.LSN // its LSN
	dead   bool     // key lies in a dead range
	fresh  bool     // nothing was yielded of key yet
	newKey bool
}

// NewCompactor works over it, usually an Iter, and takes it over: Close closes it.
func NewCompactor(it base.Iterator, opts CompactorOptions) *Compactor {
	return &Compactor{it: it, opts: opts}
}

// Next moves to the next version that must be kept; false at the end or on an error. The first
// call moves to the first.
func (c *Compactor) Next() bool {
	ok := false
	if c.started {
		ok = c.it.Next()
	} else {
		ok = c.it.First()
	}
	for ; ok; ok = c.it.Next() {
		first := !c.started
		c.started = true
		if first || !bytes.Equal(c.it.Key(), c.key) {
			c.key = append(c.key[:0], c.it.Key()...)
			c.newer, c.fresh = 0, true
			c.dead = c.opts.Dead.Has(c.key)
		}
		if c.keep() {
			c.newKey, c.fresh = c.fresh, false
			return true
		}
	}
	c.started = true
	return false
}

// keep decides on the current version and notes it as the next newer one of those behind it.
func (c *Compactor) keep() bool {
	newer := c.newer
	c.newer = c.it.LSN()
	if c.dead {
		return false
	}
	kind, bottom := c.it.Kind(), false
	if newer == 0 && kind == base.KindTombstone && c.opts.Bottom != nil {
		bottom = c.opts.Bottom(c.key)
	}
	if bug.Enabled(bug.TombstoneDroppedEarly) {
		bottom = true
	}
	return !Droppable(kind, c.it.LSN(), newer, c.opts.Horizon, bottom)
}

// Entry is the version; Key and Value are valid until the next call.
func (c *Compactor) Entry() base.Entry {
	return base.Entry{Key: c.key, LSN: c.it.LSN(), Kind: c.it.Kind(), Value: c.it.Value()}
}

// NewKey says whether the key differs from the previous entry yielded: tables are cut here only.
func (c *Compactor) NewKey() bool { return c.newKey }

// Err returns what stopped the walk early.
func (c *Compactor) Err() error { return c.it.Err() }

// Close closes the source.
func (c *Compactor) Close() error { return c.it.Close() }
