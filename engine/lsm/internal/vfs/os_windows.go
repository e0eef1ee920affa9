package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOpenFlags: a lock needs no right to write.
const lockOpenFlags = os.O_RDONLY

// lockOffset is where the lock lies: far behind every byte of the file, because locked bytes cannot
// be read through other descriptors here.
const lockOffset = 1 << 62

// openRole opens a descriptor for a role; a log's write is followed by a flush.
func openRole(path string, flags int, opts OpenOptions) (*osFile, error) {
	f, err := plainOpen(path, flags, opts)
	if err != nil {
		return nil, err
	}
	f.syncWrites = opts.Role == Log
	return f, nil
}

func blockAlign(*os.File) int { return AlignMaxBytes }

func dataSync(f *os.File) error { return f.Sync() }

func fullSync(f *os.File) error { return f.Sync() }

// allocate: zeros reserve and grow.
func allocate(*os.File, int64, int64) (bool, error) { return false, nil }

// punchHole keeps the blocks: files are not sparse unless they are made so.
func punchHole(*os.File, int64, int64) error { return nil }

// syncDir: names are durable with the file's own flush; folders cannot be flushed here.
func syncDir(string) error { return nil }

func lockFile(f *os.File, mode LockMode) error {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if mode == LockExclusive {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	place := windows.Overlapped{OffsetHigh: lockOffset >> 32}
	err := withFd(f, func(fd uintptr) error {
		return windows.LockFileEx(windows.Handle(fd), flags, 0, 1, 0, &place)
	})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return err
}

// IsNoSpace says whether err is a full disk or an exhausted quota.
func IsNoSpace(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) ||
		errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED) || errors.Is(err, errNoSpace)
}
