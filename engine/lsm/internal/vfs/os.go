package vfs

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// newFileMode keeps a database to its owner.
	newFileMode = 0o600
	// zeroPieceBytes is how much is written at once where zeros stand in for an allocation.
	zeroPieceBytes = 1 << 20
)

// osFS is the file system of the operating system.
type osFS struct{}

// OS returns the file system of the operating system.
func OS() FS { return osFS{} }

// Same says whether two paths of the operating system lead to one file.
func Same(a, b string) bool {
	one, errOne := os.Stat(a)
	two, errTwo := os.Stat(b)
	return errOne == nil && errTwo == nil && os.SameFile(one, two)
}

func (osFS) Open(path string, opts OpenOptions) (File, error) {
	flags := os.O_RDWR
	if opts.ReadOnly {
		flags = os.O_RDONLY
	}
	if opts.Create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	f, err := openRole(path, flags, opts)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// plainOpen opens a buffered descriptor.
func plainOpen(path string, flags int, opts OpenOptions) (*osFile, error) {
	f, err := os.OpenFile(path, flags, newFileMode)
	if err != nil {
		return nil, err
	}
	return &osFile{f: f, role: opts.Role, align: blockAlign(f)}, nil
}

func (osFS) Rename(oldPath, newPath string) error { return os.Rename(oldPath, newPath) }

func (osFS) Remove(path string) error { return os.Remove(path) }

func (osFS) SyncDir(path string) error { return syncDir(filepath.Dir(path)) }

func (osFS) Lock(path string, mode LockMode) (io.Closer, error) {
	f, err := os.OpenFile(path, lockOpenFlags, 0)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, mode); err != nil {
		_ = f.Close()
		return nil, &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	return f, nil
}

// osFile is a descriptor of the operating system.
type osFile struct {
	f     *os.File
	role  Role
	align int
	// direct: the descriptor demands aligned buffers, offsets and lengths.
	direct bool
	// syncWrites: the descriptor itself cannot make each write durable, so WriteAt does.
	syncWrites bool
}

func (f *osFile) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	if err == nil && f.syncWrites {
		err = dataSync(f.f)
	}
	return n, err
}

func (f *osFile) Close() error { return f.f.Close() }

func (f *osFile) Sync() error { return wrapPath("sync", f.f, dataSync(f.f)) }

func (f *osFile) SyncFull() error { return wrapPath("sync", f.f, fullSync(f.f)) }

func (f *osFile) Truncate(size int64) error { return f.f.Truncate(size) }

func (f *osFile) PunchHole(off, n int64) error {
	return wrapPath("punch hole", f.f, punchHole(f.f, off, n))
}

func (f *osFile) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *osFile) Align() int { return f.align }

func (f *osFile) Allocate(off, n int64) error {
	done, err := allocate(f.f, off, n)
	if err != nil {
		return wrapPath("allocate", f.f, err)
	}
	if done {
		return nil
	}
	return f.growWithZeros(off + n)
}

// growWithZeros writes zeros from the old end of the file to size. Bytes that exist stay.
func (f *osFile) growWithZeros(size int64) error {
	at, err := f.Size()
	if err != nil {
		return err
	}
	zeros := AlignedBuffer(zeroPieceBytes)
	for at < size {
		n := min(int64(len(zeros)), size-at)
		if _, err := f.f.WriteAt(zeros[:n], at); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// wrapPath says on which file an operation failed.
func wrapPath(op string, f *os.File, err error) error {
	if err == nil {
		return nil
	}
	return &os.PathError{Op: op, Path: f.Name(), Err: err}
}

// withFd runs fn on the raw descriptor, which stays open meanwhile.
func withFd(f *os.File, fn func(fd uintptr) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var fnErr error
	if err := conn.Control(func(fd uintptr) { fnErr = fn(fd) }); err != nil {
		return err
	}
	return fnErr
}
