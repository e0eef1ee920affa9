package verify

import (
	"bytes"
	"slices"

	"github.com/keystone-db/kstone/engine/storage"
)

// lostMax bounds the list of lost ranges; beyond it, neighbours are joined, with what lies between them.
const lostMax = 10_000

// joined sorts ranges, joins those that touch, and so many neighbours that at most limit are left.
func joined(ranges []storage.Range, limit int) []storage.Range {
	slices.SortFunc(ranges, func(a, b storage.Range) int { return bytes.Compare(a.Start, b.Start) })
	var out []storage.Range
	for _, r := range ranges {
		if n := len(out); n > 0 && bytes.Compare(r.Start, out[n-1].End) <= 0 {
			if bytes.Compare(r.End, out[n-1].End) > 0 {
				out[n-1].End = r.End
			}
			continue
		}
		out = append(out, r)
	}
	for len(out) > limit {
		half := out[:0]
		for i := 0; i < len(out); i += 2 {
			r := out[i]
			if i+1 < len(out) {
				r.End = out[i+1].End
			}
			half = append(half, r)
		}
		out = half
	}
	return out
}
