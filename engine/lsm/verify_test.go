package lsm

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/lsm/internal/manifest"
	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/table"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// verified checks the database of a file system.
func verified(t testing.TB, fsys *vfs.MemFS) VerifyReport {
	t.Helper()
	r, err := Verify(context.Background(), crashPath, VerifyOptions{FS: fsys})
	require.NoError(t, err)
	return r
}

// sound wants a report without faults.
func sound(t testing.TB, r VerifyReport) {
	t.Helper()
	require.Empty(t, r.Faults)
	require.Zero(t, r.Errors+r.Warnings)
	require.Empty(t, r.Unchecked)
	require.Empty(t, r.Lost)
}

// stretch is a stretch of a file that has checksums.
type stretch struct {
	region string
	extent log.Extent
}

// everyRegion is a database with tables on several levels, a log and a spill, and the places of all of it
// that have a checksum. Open for as long as its file system is not used otherwise.
func everyRegion(t *testing.T) (*vfs.MemFS, []stretch) {
	t.Helper()
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.BlockBytes = 64<<20, 512 })
	rng := rand.New(rand.NewPCG(1, 1))
	fill := func() {
		for i := range 60 {
			mustPut(t, db, testKey(byte(i%3), fmt.Sprintf("%04d", i)), randomValue(rng, 100))
		}
	}
	fill()
	require.NoError(t, db.checkpoint())
	require.NoError(t, db.compactAll(context.Background()))
	fill()
	require.NoError(t, db.checkpoint())
	mustPut(t, db, testKey(1, "big"), randomValue(rng, 300<<10))
	mustPut(t, db, testKey(1, "small"), "1")
	mustPut(t, db, testKey(1, "last"), "vouches for those before it")
	places := []stretch{
		{"superblock", log.Extent{Length: superblock.CopyBytes}},
		{"superblock", log.Extent{Offset: superblock.CopyBytes, Length: superblock.CopyBytes}},
	}
	for _, tb := range db.man.state.Tables {
		places = append(places, stretch{"table", log.Extent{Offset: tb.Offset, Length: tb.Meta.Length}})
	}
	for _, s := range db.spills {
		places = append(places, stretch{"spill", log.Extent{Offset: s.Extents[0].Offset, Length: s.Length}})
	}
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	// The headers of groups and the first bytes of their frames; the last one has no successor.
	for region, extents := range map[string][]log.Extent{
		"manifest": db.man.extents, "wal": {db.wal.live[len(db.wal.live)-1].Extent},
	} {
		end := db.man.chain.Position().Offset
		if region == "wal" {
			end = db.wal.chain.Position().Offset
		}
		all := wholeFile(t, crashed)
		var heads []int64
		for off := extents[0].Offset; off < end; off += int64(db.super.Align) {
			if bytes.HasPrefix(all[off:], []byte("kstnlog1")) {
				heads = append(heads, off)
			}
		}
		require.Greater(t, len(heads), 3)
		for _, off := range heads[len(heads)-3 : len(heads)-1] {
			places = append(places, stretch{region, log.Extent{Offset: off, Length: log.HeaderBytes}})
		}
	}
	return crashed, places
}

// flipsEach is how many bits of a place are turned, one at a time.
const flipsEach = 6

// TestVerifyNamesEveryFlippedBit: with its region, and an offset at or before it.
func TestVerifyNamesEveryFlippedBit(t *testing.T) {
	fsys, places := everyRegion(t)
	sound(t, verified(t, fsys))
	whole := wholeFile(t, fsys)
	met := map[string]int{}
	for _, p := range places {
		for i := range int64(flipsEach) {
			off := p.extent.Offset + i*(p.extent.Length-1)/(flipsEach-1)
			clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
			overwrite(t, clone, []byte{whole[off] ^ 1<<(i%8)}, off)
			r := verified(t, clone)
			what := fmt.Sprintf("%s, a bit at %d: %v", p.region, off, r.Faults)
			require.NotZero(t, r.Errors+r.Warnings, what)
			found := false
			for _, f := range r.Faults {
				found = found || f.Region == p.region && f.Offset <= off && f.Offset >= p.extent.Offset &&
					(f.Length == 0 || off < f.Offset+f.Length)
			}
			require.True(t, found, what)
			require.Equal(t, p.region == "superblock", r.Errors == 0, what)
			met[p.region]++
		}
	}
	require.Len(t, met, 5)
}

// TestVerifyListsAllFaults, not the first only, and what is lost with them.
func TestVerifyListsAllFaults(t *testing.T) {
	fsys, places := everyRegion(t)
	whole := wholeFile(t, fsys)
	tables := 0
	for _, p := range places {
		if p.region == "table" {
			tables++
			for _, at := range []int64{p.extent.Length / 3, p.extent.Length / 2} {
				off := p.extent.Offset + at
				overwrite(t, fsys, []byte{whole[off] ^ 4}, off)
			}
		}
	}
	require.Greater(t, tables, 3)
	r := verified(t, fsys)
	blocks := 0
	for _, f := range r.Faults {
		if f.Part == "data block" {
			blocks++
			require.NotNil(t, f.First)
			require.LessOrEqual(t, bytes.Compare(f.First, f.Last), 0)
		}
	}
	require.Equal(t, 2*tables, blocks)
	require.Equal(t, int64(3*tables), r.Errors, "the digest of each, too")
	require.NotEmpty(t, r.Lost)
	require.Equal(t, int64(tables), r.Counts.Tables)

	short, err := Verify(context.Background(), crashPath, VerifyOptions{FS: fsys, FaultsMax: 2})
	require.NoError(t, err)
	require.Len(t, short.Faults, 2)
	require.Equal(t, r.Errors, short.Errors, "all are counted")

	quick, err := Verify(context.Background(), crashPath, VerifyOptions{FS: fsys, Quick: true})
	require.NoError(t, err)
	sound(t, quick)
	require.Less(t, quick.CheckedBytes, r.CheckedBytes)
}

// TestVerifyOfSwappedStaleZeroedAndTruncated tables and of a file that is too short.
func TestVerifyOfSwappedStaleZeroedAndTruncated(t *testing.T) {
	fsys, places := everyRegion(t)
	whole := wholeFile(t, fsys)
	var tables []log.Extent
	for _, p := range places {
		if p.region == "table" {
			tables = append(tables, p.extent)
		}
	}
	a, b := tables[0], tables[1]
	n := min(a.Length, b.Length)
	put := func(fsys *vfs.MemFS, from, to, n int64) { overwrite(t, fsys, whole[from:from+n], to) }
	for name, change := range map[string]func(*vfs.MemFS){
		"swapped":   func(f *vfs.MemFS) { put(f, a.Offset, b.Offset, n); put(f, b.Offset, a.Offset, n) },
		"repeated":  func(f *vfs.MemFS) { put(f, a.Offset, b.Offset, n) },
		"zeroed":    func(f *vfs.MemFS) { overwrite(t, f, make([]byte, 512), a.Offset+100) },
		"moved":     func(f *vfs.MemFS) { put(f, a.Offset, a.Offset+512, a.Length-512) },
		"truncated": func(f *vfs.MemFS) { truncate(t, f, a.Offset+a.Length/2) },
		"cut off":   func(f *vfs.MemFS) { truncate(t, f, superblock.AreaBytes+100) },
	} {
		clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
		change(clone)
		r := verified(t, clone)
		require.NotZero(t, r.Errors, name)
	}
}

func truncate(t *testing.T, fsys *vfs.MemFS, size int64) {
	t.Helper()
	f, err := fsys.Open(crashPath, vfs.OpenOptions{})
	require.NoError(t, err)
	require.NoError(t, f.Truncate(size))
}

// planted writes an edit of the manifest that no store would.
func planted(t *testing.T, edit func(db *DB) manifest.Edit) VerifyReport {
	t.Helper()
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes = 64 << 20 })
	for i := range 40 {
		mustPut(t, db, testKey(byte(i%2), fmt.Sprintf("%04d", i)), "value")
	}
	require.NoError(t, db.checkpoint())
	e := edit(db)
	require.NoError(t, db.edit(&e, nil))
	require.NoError(t, db.edit(&manifest.Edit{}, nil)) // vouches for it
	return verified(t, fsys.CrashClone(vfs.CrashKeepAll, 1))
}

// TestVerifyFindsPlantedContradictions between manifest, tables and the file.
func TestVerifyFindsPlantedContradictions(t *testing.T) {
	first := func(db *DB) manifest.Table {
		for _, tb := range db.man.state.Tables {
			if tb.Stripe == 0 {
				return tb
			}
		}
		return manifest.Table{}
	}
	// again returns an edit that replaces the table of stripe 0 by what change makes of it.
	again := func(change func(*manifest.Table)) func(*DB) manifest.Edit {
		return func(db *DB) manifest.Edit {
			tb := first(db)
			drop := manifest.TableRef{Stripe: tb.Stripe, Level: tb.Level, Num: tb.Meta.Num}
			change(&tb)
			return manifest.Edit{TableDrop: []manifest.TableRef{drop}, TableAdd: []manifest.Table{tb}}
		}
	}
	for want, edit := range map[string]func(*DB) manifest.Edit{
		"the manifest says 21 entries":   again(func(tb *manifest.Table) { tb.Meta.Entries++ }),
		"LSN 1.":                         again(func(tb *manifest.Table) { tb.Meta.MinLSN++ }),
		"the digest is another one":      again(func(tb *manifest.Table) { tb.Meta.Digest++ }),
		"keys outside the bounds":        again(func(tb *manifest.Table) { tb.Meta.Largest = tb.Meta.Smallest }),
		"a key of stripe 0":              again(func(tb *manifest.Table) { tb.Stripe = 1 }),
		"no table footer":                again(func(tb *manifest.Table) { tb.Offset += space.Unit }),
		"impossible length":              again(func(tb *manifest.Table) { tb.Meta.Length = table.LengthMaxBytes + 1 }),
		"header checksum":                again(func(tb *manifest.Table) { tb.Meta.Num += 1000 }),
		"bytes beyond the end of the":    again(func(tb *manifest.Table) { tb.Offset = 1 << 40 }),
		"extent of the table at an impo": again(func(tb *manifest.Table) { tb.Offset++ }),
		"overlaps one of the table": func(db *DB) manifest.Edit {
			tb := first(db)
			tb.Meta.Num += 1000
			return manifest.Edit{TableAdd: []manifest.Table{tb}}
		},
		"overlap those of table": func(db *DB) manifest.Edit {
			tb := first(db)
			drop := manifest.TableRef{Stripe: tb.Stripe, Level: tb.Level, Num: tb.Meta.Num}
			tb.Level = 3
			run := db.newRun(spareAll, nil)
			run.begin(0, 3)
			es, err := allEntries(db.openTable(tb).reader)
			require.NoError(t, err)
			for _, e := range es {
				require.NoError(t, run.add(e, true))
			}
			require.NoError(t, run.finish())
			return manifest.Edit{TableDrop: []manifest.TableRef{drop}, TableAdd: []manifest.Table{tb, run.tables[0]}}
		},
		"an entry of LSN": func(db *DB) manifest.Edit {
			run := db.newRun(spareAll, nil)
			run.begin(7, 0)
			es, err := allEntries(db.openTable(first(db)).reader)
			require.NoError(t, err)
			e := es[0]
			e.LSN, e.Key = 1<<50, testKey(7, "future")
			require.NoError(t, run.add(e, true))
			require.NoError(t, run.finish())
			return manifest.Edit{TableAdd: run.tables}
		},
		"the log has 1 segments": func(db *DB) manifest.Edit {
			return manifest.Edit{SegmentDrop: segmentsBut(db, db.man.state.Tail.Segment)}
		},
		"the log's tail is nowhere": func(db *DB) manifest.Edit {
			tail := db.man.state.Tail
			tail.Offset = 1 << 50
			return manifest.Edit{Tail: &tail}
		},
		"overlaps one of the wal": func(db *DB) manifest.Edit {
			return manifest.Edit{SegmentAdd: []manifest.Segment{{Num: 1 << 30, Extent: db.man.state.Segments[db.man.state.Tail.Segment]}}}
		},
	} {
		r := planted(t, edit)
		var text []string
		for _, f := range r.Faults {
			text = append(text, f.String())
		}
		require.NotZero(t, r.Errors, want)
		require.Contains(t, fmt.Sprint(text), want)
	}
}

func segmentsBut(db *DB, keep base.ObjectNum) (nums []base.ObjectNum) {
	for n := range db.man.state.Segments {
		if n != keep {
			nums = append(nums, n)
		}
	}
	return nums
}

// TestVerifyGoesBesideReadersOnly.
func TestVerifyGoesBesideReadersOnly(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	_, err := Verify(context.Background(), crashPath, VerifyOptions{FS: fsys})
	require.ErrorIs(t, err, ErrInUse)
	require.NoError(t, db.Close())
	reader := manualDB(t, fsys, func(o *Options) { o.ReadOnly = true })
	sound(t, verified(t, fsys))
	require.NoError(t, reader.Close())
	before := fsys.Ops()
	sound(t, verified(t, fsys))
	require.Equal(t, before, fsys.Ops(), "nothing is written")

	_, err = Verify(context.Background(), "dir/other", VerifyOptions{FS: fsys})
	require.Error(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Verify(ctx, crashPath, VerifyOptions{FS: fsys})
	require.ErrorIs(t, err, context.Canceled)
}

// TestVerifyReadsAroundWhatTheDiskRefuses: an error of one read does not hide its neighbours.
func TestVerifyReadsAroundWhatTheDiskRefuses(t *testing.T) {
	fsys, places := everyRegion(t)
	var at log.Extent
	for _, p := range places {
		if p.region == "table" {
			at = p.extent
		}
	}
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && op.Off <= at.Offset && at.Offset < op.Off+op.Len {
			return errInjected
		}
		return nil
	}})
	r := verified(t, fsys)
	require.NotZero(t, r.Errors)
	require.Contains(t, r.Faults[0].What, errInjected.Error())
	for _, f := range r.Faults {
		require.Equal(t, "table", f.Region)
		require.GreaterOrEqual(t, f.Offset+f.Length, at.Offset)
		require.LessOrEqual(t, f.Offset, at.End())
	}
}

// FuzzVerify: whatever a file holds, verification ends, and what it calls sound reads as it was written.
func FuzzVerify(f *testing.F) {
	fsys := vfs.NewMemFS(1)
	o := faultOptions(fsys)
	o.manual = true
	db, err := Open(crashPath, o)
	require.NoError(f, err)
	want := map[string]string{}
	for i := range 50 {
		key, value := crashKey(1, byte(i%3), i), fmt.Sprint("value", i)
		require.NoError(f, applyPut(db, key, value))
		want[key] = value
		if i == 25 {
			require.NoError(f, db.checkpoint())
		}
	}
	require.NoError(f, db.Close())
	f.Add(uint32(4096), []byte{1}, uint32(20000), []byte("kstntbl"))
	f.Add(uint32(0), make([]byte, 8192), uint32(0), []byte{})
	f.Add(uint32(8192), []byte{0xff}, uint32(80000), []byte{1})
	f.Fuzz(func(t *testing.T, at uint32, with []byte, at2 uint32, with2 []byte) {
		clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
		size := uint32(len(wholeFile(t, clone)))
		overwrite(t, clone, with, int64(at%size))
		overwrite(t, clone, with2, int64(at2%size))
		r, err := Verify(context.Background(), crashPath, VerifyOptions{FS: clone})
		if err == nil && r.Errors == 0 {
			require.False(t, damaged(t, clone, want, "called sound"), "%+v", r.Faults)
			return
		}
		damaged(t, clone, want, "called damaged")
	})
}
