package lsm

import (
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/keystone-db/kstone/engine/lsm/internal/spread"
)

// stripeLock guards a stripe. Gets of a stripe that is read much and seldom written do not meet in the
// word of its mutex: each announces itself in a cell that few goroutines share, and a writer looks
// through the cells. A stripe is open for that after as many gets as repay the look, and the next
// writer ends it: so writers of a stripe that is not read pay nothing.
type stripeLock struct {
	sync.RWMutex
	open atomic.Bool   // for gets that announce themselves; changes under the mutex
	gets atomic.Uint32 // with the mutex, since a writer ended it
}

// getsToOpen gets of a stripe repay a writer's look through all cells: some 25 ns.
const getsToOpen = 256

// announced are gets that run: in each cell one, with the lock that it reads under. All databases share
// them. A get that finds its cell taken takes the mutex.
var announced [spread.Cells]struct {
	lock atomic.Uintptr
	_    [56]byte
}

// name of a lock while somebody holds it: nobody else's meanwhile.
func (l *stripeLock) name() uintptr { return uintptr(unsafe.Pointer(l)) }

// Lock keeps all readers out.
func (l *stripeLock) Lock() {
	l.RWMutex.Lock()
	if l.open.Load() {
		l.shut()
	}
}

// shut lets no more gets announce themselves, and waits for those that did.
func (l *stripeLock) shut() {
	l.open.Store(false)
	for i := range announced {
		for announced[i].lock.Load() == l.name() {
			runtime.Gosched() // it holds the lock for a microsecond or so
		}
	}
	l.gets.Store(0)
}

// withMutex is the place of a get that has the mutex.
const withMutex = -1

// announce is what a get does in a cell; false if it is taken, or a writer came.
func (l *stripeLock) announce(i int) bool {
	c := &announced[i].lock
	if !c.CompareAndSwap(0, l.name()) {
		return false
	}
	if !l.open.Load() {
		c.Store(0)
		return false
	}
	return true // a writer that comes now looks for it
}

// lockGet is RLock for a get; unlockGet takes what it returns. Whoever has it must not wait for anything.
func (l *stripeLock) lockGet() int {
	if l.open.Load() {
		if i := spread.Cell(); l.announce(i) {
			return i
		}
	}
	l.RLock()
	if !l.open.Load() && l.gets.Add(1) >= getsToOpen {
		l.open.Store(true)
	}
	return withMutex
}

func (l *stripeLock) unlockGet(i int) {
	if i == withMutex {
		l.RUnlock()
		return
	}
	announced[i].lock.Store(0)
}
