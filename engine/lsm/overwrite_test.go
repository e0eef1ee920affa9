package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// overwrites is a load of random overwrites of the same keys, on the disk.
type overwrites struct {
	logBytes, data, written int64
	laps                    uint64 // at least
}

const (
	overwriteValue   = 1000
	overwriteBatch   = 64
	overwriteWriters = 4
	// spaceFactor bounds the settled space, log and reserve included, against the data.
	spaceFactor = 1.5
)

// TestOverwritesThroughASmallLog writes many times the size of the log: laps go on and the space settles. The long
// form is for the night.
func TestOverwritesThroughASmallLog(t *testing.T) {
	load := overwrites{logBytes: 8 << 20, data: 96_000_000, written: 300_000_000, laps: 30}
	switch {
	case os.Getenv("KSTONE_NIGHT") != "":
		load = overwrites{logBytes: 16 << 20, data: 384_000_000, written: 3_000_000_000, laps: 100}
	case testing.Short():
		t.Skip("300 MB are too much for the race detector")
	}
	db, err := Open(filepath.Join(t.TempDir(), "x.keystone"), Options{
		LogBytes: load.logBytes, SegmentBytes: load.logBytes / 8,
	})
	require.NoError(t, err)
	newest := load.run(t, db)
	m := settle(t, db)
	used := m.FileBytes - m.HoleBytes
	laps := m.Claims / uint64(m.Segments)
	t.Logf("%d laps of %d segments, %d claims; %d passes, %d compactions; %d tables of %d bytes; "+
		"%d bytes used for %d: factor %.2f", laps, m.Segments, m.Claims, m.Passes, m.Compactions,
		m.Tables, m.TableBytes, used, load.data, float64(used)/float64(load.data))
	assert.GreaterOrEqual(t, laps, load.laps)
	assert.LessOrEqual(t, float64(used), spaceFactor*float64(load.data))
	for i := 0; i < len(newest); i += 97 {
		v, err := db.Get(context.Background(), overwriteKey(i))
		require.NoError(t, err)
		require.Equal(t, newest[i], string(v.Data[:8]), "key %d", i)
	}
	require.NoError(t, db.Close())
}

func overwriteKey(i int) []byte { return testKey(byte(i*131), fmt.Sprintf("key%09d", i)) }

// run returns how the newest value of each key begins. Each writer has keys of its own.
func (load overwrites) run(t *testing.T, db *DB) []string {
	t.Helper()
	keys := int(load.data / overwriteValue)
	newest := make([]string, keys)
	rounds := int(load.written / (overwriteWriters * overwriteBatch * overwriteValue))
	var wg sync.WaitGroup
	for w := range overwriteWriters {
		rng := rand.New(rand.NewPCG(1, uint64(w)))
		noise := rand.NewChaCha8([32]byte{byte(w)})
		fill := keys / overwriteWriters / overwriteBatch // the first rounds write every key
		wg.Go(func() {
			for round := range rounds {
				var b storage.Batch
				for k := range overwriteBatch {
					n := round*overwriteBatch + k
					if round > fill {
						n = rng.IntN(keys / overwriteWriters)
					}
					i := min(n*overwriteWriters+w, keys-1-(keys-1-w)%overwriteWriters)
					value := make([]byte, overwriteValue)
					_, _ = noise.Read(value) // does not compress
					newest[i] = fmt.Sprintf("%08d", round)
					copy(value, newest[i])
					b.Put(overwriteKey(i), value)
				}
				if !assert.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{})) {
					return
				}
			}
		})
	}
	wg.Wait()
	return newest
}

// TestTheGateKeepsLevel0Small: writers that are quicker than compaction wait, so that the tables of their stripe
// stay few. How quick each is does not depend on the machine: the time is the bubble's, and only the disk takes any.
func TestTheGateKeepsLevel0Small(t *testing.T) {
	const (
		writers, rounds, batch = 4, 400, 8 << 10
		readTakes              = 4 * time.Millisecond // compaction reads, nobody else
		tablesMax              = 4 * l0SlowTables
	)
	synctest.Test(t, func(t *testing.T) {
		fsys := vfs.NewMemFS(1)
		fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
			if op.Kind == vfs.OpRead {
				time.Sleep(readTakes) //nolint:sleep // the bubble has no time but this
			}
			return nil
		}})
		db, err := Open("dir/db", Options{
			FS: fsys, SegmentBytes: 64 << 10, LogBytes: 4 << 20, MemtableBytes: 64 << 10, Workers: 1, ScrubRate: -1,
		})
		require.NoError(t, err)
		var most atomic.Int64
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(1, uint64(w)))
				for range rounds {
					assert.NoError(t, applyPut(db, crashKey(1, 7, rng.IntN(60)), randomValue(rng, batch)))
					now := int64(db.Metrics().Level0Max)
					for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
					}
				}
			})
		}
		wg.Wait()
		m := db.Metrics()
		t.Logf("%d tables in level 0 at most, %d stalls of %v in all; %d passes, %d compactions", most.Load(),
			m.Stalls, m.StallTotal, m.Passes, m.Compactions)
		assert.Greater(t, most.Load(), int64(l0SlowTables), "compaction was too quick for the gate")
		assert.LessOrEqual(t, most.Load(), int64(tablesMax))
		require.NoError(t, db.Close())
	})
}

// settle does what a store does when nobody writes for a while.
func settle(t *testing.T, db *DB) Metrics {
	t.Helper()
	const all = 1 << 20
	require.NoError(t, db.checkpoint())
	require.NoError(t, db.compactAll(context.Background()))
	require.NoError(t, db.heap.tidy(all, space.HoleQuietBytes))
	require.NoError(t, db.heap.cutTail(cutTailMinBytes))
	return db.Metrics()
}

// TestQuietStorePunchesSmallHoles frees every other of some small extents: their blocks go only when
// nobody has written for a while.
func TestQuietStorePunchesSmallHoles(t *testing.T) {
	db := openManual(t, vfs.NewMemFS(1))
	const size, count = 256 << 10, 64
	var extents []log.Extent
	for range count {
		e, err := db.heap.alloc(size, spareAll)
		require.NoError(t, err)
		extents = append(extents, e)
	}
	for i := 0; i < count; i += 2 {
		db.heap.free(extents[i])
	}
	mustPut(t, db, testKey(1, "k"), "v")
	rest := newQuiet()
	for tick := range int64(quietTicks - 1) {
		db.tick(tick+1, rest)
	}
	before := db.Metrics().HoleBytes // large runs go at once
	for tick := range int64(quietTicks) {
		db.tick(quietTicks+tick+1, rest)
	}
	require.Greater(t, db.Metrics().HoleBytes-before, int64(count/4*size))
	for i := 1; i < count; i += 2 {
		db.heap.free(extents[i])
	}
	require.NoError(t, db.Close())
}
