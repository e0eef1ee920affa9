package table

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/cache"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
	"github.com/keystone-db/kstone/engine/storage"
)

// sealedOptions are those of an encrypted table: data key and salt are text.
func sealedOptions(t testing.TB, opts WriterOptions) WriterOptions {
	var err error
	opts.Keys, err = crypt.New(testID, strings.NewReader("a data key for tests of 32 bytes"))
	require.NoError(t, err)
	opts.Rand = strings.NewReader("a salt for the tests of 32 bytes")
	return opts
}

func TestSealedTable(t *testing.T) {
	es := randomEntries(rand.New(rand.NewPCG(7, 7)), 400, 60)
	for _, how := range everyCompression {
		opts := sealedOptions(t, WriterOptions{BlockBytes: 400, Compression: how})
		file, _ := build(t, es, opts)
		for _, c := range []*cache.Cache{nil, cache.New(1 << 20)} {
			rd := openWith(file, opts.Keys, c, NewResident(0))
			require.NoError(t, readAll(t, rd, es))
			require.NoError(t, rd.Verify(context.Background()))
			rd.Forget()
			require.NoError(t, readAll(t, rd, es))
		}
	}
}

func TestASealedTableShowsNothing(t *testing.T) {
	name := strings.Repeat("secretname", 3)
	e := base.Entry{Key: itemKey(1, 1, name), LSN: base.MakeLSN(1, 1), Kind: base.KindPut, Value: []byte("secretvalue")}
	plain, _ := build(t, []base.Entry{e}, WriterOptions{Compression: CompressNone})
	require.Contains(t, string(plain), "secretname")
	file, _ := build(t, []base.Entry{e}, sealedOptions(t, WriterOptions{Compression: CompressNone}))
	require.NotContains(t, string(file), "secret")
}

// TestForgedBlocks: sums can be made right by anybody, seals cannot. A block that was changed, or stands in
// another place, table or database, is corrupt.
func TestForgedBlocks(t *testing.T) {
	var es []base.Entry
	for i := range uint32(100) {
		es = append(es, base.Entry{Key: itemKey(1, i, "sort"), LSN: base.MakeLSN(1, 7), Kind: base.KindPut, Value: []byte("value")})
	}
	es = sorted(es)
	opts := sealedOptions(t, WriterOptions{BlockBytes: 400, Compression: CompressNone})
	file, _ := build(t, es, opts)
	rd := openWith(file, opts.Keys, nil, nil)
	m, err := rd.open()
	require.NoError(t, err)
	resum := func(bad []byte, s section) {
		crc := s.end() - 4
		binary.LittleEndian.PutUint32(bad[crc:], rd.sums.of(int64(s.offset), bad[s.offset:crc]))
	}
	refused := func(bad []byte) {
		t.Helper()
		err := readAll(t, openWith(bad, opts.Keys, nil, nil), es)
		require.ErrorIs(t, err, storage.ErrCorrupt)
		require.ErrorContains(t, err, "does not open")
	}
	first := m.fences.block(0)
	bad := bytes.Clone(file)
	bad[first.offset] ^= 1
	resum(bad, first)
	refused(bad)
	bad = bytes.Clone(file)
	bad[first.end()-5] = byte(CodecS2)
	resum(bad, first)
	refused(bad)
	byLength := map[uint32]section{}
	moved := 0
	for i := range m.fences.len() {
		s := m.fences.block(i)
		if other, ok := byLength[s.length]; ok {
			bad = bytes.Clone(file)
			copy(bad[other.offset:other.end()], file[s.offset:s.end()])
			resum(bad, other)
			refused(bad)
			moved++
		}
		byLength[s.length] = s
	}
	require.Positive(t, moved, "two blocks of one length")
	bad = bytes.Clone(file)
	bad[saltAt] ^= 1
	binary.LittleEndian.PutUint32(bad[headerBytes-4:], rd.sums.of(0, bad[:headerBytes-4]))
	refused(bad)
}

// TestPlainAndSealedDoNotMix: a plain table is not taken in an encrypted database, nor the other way round.
func TestPlainAndSealedDoNotMix(t *testing.T) {
	opts := sealedOptions(t, WriterOptions{})
	plain, _ := build(t, vectorEntries(), WriterOptions{})
	sealed, _ := build(t, vectorEntries(), opts)
	err := readAll(t, openWith(plain, opts.Keys, nil, nil), vectorEntries())
	require.ErrorIs(t, err, storage.ErrCorrupt)
	require.ErrorContains(t, err, "a plain table in an encrypted database")
	require.ErrorIs(t, readAll(t, open(sealed, nil, nil), vectorEntries()), storage.ErrCorrupt)
}

// TestDigestNeedsNoKey: whoever copies a table verifies it without being able to read it.
func TestDigestNeedsNoKey(t *testing.T) {
	file, meta := build(t, vectorEntries(), sealedOptions(t, WriterOptions{}))
	require.NoError(t, CheckDigest(t.Context(), bytes.NewReader(file), testID, 0, meta))
	file[100] ^= 1
	require.ErrorIs(t, CheckDigest(t.Context(), bytes.NewReader(file), testID, 0, meta), storage.ErrCorrupt)
}

// TestNoRandomnessNoTable: a salt that cannot be drawn ends the table, before anything is written.
func TestNoRandomnessNoTable(t *testing.T) {
	opts := sealedOptions(t, WriterOptions{DatabaseID: testID, Num: testNum})
	opts.Rand = strings.NewReader("short")
	var out bytes.Buffer
	w := NewWriter(&out, opts)
	err := w.Add(vectorEntries()[0])
	require.True(t, errors.Is(err, io.ErrUnexpectedEOF), err)
	_, err = w.Finish()
	require.Error(t, err)
	require.Zero(t, out.Len())
}
