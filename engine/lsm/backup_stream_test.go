package lsm

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/lsm/internal/newfile"
	"github.com/keystone-db/kstone/engine/lsm/internal/vfs"
)

// TestABackupByStream makes the same database as one to a file; what is cut off, changed or ended by the
// sender on the way makes none.
func TestABackupByStream(t *testing.T) {
	fsys := vfs.NewMemFS(1)
	db := faultDB(t, fsys)
	want := fillFor(t, db)
	var stream bytes.Buffer
	sent, err := db.BackupTo(t.Context(), &stream, BackupOptions{})
	require.NoError(t, err)
	there := vfs.NewMemFS(2)
	receive := func(r io.Reader) (CopyInfo, error) {
		return ReceiveBackup(t.Context(), copyPath, r, RestoreOptions{FS: there})
	}
	whole := stream.Bytes()
	for _, n := range []int{0, 7, 8, 20, len(whole) / 3, len(whole) - 1} {
		_, err := receive(bytes.NewReader(whole[:n]))
		require.Error(t, err, "%d bytes", n)
	}
	for at := 0; at < len(whole); at += len(whole)/40 + 1 {
		whole[at] ^= 4
		_, err := receive(bytes.NewReader(whole))
		require.Error(t, err, "byte %d", at)
		whole[at] ^= 4
	}
	var failed bytes.Buffer
	newfile.NewStream(&failed).Fail(errors.New("the disk of the sender is damaged"))
	_, err = receive(&failed)
	require.ErrorContains(t, err, "the disk of the sender is damaged")
	require.Empty(t, there.Names())

	got, err := receive(bytes.NewReader(whole))
	require.NoError(t, err)
	require.Equal(t, sent, got)
	state, err := readAll(openCopyAt(t, there, copyPath))
	require.NoError(t, err)
	require.Equal(t, want, state)
	_, err = receive(bytes.NewReader(whole))
	require.ErrorIs(t, err, newfile.ErrExists)
	_, err = db.BackupTo(t.Context(), &stream, BackupOptions{Base: copyPath})
	require.Error(t, err)
	_, err = db.BackupTo(t.Context(), brokenWriter{}, BackupOptions{})
	require.ErrorIs(t, err, errInjected)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errInjected }
