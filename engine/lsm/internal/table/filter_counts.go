package table

import (
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// filterShards is a power of two: tables count in different cache lines.
const filterShards = 64

// filterShard counts the answers of the filters of some tables.
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

// filterShard is where a table counts.
func (r *Resident) filterShard(num base.ObjectNum) *filterShard {
	if r == nil {
		return new(filterShard)
	}
	return &r.filters[num%filterShards]
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
