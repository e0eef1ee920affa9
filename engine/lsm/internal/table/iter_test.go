package table

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
)

// TestAClosedIteratorKeepsNothing that it read, but the room for it, and is used again.
func TestAClosedIteratorKeepsNothing(t *testing.T) {
	es := []base.Entry{}
	for i := range 100 {
		es = append(es, base.Entry{Key: itemKey(1, 7, fmt.Sprintf("%04d", i)), LSN: base.LSN(i + 1), Kind: base.KindPut, Value: []byte("value")})
	}
	file, _ := build(t, es, WriterOptions{})
	rd := open(file, nil, nil)
	var it Iter
	for range 2 {
		it.Reset(rd, IterOptions{})
		require.True(t, it.Last())
		require.True(t, it.Prev())
		require.Equal(t, es[98].Key, it.Key())
		require.NoError(t, it.Close())
		require.NoError(t, it.Close())
		for _, b := range [][]byte{it.key, it.slab} {
			for _, c := range b[:cap(b)] {
				require.Zero(t, c)
			}
		}
		for _, s := range it.stops[:cap(it.stops)] {
			require.Zero(t, s)
		}
		require.Zero(t, it.e)
		require.False(t, it.First())
		require.False(t, it.Valid())
		require.NoError(t, it.Err())
	}
}
