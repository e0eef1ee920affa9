//go:build unix

package serve

import "golang.org/x/sys/unix"

// openFilesMax is how many files and connections the process may have open.
func openFilesMax() (uint64, bool) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, false
	}
	return limit.Cur, true
}
