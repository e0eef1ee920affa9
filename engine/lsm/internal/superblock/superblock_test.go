package superblock

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
	"github.com/keystone-db/kstone/engine/storage"
)

func sample(generation uint64) *Superblock {
	return &Superblock{
		Align: 512, Database: log.DatabaseID{1, 2}, Timeline: [16]byte{3}, Generation: generation,
		Epoch: 7, ManifestLog: 9, ManifestFirst: log.Extent{Offset: 8192, Length: 65536},
		Clean: &Clean{WAL: log.CleanMark{Epoch: 6, Seq: 99}, Manifest: log.CleanMark{Epoch: 7, Seq: 5}},
	}
}

// memory is a file of two copies whose n-th write fails.
type memory struct {
	data   []byte
	failAt int
	writes int
}

func (m *memory) WriteAt(p []byte, off int64) (int, error) {
	m.writes++
	if m.writes == m.failAt {
		copy(m.data[off:], p[:512])
		return 0, errors.New("torn")
	}
	return copy(m.data[off:], p), nil
}

func fresh() *memory { return &memory{data: make([]byte, AreaBytes)} }

func TestFormatVector(t *testing.T) {
	buf := make([]byte, CopyBytes)
	sample(4).Encode(buf)
	want := "6b73746e73757072" + "01000000" + "00020000" + "01020000000000000000000000000000" +
		"03000000000000000000000000000000" + "0400000000000000" + "07000000" + "01000000" +
		"0900000000000000" + "0020000000000000" + "0000010000000000" + "06000000" + "07000000" +
		"6300000000000000" + "0500000000000000" + "0000"
	assert.Equal(t, want, hex.EncodeToString(buf[:keyAt+2]))
	got, err := decode(buf)
	require.NoError(t, err)
	assert.Equal(t, sample(4), &got)
}

func TestOriginVector(t *testing.T) {
	s := sample(4)
	s.Origin = &Origin{
		Timeline: [16]byte{1}, Base: [16]byte{2}, LSN: 3, Seq: 4, Digest: 5, Epoch: 6, Millis: 7,
	}
	buf := make([]byte, CopyBytes)
	s.Encode(buf)
	assert.Equal(t, "07000000", hex.EncodeToString(buf[60:64]))
	assert.Equal(t, "01000000000000000000000000000000"+"02000000000000000000000000000000"+
		"0300000000000000"+"0400000000000000"+"0500000000000000"+"06000000"+"00000000"+"0700000000000000",
		hex.EncodeToString(buf[originAt:originAt+72]))
	got, err := decode(buf)
	require.NoError(t, err)
	assert.Equal(t, s, &got)
	assert.True(t, got.Origin.Incremental())
}

func TestNewestValidCopyWins(t *testing.T) {
	m := fresh()
	require.NoError(t, Write(m, sample(1), 1))
	c, err := Read(bytes.NewReader(m.data))
	require.NoError(t, err)
	assert.True(t, c.Same)
	for _, failAt := range []int{1, 2} {
		torn := &memory{data: bytes.Clone(m.data), failAt: failAt}
		require.Error(t, Write(torn, sample(2), 0))
		c, err := Read(bytes.NewReader(torn.data))
		require.NoError(t, err)
		// The first write tears the copy that is not the newest: the old contents stay. The second
		// tears the old newest when the new contents stand in the other.
		assert.Equal(t, uint64(failAt), c.Newest.Generation)
		assert.False(t, c.Same)
		require.NoError(t, Write(torn, sample(3), c.At))
		again, err := Read(bytes.NewReader(torn.data))
		require.NoError(t, err)
		assert.True(t, again.Same)
		assert.Equal(t, uint64(3), again.Newest.Generation)
	}
}

func TestRefusals(t *testing.T) {
	read := func(data []byte) error {
		_, err := Read(bytes.NewReader(data))
		return err
	}
	assert.ErrorIs(t, read(nil), ErrInterrupted)
	assert.ErrorIs(t, read(make([]byte, 1<<20)), ErrInterrupted)
	assert.ErrorIs(t, read(bytes.Repeat([]byte("text"), 4096)), ErrForeign)
	assert.ErrorIs(t, read([]byte("text")), ErrForeign)

	m := fresh()
	require.NoError(t, Write(m, sample(1), 0))
	first := bytes.Clone(m.data)
	clear(first[CopyBytes:])
	first[100] ^= 1
	assert.ErrorIs(t, read(first), ErrInterrupted)
	assert.ErrorContains(t, read(first), "restore a copy", "of a file that has served, whose log has moved away")

	// Creation leaves zeros where the log begins: a file with a group there has served.
	for _, head := range [][]byte{make([]byte, AreaBytes), first} {
		served := append(bytes.Clone(head[:AreaBytes]), "kstnlog1"...)
		assert.ErrorIs(t, read(served), storage.ErrCorrupt)
	}

	both := bytes.Clone(m.data)
	both[100] ^= 1
	both[CopyBytes+100] ^= 1
	assert.ErrorIs(t, read(both), storage.ErrCorrupt)

	newer := make([]byte, CopyBytes)
	sample(1).Encode(newer)
	newer[8] = FormatVersion + 1
	reseal(newer)
	assert.ErrorIs(t, read(append(newer, m.data[:CopyBytes]...)), ErrNewer)
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	buf := make([]byte, CopyBytes)
	sample(1).Encode(buf)
	for i := range CopyBytes {
		buf[i] ^= 0x10
		_, err := decode(buf)
		require.Error(t, err, "byte %d", i)
		buf[i] ^= 0x10
	}
}

func FuzzDecode(f *testing.F) {
	buf := make([]byte, CopyBytes)
	sample(1).Encode(buf)
	f.Add(buf)
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(b, make([]byte, CopyBytes)...)[:CopyBytes]
		reseal(b)
		_, _ = decode(b)
	})
}

var _ io.WriterAt = (*memory)(nil)
