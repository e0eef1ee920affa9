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
)

// pageMaxBytes ends a page of a Query or Scan: the accounted sizes of the entries that were read,
// before the filter. The entry that reaches it is the last of the page.
const pageMaxBytes = 1 << 20

// Page is one page of a Query or Scan.
type Page struct {
	// Items that passed the filter, projected; nil when only counted.
	Items []attr.Item
	// Count of the items that passed the filter, Scanned of the entries that were read.
	Count, Scanned int
	// LastKey is where the page ended by its limit or size; nil at the end of the range.
	LastKey attr.Item
	// Units of what was read, and of the items fetched from the table for a local index.
	Units, FetchUnits float64
}

// pageReader builds one page.
type pageReader struct {
	plan  *plan.Read
	ttl   string
	now   time.Time
	snap  storage.Snapshot
	arena arena
	page  Page
	bytes int
}

// Read runs a Query or Scan for one page, on one snapshot.
func (e *Executor) Read(ctx context.Context, t *catalog.Table, r *plan.Read) (Page, error) {
	snap, err := e.store.Snapshot(ctx, storage.SnapshotOptions{})
	if err != nil {
		return Page{}, storeError(err)
	}
	defer snap.Close()
	p := pageReader{plan: r, ttl: t.Table.TTL, now: e.Now(), snap: snap}
	if !r.CountOnly {
		p.page.Items = []attr.Item{}
	}
	if r.Range.End != nil && string(r.Range.Start) >= string(r.Range.End) {
		return p.finish(), nil
	}
	it, err := snap.Iter(ctx, storage.Range(r.Range),
		storage.IterOptions{Reverse: r.Reverse, LimitHint: r.Limit})
	if err != nil {
		return Page{}, storeError(err)
	}
	defer it.Close()
	for it.Next() {
		full, err := p.add(ctx, attr.Item(it.Value()))
		if err != nil {
			return Page{}, storeError(err)
		}
		if full {
			break
		}
	}
	if err := it.Err(); err != nil {
		return Page{}, storeError(err)
	}
	return p.finish(), nil
}

func (p *pageReader) finish() Page {
	p.page.Units = capacity.PageUnits(p.bytes, p.plan.Consistent)
	return p.page
}

// add takes one entry and reports whether it ends the page. The entry is valid only during the call.
func (p *pageReader) add(ctx context.Context, entry attr.Item) (bool, error) {
	p.page.Scanned++
	p.bytes += entry.Size()
	full := p.page.Scanned == p.plan.Limit || p.bytes >= pageMaxBytes
	if full {
		p.page.LastKey = entry.Project(p.plan.KeyNames)
	}
	// What is past its time counts as read, but is not there (wire-facts §6.16).
	if p.ttl != "" && Expired(p.ttl, entry, p.now) {
		return full, nil
	}
	item := entry
	if p.plan.Fetch {
		fetched, err := p.fetch(ctx, entry)
		if err != nil {
			return full, err
		}
		if fetched != nil {
			item = fetched
		}
	}
	if p.plan.Filter != nil && !p.plan.Filter.Eval(item) {
		return full, nil
	}
	p.page.Count++
	if p.plan.CountOnly {
		return full, nil
	}
	if p.plan.Projection != nil {
		p.page.Items = append(p.page.Items, p.plan.Projection.Apply(nil, item))
	} else {
		p.page.Items = append(p.page.Items, p.arena.copy(item))
	}
	return full, nil
}

// fetch reads the whole item behind an entry of a local index, from the same snapshot.
func (p *pageReader) fetch(ctx context.Context, entry attr.Item) (attr.Item, error) {
	k, ok := key.AppendItem(nil, p.plan.Table, entry)
	if !ok {
		return nil, nil
	}
	v, err := p.snap.Get(ctx, k)
	if err != nil || !v.Present {
		return nil, err
	}
	item := attr.Item(v.Data)
	p.page.FetchUnits += capacity.ReadUnits(item.Size(), p.plan.Consistent)
	return item, nil
}

// Sizes of the arena's chunks in bytes: they double, so that a page costs few allocations and a
// short answer little memory.
const (
	arenaFirstBytes = 4 << 10
	arenaMaxBytes   = 256 << 10
)

// arena copies the items of a page into few large pieces.
type arena struct {
	free []byte
	next int
}

func (a *arena) copy(item attr.Item) attr.Item {
	if len(item) > cap(a.free)-len(a.free) {
		a.next = min(max(2*a.next, arenaFirstBytes), arenaMaxBytes)
		a.free = make([]byte, 0, max(a.next, len(item)))
	}
	start := len(a.free)
	a.free = append(a.free, item...)
	return attr.Item(a.free[start:len(a.free):len(a.free)])
}
