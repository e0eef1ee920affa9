// Package crossref checks what a database says twice: each index entry against its item and each
// item against its entries, expiry rows, sizes of item collections, stream records, request tokens,
// and the catalog that names them all. It sees only a storage.Store.
//
// Both sides of a cross-reference are read once, in key order: what the items say there should be
// and what there is are counted and summed by hash, in some thousand buckets for each index. Only
// where the sums of a bucket differ are keys looked up one by one, so that a sound database costs
// two sequential reads and a bounded amount of memory, whatever its size.
//
// What is wrong can be repaired on the way: whatever follows from items is made anew from them.
package crossref

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keystone-db/kstone/engine/backups"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/schema"
	"github.com/keystone-db/kstone/engine/storage"
)

// Regions of faults.
const (
	Catalog     = "catalog"
	Items       = "items"
	Index       = "index"
	Expiry      = "expiry"
	Collections = "collections"
	Stream      = "stream"
	Log         = "change log"
	Replication = "replication"
	Backups     = "backups"
	Tokens      = "tokens"
	Vectors     = "vectors"
	Keys        = "keys" // of nothing that the catalog knows
	Storage     = "storage"
)

// Fault is one thing that is wrong.
type Fault struct {
	// Warning: nothing is lost and nothing wrong is read because of it.
	Warning bool
	Region  string
	// Table of items, and Index, where it is about one.
	Table, Index string
	// Key in the store.
	Key  []byte
	What string
}

// Counts of what was looked at.
type Counts struct {
	CatalogRows, Tables, Items, IndexEntries, ExpiryRows, Collections, StreamRecords, HistoryRows, BackupItems, Tokens, Stamps int64
}

// Report of a check.
type Report struct {
	Faults           []Fault
	Errors, Warnings int64
	Counts           Counts
	// Unchecked says what was not looked at, and why.
	Unchecked []string
	// Skipped counts the references that could not be followed because one end cannot be read.
	Skipped int64
}

// Options of a check.
type Options struct {
	// FaultsMax bounds the list of faults; 0 means 1,000.
	FaultsMax int
	// Lost are ranges that cannot be read, sorted, not overlapping. They are not looked at, and what
	// refers to them is not held to be wrong.
	Lost []storage.Range
	// Now tells which items ended so long ago that they stay.
	Now time.Time
	// Progress, if not nil, is called now and then with what is looked at and how far it is.
	Progress func(step string, done, total int64)
	// Kept reads the row of a count; nil if that did not come to its end. Without it kept counts are not
	// compared with what there is.
	Kept func(row []byte) (*Kept, error)
	// Repair makes right whatever can be made right, by writes to the store: nobody else may use it.
	Repair bool
}

const (
	faultsMaxDefault = 1000
	// progressEach is how many keys are between two calls of Progress.
	progressEach = 10_000
	// repairOps are written at once.
	repairOps = 200
)

// checker is one check.
type checker struct {
	store storage.Store
	snap  storage.Snapshot
	opts  Options
	out   Report
	mark  uint64 // the highest Seq that was given out

	tables  []*catalog.Record // by id
	streams []*schema.Stream  // by id
	kept    map[keptID]*Kept
	backups []*backups.Backup // by id
	cursors map[cursorID]bool
	// blind: part of the catalog cannot be read, so that nobody knows which keys belong to nothing.
	blind bool

	step        string
	done, total int64
	batch       storage.Batch // repairs that are not written
}

// Check goes through the whole store. The error is one of the context, or of a repair that failed; all
// that is wrong is in the report.
func Check(ctx context.Context, store storage.Store, opts Options) (Report, error) {
	if opts.FaultsMax <= 0 {
		opts.FaultsMax = faultsMaxDefault
	}
	mark, err := store.Watermark(ctx, 0)
	if err != nil {
		return Report{}, err
	}
	snap, err := store.Snapshot(ctx, storage.SnapshotOptions{Owner: "verification"})
	if err != nil {
		return Report{}, err
	}
	defer snap.Close()
	c := &checker{store: store, snap: snap, opts: opts, mark: uint64(mark), kept: map[keptID]*Kept{}, cursors: map[cursorID]bool{}}
	err = c.run(ctx)
	if err == nil {
		err = c.flush(ctx)
	}
	return c.out, err
}

func (c *checker) run(ctx context.Context) error {
	if err := c.catalog(ctx); err != nil {
		return err
	}
	for _, r := range c.tables {
		if err := c.table(ctx, r); err != nil {
			return err
		}
	}
	for _, s := range c.streams {
		if err := c.stream(ctx, s); err != nil {
			return err
		}
	}
	for _, b := range c.backups {
		if err := c.backup(ctx, b); err != nil {
			return err
		}
	}
	if err := c.tokens(ctx); err != nil {
		return err
	}
	return c.strays(ctx)
}

// add takes a fault in.
func (c *checker) add(f Fault) {
	if f.Warning {
		c.out.Warnings++
	} else {
		c.out.Errors++
	}
	if len(c.out.Faults) < c.opts.FaultsMax {
		f.Key = bytes.Clone(f.Key)
		c.out.Faults = append(c.out.Faults, f)
	}
}

// begin names what is looked at next.
func (c *checker) begin(ctx context.Context, step string, ranges ...storage.Range) {
	c.step, c.done, c.total = step, 0, 0
	if c.opts.Progress == nil {
		return
	}
	for _, r := range ranges {
		if s, err := c.store.Stats(ctx, r); err == nil {
			c.total += s.Keys
		}
	}
}

func (c *checker) count() {
	if c.done++; c.opts.Progress != nil && c.done%progressEach == 0 {
		c.opts.Progress(c.step, c.done, max(c.total, c.done))
	}
}

// walk calls fn for every key of a range that can be read. Key and value are valid until it returns.
func (c *checker) walk(ctx context.Context, r storage.Range, fn func(k, v []byte) error) error {
	for _, gap := range c.readable(r) {
		for gap.Start != nil {
			next, err := c.walkOnce(ctx, gap, fn)
			if err != nil {
				return err
			}
			gap.Start = next
		}
	}
	return ctx.Err()
}

// walkOnce returns where to go on when the store could not go on, nil at the end.
func (c *checker) walkOnce(ctx context.Context, r storage.Range, fn func(k, v []byte) error) (next []byte, err error) {
	it, err := c.snap.Iter(ctx, r, storage.IterOptions{Once: true})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	at := r.Start
	for it.Next() {
		c.count()
		if err := fn(it.Key(), it.Value()); err != nil {
			return nil, err
		}
		at = append(at[:0:0], it.Key()...)
	}
	err = it.Err()
	if err == nil || ctx.Err() != nil {
		return nil, err
	}
	c.add(Fault{Region: Storage, Key: at, What: "behind this key: " + err.Error()})
	// The next stripe is another table of the file.
	const stripeBytes = storage.PrefixBytes + 1
	if len(at) >= stripeBytes {
		next = key.PrefixEnd(at[:stripeBytes])
	}
	if next != nil && r.End != nil && bytes.Compare(next, r.End) >= 0 {
		next = nil
	}
	c.opts.Lost = insert(c.opts.Lost, storage.Range{Start: at, End: next})
	return next, nil
}

// insert adds a lost range that nobody knew.
func insert(lost []storage.Range, r storage.Range) []storage.Range {
	if r.End == nil {
		r.End = key.PrefixEnd(r.Start[:min(len(r.Start), 1)])
	}
	i, _ := slices.BinarySearchFunc(lost, r, func(a, b storage.Range) int { return bytes.Compare(a.Start, b.Start) })
	return slices.Insert(slices.Clone(lost), i, r)
}

// readable is a range without what is lost.
func (c *checker) readable(r storage.Range) (gaps []storage.Range) {
	from := r.Start
	for _, l := range c.opts.Lost {
		if l.End != nil && bytes.Compare(l.End, from) <= 0 {
			continue
		}
		if r.End != nil && bytes.Compare(l.Start, r.End) >= 0 {
			break
		}
		if bytes.Compare(from, l.Start) < 0 {
			gaps = append(gaps, storage.Range{Start: from, End: l.Start})
		}
		if from = l.End; from == nil {
			return gaps
		}
	}
	if r.End == nil || bytes.Compare(from, r.End) < 0 {
		gaps = append(gaps, storage.Range{Start: from, End: r.End})
	}
	return gaps
}

// lost says whether a key cannot be read.
func (c *checker) lost(k []byte) bool {
	i, found := slices.BinarySearchFunc(c.opts.Lost, k, func(r storage.Range, k []byte) int { return bytes.Compare(r.Start, k) })
	if found {
		return true
	}
	return i > 0 && (c.opts.Lost[i-1].End == nil || bytes.Compare(k, c.opts.Lost[i-1].End) < 0)
}

// touched says whether part of a range is lost.
func (c *checker) touched(r storage.Range) bool {
	gaps := c.readable(r)
	return len(gaps) != 1 || !bytes.Equal(gaps[0].Start, r.Start) || !bytes.Equal(gaps[0].End, r.End)
}

// get looks a key up; known is false when it cannot be read.
func (c *checker) get(ctx context.Context, k []byte) (v storage.Value, known bool, err error) {
	if c.lost(k) {
		c.out.Skipped++
		return v, false, nil
	}
	v, err = c.snap.Get(ctx, k)
	if errors.Is(err, storage.ErrCorrupt) {
		c.out.Skipped++
		return v, false, nil
	}
	return v, err == nil, err
}

// put and remove repair, if that was asked for.
func (c *checker) put(ctx context.Context, k, v []byte) error {
	return c.repair(ctx, storage.Op{Key: bytes.Clone(k), Value: append([]byte{}, v...)})
}

func (c *checker) remove(ctx context.Context, k []byte) error {
	return c.repair(ctx, storage.Op{Key: bytes.Clone(k), Delete: true})
}

func (c *checker) repair(ctx context.Context, op storage.Op) error {
	if !c.opts.Repair {
		return nil
	}
	c.batch.Ops = append(c.batch.Ops, op)
	if len(c.batch.Ops) < repairOps {
		return nil
	}
	return c.flush(ctx)
}

func (c *checker) flush(ctx context.Context) error {
	if len(c.batch.Ops) == 0 {
		return nil
	}
	if err := c.store.Apply(ctx, &c.batch, storage.UpdateOptions{}); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	c.batch = storage.Batch{}
	return nil
}

// sorted puts what the catalog named in the order of the keys.
func (c *checker) sorted() {
	slices.SortFunc(c.tables, func(a, b *catalog.Record) int { return cmp.Compare(a.Table.ID, b.Table.ID) })
	slices.SortFunc(c.streams, func(a, b *schema.Stream) int { return cmp.Compare(a.ID, b.ID) })
}
