package grpcapi

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/keystone-db/kstone/grpcapi/internal/fault"
)

// TestFramesAreFollowed: whatever pieces they come in, heads and the content of DATA frames without
// padding are told.
func TestFramesAreFollowed(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var wire bytes.Buffer
		wire.WriteString(http2.ClientPreface)
		w := http2.NewFramer(&wire, nil)
		var kinds []byte
		var want []byte
		for range 1 + rnd.IntN(10) {
			content := make([]byte, rnd.IntN(40))
			for i := range content {
				content[i] = byte(rnd.Uint32())
			}
			kind := http2.FrameData
			switch rnd.IntN(4) {
			case 0:
				require.NoError(t, w.WriteData(1, false, content))
				want = append(want, content...)
			case 1:
				require.NoError(t, w.WriteDataPadded(1, false, content, make([]byte, rnd.IntN(20))))
				want = append(want, content...)
			case 2:
				kind = http2.FrameHeaders
				require.NoError(t, w.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: content}))
			case 3:
				kind = http2.FrameSettings
				require.NoError(t, w.WriteSettings())
			}
			kinds = append(kinds, byte(kind))
		}
		f := frames{skip: prefaceBytes}
		var seen, got []byte
		for left := wire.Bytes(); len(left) > 0; {
			n := 1 + rnd.IntN(len(left))
			require.NoError(t, f.follow(left[:n], func(h *frameHead) error {
				seen = append(seen, h.kind)
				return nil
			}, func(p []byte) error {
				got = append(got, p...)
				return nil
			}))
			left = left[n:]
		}
		require.Equal(t, kinds, seen)
		require.Equal(t, want, got)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x00\x00\x03\x00\x08\x00\x00\x00\x01\x09ab"))
	f.Add([]byte("\x00\x00\x00\x00\x09\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		var at frames
		content := 0
		for _, b := range wire {
			_ = at.follow([]byte{b}, func(*frameHead) error { return nil }, func(p []byte) error {
				content += len(p)
				return nil
			})
		}
		require.LessOrEqual(t, content, len(wire))
		require.GreaterOrEqual(t, at.at.left, 0)
	})
}

// peerOf is the other end of a counted connection, which is read all the time.
type peerOf struct {
	t    *testing.T
	wire net.Conn
	to   *http2.Framer
	c    *countedConn
	got  chan error // each Read that returned
	last []byte     // what the last one gave
	// newest is the last call that was begun.
	newest uint32
}

func counted(t *testing.T, m *Messages) *peerOf {
	t.Helper()
	near, far := net.Pipe()
	p := &peerOf{t: t, wire: far, to: http2.NewFramer(far, nil), c: m.count(near).(*countedConn), got: make(chan error, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			b := make([]byte, 1000)
			n, err := p.c.Read(b)
			p.last = b[:n]
			p.got <- err
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.c.Close()
		<-done
	})
	_, err := far.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	require.NoError(t, <-p.got)
	return p
}

// begin sends the first bytes of a message, at once with the head of its call if that is a new one, and
// returns without waiting for their being read.
func (p *peerOf) begin(call uint32, length uint32) {
	p.t.Helper()
	var both bytes.Buffer
	f := http2.NewFramer(&both, nil)
	if call > p.newest {
		p.newest = call
		require.NoError(p.t, f.WriteHeaders(http2.HeadersFrameParam{StreamID: call, BlockFragment: []byte{0x88}}))
	}
	require.NoError(p.t, f.WriteData(call, false, binary.BigEndian.AppendUint32([]byte{0}, length)))
	_, err := p.wire.Write(both.Bytes())
	require.NoError(p.t, err)
}

func testMessages() *Messages {
	return NewMessages(1, func() time.Time { return time.Now().Add(time.Hour) }) //nolint:clock // a deadline that is never met
}

func (m *Messages) free() bool {
	if !m.budget.TryAcquire(m.most) {
		return false
	}
	m.budget.Release(m.most)
	return true
}

// TestMessagesWaitForRoom: a large one waits until another is answered, given up or lost with its
// connection; small ones never wait.
func TestMessagesWaitForRoom(t *testing.T) {
	head := func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte{0x88}})
	}
	for name, end := range map[string]func(p *peerOf) error{
		"answered": func(p *peerOf) error {
			go func() { _, _ = p.wire.Read(make([]byte, 100)) }()
			return head(http2.NewFramer(p.c, nil))
		},
		"reset":  func(p *peerOf) error { return p.to.WriteRSTStream(1, http2.ErrCodeCancel) },
		"closed": func(p *peerOf) error { return p.c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			m := testMessages()
			m.wait = time.Hour
			a, b, small := counted(t, m), counted(t, m), counted(t, m)
			a.begin(1, MessageMaxBytesDefault)
			require.NoError(t, <-a.got)
			require.False(t, m.free())
			b.begin(1, 1<<20)
			require.NoError(t, <-b.got, "this much is here already")
			more := make(chan error, 1)
			go func() { more <- b.to.WritePing(false, [8]byte{}) }()
			small.begin(1, 1000)
			require.NoError(t, <-small.got)
			small.begin(3, MessageMaxBytesDefault+1)
			require.NoError(t, <-small.got, "gRPC refuses it")
			require.Empty(t, b.got)
			require.NoError(t, end(a))
			require.NoError(t, <-b.got)
			require.NoError(t, <-more)
			require.NoError(t, b.c.Close())
			require.True(t, m.free())
		})
	}
}

// TestMessagesAddUp: the messages of a call count together, from the first bytes that are not free.
func TestMessagesAddUp(t *testing.T) {
	m := testMessages()
	p := counted(t, m)
	content := make([]byte, 900)
	for range 4 { // 3,620 bytes
		p.begin(1, uint32(len(content)))
		require.NoError(t, <-p.got)
		require.NoError(t, p.to.WriteData(1, false, content))
		require.NoError(t, <-p.got)
	}
	require.True(t, m.free())
	p.begin(1, uint32(len(content)))
	require.NoError(t, <-p.got)
	require.EqualValues(t, 5*(prefixBytes+len(content))-freeBytes, p.c.held)
	require.NoError(t, p.to.WriteRSTStream(1, http2.ErrCodeCancel))
	require.NoError(t, <-p.got)
	require.True(t, m.free())
	require.Empty(t, p.c.calls)
}

// TestNoRoomInTime: who waits too long loses the connection, and with it what it held.
func TestNoRoomInTime(t *testing.T) {
	m := testMessages()
	m.wait = time.Nanosecond
	a, b := counted(t, m), counted(t, m)
	a.begin(1, MessageMaxBytesDefault-1<<20)
	require.NoError(t, <-a.got)
	b.begin(1, 2<<20)
	require.NoError(t, <-b.got)
	require.ErrorIs(t, <-b.got, errNoRoom)
	require.NoError(t, a.c.Close())
	require.NoError(t, b.c.Close())
	require.True(t, m.free())
}

// TestNoWaitForItself: a message waits for those of other connections, not for such of its own as cannot
// become whole before it is read: gRPC is made to refuse it.
func TestNoWaitForItself(t *testing.T) {
	m := testMessages()
	p := counted(t, m)
	length := func() uint32 { return binary.BigEndian.Uint32(p.last[len(p.last)-4:]) }
	p.begin(1, MessageMaxBytesDefault-1<<20)
	require.NoError(t, <-p.got)
	require.EqualValues(t, MessageMaxBytesDefault-1<<20, length())
	p.begin(3, 2<<20)
	require.NoError(t, <-p.got)
	require.EqualValues(t, uint32(fault.RefusedLength), length())
	require.NoError(t, p.to.WriteData(3, false, make([]byte, 100))) // what was on the way
	require.NoError(t, <-p.got)
	p.begin(5, 900<<10)
	require.NoError(t, <-p.got)
	require.EqualValues(t, 900<<10, length(), "there is room for this one")
	require.NoError(t, p.c.Close())
	require.True(t, m.free())
}

// TestLateData: what still comes of a call that is over, such as one that was refused before its message,
// counts for nothing.
func TestLateData(t *testing.T) {
	m := testMessages()
	p := counted(t, m)
	require.NoError(t, p.to.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte{0x88}}))
	require.NoError(t, <-p.got)
	go func() { _, _ = io.Copy(io.Discard, p.wire) }()
	require.NoError(t, http2.NewFramer(p.c, nil).WriteRSTStream(1, http2.ErrCodeNo))
	p.newest = 1
	p.begin(1, MessageMaxBytesDefault)
	require.NoError(t, <-p.got)
	require.True(t, m.free())
	require.Empty(t, p.c.calls)
}

// TestMoreMessages: those behind the beginning of an answer count, too.
func TestMoreMessages(t *testing.T) {
	m := testMessages()
	p := counted(t, m)
	p.begin(1, 8<<10)
	require.NoError(t, <-p.got)
	require.False(t, m.free())
	for range 8 {
		require.NoError(t, p.to.WriteData(1, false, make([]byte, 1<<10-2*frameHeadBytes)))
		for rest := 1<<10 - frameHeadBytes; rest > 0; rest -= 1000 {
			require.NoError(t, <-p.got)
		}
	}
	require.NoError(t, p.to.WriteData(1, false, make([]byte, 8*2*frameHeadBytes)))
	require.NoError(t, <-p.got)
	go func() { _, _ = io.Copy(io.Discard, p.wire) }()
	require.NoError(t, http2.NewFramer(p.c, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndHeaders: true, BlockFragment: []byte{0x88}}))
	require.True(t, m.free())
	p.begin(1, 8<<10)
	require.NoError(t, <-p.got)
	require.False(t, m.free())
}

// TestAMessageThatDoesNotComeOn: reading ends at a deadline that moves while it comes.
func TestAMessageThatDoesNotComeOn(t *testing.T) {
	past := func() time.Time { return time.Unix(0, 0) }
	m := NewMessages(0, past)
	p := counted(t, m)
	p.begin(1, 1<<20)
	require.NoError(t, <-p.got)
	var timeout net.Error
	require.ErrorAs(t, <-p.got, &timeout)
	require.True(t, timeout.Timeout())
	_, err := p.c.Write(make([]byte, frameHeadBytes))
	require.ErrorAs(t, err, &timeout, "nobody takes it")
	require.True(t, timeout.Timeout())
}

// TestCallsOfAConnection: one that leaves messages behind for ever more calls is ended.
func TestCallsOfAConnection(t *testing.T) {
	p := counted(t, testMessages())
	for i := range uint32(callsKept) {
		p.begin(2*i+1, 10)
		require.NoError(t, <-p.got)
	}
	p.begin(2*callsKept+1, 10)
	require.ErrorIs(t, <-p.got, errTooManyCalls)
}
