package table

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
)

// benchEntries are items of 400 bytes, half of which compress.
func benchEntries(n int) []base.Entry {
	r := rand.New(rand.NewPCG(1, 2))
	es := make([]base.Entry, 0, n)
	for i := range n {
		v := make([]byte, 400)
		for j := range 200 {
			v[j] = byte(r.Uint32())
		}
		copy(v[200:], bytes.Repeat([]byte("name=value; "), 17))
		es = append(es, base.Entry{
			Key: itemKey(1, uint32(i/10)*256, fmt.Sprintf("order#%04d", i%10)),
			LSN: base.LSN(i + 1), Kind: base.KindPut, Value: v,
		})
	}
	return sorted(es)
}

func benchReader(b *testing.B, es []base.Entry) *Reader {
	file, _ := build(b, es, WriterOptions{})
	return open(file, cache.New(64<<20), NewResident(0))
}

func BenchmarkBuild(b *testing.B) {
	es := benchEntries(8000)
	var size int64
	for _, e := range es {
		size += int64(len(e.Key) + len(e.Value))
	}
	b.SetBytes(size)
	b.ReportAllocs()
	var buf bytes.Buffer
	for b.Loop() {
		buf.Reset()
		w := NewWriter(&buf, WriterOptions{})
		for _, e := range es {
			_ = w.Add(e)
		}
		if _, err := w.Finish(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(buf.Len())/float64(size), "stored/raw")
}

func BenchmarkGetHit(b *testing.B) {
	es := benchEntries(8000)
	rd := benchReader(b, es)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		e := &es[i*7919%len(es)]
		if _, ok, _ := rd.Get(e.Key, 1<<60, nothing); !ok {
			b.Fatal("missing")
		}
		i++
	}
}

func BenchmarkGetHitUncached(b *testing.B) {
	es := benchEntries(8000)
	rd := benchReader(b, es)
	rd.opts.Cache = cache.New(100_000)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		e := &es[i*7919%len(es)]
		if _, ok, _ := rd.Get(e.Key, 1<<60, nothing); !ok {
			b.Fatal("missing")
		}
		i++
	}
}

func BenchmarkGetMiss(b *testing.B) {
	es := benchEntries(8000)
	rd := benchReader(b, es)
	i := 0
	key := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		key = append(append(key[:0], es[i*7919%len(es)].Key...), 'x')
		_, _, _ = rd.Get(key, 1<<60, nothing)
		i++
	}
}

func BenchmarkScan20(b *testing.B) {
	es := benchEntries(8000)
	for _, back := range []bool{false, true} {
		b.Run(fmt.Sprintf("back=%v", back), func(b *testing.B) {
			rd := benchReader(b, es)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				it := rd.NewIter()
				key := es[i*7919%len(es)].Key
				if back {
					for n, ok := 0, it.SeekLT(key); ok && n < 20; n++ {
						ok = it.Prev()
					}
				} else {
					for n, ok := 0, it.SeekGE(key); ok && n < 20; n++ {
						ok = it.Next()
					}
				}
				_ = it.Close()
				i++
			}
		})
	}
}
