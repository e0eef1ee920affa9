//go:build unix

package grpcapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// The benchmarks run the server as a process of its own, this test binary, and ask it for the processor
// time it took.
const benchEnv = "KSTONE_BENCH_SERVER"

func TestMain(m *testing.M) {
	switch os.Getenv(benchEnv) {
	case "":
		os.Exit(m.Run())
	case "echo":
		benchServe(echoServer())
	default:
		db, err := engine.Open("", engine.Options{InMemory: true})
		if err != nil {
			panic(err)
		}
		messages := grpcapi.NewMessages(0, time.Now).Option(insecure.NewCredentials())
		benchServe(grpcapi.NewServer(db, grpcapi.Options{GRPC: append(grpcapi.LimitOptions(), messages)}))
	}
}

// benchServe serves until the standard input ends. It tells its address, and its processor time in
// microseconds for every line that it reads.
func benchServe(server interface{ Serve(net.Listener) error }) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = server.Serve(l) }()
	fmt.Println(l.Addr())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var use syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
			panic(err)
		}
		fmt.Println((use.Utime.Nano() + use.Stime.Nano()) / 1000)
	}
	os.Exit(0)
}

// echoServer answers a message of the length that the request's first four digits say.
func echoServer() *grpc.Server {
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "Echo", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Echo", Handler: func(
			_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor,
		) (any, error) {
			in := new(wrapperspb.BytesValue)
			if err := decode(in); err != nil {
				return nil, err
			}
			n, err := strconv.Atoi(string(in.GetValue()[:4]))
			return wrapperspb.Bytes(make([]byte, n)), err
		},
	}}}, nil)
	return server
}

// benchProcess is a server in a process.
type benchProcess struct {
	out *bufio.Scanner
	in  io.Writer
}

func startBench(b *testing.B, kind string) (p benchProcess, conns []*grpc.ClientConn) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), benchEnv+"="+kind)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	cmd.Stderr = os.Stderr
	require.NoError(b, cmd.Start())
	p = benchProcess{bufio.NewScanner(out), in}
	require.True(b, p.out.Scan())
	for range benchConns {
		conn, err := grpc.NewClient("passthrough:"+p.out.Text(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(b, err)
		conns = append(conns, conn)
	}
	b.Cleanup(func() {
		for _, conn := range conns {
			require.NoError(b, conn.Close())
		}
		require.NoError(b, in.Close())
		require.NoError(b, cmd.Wait())
	})
	return p, conns
}

// micros is the processor time of the server so far.
func (p benchProcess) micros(b *testing.B) float64 {
	_, err := io.WriteString(p.in, "\n")
	require.NoError(b, err)
	require.True(b, p.out.Scan())
	n, err := strconv.ParseFloat(p.out.Text(), 64)
	require.NoError(b, err)
	return n
}

const benchConns = 8

// runCalls makes b.N calls by one goroutine a connection and reports the server's time for each.
func runCalls(b *testing.B, p benchProcess, conns []*grpc.ClientConn, method string, message []byte) {
	before := p.micros(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, conn := range conns {
		wg.Go(func() {
			for range (b.N + i) / len(conns) {
				var n int
				if err := conn.Invoke(context.Background(), method, message, &n, rawCall()); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric((p.micros(b)-before)/float64(b.N), "server-µs/op")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkServer compares Get and Put with a bare echo of the same sizes, by processor time of the
// server an answer.
func BenchmarkServer(b *testing.B) {
	attributes := key("customer#000001", "1")
	for i := range 8 {
		attributes["attribute"+strconv.Itoa(i)] = str(strings.Repeat("x", 30))
	}
	put := &keystonev1.PutRequest{TableName: new("Tab"), Item: item(attributes)}
	get := &keystonev1.GetRequest{TableName: new("Tab"), Key: item(key("customer#000001", "1"))}
	found := &keystonev1.GetResponse{Item: item(attributes)}
	for _, call := range []struct {
		name    string
		message proto.Message
		answer  int
	}{{"Get", get, proto.Size(found)}, {"Put", put, 0}} {
		message, err := proto.Marshal(call.message)
		require.NoError(b, err)
		b.Run(fmt.Sprintf("%s-%d-%d", call.name, len(message), call.answer), func(b *testing.B) {
			p, conns := startBench(b, "db")
			client := keystonev1.NewKeystoneDbClient(conns[0])
			createTable(b, client)
			_, err := client.Put(b.Context(), put)
			require.NoError(b, err)
			runCalls(b, p, conns, "/keystone.v1.KeystoneDb/"+call.name, message)
		})
		b.Run(fmt.Sprintf("echo-%d-%d", len(message), call.answer), func(b *testing.B) {
			p, conns := startBench(b, "echo")
			// The message of bytes takes some bytes itself.
			text := append(fmt.Appendf(nil, "%04d", call.answer), message...)[:len(message)]
			in, err := proto.Marshal(wrapperspb.Bytes(text))
			require.NoError(b, err)
			runCalls(b, p, conns, "/Echo/Echo", in)
		})
	}
}
