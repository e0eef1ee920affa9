package memtable

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// TestPackedAgainstModel writes keys and values of many sizes into a packed memtable and into one that
// is not: both hold the same, and Bytes of the packed one grows by what was packed and dropped.
func TestPackedAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	packed, plain := NewPacked(), New()
	var dead int64
	firstSize := map[string]int64{} // of packed versions that are still the newest
	for lsn := base.LSN(1); lsn <= 4000; lsn++ {
		key := randomKey(r, 1500)
		value := bytes.Repeat([]byte{byte(lsn)}, 1<<r.IntN(15))
		e := base.Entry{Key: key, LSN: lsn, Kind: base.KindPut, Value: value}
		before := packed.Bytes()
		grown := packed.Insert(e, false, lsn)
		require.Equal(t, packed.Bytes()-before, grown)
		plain.Insert(e, false, lsn)
		if size, there := firstSize[string(key)]; there {
			dead += size
			firstSize[string(key)] = 0
		} else if firstSize[string(key)] = 0; packed.Newest(key).packed {
			firstSize[string(key)] = packed.Newest(key).cost()
		}
	}
	require.Positive(t, dead)
	require.Equal(t, plain.Bytes()+dead, packed.Bytes())
	require.Equal(t, plain.Versions(), packed.Versions())
	a, b := packed.NewIter(nil, IterOptions{}), plain.NewIter(nil, IterOptions{})
	more := b.First()
	for ok := a.First(); ok; ok = a.Next() {
		require.True(t, more)
		require.Equal(t, b.Key(), a.Key())
		require.Equal(t, b.Value(), a.Value())
		require.Equal(t, b.LSN(), a.LSN())
		more = b.Next()
	}
	require.False(t, more)
}

// TestACloneDoesNotWriteIntoThePieceOfItsParent: both go on where the parent has room left.
func TestACloneDoesNotWriteIntoThePieceOfItsParent(t *testing.T) {
	m := NewPacked()
	put := func(m *Memtable, key, value string, lsn base.LSN) {
		m.Insert(base.Entry{Key: []byte(key), LSN: lsn, Kind: base.KindPut, Value: []byte(value)}, false, 0)
	}
	put(m, "a", "parent", 1)
	c := m.Clone()
	put(m, "b", "parent", 2)
	put(c, "b", "child", 2)
	put(c, "c", "child", 3)
	put(m, "c", "parent", 3)
	for _, key := range []string{"b", "c"} {
		require.Equal(t, "parent", string(m.Newest([]byte(key)).Value()))
		require.Equal(t, "child", string(c.Newest([]byte(key)).Value()))
	}
}

func BenchmarkInsertPacked(b *testing.B) {
	keys, value := benchKeys(benchCount), make([]byte, 400)
	m, i := NewPacked(), 0
	b.ReportAllocs()
	for b.Loop() {
		if i == benchCount {
			m, i = NewPacked(), 0
		}
		m.Insert(base.Entry{Key: keys[i], LSN: base.LSN(i + 1), Kind: base.KindPut, Value: value}, false, 0)
		i++
	}
}
