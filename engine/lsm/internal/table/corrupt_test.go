package table

import (
	"bytes"
	"context"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/storage"
)

// readAll reads a table as its users do and checks that nothing wrong comes out.
func readAll(t *testing.T, rd *Reader, es []base.Entry) error {
	it := rd.NewIter()
	i := 0
	for ok := it.First(); ok; ok = it.Next() {
		same(t, es[i], current(it))
		i++
	}
	if it.Err() != nil {
		return it.Err()
	}
	require.Len(t, es, i)
	for _, e := range es {
		got, ok, err := rd.Get(e.Key, e.LSN, nothing)
		if err != nil {
			return err
		}
		require.True(t, ok)
		same(t, e, got)
	}
	return nil
}

func TestEveryFlippedBitIsDetected(t *testing.T) {
	es := randomEntries(rand.New(rand.NewPCG(5, 5)), 30, 40)
	step := 1
	if testing.Short() {
		step = 11 // other bits of each byte
	}
	for _, how := range everyCompression {
		file, _ := build(t, es, WriterOptions{BlockBytes: 400, Compression: how})
		require.NoError(t, readAll(t, open(file, nil, nil), es))
		for i := 0; i < len(file)*8; i += step {
			bad := bytes.Clone(file)
			bad[i/8] ^= 1 << (i % 8)
			err := open(bad, nil, nil).Verify(context.Background())
			require.ErrorIs(t, err, storage.ErrCorrupt, "bit %d", i)
			var ce *base.CorruptError
			require.ErrorAs(t, err, &ce)
			require.Equal(t, "table", ce.Region)
			require.GreaterOrEqual(t, ce.Offset, int64(fileOffset))
			require.LessOrEqual(t, ce.Offset, int64(fileOffset+i/8), "bit %d: %v", i, err)
			// A reader may not touch the header; whatever it says is right.
			if err := readAll(t, open(bad, nil, nil), es); err != nil {
				require.ErrorIs(t, err, storage.ErrCorrupt)
			} else {
				require.Less(t, i/8, headerBytes)
			}
		}
	}
}

func TestTruncatedStaleAndMisplaced(t *testing.T) {
	es := randomEntries(rand.New(rand.NewPCG(6, 6)), 100, 40)
	file, meta := build(t, es, WriterOptions{BlockBytes: 400, Compression: CompressNone})
	read := func(f []byte, change func(*ReaderOptions)) error {
		o := ReaderOptions{DatabaseID: testID, Num: testNum, File: bytes.NewReader(f), Length: meta.Length}
		change(&o)
		return NewReader(o).Verify(context.Background())
	}
	keep := func(*ReaderOptions) {}
	require.NoError(t, read(file, keep))
	require.ErrorIs(t, read(file[:len(file)-1], keep), storage.ErrCorrupt)
	require.ErrorIs(t, read(file[:100], keep), storage.ErrCorrupt)
	require.ErrorIs(t, read(nil, keep), storage.ErrCorrupt)
	require.ErrorIs(t, read(make([]byte, len(file)), keep), storage.ErrCorrupt, "a hole")
	require.ErrorIs(t, read(file, func(o *ReaderOptions) { o.Num++ }), storage.ErrCorrupt)
	require.ErrorIs(t, read(file, func(o *ReaderOptions) { o.DatabaseID[3]++ }), storage.ErrCorrupt)
	require.ErrorIs(t, read(file, func(o *ReaderOptions) { o.Length-- }), storage.ErrCorrupt)
	require.ErrorIs(t, read(file, func(o *ReaderOptions) { o.Length = 5 }), storage.ErrCorrupt)

	// Two blocks of the same length change places.
	rd := open(file, nil, nil)
	m, err := rd.open()
	require.NoError(t, err)
	for i := range m.fences.len() {
		a := m.fences.block(i)
		for j := i + 1; j < m.fences.len(); j++ {
			b := m.fences.block(j)
			if a.length == b.length {
				bad := bytes.Clone(file)
				copy(bad[a.offset:a.end()], file[b.offset:b.end()])
				copy(bad[b.offset:b.end()], file[a.offset:a.end()])
				require.ErrorIs(t, read(bad, keep), storage.ErrCorrupt)
				return
			}
		}
	}
	t.Fatal("no two blocks of one length")
}

// vectorEntries are the entries of the tables in testdata.
func vectorEntries() []base.Entry {
	p := func(k []byte, lsn base.LSN, v string) base.Entry {
		return base.Entry{Key: k, LSN: lsn, Kind: base.KindPut, Value: []byte(v)}
	}
	es := []base.Entry{
		p([]byte("short"), base.MakeLSN(1, 5), "v"),
		p(itemKey(1, 2, "a"), base.MakeLSN(2, 9), "newer"),
		p(itemKey(1, 2, "a"), base.MakeLSN(2, 3), ""),
		{Key: itemKey(1, 2, "b"), LSN: base.MakeLSN(2, 4), Kind: base.KindTombstone},
	}
	for i := range 8 {
		es = append(es, p(itemKey(2, 7, string(rune('c'+i))), base.MakeLSN(1, uint64(6+i)), strings.Repeat("xyz", i)))
	}
	return append(es[1:], es[0])
}

func TestVectors(t *testing.T) {
	for _, c := range []struct {
		file  string
		opts  WriterOptions
		write bool
	}{
		{"testdata/raw.hex", WriterOptions{Compression: CompressNone, BlockBytes: 340}, true},
		// How well s2 and zstd compress may change with their version; what they wrote must stay readable.
		{"testdata/s2.hex", WriterOptions{}, false},
		{"testdata/zstd.hex", WriterOptions{Compression: CompressZstd}, false},
		{"testdata/sealed.hex", sealedOptions(t, WriterOptions{Compression: CompressNone, BlockBytes: 340}), true},
	} {
		t.Run(c.file, func(t *testing.T) {
			file, _ := build(t, vectorEntries(), c.opts)
			if os.Getenv("KSTONE_WRITE_VECTORS") != "" {
				require.NoError(t, os.WriteFile(c.file, []byte(hexLines(file)), 0o644))
			}
			text, err := os.ReadFile(c.file)
			require.NoError(t, err)
			want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
			require.NoError(t, err)
			if c.write {
				require.Equal(t, string(text), hexLines(file))
			}
			rd := openWith(want, c.opts.Keys, nil, nil)
			require.NoError(t, rd.Verify(context.Background()))
			require.NoError(t, readAll(t, rd, vectorEntries()))
		})
	}
}

func hexLines(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		s.WriteString(hex.EncodeToString(b[:n]) + "\n")
		b = b[n:]
	}
	return s.String()
}

func FuzzReader(f *testing.F) {
	for _, how := range everyCompression {
		file, _ := build(f, vectorEntries(), WriterOptions{Compression: how})
		f.Add(file)
	}
	sealed := sealedOptions(f, WriterOptions{})
	file, _ := build(f, vectorEntries(), sealed)
	f.Add(file)
	f.Add([]byte{})
	f.Fuzz(func(_ *testing.T, b []byte) {
		for _, keys := range []*crypt.Keys{nil, sealed.Keys} {
			rd := openWith(b, keys, nil, nil)
			_ = rd.Verify(context.Background())
			_, _, _ = rd.Get(itemKey(1, 2, "a"), 1<<60, nothing)
			it := rd.NewIter()
			for ok := it.First(); ok; ok = it.Next() {
			}
			for ok := it.Last(); ok; ok = it.Prev() {
			}
		}
	})
}

// FuzzBlock gives the data block decoder bytes that no checksum has seen.
func FuzzBlock(f *testing.F) {
	var bb blockBuilder
	for _, e := range vectorEntries() {
		bb.add(e)
	}
	f.Add(bytes.Clone(bb.finish()), []byte("short"))
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, raw, key []byte) {
		b, ok := parseBlock(raw)
		if !ok {
			return
		}
		var e blockEntry
		b.get(&e, key, 1<<60)
		// An iterator over an index of this one block.
		var x indexBuilder
		x.add(headerBytes, key, key)
		ix, ok := parseIndex(x.append(nil), 2*headerBytes)
		if !ok {
			t.Fatal("index")
		}
		it := &Iter{r: open(nil, nil, nil), m: &resident{fences: ix.fences(), props: &Properties{}}, b: b, interval: -1}
		for _, start := range []func() bool{it.First, it.Last, func() bool { return it.SeekGE(key) },
			func() bool { return it.SeekLT(key) }, func() bool { return it.SeekLT(append(key, 1)) }} {
			for ok, n := start(), 0; ok && n < 100; n++ {
				ok = it.Next()
			}
			it.err = nil
			for ok, n := start(), 0; ok && n < 100; n++ {
				ok = it.Prev()
			}
			it.err = nil
		}
	})
}

// checkFences looks for the keys of an index among its fences.
func checkFences(t *testing.T, x *index, f *fences) {
	for i, s := range x.blocks {
		if f.block(i) != s {
			t.Fatalf("block %d stands at %v, not %v", i, f.block(i), s)
		}
		for _, key := range [][]byte{x.first(i), x.last(i), append(bytes.Clone(x.last(i)), 0)} {
			at := f.find(key)
			if at > 0 && bytes.Compare(x.last(at-1), key) >= 0 {
				t.Fatalf("%x is found in block %d, and block %d ends at or after it", key, at, at-1)
			}
			if at+1 < len(x.blocks) && bytes.Compare(x.first(at+1), key) <= 0 && !f.at(at, key) {
				t.Fatalf("%x is found in block %d only, and block %d begins at or before it", key, at, at+1)
			}
			if at == len(x.blocks) && bytes.Compare(x.last(at-1), key) >= 0 {
				t.Fatalf("%x is not found", key)
			}
		}
	}
}

func FuzzIndexAndProperties(f *testing.F) {
	var x indexBuilder
	x.add(100, []byte("abc"), []byte("abd"))
	x.add(120, []byte("abe"), []byte("b"))
	f.Add(x.append(nil), uint32(headerBytes+220))
	var p Properties
	for i, e := range vectorEntries() {
		p.count(e, i != 1)
	}
	f.Add(appendProperties(nil, &p), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, end uint32) {
		if ix, ok := parseIndex(b, end); ok {
			checkFences(t, ix, ix.fences())
		}
		if p, ok := parseProperties(b); ok {
			again, ok := parseProperties(appendProperties(nil, p))
			if !ok || again.Entries != p.Entries || len(again.Prefixes) != len(p.Prefixes) {
				t.Fatal("does not come back")
			}
		}
	})
}
