package lsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// scrubbed is a database with tables and its scrubber, ticked by hand.
func scrubbed(t *testing.T, fsys *vfs.MemFS, tune func(*Options)) (*DB, *scrubber) {
	t.Helper()
	db := manualDB(t, fsys, func(o *Options) {
		o.MemtableBytes, o.BlockBytes = 64<<20, 512
		if tune != nil {
			tune(o)
		}
	})
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 90 {
		mustPut(t, db, testKey(byte(i%9), fmt.Sprintf("%04d", i)), randomValue(rng, 200))
	}
	require.NoError(t, db.pass(passAll))
	s, err := db.newScrubber()
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.file.Close() })
	return db, s
}

// ticksOfAPass ticks until a pass is over.
func ticksOfAPass(t *testing.T, db *DB, s *scrubber) (ticks int) {
	t.Helper()
	for before := db.Metrics().ScrubPasses; db.Metrics().ScrubPasses == before; ticks++ {
		require.Less(t, ticks, 10_000_000)
		s.tick(context.Background())
	}
	return ticks
}

// TestScrubFindsDamageOfARunningDatabase in every part, says where, and goes on; nothing else happens.
func TestScrubFindsDamageOfARunningDatabase(t *testing.T) {
	t.Run("plain", func(t *testing.T) { scrubFindsDamage(t, nil) })
	t.Run("encrypted", func(t *testing.T) { scrubFindsDamage(t, ownersKey) })
}

func scrubFindsDamage(t *testing.T, key []byte) {
	fsys := vfs.NewMemFS(1)
	var told []string
	db, s := scrubbed(t, fsys, func(o *Options) {
		o.ScrubRate, o.EncryptionKey = 1<<30, key
		o.Logger = func(_ string, err error) { told = append(told, err.Error()) }
	})
	ticksOfAPass(t, db, s)
	require.Empty(t, told)
	require.Zero(t, db.Metrics().ScrubFaults)

	whole := wholeFile(t, fsys)
	flip := func(off int64) { overwrite(t, fsys, []byte{whole[off] ^ 8}, off) }
	flip(4096 + 100)
	for _, tb := range db.man.state.Tables {
		if tb.Stripe == 3 {
			flip(tb.Offset + tb.Meta.Length/2)
		}
	}
	s.ticks = int64(scrubRest / scrubTick)
	ticksOfAPass(t, db, s)
	require.Len(t, told, 3)
	require.Contains(t, told[0], "superblock at offset 4096, copy 1")
	require.Contains(t, told[1], "stripe 3, level 0), data block")
	require.Equal(t, uint64(3), db.Metrics().ScrubFaults, "the digest, too")
	mustPut(t, db, testKey(3, "new"), "1")
	_, err := readAll(db)
	require.ErrorIs(t, err, storage.ErrCorrupt, "reads of the block say so")

	flip(db.man.chain.Position().Offset - int64(db.man.align))
	s.ticks = int64(scrubRest / scrubTick)
	ticksOfAPass(t, db, s)
	require.Contains(t, fmt.Sprint(told[3:]), "manifest at offset")
}

// TestScrubKeepsToItsRate: what it reads in a time, with and without one, and beside commits.
func TestScrubKeepsToItsRate(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db, s := scrubbed(t, fsys, func(o *Options) { o.ScrubRate = 4096 })
	calm := ticksOfAPass(t, db, s)
	bytes := db.Metrics().ScrubBytes
	require.InDelta(t, float64(bytes)/4096, float64(calm), 20)
	for range scrubRest/scrubTick - 1 {
		s.tick(context.Background())
	}
	require.LessOrEqual(t, db.Metrics().ScrubBytes, bytes+1<<20, "a pass an hour")

	s.ticks = int64(scrubRest / scrubTick)
	before := db.Metrics().ScrubPasses
	busy := 0
	for ; db.Metrics().ScrubPasses == before; busy++ {
		s.frames = 0 // as if very much had been committed
		s.tick(context.Background())
	}
	require.Greater(t, busy, 6*calm)

	db.opts.ScrubRate = 0
	require.Equal(t, db.heap.space.End()/(7*24*3600)+1, s.rate(), "a week")
	fresh := fsys.Ops()
	s.tick(context.Background())
	require.Equal(t, fresh, fsys.Ops(), "nothing is written")
}

// TestScrubBesideCompaction: tables go while their turn comes, and are never read after that.
func TestScrubBesideCompaction(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db, s := scrubbed(t, fsys, func(o *Options) { o.ScrubRate = 1024 })
	for i := range 200 {
		s.tick(context.Background())
		mustPut(t, db, testKey(byte(i%9), fmt.Sprintf("%04d", i%40)), "newer")
		if i%10 == 0 {
			require.NoError(t, db.pass(passAll))
			require.NoError(t, db.compactAll(context.Background()))
			exhaustAndScribble(t, db, fsys)
		}
	}
	require.Zero(t, db.Metrics().ScrubFaults)
}
