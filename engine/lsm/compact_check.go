package lsm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/storage"
)

// mustEqualNaiveMerge compares the tables that a compaction has written with a merge that is too
// simple to be wrong. It is called in the invariants build only; a difference is a bug and panics.
func (db *DB) mustEqualNaiveMerge(c *compaction, opts merge.CompactorOptions, out []manifest.Table) {
	var in []base.Entry
	for _, t := range c.inputs {
		es, err := allEntries(t.reader)
		if err != nil {
			return // the compaction saw the same, or will
		}
		in = append(in, es...)
	}
	want := naiveMerge(in, opts)
	var got []base.Entry
	for _, t := range out {
		es, err := allEntries(db.openTable(t).reader)
		if err != nil && !errors.Is(err, storage.ErrCorrupt) {
			return // the disk, which says nothing about the compaction
		}
		if err != nil {
			panic(fmt.Sprintf("lsm: a compaction's table %v does not read back: %v", t.Meta.Num, err))
		}
		got = append(got, es...)
	}
	same := func(a, b base.Entry) bool {
		return bytes.Equal(a.Key, b.Key) && a.LSN == b.LSN && a.Kind == b.Kind && bytes.Equal(a.Value, b.Value)
	}
	if !slices.EqualFunc(want, got, same) {
		panic(fmt.Sprintf("lsm: compaction of stripe %d to level %d differs from a naive merge: %d entries, want %d",
			c.stripe, c.to, len(got), len(want)))
	}
}

func allEntries(r *table.Reader) (es []base.Entry, err error) {
	it := r.NewIterWith(table.IterOptions{NoFill: true, KeepValues: true})
	for ok := it.First(); ok; ok = it.Next() {
		es = append(es, base.Entry{
			Key: bytes.Clone(it.Key()), LSN: it.LSN(), Kind: it.Kind(), Value: it.Value(),
		})
	}
	if err := it.Err(); err != nil {
		return nil, err
	}
	return es, it.Close()
}

// naiveMerge sorts all versions and applies the sentences of STORAGE §6 one by one.
func naiveMerge(es []base.Entry, opts merge.CompactorOptions) []base.Entry {
	slices.SortStableFunc(es, func(a, b base.Entry) int {
		return base.Compare(a.Key, a.LSN, b.Key, b.LSN)
	})
	es = slices.CompactFunc(es, func(a, b base.Entry) bool {
		return a.LSN == b.LSN && bytes.Equal(a.Key, b.Key)
	})
	var out []base.Entry
	for i, e := range es {
		newest := i == 0 || !bytes.Equal(es[i-1].Key, e.Key)
		shadowed := !newest && es[i-1].LSN <= opts.Horizon
		gone := newest && e.Kind == base.KindTombstone && e.LSN <= opts.Horizon &&
			opts.Bottom != nil && opts.Bottom(e.Key)
		if !shadowed && !gone && !opts.Dead.Has(e.Key) {
			out = append(out, e)
		}
	}
	return out
}
