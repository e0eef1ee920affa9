// Package target opens what a command works on: a local file or a server, both as an api.Service.
package target

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/storage"
)

// Service is an opened target; Close must be called.
type Service interface {
	api.Service
	Close() error
}

// Target says what to open: Path or Endpoint.
type Target struct {
	// Path is a database file.
	Path string
	// ReadOnly opens the file for reading: beside other readers, and without the right to write it.
	ReadOnly bool
	// Key is the encryption key of the file; nil for none.
	Key []byte
	// Endpoint is the URL of a server; then there is no Path.
	Endpoint string
	// Region and Profile say how to sign requests to the endpoint; empty means what AWS tools would
	// take.
	Region, Profile string
}

// Open opens what is there; a missing file stays missing.
func (t Target) Open(ctx context.Context) (Service, error) {
	if t.Endpoint != "" {
		return t.openServer(ctx)
	}
	info, err := os.Stat(t.Path)
	switch {
	case strings.Contains(t.Path, "://"):
		return nil, fmt.Errorf("%s is a URL and no file: give it with --endpoint", t.Path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s: make a database with kstone create", t.Path)
	case err == nil && info.IsDir():
		return nil, fmt.Errorf("%s is a folder: give the database's file, such as %s", t.Path,
			filepath.Join(t.Path, "kstone.keystone"))
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", t.Path)
	}
	return t.openFile()
}

// Create makes a database file where nothing is yet, or opens a server.
func (t Target) Create(ctx context.Context) (Service, error) {
	if t.Endpoint != "" {
		return t.openServer(ctx)
	}
	_, err := os.Lstat(t.Path)
	switch {
	case strings.Contains(t.Path, "://"):
		return nil, fmt.Errorf("%s is a URL and no file: give it with --endpoint", t.Path)
	case err == nil:
		return nil, fmt.Errorf("%s is there already: choose another path", t.Path)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("cannot make %s: %w", t.Path, err)
	}
	if dir := filepath.Dir(t.Path); !isDir(dir) {
		return nil, fmt.Errorf("folder %s does not exist: make it (mkdir -p %s)", dir, dir)
	}
	t.ReadOnly = false
	db, err := t.openFile()
	if err != nil {
		return nil, err
	}
	return db, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// cacheBytes bounds the cache of a command, which rarely reads anything twice.
const cacheBytes = 8 << 20

// damaged says what to do about a file in which something does not verify.
func damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged (%w): restore a copy, or see what kstone salvage finds in it", path, err)
}

// openFile opens a file for one command: every write is synced, and there is no time for background
// work, which a server on the file does later.
func (t Target) openFile() (Service, error) {
	path, readOnly := t.Path, t.ReadOnly
	db, err := engine.Open(path, engine.Options{
		ReadOnly: readOnly, EncryptionKey: t.Key, Sync: engine.SyncAlways, NoBackground: true, CacheBytes: cacheBytes,
	})
	if text := filekey.Explain(path, err); text != nil {
		return nil, text
	}
	switch {
	case err == nil:
		return db, nil
	case errors.Is(err, engine.ErrLocked):
		return nil, fmt.Errorf("%s is in use by another kstone: if that is a server, ask it with "+
			"--endpoint URL, else wait for it", path)
	case errors.Is(err, engine.ErrForeign):
		return nil, fmt.Errorf("%s is no database of kstone, or its head is damaged: restore a copy, or see what "+
			"kstone salvage finds in it", path)
	case errors.Is(err, storage.ErrCorrupt):
		return nil, damaged(path, err)
	case errors.Is(err, fs.ErrPermission) && readOnly:
		return nil, fmt.Errorf("cannot read %s (%w): allow this user to", path, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("cannot write %s (%w): allow this user to", path, err)
	}
	return nil, fmt.Errorf("cannot %w", err)
}
