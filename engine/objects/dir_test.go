package objects_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/objects"
)

func bucket(t *testing.T) (*objects.Dir, string) {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(root, "b"), 0o700))
	d, err := objects.OpenDir(root, "b")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d, root
}

func put(t *testing.T, d *objects.Dir, name, text string) string {
	t.Helper()
	etag, err := d.Put(t.Context(), name, strings.NewReader(text), objects.PutOptions{})
	require.NoError(t, err, name)
	return etag
}

func get(t *testing.T, d *objects.Dir, name string, from int64) string {
	t.Helper()
	r, err := d.Get(t.Context(), name, "", from)
	require.NoError(t, err, name)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

func names(t *testing.T, d *objects.Dir, prefix string, limit int) []string {
	t.Helper()
	list, err := d.List(t.Context(), prefix, limit)
	require.NoError(t, err)
	out := []string{}
	for _, o := range list {
		out = append(out, o.Name)
	}
	return out
}

func TestPutGetList(t *testing.T) {
	d, _ := bucket(t)
	// The MD5 of "hello", as S3 would say.
	require.Equal(t, "5d41402abc4b2a76b9719d911017c592", put(t, d, "a/b/c", "hello"))
	for _, n := range []string{"a/b", "a-b", "a/z", "b", "a"} {
		if n == "a" || n == "a/b" { // folders by now
			_, err := d.Put(t.Context(), n, strings.NewReader("x"), objects.PutOptions{})
			require.Error(t, err, n)
			continue
		}
		put(t, d, n, n)
	}
	assert.Equal(t, "hello", get(t, d, "a/b/c", 0))
	assert.Equal(t, "llo", get(t, d, "a/b/c", 2))
	assert.Empty(t, get(t, d, "a/b/c", 5))
	put(t, d, "a/b/c", "other")
	assert.Equal(t, "other", get(t, d, "a/b/c", 0))
	assert.Equal(t, []string{"a-b", "a/b/c", "a/z", "b"}, names(t, d, "", 10), "by bytes: '-' is below '/'")
	assert.Equal(t, []string{"a-b", "a/b/c"}, names(t, d, "", 2))
	assert.Equal(t, []string{"a/b/c", "a/z"}, names(t, d, "a/", 10))
	assert.Equal(t, []string{"a/b/c"}, names(t, d, "a/b", 10))
	for _, none := range []string{"c", "a/b/c/", "a/b/c/d/e", "../", "/", "a//"} {
		assert.Empty(t, names(t, d, none, 10), none)
	}
	list, err := d.List(t.Context(), "a/z", 1)
	require.NoError(t, err)
	assert.Equal(t, int64(3), list[0].Size)
	_, err = d.Get(t.Context(), "a", "", 0)
	require.True(t, objects.Missing(err), "%v", err)
	_, err = d.Get(t.Context(), "none", "", 0)
	require.True(t, objects.Missing(err), "%v", err)
}

// TestNothingOutside: no name and no link leads out of the folder.
func TestNothingOutside(t *testing.T) {
	d, root := bucket(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "secret"), []byte("secret"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(root, "other"), 0o700))
	for _, name := range []string{
		"", ".", "..", "../secret", "a/../../secret", "/etc/passwd", "a//b", "a/", "./a", "a/./b", "../other/x",
		strings.Repeat("n", objects.NameMaxBytes+1), "x/.kstone-partial-1",
	} {
		_, err := d.Put(t.Context(), name, strings.NewReader("x"), objects.PutOptions{})
		require.ErrorIs(t, err, fs.ErrInvalid, name)
		_, err = d.Get(t.Context(), name, "", 0)
		require.ErrorIs(t, err, fs.ErrInvalid, name)
	}
	for _, bad := range []string{"", ".", "..", "../other", "a/b", `a\b`, "none", "/", "secret/x"} {
		_, err := objects.OpenDir(root, bad)
		require.ErrorIs(t, err, objects.ErrNoBucket, bad)
	}
	if os.Symlink(root, filepath.Join(root, "b", "up")) != nil {
		t.Skip("no symbolic links here")
	}
	require.NoError(t, os.Symlink(filepath.Join(root, "secret"), filepath.Join(root, "b", "link")))
	for _, name := range []string{"up/secret", "link"} {
		_, err := d.Get(t.Context(), name, "", 0)
		require.Error(t, err, name)
	}
	_, err := d.Put(t.Context(), "up/other/x", strings.NewReader("x"), objects.PutOptions{})
	require.Error(t, err)
	assert.Empty(t, names(t, d, "", 10), "links are no objects")
	require.NoFileExists(t, filepath.Join(root, "other", "x"))
	require.NoError(t, os.Symlink("/", filepath.Join(root, "all")))
	_, err = objects.OpenDir(root, "all")
	require.Error(t, err, "a link that leads out is no bucket")
}

// TestAPutThatFailsLeavesNothing: neither a part of the object nor the end of what was there.
func TestAPutThatFailsLeavesNothing(t *testing.T) {
	d, root := bucket(t)
	put(t, d, "a", "before")
	boom := errors.New("boom")
	_, err := d.Put(t.Context(), "a", failing{strings.NewReader("half"), boom}, objects.PutOptions{})
	require.ErrorIs(t, err, boom)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Put(ctx, "a", strings.NewReader("x"), objects.PutOptions{})
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "before", get(t, d, "a", 0))
	entries, err := os.ReadDir(filepath.Join(root, "b"))
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

// TestManyPutsOfOneName: one of them wins, whole.
func TestManyPutsOfOneName(t *testing.T) {
	d, _ := bucket(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			_, err := d.Put(t.Context(), "a", strings.NewReader(strings.Repeat(string(rune('a'+i)), 10_000)), objects.PutOptions{})
			assert.NoError(t, err)
		})
	}
	all.Wait()
	got := get(t, d, "a", 0)
	require.Equal(t, strings.Repeat(got[:1], 10_000), got)
	require.Equal(t, []string{"a"}, names(t, d, "", 10))
}

type failing struct {
	io.ReadSeeker
	err error
}

func (f failing) Read(p []byte) (int, error) {
	n, err := f.ReadSeeker.Read(p)
	if err != nil {
		return n, f.err
	}
	return n, nil
}

func TestFolders(t *testing.T) {
	root := t.TempDir()
	open := objects.Folders(root)
	_, err := open(t.Context(), "none", "")
	require.ErrorIs(t, err, objects.ErrNoBucket)
	require.NoError(t, os.Mkdir(filepath.Join(root, "there"), 0o700))
	_, err = open(t.Context(), "there", "123456789012")
	require.NoError(t, err)
}
