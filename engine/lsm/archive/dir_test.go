package archive

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDir(t *testing.T) {
	root := filepath.Join(t.TempDir(), "archive")
	_, err := OpenDir(root, false)
	require.ErrorIs(t, err, fs.ErrNotExist)
	d, err := OpenDir(root, true)
	require.NoError(t, err)
	ctx := t.Context()
	put := func(name, text string, replace bool) error {
		return d.Put(ctx, name, strings.NewReader(text), replace)
	}
	names, err := d.List(ctx, "a/", "")
	require.NoError(t, err)
	require.Empty(t, names)
	for _, name := range []string{"a/log/2", "a/log/1", "b/log/1"} {
		require.NoError(t, put(name, "text of "+name, false))
	}
	require.ErrorIs(t, put("a/log/1", "other", false), fs.ErrExist)
	require.NoError(t, put("a/log/2", "replaced", true))
	for name, want := range map[string]string{"a/log/1": "text of a/log/1", "a/log/2": "replaced"} {
		r, err := d.Get(ctx, name)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, errors.Join(err, r.Close()))
		assert.Equal(t, want, string(got))
	}
	_, err = d.Get(ctx, "a/log/3")
	require.ErrorIs(t, err, fs.ErrNotExist)

	// What a crash left is neither listed nor in the way.
	require.NoError(t, os.WriteFile(filepath.Join(root, "a", "log", "3"+partial), []byte("half and more"), 0o600))
	names, err = d.List(ctx, "a/log/", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"a/log/1", "a/log/2"}, names)
	names, err = d.List(ctx, "", "a/log/1")
	require.NoError(t, err)
	assert.Equal(t, []string{"a/log/2", "b/log/1"}, names)
	require.NoError(t, put("a/log/3", "whole", false))

	for _, bad := range []string{"../x", "/x", "a//b", "", "x" + partial} {
		require.ErrorIs(t, put(bad, "", true), fs.ErrInvalid)
	}
	sizes, err := d.Sizes(ctx, "a/log/")
	require.NoError(t, err)
	assert.Equal(t, map[string]int64{"a/log/1": 15, "a/log/2": 8, "a/log/3": 5}, sizes)
	require.NoError(t, put("c/base/1/done", "x", false))
	require.NoError(t, d.Delete(ctx, "a/log/2", "a/log/none", "c/base/1/done", "none/log/1"))
	names, err = d.List(ctx, "", "")
	require.NoError(t, err)
	assert.Equal(t, []string{"a/log/1", "a/log/3", "b/log/1"}, names)
	_, err = os.Stat(filepath.Join(root, "c", "base", "1"))
	require.ErrorIs(t, err, fs.ErrNotExist, "an empty folder")
	require.NoError(t, put("c/base/1/done", "x", false))
	require.ErrorIs(t, d.Delete(ctx, "../x"), fs.ErrInvalid)

	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, d.Put(ended, "a/log/4", strings.NewReader("x"), false), context.Canceled)
	_, err = d.Get(ctx, "a/log/4")
	require.ErrorIs(t, err, fs.ErrNotExist)

	_, err = OpenDir(filepath.Join(root, "no", "where"), true)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = OpenDir(filepath.Join(root, "a", "log", "1"), true)
	require.ErrorContains(t, err, "is no folder")
}
