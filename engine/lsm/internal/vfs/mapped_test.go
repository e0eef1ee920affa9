package vfs

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// mappedFile holds size random bytes in some windows.
func mappedFile(t *testing.T, size int) (path string, m *Mapped, want []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "f")
	want = make([]byte, size)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range want {
		want[i] = byte(r.Uint32())
	}
	require.NoError(t, os.WriteFile(path, want, 0o600))
	f, err := OS().Open(path, OpenOptions{ReadOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	m, err = Map(f)
	if err == errNotMappable { //nolint:errorlint // ours
		t.Skip("no mappings here")
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return path, m, want
}

func TestMappedReadsAreReads(t *testing.T) {
	path, m, want := mappedFile(t, 1<<20+77)
	check := func(off, n int) {
		t.Helper()
		plain, mapped := make([]byte, n), make([]byte, n)
		f, err := os.Open(path)
		require.NoError(t, err)
		wantN, wantErr := f.ReadAt(plain, int64(off))
		require.NoError(t, f.Close())
		gotN, gotErr := m.ReadAt(mapped, int64(off))
		require.Equal(t, wantErr, gotErr)
		require.Equal(t, wantN, gotN)
		require.True(t, bytes.Equal(plain[:wantN], mapped[:gotN]))
	}
	check(0, 1)
	check(5000, 8192)
	check(len(want)-10, 10)
	check(0, len(want))
	check(len(want)+(1<<20), 10) // no page there
	_, err := m.ReadAt(make([]byte, 1), -1)
	require.Error(t, err)
	n, err := m.ReadAt(make([]byte, 10), windowBytes*windowsMax)
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
}

// TestMappedSeesWhatIsWritten behind the old end and in another window.
func TestMappedSeesWhatIsWritten(t *testing.T) {
	path, m, _ := mappedFile(t, 100)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	at := int64(windowBytes) - 5
	_, err = f.WriteAt([]byte("0123456789"), at)
	require.NoError(t, err)
	got := make([]byte, 10)
	_, err = m.ReadAt(got, at)
	require.NoError(t, err)
	require.Equal(t, "0123456789", string(got))
	require.Zero(t, m.Faults())
}

// TestAFaultIsAnError: the file is cut under the mappings, and grows again.
func TestAFaultIsAnError(t *testing.T) {
	path, m, want := mappedFile(t, 1<<20)
	got := make([]byte, 8192)
	_, err := m.ReadAt(got, 1<<19)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 4096))
	n, err := m.ReadAt(got, 1<<19)
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, uint64(1), m.Faults())
	n, err = m.ReadAt(got, 0)
	require.Equal(t, 4096, n)
	require.ErrorIs(t, err, io.EOF)
	require.True(t, bytes.Equal(want[:n], got[:n]))
	require.NoError(t, os.WriteFile(path, want, 0o600))
	_, err = m.ReadAt(got, 1<<19)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want[1<<19:1<<19+8192], got))
}

func TestMappedReadersAndClose(t *testing.T) {
	_, m, want := mappedFile(t, 1<<20)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			p := make([]byte, 5000)
			for range 300 {
				off := r.IntN(len(want) - len(p))
				if _, err := m.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
					t.Error("read something else", err)
				}
			}
		})
	}
	require.NoError(t, m.Close())
	wg.Wait()
}

func TestOnlyFilesOfTheSystemAreMapped(t *testing.T) {
	f, err := NewMemFS(1).Open("dir/x", OpenOptions{Create: true})
	require.NoError(t, err)
	_, err = Map(f)
	require.ErrorIs(t, err, errNotMappable)
}
