package lsm

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
	"github.com/keystone-db/kstone/engine/storage"
)

// inspectAll prints everything that there is.
func inspectAll(t testing.TB, fsys vfs.FS) (text string, err error) {
	t.Helper()
	var out bytes.Buffer
	i, err := OpenInspector("db", &out, InspectOptions{FS: fsys})
	require.NoError(t, err)
	i.Summary()
	i.Manifest()
	for num := range uint64(40) {
		for epoch := range uint64(3) {
			i.Table(epoch<<40|num, true)
		}
	}
	i.Log(0, math.MaxUint64)
	return out.String(), i.Close()
}

// inspected is a small file with something of every kind.
func inspected(t *testing.T) *vfs.MemFS {
	t.Helper()
	fsys := vfs.NewMemFS(1)
	o := memOptions(fsys)
	o.manual = true
	db, err := Open("db", o)
	require.NoError(t, err)
	for i := range 60 {
		mustPut(t, db, testKey(byte(i%2), fmt.Sprintf("%03d", i)), strings.Repeat("v", 100))
	}
	flushAll(t, db)
	var b storage.Batch
	for i := range 8 {
		b.Put(testKey(5, fmt.Sprint(i)), bytes.Repeat([]byte{byte(i)}, 16<<10))
	}
	b.Delete(testKey(1, "001"))
	require.NoError(t, db.Apply(context.Background(), &b, storage.UpdateOptions{}))
	require.NoError(t, db.DropRange(context.Background(), storage.Range{Start: testKey(200, "a"), End: testKey(200, "b")}))
	return fsys.CrashClone(vfs.CrashKeepAll, 1)
}

// TestInspect: each part is printed, numbers as they are given to look for them.
func TestInspect(t *testing.T) {
	fsys := inspected(t)
	var out bytes.Buffer
	look := func(fn func(*Inspector)) string {
		out.Reset()
		i, err := OpenInspector("db", &out, InspectOptions{FS: fsys})
		require.NoError(t, err)
		require.False(t, i.InUse())
		fn(i)
		require.NoError(t, i.Close(), out.String())
		return out.String()
	}
	text := look((*Inspector).Summary)
	require.Contains(t, text, "superblock copy 1 at 4096")
	require.Contains(t, text, "not closed cleanly")
	require.Contains(t, text, "1 dead ranges")
	require.Contains(t, text, "  segment 1.2 ")
	var table string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "stripe 1 level 0") {
			table = strings.Fields(line)[0]
		}
	}
	num, err := ParseNumber(table)
	require.NoError(t, err)
	require.Equal(t, look((*Inspector).Superblocks), text[:strings.Index(text, "adds up")])
	text = look((*Inspector).Manifest)
	require.Contains(t, text, "snapshot end")
	require.Contains(t, text, "table add      "+table+" stripe 1")
	require.Contains(t, text, "dead add ")

	text = look(func(i *Inspector) { i.Table(num, false) })
	require.Contains(t, text, "  header     at 0, 80 bytes\n")
	require.Contains(t, text, "entries 30, keys 30")
	require.NotContains(t, text, " put ")
	at := 80
	for range 2 { // the first block, and one behind it
		text = look(func(i *Inspector) { i.Block(num, int64(at)) })
		require.Contains(t, text, fmt.Sprintf("  block at %d, ", at))
		require.Contains(t, text, ` put 0000000000000001000000000100000000`)
		var length int
		_, err := fmt.Sscanf(text, fmt.Sprintf("  block at %d, %%d bytes", at), &length)
		require.NoError(t, err)
		at += length
	}
	text = look(func(i *Inspector) { i.Table(num, true) })
	require.Equal(t, 30, strings.Count(text, " put "))

	text = look(func(i *Inspector) { i.Log(1<<40|3, 1<<40|5) })
	require.Equal(t, 3, strings.Count(text, "  batch "), text)
	text = look(func(i *Inspector) { i.Log(0, math.MaxUint64) })
	require.Contains(t, text, "spilled ")
	require.Contains(t, text, "(16384 bytes)")
	require.Contains(t, text, "the log ends at ")
}

// TestInspectBesideAnOpenDatabase: the file is in use, and looked at all the same.
func TestInspectBesideAnOpenDatabase(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := openManual(t, fsys)
	mustPut(t, db, testKey(1, "a"), "v")
	i, err := OpenInspector("db", &bytes.Buffer{}, InspectOptions{FS: fsys})
	require.NoError(t, err)
	require.True(t, i.InUse())
	require.NoError(t, i.Close())
	require.NoError(t, db.Close())
	_, err = OpenInspector("none", &bytes.Buffer{}, InspectOptions{FS: fsys})
	require.ErrorContains(t, err, "none")
}

// TestInspectNamesWhatIsMissing: tables and blocks that are not there.
func TestInspectNamesWhatIsMissing(t *testing.T) {
	fsys := inspected(t)
	for _, look := range []func(*Inspector){
		func(i *Inspector) { i.Table(99, false) },
		func(i *Inspector) { i.Block(99, 80) },
	} {
		var out bytes.Buffer
		i, err := OpenInspector("db", &out, InspectOptions{FS: fsys})
		require.NoError(t, err)
		look(i)
		require.ErrorIs(t, i.Close(), storage.ErrCorrupt)
		require.Contains(t, out.String(), "! table 0.99: the manifest names no such table")
	}
}

// TestInspectGoesOnBehindDamage: whatever byte is flipped, or where the file ends, everything else is
// printed, nothing is written and nothing panics.
func TestInspectGoesOnBehindDamage(t *testing.T) {
	fsys := inspected(t)
	f, err := fsys.Open("db", vfs.OpenOptions{})
	require.NoError(t, err)
	size, err := f.Size()
	require.NoError(t, err)
	good := make([]byte, size)
	_, err = f.ReadAt(good, 0)
	require.NoError(t, err)
	whole, err := inspectAll(t, fsys)
	require.ErrorIs(t, err, storage.ErrCorrupt, "tables that there are not")
	faults := strings.Count(whole, "! ")
	used := usedPlaces(good)
	rnd := rand.New(rand.NewPCG(1, 2))
	more := 0
	for range 60 {
		at := used[rnd.IntN(len(used))]
		_, err = f.WriteAt([]byte{good[at] ^ 0x10}, at)
		require.NoError(t, err)
		text, err := inspectAll(t, fsys)
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.Contains(t, text, "superblock copy 0 at 0")
		if strings.Count(text, "! ") > faults {
			more++
		}
		_, err = f.WriteAt(good[at:at+1], at)
		require.NoError(t, err)
	}
	require.Greater(t, more, 30, "most flips are seen: the others are in what is left over")
	require.NoError(t, f.Truncate(64<<10))
	text, err := inspectAll(t, fsys)
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.Greater(t, strings.Count(text, "! "), faults)
	require.NoError(t, f.Truncate(0))
	text, err = inspectAll(t, fsys)
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.Contains(t, text, "no copy verifies")
}

// usedPlaces are offsets of bytes that are not zero.
func usedPlaces(b []byte) (out []int64) {
	for i, c := range b {
		if c != 0 {
			out = append(out, int64(i))
		}
	}
	return out
}

func TestParseNumber(t *testing.T) {
	for text, want := range map[string]uint64{"0": 0, "17": 17, "2.17": 2<<40 | 17, "0.3": 3} {
		n, err := ParseNumber(text)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	for _, text := range []string{"", "x", "1.x", "1.", "-1", "16777216.0", "1.1099511627776"} {
		_, err := ParseNumber(text)
		require.Error(t, err, text)
	}
}
