package compressed_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/transfer/compressed"
)

func pack(t *testing.T, kind, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if kind == "ZSTD" {
		z, err := zstd.NewWriter(&b)
		require.NoError(t, err)
		w = z
	}
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func read(kind string, in io.Reader) (string, error) {
	r, err := compressed.NewReader(kind, in)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r)
	return string(b), errors.Join(err, r.Close())
}

func TestKinds(t *testing.T) {
	text := strings.Repeat("some text ", 10_000)
	for _, kind := range []string{"GZIP", "ZSTD"} {
		packed := pack(t, kind, text)
		require.Less(t, len(packed), len(text)/10)
		got, err := read(kind, bytes.NewReader(append(packed, packed...)))
		require.NoError(t, err)
		assert.Equal(t, text+text, got, "streams one after the other are one")
		got, err = read(kind, strings.NewReader(""))
		require.NoError(t, err)
		assert.Empty(t, got)
		for _, bad := range [][]byte{packed[:len(packed)-5], []byte("plain text"), append(packed[:20:20], packed[25:]...)} {
			_, err = read(kind, bytes.NewReader(bad))
			_, ok := errors.AsType[*compressed.Error](err)
			require.True(t, ok, "%s: %v", kind, err)
		}
		boom := errors.New("boom")
		_, err = read(kind, io.MultiReader(bytes.NewReader(packed[:15]), iotest.ErrReader(boom)))
		require.ErrorIs(t, err, boom)
		_, ok := errors.AsType[*compressed.Error](err)
		require.False(t, ok, "an error of reading is not one of the object")
	}
	for _, kind := range []string{"", "NONE"} {
		got, err := read(kind, strings.NewReader(text))
		require.NoError(t, err)
		assert.Equal(t, text, got)
	}
	_, err := read("LZ4", strings.NewReader(text))
	require.Error(t, err)
}
