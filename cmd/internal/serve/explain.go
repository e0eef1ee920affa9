package serve

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/keystone-db/kstone/cmd/internal/filekey"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/storage"
)

// explainListen says in one line why the server cannot listen, and the remedy.
func explainListen(host string, port uint16, flag string, err error) error {
	where := net.JoinHostPort(host, strconv.Itoa(int(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d of %s is taken: stop the program that listens there, or choose "+
			"another with %s (0 picks a free one)", port, host, flag)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to listen on %s: choose a port from 1024 up with %s", where, flag)
	}
	return fmt.Errorf("cannot listen on %s: choose an address of this machine with --host: %w", where, err)
}

// checkPath looks at what stands at the path before the engine does, for faults that deserve their
// own words. Commands have different names for the flag of the path, so the texts have none.
func checkPath(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return fmt.Errorf("%s is a folder, as the older KeystoneDB kept its databases; that format "+
			"cannot be opened: name a file, such as %s, and load the data anew",
			path, filepath.Join(path, "kstone.keystone"))
	}
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file: give another path", path)
	}
	if dir := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("folder %s does not exist: make it (mkdir -p %s), or give another path", dir, dir)
		}
	}
	return nil
}

// checkFiles looks at the files that a server will use. A file to load may be absent when it is the one
// to save to: then the server has not run before.
func checkFiles(c *Config) error {
	if !c.InMemory {
		return checkPath(c.Path)
	}
	if c.Save != "" {
		if err := checkPath(c.Save); err != nil {
			return err
		}
	}
	if c.Load == "" {
		return nil
	}
	if err := checkPath(c.Load); err != nil {
		return err
	}
	_, err := os.Stat(c.Load)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
	case c.Load == c.Save:
		c.Load = ""
	default:
		return fmt.Errorf("--load %s: there is no such file: give another, or --save with the same name to begin without it", c.Load)
	}
	return nil
}

// explainSave says in one line why the database could not be saved.
func explainSave(path string, err error) error {
	if errors.Is(err, engine.ErrLocked) {
		err = errors.New("another kstone has it open")
	}
	return fmt.Errorf("what was in memory is lost, and %s is as it was: %w", path, err)
}

// explainOpen says in one line why the database cannot be opened, and the remedy.
func explainOpen(path string, err error) error {
	if text := filekey.Explain(path, err); text != nil {
		return text
	}
	switch {
	case errors.Is(err, engine.ErrLocked):
		return fmt.Errorf("%s is in use by another kstone: stop that one, or give another path", path)
	case errors.Is(err, engine.ErrForeign):
		return fmt.Errorf("%s is no database of kstone, or its head is damaged: restore a copy, see what "+
			"kstone salvage finds in it, or give another path", path)
	case errors.Is(err, storage.ErrCorrupt):
		return fmt.Errorf("%s is damaged (%w): restore a copy, see what kstone salvage finds in it, "+
			"or give another path", path, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cannot write %s (%w): allow this user to write there, or give another path", path, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, storage.ErrFull):
		return fmt.Errorf("no space left for %s: make room, or give a path on another disk", path)
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("cannot make %s: a part of its path is a file: give another path", path)
	}
	return fmt.Errorf("cannot open %s (%w): see to that, or give another path", path, err)
}
