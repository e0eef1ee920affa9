package build

import (
	"context"
	"iter"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// Page is what one request of a Query or Scan found.
type Page struct {
	Items []attr.Item
	// Count is the number of items that passed the filter, Scanned that of those it saw.
	Count, Scanned int64
	// Next is where the next page begins, for From; nil when there is none. A page may have a next one
	// and no items.
	Next attr.Item
}

// fetcher makes one request: from the item after start, for at most limit items before the filter (0:
// as many as the service likes).
type fetcher interface {
	fetch(ctx context.Context, start attr.Item, limit int64, count bool) (*Page, error)
}

// pager is what Query and Scan share: going through pages.
type pager struct {
	fetcher  fetcher
	start    attr.Item
	limit    int64 // items in all; 0: all
	pageSize int64 // 0: as many as the service likes
	filtered bool
	err      error
}

// bound stores a limit of the caller's.
func (p *pager) bound(dst *int64, what string, n int) {
	if n < 1 && p.err == nil {
		p.err = invalid(msgLimit, what, n)
	}
	*dst = int64(n)
}

// request is the number of items to ask for when so many are still wanted (0: all). With a filter it is
// unknown how many must be seen for that.
func (p *pager) request(wanted int64) int64 {
	if wanted == 0 || p.filtered {
		return p.pageSize
	}
	if p.pageSize == 0 {
		return wanted
	}
	return min(wanted, p.pageSize)
}

// Page makes one request, for PageSize items or, when that is not set and there is no filter, Limit.
func (p *pager) Page(ctx context.Context) (*Page, error) {
	if p.err != nil {
		return nil, p.err
	}
	return p.fetcher.fetch(ctx, p.start, p.request(p.limit), false)
}

// Pages makes requests until all is read or Limit items are. With a filter the last page may be cut to the
// limit; its Next is then behind what was cut off. The first error ends it.
func (p *pager) Pages(ctx context.Context) iter.Seq2[*Page, error] { return p.pages(ctx, false) }

func (p *pager) pages(ctx context.Context, count bool) iter.Seq2[*Page, error] {
	return func(yield func(*Page, error) bool) {
		if p.err != nil {
			yield(nil, p.err)
			return
		}
		start, wanted := p.start, p.limit
		for {
			page, err := p.fetcher.fetch(ctx, start, p.request(wanted), count)
			if err != nil {
				yield(nil, err)
				return
			}
			start = page.Next
			if p.limit > 0 {
				page.cut(wanted)
				wanted -= page.Count
			}
			if !yield(page, nil) || start == nil || p.limit > 0 && wanted == 0 {
				return
			}
		}
	}
}

// cut leaves the first n items of a page.
func (p *Page) cut(n int64) {
	if p.Count > n {
		p.Count = n
	}
	if int64(len(p.Items)) > n {
		p.Items = p.Items[:n:n]
	}
}

// Items goes through the items, Limit or all, reading page by page. The first error ends it. Items are
// the caller's to keep.
func (p *pager) Items(ctx context.Context) iter.Seq2[attr.Item, error] {
	return func(yield func(attr.Item, error) bool) {
		for page, err := range p.pages(ctx, false) {
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range page.Items {
				if !yield(it, nil) {
					return
				}
			}
		}
	}
}

// All returns the items, Limit or all.
func (p *pager) All(ctx context.Context) ([]attr.Item, error) {
	var all []attr.Item
	for page, err := range p.pages(ctx, false) {
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
	}
	return all, nil
}

// Count returns the number of items, at most Limit, without transferring them.
func (p *pager) Count(ctx context.Context) (int64, error) {
	n := int64(0)
	for page, err := range p.pages(ctx, true) {
		if err != nil {
			return 0, err
		}
		n += page.Count
	}
	return n, nil
}

// As maps the items of a sequence to values of type T, as Unmarshal does. The first error ends it.
func As[T any](items iter.Seq2[attr.Item, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for it, err := range items {
			var v T
			if err == nil {
				err = Unmarshal(it, &v)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}

func newPage(items []attr.Item, count, scanned api.Opt[int64], next attr.Item) *Page {
	return &Page{Items: items, Count: count.Or(int64(len(items))), Scanned: scanned.Value, Next: next}
}
