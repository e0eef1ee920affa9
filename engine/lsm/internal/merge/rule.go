package merge

import (
	"bytes"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// Droppable is the one rule of garbage (STORAGE §6). It says whether a version may be dropped.
//
// newer is the LSN of the next newer version of the same key, 0 when the version is the newest.
// horizon is the lower of visible, read first, and all registered snapshots. bottom says that no
// source older than the inputs can hold the key: a memtable passes false.
//
// A version, tombstone or not, is dropped when its next newer one has LSN ≤ horizon: nobody can
// ask for it any more. A newest tombstone is dropped when its own LSN ≤ horizon and bottom holds.
func Droppable(kind base.Kind, lsn, newer, horizon base.LSN, bottom bool) bool {
	if newer != 0 {
		return newer <= horizon
	}
	return kind == base.KindTombstone && bottom && lsn <= horizon
}

// Dead is a list of dropped ranges, sorted by Start, not overlapping; part of a version and never
// changed once made. The zero value holds nothing.
type Dead struct {
	ranges []storage.Range
}

// NewDead sorts and joins ranges. The slices inside are kept, not copied.
func NewDead(ranges []storage.Range) Dead {
	rs := make([]storage.Range, 0, len(ranges))
	for _, r := range ranges {
		if r.End == nil || bytes.Compare(r.Start, r.End) < 0 {
			rs = append(rs, r)
		}
	}
	slices.SortFunc(rs, func(a, b storage.Range) int { return bytes.Compare(a.Start, b.Start) })
	out := rs[:0]
	for _, r := range rs {
		if n := len(out); n > 0 && (out[n-1].End == nil || bytes.Compare(r.Start, out[n-1].End) <= 0) {
			if out[n-1].End != nil && (r.End == nil || bytes.Compare(r.End, out[n-1].End) > 0) {
				out[n-1].End = r.End
			}
			continue
		}
		out = append(out, r)
	}
	return Dead{ranges: out}
}

// Same says whether two lists are copies of one, without comparing what is in them.
func (d Dead) Same(o Dead) bool {
	return len(d.ranges) == len(o.ranges) && (len(d.ranges) == 0 || &d.ranges[0] == &o.ranges[0])
}

// Len is the number of ranges after joining.
func (d Dead) Len() int { return len(d.ranges) }

// Ranges returns the joined list; it must not be changed.
func (d Dead) Ranges() []storage.Range { return d.ranges }

// find returns the index of the first range that ends after key.
func (d Dead) find(key []byte) int {
	lo, hi := 0, len(d.ranges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if e := d.ranges[mid].End; e != nil && bytes.Compare(e, key) <= 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Has says whether key lies in a dead range.
func (d Dead) Has(key []byte) bool {
	if len(d.ranges) == 0 {
		return false
	}
	i := d.find(key)
	return i < len(d.ranges) && bytes.Compare(d.ranges[i].Start, key) <= 0
}

// Covers says whether all keys from first to last, both included, lie in one dead range.
func (d Dead) Covers(first, last []byte) bool {
	i := d.find(last)
	return i < len(d.ranges) && bytes.Compare(d.ranges[i].Start, first) <= 0
}

// Overlaps says whether some key from first to last, both included, lies in a dead range.
func (d Dead) Overlaps(first, last []byte) bool {
	i := d.find(first)
	return i < len(d.ranges) && bytes.Compare(d.ranges[i].Start, last) <= 0
}
