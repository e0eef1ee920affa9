package vfs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// openRole opens a descriptor for a role. A log writes past the page cache where the file system
// lets it: such a descriptor waits neither for the heap's dirty pages nor for its inode lock. A
// relaxed log does not wait for the disk, and a write past the cache would: it took 40 us where one
// into it takes 2.
func openRole(path string, flags int, opts OpenOptions) (*osFile, error) {
	if opts.Role != Log {
		return plainOpen(path, flags, opts)
	}
	flags |= unix.O_DSYNC
	// The file is made without O_DIRECT, so that a refusal leaves nothing half done.
	f, err := plainOpen(path, flags, opts)
	if err != nil {
		return nil, err
	}
	direct, ok := reopenDirect(path, flags&^(os.O_CREATE|os.O_EXCL), opts)
	if !ok {
		return f, nil
	}
	if !sameFile(f.f, direct.f) {
		_ = direct.Close()
		return f, nil
	}
	_ = f.Close()
	return direct, nil
}

// reopenDirect opens path for direct I/O, if its needs are within what the log was made with.
func reopenDirect(path string, flags int, opts OpenOptions) (*osFile, bool) {
	f, err := os.OpenFile(path, flags|unix.O_DIRECT, 0)
	if err != nil {
		return nil, false
	}
	direct := directAlign(f)
	limit := AlignMaxBytes
	if opts.AlignMax != 0 {
		limit = opts.AlignMax
	}
	if direct == 0 || direct > limit {
		_ = f.Close()
		return nil, false
	}
	return &osFile{f: f, role: opts.Role, align: max(direct, blockAlign(f)), direct: true}, true
}

func sameFile(a, b *os.File) bool {
	ai, aErr := a.Stat()
	bi, bErr := b.Stat()
	return aErr == nil && bErr == nil && os.SameFile(ai, bi)
}

// directAlign is the alignment that direct I/O on f demands, 0 when f does not support it.
func directAlign(f *os.File) int {
	var st unix.Statx_t
	err := withFd(f, func(fd uintptr) error {
		return unix.Statx(int(fd), "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st)
	})
	if err != nil || st.Mask&unix.STATX_DIOALIGN == 0 {
		// Old kernels and some file systems do not say: the largest block is always right.
		return AlignMaxBytes
	}
	if st.Dio_offset_align == 0 || st.Dio_mem_align > AlignMaxBytes {
		return 0
	}
	return max(int(st.Dio_offset_align), SectorBytes)
}

// blockAlign is the physical block of the disk below f: a smaller write is a read and a write of
// the whole block inside the disk, and tears its neighbours with it. SectorBytes when unknown.
func blockAlign(f *os.File) int {
	var st unix.Stat_t
	err := withFd(f, func(fd uintptr) error { return unix.Fstat(int(fd), &st) })
	if err != nil {
		return SectorBytes
	}
	dev := fmt.Sprintf("/sys/dev/block/%d:%d/", unix.Major(st.Dev), unix.Minor(st.Dev))
	// A partition's queue is that of the disk above it.
	for _, place := range []string{"queue/", "../queue/"} {
		raw, err := os.ReadFile(dev + place + "physical_block_size")
		if err != nil {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(raw)))
		if err == nil && n >= SectorBytes && n <= AlignMaxBytes && n&(n-1) == 0 {
			return n
		}
	}
	return SectorBytes
}

// retry repeats a call that a signal interrupted before it did anything.
func retry(fn func() error) error {
	for {
		if err := fn(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func dataSync(f *os.File) error {
	return retry(func() error {
		return withFd(f, func(fd uintptr) error { return unix.Fdatasync(int(fd)) })
	})
}

func fullSync(f *os.File) error {
	return retry(func() error {
		return withFd(f, func(fd uintptr) error { return unix.Fsync(int(fd)) })
	})
}

// allocate reserves blocks; false when the file system cannot.
func allocate(f *os.File, off, n int64) (bool, error) {
	err := retry(func() error {
		return withFd(f, func(fd uintptr) error { return unix.Fallocate(int(fd), 0, off, n) })
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return false, nil
	}
	return err == nil, err
}

// punchHole frees blocks. A file system without holes keeps them: lost space, not an error.
func punchHole(f *os.File, off, n int64) error {
	err := retry(func() error {
		return withFd(f, func(fd uintptr) error {
			return unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
		})
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return err
}
