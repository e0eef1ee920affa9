package grpcapi_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/internal/fault"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// Floods. Each is a client that speaks HTTP/2 by hand and breaks its rules or their spirit; the server
// may end its connection. Meanwhile another client is answered, and the heap grows by no more than heapMost.
const (
	floodFrames = 5000
	heapMost    = 64 << 20
)

// limited is a server with all limits, as the command has it.
type limited struct {
	addr   string
	others keystonev1.KeystoneDbClient
	heap   uint64 // before
	// messages are the bounds.
	messages *grpcapi.Messages
}

// heap is what is in use.
func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func serveLimited(t *testing.T, inFlight int64) *limited {
	t.Helper()
	return limit(t, openDB(t), grpcapi.NewMessages(inFlight, time.Now))
}

// limit serves a service with limits.
func limit(t *testing.T, svc api.Service, messages *grpcapi.Messages) *limited {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := grpcapi.NewServer(svc, grpcapi.Options{
		GRPC: append(grpcapi.LimitOptions(), messages.Option(insecure.NewCredentials())),
	})
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		server.Stop()
		require.NoError(t, <-done)
	})
	s := &limited{l.Addr().String(), keystonev1.NewKeystoneDbClient(conn), heap(), messages}
	s.answersOthers(t)
	return s
}

// answersOthers: other clients are served, and the server has not grown.
func (s *limited) answersOthers(t *testing.T) {
	t.Helper()
	for range 20 {
		_, err := s.others.ListTables(t.Context(), &keystonev1.ListTablesRequest{})
		require.NoError(t, err)
	}
	require.Less(t, heap(), s.heap+heapMost)
}

// flooder is a connection by hand. What the server sends is thrown away.
type flooder struct {
	net.Conn
	*http2.Framer
	head  bytes.Buffer
	hpack *hpack.Encoder
	ended chan struct{} // when the server has ended the connection
}

func (s *limited) flooder(t *testing.T, reads bool, settings ...http2.Setting) *flooder {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	require.NoError(t, err)
	f := &flooder{Conn: c, Framer: http2.NewFramer(c, c), ended: make(chan struct{})}
	f.hpack = hpack.NewEncoder(&f.head)
	t.Cleanup(func() { _ = c.Close(); <-f.ended })
	_, err = c.Write([]byte(http2.ClientPreface))
	require.NoError(t, err)
	require.NoError(t, f.WriteSettings(settings...))
	go func() {
		defer close(f.ended)
		if reads {
			_, _ = io.Copy(io.Discard, c)
		}
	}()
	return f
}

// call is the head of a call.
func (f *flooder) call(method string, more ...hpack.HeaderField) []byte {
	return f.callPath("/keystone.v1.KeystoneDb/"+method, more...)
}

func (f *flooder) callPath(path string, more ...hpack.HeaderField) []byte {
	f.head.Reset()
	for _, h := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":authority", Value: "x"},
		{Name: ":path", Value: path}, {Name: "content-type", Value: "application/grpc"},
		{Name: "te", Value: "trailers"},
	}, more...) {
		_ = f.hpack.WriteField(h)
	}
	return bytes.Clone(f.head.Bytes())
}

func (f *flooder) open(stream uint32, method string) error {
	return f.openPath(stream, "/keystone.v1.KeystoneDb/"+method)
}

func (f *flooder) openPath(stream uint32, path string) error {
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, EndHeaders: true, BlockFragment: f.callPath(path)})
}

// until does it until the server has had enough, at most n times.
func (f *flooder) until(n int, do func(i int) error) (enough bool) {
	for i := range n {
		if do(i) != nil {
			return true
		}
	}
	return false
}

// TestFloods: what costs a client nothing costs the server little.
func TestFloods(t *testing.T) {
	message := make([]byte, 5)
	for name, flood := range map[string]func(f *flooder, i int) error{
		"rapid reset": func(f *flooder, i int) error {
			stream := uint32(2*i + 1)
			if err := f.open(stream, "ListTables"); err != nil {
				return err
			}
			if err := f.WriteData(stream, true, message); err != nil {
				return err
			}
			return f.WriteRSTStream(stream, http2.ErrCodeCancel)
		},
		"open calls": func(f *flooder, i int) error { return f.open(uint32(2*i+1), "ListTables") },
		"ping":       func(f *flooder, _ int) error { return f.WritePing(false, [8]byte{}) },
		"settings": func(f *flooder, _ int) error {
			return f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1})
		},
		"window updates": func(f *flooder, _ int) error { return f.WriteWindowUpdate(0, 1) },
		"priority":       func(f *flooder, i int) error { return f.WritePriority(uint32(2*i+1), http2.PriorityParam{Weight: 1}) },
		"continuation": func(f *flooder, i int) error {
			if i == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.call("ListTables")})
			}
			return f.WriteContinuation(1, false, f.call("ListTables", hpack.HeaderField{Name: "x", Value: strings.Repeat("x", 4000), Sensitive: true}))
		},
		"empty continuation": func(f *flooder, i int) error {
			if i == 0 {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.call("ListTables")})
			}
			return f.WriteContinuation(1, false, nil)
		},
		"header list": func(f *flooder, i int) error {
			var more []hpack.HeaderField
			for k := range 500 {
				more = append(more, hpack.HeaderField{Name: "x-" + strconv.Itoa(k), Value: strings.Repeat("y", 20), Sensitive: true})
			}
			block := f.call("ListTables", more...)
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), EndHeaders: true, BlockFragment: block[:min(len(block), 16<<10)]})
		},
	} {
		for _, reads := range []bool{true, false} {
			t.Run(name+" "+strconv.FormatBool(reads), func(t *testing.T) {
				s := serveLimited(t, 0)
				f := s.flooder(t, reads)
				enough := make(chan bool, 1)
				go func() {
					n := floodFrames
					if name == "header list" {
						n = 100
					}
					enough <- f.until(n, func(i int) error { return flood(f, i) })
				}()
				s.answersOthers(t)
				if !reads { // the flood may wait for ever for the server, whose answers wait for the flood
					require.NoError(t, f.Close())
				}
				t.Logf("ended by the server: %v", <-enough)
				s.answersOthers(t)
			})
		}
	}
}

// TestLargeMessagesThatDoNotComeOn: many calls say that they send 16 MB, and stop; or send all but the
// last byte. What is held is bounded, and calls with small messages are answered all the time.
func TestLargeMessagesThatDoNotComeOn(t *testing.T) {
	const connections, calls, length = 4, 4, 15 << 20
	s := serveLimited(t, 32<<20)
	part := make([]byte, 16<<10)
	written := make(chan struct{}, connections)
	for range connections {
		f := s.flooder(t, true)
		go func() {
			for i := range uint32(calls) {
				_ = f.open(2*i+1, "Put")
				_ = f.WriteData(2*i+1, false, binary.BigEndian.AppendUint32([]byte{0}, length))
			}
			written <- struct{}{}
			f.until(calls*length/len(part), func(i int) error { return f.WriteData(uint32(2*(i%calls)+1), false, part) })
		}()
	}
	for range connections {
		<-written
	}
	s.answersOthers(t)
}

// TestOneClientSendsMoreThanThereIsRoomFor: of a client that sends more at once than all messages may
// hold, calls are refused, or served, and none loses its connection.
func TestOneClientSendsMoreThanThereIsRoomFor(t *testing.T) {
	s := serveLimited(t, 32<<20)
	large := &keystonev1.PutRequest{TableName: new("Tab"), Item: &keystonev1.Item{Attributes: map[string]*keystonev1.Value{
		"x": {Value: &keystonev1.Value_S{S: strings.Repeat("x", 5<<20)}},
	}}}
	var served, refused atomic.Int32
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			switch _, err := s.others.Put(t.Context(), large); status.Code(err) {
			case codes.InvalidArgument: // it is too large for an item
				served.Add(1)
			case codes.ResourceExhausted:
				refused.Add(1)
				assert.Equal(t, api.Throttling, api.CodeOf(fault.Error(err)))
			default:
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 12, served.Load()+refused.Load())
	assert.Positive(t, served.Load())
	_, err := s.others.ListTables(t.Context(), &keystonev1.ListTablesRequest{})
	assert.NoError(t, err, "the same connection is still there")
}

// TestAHandshakeIsNotWaitedForByOthers: connections that say nothing, or nonsense, hold up nobody.
func TestAHandshakeIsNotWaitedForByOthers(t *testing.T) {
	s := serveLimited(t, 0)
	for _, text := range []string{"", "PRI * HTT", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02\x00\x01"} {
		for range 50 {
			c, err := net.Dial("tcp", s.addr)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Write([]byte(text))
			require.NoError(t, err)
		}
	}
	s.answersOthers(t)
	_, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
	require.Error(t, err, "it is plain text")
}
