//go:build unix

package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockOpenFlags: flock needs no right to write.
const lockOpenFlags = os.O_RDONLY

// lockFile takes flock, which belongs to this one descriptor: a second descriptor is refused in the
// same process too, and closing any other descriptor of the file does not drop it, as it would a
// POSIX record lock.
func lockFile(f *os.File, mode LockMode) error {
	how := unix.LOCK_EX
	if mode == LockShared {
		how = unix.LOCK_SH
	}
	err := withFd(f, func(fd uintptr) error { return unix.Flock(int(fd), how|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = fullSync(d)
	return errors.Join(err, d.Close())
}

// IsNoSpace says whether err is a full disk or an exhausted quota.
func IsNoSpace(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, errNoSpace)
}
