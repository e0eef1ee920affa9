package lsm

import (
	"bytes"
	"slices"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
)

// levelIter goes through the tables of a level, which follow each other.
type levelIter struct {
	tables []*liveTable // its own list
	opts   table.IterOptions
	at     int
	cur    *table.Iter // &it, or nil
	it     table.Iter
	err    error
}

func newLevelIter(tables []*liveTable, opts table.IterOptions) *levelIter {
	return &levelIter{tables: slices.Clone(tables), opts: opts}
}

func (l *levelIter) open(i int) bool {
	l.close()
	if i < 0 || i >= len(l.tables) {
		return false
	}
	l.it.Reset(l.tables[i].reader, l.opts)
	l.at, l.cur = i, &l.it
	return true
}

func (l *levelIter) close() {
	if l.cur != nil {
		if err := l.cur.Close(); err != nil && l.err == nil {
			l.err = err
		}
		l.cur = nil
	}
}

// forward moves on over tables that have nothing more.
func (l *levelIter) forward(ok bool) bool {
	for !ok {
		if l.cur == nil || l.fail() || !l.open(l.at+1) {
			return false
		}
		ok = l.cur.First()
	}
	return true
}

func (l *levelIter) backward(ok bool) bool {
	for !ok {
		if l.cur == nil || l.fail() || !l.open(l.at-1) {
			return false
		}
		ok = l.cur.Last()
	}
	return true
}

func (l *levelIter) fail() bool {
	if l.err == nil {
		l.err = l.cur.Err()
	}
	return l.err != nil
}

// First moves to the first version.
func (l *levelIter) First() bool { return l.open(0) && l.forward(l.cur.First()) }

// Last moves to the last version.
func (l *levelIter) Last() bool { return l.open(len(l.tables)-1) && l.backward(l.cur.Last()) }

// SeekGE moves to the first version at or after key. Bounds are rounded outwards: a table that ends
// before key may look as if it did not, and the one behind it need not begin there.
func (l *levelIter) SeekGE(key []byte) bool {
	for i, t := range l.tables {
		if bytes.Compare(t.Meta.Largest, key) < 0 {
			continue
		}
		if !l.open(i) || l.cur.SeekGE(key) || l.fail() {
			return l.Valid()
		}
	}
	l.close()
	return false
}

// SeekLT moves to the last version before key; see SeekGE.
func (l *levelIter) SeekLT(key []byte) bool {
	for i := len(l.tables) - 1; i >= 0; i-- {
		if bytes.Compare(l.tables[i].Meta.Smallest, key) >= 0 {
			continue
		}
		if !l.open(i) || l.cur.SeekLT(key) || l.fail() {
			return l.Valid()
		}
	}
	l.close()
	return false
}

// Next moves forward.
func (l *levelIter) Next() bool { return l.cur != nil && l.forward(l.cur.Next()) }

// Prev moves backward.
func (l *levelIter) Prev() bool { return l.cur != nil && l.backward(l.cur.Prev()) }

// Valid says whether the iterator stands on a version.
func (l *levelIter) Valid() bool { return l.err == nil && l.cur != nil && l.cur.Valid() }

// Key of the version.
func (l *levelIter) Key() []byte { return l.cur.Key() }

// LSN of the version.
func (l *levelIter) LSN() base.LSN { return l.cur.LSN() }

// Kind of the version.
func (l *levelIter) Kind() base.Kind { return l.cur.Kind() }

// Value of the version.
func (l *levelIter) Value() []byte { return l.cur.Value() }

// Err returns the first error.
func (l *levelIter) Err() error {
	if l.err == nil && l.cur != nil {
		return l.cur.Err()
	}
	return l.err
}

// Close lets go of the tables. The list of them is cleared, for the next use of the iterator.
func (l *levelIter) Close() error {
	l.close()
	err := l.err
	clear(l.tables)
	l.tables, l.opts, l.err = l.tables[:0], table.IterOptions{}, nil
	return err
}
