package lsm

import (
	"bytes"
	"cmp"
	"slices"
	"sync/atomic"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/merge"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
)

// liveTable is a table at one level, which some version holds. It is never changed: older versions go
// on with what they hold while the table moves down.
type liveTable struct {
	manifest.Table
	*sharedTable
}

// sharedTable is what a table keeps through all levels.
type sharedTable struct {
	reader *table.Reader
	home   *DB          // whose file it lies in
	refs   atomic.Int32 // versions that hold it
}

func (t *liveTable) extent() log.Extent {
	return log.Extent{Offset: t.Offset, Length: space.Round(t.Meta.Length)}
}

func (t *liveTable) contains(key []byte) bool {
	return bytes.Compare(t.Meta.Smallest, key) <= 0 && bytes.Compare(key, t.Meta.Largest) <= 0
}

// version is the tables of one stripe at one time. It is never changed. Level 0 is newest first,
// by largest LSN; the tables of the other levels do not overlap and are in key order (their bounds,
// rounded outwards, may).
type version struct {
	levels [manifest.LevelCount][]*liveTable
	count  int // of tables
	dead   merge.Dead
	refs   atomic.Int32
}

// acquire is called under the stripe's lock, or by who holds the version already.
func (v *version) acquire() *version {
	v.refs.Add(1)
	return v
}

// release gives tables that no version holds any more back to the heap. The edit that dropped them
// is durable, or it would not have left the stripe.
func (db *DB) release(v *version) {
	if v.refs.Add(-1) > 0 {
		return
	}
	for _, level := range v.levels {
		for _, t := range level {
			if t.refs.Add(-1) == 0 {
				t.reader.Forget()
				t.home.freeExtent(t.extent())
			}
		}
	}
}

// newVersion takes a reference of each table.
func newVersion(levels [manifest.LevelCount][]*liveTable, dead merge.Dead) *version {
	v := &version{levels: levels, dead: dead}
	v.refs.Store(1)
	for _, level := range levels {
		v.count += len(level)
		for _, t := range level {
			t.refs.Add(1)
		}
	}
	return v
}

// with returns a version with tables added and dropped.
func (v *version) with(add []*liveTable, drop []base.ObjectNum, dead merge.Dead) *version {
	levels := v.levels
	for l := range levels {
		levels[l] = slices.DeleteFunc(slices.Clone(levels[l]), func(t *liveTable) bool {
			return slices.Contains(drop, t.Meta.Num)
		})
	}
	for _, t := range add {
		levels[t.Level] = append(levels[t.Level], t)
	}
	slices.SortStableFunc(levels[0], func(a, b *liveTable) int {
		if a.Meta.MaxLSN != b.Meta.MaxLSN {
			return cmp.Compare(b.Meta.MaxLSN, a.Meta.MaxLSN)
		}
		return cmp.Compare(b.Meta.Num, a.Meta.Num)
	})
	for l := 1; l < len(levels); l++ {
		slices.SortStableFunc(levels[l], func(a, b *liveTable) int {
			if c := bytes.Compare(a.Meta.Smallest, b.Meta.Smallest); c != 0 {
				return c
			}
			if c := bytes.Compare(a.Meta.Largest, b.Meta.Largest); c != 0 {
				return c
			}
			// Shortened bounds may be equal: one job wrote all such tables, in key order.
			return cmp.Compare(a.Meta.Num, b.Meta.Num)
		})
	}
	return newVersion(levels, dead)
}

// get returns the newest version of a key at or below maxLSN. Level 0 tables may hold versions in
// any order of LSN, so that all that contain the key and may hold a newer one are asked. Before it reads
// from the file, and only then, it calls before, which must hold the version if the caller does not.
func (v *version) get(key []byte, maxLSN base.LSN, before func()) (e base.Entry, ok bool, err error) {
	for _, t := range v.levels[0] {
		if ok && t.Meta.MaxLSN <= e.LSN {
			break // newest first: none behind holds a newer one
		}
		if t.Meta.MinLSN > maxLSN || !t.contains(key) {
			continue
		}
		got, found, err := t.reader.Get(key, maxLSN, before)
		if err != nil {
			return base.Entry{}, false, err
		}
		if found && (!ok || got.LSN > e.LSN) {
			e, ok = got, true
		}
	}
	for l := 1; l < len(v.levels) && !ok; l++ {
		level := v.levels[l]
		i, _ := slices.BinarySearchFunc(level, key, func(t *liveTable, key []byte) int {
			return bytes.Compare(t.Meta.Largest, key)
		})
		for ; i < len(level) && bytes.Compare(level[i].Meta.Smallest, key) <= 0 && !ok; i++ {
			if e, ok, err = level[i].reader.Get(key, maxLSN, before); err != nil {
				return base.Entry{}, false, err
			}
		}
	}
	return e, ok, nil
}

// openTable makes a reader; it does no I/O.
func (db *DB) openTable(t manifest.Table) *liveTable {
	return &liveTable{t, &sharedTable{home: db, reader: table.NewReader(table.ReaderOptions{
		DatabaseID: table.DatabaseID(db.ident), Num: t.Meta.Num, File: db.heap.blocks,
		Offset: t.Offset, Length: t.Meta.Length, Keys: db.crypt, Cache: db.cache, Resident: db.resident,
	})}}
}
