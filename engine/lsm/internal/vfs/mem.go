package vfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"sync"
)

// OpKind says what an Op does.
type OpKind uint8

// The kinds of operations that a hook sees.
const (
	OpWrite OpKind = iota
	OpSync
	OpSyncFull
	OpTruncate
	OpAllocate
	OpPunch
	OpCreate
	OpRename
	OpRemove
	OpSyncDir
	OpRead
)

func (k OpKind) String() string {
	names := [...]string{
		"write", "sync", "sync full", "truncate", "allocate", "punch", "create", "rename", "remove",
		"sync dir", "read",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown operation"
}

// Op is one operation on a MemFS, as its hooks see it.
type Op struct {
	// N counts the changing operations from 1; it is 0 for reads.
	N        uint64
	Kind     OpKind
	Path     string
	Role     Role
	Off, Len int64 // bytes; Off is the new size of a truncation
}

// Hooks watch and disturb a MemFS. Changing operations run one at a time, hooks included, so a hook
// that calls CrashClone sees the world stand still. A hook must not change the file system.
type Hooks struct {
	// Before runs before an operation does anything. An error is returned to the caller: a failed
	// write may have written some of its sectors, a failed sync has lost some and calls them clean.
	Before func(Op) error
	// During runs inside a write of the role Log and inside a sync, when the bytes are on their way
	// but none is known to be durable.
	During func(Op)
}

// MemFS is a file system in memory that can be crashed. Every file remembers which sectors a power
// loss would leave in which versions; names are remembered until SyncDir in the same way. All of
// its decisions come from its seed. The zero value is not usable; see NewMemFS.
type MemFS struct {
	// opMu makes changing operations, with their hooks, follow each other.
	opMu sync.Mutex
	mu   struct {
		sync.Mutex
		hooks    Hooks
		ops      uint64
		rng      *rand.Rand
		align    int
		capacity int64 // bytes; 0: unlimited
		used     int64 // bytes of allocated sectors
		names    map[string]*memNode
		durable  map[string]*memNode // after the last SyncDir of each folder
		pending  []nameOp            // since then, in order
		locks    map[*memNode]*memLock
	}
}

// nameOp is a change of names that is not durable yet. A rename is one op of two changes.
type nameOp []nameChange

type nameChange struct {
	path string
	node *memNode // nil: removed
}

type memLock struct{ shared, holders int }

// NewMemFS returns an empty file system whose log roles demand SectorBytes of alignment.
func NewMemFS(seed uint64) *MemFS {
	m := &MemFS{}
	m.mu.rng = rand.New(rand.NewPCG(seed, 0))
	m.mu.align = SectorBytes
	m.mu.names = map[string]*memNode{}
	m.mu.durable = map[string]*memNode{}
	m.mu.locks = map[*memNode]*memLock{}
	return m
}

// SetAlign sets the alignment that log roles demand.
func (m *MemFS) SetAlign(align int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.align = align
}

// SetHooks replaces the hooks.
func (m *MemFS) SetHooks(h Hooks) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.hooks = h
}

// SetCapacity bounds the allocated bytes of all files; 0 lifts the bound. What exceeds it fails
// with an error that IsNoSpace recognises.
func (m *MemFS) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.capacity = bytes
}

// Used is the number of allocated bytes of all files that have a name; holes do not count.
func (m *MemFS) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.used
}

// Ops is the number of changing operations so far.
func (m *MemFS) Ops() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.ops
}

// change runs a changing operation after its hook. fn runs under the mutex and is told the error
// that the hook wants.
func (m *MemFS) change(op Op, fn func(injected error) error) error {
	m.opMu.Lock()
	defer m.opMu.Unlock()
	m.mu.Lock()
	m.mu.ops++
	op.N = m.mu.ops
	before := m.mu.hooks.Before
	m.mu.Unlock()
	var injected error
	if before != nil {
		injected = before(op)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return fn(injected)
}

// duringLocked runs the During hook with the mutex released and the operation still alone.
func (m *MemFS) duringLocked(op Op) {
	if hook := m.mu.hooks.During; hook != nil {
		op.N = m.mu.ops
		m.mu.Unlock()
		hook(op)
		m.mu.Lock()
	}
}

// reserveLocked counts sectors that become allocated.
func (m *MemFS) reserveLocked(sectors int64) error {
	grown := m.mu.used + sectors*SectorBytes
	if sectors > 0 && m.mu.capacity > 0 && grown > m.mu.capacity {
		return errNoSpace
	}
	m.mu.used = grown
	return nil
}

// Open implements FS.
func (m *MemFS) Open(path string, opts OpenOptions) (File, error) {
	path = filepath.Clean(path)
	if !opts.Create {
		m.mu.Lock()
		defer m.mu.Unlock()
		node := m.mu.names[path]
		if node == nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return &memFile{fs: m, node: node, path: path, opts: opts}, nil
	}
	var f *memFile
	err := m.change(Op{Kind: OpCreate, Path: path, Role: opts.Role}, func(injected error) error {
		if injected != nil {
			return injected
		}
		if m.mu.names[path] != nil {
			return fs.ErrExist
		}
		node := &memNode{}
		m.renameLocked(nameOp{{path, node}})
		f = &memFile{fs: m, node: node, path: path, opts: opts}
		return nil
	})
	if err != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: err}
	}
	return f, nil
}

func (m *MemFS) renameLocked(op nameOp) {
	applyNames(m.mu.names, op)
	m.mu.pending = append(m.mu.pending, op)
}

func applyNames(names map[string]*memNode, op nameOp) {
	for _, c := range op {
		if c.node == nil {
			delete(names, c.path)
		} else {
			names[c.path] = c.node
		}
	}
}

// Rename implements FS.
func (m *MemFS) Rename(oldPath, newPath string) error {
	oldPath, newPath = filepath.Clean(oldPath), filepath.Clean(newPath)
	return m.change(Op{Kind: OpRename, Path: oldPath}, func(injected error) error {
		node := m.mu.names[oldPath]
		if injected == nil && node == nil {
			injected = fs.ErrNotExist
		}
		if injected != nil {
			return &os.LinkError{Op: "rename", Old: oldPath, New: newPath, Err: injected}
		}
		if replaced := m.mu.names[newPath]; replaced != nil && replaced != node {
			m.mu.used -= replaced.allocated() * SectorBytes
		}
		m.renameLocked(nameOp{{oldPath, nil}, {newPath, node}})
		return nil
	})
}

// Remove implements FS.
func (m *MemFS) Remove(path string) error {
	path = filepath.Clean(path)
	return m.change(Op{Kind: OpRemove, Path: path}, func(injected error) error {
		if injected == nil && m.mu.names[path] == nil {
			injected = fs.ErrNotExist
		}
		if injected != nil {
			return &fs.PathError{Op: "remove", Path: path, Err: injected}
		}
		node := m.mu.names[path]
		m.renameLocked(nameOp{{path, nil}})
		m.mu.used -= node.allocated() * SectorBytes
		return nil
	})
}

// SyncDir implements FS. A rename across folders is durable when either folder is synced.
func (m *MemFS) SyncDir(path string) error {
	dir := filepath.Dir(filepath.Clean(path))
	return m.change(Op{Kind: OpSyncDir, Path: dir}, func(injected error) error {
		if injected != nil {
			return &fs.PathError{Op: "sync", Path: dir, Err: injected}
		}
		var rest []nameOp
		for _, op := range m.mu.pending {
			if !touches(op, dir) {
				rest = append(rest, op)
				continue
			}
			applyNames(m.mu.durable, op)
		}
		m.mu.pending = rest
		return nil
	})
}

func touches(op nameOp, dir string) bool {
	for _, c := range op {
		if filepath.Dir(c.path) == dir {
			return true
		}
	}
	return false
}

// Lock implements FS.
func (m *MemFS) Lock(path string, mode LockMode) (io.Closer, error) {
	path = filepath.Clean(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	node := m.mu.names[path]
	if node == nil {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: fs.ErrNotExist}
	}
	l := m.mu.locks[node]
	if l != nil && (mode == LockExclusive || l.shared == 0) {
		return nil, &fs.PathError{Op: "lock", Path: path, Err: ErrLocked}
	}
	if l == nil {
		l = &memLock{}
		m.mu.locks[node] = l
	}
	l.holders++
	if mode == LockShared {
		l.shared++
	}
	return &memUnlocker{fs: m, node: node, mode: mode}, nil
}

type memUnlocker struct {
	fs   *MemFS
	node *memNode
	mode LockMode
	once sync.Once
}

var errClosed = errors.New("vfs: already closed")

// Close gives the lock back.
func (u *memUnlocker) Close() error {
	err := errClosed
	u.once.Do(func() {
		err = nil
		m := u.fs
		m.mu.Lock()
		defer m.mu.Unlock()
		l := m.mu.locks[u.node]
		l.holders--
		if u.mode == LockShared {
			l.shared--
		}
		if l.holders == 0 {
			delete(m.mu.locks, u.node)
		}
	})
	return err
}

// Names lists the files, sorted.
func (m *MemFS) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.mu.names))
	for name := range m.mu.names {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
