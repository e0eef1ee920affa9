package archived

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/log"
)

func sample() *Chunk {
	seg := log.Extent{Offset: 8192, Length: 4096}
	return &Chunk{
		Database: log.DatabaseID{1}, Timeline: [16]byte{2}, EpochMax: 9, FirstLSN: 10, LastLSN: 12, Until: 13, Seen: 14,
		Start:  log.Position{Extent: seg, Offset: 8704, Seq: 5, Digest: 6, Epoch: 7},
		End:    log.Position{Extent: seg, Offset: 8708, Seq: 7, Digest: 8, Epoch: 9},
		Pieces: []Piece{{Offset: 8704, Data: []byte("abcd")}, {Offset: 65536, Data: []byte("spill")}},
	}
}

func TestFormatVector(t *testing.T) {
	data := sample().Append(nil)
	le := func(n string) string { return n + "00000000000000" }
	assert.Equal(t, "6b73746e61726331"+"01000000"+"02000000"+
		"01000000000000000000000000000000"+"02000000000000000000000000000000"+
		le("05")+le("06")+le("0a")+le("0c")+le("0d")+
		"0020000000000000"+"0010000000000000"+"0022000000000000"+le("04")+
		le("06")+"07000000"+"09000000"+le("08")+"09000000"+"00000000"+le("0e"),
		hex.EncodeToString(data[:160]))
	assert.Equal(t, make([]byte, 24), data[160:headBytes])
	assert.Equal(t, "0022000000000000"+le("04")+hex.EncodeToString([]byte("abcd"))+
		"0000010000000000"+le("05")+hex.EncodeToString([]byte("spill")),
		hex.EncodeToString(data[headBytes:len(data)-sumBytes]))
	got, err := Decode(data)
	require.NoError(t, err)
	assert.Equal(t, sample(), got)
	head, err := ReadHead(bytes.NewReader(data[:headBytes]))
	require.NoError(t, err)
	want := sample()
	want.Pieces = nil
	assert.Equal(t, want, head)
	_, err = ReadHead(bytes.NewReader(data[:headBytes-1]))
	require.ErrorIs(t, err, ErrChunk)
}

func TestEveryFlippedByteIsFound(t *testing.T) {
	data := sample().Append(nil)
	for i := range data {
		data[i] ^= 1
		_, err := Decode(data)
		require.ErrorIs(t, err, ErrChunk, "byte %d", i)
		data[i] ^= 1
	}
	for n := range data {
		_, err := Decode(data[:n])
		require.ErrorIs(t, err, ErrChunk)
	}
}

func TestReadAtIsTheFile(t *testing.T) {
	c := sample()
	p := []byte("..........")
	n, err := c.ReadAt(p, 8701)
	require.NoError(t, err)
	assert.Equal(t, len(p), n)
	assert.Equal(t, "\x00\x00\x00abcd\x00\x00\x00", string(p))
	_, err = c.ReadAt(p[:3], 65538)
	require.NoError(t, err)
	assert.Equal(t, "ill", string(p[:3]))
}

func TestNames(t *testing.T) {
	c := sample()
	n, ok := ParseLog(c.Name())
	require.True(t, ok)
	assert.Equal(t, LogName{Name: c.Name(), First: 5, Last: 6, LSN: 12}, n)
	b := Base{Timeline: [16]byte{0xab}, LSN: 77, Millis: 1795915366180}
	got, ok := ParseDone(b.Prefix() + Done)
	require.True(t, ok)
	assert.Equal(t, b, got)
	assert.Equal(t, b.Prefix()+"00000012", b.Part(12))
	next, millis, ok := ParseCovered(Covered(5, 6))
	require.True(t, ok)
	assert.Equal(t, log.Seq(5), next)
	assert.Equal(t, int64(6), millis)
	for _, bad := range []string{"", "x/log/y", b.Part(1), c.Name() + "/base/done", "zz/base/00-11/done"} {
		_, ok := ParseDone(bad)
		assert.False(t, ok, bad)
	}
	_, ok = ParseLog(b.Part(1))
	assert.False(t, ok)
	_, _, ok = ParseCovered(nil)
	assert.False(t, ok)
}

// FuzzDecode: what verifies is the same after it was written again, and what does not is an error.
func FuzzDecode(f *testing.F) {
	whole := sample().Append(nil)
	f.Add(whole[:len(whole)-sumBytes])
	f.Add(whole[:headBytes])
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = ReadHead(bytes.NewReader(data))
		if c, err := Decode(data); err == nil {
			require.LessOrEqual(t, c.Bytes(), int64(len(data)))
		}
		summed := binary.LittleEndian.AppendUint64(bytes.Clone(data), xxhash.Sum64(data)) // so that some verify
		c, err := Decode(summed)
		if err != nil {
			return
		}
		again, err := Decode(c.Append(nil))
		require.NoError(t, err)
		require.Equal(t, c, again)
		for _, p := range c.Pieces {
			n, err := c.ReadAt(make([]byte, min(len(p.Data)+1, 100)), p.Offset)
			require.NoError(t, err)
			require.Positive(t, n)
		}
		_, _ = ParseLog(c.Name())
	})
}
