package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

const year = 365 * 24 * time.Hour

// TestAClockThatIsSetBackStopsNothing: what was written before and after the step grows old all the
// same, and the age of a snapshot is no less than it was.
func TestAClockThatIsSetBackStopsNothing(t *testing.T) {
	clock := newTestClock()
	db := manualDB(t, vfs.NewMemFS(1), func(o *Options) { o.Clock = clock.read })
	mustPut(t, db, testKey(1, "before"), "v")
	s, err := db.Snapshot(context.Background(), storage.SnapshotOptions{})
	require.NoError(t, err)
	defer s.Close()
	clock.advance(FlushAgeDefault / 2)
	require.Equal(t, FlushAgeDefault/2, db.Metrics().OldestSnapshotAge)
	clock.advance(-year)
	mustPut(t, db, testKey(2, "after"), "v")
	require.Equal(t, FlushAgeDefault/2, db.Metrics().OldestSnapshotAge)
	clock.advance(FlushAgeDefault / 2)
	require.NoError(t, db.pass(passAge))
	require.True(t, db.stripes[1].active.Empty())
	require.False(t, db.stripes[2].active.Empty())
	clock.advance(FlushAgeDefault / 2)
	require.NoError(t, db.pass(passAge))
	require.True(t, db.stripes[2].active.Empty())
}

// TestAClockThatJumpsChangesNothing: years pass and come back between any two steps. Order is by
// numbers only, in the memtables, in the tables and after a crash.
func TestAClockThatJumpsChangesNothing(t *testing.T) {
	clock := newTestClock()
	jumps := rand.New(rand.NewPCG(1, 2))
	fsys := vfs.NewMemFS(1)
	const target = 6
	tune := func(o *Options) { o.Clock, o.LogBytes = clock.read, target*o.SegmentBytes }
	model := map[string]string{}
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 5 {
		db := manualDB(t, fsys, tune)
		for i := range 300 {
			key := testKey(byte(rng.IntN(4)), fmt.Sprint(rng.IntN(40)))
			if rng.IntN(5) == 0 {
				mustDelete(t, db, key)
				delete(model, string(key))
			} else {
				model[string(key)] = fmt.Sprint(round, i, randomValue(rng, 300))
				mustPut(t, db, key, model[string(key)])
			}
			clock.advance(time.Duration(jumps.Int64N(int64(4*year))) - 2*year)
			switch rng.IntN(10) {
			case 0:
				require.NoError(t, db.pass(passAge))
			case 1:
				require.NoError(t, db.compactAll(context.Background()))
			default:
				require.NoError(t, db.tend())
			}
			require.LessOrEqual(t, db.Metrics().Segments, target)
		}
		fsys = fsys.CrashClone(vfs.CrashLoseAll, uint64(round))
		got, err := readAll(manualDB(t, fsys.CrashClone(vfs.CrashKeepAll, 1), tune))
		require.NoError(t, err)
		require.Equal(t, model, got)
		require.NoError(t, db.Close())
	}
}
