package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func create(t *testing.T, fsys FS, path string) File {
	t.Helper()
	f, err := fsys.Open(path, OpenOptions{Create: true})
	require.NoError(t, err)
	return f
}

func open(t *testing.T, fsys FS, path string, role Role) File {
	t.Helper()
	f, err := fsys.Open(path, OpenOptions{Role: role})
	require.NoError(t, err)
	return f
}

// fill is n aligned bytes of c.
func fill(c byte, n int) []byte {
	p := AlignedBuffer(n)
	for i := range p {
		p[i] = c
	}
	return p
}

func write(t *testing.T, f File, c byte, n int, off int64) {
	t.Helper()
	_, err := f.WriteAt(fill(c, n), off)
	require.NoError(t, err)
}

// sectors shows a file as the first byte of each of its sectors; a zero is a dot.
func sectors(t *testing.T, fsys FS, path string) string {
	t.Helper()
	f := open(t, fsys, path, Heap)
	size, err := f.Size()
	require.NoError(t, err)
	raw := make([]byte, size)
	_, err = f.ReadAt(raw, 0)
	require.NoError(t, err)
	var out []byte
	for i := 0; i < len(raw); i += SectorBytes {
		c := raw[i]
		require.Equal(t, bytes.Repeat([]byte{c}, min(SectorBytes, len(raw)-i)),
			raw[i:min(i+SectorBytes, len(raw))], "a sector is whole")
		if c == 0 {
			c = '.'
		}
		out = append(out, c)
	}
	return string(out)
}

// durableFile is a file of n sectors of '-' that a crash cannot touch.
func durableFile(t *testing.T, m *MemFS, n int) File {
	f := create(t, m, "d/db")
	write(t, f, '-', n*SectorBytes, 0)
	require.NoError(t, f.SyncFull())
	require.NoError(t, m.SyncDir("d/db"))
	return f
}

func TestCrashPolicies(t *testing.T) {
	m := NewMemFS(1)
	f := durableFile(t, m, 4)
	write(t, f, 'a', 2*SectorBytes, 0)
	write(t, f, 'b', 2*SectorBytes, SectorBytes)
	require.Equal(t, "abb-", sectors(t, m, "d/db"))
	require.Equal(t, "----", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
	require.Equal(t, "abb-", sectors(t, m.CrashClone(CrashKeepAll, 1), "d/db"))

	kill := m.CrashClone(CrashKill, 1)
	require.Equal(t, "abb-", sectors(t, kill, "d/db"))
	require.Equal(t, "----", sectors(t, kill.CrashClone(CrashLoseAll, 1), "d/db"),
		"a killed process has synced nothing")

	// Every combination turns up, older versions of a sector included, and nothing else.
	seen := map[string]bool{}
	for seed := range uint64(400) {
		clone := m.CrashClone(CrashAny, seed)
		got := sectors(t, clone, "d/db")
		require.Equal(t, got, sectors(t, m.CrashClone(CrashAny, seed), "d/db"), "by the seed")
		require.Equal(t, got, sectors(t, clone.CrashClone(CrashLoseAll, 1), "d/db"),
			"what a crash left is durable")
		seen[got] = true
	}
	require.Len(t, seen, 2*3*2)
	require.True(t, seen["-a--"] && seen["a-b-"] && seen["abb-"])

	// The original has not noticed.
	require.NoError(t, f.Sync())
	require.Equal(t, "abb-", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
}

func TestLogWritesAreDurableByThemselves(t *testing.T) {
	m := NewMemFS(1)
	heap := durableFile(t, m, 4)
	log := open(t, m, "d/db", Log)
	relaxed := open(t, m, "d/db", RelaxedLog)
	write(t, heap, 'h', SectorBytes, 0)
	write(t, log, 'l', SectorBytes, SectorBytes)
	write(t, relaxed, 'r', SectorBytes, 2*SectorBytes)
	require.Equal(t, "-l--", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
	require.NoError(t, relaxed.Sync())
	require.Equal(t, "hlr-", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
}

func TestALogWriteTearsWhileItIsUnderWay(t *testing.T) {
	m := NewMemFS(1)
	durableFile(t, m, 4)
	log := open(t, m, "d/db", Log)
	seen := map[string]bool{}
	m.SetHooks(Hooks{During: func(op Op) {
		require.Equal(t, OpWrite, op.Kind)
		for seed := range uint64(50) {
			seen[sectors(t, m.CrashClone(CrashAny, seed), "d/db")] = true
		}
	}})
	write(t, log, 'l', 2*SectorBytes, 0)
	require.Len(t, seen, 4)
	require.True(t, seen["-l--"] && seen["l---"])
	m.SetHooks(Hooks{})
	require.Equal(t, "ll--", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
}

func TestSizesNeedSyncFull(t *testing.T) {
	m := NewMemFS(1)
	f := durableFile(t, m, 1)
	require.NoError(t, f.Allocate(0, 4*SectorBytes))
	write(t, f, 'x', 2*SectorBytes, SectorBytes)
	require.NoError(t, f.Sync())
	require.Equal(t, "-", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
	require.NoError(t, f.SyncFull())
	require.Equal(t, "-xx.", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))

	require.NoError(t, f.Truncate(SectorBytes))
	sizes := map[string]bool{}
	for seed := range uint64(64) {
		sizes[sectors(t, m.CrashClone(CrashAny, seed), "d/db")] = true
	}
	require.True(t, sizes["-"] && sizes["-xx."], "cut or not: %v", sizes)
	require.NoError(t, f.SyncFull())
	require.Equal(t, "-", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
	require.NoError(t, f.Truncate(3*SectorBytes))
	require.Equal(t, "-..", sectors(t, m, "d/db"), "what was cut does not come back")
}

func TestTruncateInsideASector(t *testing.T) {
	m := NewMemFS(1)
	f := durableFile(t, m, 2)
	require.NoError(t, f.Truncate(700))
	require.NoError(t, f.Truncate(1024))
	p := make([]byte, 1024)
	_, err := f.ReadAt(p, 0)
	require.NoError(t, err)
	require.Equal(t, append(bytes.Repeat([]byte{'-'}, 700), make([]byte, 324)...), p)
}

func TestHolesReadAsZerosAndFreeSpace(t *testing.T) {
	m := NewMemFS(1)
	f := durableFile(t, m, 8)
	require.Equal(t, int64(8*SectorBytes), m.Used())
	require.NoError(t, f.PunchHole(SectorBytes, 4*SectorBytes))
	require.Equal(t, int64(4*SectorBytes), m.Used())
	require.Equal(t, "-....---", sectors(t, m, "d/db"))
	require.Equal(t, "--------", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"))
	m.SetCapacity(5 * SectorBytes)
	write(t, f, 'x', SectorBytes, SectorBytes)
	_, err := f.WriteAt(fill('y', SectorBytes), 2*SectorBytes)
	require.True(t, IsNoSpace(err), "writing into a hole can meet a full disk: %v", err)
	require.Error(t, f.Allocate(0, 16*SectorBytes))
	write(t, f, 'z', SectorBytes, 0)
	require.Equal(t, "zx...---", sectors(t, m, "d/db"))
	require.NoError(t, m.Remove("d/db"))
	require.Zero(t, m.Used())
}

func TestAFailedSyncLosesAndForgets(t *testing.T) {
	boom := errors.New("boom")
	lost := 0
	for seed := range uint64(20) {
		m := NewMemFS(seed)
		f := durableFile(t, m, 8)
		other := open(t, m, "d/db", RelaxedLog)
		write(t, f, 'x', 8*SectorBytes, 0)
		m.SetHooks(Hooks{Before: func(op Op) error {
			if op.Kind == OpSync {
				return boom
			}
			return nil
		}})
		require.ErrorIs(t, f.Sync(), boom)
		m.SetHooks(Hooks{})
		require.NoError(t, f.Sync(), "the error is told once")
		require.NoError(t, other.Sync())
		require.Equal(t, "xxxxxxxx", sectors(t, m, "d/db"), "the cache shows what the disk lacks")
		got := sectors(t, m.CrashClone(CrashKeepAll, 1), "d/db")
		require.Equal(t, got, sectors(t, m.CrashClone(CrashAny, seed), "d/db"))
		if got != "xxxxxxxx" {
			lost++
		}
		write(t, f, 'x', 8*SectorBytes, 0)
		require.NoError(t, f.Sync())
		require.Equal(t, "xxxxxxxx", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/db"),
			"only writing it again helps")
	}
	require.Greater(t, lost, 10)
}

func TestAFailedWriteMayHaveWrittenSome(t *testing.T) {
	boom := errors.New("boom")
	m := NewMemFS(3)
	durableFile(t, m, 8)
	log := open(t, m, "d/db", Log)
	m.SetHooks(Hooks{Before: func(op Op) error {
		if op.Kind == OpWrite {
			return boom
		}
		return nil
	}})
	_, err := log.WriteAt(fill('x', 8*SectorBytes), 0)
	require.ErrorIs(t, err, boom)
	got := sectors(t, m, "d/db")
	require.Contains(t, got, "x")
	require.Contains(t, got, "-")
}

func TestNamesNeedSyncDir(t *testing.T) {
	m := NewMemFS(1)
	f := create(t, m, "d/new")
	write(t, f, 'n', SectorBytes, 0)
	require.NoError(t, f.SyncFull())
	require.Empty(t, m.CrashClone(CrashLoseAll, 1).Names())
	require.Equal(t, []string{"d/new"}, m.CrashClone(CrashKill, 1).Names())
	require.NoError(t, m.SyncDir("d/new"))
	require.Equal(t, "n", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/new"))

	old := create(t, m, "d/old")
	write(t, old, 'o', SectorBytes, 0)
	require.NoError(t, old.SyncFull())
	require.NoError(t, m.SyncDir("d/old"))
	require.NoError(t, m.Rename("d/new", "d/old"))
	require.Equal(t, "n", sectors(t, m, "d/old"))
	require.Equal(t, "o", sectors(t, m.CrashClone(CrashLoseAll, 1), "d/old"))
	for seed := range uint64(20) {
		clone := m.CrashClone(CrashAny, seed)
		require.Contains(t, [][]string{{"d/old"}, {"d/new", "d/old"}}, clone.Names())
	}
	require.NoError(t, m.SyncDir("d/old"))
	require.Equal(t, []string{"d/old"}, m.CrashClone(CrashLoseAll, 1).Names())
	require.NoError(t, m.Remove("d/old"))
	require.Equal(t, []string{"d/old"}, m.CrashClone(CrashLoseAll, 1).Names())
	require.Equal(t, "n", sectors(t, m.CrashClone(CrashKill, 1).CrashClone(CrashLoseAll, 1), "d/old"),
		"a removal that only a process saw comes back with the power")
	require.NoError(t, m.SyncDir("d/old"))
	require.Empty(t, m.CrashClone(CrashLoseAll, 1).Names())
}

func TestDirectIOWantsAlignment(t *testing.T) {
	m := NewMemFS(1)
	durableFile(t, m, 16)
	m.SetAlign(4096)
	log := open(t, m, "d/db", Log)
	require.Equal(t, 4096, log.Align())
	for _, tc := range []struct {
		p   []byte
		off int64
	}{{AlignedBuffer(512), 0}, {AlignedBuffer(4096), 512}, {AlignedBuffer(8192)[512 : 512+4096], 0}} {
		_, err := log.WriteAt(tc.p, tc.off)
		require.ErrorIs(t, err, errMisaligned)
		_, err = log.ReadAt(tc.p, tc.off)
		require.ErrorIs(t, err, errMisaligned)
	}
	write(t, log, 'x', 4096, 4096)
}

func TestHooksCountEveryChange(t *testing.T) {
	m := NewMemFS(1)
	var ops []Op
	reads := 0
	m.SetHooks(Hooks{Before: func(op Op) error {
		if op.Kind == OpRead {
			reads++
			require.Zero(t, op.N)
			return nil
		}
		ops = append(ops, op)
		return nil
	}})
	f := create(t, m, "d/db")
	write(t, f, 'x', 512, 0)
	_, err := f.ReadAt(make([]byte, 512), 0)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, m.SyncDir("d/db"))
	require.Equal(t, []Op{
		{N: 1, Kind: OpCreate, Path: "d/db"},
		{N: 2, Kind: OpWrite, Path: "d/db", Len: 512},
		{N: 3, Kind: OpSync, Path: "d/db"},
		{N: 4, Kind: OpSyncDir, Path: "d"},
	}, ops)
	require.Equal(t, uint64(4), m.Ops())
	require.Equal(t, 1, reads)
}

func TestReadBeyondTheEnd(t *testing.T) {
	m := NewMemFS(1)
	f := durableFile(t, m, 1)
	n, err := f.ReadAt(make([]byte, 600), 500)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 12, n)
	n, err = f.ReadAt(make([]byte, 1), 5000)
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, n)
}

// contract holds for every FS.
func contract(t *testing.T, fsys FS, dir string) {
	path := dir + "/db"
	_, err := fsys.Open(path, OpenOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = fsys.Lock(path, LockExclusive)
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, role := range []Role{Heap, Log, RelaxedLog} {
		f, err := fsys.Open(path, OpenOptions{Role: role, Create: true})
		require.NoError(t, err, role)
		require.NoError(t, f.Close())
		_, err = fsys.Open(path, OpenOptions{Role: role, Create: true})
		require.ErrorIs(t, err, fs.ErrExist)
		require.NoError(t, fsys.Remove(path))
	}
	heap := create(t, fsys, path)
	require.NoError(t, fsys.SyncDir(path))
	const size = 1 << 20
	require.NoError(t, heap.Allocate(0, size))
	require.NoError(t, heap.SyncFull())
	got, err := heap.Size()
	require.NoError(t, err)
	require.Equal(t, int64(size), got)

	for i, role := range []Role{Log, RelaxedLog, Heap} {
		f := open(t, fsys, path, role)
		align := f.Align()
		require.True(t, align >= SectorBytes && align <= AlignMaxBytes && align&(align-1) == 0)
		off := int64(i) * AlignMaxBytes
		write(t, f, byte('1'+i), align, off)
		require.NoError(t, f.Sync())
		back := AlignedBuffer(align)
		_, err = f.ReadAt(back, off)
		require.NoError(t, err)
		require.Equal(t, fill(byte('1'+i), align), back)
		seen := make([]byte, align)
		_, err = heap.ReadAt(seen, off)
		require.NoError(t, err)
		require.Equal(t, []byte(back), seen, "every descriptor sees one file")
		require.NoError(t, f.Close())
		require.Error(t, f.Close())
	}
	require.NoError(t, heap.Allocate(0, size/2), "what was there stays")
	one := make([]byte, 1)
	_, err = heap.ReadAt(one, 0)
	require.NoError(t, err)
	require.Equal(t, []byte{'1'}, one)
	require.NoError(t, heap.PunchHole(size/2, size/4))
	require.NoError(t, heap.Truncate(size/2))
	got, err = heap.Size()
	require.NoError(t, err)
	require.Equal(t, int64(size/2), got)

	ro, err := fsys.Open(path, OpenOptions{ReadOnly: true})
	require.NoError(t, err)
	_, err = ro.WriteAt(one, 0)
	require.Error(t, err)
	require.NoError(t, ro.Close())

	lock, err := fsys.Lock(path, LockExclusive)
	require.NoError(t, err)
	for _, mode := range []LockMode{LockExclusive, LockShared} {
		_, err = fsys.Lock(path, mode)
		require.ErrorIs(t, err, ErrLocked)
	}
	require.NoError(t, open(t, fsys, path, Heap).Close())
	_, err = fsys.Lock(path, LockShared)
	require.ErrorIs(t, err, ErrLocked, "closing another descriptor drops no lock")
	require.NoError(t, lock.Close())
	require.Error(t, lock.Close())
	a, err := fsys.Lock(path, LockShared)
	require.NoError(t, err)
	b, err := fsys.Lock(path, LockShared)
	require.NoError(t, err)
	require.NoError(t, a.Close())
	_, err = fsys.Lock(path, LockExclusive)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, b.Close())
	c, err := fsys.Lock(path, LockExclusive)
	require.NoError(t, err)
	require.NoError(t, c.Close())

	require.NoError(t, heap.Close())
	require.NoError(t, fsys.Rename(path, dir+"/other"))
	require.NoError(t, fsys.SyncDir(path))
	_, err = fsys.Open(path, OpenOptions{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, fsys.Rename(path, dir+"/third"), fs.ErrNotExist)
	require.NoError(t, fsys.Remove(dir+"/other"))
	require.ErrorIs(t, fsys.Remove(dir+"/other"), fs.ErrNotExist)
}

func TestContract(t *testing.T) {
	t.Run("memory", func(t *testing.T) { contract(t, NewMemFS(1), "d") })
	t.Run("disk", func(t *testing.T) { contract(t, OS(), t.TempDir()) })
}

func TestAlignedBuffer(t *testing.T) {
	for _, n := range []int{0, 1, 511, 512, 4096, 4097, 1 << 20} {
		p := AlignedBuffer(n)
		require.Len(t, p, n)
		require.True(t, isAligned(p, AlignMaxBytes))
		require.Zero(t, cap(p)%AlignMaxBytes)
	}
}
