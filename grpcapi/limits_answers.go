package grpcapi

import (
	"container/list"
	"context"
	"math"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/peer"

	"github.com/keystone-db/kstone/engine/api"
)

// Limits of answers that are not taken. gRPC keeps a unary answer until the client has given room for
// it, which a client need not do, and reads further calls meanwhile. Calls of a connection whose answers
// take more than it may have wait before they are made; it goes on being read.
const (
	// AnswersMaxBytes bounds the unary answers of a connection that are made or not sent, and once more
	// the pages of its streams, which take turns when there are more. One answer may always be made,
	// whatever its size.
	AnswersMaxBytes = 64 << 20
	// AnswersTotalMaxBytes bounds those of all connections together, except that each may have
	// answersOwnBytes.
	AnswersTotalMaxBytes = 512 << 20
	// AnswerWait is how long a call waits for others to be answered, before it is refused with
	// RESOURCE_EXHAUSTED. It is shorter than MessageWait, since its message is held meanwhile.
	AnswerWait = 5 * time.Second
	// PageWait is how long a stream waits for its turn, before it begins or between two pages, while the
	// client takes no page of the others.
	PageWait = time.Minute
	// FeedsMax is how many Subscribe calls a connection may have, each of which may hold a delivery that
	// is not taken. Further ones are refused with RESOURCE_EXHAUSTED.
	FeedsMax = 256

	answersOwnBytes = 1 << 20
)

// Texts of refusals.
const (
	msgNotTaken = "Answers to other calls of this connection were not taken in time"
	msgFeeds    = "Too many Subscribe calls on one connection"
)

// reserved is the room that a call takes before the size of its answer is known, for the operations that
// answer more than an item. Answers of others can be as many as there are calls.
var reserved = map[string]int64{
	"Query": pageBytes, "Scan": pageBytes, "ExecuteStatement": pageBytes, "GetRecords": pageBytes,
	"BatchGetItem": 4 * pageBytes, "TransactGetItems": 4 * pageBytes,
	"BatchExecuteStatement": 4 * pageBytes, "ExecuteTransaction": 4 * pageBytes,
}

// pageBytes is what a page of items takes at most, about.
const pageBytes = 1 << 20

// answers bounds the answers of all connections. Who waits does so in the rooms; the mutex is of those
// only.
type answers struct {
	most, total    int64
	wait, pageWait time.Duration

	used    atomic.Int64
	waiting atomic.Int64 // calls in all rooms

	mu      sync.Mutex
	starved list.List // of *room, whose next call waits for other connections
}

func newAnswers() *answers {
	return &answers{most: AnswersMaxBytes, total: AnswersTotalMaxBytes, wait: AnswerWait, pageWait: PageWait}
}

// room is what answers of a connection take.
type room struct {
	of      *answers
	wait    time.Duration
	used    atomic.Int64 // about gone when the connection has ended
	waiting atomic.Int64
	// Under the mutex of all.
	queue   list.List // of *waiter
	starved bool
}

// gone is far from all that can be used.
const gone = math.MinInt64 / 2

type waiter struct {
	bytes int64
	turn  chan struct{} // closed when it is its turn, under the mutex
}

// take waits for room for the bytes.
func (r *room) take(ctx context.Context, bytes int64) error {
	if r.waiting.Load() == 0 && r.try(bytes) {
		return nil
	}
	return r.queueUp(ctx, bytes)
}

// try takes room that is there.
func (r *room) try(bytes int64) bool {
	for {
		used := r.used.Load()
		after := used + bytes
		if used > 0 && (after > r.of.most || after > answersOwnBytes && r.of.used.Load()+bytes > r.of.total) {
			return false
		}
		if used < gone/2 {
			return true
		}
		if r.used.CompareAndSwap(used, after) {
			r.of.used.Add(bytes)
			return true
		}
	}
}

func (r *room) queueUp(ctx context.Context, bytes int64) error {
	w := &waiter{bytes, make(chan struct{})}
	r.of.mu.Lock()
	at := r.queue.PushBack(w)
	r.waiting.Add(1)
	r.of.waiting.Add(1) // before it looks, so that who gives back meanwhile sees it
	r.wakeLocked()
	r.of.mu.Unlock()

	limit, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	select {
	case <-w.turn:
		return nil
	case <-limit.Done():
	}
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	select {
	case <-w.turn:
		return nil // it came at last
	default:
	}
	r.removeLocked(at)
	r.wakeAllLocked() // the next may want less
	if err := ctx.Err(); err != nil {
		return err
	}
	return api.Errorf(api.Throttling, msgNotTaken)
}

func (r *room) removeLocked(at *list.Element) {
	r.queue.Remove(at)
	r.waiting.Add(-1)
	r.of.waiting.Add(-1)
}

// wakeLocked lets in calls of this connection while there is room, in their order.
func (r *room) wakeLocked() {
	for at := r.queue.Front(); at != nil; at = r.queue.Front() {
		w := at.Value.(*waiter)
		if !r.try(w.bytes) {
			if !r.starved && r.used.Load()+w.bytes <= r.of.most {
				r.starved = true
				r.of.starved.PushBack(r)
			}
			return
		}
		r.removeLocked(at)
		close(w.turn)
	}
}

// change takes bytes without asking, or gives them back where they are less than 0.
func (r *room) change(bytes int64) {
	if bytes == 0 || r.used.Add(bytes) < gone/2 {
		return
	}
	r.of.used.Add(bytes)
	if bytes < 0 && r.of.waiting.Load() > 0 {
		r.wakeAll()
	}
}

// wakeAll lets in those for whom there is room, first of this connection.
func (r *room) wakeAll() {
	r.of.mu.Lock()
	defer r.of.mu.Unlock()
	r.wakeAllLocked()
}

func (r *room) wakeAllLocked() {
	r.wakeLocked()
	for at := r.of.starved.Front(); at != nil; at = r.of.starved.Front() {
		next := r.of.starved.Remove(at).(*room)
		next.starved = false
		if next.wakeLocked(); next.starved {
			return
		}
	}
}

// close gives everything back, for good.
func (r *room) close() {
	if used := r.used.Swap(gone); used > gone/2 {
		r.of.used.Add(-used)
		r.wakeAll()
	}
}

// hold is room that a call has, none in the zero value.
type hold struct {
	room  *room
	bytes int64
}

// resize changes how much it is.
func (h *hold) resize(bytes int64) {
	if h.room != nil {
		h.room.change(bytes - h.bytes)
		h.bytes = bytes
	}
}

// free gives it back.
func (h *hold) free() { h.resize(0) }

// turn lets others go first who wait, if there are any.
func (h *hold) turn(ctx context.Context) error {
	bytes := h.bytes
	if bytes == 0 || h.room.waiting.Load() == 0 {
		return nil
	}
	h.free()
	if err := h.room.take(ctx, bytes); err != nil {
		return err
	}
	h.bytes = bytes
	return nil
}

// unaryRoom waits for room for the answer of a call.
func unaryRoom(ctx context.Context, operation string) (hold, error) {
	c := connOf(ctx)
	if c == nil {
		return hold{}, nil
	}
	bytes := reserved[operation]
	return hold{&c.unary, bytes}, c.unary.take(ctx, bytes)
}

// streamRoom waits for room for a page of a stream, to be given back when it has ended, and gives the
// room where its parts belong.
func streamRoom(ctx context.Context, operation string) (page, part hold, err error) {
	c := connOf(ctx)
	if c == nil {
		return hold{}, hold{}, nil
	}
	page, part = hold{&c.streams, reserved[operation]}, hold{room: &c.streams}
	if page.bytes == 0 {
		return page, part, nil // a feed, of which there are only so many
	}
	return page, part, c.streams.take(ctx, page.bytes)
}

// enterFeed counts a Subscribe call until leave is called.
func enterFeed(ctx context.Context) (leave func(), err error) {
	c := connOf(ctx)
	if c == nil {
		return func() {}, nil
	}
	leave = func() { c.feeds.Add(-1) }
	if c.feeds.Add(1) > FeedsMax {
		leave()
		return nil, api.Errorf(api.Throttling, msgFeeds)
	}
	return leave, nil
}

// localAddr is the server's address of a connection, by which calls find the connection: of what gRPC
// lets them see of it, the one thing whose type nobody asks for.
type localAddr struct {
	net.Addr
	conn *countedConn
}

// LocalAddr is the address of the connection.
func (c *countedConn) LocalAddr() net.Addr { return localAddr{c.Conn.LocalAddr(), c} }

// connOf is the connection of a call, nil where none is counted.
func connOf(ctx context.Context) *countedConn {
	if p, ok := peer.FromContext(ctx); ok {
		if addr, ok := p.LocalAddr.(localAddr); ok {
			return addr.conn
		}
	}
	return nil
}
