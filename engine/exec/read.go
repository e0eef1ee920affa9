package exec

import (
	"context"
	"time"

	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/engine/capacity"
	"github.com/keystone-db/kstone/engine/catalog"
	"github.com/keystone-db/kstone/engine/key"
	"github.com/keystone-db/kstone/engine/plan"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/engine/ttl"
)

// pageMaxBytes ends a page of a Query or Scan: what the entries that were read, before the filter,
// count on a page, which is not quite their size (wire-facts §4.3). The entry that reaches it is the
// last of the page.
const pageMaxBytes = 1 << 20

// Page is one page of a Query or Scan.
type Page struct {
	// Items that passed the filter, projected; nil when only counted.
	Items []attr.Item
	// Count of the items that passed the filter, Scanned of the entries that were read.
	Count, Scanned int
	// LastKey is where the page ended by its limit or size; nil at the end of the range.
	LastKey attr.Item
	// Units of what was read, zero for a plan that is Unmetered, and of the items fetched from the table
	// for a local index.
	Units, FetchUnits float64
}

// pageReader builds one page.
type pageReader struct {
	plan   *plan.Read
	hideBy string
	now    time.Time
	snap   storage.Snapshot
	page   Page
	bytes  int // sizes of what was read
	counts int // what it counts on the page
	// unmeasured: all that was read is in page.Items, and neither bytes nor counts hold it; it counts
	// atMost on the page. Short pages need no measuring.
	unmeasured bool
	atMost     int
}

// sortNames appends the names of the sort key of what is read.
func sortNames(names []string, r *plan.Read) []string {
	k := &r.Table.Key
	if r.Index != nil {
		k = &r.Index.Key
	}
	for i := range k.Range {
		names = append(names, k.Range[i].Name)
	}
	return names
}

// Read runs a Query or Scan for one page, on one snapshot.
func (e *Executor) Read(ctx context.Context, t *catalog.Table, r *plan.Read) (page Page, err error) {
	err = storage.Fresh(ctx, func() error {
		page, err = e.readPage(ctx, t, r)
		return err
	})
	return page, storeError(err)
}

func (e *Executor) readPage(ctx context.Context, t *catalog.Table, r *plan.Read) (Page, error) {
	snap, err := e.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerRead})
	if err != nil {
		return Page{}, err
	}
	defer snap.Close()
	return e.readOn(ctx, snap, t, r)
}

// ownerRead names the snapshots of queries and scans to whoever asks for the oldest one.
const ownerRead = "query or scan"

// ReadTogether lets fn run Queries and Scans on one snapshot. fn begins again, with a fresh one, while
// that goes before it is done.
func (e *Executor) ReadTogether(ctx context.Context, t *catalog.Table, fn func(read func(*plan.Read) (Page, error)) error) error {
	err := storage.Fresh(ctx, func() error {
		snap, err := e.store.Snapshot(ctx, storage.SnapshotOptions{Owner: ownerRead})
		if err != nil {
			return err
		}
		defer snap.Close()
		return fn(func(r *plan.Read) (Page, error) { return e.readOn(ctx, snap, t, r) })
	})
	return storeError(err)
}

// readOn reads one page from a snapshot.
func (e *Executor) readOn(ctx context.Context, snap storage.Snapshot, t *catalog.Table, r *plan.Read) (Page, error) {
	p := pageReader{plan: r, hideBy: t.HideBy(), now: e.Now(), snap: snap}
	var room [4]string // on the stack; an index has at most four
	sort := sortNames(room[:0], r)
	p.unmeasured = r.Unmetered && p.keepsAll()
	if !r.CountOnly {
		p.page.Items = []attr.Item{}
	}
	if r.Range.End != nil && string(r.Range.Start) >= string(r.Range.End) {
		return p.finish(), nil
	}
	it, err := snap.Iter(ctx, storage.Range(r.Range),
		storage.IterOptions{Reverse: r.Reverse, LimitHint: r.Limit, KeepValues: true, Once: r.Scan})
	if err != nil {
		return Page{}, err
	}
	defer it.Close()
	for it.Next() {
		full, err := p.add(ctx, attr.Item(it.Value()), sort)
		if err != nil {
			return Page{}, err
		}
		if full {
			break
		}
	}
	if err := it.Err(); err != nil {
		return Page{}, err
	}
	return p.finish(), nil
}

func (p *pageReader) finish() Page {
	if !p.plan.Unmetered {
		p.page.Units = capacity.PageUnits(p.bytes, p.plan.Consistent)
	}
	return p.page
}

// keepsAll says whether every entry that is read becomes an item of the page as it is.
func (p *pageReader) keepsAll() bool {
	r := p.plan
	return r.Filter == nil && r.Projection == nil && !r.Fetch && !r.CountOnly && p.hideBy == ""
}

// fills reports whether the page is full with one more entry.
func (p *pageReader) fills(entry attr.Item, sort []string) bool {
	if p.unmeasured {
		if p.atMost += entry.PageSizeMax(); p.atMost < pageMaxBytes {
			return false
		}
		p.unmeasured = false
		for _, it := range p.page.Items {
			p.measure(it, sort)
		}
	}
	p.measure(entry, sort)
	return p.counts >= pageMaxBytes
}

func (p *pageReader) measure(entry attr.Item, sort []string) {
	size, count := entry.PageSize(sort)
	p.bytes, p.counts = p.bytes+size, p.counts+count
}

// add takes one entry, which may be kept, and reports whether it ends the page. sort names the sort
// key of what is read.
func (p *pageReader) add(ctx context.Context, entry attr.Item, sort []string) (bool, error) {
	p.page.Scanned++
	full := p.fills(entry, sort) || p.page.Scanned == p.plan.Limit
	if full {
		var names [plan.KeyNamesMax]string
		p.page.LastKey = entry.Project(p.plan.KeyNames(names[:0]))
	}
	item, err := p.visible(ctx, entry)
	if err != nil || item == nil {
		return full, err
	}
	if p.plan.Filter != nil && !p.plan.Filter.Eval(item) {
		return full, nil
	}
	p.page.Count++
	if p.plan.CountOnly {
		return full, nil
	}
	if p.plan.Projection != nil {
		item = p.plan.Projection.Apply(nil, item)
	}
	if cap(p.page.Items) == 0 {
		p.page.Items = make([]attr.Item, 0, p.firstItems())
	}
	p.page.Items = append(p.page.Items, item)
	return full, nil
}

// pageItemsFirst is room for the items of most queries.
const pageItemsFirst = 32

// firstItems is how many items the page gets room for at first.
func (p *pageReader) firstItems() int {
	if p.plan.Limit > 0 {
		return min(p.plan.Limit, pageItemsFirst)
	}
	return pageItemsFirst
}

// visible is what an entry stands for: itself, or the item behind it when more is asked for than the
// index holds; nil when it is past its time: then it counts as read but is not there (wire-facts
// §6.16). An index that does not hold the expiry time has to look at the item.
func (p *pageReader) visible(ctx context.Context, entry attr.Item) (attr.Item, error) {
	item := entry
	hidden := p.hideBy != "" && p.plan.Index != nil && !p.plan.Table.Projects(p.plan.Index, p.hideBy)
	if p.plan.Fetch || hidden {
		behind, err := p.behind(ctx, entry)
		if err != nil {
			return nil, err
		}
		if p.plan.Fetch && behind != nil {
			p.page.FetchUnits += capacity.ReadUnits(behind.Size(), p.plan.Consistent)
			item = behind
		}
		if ttl.Expired(p.hideBy, behind, p.now) {
			return nil, nil
		}
	}
	if ttl.Expired(p.hideBy, item, p.now) {
		return nil, nil
	}
	return item, nil
}

// behind reads the whole item behind an index entry, from the same snapshot.
func (p *pageReader) behind(ctx context.Context, entry attr.Item) (attr.Item, error) {
	k, ok := key.AppendItem(nil, p.plan.Table, entry)
	if !ok {
		return nil, nil
	}
	v, err := p.snap.Get(ctx, k)
	if err != nil || !v.Present {
		return nil, err
	}
	return attr.Item(v.Data), nil
}
