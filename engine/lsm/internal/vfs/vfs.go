// Package vfs is the file system as a one-file database sees it: few calls, each with a stated
// durability, so that the same engine runs on a disk and on a memory file system that is crashed
// at every write.
//
// A database file is opened through several descriptors, one a role. The roles differ in what a
// finished WriteAt means:
//
//   - Heap: buffered. The bytes survive a power loss only after Sync.
//   - Log: durable when WriteAt returns, and only this write; other descriptors' dirty pages are
//     neither waited for nor written. O_DIRECT|O_DSYNC where the file system accepts it, O_DSYNC
//     otherwise. Offsets and lengths are multiples of Align, buffers come from AlignedBuffer.
//   - RelaxedLog: buffered, durable only after Sync; for the sync modes interval and off. Offsets
//     and lengths are as those of Log.
//
// Sync makes written bytes durable, not a change of the file's size: that takes SyncFull. A new
// name, a rename or a removal is durable only after SyncDir of its folder.
//
// After a failed Sync, or a failed WriteAt of the role Log, nothing is known about the bytes that
// it covered, and a later success proves nothing about them: callers poison, they never retry.
package vfs

import (
	"errors"
	"io"
)

// Role says what a descriptor is for.
type Role uint8

const (
	// Heap is buffered; durable after Sync.
	Heap Role = iota
	// Log is durable at the return of each WriteAt.
	Log
	// RelaxedLog is buffered as Heap and aligned as Log; durable after Sync.
	RelaxedLog
)

func (r Role) String() string {
	switch r {
	case Heap:
		return "heap"
	case Log:
		return "log"
	case RelaxedLog:
		return "relaxed log"
	}
	return "unknown role"
}

const (
	// SectorBytes is the unit that a disk writes whole: the smallest alignment.
	SectorBytes = 512
	// AlignMaxBytes is the largest alignment that a log is written with. Every AlignedBuffer
	// begins at a multiple of it in memory.
	AlignMaxBytes = 4096
)

// ErrLocked: another opener, of this process or another, holds the file.
var ErrLocked = errors.New("the file is in use by another process or by this one")

// errNoSpace is what a MemFS reports when its capacity is used up.
var errNoSpace = errors.New("vfs: no space left")

// OpenOptions say how a file is opened. The zero value opens an existing file as a heap.
type OpenOptions struct {
	Role Role
	// Create makes a new file and fails with fs.ErrExist when the name is taken.
	Create bool
	// ReadOnly opens without the right to write.
	ReadOnly bool
	// AlignMax is the alignment in bytes that the file's log was made with, 0 for a new one. Where
	// direct I/O would need more, the descriptor does without it.
	AlignMax int
}

// LockMode says who else may hold a lock.
type LockMode uint8

const (
	// LockExclusive admits nobody else.
	LockExclusive LockMode = iota
	// LockShared admits other shared holders: read-only opens.
	LockShared
)

// FS opens and names files. Paths are in the form of the operating system. Errors wrap the
// system's, so that errors.Is with fs.ErrExist, fs.ErrNotExist and fs.ErrPermission works.
type FS interface {
	// Open opens or creates a file in a role.
	Open(path string, opts OpenOptions) (File, error)
	// Lock takes the file's lock without waiting; a *fs.PathError of ErrLocked when somebody holds it. The file must
	// exist. Closing the result gives the lock back.
	Lock(path string, mode LockMode) (io.Closer, error)
	// Rename replaces newPath atomically; durable after SyncDir.
	Rename(oldPath, newPath string) error
	// Remove unlinks a file; durable after SyncDir.
	Remove(path string) error
	// SyncDir makes the names in the folder that holds path durable.
	SyncDir(path string) error
}

// File is one descriptor. ReadAt and WriteAt may be called concurrently.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Sync makes everything written to the file durable, whichever descriptor wrote it, and
	// reports each lost write once. Size changes may need SyncFull.
	Sync() error
	// SyncFull is Sync and the file's size and allocation.
	SyncFull() error
	// Allocate reserves blocks for [off, off+n) and grows the file to hold them. What was there
	// stays; new bytes read as zeros. Neither is durable before SyncFull. Where the file system
	// cannot reserve, zeros are written beyond the old end.
	Allocate(off, n int64) error
	// Truncate sets the size in bytes; durable after SyncFull.
	Truncate(size int64) error
	// PunchHole gives the blocks of [off, off+n) back. Afterwards the range reads as zeros, or
	// unchanged where holes are not supported: never read a hole as data.
	PunchHole(off, n int64) error
	// Size in bytes.
	Size() (int64, error)
	// Align is the alignment in bytes of offsets and lengths that keeps a torn write inside its
	// own blocks: a power of two from SectorBytes to AlignMaxBytes. Log roles demand it.
	Align() int
}
