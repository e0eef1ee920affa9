package lsm

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// salvagedPath is where salvage writes.
const salvagedPath = "dir/new"

// salvaged returns what salvage finds in a file, and what it says of it. The new file is sound, and the
// damaged one as it was.
func salvaged(t testing.TB, fsys *vfs.MemFS) (map[string]string, SalvageReport) {
	t.Helper()
	o := faultOptions(fsys)
	r, err := Salvage(context.Background(), crashPath, salvagedPath, SalvageOptions{FS: fsys, Rand: o.Rand})
	require.NoError(t, err)
	v, err := Verify(context.Background(), salvagedPath, VerifyOptions{FS: fsys})
	require.NoError(t, err)
	sound(t, v)
	db, err := Open(salvagedPath, o)
	require.NoError(t, err)
	got, err := readAll(db)
	require.NoError(t, err)
	require.NoError(t, applyPut(db, crashKey(1, 9, 9), "goes on"))
	require.NoError(t, db.Close())
	require.Equal(t, int64(len(got)), r.Keys)
	return got, r
}

// salvageFile is a database with tables of several ages, deletions, a dropped range, a log and a spill.
func salvageFile(t testing.TB, close bool) (*vfs.MemFS, map[string]string) {
	t.Helper()
	fsys := vfs.NewMemFS(1)
	o := faultOptions(fsys)
	o.manual, o.MemtableBytes, o.BlockBytes, o.SegmentBytes, o.LogBytes = true, 64<<20, 512, 512<<10, 1<<20
	db, err := Open(crashPath, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	rng := rand.New(rand.NewPCG(1, 1))
	want := map[string]string{}
	put := func(key string, n int) {
		value := randomValue(rng, n)
		require.NoError(t, applyPut(db, key, value))
		want[key] = value
	}
	remove := func(key string) {
		var b storage.Batch
		b.Delete([]byte(key))
		require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
		delete(want, key)
	}
	for round := range 3 {
		for i := range 90 {
			put(crashKey(1, byte(i%3), i), 60+round)
		}
		for i := range 10 {
			remove(crashKey(1, byte((i*7)%3), i*7))
		}
		for i := range 20 {
			require.NoError(t, applyPut(db, crashKey(2, byte(i%3), i), "dropped"))
		}
		require.NoError(t, db.checkpoint())
		if round == 0 {
			require.NoError(t, db.compactAll(context.Background()))
		}
	}
	require.NoError(t, db.DropRange(context.Background(), spaceRange(2)))
	put(crashKey(1, 1, 500), 300<<10) // a spill
	put(crashKey(1, 0, 0), 40)
	remove(crashKey(1, 1, 1))
	put(crashKey(1, 2, 501), 10)
	if close {
		require.NoError(t, db.Close())
	}
	return fsys.CrashClone(vfs.CrashKeepAll, 1), want
}

// TestSalvageOfASoundFile loses nothing.
func TestSalvageOfASoundFile(t *testing.T) {
	for _, close := range []bool{true, false} {
		fsys, want := salvageFile(t, close)
		before := wholeFile(t, fsys)
		got, r := salvaged(t, fsys)
		require.Empty(t, r.Losses)
		require.Equal(t, want, got)
		require.Equal(t, before, wholeFile(t, fsys), "only read")

		_, err := Salvage(context.Background(), crashPath, salvagedPath, SalvageOptions{FS: fsys})
		require.ErrorIs(t, err, fs.ErrExist, "what is there stays")
	}
}

// TestSalvageAfterDamageOfEachKind: all that is not damaged is there, and what is lost is named.
func TestSalvageAfterDamageOfEachKind(t *testing.T) {
	type damage struct {
		name string
		do   func(t *testing.T, fsys *vfs.MemFS, r VerifyReport)
		// lost is how many keys may be missing or old, at most.
		lost int
		// back: deleted keys may be there again.
		back bool
	}
	zero := func(t *testing.T, fsys *vfs.MemFS, off, n int64) { overwrite(t, fsys, make([]byte, n), off) }
	// tables says where they are.
	tables := func(t *testing.T, fsys *vfs.MemFS) []SalvageLoss {
		var out []SalvageLoss
		all := wholeFile(t, fsys)
		for off := superblock.AreaBytes; off < len(all); off += 4096 {
			if _, num, _, ok := table.FindHeader(all[off:]); ok {
				out = append(out, SalvageLoss{Offset: int64(off), Object: num.String()})
			}
		}
		require.Greater(t, len(out), 6)
		return out
	}
	manifestAt := func(t *testing.T, fsys *vfs.MemFS) (int64, int64) {
		copies, err := readSuper(fsys, crashPath)
		require.NoError(t, err)
		return copies.ManifestFirst.Offset, copies.ManifestFirst.Length
	}
	for _, d := range []damage{
		{"one superblock", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) { zero(t, f, 0, 512) }, 0, false},
		{"the other superblock", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) { zero(t, f, 4096, 4096) }, 0, false},
		{"both superblocks", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) { zero(t, f, 0, 8192) }, 0, true},
		{"the whole manifest", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) {
			off, n := manifestAt(t, f)
			zero(t, f, off, n)
		}, 0, true},
		{"a group of the manifest", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) {
			off, _ := manifestAt(t, f)
			zero(t, f, off+2048, 512)
		}, 0, true},
		{"everything but tables", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) {
			off, n := manifestAt(t, f)
			zero(t, f, off, n)
			zero(t, f, 0, 8192)
		}, 0, true},
		{"a block of each table", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) {
			for _, tb := range tables(t, f) {
				zero(t, f, tb.Offset+200, 16)
			}
		}, 3 * 9 * 8, false},
		{"the headers of tables", func(t *testing.T, f *vfs.MemFS, _ VerifyReport) {
			for _, tb := range tables(t, f) {
				zero(t, f, tb.Offset, 80)
			}
		}, 0, false},
	} {
		t.Run(d.name, func(t *testing.T) {
			for _, close := range []bool{true, false} {
				fsys, want := salvageFile(t, close)
				d.do(t, fsys, VerifyReport{})
				got, r := salvaged(t, fsys)
				require.Equal(t, d.name == "the headers of tables", len(r.Losses) == 0, "nobody needs those of a plain file")
				missing := 0
				for k, v := range want {
					if got[k] != v {
						missing++
					}
					delete(got, k)
				}
				require.LessOrEqual(t, missing, d.lost)
				if !d.back {
					require.Empty(t, got, "nothing that was not there")
				}
				t.Logf("%d lost, %d back, %d losses", missing, len(got), r.LossCount)
			}
		})
	}
}

// otherSuper are the superblocks of another database.
func otherSuper(t *testing.T, key []byte) []byte {
	t.Helper()
	fsys := vfs.NewMemFS(7)
	o := faultOptions(fsys)
	o.Rand, o.EncryptionKey = &seededReader{rng: rand.New(rand.NewPCG(77, 1))}, key
	db, err := Open(crashPath, o)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return wholeFile(t, fsys)[:superblock.AreaBytes]
}

// TestSalvageOfAFileWithOtherSuperblocks: what is in the file is taken, and whose superblocks they are is told.
func TestSalvageOfAFileWithOtherSuperblocks(t *testing.T) {
	for _, closed := range []bool{true, false} {
		fsys, want := salvageFile(t, closed)
		overwrite(t, fsys, otherSuper(t, nil), 0)
		got, r := salvaged(t, fsys)
		for k, v := range want {
			require.Equal(t, v, got[k])
		}
		require.Condition(t, func() bool {
			for _, l := range r.Losses {
				if l.Region == "superblock" && strings.Contains(l.What, "it is of another database") {
					return true
				}
			}
			return false
		}, "%+v", r.Losses)

		// Encrypted ones of another database say nothing without their key, and have none for this one.
		fsys, _ = salvageFile(t, closed)
		overwrite(t, fsys, otherSuper(t, ownersKey), 0)
		o := faultOptions(fsys)
		_, err := Salvage(t.Context(), crashPath, salvagedPath, SalvageOptions{FS: fsys, Rand: o.Rand})
		require.ErrorIs(t, err, ErrKeyNeeded)
		_, err = Salvage(t.Context(), crashPath, salvagedPath, SalvageOptions{FS: fsys, Rand: o.Rand, EncryptionKey: ownersKey})
		require.NoError(t, err)
	}

	// The other way around nothing can be read.
	fsys := vfs.NewMemFS(1)
	o := faultOptions(fsys)
	o.EncryptionKey = ownersKey
	db, err := Open(crashPath, o)
	require.NoError(t, err)
	require.NoError(t, applyPut(db, crashKey(1, 1, 1), "v"))
	require.NoError(t, db.Close())
	overwrite(t, fsys, otherSuper(t, nil), 0)
	_, err = Salvage(t.Context(), crashPath, salvagedPath, SalvageOptions{FS: fsys, Rand: o.Rand})
	require.ErrorContains(t, err, "with them the key of this encrypted file")
}

// TestSalvageOfAFileWithOlderSuperblocks: those of an earlier open, whose manifest is gone, do not hide what
// was written since.
func TestSalvageOfAFileWithOlderSuperblocks(t *testing.T) {
	fsys, want := salvageFile(t, true)
	old := wholeFile(t, fsys)[:superblock.AreaBytes]
	copies, err := readSuper(fsys, crashPath)
	require.NoError(t, err)
	first := copies.ManifestFirst
	for i := range 3 {
		o := faultOptions(fsys)
		o.manifestSwitch = 1
		db, err := Open(crashPath, o)
		require.NoError(t, err)
		key := crashKey(1, 2, 600+i)
		require.NoError(t, applyPut(db, key, "later"))
		want[key] = "later"
		require.NoError(t, db.Close())
	}
	overwrite(t, fsys, old, 0)
	if h, ok := log.DecodeHeader(wholeFile(t, fsys)[first.Offset:]); ok && h.Ident.Log == copies.ManifestLog {
		overwrite(t, fsys, make([]byte, first.Length), first.Offset) // nothing else is there
	}
	got, r := salvaged(t, fsys)
	for k, v := range want {
		require.Equal(t, v, got[k])
	}
	require.Contains(t, fmt.Sprint(r.Losses), "it is older than the rest of the file")
}

// TestSalvageOfATableWithoutItsIndex: the blocks are found by their checksums, footer and index being lost.
func TestSalvageOfATableWithoutItsIndex(t *testing.T) {
	fsys, want := salvageFile(t, true)
	copies, err := Verify(context.Background(), crashPath, VerifyOptions{FS: fsys})
	require.NoError(t, err)
	require.Zero(t, copies.Errors)
	all := wholeFile(t, fsys)
	ends := 0
	for off := superblock.AreaBytes; off+table.FooterBytes <= len(all); off++ {
		if _, _, _, _, ok := table.FindFooter(all[off:min(len(all), off+table.FooterBytes)]); ok {
			overwrite(t, fsys, make([]byte, table.FooterBytes), int64(off))
			ends++
		}
	}
	require.Greater(t, ends, 6)
	got, r := salvaged(t, fsys)
	require.NotEmpty(t, r.Losses)
	require.Equal(t, want, got)
}

// TestSalvageOfATornMiddleOfTheLog takes the batches behind it, too.
func TestSalvageOfATornMiddleOfTheLog(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes = 64 << 20 })
	var offsets []int64
	for i := range 20 {
		offsets = append(offsets, db.wal.pos)
		require.NoError(t, applyPut(db, crashKey(1, byte(i), i), fmt.Sprint(i)))
	}
	crashed := fsys.CrashClone(vfs.CrashKeepAll, 1)
	overwrite(t, crashed, make([]byte, 8), offsets[7]+110)
	_, err := Open(crashPath, faultOptions(crashed.CrashClone(vfs.CrashKeepAll, 1)))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	got, r := salvaged(t, crashed)
	require.Len(t, r.Losses, 2, "where the log breaks off, and the group that is lost: %+v", r.Losses)
	require.Len(t, got, 19)
	require.NotContains(t, got, crashKey(1, 7, 7))
}

// TestSalvageGoesOnWithNumbers: what is written into the new file is newer than all that is in it.
func TestSalvageGoesOnWithNumbers(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	for range 5 {
		db := manualDB(t, fsys, nil)
		mustPut(t, db, testKey(1, "a"), "1")
		require.NoError(t, db.Close())
	}
	old := manualDB(t, fsys, nil)
	seq := func(db *DB) (seq storage.Seq) {
		require.NoError(t, db.Update(t.Context(), nil, storage.UpdateOptions{}, func(tx storage.Tx) error { seq = tx.Seq(); return nil }))
		return seq
	}
	before := seq(old)
	require.NoError(t, old.Close())
	_, err := Salvage(t.Context(), crashPath, salvagedPath, SalvageOptions{FS: fsys})
	require.NoError(t, err)
	o := faultOptions(fsys)
	db, err := Open(salvagedPath, o)
	require.NoError(t, err)
	require.Greater(t, seq(db), before)
	require.NoError(t, db.Close())
}

// TestSalvageRefuses what is no database, and what is in use.
func TestSalvageRefuses(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	_, err := Salvage(t.Context(), crashPath, salvagedPath, SalvageOptions{FS: fsys})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, db.Close())
	overwrite(t, fsys, make([]byte, len(wholeFile(t, fsys))), 0)
	_, err = Salvage(t.Context(), crashPath, salvagedPath, SalvageOptions{FS: fsys})
	require.ErrorContains(t, err, "nothing of a kstone database")
	_, err = fsys.Open(salvagedPath, vfs.OpenOptions{})
	require.Error(t, err, "nothing half done is left")
}

// FuzzSalvage: whatever became of a file, what salvage makes of it is sound, and holds no value that was
// never written.
func FuzzSalvage(f *testing.F) {
	fsys, _ := salvageFile(f, false)
	size := int64(len(wholeFile(f, fsys)))
	f.Add(uint32(0), uint16(8192), uint32(100), uint16(1))
	f.Add(uint32(4096), uint16(10), uint32(300_000), uint16(5000))
	f.Add(uint32(200_000), uint16(60_000), uint32(0), uint16(4096))
	f.Fuzz(func(t *testing.T, at uint32, n uint16, at2 uint32, n2 uint16) {
		clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
		rng := rand.New(rand.NewPCG(uint64(at), uint64(at2)))
		overwrite(t, clone, []byte(randomValue(rng, int(n))), int64(at)%size)
		overwrite(t, clone, make([]byte, n2), int64(at2)%size)
		r, err := Salvage(context.Background(), crashPath, salvagedPath, SalvageOptions{FS: clone, Rand: faultOptions(clone).Rand})
		if err != nil {
			return // nothing of it is left
		}
		v, err := Verify(context.Background(), salvagedPath, VerifyOptions{FS: clone})
		require.NoError(t, err)
		sound(t, v)
		require.LessOrEqual(t, r.Keys, int64(120))
	})
}
