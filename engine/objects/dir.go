package objects

import (
	"context"
	"crypto/md5" //nolint:gosec // what S3 has for an entity tag, not a safeguard
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
)

// Objects are their owner's alone.
const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
	// partial stands in the names of files that are being written; they are no objects. A crash leaves them.
	partial = ".kstone-partial-"
)

// Dir is a bucket that is a folder. Nothing outside the folder is read or written, whatever names and
// symbolic links say: the system resolves all names below it.
type Dir struct {
	root *os.Root
	// parts numbers the files that are being written.
	parts atomic.Uint64
}

// OpenDir opens the folder that is a bucket below root. A folder that is not there is ErrNoBucket: nothing is
// made, as S3 makes no buckets by itself.
func OpenDir(root, bucket string) (*Dir, error) {
	if bucket == "" || strings.ContainsAny(bucket, `/\`) || !filepath.IsLocal(bucket) || bucket == "." {
		return nil, fmt.Errorf("%w: %q", ErrNoBucket, bucket)
	}
	above, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	r, err := above.OpenRoot(bucket)
	if err = errors.Join(err, above.Close()); err != nil {
		return nil, bucketError(bucket, err)
	}
	return &Dir{root: r}, nil
}

// bucketError is ErrNoBucket for what is no folder and ErrDenied for what the system forbids.
func bucketError(bucket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s", ErrNoBucket, bucket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// Folders opens buckets as folders of one.
func Folders(root string) Open {
	return func(_ context.Context, bucket, _ string) (Store, error) {
		d, err := OpenDir(root, bucket)
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

// Close lets the folder go. Stores that Folders opens need no Close: the folder is let go of with the value.
func (d *Dir) Close() error { return d.root.Close() }

// local turns a name into a path below the folder.
func local(name string) (string, error) {
	p := filepath.FromSlash(name)
	if len(name) > NameMaxBytes || !fs.ValidPath(name) || name == "." || !filepath.IsLocal(p) ||
		strings.Contains(path.Base(name), partial) || filepath.ToSlash(p) != name {
		return "", fmt.Errorf("objects: name %q: %w", name, fs.ErrInvalid)
	}
	return p, nil
}

// Put implements Store. The entity tag is the MD5 of the content, as S3 has it.
func (d *Dir) Put(ctx context.Context, name string, body io.ReadSeeker, _ PutOptions) (string, error) {
	p, err := local(name)
	if err != nil {
		return "", err
	}
	if err := d.makeDirs(filepath.Dir(p)); err != nil {
		return "", denied(err)
	}
	sum := md5.New() //nolint:gosec // see the import
	part, err := d.write(ctx, p, io.TeeReader(readerOf{ctx, body}, sum))
	if err == nil {
		err = d.root.Rename(part, p)
	}
	if err != nil {
		if part != "" {
			err = errors.Join(err, d.root.Remove(part))
		}
		return "", denied(err)
	}
	return etag(sum), d.sync(filepath.Dir(p))
}

func etag(sum hash.Hash) string { return hex.EncodeToString(sum.Sum(nil)) }

func denied(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: %w", ErrDenied, err)
	}
	return err
}

// write makes a file beside p of all that is read, and returns its name as soon as there is one.
func (d *Dir) write(ctx context.Context, p string, body io.Reader) (part string, err error) {
	var f *os.File
	for f == nil {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		name := filepath.Join(filepath.Dir(p), partial+strconv.FormatUint(d.parts.Add(1), 16))
		f, err = d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
		if err != nil && !errors.Is(err, fs.ErrExist) { // what is there is another's or a crash's
			return "", err
		}
		part = name
	}
	_, err = io.Copy(f, body)
	if err == nil {
		err = f.Sync()
	}
	return part, errors.Join(err, f.Close())
}

// makeDirs makes a folder below the root and those on the way to it, each durably.
func (d *Dir) makeDirs(dir string) error {
	if info, err := d.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := d.makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := d.root.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.sync(filepath.Dir(dir))
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

// Get implements Store.
func (d *Dir) Get(_ context.Context, name, version string, from int64) (io.ReadCloser, error) {
	p, err := local(name)
	if err != nil {
		return nil, err
	}
	f, err := d.root.Open(p)
	if err != nil {
		return nil, denied(err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = fmt.Errorf("objects: %s: %w", name, fs.ErrNotExist)
	case version != "" && version != versionOf(info):
		err = fmt.Errorf("%w: %s", ErrChanged, name)
	default:
		_, err = f.Seek(from, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func versionOf(info fs.FileInfo) string { return strconv.FormatInt(info.ModTime().UnixNano(), 16) }

// List implements Store. What is no regular file is no object.
func (d *Dir) List(ctx context.Context, prefix string, limit int) ([]Info, error) {
	// Names below one folder need not be next to each other in the order of bytes ("a-b" stands between "a"
	// and "a/b"), so all are found before they are sorted.
	from := path.Dir(prefix + "x")
	if !fs.ValidPath(from) {
		return nil, nil
	}
	switch info, err := d.root.Stat(filepath.FromSlash(from)); {
	case errors.Is(err, fs.ErrPermission):
		return nil, denied(err)
	case err != nil || !info.IsDir():
		return nil, nil // no name begins so
	}
	var found []Info
	err := fs.WalkDir(d.root.FS(), from, func(p string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // gone meanwhile
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case e.IsDir() && !strings.HasPrefix(p+"/", prefix) && !strings.HasPrefix(prefix, p+"/") && p != ".":
			return fs.SkipDir
		case !e.Type().IsRegular() || !strings.HasPrefix(p, prefix) || strings.Contains(path.Base(p), partial):
			return nil
		}
		info, err := e.Info()
		if err != nil {
			return nil //nolint:nilerr // gone meanwhile
		}
		found = append(found, Info{Name: p, Size: info.Size(), Version: versionOf(info)})
		return nil
	})
	if err != nil {
		return nil, denied(err)
	}
	slices.SortFunc(found, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return found[:min(len(found), limit)], nil
}
