package lsm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/space"
	"github.com/keystone-db/kstone/engine/lsm/internal/superblock"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// overwrite changes the bytes of a database behind its back.
func overwrite(t testing.TB, fsys *vfs.MemFS, p []byte, off int64) {
	t.Helper()
	f, err := fsys.Open(crashPath, vfs.OpenOptions{})
	require.NoError(t, err)
	_, err = f.WriteAt(p, off)
	require.NoError(t, err)
}

// wholeFile returns the bytes of a database.
func wholeFile(t testing.TB, fsys *vfs.MemFS) []byte {
	t.Helper()
	f, err := fsys.Open(crashPath, vfs.OpenOptions{})
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	all := make([]byte, size)
	_, err = f.ReadAt(all, 0)
	require.NoError(t, err)
	return all
}

// brokenEach of the sectors is damaged in turn, brokenEachShort beside another detector.
const brokenEach, brokenEachShort = 1, 9

// TestNoWriteOfACleanFileMayBeMissing, misdirected or an old one: each sector is zero in turn, or holds
// what stood there when the file was opened last, or what stands in another place. What is read is right,
// or an error says that it is not.
func TestNoWriteOfACleanFileMayBeMissing(t *testing.T) {
	fsys, want := filled(t, true)
	old := wholeFile(t, fsys)
	db := faultDB(t, fsys)
	for i := range 60 {
		key, value := crashKey(1, byte(i%5*50), i%100), fmt.Sprintf("newer %d-%0*d", i, 100+i*7%900, i)
		require.NoError(t, applyPut(db, key, value))
		want[key] = value
	}
	require.NoError(t, db.Close())
	whole := wholeFile(t, fsys)
	written := writtenSectors(t, fsys)
	each := brokenEach
	if testing.Short() {
		each = brokenEachShort
	}
	met := map[string]int{}
	for i := 0; i < len(written); i += each {
		off := written[i]
		sector := whole[off : off+vfs.SectorBytes]
		other := written[(i+len(written)/3)%len(written)]
		for kind, instead := range map[string][]byte{
			"zero": make([]byte, vfs.SectorBytes), "misdirected": whole[other : other+vfs.SectorBytes],
			"old": old[min(off, int64(len(old)-vfs.SectorBytes)):][:vfs.SectorBytes],
		} {
			if bytes.Equal(sector, instead) {
				continue
			}
			clone := fsys.CrashClone(vfs.CrashKeepAll, 1)
			overwrite(t, clone, instead, off)
			if damaged(t, clone, want, fmt.Sprintf("%s at %d", kind, off)) {
				met[kind]++
			}
		}
	}
	t.Logf("%d sectors, found: %v", len(written), met)
	require.Len(t, met, 3)
}

// TestTheLastRecordOfACleanManifestIsNotATornTail: the mark names it, so that it may not be cut.
func TestTheLastRecordOfACleanManifestIsNotATornTail(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	for i := range 3 {
		mustPut(t, db, testKey(1, "a"), fmt.Sprint(i))
		require.NoError(t, db.checkpoint())
	}
	end := db.man.chain.Position().Offset
	require.NoError(t, db.Close())
	overwrite(t, fsys, make([]byte, vfs.SectorBytes), end-vfs.SectorBytes)
	_, err := Open(crashPath, faultOptions(fsys))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.ErrorContains(t, err, fmt.Sprint("manifest at offset ", end-vfs.SectorBytes))
}

// TestWhatTheNewestSuperblockNamesMustVerify: the other copy names a manifest that does, and is not
// fallen back to.
func TestWhatTheNewestSuperblockNamesMustVerify(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	mustPut(t, db, testKey(1, "a"), "1")
	require.NoError(t, db.pass(passAll))
	old := wholeFile(t, fsys)[:superblock.AreaBytes]
	extents := db.man.extents
	require.NoError(t, db.switchNow())
	first := db.man.extents[0].Offset
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	overwrite(t, crashed, old[:superblock.CopyBytes], 0) // as between the two copies
	clone := crashed.CrashClone(vfs.CrashKeepAll, 1)
	require.Equal(t, "1", mustGet(t, openMem(t, clone, memOptions(nil)), testKey(1, "a")))
	overwrite(t, crashed, make([]byte, vfs.SectorBytes), first)
	_, err := Open(crashPath, faultOptions(crashed))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.ErrorContains(t, err, fmt.Sprint("manifest at offset ", first))
	// The old one was whole.
	overwrite(t, crashed, old, 0)
	require.NotContains(t, extents, db.man.extents[0])
	require.Equal(t, "1", mustGet(t, openMem(t, crashed, memOptions(nil)), testKey(1, "a")))
}

// scribbleEach of the states after two crashes has junk in its free space.
const scribbleEach = 5

// TestACrashBetweenTheCopiesOfASwitchTwice: the second one is in the open that puts the first one right.
// Whichever copy is torn, the other one holds, and after an open both say the same.
func TestACrashBetweenTheCopiesOfASwitchTwice(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, nil)
	for i := range 30 {
		mustPut(t, db, testKey(byte(i), "k"), fmt.Sprint(i))
	}
	require.NoError(t, db.pass(passAll))
	check := func(again *DB) {
		for i := range 30 {
			require.Equal(t, fmt.Sprint(i), mustGet(t, again, testKey(byte(i), "k")))
		}
	}
	// between returns what crashes before and in each write of a superblock leave.
	between := func(fsys *vfs.MemFS, policies []vfs.CrashPolicy, op func()) (left []*vfs.MemFS) {
		capture := func(op vfs.Op) {
			if op.Kind == vfs.OpWrite && op.Role == vfs.Log && op.Off < superblock.AreaBytes {
				for _, policy := range policies {
					left = append(left, fsys.CrashClone(policy, uint64(len(left))))
				}
			}
		}
		fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error { capture(op); return nil }, During: capture})
		op()
		fsys.SetHooks(vfs.Hooks{})
		return left
	}
	tears := slices.Repeat([]vfs.CrashPolicy{vfs.CrashAny}, 4) // some are whole, each way
	many, few := slices.Concat(tears, crashPolicies[:]), slices.Concat(tears, []vfs.CrashPolicy{vfs.CrashLoseAll})
	first := between(fsys, many, func() { require.NoError(t, db.switchNow()) })
	require.Len(t, first, 4*len(many))
	for n, crashed := range first {
		if testing.Short() && n%3 != 0 {
			continue
		}
		var again *DB
		second := between(crashed, few, func() { again = manualDB(t, crashed, nil) })
		require.Len(t, second, 4*len(few))
		both := wholeFile(t, crashed)[:superblock.AreaBytes]
		require.Equal(t, both[:superblock.CopyBytes], both[superblock.CopyBytes:])
		check(again)
		require.NoError(t, again.Close())
		for i, twice := range second {
			// The open uses the space of whichever manifest is not the one: it must not be needed.
			last := manualDB(t, twice, func(o *Options) { o.manifestSwitch = 1 })
			if (n+i)%scribbleEach == 0 {
				exhaustAndScribble(t, last, twice)
			}
			check(last)
			require.NoError(t, last.pass(passAll))
			require.NoError(t, last.Close())
		}
	}
}

// exhaustAndScribble writes junk into all free space and gives it back.
func exhaustAndScribble(t *testing.T, db *DB, fsys *vfs.MemFS) {
	t.Helper()
	taken := exhaust(t, db, fsys)
	fsys.SetCapacity(0)
	for _, e := range taken {
		_, err := db.heap.file.WriteAt(bytes.Repeat([]byte{0xdb}, int(e.Length)), e.Offset)
		require.NoError(t, err)
	}
	for _, e := range taken {
		db.heap.free(e)
	}
}

// TestAnIteratorKeepsItsTables: their keys are written anew, compaction drops them, and their space is
// used by others only when the iterator ends.
func TestAnIteratorKeepsItsTables(t *testing.T) {
	for _, dropped := range []bool{false, true} {
		fsys := vfs.NewMemFS(1)
		db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes, o.SegmentBytes, o.LogBytes = 8<<20, 1<<20, 4<<20 })
		ctx := context.Background()
		rng := rand.New(rand.NewPCG(1, 1))
		want := map[string]string{}
		write := func(model map[string]string) {
			for i := range 400 {
				key, value := testKey(1, fmt.Sprintf("%04d", i)), randomValue(rng, 1000)
				mustPut(t, db, key, value)
				model[string(key)] = value
			}
			require.NoError(t, db.checkpoint())
			require.NoError(t, db.compactAll(ctx))
		}
		write(want)
		s, err := db.Snapshot(ctx, storage.SnapshotOptions{})
		require.NoError(t, err)
		it, err := s.Iter(ctx, storage.Range{}, storage.IterOptions{})
		require.NoError(t, err)
		require.True(t, it.Next())
		got := map[string]string{string(it.Key()): string(it.Value())}
		if dropped {
			// What is dropped is not read again by anybody who begins later.
			require.NoError(t, db.DropRange(ctx, spaceRange(1)))
			require.NoError(t, db.compactAll(ctx))
		} else {
			write(map[string]string{})
		}
		held := usedBytes(db)
		exhaustAndScribble(t, db, fsys)
		for it.Next() {
			got[string(it.Key())] = string(it.Value())
		}
		require.NoError(t, it.Err())
		it.Close()
		s.Close()
		require.Equal(t, len(want), len(got))
		for k, v := range want {
			require.True(t, got[k] == v, "%x", k)
		}
		require.Less(t, usedBytes(db), held-100<<10, "given back at last")
	}
}

// TestAHoleThatCannotBePunchedIsLostSpace and nothing else; the file system is not asked for ever.
func TestAHoleThatCannotBePunchedIsLostSpace(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	var told []error
	db := manualDB(t, fsys, func(o *Options) {
		o.Logger = func(_ string, err error) { told = append(told, err) }
	})
	mustPut(t, db, testKey(1, "a"), "1")
	e, err := db.heap.alloc(4*space.HoleMinBytes, spareAll)
	require.NoError(t, err)
	db.heap.free(e)
	asked := 0
	fsys.SetHooks(vfs.Hooks{Before: func(op vfs.Op) error {
		if op.Kind == vfs.OpPunch {
			asked++
			return errors.ErrUnsupported
		}
		return nil
	}})
	free := db.Metrics().FreeBytes
	rest := newQuiet()
	for tick := range int64(3 * quietTicks) {
		db.tick(tick+1, rest)
	}
	require.Equal(t, 1, asked)
	require.Len(t, told, 1)
	require.ErrorIs(t, told[0], errors.ErrUnsupported)
	require.Equal(t, free, db.Metrics().FreeBytes)
	require.Zero(t, db.Metrics().HoleBytes)
	mustPut(t, db, testKey(1, "big"), strings.Repeat("b", 600<<10))
	checkSpace(t, db, fsys, "after a hole that was not punched")
}

// TestAFileThatShrinksUnderAnOpenDatabase ends in an error that says so, and not the process.
func TestAFileThatShrinksUnderAnOpenDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.keystone")
	db, err := Open(path, Options{manual: true, SegmentBytes: 64 << 10, LogBytes: 128 << 10})
	require.NoError(t, err)
	mustPut(t, db, testKey(1, "a"), "1")
	require.NoError(t, db.checkpoint())
	require.NoError(t, os.Truncate(path, superblock.AreaBytes))
	_, err = db.Get(context.Background(), testKey(1, "a"))
	require.ErrorIs(t, err, storage.ErrCorrupt)
	_, err = readAll(db)
	require.ErrorIs(t, err, storage.ErrCorrupt)
	_ = db.Close()
}

// TestASecondOpenerByAnotherNameIsRefused: the lock is the file's, not the name's.
func TestASecondOpenerByAnotherNameIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.keystone")
	db, err := Open(path, Options{})
	require.NoError(t, err)
	hard, soft := filepath.Join(dir, "hard"), filepath.Join(dir, "soft")
	require.NoError(t, os.Link(path, hard))
	require.NoError(t, os.Symlink(path, soft))
	for _, other := range []string{hard, soft, filepath.Join(dir, ".", "..", filepath.Base(dir), "x.keystone")} {
		for _, readOnly := range []bool{false, true} {
			_, err := Open(other, Options{ReadOnly: readOnly})
			require.ErrorIs(t, err, vfs.ErrLocked)
		}
	}
	mustPut(t, db, testKey(1, "a"), "1")
	require.NoError(t, db.Close())
	db, err = Open(hard, Options{})
	require.NoError(t, err)
	require.Equal(t, "1", mustGet(t, db, testKey(1, "a")))
	require.NoError(t, db.Close())
}

// TestNothingIsMapped: a mapped page that cannot be read or written ends the process. Only internal/vfs
// maps, for Options.MmapReads, and copies out of the mapping under guard; see mapped_test.go.
func TestNothingIsMapped(t *testing.T) {
	files := 0
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			path == filepath.Join("internal", "vfs", "mapped_unix.go") {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, call := range []string{".Mmap(", ".MmapPtr(", "SYS_MMAP", ".CreateFileMapping", ".MapViewOfFile"} {
			require.NotContains(t, string(text), call, path)
		}
		return err
	}))
	require.Greater(t, files, 60)
}

// TestSaltsAreNew in every open, in every epoch and in every log: keys will be derived from them.
func TestSaltsAreNew(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	open := func() *DB { return manualDB(t, fsys, func(o *Options) { o.Rand, o.LogBytes = nil, 1<<20 }) }
	fill := func(db *DB) {
		mustPut(t, db, testKey(1, "a"), "1")
		require.NoError(t, db.pass(passAll))
	}
	type use struct {
		log   uint64
		epoch uint32
	}
	salts, uses := map[string]use{}, map[use]bool{}
	note := func() {
		all := wholeFile(t, fsys)
		for off := superblock.AreaBytes; off < len(all); off += vfs.SectorBytes {
			h := all[off:]
			if !bytes.HasPrefix(h, []byte("kstnlog1")) {
				continue
			}
			u := use{binary.LittleEndian.Uint64(h[8:]), binary.LittleEndian.Uint32(h[32:])}
			salt := string(h[40:56])
			if first, ok := salts[salt]; ok {
				require.Equal(t, first, u, "one salt for two")
			}
			salts[salt], uses[u] = u, true
		}
	}
	db := open()
	fill(db)
	require.NoError(t, db.renewEpoch())
	fill(db)
	fsys = fsys.CrashClone(vfs.CrashLoseAll, 1)
	db = open()
	fill(db)
	note()
	require.NoError(t, db.switchNow())
	fill(db)
	require.NoError(t, db.Close())
	db = open()
	fill(db)
	note()
	require.GreaterOrEqual(t, len(uses), 9, "four opens and epochs of the log, and of two manifests")
}

// TestADamagedSpillIsCorrupt, wherever the damage is: it was synced before its frame was written.
func TestADamagedSpillIsCorrupt(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := manualDB(t, fsys, func(o *Options) { o.MemtableBytes = 64 << 20 })
	big := randomValue(rand.New(rand.NewPCG(1, 1)), 300<<10)
	mustPut(t, db, testKey(1, "big"), big)
	mustPut(t, db, testKey(1, "small"), "1")
	crashed := fsys.CrashClone(vfs.CrashLoseAll, 1)
	whole := wholeFile(t, crashed)
	require.Len(t, db.spills, 1)
	sp := db.spills[0]
	for at := int64(0); at < sp.Length; at += sp.Length/40 + 1 {
		off := sp.Extents[0].Offset + at
		clone := crashed.CrashClone(vfs.CrashLoseAll, 1)
		overwrite(t, clone, []byte{whole[off] ^ 1}, off)
		_, err := Open(crashPath, faultOptions(clone))
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.ErrorContains(t, err, fmt.Sprint("spill at offset ", sp.Extents[0].Offset))
	}
	require.Len(t, sp.Extents, 1)
	require.True(t, big == mustGet(t, openMem(t, crashed, memOptions(nil)), testKey(1, "big")))
}
