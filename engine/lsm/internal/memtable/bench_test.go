package memtable

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/tidwall/btree"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// benchKeys are item keys of one stripe as one table has them: 12-byte prefix, hash with a constant
// first byte, partition key, sort key.
func benchKeys(n int) [][]byte { return benchKeysOf(n, 10) }

// benchKeysOf gives each partition so many keys.
func benchKeysOf(n, partition int) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([][]byte, n)
	for i := range keys {
		p := uint64(i / partition)
		k := []byte("\x10\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00")
		h := uint32(p*2654435761) >> 8
		k = binary.BigEndian.AppendUint32(k, 7<<24|h)
		k = append(k, 0, 12)
		k = append(k, "user"...)
		k = binary.BigEndian.AppendUint64(k, p)
		k = append(k, "order#"...)
		k = binary.BigEndian.AppendUint32(k, uint32(i%partition))
		keys[i] = k
	}
	r.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	return keys
}

const benchCount = 100_000

func benchTable(keys [][]byte, value []byte) *Memtable {
	m := New()
	for i, k := range keys {
		m.Insert(base.Entry{Key: k, LSN: base.LSN(i + 1), Kind: base.KindPut, Value: value}, false, 0)
	}
	return m
}

func BenchmarkInsert(b *testing.B) {
	keys, value := benchKeys(benchCount), make([]byte, 400)
	m, i := New(), 0
	b.ReportAllocs()
	for b.Loop() {
		if i == benchCount {
			m, i = New(), 0
		}
		m.Insert(base.Entry{Key: keys[i], LSN: base.LSN(i + 1), Kind: base.KindPut, Value: value}, false, 0)
		i++
	}
}

func BenchmarkOverwrite(b *testing.B) {
	keys, value := benchKeys(benchCount), make([]byte, 400)
	m := benchTable(keys, value)
	i := benchCount
	b.ReportAllocs()
	for b.Loop() {
		m.Insert(base.Entry{
			Key: keys[i%benchCount], LSN: base.LSN(i + 1), Kind: base.KindPut, Value: value,
		}, false, base.LSN(i))
		i++
	}
}

func BenchmarkGet(b *testing.B) {
	keys := benchKeys(benchCount)
	m := benchTable(keys, make([]byte, 400))
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if m.Get(keys[i%benchCount], benchCount) == nil {
			b.Fatal("missing")
		}
		i++
	}
}

// BenchmarkGetLargePartition reads where neighbours differ in their last bytes only.
func BenchmarkGetLargePartition(b *testing.B) {
	keys := benchKeysOf(benchCount, 2000)
	m := benchTable(keys, make([]byte, 400))
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if m.Get(keys[i%benchCount], benchCount) == nil {
			b.Fatal("key is gone")
		}
		i += 7919
	}
}

func BenchmarkScan20(b *testing.B) {
	keys := benchKeys(benchCount)
	m := benchTable(keys, make([]byte, 400))
	var mu sync.RWMutex
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		it := m.NewIter(&mu, IterOptions{MaxLSN: benchCount})
		n := 0
		for ok := it.SeekGE(keys[i%benchCount]); ok && n < 20; ok = it.Next() {
			n++
		}
		i++
	}
}

// The tree that the measurements before the design used, with the same versions in it.
type tidwallItem struct{ head *Version }

func newTidwall() *btree.BTreeG[tidwallItem] {
	return btree.NewBTreeGOptions(func(a, b tidwallItem) bool {
		return bytes.Compare(a.head.Key(), b.head.Key()) < 0
	}, btree.Options{NoLocks: true, Degree: 32})
}

func BenchmarkTidwallInsert(b *testing.B) {
	keys, value := benchKeys(benchCount), make([]byte, 400)
	m, i := newTidwall(), 0
	b.ReportAllocs()
	for b.Loop() {
		if i == benchCount {
			m, i = newTidwall(), 0
		}
		m.Set(tidwallItem{newVersion(base.Entry{
			Key: keys[i], LSN: base.LSN(i + 1), Kind: base.KindPut, Value: value,
		}, false)})
		i++
	}
}

func BenchmarkTidwallGet(b *testing.B) {
	keys := benchKeys(benchCount)
	m := newTidwall()
	for i, k := range keys {
		m.Set(tidwallItem{newVersion(base.Entry{Key: k, LSN: base.LSN(i + 1), Kind: base.KindPut}, false)})
	}
	probes := make([]*Version, len(keys))
	for i, k := range keys {
		probes[i] = newVersion(base.Entry{Key: k}, false)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := m.Get(tidwallItem{probes[i%benchCount]}); !ok {
			b.Fatal("missing")
		}
		i++
	}
}
