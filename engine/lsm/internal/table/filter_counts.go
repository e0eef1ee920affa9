package table

import (
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/spread"
)

// filterShard counts answers of filters, in a line of the cache that few goroutines share.
type filterShard struct {
	negative, found, vain      atomic.Uint64
	prefixNegative, prefixTrue atomic.Uint64
	_                          [24]byte // a cache line in all
}

// FilterCounts are the answers of all filters so far: for keys and for prefixes. False are those after
// which the key was not in the table; whether a prefix was is not known.
type FilterCounts struct {
	Negative, True, False      uint64
	PrefixNegative, PrefixTrue uint64
}

// filterShards has one for each cell of package spread.
type filterShards [spread.Cells]filterShard

// mine is where the calling goroutine counts.
func (f *filterShards) mine() *filterShard { return &f[spread.Cell()] }

// filterShards are where the tables count.
func (r *Resident) filterShards() *filterShards {
	if r == nil {
		return new(filterShards)
	}
	return &r.filters
}

// FilterCounts sums over all tables, those that are gone included.
func (r *Resident) FilterCounts() (sum FilterCounts) {
	if r == nil {
		return sum
	}
	for i := range r.filters {
		f := &r.filters[i]
		sum.Negative += f.negative.Load()
		sum.True += f.found.Load()
		sum.False += f.vain.Load()
		sum.PrefixNegative += f.prefixNegative.Load()
		sum.PrefixTrue += f.prefixTrue.Load()
	}
	return sum
}
