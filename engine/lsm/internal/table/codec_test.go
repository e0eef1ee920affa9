package table

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

var everyCompression = []Compression{CompressS2, CompressZstd, CompressNone}

func TestWhatDoesNotShrinkStaysRaw(t *testing.T) {
	random := make([]byte, 8<<10)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	// A sixteenth of it compresses away: less than it must.
	nearly := append(bytes.Clone(random[:len(random)*15/16]), make([]byte, len(random)/16)...)
	shrinks := append(bytes.Clone(random[:len(random)/2]), make([]byte, len(random)/2)...)
	want := map[Compression]Codec{CompressS2: CodecS2, CompressZstd: CodecZstd, CompressNone: CodecRaw}
	var scratch []byte
	for _, how := range everyCompression {
		for _, c := range []struct {
			raw  []byte
			want Codec
		}{{random, CodecRaw}, {nearly, CodecRaw}, {shrinks, want[how]}, {nil, CodecRaw}, {random[:1], CodecRaw}} {
			stored, codec := compress(scratch, c.raw, how)
			require.Equal(t, c.want, codec)
			back, err := decompress(nil, stored, codec, len(c.raw))
			require.NoError(t, err)
			require.True(t, bytes.Equal(c.raw, back))
			if codec != CodecRaw {
				_, err = decompress(nil, stored, codec, len(c.raw)-1)
				require.ErrorIs(t, err, errImpossibleLength)
				_, err = decompress(nil, stored[:len(stored)-1], codec, len(c.raw))
				require.Error(t, err)
			}
			scratch = stored
		}
	}
	_, err := decompress(nil, random, 3, len(random))
	require.ErrorContains(t, err, "unknown codec 3")
}

// TestZstdBombs are payloads whose checksum somebody got right, and which promise or unpack to more
// than a block may be.
func TestZstdBombs(t *testing.T) {
	encode := func(raw []byte, opts ...zstd.EOption) []byte {
		e, err := zstd.NewWriter(nil, append(opts, zstd.WithEncoderConcurrency(1))...)
		require.NoError(t, err)
		return e.EncodeAll(raw, nil)
	}
	zeros := make([]byte, 1<<20)
	bomb := encode(zeros)
	require.Less(t, len(bomb), 1000)
	stream := func() []byte { // a frame that does not say how long its content is
		var b bytes.Buffer
		e, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
		require.NoError(t, err)
		_, err = e.Write(zeros)
		require.NoError(t, err)
		require.NoError(t, e.Flush())
		_, err = e.Write(zeros)
		require.NoError(t, err)
		require.NoError(t, e.Close())
		return b.Bytes()
	}
	small := encode([]byte(strings.Repeat("a", 1000)))
	for name, payload := range map[string][]byte{
		"too long":              bomb,
		"length unknown":        stream(),
		"two frames":            append(bytes.Clone(small), small...),
		"a frame and a bomb":    append(bytes.Clone(small), bomb...),
		"skippable":             {0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0x7f},
		"not zstd":              []byte("nothing of the kind"),
		"empty":                 nil,
		"promises the maximum":  {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"promises more than is": {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 4, 0, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := decompress(nil, payload, CodecZstd, 512<<10)
			require.Error(t, err)
		})
	}
	raw, err := decompress(nil, bomb, CodecZstd, 1<<20)
	require.NoError(t, err)
	require.True(t, bytes.Equal(zeros, raw))
}
