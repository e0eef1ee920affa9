package vfs

import (
	"errors"
	"io"
	"math/bits"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

const (
	// windowBytes of the file are mapped at once, when they are read first, whether the file is that
	// long yet or not.
	windowBytes = 64 << 20
	// windowsMax bounds the address space of one file; what lies behind is read as ever.
	windowsMax = 16 << 10
)

// errNotMappable: this system, or this kind of file, is read with ReadAt only.
var errNotMappable = errors.New("vfs: cannot be mapped")

// Mapped reads a file through a pool of read-only mappings, which spares the system call where the
// page is in memory. What is mapped changes with the file and may vanish under a reader: nothing of it
// is handed out, all is copied, and a page that cannot be read, because the disk fails or the file was
// cut, is no crash: it is read once more with ReadAt, whose error says what is wrong.
//
// A page that is not in memory stops a whole processor of the Go scheduler until the disk has
// answered, and mapped pages count as memory of the process.
type Mapped struct {
	file File
	// mapAt maps windowBytes of the file at an offset.
	mapAt   func(off int64) ([]byte, error)
	windows []atomic.Pointer[[]byte]

	mu     sync.RWMutex // held for reading while a window is copied from
	closed bool
	faults atomic.Uint64
}

// Map prepares reads of a file through mappings; an error where that cannot be. The file stays the
// caller's, and open for longer than the result.
func Map(f File) (*Mapped, error) {
	os, ok := f.(*osFile)
	if !ok || bits.UintSize < 64 {
		return nil, errNotMappable
	}
	m := &Mapped{
		file: f, windows: make([]atomic.Pointer[[]byte], windowsMax),
		mapAt: func(off int64) ([]byte, error) { return mapWindow(os.f, off, windowBytes) },
	}
	if _, err := m.window(0); err != nil {
		return nil, err
	}
	return m, nil
}

// ReadAt is io.ReaderAt.
func (m *Mapped) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || !m.copyAll(p, off) {
		return m.file.ReadAt(p, off)
	}
	return len(p), nil
}

// copyAll fills p from the mappings; false when it could not, and p holds anything.
func (m *Mapped) copyAll(p []byte, off int64) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return false
	}
	for len(p) > 0 {
		w, err := m.window(off / windowBytes)
		if err != nil {
			return false
		}
		from := off % windowBytes
		n := min(int64(len(p)), windowBytes-from)
		if !copyMapped(p[:n], w[from:from+n]) {
			m.faults.Add(1)
			return false
		}
		p, off = p[n:], off+n
	}
	return true
}

// window returns the i-th, mapped now if it is not. mu is held, or nobody knows m yet.
func (m *Mapped) window(i int64) ([]byte, error) {
	if i >= int64(len(m.windows)) {
		return nil, errNotMappable
	}
	if w := m.windows[i].Load(); w != nil {
		return *w, nil
	}
	w, err := m.mapAt(i * windowBytes)
	if err != nil {
		return nil, err
	}
	if !m.windows[i].CompareAndSwap(nil, &w) {
		_ = unmapWindow(w) // another reader was first
		return *m.windows[i].Load(), nil
	}
	return w, nil
}

// copyMapped copies from mapped memory; false when a page of it cannot be read. Nothing else runs
// while such a fault is a panic instead of the end of the process.
func copyMapped(dst, src []byte) (ok bool) {
	before := debug.SetPanicOnFault(true)
	defer func() {
		debug.SetPanicOnFault(before)
		if ok {
			return
		}
		fault := recover()
		if _, is := fault.(interface{ Addr() uintptr }); !is {
			panic(fault) // no fault of memory
		}
	}()
	copy(dst, src)
	return true
}

// Faults is how many reads met a page that could not be read.
func (m *Mapped) Faults() uint64 { return m.faults.Load() }

// Close waits for readers and gives the mappings back; reads go on without them.
func (m *Mapped) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	var errs []error
	for i := range m.windows {
		if w := m.windows[i].Swap(nil); w != nil {
			errs = append(errs, unmapWindow(*w))
		}
	}
	return errors.Join(errs...)
}

var _ io.ReaderAt = (*Mapped)(nil)
