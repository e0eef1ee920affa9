package grpcapi

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/grpcapi/internal/fault"
)

// Limits of messages that are on their way in.
const (
	// InFlightBytesDefault bounds the messages of all connections together, from the moment that their
	// length is known until the answer begins; the first freeBytes of a call are not counted.
	InFlightBytesDefault = dynamowire.InFlightBytesDefault
	// MessageWait is how long a connection waits for its turn when they are used up, before it is ended.
	MessageWait = 10 * time.Second
	// MessageTimeout is how long a counted message may take for each messageStepBytes.
	MessageTimeout = time.Minute
	// WriteTimeout is how long a client may take nothing of what is sent to it, before its connection is
	// ended and what waits for it let go. One that reads but gives calls no window is not meant.
	WriteTimeout = time.Minute

	freeBytes        = 4 << 10
	messageStepBytes = 1 << 20
	// callsKept bounds the calls of a connection that have begun and are not answered. There can be more
	// than StreamsMax: those that gRPC is about to refuse.
	callsKept = 2 * StreamsMax
)

var (
	errNoRoom       = errors.New("grpcapi: no room for a message in time")
	errTooManyCalls = errors.New("grpcapi: messages for too many calls at once")
)

// Messages bounds what all connections of a server hold of messages that are not answered and of answers
// that are not taken. gRPC itself takes as many as there are calls. It is safe for concurrent use.
type Messages struct {
	budget *semaphore.Weighted
	most   int64 // a larger message is refused by gRPC
	clock  func() time.Time
	wait   time.Duration

	answers *answers
}

// NewMessages makes a bound of bytes of messages, or InFlightBytesDefault for 0; no less than the largest
// message. Answers have the bounds AnswersMaxBytes and AnswersTotalMaxBytes.
func NewMessages(bytes int64, clock func() time.Time) *Messages {
	if bytes == 0 {
		bytes = InFlightBytesDefault
	}
	return &Messages{
		budget: semaphore.NewWeighted(max(bytes, MessageMaxBytesDefault)),
		most:   MessageMaxBytesDefault, clock: clock, wait: MessageWait,
		answers: newAnswers(),
	}
}

// Option secures connections with the credentials, and counts what comes by them.
func (m *Messages) Option(security credentials.TransportCredentials) grpc.ServerOption {
	return grpc.Creds(countedCredentials{security, m})
}

type countedCredentials struct {
	credentials.TransportCredentials
	messages *Messages
}

func (c countedCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return nil, nil, err
	}
	return c.messages.count(conn), info, nil
}

func (c countedCredentials) Clone() credentials.TransportCredentials {
	return countedCredentials{c.TransportCredentials.Clone(), c.messages}
}

// countedConn follows the frames of a connection, as far as messages and answers go.
type countedConn struct {
	net.Conn
	messages *Messages
	ended    context.Context //nolint:containedctx // ends with the connection
	end      context.CancelFunc

	in, out frames
	call    uint32 // of the DATA frame that is being read
	current *message
	step    int64 // bytes until the deadline moves
	owed    []debt

	unary, streams room // of answers
	feeds          atomic.Int64

	mu sync.Mutex
	// calls are those that have begun and are not over, but for those that came as a whole at once; nil
	// for one with nothing to count yet. Data of other calls comes too late and is for nobody.
	calls    map[uint32]*message
	newest   uint32
	held     int64
	pending  int       // counted messages that are not whole
	deadline time.Time // of reading, while there are any
}

// message is what is known of the messages of one call.
type message struct {
	prefix  [prefixBytes]byte
	got     int   // of the prefix
	left    int64 // of the content
	total   int64
	asked   int64 // of the budget
	held    int64 // of it
	counted bool  // it is one of those that are pending
}

// prefixBytes are before each message: whether it is compressed, and its length.
const prefixBytes = 5

func (m *Messages) count(conn net.Conn) net.Conn {
	c := &countedConn{Conn: conn, messages: m, calls: map[uint32]*message{}}
	c.unary.of, c.unary.wait = m.answers, m.answers.wait
	c.streams.of, c.streams.wait = m.answers, m.answers.pageWait
	c.ended, c.end = context.WithCancel(context.Background())
	c.in.skip = prefaceBytes
	return c
}

// Read gives what comes next, once there is room for the messages that have begun before: what is in one
// buffer is here anyway, and a handshake must not wait.
func (c *countedConn) Read(p []byte) (int, error) {
	if len(c.owed) > 0 {
		if err := c.pay(); err != nil {
			return 0, err
		}
	}
	c.mu.Lock()
	if c.pending > 0 { // again: at the end of its handshake gRPC takes deadlines away
		_ = c.Conn.SetReadDeadline(c.deadline)
	}
	c.mu.Unlock()
	n, err := c.Conn.Read(p)
	if e := c.in.follow(p[:n], c.frameIn, c.dataIn); e != nil {
		return 0, e
	}
	return n, err
}

// Write lets go of messages whose answer begins.
func (c *countedConn) Write(p []byte) (int, error) {
	err := c.out.follow(p, func(f *frameHead) error {
		switch {
		case f.kind == frameReset || f.kind == frameHeaders && f.flags&flagEndStream != 0:
			c.forget(f.stream)
		case f.kind == frameHeaders:
			c.answered(f.stream)
		}
		return nil
	}, nil)
	if err == nil {
		err = c.Conn.SetWriteDeadline(c.messages.clock().Add(WriteTimeout))
	}
	if err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close lets go of everything.
func (c *countedConn) Close() error {
	c.end()
	err := c.Conn.Close()
	c.unary.close()
	c.streams.close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages.budget.Release(c.held)
	c.held, c.calls = 0, nil
	return err
}

// frameIn is told of each frame that comes.
func (c *countedConn) frameIn(f *frameHead) error {
	c.current = nil
	switch f.kind {
	case frameReset:
		c.forget(f.stream)
	case frameHeaders:
		return c.open(f.stream)
	case frameData:
		c.current, c.call = c.callOf(f), f.stream
	}
	return nil
}

// open begins a call.
func (c *countedConn) open(call uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if call <= c.newest || c.calls == nil {
		return nil // a second head of the same call
	}
	if len(c.calls) == callsKept {
		return errTooManyCalls
	}
	c.newest = call
	c.calls[call] = nil
	return nil
}

// callOf is what is to be counted of the call of a DATA frame, nil for nothing.
func (c *countedConn) callOf(f *frameHead) *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, known := c.calls[f.stream]
	switch {
	case !known || m != nil:
	case f.flags&flagEndStream != 0 && f.left <= freeBytes:
		delete(c.calls, f.stream) // the usual case: all of it is here
	default:
		m = new(message)
		c.calls[f.stream] = m
	}
	return m
}

// dataIn takes bytes of the messages of the current call.
func (c *countedConn) dataIn(p []byte) error {
	m := c.current
	if m == nil {
		return nil
	}
	for len(p) > 0 {
		if m.left > 0 {
			n := min(m.left, int64(len(p)))
			m.left -= n
			p = p[n:]
			c.progress(m, n)
			continue
		}
		n := copy(m.prefix[m.got:], p)
		if m.got += n; m.got == prefixBytes {
			m.got = 0
			m.left = int64(binary.BigEndian.Uint32(m.prefix[1:]))
			c.begin(m, p[:n])
		}
		p = p[n:]
	}
	return nil
}

// begin takes room for the message whose length is known now, or owes it. The call is refused where the
// connection could not get on: it would wait for room that its own messages hold, which cannot become
// whole meanwhile. end is where the prefix ends, in the buffer that gRPC gets.
func (c *countedConn) begin(m *message, end []byte) {
	if m.left > c.messages.most {
		return // gRPC refuses it and keeps nothing
	}
	m.total += prefixBytes + m.left
	want := m.total - freeBytes - m.asked
	if want <= 0 {
		return
	}
	m.asked += want
	if c.messages.budget.TryAcquire(want) {
		c.hold(debt{c.call, m, want})
		return
	}
	const lengthBytes = prefixBytes - 1
	if len(end) >= lengthBytes && c.waitsForItself() {
		binary.BigEndian.PutUint32(end[len(end)-lengthBytes:], fault.RefusedLength)
		m.asked, m.left = m.asked-want, fault.RefusedLength
		return
	}
	c.owed = append(c.owed, debt{c.call, m, want})
}

// waitsForItself says whether messages of this connection, which have room or will have it first, are not
// whole.
func (c *countedConn) waitsForItself() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending > 0 || len(c.owed) > 0
}

// debt is room that a message needs.
type debt struct {
	call  uint32
	of    *message
	bytes int64
}

// pay waits until there is room for the messages that have begun.
func (c *countedConn) pay() error {
	ctx, cancel := context.WithTimeout(c.ended, c.messages.wait)
	defer cancel()
	for _, d := range c.owed {
		if c.messages.budget.Acquire(ctx, d.bytes) != nil {
			return errNoRoom
		}
		c.hold(d)
	}
	c.owed = c.owed[:0]
	return nil
}

// hold notes the room that a message has, unless it was answered or given up meanwhile.
func (c *countedConn) hold(d debt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := d.of
	if c.calls[d.call] != m {
		c.messages.budget.Release(d.bytes)
		return
	}
	m.held += d.bytes
	c.held += d.bytes
	if m.left > 0 && !m.counted {
		m.counted = true
		if c.pending++; c.pending == 1 {
			c.extend()
		}
	}
}

// progress moves the deadline of the connection while messages come, and takes it away when all are
// there.
func (c *countedConn) progress(m *message, n int64) {
	if !m.counted {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.step -= n; m.left == 0 {
		c.wholeLocked(m)
	}
	if c.pending > 0 && c.step <= 0 {
		c.extend()
	}
}

func (c *countedConn) wholeLocked(m *message) {
	if !m.counted {
		return
	}
	m.counted = false
	if c.pending--; c.pending == 0 {
		_ = c.Conn.SetReadDeadline(time.Time{}) // a connection that is closed reads no more
	}
}

func (c *countedConn) extend() {
	c.step = messageStepBytes
	c.deadline = c.messages.clock().Add(MessageTimeout)
	_ = c.Conn.SetReadDeadline(c.deadline)
}

// answered lets go of what the messages of a call hold when its answer begins. More of them may come, as
// with reflection.
func (c *countedConn) answered(call uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if m := c.calls[call]; m != nil {
		c.releaseLocked(m)
		m.total, m.asked = 0, 0
	}
}

// forget lets go of a call that is over.
func (c *countedConn) forget(call uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.calls[call]
	delete(c.calls, call)
	if m != nil {
		c.releaseLocked(m)
	}
}

func (c *countedConn) releaseLocked(m *message) {
	c.wholeLocked(m)
	c.messages.budget.Release(m.held)
	c.held -= m.held
	m.held = 0
}
