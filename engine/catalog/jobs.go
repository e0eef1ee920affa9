package catalog

import (
	"context"
	"slices"

	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// JobKind says what a job does. Stored: never renumber.
type JobKind uint8

const (
	// JobIndex writes the entries of a new index for the items that were there before it.
	JobIndex JobKind = 1
	// JobExpiry writes the expiry rows of the items that were there before time to live was on.
	JobExpiry JobKind = 2
	// JobDrop removes all keys of an index or of expiry rows that nobody uses any more.
	JobDrop JobKind = 3
)

// Job is work over many keys that a change of a table left to be done in the background, in steps.
// How far it came is stored in a row of its own, by the update that does a step.
type Job struct {
	Kind JobKind `json:"kind"`
	// Sub is the index or kind of rows that the job is about; no two jobs of a table share one.
	Sub uint32 `json:"sub"`
	// Ready: the table has left the passing state of the change, and the job may begin.
	Ready bool `json:"ready,omitempty"`
	// Index is what JobDrop removes, nil when it is no index.
	Index *schema.Index `json:"index,omitempty"`
}

// Job returns the job about a sub, nil when there is none.
func (r *Record) Job(sub uint32) *Job {
	for i := range r.Jobs {
		if r.Jobs[i].Sub == sub {
			return &r.Jobs[i]
		}
	}
	return nil
}

// ChangesIndexes says whether an index is being made or removed.
func (r *Record) ChangesIndexes() bool {
	return slices.ContainsFunc(r.Jobs, func(j Job) bool { return j.Kind == JobIndex || j.Index != nil })
}

// BuildsIndexes says whether an index is being made.
func (r *Record) BuildsIndexes() bool {
	return slices.ContainsFunc(r.Jobs, func(j Job) bool { return j.Kind == JobIndex })
}

// giveSubs gives a new index the ids that it needs.
func (r *Record) giveSubs(ix *schema.Index) {
	ix.Sub = r.TakeSub()
	if ix.Vector != nil {
		v := *ix.Vector // another table may have it
		v.Tail, v.Graph = r.TakeSub(), r.TakeSub()
		ix.Vector = &v
	}
}

// AddIndex adds an index that writes keep from now on and a job fills.
func (r *Record) AddIndex(ix schema.Index) {
	r.giveSubs(&ix)
	ix.Building = true
	at := len(r.Table.Indexes)
	if ix.Global() {
		if i := slices.IndexFunc(r.Table.Indexes, func(x schema.Index) bool { return !x.Global() }); i >= 0 {
			at = i
		}
	}
	r.Table.Indexes = slices.Insert(r.Table.Indexes, at, ix)
	r.Jobs = append(r.Jobs, Job{Kind: JobIndex, Sub: ix.Sub})
}

// deleteOnly returns the record with those indexes in their first step that old does not have; nil
// when it has them all.
func (r *Record) deleteOnly(old *Table) *Record {
	var first *Record
	for i := range r.Table.Indexes {
		known := slices.ContainsFunc(old.Table.Indexes, func(x schema.Index) bool {
			return x.Sub == r.Table.Indexes[i].Sub
		})
		if known {
			continue
		}
		if first == nil {
			first = r.clone()
		}
		first.Table.Indexes[i].DeleteOnly = true
	}
	return first
}

// DropIndex takes an index away: nobody writes or reads it from now on, a job removes its entries.
func (r *Record) DropIndex(name string) {
	at := slices.IndexFunc(r.Table.Indexes, func(x schema.Index) bool { return x.Name == name })
	ix := r.Table.Indexes[at]
	r.Table.Indexes = slices.Delete(r.Table.Indexes, at, at+1)
	r.drop(Job{Kind: JobDrop, Sub: ix.Sub, Index: &ix})
	if ix.Vector != nil {
		r.drop(Job{Kind: JobDrop, Sub: ix.Vector.Tail})
		r.drop(Job{Kind: JobDrop, Sub: ix.Vector.Graph})
	}
	for _, b := range []*Billing{&r.Billing, r.Pending} {
		if b != nil {
			delete(b.Indexes, name)
			delete(b.IndexMax, name)
			delete(b.IndexWarm, name)
			delete(b.IndexChanges, name)
		}
	}
	r.Definitions = slices.DeleteFunc(r.Definitions, func(a schema.KeyAttr) bool { return !r.Keyed(a.Name) })
}

// EnableTTL lets writes keep expiry rows from now on; a job writes those of older items.
func (r *Record) EnableTTL(attribute string) {
	r.Table.TTL, r.TTLAttribute, r.Table.TTLSub = attribute, attribute, r.TakeSub()
	r.Jobs = append(r.Jobs, Job{Kind: JobExpiry, Sub: r.Table.TTLSub, Ready: true})
}

// DisableTTL ends the keeping of expiry rows; a job removes them.
func (r *Record) DisableTTL() {
	if r.Table.TTLSub != 0 {
		r.drop(Job{Kind: JobDrop, Sub: r.Table.TTLSub, Ready: true})
	}
	r.Table.TTL, r.Table.TTLSub = "", 0
}

// drop replaces the job about the same sub, if there is one.
func (r *Record) drop(j Job) {
	r.Jobs = slices.DeleteFunc(r.Jobs, func(o Job) bool { return o.Sub == j.Sub })
	r.Jobs = append(r.Jobs, j)
}

// Keyed says whether a key of the table or of an index has the attribute.
func (r *Record) Keyed(name string) bool {
	return r.Table.Key.Has(name) || slices.ContainsFunc(r.Table.Indexes, func(x schema.Index) bool {
		if x.Vector != nil {
			if _, ok := x.Vector.Filter(name); ok {
				return true
			}
		}
		return x.Key.Has(name)
	})
}

// TakeSub gives out the next id of an index or kind of rows.
func (r *Record) TakeSub() uint32 {
	r.NextSub++
	return r.NextSub - 1
}

// Cursor is the key of the row that holds how far a job of the table came.
func (r *Record) Cursor(sub uint32) []byte { return key.AppendJob(nil, r.Table.ID, sub) }

// countRow is the key of the row that holds what was counted under a sub of the table.
func (r *Record) countRow(sub uint32) []byte { return key.AppendCount(nil, r.Table.ID, sub) }

// forget deletes the rows of background work that speak of the table.
func (r *Record) forget(batch *storage.Batch) {
	batch.Delete(r.countRow(key.TableSub))
	for i := range r.Table.Indexes {
		batch.Delete(r.countRow(r.Table.Indexes[i].Sub))
	}
	for i := range r.Jobs {
		j := &r.Jobs[i]
		batch.Delete(r.Cursor(j.Sub))
		if j.Kind == JobDrop && j.Index != nil {
			batch.Delete(r.countRow(j.Sub))
		}
	}
}

// WithVectors returns the names of the tables that have indexes of vectors.
func (c *Catalog) WithVectors() []string {
	var names []string
	for name, t := range c.snapshot().all() {
		if t.Vectors() && c.usable(t) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// WithTTL returns the names of the tables that keep expiry rows.
func (c *Catalog) WithTTL() []string {
	var names []string
	for name, t := range c.snapshot().all() {
		if t.Table.TTLSub != 0 && c.usable(t) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Busy returns the names of the tables that have jobs.
func (c *Catalog) Busy(ctx context.Context) ([]string, error) {
	if c.unsettled() {
		if err := c.finishAll(ctx); err != nil {
			return nil, err
		}
	}
	var names []string
	for name, t := range c.snapshot().all() {
		if len(t.Jobs) > 0 && t.Status != StatusDeleting {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Finish takes a job off the list of the table with that id, together with its cursor. An index that
// was filled may be read then. A job or table that is gone is no error.
func (c *Catalog) Finish(ctx context.Context, id uint64, name string, sub uint32) error {
	c.control.Lock()
	defer c.control.Unlock()
	if err := c.ask(ctx); err != nil {
		return err
	}
	t := c.snapshot().get(name)
	if t == nil || t.Table.ID != id || t.Status == StatusDeleting || t.Job(sub) == nil {
		return nil
	}
	r := t.clone()
	r.Jobs = slices.DeleteFunc(r.Jobs, func(j Job) bool { return j.Sub == sub })
	for i := range r.Table.Indexes {
		if r.Table.Indexes[i].Sub == sub {
			r.Table.Indexes[i].Building = false
		}
	}
	b, err := r.encode()
	if err != nil {
		return err
	}
	var batch storage.Batch
	batch.Put(key.AppendCatalog(nil, key.SubTable, name), b)
	batch.Delete(r.Cursor(sub))
	if j := t.Job(sub); j.Kind == JobDrop && j.Index != nil {
		batch.Delete(r.countRow(sub))
	}
	if err := c.store.Apply(ctx, &batch, storage.UpdateOptions{}); err != nil {
		return c.doubt(name, err)
	}
	c.supersede(r, t)
	return nil
}
