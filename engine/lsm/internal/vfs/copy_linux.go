package vfs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// copyWays are those of Linux. Sharing blocks (FICLONERANGE) wants offsets and lengths of whole blocks,
// which extents of a database have.
func copyWays() []copyWay {
	return []copyWay{{"clone range", cloneRange}, {"copy range", copyRange}}
}

func cloneRange(dst, src *os.File, dstOff, srcOff, n int64) error {
	err := withFds(dst, src, func(dst, src uintptr) error {
		return unix.IoctlFileCloneRange(int(dst), &unix.FileCloneRange{
			Src_fd: int64(src), Src_offset: uint64(srcOff), Src_length: uint64(n), Dest_offset: uint64(dstOff),
		})
	})
	return noWay(err)
}

func copyRange(dst, src *os.File, dstOff, srcOff, n int64) error {
	for n > 0 {
		var done int
		err := retry(func() error {
			return withFds(dst, src, func(dst, src uintptr) (err error) {
				from, to := srcOff, dstOff
				done, err = unix.CopyFileRange(int(src), &from, int(dst), &to, int(n), 0)
				return err
			})
		})
		if err != nil {
			return noWay(err)
		}
		if done <= 0 {
			return errNoWay // the end of the source, or a file system that pretends
		}
		dstOff, srcOff, n = dstOff+int64(done), srcOff+int64(done), n-int64(done)
	}
	return nil
}

// noWay tells a way that these files do not have from one that failed.
func noWay(err error) error {
	for _, e := range []error{
		unix.EOPNOTSUPP, unix.ENOTTY, unix.ENOSYS, unix.EXDEV, unix.EINVAL, unix.EPERM, unix.EBADF,
	} {
		if errors.Is(err, e) {
			return errNoWay
		}
	}
	return err
}

func withFds(a, b *os.File, fn func(a, b uintptr) error) error {
	return withFd(a, func(fdA uintptr) error {
		return withFd(b, func(fdB uintptr) error { return fn(fdA, fdB) })
	})
}
