package memstore

import (
	"fmt"
	"slices"
)

// guardBook remembers, for each present key, which keys may be its guard: those that were named
// exclusively by every update that wrote it. Two updates whose sets are disjoint were not ordered
// by any lock, so an empty intersection is a breach. A key that was deleted is forgotten: whoever
// makes it again may guard it anew.
type guardBook map[string][]string

// check returns the new candidates of each write, or ErrMisuse. exclusive is sorted.
func (g guardBook) check(writes map[string]*version, exclusive []string) (map[string][]string, error) {
	next := make(map[string][]string, len(writes))
	for key := range writes {
		if len(exclusive) == 0 {
			return nil, fmt.Errorf("%w: write of key %x without an exclusively named key",
				ErrMisuse, key)
		}
		known, ok := g[key]
		if !ok {
			next[key] = exclusive
			continue
		}
		both := intersect(known, exclusive)
		if len(both) == 0 {
			return nil, fmt.Errorf("%w: key %x is guarded by %x and now by %x",
				ErrMisuse, key, known, exclusive)
		}
		next[key] = both
	}
	return next, nil
}

// note records the candidates that check returned.
func (g guardBook) note(writes map[string]*version, next map[string][]string) {
	for key, guards := range next {
		if writes[key].present {
			g[key] = guards
		} else {
			delete(g, key)
		}
	}
}

// intersect returns what two sorted lists share; a itself when all of it is shared.
func intersect(a, b []string) []string {
	var out []string
	for _, s := range a {
		if _, ok := slices.BinarySearch(b, s); ok {
			out = append(out, s)
		}
	}
	if len(out) == len(a) {
		return a
	}
	return out
}
