package memtable

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// family is a memtable and what it should hold.
type family struct {
	m     *Memtable
	model model
}

func (f *family) check(t *testing.T, r *rand.Rand, n int) {
	t.Helper()
	walk(t, r, f.m.NewIter(nil, IterOptions{}), f.model.list(0), 300, func() []byte { return randomKey(r, n) })
	checkPrefixes(t, f.m, f.model)
	var size int64
	for _, versions := range f.model {
		for _, e := range versions {
			size += int64(len(e.Key)+len(e.Value)) + EntryOverheadBytes
		}
	}
	require.Equal(t, size, f.m.Bytes())
	for _, tr := range f.m.trees {
		checkTree(t, f.m, tr)
	}
}

// step writes or removes one key.
func (f *family) step(r *rand.Rand, n int, lsn base.LSN) {
	key := randomKey(r, n)
	if r.IntN(4) == 0 {
		f.m.Remove(key)
		delete(f.model, string(key))
		return
	}
	horizon := base.LSN(0)
	if r.IntN(2) == 0 {
		horizon = lsn
	}
	e := base.Entry{Key: key, LSN: lsn, Kind: base.KindPut, Value: fmt.Append(nil, lsn)}
	f.m.Insert(e, false, horizon)
	f.model.insert(e, horizon)
}

// TestClonesAgainstModel clones clones, edits all of them and drops some: what one does never shows
// on another.
func TestClonesAgainstModel(t *testing.T) {
	for _, n := range []int{3, 300, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(n), 11))
			all := []*family{{New(), model{}}}
			lsn := base.LSN(0)
			for range 40 {
				for range r.IntN(2 * n) {
					lsn++
					all[r.IntN(len(all))].step(r, n, lsn)
				}
				f := all[r.IntN(len(all))]
				if len(all) == 6 {
					i := r.IntN(len(all))
					all = slices.Delete(all, i, i+1)
				}
				all = append(all, &family{f.m.Clone(), maps.Clone(f.model)})
			}
			for _, f := range all {
				f.check(t, r, n)
			}
		})
	}
}

// TestAnIteratorGoesOnOverAClone: nodes are copied under an iterator that stands between two chunks.
func TestAnIteratorGoesOnOverAClone(t *testing.T) {
	m := New()
	key := func(i int) []byte { return fmt.Appendf(nil, "table0\x00\x00\x00\x00\x00\x00%06d", i) }
	const count = 3000
	for i := range count {
		m.Insert(base.Entry{Key: key(i), LSN: base.LSN(i + 1), Kind: base.KindPut}, false, 0)
	}
	for _, backward := range []bool{false, true} {
		it := m.NewIter(nil, IterOptions{MaxLSN: count})
		start, next := it.First, it.Next
		if backward {
			start, next = it.Last, it.Prev
		}
		seen := 0
		for ok := start(); ok; ok = next() {
			i := seen
			if backward {
				i = count - 1 - seen
			}
			require.Equal(t, string(key(i)), string(it.Key()))
			require.Equal(t, base.LSN(i+1), it.LSN())
			if seen++; seen%50 == 0 {
				m.Clone()
				for j := range 8 { // some before, some behind
					e := base.Entry{Key: key((seen*7 + j*311) % count), LSN: base.LSN(count + seen), Kind: base.KindPut}
					m.Insert(e, false, count)
				}
			}
		}
		require.Equal(t, count, seen)
	}
}

func BenchmarkClone(b *testing.B) {
	m := benchTable(benchKeys(benchCount), make([]byte, 400))
	b.ReportAllocs()
	for b.Loop() {
		m.Clone()
	}
}

// BenchmarkInsertAfterClone overwrites keys of a memtable that was just cloned: each write copies
// the nodes on its way.
func BenchmarkInsertAfterClone(b *testing.B) {
	keys, value := benchKeys(benchCount), make([]byte, 400)
	m := benchTable(keys, value)
	i := benchCount
	b.ReportAllocs()
	for b.Loop() {
		m.Clone()
		m.Insert(base.Entry{
			Key: keys[i%benchCount], LSN: base.LSN(i + 1), Kind: base.KindPut, Value: value,
		}, false, base.LSN(i))
		i++
	}
}
