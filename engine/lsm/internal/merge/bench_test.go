package merge

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// BenchmarkMerge goes through sources of different sizes, shares in percent, to a version each time.
func BenchmarkMerge(b *testing.B) {
	for _, shares := range [][]int{{50, 50}, {2, 10, 88}, {33, 33, 34}, {2, 8, 8, 8, 74}, {12, 12, 12, 12, 13, 13, 13, 13}} {
		r := rand.New(rand.NewPCG(1, 2))
		lists := make([][]base.Entry, len(shares))
		for i := range 20_000 {
			at, k := r.IntN(100), 0
			for at >= shares[k] {
				at -= shares[k]
				k++
			}
			key := append([]byte{0x10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 7}, fmt.Sprintf("user%08d\x00order#%04d", i/10, i%10)...)
			lists[k] = append(lists[k], base.Entry{Key: key, LSN: base.LSN(i + 1), Kind: base.KindPut})
		}
		b.Run(fmt.Sprint(shares), func(b *testing.B) {
			sources := make([]base.Iterator, len(lists))
			for i, l := range lists {
				slices.SortFunc(l, func(a, b base.Entry) int { return bytes.Compare(a.Key, b.Key) })
				sources[i] = &list{es: l}
			}
			m := New(sources...)
			m.First()
			for b.Loop() {
				if !m.Next() {
					m.First()
				}
			}
		})
	}
}
