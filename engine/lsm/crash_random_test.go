package lsm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// randomCopy is where workloads write backups and saved databases.
const randomCopy = "dir/copy"

// randomly draws the options of a random workload from its seed.
func randomly(o *Options, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 11))
	tiny(o)
	o.LogBytes = []int64{64 << 10, 96 << 10, 256 << 10}[rng.IntN(3)]
	o.MemtableBytes = []int64{32 << 10, 64 << 10, 256 << 10}[rng.IntN(3)]
	o.BlockBytes = []int{64, 1 << 10, 8 << 10}[rng.IntN(3)]
	o.Compression = Compression(rng.IntN(3))
	o.Sync = []SyncMode{SyncAlways, SyncAlways, SyncOff}[rng.IntN(3)]
	if rng.IntN(2) == 0 {
		o.manifestSwitch = 8 << 10
	}
	if rng.IntN(3) == 0 {
		o.counterMax = 40
	}
	if o.EncryptionKey = nil; rng.IntN(2) == 0 {
		o.EncryptionKey = ownersKey
	}
}

// randomOps draws what is done from the seed, too: writes of all sizes, dropped ranges, restarts with a
// log of another size, backups, and copies that are saved from a fork.
func randomOps(s *crashSession) error {
	rng := rand.New(rand.NewPCG(s.seed, 12))
	if err := s.open(); err != nil {
		return err
	}
	space := byte(20)
	for range 160 {
		var err error
		switch op := rng.IntN(60); {
		case op < 8:
			err = s.del(crashKey(1, byte(rng.IntN(5)*50), rng.IntN(30)))
		case op < 20:
			op := ledgerOp{puts: map[string]string{}}
			for range 1 + rng.IntN(5) {
				op.puts[crashKey(1, byte(rng.IntN(5)*50), rng.IntN(30))] = s.value(rng.IntN(7000))
			}
			err = s.do(op)
		case op < 21:
			err = s.put(crashKey(1, byte(rng.IntN(5)*50), rng.IntN(30)), 60_000)
		case op < 24:
			err = s.put(crashKey(space, byte(rng.IntN(5)*50), rng.IntN(9)), 300)
		case op < 25:
			err = s.drop(space)
			space++
		case op < 27:
			if err = s.close(); err == nil {
				s.opts.LogBytes = []int64{64 << 10, 128 << 10, 512 << 10}[rng.IntN(3)]
				err = s.open()
			}
		case op < 28:
			err = s.copy(rng.IntN(2) == 0)
		default:
			err = s.put(crashKey(1, byte(rng.IntN(5)*50), rng.IntN(30)), rng.IntN(1500))
		}
		if err != nil {
			return err
		}
	}
	return s.close()
}

// copy makes a backup, or saves a fork.
func (s *crashSession) copy(backup bool) error {
	db, ctx := s.db.(*DB), context.Background()
	if backup {
		_, err := db.Backup(ctx, randomCopy, BackupOptions{Overwrite: true})
		return err
	}
	return db.Save(ctx, randomCopy, SaveOptions{EncryptionKey: s.opts.EncryptionKey})
}

// logSizes closes and opens with a log of another size again and again.
func logSizes(s *crashSession) error {
	for i, size := range []int64{64 << 10, 256 << 10, 96 << 10, 512 << 10, 64 << 10} {
		s.opts.LogBytes, s.opts.SegmentBytes = size, 0
		if err := s.open(); err != nil {
			return err
		}
		for k := range 24 {
			if err := s.put(crashKey(1, byte(k*40), k%9), 2000+i*100); err != nil {
				return err
			}
		}
		if err := s.put(crashKey(1, 3, 90+i), 20_000); err != nil {
			return err
		}
		if err := s.close(); err != nil {
			return err
		}
	}
	return nil
}

// copyIsWhole wants that what a crash left under the name of a copy is all of one, if there is something.
func copyIsWhole(fsys *vfs.MemFS, o Options) error {
	f, err := fsys.Open(randomCopy, vfs.OpenOptions{ReadOnly: true})
	if err != nil {
		return nil //nolint:nilerr // there is none
	}
	_ = f.Close()
	r, err := Verify(context.Background(), randomCopy, VerifyOptions{FS: fsys, EncryptionKey: o.EncryptionKey})
	if err == nil && r.Errors > 0 {
		err = fmt.Errorf("%v", r.Faults)
	}
	if err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	return nil
}

const (
	randomSeedsNight = 40
	// randomEvery thins the crashes out, of one seed or many.
	randomEvery, randomEveryNight = 12, 3
	lapsShort, laps, lapsNight    = 20, 60, 2000
)

// TestCrashRandomWorkloads: each seed is another program under other options, crashed at every write and
// sync, and in the recovery from that.
func TestCrashRandomWorkloads(t *testing.T) {
	load := crashWorkload{name: "random", tuneBy: randomly, run: randomOps, every: randomEvery}
	seeds := []uint64{1000}
	switch one := os.Getenv(modelSeedVariable); {
	case testing.Short():
		load.every *= shortEvery
	case one != "":
		seed, err := strconv.ParseUint(one, 10, 64)
		require.NoError(t, err)
		seeds[0], load.every = seed, 1
	case os.Getenv("KSTONE_NIGHT") != "":
		load.every = randomEveryNight
		for len(seeds) < randomSeedsNight {
			seeds = append(seeds, seeds[0]+uint64(len(seeds)))
		}
	}
	for _, seed := range seeds {
		states, err := runCrash(load, seed)
		t.Logf("%s=%d: %d states", modelSeedVariable, seed, states)
		require.NoError(t, err)
	}
}

// TestLapsAndManifestsInGreatNumber: the ring and the manifest wrap around, thousands of times at night,
// with a crash every now and then; the file stays small and nothing is lost.
func TestLapsAndManifestsInGreatNumber(t *testing.T) {
	want := laps
	switch {
	case testing.Short():
		want = lapsShort
	case os.Getenv("KSTONE_NIGHT") != "":
		want = lapsNight
	}
	fsys := vfs.NewMemFS(1)
	o := faultOptions(fsys)
	o.manual, o.manifestSwitch, o.EncryptionKey = true, 4<<10, ownersKey
	db, err := Open(crashPath, o)
	require.NoError(t, err)
	model := map[string]string{}
	rng := rand.New(rand.NewPCG(1, 1))
	segments, manifests, last, most := 0, 0, db.man.id, int64(0)
	for n := 0; segments < 2*want || manifests < want/2; n++ {
		key, value := crashKey(1, byte(n%16*16), rng.IntN(40)), randomValue(rng, 200+rng.IntN(6000))
		claims := db.Metrics().Claims
		require.NoError(t, applyPut(db, key, value))
		model[key] = value
		if rng.IntN(4) == 0 {
			require.NoError(t, db.pass(passLog))
		}
		require.NoError(t, errors.Join(db.tend(), db.compactAll(context.Background())))
		segments += int(db.Metrics().Claims - claims)
		if db.man.id != last {
			last = db.man.id
			manifests++
		}
		most = max(most, fsys.Used())
		if n%400 != 399 {
			continue
		}
		o.FS = fsys.CrashClone(vfs.CrashPolicy(n/400%5), uint64(n))
		_ = db.Close()
		fsys = o.FS.(*vfs.MemFS)
		db, err = Open(crashPath, o)
		require.NoError(t, err)
		got, err := readAll(db)
		require.NoError(t, err)
		require.True(t, maps.Equal(model, got), difference(model, got))
		last = db.man.id
	}
	t.Logf("%d segments, %d manifests", segments, manifests)
	require.Less(t, most, int64(16<<20))
	require.NoError(t, db.Close())
}
