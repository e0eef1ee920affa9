package merge

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/storage"
)

// list is an iterator over a sorted slice; it fails at the entry fail-1, when fail is not 0.
type list struct {
	es     []base.Entry
	pos    int
	fail   int
	err    error
	closed bool
}

var errList = errors.New("list")

func (l *list) at(pos int) bool {
	l.pos = max(-1, min(pos, len(l.es)))
	if l.fail > 0 && l.pos == l.fail-1 {
		l.err = errList
	}
	return l.Valid()
}

func (l *list) lower(key []byte) int {
	return sort.Search(len(l.es), func(i int) bool { return bytes.Compare(l.es[i].Key, key) >= 0 })
}

func (l *list) First() bool            { return l.at(0) }
func (l *list) Last() bool             { return l.at(len(l.es) - 1) }
func (l *list) SeekGE(key []byte) bool { return l.at(l.lower(key)) }
func (l *list) SeekLT(key []byte) bool { return l.at(l.lower(key) - 1) }
func (l *list) Next() bool             { return l.at(l.pos + 1) }
func (l *list) Prev() bool             { return l.at(l.pos - 1) }
func (l *list) Valid() bool            { return l.err == nil && l.pos >= 0 && l.pos < len(l.es) }
func (l *list) Key() []byte            { return l.es[l.pos].Key }
func (l *list) LSN() base.LSN          { return l.es[l.pos].LSN }
func (l *list) Kind() base.Kind        { return l.es[l.pos].Kind }
func (l *list) Value() []byte          { return l.es[l.pos].Value }
func (l *list) Err() error             { return l.err }
func (l *list) Close() error           { l.closed = true; return nil }

// scene is k sources and everything that is in them once, in order.
type scene struct {
	sources [][]base.Entry
	all     []base.Entry
}

func order(a, b base.Entry) int { return base.Compare(a.Key, a.LSN, b.Key, b.LSN) }

func makeScene(r *rand.Rand, k, n int) scene {
	s := scene{sources: make([][]base.Entry, k)}
	for i := range n {
		e := base.Entry{
			Key: fmt.Appendf(nil, "k%02d", r.IntN(n/4+2)), LSN: base.LSN(i + 1), Kind: base.KindPut,
			Value: fmt.Append(nil, i),
		}
		if r.IntN(3) == 0 {
			e.Kind, e.Value = base.KindTombstone, nil
		}
		s.all = append(s.all, e)
		at := r.IntN(k)
		s.sources[at] = append(s.sources[at], e)
		if other := r.IntN(k); r.IntN(5) == 0 && other != at { // after a replay
			s.sources[other] = append(s.sources[other], e)
		}
	}
	slices.SortFunc(s.all, order)
	for i := range s.sources {
		slices.SortFunc(s.sources[i], order)
	}
	return s
}

func (s scene) iter() *Iter {
	var its []base.Iterator
	for _, es := range s.sources {
		its = append(its, &list{es: es, pos: -1})
	}
	return New(its...)
}

func TestIterAgainstSortedList(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		s := makeScene(r, 1+r.IntN(6), 1+r.IntN(80))
		whole := list{es: s.all, pos: -1}
		it := s.iter()
		for range 600 {
			key := fmt.Appendf(nil, "k%02d", r.IntN(30))[:1+r.IntN(3)]
			var got, want bool
			switch op := r.IntN(40); {
			case op == 0:
				got, want = it.First(), whole.First()
			case op == 1:
				got, want = it.Last(), whole.Last()
			case op == 2:
				got, want = it.SeekGE(key), whole.SeekGE(key)
			case op == 3:
				got, want = it.SeekLT(key), whole.SeekLT(key)
			case !whole.Valid():
				continue
			case op < 22:
				got, want = it.Next(), whole.Next()
			default:
				got, want = it.Prev(), whole.Prev()
			}
			require.Equal(t, want, got)
			require.Equal(t, want, it.Valid())
			if want {
				require.Equal(t, whole.es[whole.pos], base.Entry{
					Key: it.Key(), LSN: it.LSN(), Kind: it.Kind(), Value: it.Value(),
				})
			}
		}
	}
}

// visible is what a scan should show, by the definition.
func visible(s scene, o ScanOptions) (out []base.Entry) {
	for i := 0; i < len(s.all); {
		key := s.all[i].Key
		var newest *base.Entry
		for ; i < len(s.all) && bytes.Equal(s.all[i].Key, key); i++ {
			if newest == nil && s.all[i].LSN <= o.Snapshot {
				newest = &s.all[i]
			}
		}
		if newest != nil && newest.Kind == base.KindPut && o.Range.Contains(key) && !o.Dead.Has(key) {
			out = append(out, *newest)
		}
	}
	if o.Reverse {
		slices.Reverse(out)
	}
	return out
}

func randomRange(r *rand.Rand) storage.Range {
	a, b := fmt.Sprintf("k%02d", r.IntN(25)), fmt.Sprintf("k%02d", r.IntN(25))
	if r.IntN(5) == 0 {
		return storage.Range{Start: []byte(a)}
	}
	return storage.Range{Start: []byte(min(a, b)), End: []byte(max(a, b))}
}

func TestScanAgainstDefinition(t *testing.T) {
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := makeScene(r, 1+r.IntN(4), 1+r.IntN(80))
		o := ScanOptions{Reverse: r.IntN(2) == 0, Snapshot: base.LSN(r.IntN(len(s.all) + 2)), Range: randomRange(r)}
		o.KeepValues = r.IntN(2) == 0 // the sources of the test do
		if r.IntN(3) == 0 {
			o.Dead = NewDead([]storage.Range{randomRange(r), randomRange(r)})
		}
		scan := NewScan(s.iter(), o)
		var got []base.Entry
		for scan.Next() {
			v := scan.Value()
			if !o.KeepValues {
				v = bytes.Clone(v)
			}
			got = append(got, base.Entry{Key: bytes.Clone(scan.Key()), LSN: scan.LSN(), Kind: base.KindPut, Value: v})
		}
		require.NoError(t, scan.Err())
		require.False(t, scan.Next())
		require.Equal(t, visible(s, o), got, "seed %d", seed)
		require.NoError(t, scan.Close())
	}
}

func TestCompactorKeepsWhatAnybodyMaySee(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 2))
		s := makeScene(r, 1+r.IntN(4), 1+r.IntN(80))
		horizon := base.LSN(r.IntN(len(s.all) + 2))
		bottom := r.IntN(2) == 0
		c := NewCompactor(s.iter(), CompactorOptions{
			Horizon: horizon, Bottom: func([]byte) bool { return bottom },
		})
		var kept scene
		var last []byte
		for c.Next() {
			e := c.Entry()
			require.Equal(t, !bytes.Equal(last, e.Key), c.NewKey())
			last = bytes.Clone(e.Key)
			e.Key = last
			kept.all = append(kept.all, e)
		}
		require.NoError(t, c.Err())
		for snap := horizon; snap <= base.LSN(len(s.all)+1); snap++ {
			o := ScanOptions{Snapshot: snap}
			require.Equal(t, visible(s, o), visible(kept, o))
		}
		// And nothing that nobody can see: each version is the newest, or above the horizon, or the
		// newest at the horizon.
		for i, e := range kept.all {
			newest := i == 0 || !bytes.Equal(kept.all[i-1].Key, e.Key)
			if !newest {
				require.Greater(t, kept.all[i-1].LSN, horizon)
			} else if bottom && e.Kind == base.KindTombstone {
				require.Greater(t, e.LSN, horizon)
			}
		}
	}
}

func TestErrorsEndEverything(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for fail := range 10 {
		s := makeScene(r, 2, 40)
		bad := func() base.Iterator {
			return New(&list{es: s.sources[0], pos: -1}, &list{es: s.sources[1], pos: -1, fail: fail + 1})
		}
		for _, reverse := range []bool{false, true} {
			scan := NewScan(bad(), ScanOptions{Snapshot: 1000, Reverse: reverse})
			for scan.Next() {
			}
			require.ErrorIs(t, scan.Err(), errList)
			require.False(t, scan.Next())
		}
		c := NewCompactor(bad(), CompactorOptions{})
		for c.Next() {
		}
		require.ErrorIs(t, c.Err(), errList)
	}
}

func TestDead(t *testing.T) {
	rg := func(a, b string) storage.Range {
		r := storage.Range{Start: []byte(a)}
		if b != "" {
			r.End = []byte(b)
		}
		return r
	}
	d := NewDead([]storage.Range{rg("m", "p"), rg("a", "c"), rg("b", "d"), rg("x", ""), rg("q", "q")})
	require.Equal(t, []storage.Range{rg("a", "d"), rg("m", "p"), rg("x", "")}, d.Ranges())
	for key, want := range map[string]bool{"": false, "a": true, "cz": true, "d": false, "m": true, "o": true, "p": false, "w": false, "x": true, "zz": true} {
		require.Equal(t, want, d.Has([]byte(key)), key)
	}
	require.True(t, d.Covers([]byte("a"), []byte("cc")))
	require.False(t, d.Covers([]byte("a"), []byte("d")))
	require.False(t, d.Covers([]byte("c"), []byte("m")))
	require.True(t, d.Covers([]byte("y"), []byte("zzz")))
	require.True(t, d.Overlaps([]byte("c"), []byte("m")))
	require.True(t, d.Overlaps([]byte("d"), []byte("m")))
	require.False(t, d.Overlaps([]byte("d"), []byte("l")))
	require.False(t, Dead{}.Has([]byte("a")))
	require.False(t, Dead{}.Covers([]byte("a"), []byte("b")))
	require.True(t, d.Same(d))
	require.False(t, d.Same(NewDead(d.Ranges())))
}

func BenchmarkScan20(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	s := makeScene(r, 3, 3000)
	keys := make([][]byte, 64)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "k%02d", r.IntN(700))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		scan := NewScan(s.iter(), ScanOptions{Snapshot: 1 << 40, Range: storage.Range{Start: keys[i%64]}})
		for n := 0; n < 20 && scan.Next(); n++ {
		}
	}
}
