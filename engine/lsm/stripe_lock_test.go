package lsm

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStripeLock: whatever readers see under the lock is whole, and nobody waits for ever. Plain fields
// let the race detector judge, too.
func TestStripeLock(t *testing.T) {
	var locks [3]struct {
		stripeLock
		a, b int
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range 300 {
				l := &locks[i%3]
				l.Lock()
				l.a++
				l.b++
				l.Unlock()
			}
		})
	}
	for range 6 {
		wg.Go(func() {
			for i := range 6000 {
				l := &locks[i/7%3]
				if i%100 == 0 {
					l.RLock()
					if l.a != l.b {
						t.Error("a reader saw a half write")
					}
					l.RUnlock()
					continue
				}
				place := l.lockGet()
				if l.a != l.b {
					t.Error("a get saw a half write")
				}
				l.unlockGet(place)
			}
		})
	}
	wg.Wait()
	for i := range locks {
		require.Equal(t, 200, locks[i].a)
	}
}

// opened is a lock whose gets announce themselves.
func opened() *stripeLock {
	l := &stripeLock{}
	for range getsToOpen {
		l.unlockGet(l.lockGet())
	}
	return l
}

// announceSomewhere, wherever no get of another test is.
func announceSomewhere(l *stripeLock) (place int) {
	for !l.announce(place) {
		place = (place + 1) % len(announced)
	}
	return place
}

// TestAWriterWaitsForAnnouncedGets, and ends it that gets announce themselves.
func TestAWriterWaitsForAnnouncedGets(t *testing.T) {
	l := opened()
	place := announceSomewhere(l)
	value, got := 0, make(chan int)
	go func() {
		l.Lock()
		value = 1
		l.Unlock()
		got <- value
	}()
	require.Zero(t, value)
	l.unlockGet(place)
	require.Equal(t, 1, <-got)
	require.False(t, l.announce(place))
	require.Equal(t, withMutex, l.lockGet())
	l.unlockGet(withMutex)
}

// TestACellHoldsOneGet.
func TestACellHoldsOneGet(t *testing.T) {
	l, other := opened(), opened()
	place := announceSomewhere(l)
	require.False(t, other.announce(place))
	require.False(t, l.announce(place))
	l.unlockGet(place)
	other.Lock()
	require.False(t, other.open.Load())
	other.Unlock()
}

func BenchmarkStripeLock(b *testing.B) {
	var l stripeLock
	n := 0
	b.Run("get", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.unlockGet(l.lockGet())
			}
		})
	})
	b.Run("RLock", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				l.RLock()
				_ = n
				l.RUnlock()
			}
		})
	})
	b.Run("Lock", func(b *testing.B) {
		for b.Loop() {
			l.Lock()
			n++
			l.Unlock()
		}
	})
	b.Run("Lock while gets announce themselves", func(b *testing.B) {
		for b.Loop() {
			l.open.Store(true)
			l.Lock()
			n++
			l.Unlock()
		}
	})
	b.Run("RWMutex.Lock", func(b *testing.B) {
		for b.Loop() {
			l.RWMutex.Lock()
			n++
			l.RWMutex.Unlock()
		}
	})
}
