package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"github.com/keystone-db/kstone/cmd/internal/serve"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// Kinds of servers.
const (
	echoServer   = "echo"
	kstoneServer = "kstone"
)

// runServer is a server: it writes its addresses to out and runs until in ends.
func runServer(s settings, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		_, _ = io.Copy(io.Discard, in)
	}()
	defer profile(s.profile)()
	if s.server == echoServer {
		return runEcho(ctx, s, out)
	}
	return runKstone(ctx, s, out)
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

// runKstone is kstone serve.
func runKstone(ctx context.Context, s settings, out io.Writer) error {
	dir, err := os.MkdirTemp("", "doorbench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ports := announcer{out: out, grpc: filepath.Join(dir, "grpc"), http: filepath.Join(dir, "http")}
	c := serve.Defaults()
	c.Host, c.Port, c.GRPCPort = host, 0, serve.GRPCPort{Asked: true}
	c.PortFile, c.GRPCPortFile = ports.http, ports.grpc
	c.InMemory, c.Path, c.Sync = s.db == "", s.db, engine.SyncOff
	c.LogLevel = zerolog.WarnLevel
	return serve.Run(ctx, c, &ports, os.Stderr)
}

const host = "127.0.0.1"

// announcer tells the addresses of a server when it says to people that it runs: its ports are in the
// files then.
type announcer struct {
	out        io.Writer
	grpc, http string // the files
	told       bool
}

// Write forgets what is said to people.
func (a *announcer) Write(text []byte) (int, error) {
	if a.told {
		return len(text), nil
	}
	a.told = true
	addresses := []string{}
	for _, file := range []string{a.grpc, a.http} {
		port, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		addresses = append(addresses, net.JoinHostPort(host, strings.TrimSpace(string(port))))
	}
	if _, err := fmt.Fprintln(a.out, addresses[0], addresses[1]); err != nil {
		return 0, err
	}
	return len(text), nil
}

// echoWorkers is how many goroutines wait for calls, as many as those of kstone: otherwise a server that
// does something would look cheaper than one that does nothing.
const echoWorkers = 64

// runEcho is a bare server.
func runEcho(ctx context.Context, s settings, out io.Writer) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.NumStreamWorkers(echoWorkers))
	keystonev1.RegisterKeystoneDbServer(server, newEcho(s.answer))
	defer context.AfterFunc(ctx, server.Stop)()
	if _, err := fmt.Fprintln(out, l.Addr(), "none"); err != nil {
		return err
	}
	return server.Serve(l)
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
