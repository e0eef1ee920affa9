// Package catalog is the registry of tables: their definitions, settings and life cycle, kept as
// ordinary rows of the store and read through a cache of immutable values.
//
// A table is one row, so every change of it is atomic. The rows of all tables are read once, at
// Open; after that the cache is the truth and every change goes through the catalog, which writes
// the row first. The data plane enters a table before it works on it and leaves it afterwards, so
// a deletion takes effect when no operation that was bound before it is left. So does every other
// change: when it returns, all that run were bound to it. What must be done over many items because
// of a change is listed in the table's record as jobs (jobs.go).
//
// Passing states (CREATING, UPDATING, DELETING) end by the injected clock: whoever of the control
// plane looks at a table next moves it on, so that they end without a timer and in tests by moving
// the clock. The data plane only reads the clock.
package catalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/stream"
)

var (
	// ErrNotFound: no table of that name.
	ErrNotFound = errors.New("catalog: no such table")
	// ErrExists: the name is taken, in whatever state.
	ErrExists = errors.New("catalog: table exists")
	// ErrTooMany: there are Options.TablesMax tables already.
	ErrTooMany = errors.New("catalog: too many tables")
)

// firstTableID leaves room for tables of our own.
const firstTableID = 16

// NextTable is the row that holds the next table id, eight bytes big-endian.
const NextTable = "next-table"

// Options of a catalog. All are required but TableDelay.
type Options struct {
	Clock func() time.Time
	// NewUUID makes the table ids that users see.
	NewUUID func() string
	// TableDelay is how long CREATING, UPDATING and DELETING last.
	TableDelay time.Duration
	// TTLLag shows items that are past their time until they are swept.
	TTLLag bool
	// StreamShards is the number of open shards of a stream that is enabled; 0 means 1.
	StreamShards uint32
	// TablesMax bounds the number of tables; 0 means no bound.
	TablesMax int
	// ReadOnly is set when the store takes no writes.
	ReadOnly bool
	// Region is that of the database, for tables with replicas. Wrote is called when something was written in one
	// of them; nil for nobody.
	Region string
	Wrote  func()
	// Keep, if not nil, returns the row of what stays of a table that is deleted, or a nil key for nothing.
	// With such a row the table's items stay where they are, and belong to it.
	Keep func(context.Context, *Record) (key, value []byte, err error)
}

// Table is one table as of now: immutable, shared, never to be changed.
type Table struct {
	Record
	// Region is Options.Region.
	Region string
	wrote  func()
	gate   *gate
	// projected holds, for each index, the sorted names of the attributes of its entries; nil for
	// an index that projects all.
	projected [][]string
	hideBy    string
	bell      *stream.Bell
	feedBell  *stream.Bell
	// marked is the last time for which a mark of the change log is known to be written, in milliseconds
	// since 1970.
	marked  atomic.Int64
	vectors bool
}

// Vectors says whether the table has an index of vectors.
func (t *Table) Vectors() bool { return t.vectors }

// Bell is that of the table's newest stream; nil when it never had one.
func (t *Table) Bell() *stream.Bell { return t.bell }

// HideBy is the attribute whose time hides an item once it is past; empty when nothing hides items.
func (t *Table) HideBy() string { return t.hideBy }

// ProjectedNames returns the sorted names of the attributes that entries of the i-th index hold,
// nil when they hold all.
func (t *Table) ProjectedNames(i int) []string { return t.projected[i] }

// Wrote says that something was written that is to be sent to the table's replicas.
func (t *Table) Wrote() {
	if t.wrote != nil {
		t.wrote()
	}
}

// Leave ends an Enter with the same shard.
func (t *Table) Leave(shard uint32) { t.gate.leave(shard) }

// Catalog of one database. It is safe for concurrent use.
type Catalog struct {
	store storage.Store
	opts  Options
	// tables is replaced whole; readers take no lock.
	tables atomic.Pointer[tables]
	// streams are all streams, those of tables that are gone included, by path; replaced whole.
	streams atomic.Pointer[map[string]streamEntry]
	bells   bells
	// doubts are the tables whose last change may or may not be stored, doubtful is their number;
	// guarded by control.
	doubts   map[string]bool
	doubtful atomic.Int64
	// control serializes all changes. It is held during I/O: the control plane is slow by nature.
	control sync.Mutex
}

// Open reads the catalog and finishes the deletions that a crash cut short.
func Open(ctx context.Context, store storage.Store, opts Options) (*Catalog, error) {
	c := &Catalog{store: store, opts: opts}
	if err := storage.Fresh(ctx, func() error { return c.load(ctx) }); err != nil {
		return nil, err
	}
	return c, c.finishAll(ctx)
}

// load reads all tables and streams.
func (c *Catalog) load(ctx context.Context) error {
	all := new(tables)
	snap, err := c.store.Snapshot(ctx, storage.SnapshotOptions{Owner: "catalog"})
	if err != nil {
		return err
	}
	defer snap.Close()
	it, err := snap.Iter(ctx, storage.Range(key.CatalogRange(key.SubTable)), storage.IterOptions{})
	if err != nil {
		return err
	}
	defer it.Close()
	for it.Next() {
		r, err := DecodeRecord(it.Value())
		if err != nil {
			return err
		}
		all.put(r.Table.Name, c.newTable(r, newGate()))
	}
	if err := it.Err(); err != nil {
		return err
	}
	c.tables.Store(all)
	return c.openStreams(ctx, snap)
}

func (c *Catalog) snapshot() *tables { return c.tables.Load() }

// Cached is a table as it was when it was last looked at, in any state; nil for none.
func (c *Catalog) Cached(name string) *Table { return c.snapshot().get(name) }

// put places a record in the cache.
func (c *Catalog) put(r *Record, g *gate) *Table {
	t := c.newTable(r, g)
	c.replace(r.Table.Name, t)
	return t
}

func (c *Catalog) newTable(r *Record, g *gate) *Table {
	t := &Table{
		Record: *r, Region: c.opts.Region, wrote: c.opts.Wrote, gate: g, projected: Projections(&r.Table),
		vectors: r.Table.HasVectors(),
	}
	t.marked.Store(math.MinInt64)
	if !c.opts.TTLLag {
		t.hideBy = r.Table.TTL
	}
	if r.Stream != nil {
		t.bell = c.bells.of(r.Stream.ID)
	}
	if r.Feed != nil {
		t.feedBell = c.bells.of(r.Feed.ID)
	}
	return t
}

// replace makes t the cached table of a name, or none when it is nil.
func (c *Catalog) replace(name string, t *Table) { c.tables.Store(c.snapshot().with(name, t)) }

// Policed says whether any table or stream has a resource policy.
func (c *Catalog) Policed() bool { return c.snapshot().policed > 0 }

// Projections gives, for each index, the sorted names of the attributes of its entries; nil for an index
// that projects all.
func Projections(t *schema.Table) [][]string {
	out := make([][]string, len(t.Indexes))
	for i := range t.Indexes {
		ix := &t.Indexes[i]
		if ix.Projection == schema.ProjectAll {
			continue
		}
		names := map[string]struct{}{}
		for j := range ix.Key.Len() {
			names[ix.Key.At(j).Name] = struct{}{}
		}
		for j := range t.Key.Len() {
			names[t.Key.At(j).Name] = struct{}{}
		}
		if ix.Vector != nil {
			for _, a := range ix.Vector.Filters {
				names[a.Name] = struct{}{}
			}
		}
		if ix.Projection == schema.ProjectInclude {
			for _, n := range ix.NonKey {
				names[n] = struct{}{}
			}
		}
		for n := range names {
			out[i] = append(out[i], n)
		}
		sort.Strings(out[i])
	}
	return out
}

// Enter returns the table for an operation of the data plane and keeps it from being removed until
// Leave is called with the same shard. Shard spreads the count over the cores; any number will do.
// A table that is CREATING or DELETING is not found: DynamoDB does this (TestDataPlaneStates).
//
// Enter takes no step of a table's life and no lock: an operation enters several tables, and one
// that waited for a removal while it keeps another table from being removed would never end.
func (c *Catalog) Enter(name string, shard uint32) (*Table, error) {
	return c.enter(name, shard, c.usable)
}

// EnterReplica is Enter for what other replicas send, which a table gets before it is ACTIVE, too.
func (c *Catalog) EnterReplica(name string, shard uint32) (*Table, error) {
	return c.enter(name, shard, func(t *Table) bool { return c.usable(t) || t.Status == StatusCreating && t.FillingRegion() != "" })
}

func (c *Catalog) enter(name string, shard uint32, usable func(*Table) bool) (*Table, error) {
	for {
		t := c.snapshot().get(name)
		if t == nil || !usable(t) {
			return nil, ErrNotFound
		}
		if t.gate.enter(shard) {
			return t, nil
		}
		// The table is gone, or another value of it is in the cache already.
		if c.snapshot().get(name) == t {
			return nil, ErrNotFound
		}
	}
}

// usable says whether the data plane may work on a table. The end of CREATING counts even before
// somebody has written it down.
func (c *Catalog) usable(t *Table) bool {
	switch t.Status {
	case StatusActive, StatusUpdating:
		return true
	case StatusCreating:
		return t.due(c.opts.Clock())
	}
	return false
}

// Lookup returns a table in any state. What cannot be settled of other tables does not matter.
func (c *Catalog) Lookup(ctx context.Context, name string) (*Table, error) {
	if c.unsettled() {
		if err := c.finishAll(ctx); err != nil && !c.settled(name) {
			return nil, err
		}
	}
	if t := c.snapshot().get(name); t != nil {
		return t, nil
	}
	return nil, ErrNotFound
}

// Settle takes the steps of tables that are due.
func (c *Catalog) Settle(ctx context.Context) error {
	if !c.unsettled() {
		return nil
	}
	return c.finishAll(ctx)
}

// Names returns up to limit names after the given one, in byte order, and whether more follow.
func (c *Catalog) Names(ctx context.Context, after string, limit int) ([]string, bool, error) {
	if c.unsettled() {
		if err := c.finishAll(ctx); err != nil {
			return nil, false, err
		}
	}
	var names []string
	for n := range c.snapshot().all() {
		if n > after {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	if len(names) > limit {
		return names[:limit], true, nil
	}
	return names, false, nil
}

// Provisioned is the throughput of all tables but one, with that of their indexes.
func (c *Catalog) Provisioned(but string) (sum Throughput) {
	for name, t := range c.snapshot().all() {
		if name == but || t.Status == StatusDeleting {
			continue
		}
		b := &t.Billing
		if t.Pending != nil {
			b = t.Pending
		}
		p := b.Provisioned()
		sum.Read, sum.Write = sum.Read+p.Read, sum.Write+p.Write
	}
	return sum
}

// Passing counts the tables that are being created, updated or deleted, and of those that are being created the ones
// with indexes.
func (c *Catalog) Passing() (all, indexed int) {
	passing := c.snapshot().passing
	for _, t := range passing {
		if t.Status == StatusCreating && len(t.Table.Indexes) > 0 {
			indexed++
		}
	}
	return len(passing), indexed
}

// Count of tables in every state.
func (c *Catalog) Count() int { return c.snapshot().count }

// Create stores a new table. The record needs Table without ID and index subs, which are given
// here. The answer is the table as of its creation: CREATING.
func (c *Catalog) Create(ctx context.Context, r Record) (*Table, error) {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.finishLocked(ctx); err != nil {
		return nil, err
	}
	if c.snapshot().get(r.Table.Name) != nil {
		return nil, ErrExists
	}
	if c.opts.TablesMax > 0 && c.Count() >= c.opts.TablesMax {
		return nil, ErrTooMany
	}
	now := c.opts.Clock()
	r.Status, r.UntilMs = StatusCreating, now.Add(c.opts.TableDelay).UnixMilli()
	if r.Filling != "" {
		r.UntilMs = math.MaxInt64 // until Filled
	}
	r.CreatedMs, r.UUID = now.UnixMilli(), c.opts.NewUUID()
	r.NextSub = key.TableSub + 1
	for i := range r.Table.Indexes {
		r.giveSubs(&r.Table.Indexes[i])
	}
	if r.Table.HasLocal() {
		r.Table.CollectionSub = r.TakeSub()
	}
	if r.Global != nil {
		r.takeSubs()
	}
	s, err := c.newStream(ctx, &r)
	if err != nil {
		return nil, err
	}
	row, err := c.storeNew(ctx, &r, s)
	if err != nil {
		return nil, c.doubt(r.Table.Name, err)
	}
	if s != nil {
		c.putStream(s, row)
	}
	return c.put(&r, newGate()), nil
}

// storeNew takes a table id and writes the row in one update, with that of the table's stream, which
// it returns.
func (c *Catalog) storeNew(ctx context.Context, r *Record, s *schema.Stream) (streamBytes []byte, err error) {
	row := key.AppendCatalog(nil, key.SubTable, r.Table.Name)
	named := []storage.Named{NamedTableID(), {Key: row}}
	if s != nil {
		named = append(named, storage.Named{Key: streamRow(s.ID)})
	}
	err = c.store.Update(ctx, named, storage.UpdateOptions{}, func(tx storage.Tx) error {
		if tx.Value(1).Present {
			return ErrExists
		}
		id, err := TakeTableID(tx, tx.Value(0))
		if err != nil {
			return err
		}
		r.Table.ID = id
		b, err := r.encode()
		if err != nil {
			return err
		}
		tx.Put(row, b)
		if s == nil {
			return nil
		}
		s.Shards = firstShards(s, uint64(tx.Seq()))
		streamBytes, err = storeStream(tx, s)
		return err
	})
	return streamBytes, err
}

// NamedTableID names the row of the next table id for an update that calls TakeTableID.
func NamedTableID() storage.Named {
	return storage.Named{Key: key.AppendCatalog(nil, key.SubMeta, NextTable)}
}

// TakeTableID gives out a table id in an update that names NamedTableID, whose value it is given.
func TakeTableID(tx storage.Tx, v storage.Value) (uint64, error) {
	id, err := nextID(v)
	if err != nil {
		return 0, fmt.Errorf("catalog: next table id: %w", err)
	}
	tx.Put(NamedTableID().Key, binary.BigEndian.AppendUint64(nil, id+1))
	return id, nil
}

// nextID reads the row that holds the next id.
func nextID(v storage.Value) (uint64, error) {
	if !v.Present {
		return firstTableID, nil
	}
	if len(v.Data) != 8 {
		return 0, storage.ErrCorrupt
	}
	return binary.BigEndian.Uint64(v.Data), nil
}

// Update changes a table's record. change gets a copy of the settled record and may refuse it with
// an error, which comes back unchanged. With pass the table goes through UPDATING. When Update
// returns, no operation is left that was bound before the change.
func (c *Catalog) Update(ctx context.Context, name string, pass bool, change func(*Record) error) (*Table, error) {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.finishLocked(ctx); err != nil {
		return nil, err
	}
	t := c.snapshot().get(name)
	if t == nil {
		return nil, ErrNotFound
	}
	r := t.clone()
	if err := change(r); err != nil {
		return nil, err
	}
	if pass {
		r.Status = StatusUpdating
		r.UntilMs = c.opts.Clock().Add(c.opts.TableDelay).UnixMilli()
	}
	if r.Feed != nil && len(r.Feed.Consumers) == 0 {
		r.Feed = nil
	}
	switch was, is := t.Streams(), r.Streams(); {
	case r.feedChange(t):
		return c.updateFeed(ctx, t, r)
	case is && (!was || t.Stream.ID != r.Stream.ID):
		return c.enableStream(ctx, t, r)
	case was && !is:
		return c.disableStream(ctx, t, r)
	}
	if err := c.write(ctx, r); err != nil {
		return nil, err
	}
	return c.supersede(r, t), nil
}

// supersede publishes a changed record and waits until all that entered the old one have left. Until
// then operations of both run side by side. A new index therefore comes in two steps: the first ends
// when nobody is left who does not remove its entries, and only in the second are entries made.
func (c *Catalog) supersede(r *Record, old *Table) *Table {
	if first := r.deleteOnly(old); first != nil {
		t := c.put(first, newGate())
		old.gate.drain()
		old = t
	}
	t := c.put(r, newGate())
	old.gate.drain()
	return t
}

// Delete begins the removal of a table: from now on the data plane does not find it. check may
// refuse it, and change what is left to be done before the table is gone: with a destination that is DISABLING it
// stays until that is over. The answer is the table as DELETING; without a delay or such a destination it is gone
// when Delete returns.
func (c *Catalog) Delete(ctx context.Context, name string, check func(*Record) error) (*Table, error) {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.finishLocked(ctx); err != nil {
		return nil, err
	}
	t := c.snapshot().get(name)
	if t == nil {
		return nil, ErrNotFound
	}
	r := t.clone()
	if err := check(r); err != nil {
		return nil, err
	}
	r.Status, r.UntilMs = StatusDeleting, c.opts.Clock().Add(c.opts.TableDelay).UnixMilli()
	r.Filling = "" // of a replica that is not wanted any more
	if err := c.write(ctx, r); err != nil {
		return nil, err
	}
	deleting := c.supersede(r, t) // what was under way is in its feed
	return deleting, c.finishLocked(ctx)
}

func (c *Catalog) write(ctx context.Context, r *Record) error {
	b, err := r.encode()
	if err != nil {
		return err
	}
	var batch storage.Batch
	batch.Put(key.AppendCatalog(nil, key.SubTable, r.Table.Name), b)
	return c.doubt(r.Table.Name, c.store.Apply(ctx, &batch, storage.UpdateOptions{}))
}

// due says whether a table has a step to take now.
func (c *Catalog) due(now time.Time) bool {
	for _, t := range c.snapshot().passing {
		if t.due(now) {
			return true
		}
	}
	return false
}

// finishAll takes the steps that are due; of a store that takes no writes, in the cache only.
func (c *Catalog) finishAll(ctx context.Context) error {
	if c.doubtful.Load() == 0 && !c.due(c.opts.Clock()) {
		return nil
	}
	c.control.Lock()
	defer c.control.Unlock()
	return c.finishLocked(ctx)
}

func (c *Catalog) finishLocked(ctx context.Context) error {
	if err := c.ask(ctx); err != nil {
		return err
	}
	now := c.opts.Clock()
	for name, t := range c.snapshot().passing {
		switch {
		case t.gone(now) && c.opts.ReadOnly:
			c.replace(name, nil)
		case t.gone(now):
			if err := c.remove(ctx, name, t); err != nil {
				return err
			}
		default:
			if r := t.clone(); r.settle(now) {
				if c.opts.ReadOnly {
					c.put(r, t.gate)
					continue
				}
				if err := c.write(ctx, r); err != nil {
					return err
				}
				c.put(r, t.gate)
			}
		}
	}
	return nil
}

// remove drops a deleted table's data and then its row. A crash in between leaves the row, so that
// the next open does it again: DropRange may be repeated.
func (c *Catalog) remove(ctx context.Context, name string, t *Table) error {
	t.gate.drain()
	// Nobody writes any more, so that the stream ends with the last change of the table.
	if err := c.endStream(ctx, &t.Record); err != nil {
		return err
	}
	if err := c.endFeed(ctx, &t.Record); err != nil {
		return err
	}
	var batch storage.Batch
	gone := storage.Range(key.WholeSpace(key.TableSpace(t.Table.ID)))
	if c.opts.Keep != nil {
		k, v, err := c.opts.Keep(ctx, &t.Record)
		if err != nil {
			return err
		}
		if k != nil {
			batch.Put(k, v)
			gone.Start = key.AppendPrefix(nil, key.TableSpace(t.Table.ID), key.TableSub+1)
		}
	}
	if err := c.store.DropRange(ctx, gone); err != nil {
		return err
	}
	batch.Delete(key.AppendCatalog(nil, key.SubTable, name))
	t.forget(&batch)
	if err := c.store.Apply(ctx, &batch, storage.UpdateOptions{}); err != nil {
		return err
	}
	c.replace(name, nil)
	return nil
}
