package grpcapi

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/engine/api"
)

// rooms makes rooms for a bound of 4 MB each and 6 MB together.
func rooms(n int) (*answers, []*room) {
	a := newAnswers()
	a.most, a.total = 4<<20, 6<<20
	list := make([]*room, n)
	for i := range list {
		list[i] = &room{of: a, wait: a.wait}
	}
	return a, list
}

// TestRoomIsWaitedFor: for as long as it may be, in order, and until the context ends.
func TestRoomIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := rooms(1)
		require.NoError(t, r[0].take(t.Context(), 100<<20), "one answer may have any size")
		began := time.Now()
		err := r[0].take(t.Context(), 0)
		require.Equal(t, api.Throttling, api.CodeOf(err))
		require.Equal(t, AnswerWait, time.Since(began))

		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan int, 3)
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				of := t.Context()
				if i == 0 {
					of = ctx
				}
				if err := r[0].take(of, 2<<20); err != nil {
					require.ErrorIs(t, err, context.Canceled)
					return
				}
				got <- i
			})
			synctest.Wait()
		}
		cancel()
		synctest.Wait()
		require.EqualValues(t, 2, a.waiting.Load())
		r[0].change(-(100 << 20))
		all.Wait()
		require.Equal(t, 3, <-got+<-got)
		require.EqualValues(t, 4<<20, a.used.Load())
	})
}

// TestRoomOfAll: a connection waits for others when all of it is used, has always a little, and goes on
// when another has ended.
func TestRoomOfAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, r := rooms(3)
		require.NoError(t, r[0].take(t.Context(), 4<<20))
		require.NoError(t, r[1].take(t.Context(), 2<<20))
		require.NoError(t, r[2].take(t.Context(), answersOwnBytes/2))
		require.NoError(t, r[2].take(t.Context(), answersOwnBytes/2))
		admitted := make(chan error)
		go func() { admitted <- r[2].take(t.Context(), 1<<20) }()
		synctest.Wait()
		require.EqualValues(t, 1, a.waiting.Load())
		r[1].change(-(1 << 20)) // all that is over is what the third has of its own
		synctest.Wait()
		require.EqualValues(t, 1, a.waiting.Load())
		r[0].close()
		require.NoError(t, <-admitted)
		require.EqualValues(t, 3<<20, a.used.Load())
		r[0].close() // once more
		r[0].change(-(4 << 20))
		require.NoError(t, r[0].take(t.Context(), 1<<20), "nobody waits for a connection that has ended")
		require.EqualValues(t, 3<<20, a.used.Load())
	})
}

// TestRoomIsGivenBack: however calls and connections come and go, nobody is forgotten and nothing is left.
func TestRoomIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, list := rooms(4)
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(1, uint64(i)))
				for range 200 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(int(2*AnswerWait))))
					h := hold{room: list[rnd.IntN(len(list))], bytes: rnd.Int64N(3 << 20)}
					if h.room.take(ctx, h.bytes) == nil {
						h.resize(rnd.Int64N(6 << 20))
						<-time.After(time.Duration(rnd.IntN(int(time.Second)))) // meanwhile others do something
						h.free()
					}
					cancel()
				}
			})
		}
		list[0].close()
		all.Wait()
		require.Zero(t, a.used.Load())
		require.Zero(t, a.waiting.Load())
		require.Zero(t, a.starved.Len())
	})
}
