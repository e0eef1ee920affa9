package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// dirMode and fileMode keep an archive to its owner.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
	// partial ends the name of a file that is being written; what a crash has left is written over.
	partial = ".partial"
)

// Dir is a Store in a folder of the file system.
type Dir struct{ root string }

// OpenDir opens a folder. With create it is made if it is not there; the one above it must be.
func OpenDir(root string, create bool) (*Dir, error) {
	if create {
		if err := os.Mkdir(root, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", root)
	}
	return &Dir{root}, nil
}

func (d *Dir) path(name string) (string, error) {
	if !fs.ValidPath(name) || strings.HasSuffix(name, partial) {
		return "", fmt.Errorf("archive: bad name %q: %w", name, fs.ErrInvalid)
	}
	return filepath.Join(d.root, filepath.FromSlash(name)), nil
}

// Put implements Store.
func (d *Dir) Put(ctx context.Context, name string, body io.ReadSeeker, replace bool) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if err := d.makeDirs(filepath.Dir(path)); err != nil {
		return err
	}
	if _, err := os.Lstat(path); err == nil && !replace {
		return &fs.PathError{Op: "put", Path: path, Err: fs.ErrExist}
	}
	err = writeSynced(ctx, path+partial, body)
	if errors.Is(err, fs.ErrNotExist) { // the folder was empty, and is deleted
		if err = d.makeDirs(filepath.Dir(path)); err == nil {
			err = writeSynced(ctx, path+partial, body)
		}
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+partial))
	}
	if err := os.Rename(path+partial, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// makeDirs makes a folder below the root and those on the way to it, each durably.
func (d *Dir) makeDirs(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if dir != d.root {
		if err := d.makeDirs(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// readerOf ends a copy when its context does.
type readerOf struct {
	ctx context.Context //nolint:containedctx // of one call
	io.Reader
}

func (r readerOf) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

func writeSynced(ctx context.Context, path string, body io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, readerOf{ctx, body})
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Get implements Store.
func (d *Dir) Get(_ context.Context, name string) (io.ReadCloser, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// List implements Store.
func (d *Dir) List(ctx context.Context, prefix, after string) ([]string, error) {
	var names []string
	err := d.walk(ctx, prefix, func(name string, _ fs.DirEntry) error {
		if name > after {
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Sizes implements Store.
func (d *Dir) Sizes(ctx context.Context, prefix string) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := d.walk(ctx, prefix, func(name string, e fs.DirEntry) error {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		if err == nil {
			sizes[name] = info.Size()
		}
		return err
	})
	return sizes, err
}

// walk visits the objects whose names begin with prefix.
func (d *Dir) walk(ctx context.Context, prefix string, visit func(name string, e fs.DirEntry) error) error {
	from := d.root
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		from = filepath.Join(d.root, filepath.FromSlash(prefix[:i]))
	}
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && path != d.root: // or deleted meanwhile
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case e.IsDir() || strings.HasSuffix(path, partial):
			return nil
		}
		rel, err := filepath.Rel(d.root, path)
		if err != nil {
			return err
		}
		if name := filepath.ToSlash(rel); strings.HasPrefix(name, prefix) {
			return visit(name, e)
		}
		return nil
	})
}

// Delete implements Store. Folders that are empty then go, too.
func (d *Dir) Delete(ctx context.Context, names ...string) error {
	dirs := map[string]bool{}
	for _, name := range names {
		path, err := d.path(name)
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		dirs[filepath.Dir(path)] = true
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if dir != d.root {
			_ = os.Remove(dir) // refused unless it is empty
		}
	}
	return nil
}
