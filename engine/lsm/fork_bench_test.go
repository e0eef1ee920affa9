package lsm

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/storage"
)

// BenchmarkFork forks databases in memory of several sizes, two million items of 400 bytes being 1 GB,
// and writes and closes each fork or not.
func BenchmarkFork(b *testing.B) {
	for _, items := range []int{0, 20_000, 2_000_000} {
		b.Run(fmt.Sprintf("items=%d", items), func(b *testing.B) {
			db, err := Open("", Options{InMemory: true})
			require.NoError(b, err)
			defer func() { require.NoError(b, db.Close()) }()
			forkKey := func(i int) []byte {
				k := testKey(byte(i*2654435761>>20), "")
				return binary.BigEndian.AppendUint64(k, uint64(i))
			}
			value := make([]byte, 400)
			for i := 0; i < items; i += 100 {
				var batch storage.Batch
				for j := i; j < i+100; j++ {
					batch.Put(forkKey(j), value)
				}
				require.NoError(b, db.Apply(b.Context(), &batch, storage.UpdateOptions{}))
			}
			b.Run("only", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					f, err := db.Fork()
					require.NoError(b, err)
					require.NoError(b, f.Close())
				}
			})
			b.Run("write", func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					f, err := db.Fork()
					require.NoError(b, err)
					for range 10 {
						i++
						mustPut(b, f, forkKey(i*7919%max(items, 1)), "changed")
					}
					require.NoError(b, f.Close())
				}
			})
		})
	}
}
