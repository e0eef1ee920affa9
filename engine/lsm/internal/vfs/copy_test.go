package vfs

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestCopierFallsBack takes each way out in turn: what the kernel cannot do is read and written.
func TestCopierFallsBack(t *testing.T) {
	none := copyWay{"none", func(_, _ *os.File, _, _, _ int64) error { return errNoWay }}
	half := copyWay{"half", func(dst, src *os.File, dstOff, srcOff, n int64) error {
		piece := make([]byte, n/2)
		_, err := src.ReadAt(piece, srcOff)
		require.NoError(t, err)
		_, err = dst.WriteAt(piece, dstOff)
		require.NoError(t, err)
		return errNoWay
	}}
	text := bytes.Repeat([]byte("0123456789abcde\n"), copyPieceBytes/16+4096)
	for name, ways := range map[string][]copyWay{
		"of this system": copyWays(), "none": {none}, "half": {half, none}, "plain": nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			src := osFileOf(t, filepath.Join(dir, "src"), text)
			dst := osFileOf(t, filepath.Join(dir, "dst"), nil)
			c := NewCopier(dst, src)
			c.ways = ways
			paced := 0
			c.Pace = func(_ context.Context, n int) error { paced += n; return nil }
			n := int64(len(text)) - 4096
			require.NoError(t, c.Copy(t.Context(), 8192, 4096, n))
			assert.Equal(t, n, int64(paced))
			got := make([]byte, n)
			_, err := dst.ReadAt(got, 8192)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(text[4096:], got))
		})
	}
}

func osFileOf(t *testing.T, path string, text []byte) File {
	t.Helper()
	f, err := OS().Open(path, OpenOptions{Create: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	_, err = f.WriteAt(text, 0)
	require.NoError(t, err)
	return f
}

func TestCopierTellsErrors(t *testing.T) {
	full := errors.New("no space")
	dir := t.TempDir()
	c := NewCopier(osFileOf(t, filepath.Join(dir, "dst"), nil), osFileOf(t, filepath.Join(dir, "src"), make([]byte, 4096)))
	c.ways = []copyWay{{"full", func(_, _ *os.File, _, _, _ int64) error { return full }}}
	require.ErrorIs(t, c.Copy(t.Context(), 0, 0, 4096), full)

	c.ways = nil
	require.ErrorContains(t, c.Copy(t.Context(), 0, 0, 8192), "unexpected EOF")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, c.Copy(ctx, 0, 0, 4096), context.Canceled)
}
