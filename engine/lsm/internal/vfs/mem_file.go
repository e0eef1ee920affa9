package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
)

// errMisaligned is what direct I/O answers to a wrong offset, length or buffer.
var errMisaligned = errors.New("vfs: misaligned direct I/O")

// memFile is one descriptor of a MemFS.
type memFile struct {
	fs     *MemFS
	node   *memNode
	path   string
	opts   OpenOptions
	closed atomic.Bool
}

func (f *memFile) op(kind OpKind, off, n int64) Op {
	return Op{Kind: kind, Path: f.path, Role: f.opts.Role, Off: off, Len: n}
}

func (f *memFile) fail(op OpKind, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op.String(), Path: f.path, Err: err}
}

// check refuses what direct I/O or a closed or read-only descriptor would.
func (f *memFile) check(p []byte, off int64, write bool) error {
	switch {
	case f.closed.Load():
		return fs.ErrClosed
	case write && f.opts.ReadOnly:
		return fs.ErrPermission
	case off < 0:
		return fs.ErrInvalid
	case f.opts.Role == Heap:
		return nil
	}
	align := f.Align()
	if off%int64(align) != 0 || len(p)%align != 0 || !isAligned(p, align) {
		return fmt.Errorf("%w: offset %d, length %d", errMisaligned, off, len(p))
	}
	return nil
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.check(p, off, false); err != nil {
		return 0, f.fail(OpRead, err)
	}
	m := f.fs
	m.mu.Lock()
	before := m.mu.hooks.Before
	m.mu.Unlock()
	if before != nil {
		if err := before(f.op(OpRead, off, int64(len(p)))); err != nil {
			return 0, f.fail(OpRead, err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(int64(len(p)), max(f.node.size-off, 0))
	f.node.readAt(p[:n], off)
	if n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.check(p, off, true); err != nil {
		return 0, f.fail(OpWrite, err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	op := f.op(OpWrite, off, int64(len(p)))
	err := f.fs.change(op, func(injected error) error {
		m := f.fs
		if injected == nil {
			injected = m.reserveLocked(f.node.newSectors(off, int64(len(p))))
		}
		if errors.Is(injected, errNoSpace) {
			return injected
		}
		if injected != nil {
			f.node.write(p, off, func() bool { return m.mu.rng.IntN(2) == 0 })
			return injected
		}
		f.node.write(p, off, func() bool { return true })
		if f.opts.Role == Log {
			m.duringLocked(op)
			for i := off / SectorBytes; i*SectorBytes < off+int64(len(p)); i++ {
				f.node.settle(i)
			}
		}
		return nil
	})
	if err != nil {
		return 0, f.fail(OpWrite, err)
	}
	return len(p), nil
}

// Sync implements File. A hook's error is a failed write-back: some of the pending sectors are
// lost, all count as clean, and only this call says so.
func (f *memFile) Sync() error { return f.sync(OpSync) }

// SyncFull implements File.
func (f *memFile) SyncFull() error { return f.sync(OpSyncFull) }

func (f *memFile) sync(kind OpKind) error {
	if f.closed.Load() {
		return f.fail(kind, fs.ErrClosed)
	}
	op := f.op(kind, 0, 0)
	return f.fail(kind, f.fs.change(op, func(injected error) error {
		if injected != nil {
			f.node.lose(f.fs.mu.rng)
			return injected
		}
		f.fs.duringLocked(op)
		f.node.settleAll(kind == OpSyncFull)
		return nil
	}))
}

func (f *memFile) Allocate(off, n int64) error {
	return f.resize(OpAllocate, off, n, func() error {
		if err := f.fs.reserveLocked(f.node.newSectors(off, n)); err != nil {
			return err
		}
		f.node.allocate(off, n)
		return nil
	})
}

func (f *memFile) Truncate(size int64) error {
	return f.resize(OpTruncate, size, 0, func() error {
		return f.fs.reserveLocked(-f.node.truncate(size))
	})
}

func (f *memFile) PunchHole(off, n int64) error {
	return f.resize(OpPunch, off, n, func() error {
		return f.fs.reserveLocked(-f.node.punch(off, n))
	})
}

// resize runs an operation on sizes and blocks.
func (f *memFile) resize(kind OpKind, off, n int64, fn func() error) error {
	if f.closed.Load() {
		return f.fail(kind, fs.ErrClosed)
	}
	if f.opts.ReadOnly {
		return f.fail(kind, fs.ErrPermission)
	}
	return f.fail(kind, f.fs.change(f.op(kind, off, n), func(injected error) error {
		if injected != nil {
			return injected
		}
		return fn()
	}))
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.node.size, nil
}

func (f *memFile) Align() int {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.fs.mu.align
}

func (f *memFile) Close() error {
	if f.closed.Swap(true) {
		return f.fail(OpRead, fs.ErrClosed)
	}
	return nil
}
