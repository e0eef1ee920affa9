package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"time"

	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// Kinds of servers.
const (
	echoServer   = "echo"
	kstoneServer = "kstone"
)

// serve is a server: it writes its addresses to out and runs until in ends.
func serve(s settings, in io.Reader, out io.Writer) error {
	listeners := make([]net.Listener, 2)
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		listeners[i] = l
	}
	defer profile(s.profile)()
	stop, err := serveDoors(s, listeners[0], listeners[1])
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, listeners[0].Addr(), listeners[1].Addr()); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, in)
	return stop()
}

// profile writes a CPU profile until the returned function is called.
func profile(path string) (stop func()) {
	if path == "" {
		return func() {}
	}
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "doorbench: no profile:", err)
		return func() {}
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}
}

func serveDoors(s settings, forGRPC, forHTTP net.Listener) (stop func() error, err error) {
	if s.server == echoServer {
		server := grpc.NewServer()
		keystonev1.RegisterKeystoneDbServer(server, newEcho(s.answer))
		go func() { _ = server.Serve(forGRPC) }()
		return func() error {
			server.Stop()
			return nil
		}, nil
	}
	db, err := engine.Open("", engine.Options{InMemory: true, Clock: time.Now, After: time.After,
		Sync: engine.SyncOff})
	if err != nil {
		return nil, err
	}
	server := grpcapi.NewServer(db, grpcapi.Options{})
	web := dynamowire.NewServer(dynamowire.NewHandler(db, dynamowire.Options{Clock: time.Now}))
	go func() { _ = server.Serve(forGRPC) }()
	go func() { _ = web.Serve(forHTTP) }()
	return func() error {
		server.Stop()
		return errors.Join(web.Close(), db.Close())
	}, nil
}

// echo answers constants: Call as bytes, Get and Put as generated types.
type echo struct {
	keystonev1.UnimplementedKeystoneDbServer
	body *keystonev1.CallResponse
	item *keystonev1.GetResponse
}

// Operations of Call that an echo knows.
const (
	echoLarge = "l" // answers an item's size
	echoSmall = "s" // answers nothing
)

func newEcho(answer int) *echo {
	return &echo{body: &keystonev1.CallResponse{Body: make([]byte, answer)},
		item: &keystonev1.GetResponse{Item: newItem(keyOf(0))}}
}

// Call answers bytes.
func (e *echo) Call(_ context.Context, in *keystonev1.CallRequest) (*keystonev1.CallResponse, error) {
	if in.GetOperation() == echoSmall {
		return new(keystonev1.CallResponse), nil
	}
	return e.body, nil
}

// Get answers an item.
func (e *echo) Get(context.Context, *keystonev1.GetRequest) (*keystonev1.GetResponse, error) {
	return e.item, nil
}

// Put answers nothing.
func (e *echo) Put(context.Context, *keystonev1.PutRequest) (*keystonev1.PutResponse, error) {
	return new(keystonev1.PutResponse), nil
}
