package storagetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

func iterProperties() []Property {
	return []Property{
		{"IterRanges", checkIterRanges},
		{"IterStripeBorders", checkStripeBorders},
		{"IterShortKeys", checkShortKeys},
		{"IterAfterDelete", checkIterAfterDelete},
		{"IterSlices", checkIterSlices},
		{"IterRandom", checkIterRandom},
	}
}

// shadow is the sorted truth beside a store.
type shadow map[string]string

func (s shadow) keys() []string {
	out := make([]string, 0, len(s))
	for k := range s {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func (s shadow) scan(r storage.Range, reverse bool) []pair {
	var out []pair
	for _, k := range s.keys() {
		if r.Contains([]byte(k)) {
			out = append(out, pair{k, s[k]})
		}
	}
	if reverse {
		slices.Reverse(out)
	}
	return out
}

// compare scans a range in both directions, with and without a hint.
func (e *env) compare(snap storage.Snapshot, s shadow, r storage.Range) {
	e.t.Helper()
	for _, opts := range []storage.IterOptions{
		{}, {Reverse: true}, {LimitHint: 1}, {Reverse: true, LimitHint: 1000},
	} {
		got, err := e.scan(snap, r, opts)
		require.NoError(e.t, err)
		require.Equal(e.t, s.scan(r, opts.Reverse), got,
			"range [%x, %x) with %+v", r.Start, r.End, opts)
	}
}

func (e *env) fill(keys [][]byte) shadow {
	e.t.Helper()
	s := shadow{}
	var b storage.Batch
	for i, k := range keys {
		v := fmt.Sprint("value ", i)
		b.Put(k, []byte(v))
		s[string(k)] = v
	}
	require.NoError(e.t, e.apply(&b))
	return s
}

func after(k []byte) []byte { return append(slices.Clone(k), 0) }

func checkIterRanges(t testing.TB, open Open) {
	e := newEnv(t, open)
	a, b, c, d := key(1, "a"), key(1, "b"), key(70, "c"), key(255, "d")
	s := e.fill([][]byte{a, b, c, d})
	snap := e.snapshotUntilEnd()
	for _, r := range []storage.Range{
		{},
		{Start: a},
		{End: d},
		{Start: a, End: d},
		{Start: after(a), End: d},
		{Start: a, End: after(d)},
		{Start: b, End: c},
		{Start: b, End: after(c)},
		{Start: a, End: a},
		{Start: a, End: after(a)},
		{Start: c, End: b}, // empty: it ends before it starts
		{Start: after(d)},
		{End: a},
		{Start: []byte{}, End: []byte{0xff}},
		{Start: key(2, ""), End: key(60, "")},
		{Start: []byte{}, End: []byte{}},
	} {
		e.compare(snap, s, r)
	}
}

// checkStripeBorders looks at ranges that begin and end where byte 12 or the prefix changes.
func checkStripeBorders(t testing.TB, open Open) {
	e := newEnv(t, open)
	var keys [][]byte
	for _, sub := range []uint32{0, 1, 7} {
		for _, stripe := range []byte{0, 1, 2, 127, 128, 254, 255} {
			for _, name := range []string{"", "m", "mm"} {
				keys = append(keys, keyIn(spaceTest, sub, stripe, name))
			}
		}
	}
	s := e.fill(keys)
	snap := e.snapshotUntilEnd()
	prefix := func(sub uint32) []byte { return keyIn(spaceTest, sub, 0, "")[:storage.PrefixBytes] }
	stripe := func(sub uint32, n byte) []byte { return append(prefix(sub), n) }
	for _, r := range []storage.Range{
		{Start: prefix(0), End: prefix(1)},
		{Start: prefix(1), End: prefix(2)},
		{Start: prefix(2), End: prefix(7)},
		{Start: prefix(0), End: prefix(8)},
		{Start: prefix(7)},
		{Start: stripe(0, 1), End: stripe(0, 2)},
		{Start: stripe(0, 1), End: stripe(0, 128)},
		{Start: stripe(0, 255), End: stripe(1, 0)},
		{Start: stripe(0, 254), End: stripe(1, 2)},
		{Start: stripe(0, 3), End: stripe(0, 127)},
		{Start: keyIn(spaceTest, 0, 2, "m"), End: keyIn(spaceTest, 7, 1, "m")},
		{Start: keyIn(spaceTest, 1, 255, "mm"), End: keyIn(spaceTest, 7, 0, "")},
	} {
		e.compare(snap, s, r)
	}
}

// checkShortKeys mixes keys below the length of a head with whole ones.
func checkShortKeys(t testing.TB, open Open) {
	e := newEnv(t, open)
	full := key(128, "x")
	var keys [][]byte
	for n := 1; n < len(full); n++ {
		keys = append(keys, full[:n])
	}
	keys = append(keys, []byte{0}, []byte{0, 0}, []byte{0xff}, bytes.Repeat([]byte{0xff}, 20), full)
	s := e.fill(keys)
	snap := e.snapshotUntilEnd()
	for _, k := range keys {
		assert.Equal(t, s[string(k)], e.get(k))
		e.compare(snap, s, storage.Range{Start: k})
		e.compare(snap, s, storage.Range{End: k})
	}
	e.compare(snap, s, storage.Range{})
}

func checkIterAfterDelete(t testing.TB, open Open) {
	e := newEnv(t, open)
	var keys [][]byte
	for i := range 40 {
		keys = append(keys, spread("d", i))
	}
	s := e.fill(keys)
	for i, k := range keys {
		switch i % 3 {
		case 0:
			e.delete(k)
			delete(s, string(k))
		case 1:
			e.put(k, "again")
			s[string(k)] = "again"
		}
	}
	e.compare(e.snapshotUntilEnd(), s, storage.Range{})
	for k := range s {
		e.delete([]byte(k))
	}
	e.compare(e.snapshotUntilEnd(), shadow{}, storage.Range{})
}

// checkIterSlices: key and value are good until the next step, and none is needed after the last.
func checkIterSlices(t testing.TB, open Open) {
	e := newEnv(t, open)
	s := e.fill([][]byte{key(1, "a"), key(2, "b"), key(3, "c")})
	snap := e.snapshotUntilEnd()
	it, err := snap.Iter(e.ctx, storage.Range{}, storage.IterOptions{})
	require.NoError(t, err)
	n := 0
	for it.Next() {
		n++
		k, v := it.Key(), it.Value()
		require.Equal(t, s[string(k)], string(v))
		e.put(key(1, "a"), "changed meanwhile")
		require.Equal(t, s[string(k)], string(v), "valid until the next step")
	}
	require.NoError(t, it.Err())
	require.Equal(t, 3, n)
	require.False(t, it.Next(), "it stays at the end")
	require.NoError(t, it.Err())
	it.Close()
}

func checkIterRandom(t testing.TB, open Open) {
	e := newEnv(t, open)
	rnd := rand.New(rand.NewPCG(3, 14))
	var keys [][]byte
	for i := range 400 {
		space, sub := spaceTest+uint64(rnd.IntN(3)), uint32(rnd.IntN(2))
		keys = append(keys, keyIn(space, sub, byte(rnd.IntN(256)), fmt.Sprint(i%50)))
	}
	s := e.fill(keys)
	for k := range s {
		if rnd.IntN(4) == 0 {
			e.delete([]byte(k))
			delete(s, k)
		}
	}
	snap := e.snapshotUntilEnd()
	for range work(40) {
		r := storage.Range{Start: keys[rnd.IntN(len(keys))], End: keys[rnd.IntN(len(keys))]}
		if bytes.Compare(r.Start, r.End) > 0 {
			r.Start, r.End = r.End, r.Start
		}
		if rnd.IntN(3) == 0 {
			r.Start = r.Start[:rnd.IntN(len(r.Start))]
		}
		e.compare(snap, s, r)
	}
}
