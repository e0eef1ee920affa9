package engine

import (
	"errors"
	"slices"
	"sync"

	"github.com/keystone-db/kstone/engine/changelog"
	"github.com/keystone-db/kstone/engine/key"
)

// partsMax is how many parts of a table a task reads at once.
const partsMax = 4

// tablePart is a part of a table: the items whose partition keys have hashes from From to To, To not included,
// and how far a task is with them. Stored.
type tablePart struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
	// After is the key of the last item that was looked at; nil in the beginning.
	After []byte `json:"after,omitempty"`
	// Done: every item was looked at.
	Done bool `json:"done,omitempty"`
}

// span is what was not looked at.
func (p *tablePart) span() changelog.Span {
	return changelog.Span{From: p.From, To: p.To, After: p.After}
}

// tableParts are all parts of what a task reads. A table that is read in one step is one part; one that is
// larger is divided after the first step.
type tableParts []tablePart

// hashEnd is behind all hashes.
const hashEnd = 1 << 32

// wholeTable is everything as one part.
func wholeTable() tableParts { return tableParts{{To: hashEnd}} }

// open are the places of the parts that are not done.
func (ps tableParts) open() (list []int) {
	for i := range ps {
		if !ps[i].Done {
			list = append(list, i)
		}
	}
	return list
}

// divided are the parts, where one that was begun alone and is not done is divided among several.
func (ps tableParts) divided() tableParts {
	if len(ps) > 1 || ps[0].Done || ps[0].After == nil {
		return ps
	}
	whole := ps[0]
	from := uint64(key.HashOf(whole.After))
	n := min(partsMax, whole.To-from)
	out := make(tableParts, n)
	for i := range n {
		out[i] = tablePart{From: from + (whole.To-from)*i/n, To: from + (whole.To-from)*(i+1)/n}
	}
	out[0].After = whole.After
	return out
}

// each calls fn for the parts of some places at once, and returns the parts as they are afterwards; the old ones
// stay as they are.
func (ps tableParts) each(open []int, fn func(i int, p *tablePart) error) (tableParts, error) {
	next := slices.Clone(ps)
	errs := make([]error, len(open))
	var all sync.WaitGroup
	for n, i := range open {
		all.Go(func() { errs[n] = fn(n, &next[i]) })
	}
	all.Wait()
	return next, errors.Join(errs...)
}
