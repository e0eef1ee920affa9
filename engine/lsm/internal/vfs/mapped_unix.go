//go:build linux || darwin || freebsd

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapWindow maps n bytes of the file from an offset, of which some may lie behind its end.
func mapWindow(f *os.File, off int64, n int) (w []byte, err error) {
	err = withFd(f, func(fd uintptr) error {
		w, err = unix.Mmap(int(fd), off, n, unix.PROT_READ, unix.MAP_SHARED)
		return err
	})
	return w, err
}

func unmapWindow(w []byte) error { return unix.Munmap(w) }
