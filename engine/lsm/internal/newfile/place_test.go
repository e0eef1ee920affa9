package newfile

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// rivalFS is where somebody else makes the same file between the steps of this one.
type rivalFS struct {
	vfs.FS
	before func(path string)
}

func (r *rivalFS) Lock(path string, mode vfs.LockMode) (io.Closer, error) {
	if before := r.before; before != nil {
		r.before = nil
		before(path)
	}
	return r.FS.Lock(path, mode)
}

// TestARivalBeforeTheLock takes the new file for what a crash has left, and puts its own in the place:
// what is committed is the file that was written, not the other.
func TestARivalBeforeTheLock(t *testing.T) {
	mem := vfs.NewMemFS(1)
	fsys := &rivalFS{FS: mem, before: func(path string) {
		require.NoError(t, mem.Remove(path))
		f, err := mem.Open(path, vfs.OpenOptions{Role: vfs.Heap, Create: true})
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}}
	p, err := Open(fsys, "dir/x", false)
	require.NoError(t, err)
	require.Nil(t, fsys.before)
	page := make([]byte, vfs.AlignMaxBytes)
	page[0] = 1
	require.NoError(t, p.File().Allocate(0, int64(len(page))))
	_, err = p.File().WriteAt(page, 0)
	require.NoError(t, err)
	require.NoError(t, p.Commit())
	f, err := mem.Open("dir/x", vfs.OpenOptions{ReadOnly: true})
	require.NoError(t, err)
	got := make([]byte, len(page))
	_, err = f.ReadAt(got, 0)
	require.NoError(t, err)
	require.Equal(t, page, got)
	require.NoError(t, f.Close())
}
