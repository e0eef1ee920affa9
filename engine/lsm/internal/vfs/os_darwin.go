package vfs

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// punch is fcntl.h's fpunchhole_t.
type punch struct {
	flags, reserved uint32
	offset, length  int64
}

// openRole opens a descriptor for a role. Nothing but F_FULLFSYNC empties the disk's cache here, so
// a log's write is followed by it.
func openRole(path string, flags int, opts OpenOptions) (*osFile, error) {
	f, err := plainOpen(path, flags, opts)
	if err != nil {
		return nil, err
	}
	f.syncWrites = opts.Role == Log
	return f, nil
}

// blockAlign is the block of the disks that this system runs on.
func blockAlign(*os.File) int { return AlignMaxBytes }

func dataSync(f *os.File) error { return fullSync(f) }

// fullSync is F_FULLFSYNC; a file system that refuses it (a network share) gets fsync.
func fullSync(f *os.File) error {
	return withFd(f, func(fd uintptr) error {
		_, err := unix.FcntlInt(fd, unix.F_FULLFSYNC, 0)
		if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EINVAL) {
			return unix.Fsync(int(fd))
		}
		return err
	})
}

// allocate: F_PREALLOCATE reserves but does not grow, and only from the end; zeros do both.
func allocate(*os.File, int64, int64) (bool, error) { return false, nil }

// punchHole frees blocks. A file system without holes keeps them: lost space, not an error.
func punchHole(f *os.File, off, n int64) error {
	hole := punch{offset: off, length: n}
	return withFd(f, func(fd uintptr) error {
		_, _, errno := unix.Syscall(unix.SYS_FCNTL, fd, unix.F_PUNCHHOLE, uintptr(unsafe.Pointer(&hole)))
		if errno == 0 || errno == unix.ENOTSUP || errno == unix.EINVAL {
			return nil
		}
		return errno
	})
}
