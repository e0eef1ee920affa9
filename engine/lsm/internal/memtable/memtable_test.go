package memtable

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

func put(key, value string, lsn base.LSN) base.Entry {
	return base.Entry{Key: []byte(key), LSN: lsn, Kind: base.KindPut, Value: []byte(value)}
}

func tomb(key string, lsn base.LSN) base.Entry {
	return base.Entry{Key: []byte(key), LSN: lsn, Kind: base.KindTombstone}
}

func chainOf(m *Memtable, key string) string {
	var s strings.Builder
	for c := m.find([]byte(key)); c != nil; c = c.older {
		v := c.head
		if v.kind == base.KindTombstone {
			s.WriteString(fmt.Sprintf("%d:- ", v.lsn.Counter()))
		} else {
			s.WriteString(fmt.Sprintf("%d:%s ", v.lsn.Counter(), v.Value()))
		}
	}
	return s.String()
}

func TestInsertDropsWhatTheRuleGivesUp(t *testing.T) {
	type ins struct {
		e       base.Entry
		horizon base.LSN
	}
	for _, c := range []struct {
		name string
		in   []ins
		want string
	}{
		{"one", []ins{{put("k", "a", 1), 0}}, "1:a "},
		{"above the horizon both stay", []ins{{put("k", "a", 1), 0}, {put("k", "b", 2), 1}}, "2:b 1:a "},
		{"newer at the horizon drops", []ins{{put("k", "a", 1), 0}, {put("k", "b", 2), 2}}, "2:b "},
		{"a tombstone stays in a memtable", []ins{{put("k", "a", 1), 0}, {tomb("k", 2), 9}}, "2:- "},
		{"only what is below the newest at the horizon goes", []ins{
			{put("k", "a", 1), 0}, {put("k", "b", 2), 0}, {put("k", "c", 3), 0}, {put("k", "d", 4), 2},
		}, "4:d 3:c 2:b "},
		{"equal LSN replaces", []ins{{put("k", "a", 1), 0}, {put("k", "b", 1), 0}}, "1:b "},
		{"equal LSN in the middle replaces", []ins{
			{put("k", "a", 1), 0}, {put("k", "b", 2), 0}, {put("k", "c", 3), 0}, {put("k", "x", 2), 0},
		}, "3:c 2:x 1:a "},
		{"older than the oldest", []ins{{put("k", "b", 5), 0}, {put("k", "a", 1), 0}}, "5:b 1:a "},
		{"older than the oldest, droppable", []ins{{put("k", "b", 5), 0}, {put("k", "a", 1), 5}}, "5:b "},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := New()
			var sum int64
			for _, i := range c.in {
				sum += m.Insert(i.e, false, i.horizon)
			}
			require.Equal(t, c.want, chainOf(m, "k"))
			var want int64
			n := 0
			for c := m.find([]byte("k")); c != nil; c = c.older {
				want += c.head.cost()
				n++
			}
			require.Equal(t, want, m.Bytes())
			require.Equal(t, want, sum)
			require.Equal(t, n, m.Versions())
		})
	}
}

func TestAReaderKeepsItsChain(t *testing.T) {
	m := New()
	for i := base.LSN(1); i <= 4; i++ {
		m.Insert(put("k", fmt.Sprint(uint64(i)), i), false, 0)
	}
	held := *m.find([]byte("k"))
	m.Insert(put("k", "5", 5), true, 4)
	require.Equal(t, "5:5 4:4 ", chainOf(m, "k"))
	n := 0
	for c := &held; c != nil; c = c.older {
		n++
	}
	require.Equal(t, 4, n, "the reader's chain was edited")
	require.True(t, m.Newest([]byte("k")).Multi())
}

// model is what a memtable should hold.
type model map[string][]base.Entry // newest first

func (md model) insert(e base.Entry, horizon base.LSN) {
	all := append([]base.Entry{e}, md[string(e.Key)]...)
	out := all[:1]
	for _, o := range all[1:] {
		if out[len(out)-1].LSN <= horizon {
			break
		}
		out = append(out, o)
	}
	md[string(e.Key)] = out
}

func (md model) list(maxLSN base.LSN) []base.Entry {
	keys := make([]string, 0, len(md))
	for k := range md {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var out []base.Entry
	for _, k := range keys {
		for _, e := range md[k] {
			if maxLSN == 0 || e.LSN <= maxLSN {
				out = append(out, e)
				if maxLSN != 0 {
					break
				}
			}
		}
	}
	return out
}

func randomKey(r *rand.Rand, n int) []byte {
	switch r.IntN(20) {
	case 0:
		return fmt.Appendf(nil, "s%02d", r.IntN(20)) // shorter than a prefix
	case 1:
		return binary.BigEndian.AppendUint64([]byte("tableA\x00\x00\x00\x00\x00\x00"), uint64(r.IntN(n)))[:12+r.IntN(8)]
	}
	k := []byte("table0\x00\x00\x00\x00\x00\x00")
	k[5] = byte('0' + r.IntN(3))
	k = binary.BigEndian.AppendUint32(k, uint32(r.IntN(n))*2654435761)
	k = append(k, 0, 4)
	k = binary.BigEndian.AppendUint32(k, uint32(r.IntN(3)))
	return k
}

func current(it base.Iterator) base.Entry {
	return base.Entry{Key: it.Key(), LSN: it.LSN(), Kind: it.Kind(), Value: it.Value()}
}

func same(t *testing.T, want, got base.Entry) {
	t.Helper()
	require.Equal(t, string(want.Key), string(got.Key))
	require.Equal(t, want.LSN, got.LSN)
	require.Equal(t, want.Kind, got.Kind)
	require.Equal(t, string(want.Value), string(got.Value))
}

// walk compares a random walk of an iterator with the list it should show.
func walk(t *testing.T, r *rand.Rand, it base.Iterator, list []base.Entry, steps int, seekKey func() []byte) {
	pos := -1
	for range steps {
		var ok bool
		switch op := r.IntN(100); {
		case op < 3:
			ok, pos = it.First(), 0
		case op < 6:
			ok, pos = it.Last(), len(list)-1
		case op < 10:
			k := seekKey()
			ok = it.SeekGE(k)
			pos, _ = slices.BinarySearchFunc(list, k, func(e base.Entry, k []byte) int {
				return bytes.Compare(e.Key, k)
			})
		case op < 14:
			k := seekKey()
			ok = it.SeekLT(k)
			pos, _ = slices.BinarySearchFunc(list, k, func(e base.Entry, k []byte) int {
				return bytes.Compare(e.Key, k)
			})
			pos--
		case pos < 0 || pos >= len(list):
			continue
		case op < 60:
			ok, pos = it.Next(), pos+1
		default:
			ok, pos = it.Prev(), pos-1
		}
		in := pos >= 0 && pos < len(list)
		require.Equal(t, in, ok)
		require.Equal(t, in, it.Valid())
		if in {
			same(t, list[pos], current(it))
		}
	}
}

func TestAgainstModel(t *testing.T) {
	for _, n := range []int{3, 40, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			seed := uint64(n)
			r := rand.New(rand.NewPCG(seed, 1))
			m, md := New(), model{}
			lsn := base.LSN(0)
			for range 4 * n {
				lsn++
				e := base.Entry{Key: randomKey(r, n), LSN: lsn, Kind: base.KindPut, Value: fmt.Append(nil, lsn)}
				if r.IntN(4) == 0 {
					e.Kind, e.Value = base.KindTombstone, nil
				}
				h := lsn - min(lsn, base.LSN(r.IntN(n)))
				m.Insert(e, false, h)
				md.insert(e, h)
			}
			key := func() []byte { return randomKey(r, n) }
			all := md.list(0)
			require.Equal(t, len(all), m.Versions())
			walk(t, r, m.NewIter(nil, IterOptions{}), all, 4000, key)
			snap := lsn - 2
			walk(t, r, m.NewIter(nil, IterOptions{MaxLSN: snap}), md.list(snap), 4000, key)
			for _, e := range all {
				v := m.Get(e.Key, e.LSN)
				require.NotNil(t, v)
				require.Equal(t, e.LSN, v.LSN())
			}
			require.Nil(t, m.Get([]byte("absent"), lsn))
			checkPrefixes(t, m, md)
		})
	}
}

func checkPrefixes(t *testing.T, m *Memtable, md model) {
	var keys, tombs, size int64
	for _, es := range md {
		if es[0].Kind == base.KindPut {
			keys++
		} else {
			tombs++
		}
		size += int64(len(es[0].Key) + len(es[0].Value))
	}
	var last []byte
	m.Prefixes(storage.Range{}, func(p PrefixCount) {
		require.Negative(t, bytes.Compare(last, p.Prefix))
		last = p.Prefix
		keys, tombs, size = keys-p.Keys, tombs-p.Tombstones, size-p.Bytes
	})
	require.Zero(t, keys)
	require.Zero(t, tombs)
	require.Zero(t, size)
}

func TestIteratorAtASnapshotBesideInserts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	m, md := New(), model{}
	lsn := base.LSN(0)
	insert := func(h base.LSN) {
		lsn++
		e := base.Entry{Key: randomKey(r, 500), LSN: lsn, Kind: base.KindPut, Value: fmt.Append(nil, lsn)}
		m.Insert(e, false, h)
		md.insert(e, h)
	}
	for range 1000 {
		insert(lsn)
	}
	snap := lsn
	want := md.list(snap)
	var mu sync.RWMutex
	for _, backward := range []bool{false, true} {
		it := m.NewIter(&mu, IterOptions{MaxLSN: snap})
		ok := it.First()
		if backward {
			ok = it.Last()
		}
		for i := range want {
			require.True(t, ok)
			e := want[i]
			if backward {
				e = want[len(want)-1-i]
			}
			same(t, e, current(it))
			for range 3 {
				insert(snap)
			}
			if backward {
				ok = it.Prev()
			} else {
				ok = it.Next()
			}
		}
		require.False(t, ok)
		require.NoError(t, it.Close())
	}
	// A scan that is hidden from all of a long run of new keys still ends.
	hidden := New()
	for i := range 5000 {
		hidden.Insert(put(fmt.Sprintf("prefix-12345%06d", i), "", 10), false, 0)
	}
	it := hidden.NewIter(&mu, IterOptions{MaxLSN: 5})
	require.False(t, it.First())
	require.False(t, it.Last())
}

func TestConcurrentReadersAndOneWriter(t *testing.T) {
	m := New()
	var mu sync.RWMutex
	var wg sync.WaitGroup
	done := make(chan struct{})
	for g := range 2 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 3))
			for {
				select {
				case <-done:
					return
				default:
				}
				it := m.NewIter(&mu, IterOptions{})
				var last []byte
				for ok := it.SeekGE(randomKey(r, 200)); ok; ok = it.Next() {
					if bytes.Compare(last, it.Key()) > 0 {
						t.Error("out of order")
						return
					}
					last = it.Key()
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 5000 {
		mu.Lock()
		m.Insert(put(string(randomKey(r, 200)), "v", base.LSN(i+1)), false, base.LSN(i))
		mu.Unlock()
	}
	close(done)
	wg.Wait()
}

// TestBoundsLeaveOutOnlyWhatIsBeyond walks random ranges with bounds, both ways.
func TestBoundsLeaveOutOnlyWhatIsBeyond(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	const n = 2000
	m, md := New(), model{}
	for lsn := base.LSN(1); lsn <= n; lsn++ {
		e := base.Entry{Key: randomKey(r, n), LSN: lsn, Kind: base.KindPut}
		m.Insert(e, false, lsn)
		md.insert(e, lsn)
	}
	list := md.list(n)
	below := func(key []byte) int { // how many entries have a smaller key
		return sort.Search(len(list), func(i int) bool { return bytes.Compare(list[i].Key, key) >= 0 })
	}
	// Plain comparisons: there are some hundred thousand.
	at := func(ok bool, it *Iter, want base.Entry) bool {
		return ok && bytes.Equal(it.Key(), want.Key) && it.LSN() == want.LSN
	}
	for range 600 {
		b := storage.Range{Start: randomKey(r, n), End: randomKey(r, n)}
		if bytes.Compare(b.Start, b.End) > 0 {
			b.Start, b.End = b.End, b.Start
		}
		want := list[below(b.Start):below(b.End)]
		it := m.NewIter(nil, IterOptions{MaxLSN: n, Bounds: b})
		ok := it.SeekGE(b.Start)
		for i, e := range want {
			if !at(ok, it, e) {
				t.Fatalf("entry %d of %v is not %q", i, b, e.Key)
			}
			ok = it.Next()
		}
		require.True(t, !ok || bytes.Compare(it.Key(), b.End) >= 0)
		ok = it.SeekLT(b.End)
		for i, e := range slices.Backward(want) {
			if !at(ok, it, e) {
				t.Fatalf("entry %d of %v is not %q backwards", i, b, e.Key)
			}
			ok = it.Prev()
		}
		require.True(t, !ok || bytes.Compare(it.Key(), b.Start) < 0)
	}
}

// TestBoundsKeepWalksShort counts what a walk over one partition looks at.
func TestBoundsKeepWalksShort(t *testing.T) {
	m := New()
	key := func(partition, i int) []byte {
		return fmt.Appendf(nil, "prefix-12345%04d%08d", partition, i)
	}
	for p := range 10 {
		for i := range 3 {
			m.Insert(base.Entry{Key: key(p, i), LSN: 1, Kind: base.KindPut}, false, 0)
		}
	}
	it := m.NewIter(nil, IterOptions{MaxLSN: 1, Bounds: storage.Range{Start: key(5, 0), End: key(5, 9)}})
	require.True(t, it.SeekGE(key(5, 0)))
	require.Equal(t, 3, it.n)
	require.True(t, it.SeekLT(key(5, 9)))
	require.Equal(t, 3, it.n)
}
