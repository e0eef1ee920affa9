package merge

import "github.com/keystone-db/kstone/engine/lsm/internal/base"

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
	it   base.Iterator
	opts CompactorOptions
}

// NewCompactor works over it, usually an Iter, and takes it over: Close closes it.
func NewCompactor(it base.Iterator, opts CompactorOptions) *Compactor {
	return &Compactor{it: it, opts: opts}
}

// Next moves to the next version that must be kept; false at the end or on an error. The first
// call moves to the first.
func (c *Compactor) Next() bool { return false }

// Entry is the version; Key is valid until the next call, Value is never changed.
func (c *Compactor) Entry() base.Entry { return base.Entry{} }

// NewKey says whether the key differs from the previous entry yielded: tables are cut here only.
func (c *Compactor) NewKey() bool { return false }

// Err returns what stopped the walk early.
func (c *Compactor) Err() error { return nil }

// Close closes the source.
func (c *Compactor) Close() error { return c.it.Close() }
