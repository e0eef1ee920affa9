//go:build unix && !linux && !darwin

package vfs

import (
	"os"

	"golang.org/x/sys/unix"
)

// openRole opens a descriptor for a role; a log's write is followed by a sync.
func openRole(path string, flags int, opts OpenOptions) (*osFile, error) {
	f, err := plainOpen(path, flags, opts)
	if err != nil {
		return nil, err
	}
	f.syncWrites = opts.Role == Log
	return f, nil
}

func blockAlign(*os.File) int { return AlignMaxBytes }

func dataSync(f *os.File) error { return fullSync(f) }

func fullSync(f *os.File) error {
	return withFd(f, func(fd uintptr) error { return unix.Fsync(int(fd)) })
}

// allocate: zeros reserve and grow.
func allocate(*os.File, int64, int64) (bool, error) { return false, nil }

// punchHole keeps the blocks: lost space, not an error.
func punchHole(*os.File, int64, int64) error { return nil }
