package client_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/client"
)

// pipe is a way to servers in the process that can be cut.
type pipe struct {
	mu       sync.Mutex
	listener *bufconn.Listener
	conns    []net.Conn
	dials    int
}

const pipeBytes = 1 << 20

// serve runs a server of a service behind the pipe until stop.
func (p *pipe) serve(t testing.TB, svc api.Service, opts grpcapi.Options) (stop func()) {
	t.Helper()
	l := bufconn.Listen(pipeBytes)
	p.mu.Lock()
	p.listener = l
	p.mu.Unlock()
	server := grpcapi.NewServer(svc, opts)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	return sync.OnceFunc(func() {
		server.Stop()
		if err := <-done; !errors.Is(err, grpc.ErrServerStopped) { // it had not begun
			require.NoError(t, err)
		}
	})
}

func (p *pipe) dial(ctx context.Context, _ string) (net.Conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dials++
	c, err := p.listener.DialContext(ctx)
	if err == nil {
		p.conns = append(p.conns, c)
	}
	return c, err
}

// count is how often a connection was asked for.
func (p *pipe) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}

// cut breaks all connections.
func (p *pipe) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// dialPipe gives a client behind a pipe.
func dialPipe(t testing.TB, p *pipe, opts client.Options) *client.Client {
	t.Helper()
	opts.Dial = append([]grpc.DialOption{grpc.WithContextDialer(p.dial)}, opts.Dial...)
	c, err := client.Dial("passthrough:pipe", opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// connect serves a service and gives a client of it.
func connect(t testing.TB, svc api.Service, opts client.Options) *client.Client {
	t.Helper()
	p := &pipe{}
	stop := p.serve(t, svc, grpcapi.Options{})
	t.Cleanup(stop)
	return dialPipe(t, p, opts)
}

// zeros is randomness without any.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// openDB opens a database in memory whose clock stands still.
func openDB(t testing.TB) *engine.DB {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	db, err := engine.OpenInMemory(engine.Options{
		Clock: func() time.Time { return now }, NoBackground: true, Rand: zeros{},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// bare turns what is empty into what is absent and takes zones from times: over gRPC they are the same.
func bare(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			bare(v.Elem())
		}
	case reflect.Struct:
		if at, ok := v.Interface().(time.Time); ok && v.CanSet() {
			v.Set(reflect.ValueOf(at.UTC()))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				bare(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Len() == 0 && v.CanSet() {
			v.SetZero()
		}
		for i := range v.Len() {
			bare(v.Index(i))
		}
	}
}
