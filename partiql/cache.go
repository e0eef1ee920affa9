package partiql

import (
	"strings"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

const (
	// cacheEntries is the number of places of a Cache, a power of two.
	cacheEntries = 1024
	// cacheTextMax is the longest statement that is kept, in bytes: with it, the trees of a full
	// cache stay within some megabytes whatever the statements are.
	cacheTextMax = 1024
)

// Cache keeps parsed statements by their text. It is bounded and safe for concurrent use; readers
// take no lock. Each text has one place, which the last statement that belongs there holds.
// Statements that do not parse are not kept.
type Cache struct {
	places [cacheEntries]atomic.Pointer[Prepared]
}

// Parse is the function Parse through the cache.
func (c *Cache) Parse(text string) (*Prepared, error) {
	if len(text) > cacheTextMax {
		return Parse(text)
	}
	place := &c.places[xxhash.Sum64String(text)&(cacheEntries-1)]
	if p := place.Load(); p != nil && p.src == text {
		return p, nil
	}
	p, err := Parse(strings.Clone(text)) // the caller's may be a part of a whole request
	if err == nil {
		place.Store(p)
	}
	return p, err
}
