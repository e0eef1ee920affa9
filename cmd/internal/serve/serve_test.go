package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/storage"
)

func TestListenLocalhostSharesOnePort(t *testing.T) {
	listeners, err := listen(t.Context(), HostDefault, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, closeAll(listeners)) }()
	require.NotEmpty(t, listeners)
	for _, l := range listeners {
		assert.Equal(t, portOf(listeners[0]), portOf(l))
		assert.True(t, l.Addr().(*net.TCPAddr).IP.IsLoopback())
	}
	_, err = listen(t.Context(), HostDefault, uint16(portOf(listeners[0])))
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

// TestReadiness: /readyz asks the database, /healthz only the process.
func TestReadiness(t *testing.T) {
	db, err := engine.Open("", engine.Options{InMemory: true})
	require.NoError(t, err)
	server, err := newServer(Config{}, db, nil, zerolog.Nop())
	require.NoError(t, err)
	status := func(path string) int {
		w := httptest.NewRecorder()
		server.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	assert.Equal(t, http.StatusOK, status("/readyz"))
	require.NoError(t, db.Close())
	assert.Equal(t, http.StatusServiceUnavailable, status("/readyz"))
	assert.Equal(t, http.StatusOK, status("/healthz"))
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true,
		"0.0.0.0": false, "::": false, "192.0.2.1": false, "": false, "example.test": false,
	} {
		assert.Equal(t, want, isLoopback(host), host)
	}
}

// TestExplainOpen names the remedy of each fault; those that scripts meet as well are here too,
// since not every machine can be made read-only or full (root writes everywhere).
func TestExplainOpen(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{engine.ErrLocked, "in use by another kstone"},
		{engine.ErrForeign, "no database of kstone"},
		{fmt.Errorf("superblock: %w", storage.ErrCorrupt), "damaged"},
		{&fs.PathError{Op: "open", Path: "p", Err: syscall.EACCES}, "cannot write p"},
		{syscall.EROFS, "cannot write p"},
		{syscall.ENOSPC, "no space left"},
		{syscall.ENOTDIR, "a part of its path is a file"},
		{errors.New("odd"), "cannot open p (open: odd): see to that, or give another path"},
	} {
		got := explainOpen("p", fmt.Errorf("open: %w", tt.err))
		require.ErrorContains(t, got, tt.want)
		assert.NotContains(t, got.Error(), "\n")
		assert.NotContains(t, got.Error(), "--db", "kstone-server has --db-path")
	}
	for _, path := range []string{t.TempDir(), "/dev/null", filepath.Join(t.TempDir(), "none", "x")} {
		if err := checkPath(path); err != nil {
			assert.NotContains(t, err.Error(), "--db")
		}
	}
	require.Error(t, checkPath(t.TempDir()))
}

func TestExplainListen(t *testing.T) {
	require.ErrorContains(t, explainListen("localhost", 80, "--port", syscall.EACCES), "no permission to listen on localhost:80")
	require.ErrorContains(t, explainListen("localhost", 80, "--port", syscall.EADDRINUSE), "port 80 of localhost is taken")
	require.ErrorContains(t, explainListen("localhost", 80, "--port", syscall.EADDRNOTAVAIL), "choose an address of this machine")
}

func TestWritePortFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "port")
	require.NoError(t, os.WriteFile(path, []byte("an old, longer text"), 0o600))
	require.NoError(t, writePortFile("--port-file", path, 8000))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "8000\n", string(text))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file stays")
	require.ErrorContains(t, writePortFile("--port-file", filepath.Join(dir, "none", "port"), 1), "cannot write --port-file")
}
