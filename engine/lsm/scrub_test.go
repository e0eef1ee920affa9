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

// TestScrubChecksEveryTable, those of one stripe and level, too.
func TestScrubChecksEveryTable(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	var told []string
	db, s := scrubbed(t, fsys, func(o *Options) {
		o.ScrubRate = 1 << 30
		o.Logger = func(_ string, err error) { told = append(told, err.Error()) }
	})
	require.NoError(t, db.compactAll(context.Background()))
	for i := range 2 {
		mustPut(t, db, testKey(byte(i), "newer"), "1")
		mustPut(t, db, testKey(5, fmt.Sprint(i)), "1")
		require.NoError(t, db.pass(passAll))
	}
	whole := wholeFile(t, fsys)
	tables := 0
	for num, tb := range db.man.state.Tables {
		off := tb.Offset + tb.Meta.Length/2
		overwrite(t, fsys, []byte{whole[off] ^ 8}, off)
		told = told[:0]
		s.ticks = int64(scrubRest / scrubTick)
		ticksOfAPass(t, db, s)
		require.Contains(t, fmt.Sprint(told), num.String())
		overwrite(t, fsys, whole[off:off+1], off)
		tables++
	}
	require.Greater(t, tables, 12)
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

// TestScrubFindsDamageOfTheLiveLog in a group and in a spill, as long as the log needs them.
func TestScrubFindsDamageOfTheLiveLog(t *testing.T) {
	t.Run("plain", func(t *testing.T) { scrubFindsDamageOfTheLog(t, nil) })
	t.Run("encrypted", func(t *testing.T) { scrubFindsDamageOfTheLog(t, ownersKey) })
}

func scrubFindsDamageOfTheLog(t *testing.T, key []byte) {
	fsys := vfs.NewMemFS(1)
	var told []string
	db, s := scrubbed(t, fsys, func(o *Options) {
		o.ScrubRate, o.EncryptionKey, o.SegmentBytes, o.LogBytes = 1<<30, key, 4<<20, 8<<20
		o.Logger = func(_ string, err error) { told = append(told, err.Error()) }
	})
	pass := func() {
		s.ticks = int64(scrubRest / scrubTick)
		ticksOfAPass(t, db, s)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	large := randomValue(rng, 5000)
	for i := range 1200 { // more than one step
		mustPut(t, db, testKey(9, fmt.Sprint(i)), large)
	}
	var b storage.Batch
	for i := range 4 {
		b.Put(testKey(8, fmt.Sprint(i)), []byte(randomValue(rng, 1<<20-1000)))
	}
	require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
	require.Len(t, db.spills, 1)
	before := db.Metrics().ScrubBytes
	pass()
	require.Empty(t, told)
	require.Greater(t, db.Metrics().ScrubBytes-before, uint64(9<<20), "log and spill are read")

	whole := wholeFile(t, fsys)
	flip := func(off int64) { overwrite(t, fsys, []byte{whole[off] ^ 8}, off) }
	spilled := db.spills[0].Extents[0].Offset + 100
	flip(spilled)
	group := db.wal.marks[len(db.wal.marks)-2].pos.Offset
	flip(group + 100)
	pass()
	require.Len(t, told, 2)
	require.Contains(t, told[0], fmt.Sprintf("wal at offset %d", group))
	require.Contains(t, told[1], "spill at offset")
	require.NoError(t, db.pass(passAll)) // everything is in tables now
	pass()
	require.Len(t, told, 2, "what nobody needs is not damaged")
}

// TestScrubBesideALogInUse: segments and spills are given back and used again while they are read.
func TestScrubBesideALogInUse(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db, s := scrubbed(t, fsys, func(o *Options) { o.ScrubRate, o.LogBytes, o.SegmentBytes = 1<<20, 512<<10, segmentBytesMin })
	rng := rand.New(rand.NewPCG(3, 3))
	write := func(i int) {
		n := 3000
		if i%20 == 19 {
			n = 80 << 10
		}
		mustPut(t, db, testKey(byte(i%9), fmt.Sprint(i%50)), randomValue(rng, n))
		require.NoError(t, db.tend())
	}
	reading, ofSpills, laps := false, false, 0
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Kind != vfs.OpRead || !s.log.on || reading || (s.log.at.Seq > s.log.until) != ofSpills {
			return nil
		}
		laps++
		reading = true // a lap of the log while the scrubber reads
		for range 2 {
			require.NoError(t, db.pass(passAll))
			for i := range 30 {
				write(i)
			}
		}
		exhaustAndScribble(t, db, fsys)
		reading = false
		return nil
	}})
	for pass := range 4 {
		ofSpills = pass%2 == 0
		for i := range 40 {
			write(i)
		}
		s.ticks = int64(scrubRest / scrubTick)
		ticksOfAPass(t, db, s)
	}
	require.Zero(t, db.Metrics().ScrubFaults)
	require.Greater(t, laps, 4)
}
