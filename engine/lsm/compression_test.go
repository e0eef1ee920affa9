package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// TestCompressionOfLevels writes the same records under each option, one after the other into one
// file: zstd is for the last level only, and blocks of every kind are read whatever the option says.
func TestCompressionOfLevels(t *testing.T) {
	fs := vfs.NewMemFS(1)
	ctx := context.Background()
	model := map[string]string{}
	type sizes struct{ above, last int64 }
	got := map[Compression]sizes{}
	for i, how := range []Compression{CompressionNone, CompressionS2, CompressionZstd} {
		db, err := Open("db", Options{FS: fs, manual: true, SegmentBytes: 1 << 20, LogBytes: 64 << 20, Compression: how})
		require.NoError(t, err)
		checkModel(t, db, model)
		r := rand.New(rand.NewPCG(1, 1))
		for n := range 400 {
			k := testKey(byte(i), fmt.Sprintf("k%04d", n))
			model[string(k)] = fmt.Sprintf(`{"customer":"C%05d","state":"%s","amount":%d,"note":"delivered to the neighbour"}`,
				r.IntN(500), []string{"open", "paid", "shipped"}[r.IntN(3)], r.IntN(100_000))
			mustPut(t, db, k, model[string(k)])
		}
		flushAll(t, db)
		above := levelsOf(db, i, 0, levelLast-1)
		require.NoError(t, db.compactAll(ctx))
		require.Zero(t, levelsOf(db, i, 0, levelLast-1))
		got[how] = sizes{above, levelsOf(db, i, levelLast, levelLast)}
		checkModel(t, db, model)
		require.NoError(t, db.Close())
	}
	require.InEpsilon(t, got[CompressionNone].above, got[CompressionNone].last, 0.02)
	require.InEpsilon(t, got[CompressionS2].above, got[CompressionS2].last, 0.02)
	require.InEpsilon(t, got[CompressionS2].above, got[CompressionZstd].above, 0.02)
	require.Less(t, got[CompressionS2].last, got[CompressionNone].last*2/3)
	require.Less(t, got[CompressionZstd].last, got[CompressionS2].last*4/5)
}

// levelsOf adds up the tables of some levels of the stripe of testKey(hash, …).
func levelsOf(db *DB, hash, from, to int) (n int64) {
	v := db.stripes[hash].tables
	for l := from; l <= to; l++ {
		n += v.levelBytes(l)
	}
	return n
}
