package compat

import (
	"context"
	"crypto/tls"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/jhump/protoreflect/v2/grpcdynamic"
	"github.com/jhump/protoreflect/v2/grpcreflect"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// grpcService is the name of the service.
const grpcService = "keystone.v1.KeystoneDb"

// dynamic is a client that knows the service by reflection only, as grpcurl does.
type dynamic struct {
	stub    *grpcdynamic.Stub
	service protoreflect.ServiceDescriptor
}

// dialGRPC opens a connection to a server's gRPC door, in plain text without a TLS configuration.
func dialGRPC(t *testing.T, addr string, config *tls.Config, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	security := insecure.NewCredentials()
	if config != nil {
		security = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(addr, append(options, grpc.WithTransportCredentials(security))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// reflect asks a server for its service.
func reflect(ctx context.Context, conn *grpc.ClientConn) (*dynamic, error) {
	client := grpcreflect.NewClientAuto(ctx, conn)
	defer client.Reset()
	file, err := client.FileContainingSymbol(grpcService)
	if err != nil {
		return nil, err
	}
	return &dynamic{grpcdynamic.NewStub(conn), file.Services().ByName("KeystoneDb")}, nil
}

func newDynamic(t *testing.T, conn *grpc.ClientConn) *dynamic {
	t.Helper()
	d, err := reflect(t.Context(), conn)
	require.NoError(t, err)
	return d
}

// over is the same service over another connection.
func (d *dynamic) over(conn *grpc.ClientConn) *dynamic {
	return &dynamic{grpcdynamic.NewStub(conn), d.service}
}

func (d *dynamic) method(t *testing.T, name, request string) (protoreflect.MethodDescriptor, proto.Message) {
	t.Helper()
	m := d.service.Methods().ByName(protoreflect.Name(name))
	require.NotNil(t, m, name)
	in := dynamicpb.NewMessage(m.Input())
	require.NoError(t, protojson.Unmarshal([]byte(request), in))
	return m, in
}

// call makes a call with a request in protobuf's JSON and returns the answer in it.
func (d *dynamic) call(t *testing.T, name, request string) (string, error) {
	t.Helper()
	m, in := d.method(t, name, request)
	out, err := d.stub.InvokeRPC(t.Context(), m, in)
	if err != nil {
		return "", err
	}
	text, err := protojson.Marshal(out)
	require.NoError(t, err)
	return string(text), nil
}

func (d *dynamic) must(t *testing.T, name, request string) string {
	t.Helper()
	out, err := d.call(t, name, request)
	require.NoError(t, err)
	return out
}

// stream begins a call that answers a stream.
func (d *dynamic) stream(t *testing.T, name, request string) *grpcdynamic.ServerStream {
	t.Helper()
	m, in := d.method(t, name, request)
	s, err := d.stub.InvokeRPCServerStream(t.Context(), m, in)
	require.NoError(t, err)
	return s
}

// getFrom reads an item by the HTTP door.
func getFrom(t *testing.T, c *dynamodb.Client, table string, key item) item {
	t.Helper()
	out, err := c.GetItem(t.Context(), &dynamodb.GetItemInput{TableName: &table, Key: key})
	require.NoError(t, err)
	return out.Item
}

const grpcTable = `{"tableName":"native","billingMode":"PAY_PER_REQUEST",` +
	`"attributeDefinitions":[{"attributeName":"pk","attributeType":"S"}],` +
	`"keySchema":[{"attributeName":"pk","keyType":"HASH"}],` +
	`"streamSpecification":{"streamEnabled":true,"streamViewType":"NEW_AND_OLD_IMAGES"}}`

// TestGRPCReflection: a client that knows nothing of the service beforehand uses it, beside the SDK.
func TestGRPCReflection(t *testing.T) {
	s := newServer(t, "--in-memory")
	conn := dialGRPC(t, s.grpc, nil)
	client := grpcreflect.NewClientAuto(t.Context(), conn)
	services, err := client.ListServices()
	require.NoError(t, err)
	client.Reset()
	assert.True(t, slices.Contains(services, grpcService), services)
	health, err := healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{Service: grpcService})
	require.NoError(t, err)
	assert.Equal(t, healthv1.HealthCheckResponse_SERVING, health.GetStatus())

	d := newDynamic(t, conn)
	d.must(t, "CreateTable", grpcTable)
	d.must(t, "Put", `{"tableName":"native","item":{"attributes":{"pk":{"S":"ü"},"n":{"N":"1.50"},"at":{"Ts":"7"}}}}`)
	found := getFrom(t, s.client(), "native", item{"pk": str("ü")})
	assert.Equal(t, item{"pk": str("ü"), "n": num("1.5"), "at": num("7")}, found)
	assert.JSONEq(t, `{"item":{"attributes":{"pk":{"S":"ü"},"n":{"N":"1.5"},"at":{"Ts":"7"}}}}`,
		d.must(t, "Get", `{"tableName":"native","key":{"attributes":{"pk":{"S":"ü"}}}}`))
	rows := d.stream(t, "ExecuteStatement", `{"statement":"SELECT pk FROM native","dynamodbJson":true}`)
	_, err = rows.RecvMsg()
	require.NoError(t, err)
	_, err = rows.RecvMsg()
	require.ErrorIs(t, err, io.EOF)

	_, err = d.call(t, "Get", `{"tableName":"none","key":{"attributes":{"pk":{"S":"a"}}}}`)
	st := status.Convert(err)
	assert.Equal(t, codes.NotFound, st.Code())
	assert.Equal(t, "Requested resource not found", st.Message())
	require.Len(t, st.Proto().GetDetails(), 1)
	assert.Equal(t, "type.googleapis.com/keystone.v1.ErrorDetail", st.Proto().GetDetails()[0].GetTypeUrl())
	s.stop(t)
}

// TestGRPCShutdown: a feed is told that the server goes, which then ends well; what was answered is there
// after the next start.
func TestGRPCShutdown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "native.keystone")
	s := newServer(t, "--db", path, "--shutdown-grace", waitMax.String())
	conn := dialGRPC(t, s.grpc, nil)
	d := newDynamic(t, conn)
	d.must(t, "CreateTable", grpcTable)
	feed := d.stream(t, "Subscribe", `{"tableName":"native","startingPosition":"TRIM_HORIZON"}`)
	_, err := feed.RecvMsg()
	require.NoError(t, err)
	d.must(t, "Put", `{"tableName":"native","item":{"attributes":{"pk":{"S":"a"}}}}`)
	_, err = feed.RecvMsg()
	require.NoError(t, err)
	s.stop(t)
	for err == nil {
		_, err = feed.RecvMsg()
	}
	assert.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	assert.NotContains(t, s.stderr.String(), "cut off")

	s = newServer(t, "--db", path)
	assert.Equal(t, item{"pk": str("a")}, getFrom(t, s.client(), "native", item{"pk": str("a")}))
}

// TestKstoneServer: the original's command line, which serves gRPC only.
func TestKstoneServer(t *testing.T) {
	dir := t.TempDir()
	program, path := filepath.Join(dir, "kstone-server"), filepath.Join(dir, "d.keystone")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/kstone-server").CombinedOutput()
	require.NoError(t, err, string(out))
	for _, args := range [][]string{
		{"--db-path", path, "--port", "0", "--host", "127.0.0.1"}, {"-d", path, "-p", "0", "--no-auth"},
	} {
		s, err := startCommand(exec.Command(program, args...))
		require.NoError(t, err)
		t.Cleanup(s.kill)
		require.Empty(t, s.url)
		d := newDynamic(t, dialGRPC(t, s.grpc, nil))
		if args[0] == "-d" {
			assert.JSONEq(t, `{"tableNames":["native"]}`, d.must(t, "ListTables", `{}`))
		} else {
			d.must(t, "CreateTable", grpcTable)
		}
		s.stop(t)
	}
	for _, bad := range [][]string{{}, {"-d", path, "--host", "0.0.0.0"}, {"-d", path, "-p", "x"}, {"-d", path, "more"}} {
		out, err := exec.Command(program, bad...).CombinedOutput()
		require.Error(t, err)
		assert.Regexp(t, `^kstone-server: [^\n]+\n$`, string(out))
		assert.NotContains(t, string(out), "strconv", "people do not know Go")
	}
}

// TestGRPCLimits: a message over 16 MB is refused, and the connection goes on.
func TestGRPCLimits(t *testing.T) {
	s := newServer(t, "--in-memory")
	conn := dialGRPC(t, s.grpc, nil)
	err := conn.Invoke(t.Context(), "/"+grpcService+"/Put", &healthv1.HealthCheckRequest{Service: string(make([]byte, 17<<20))}, new(healthv1.HealthCheckResponse))
	assert.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
	_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	require.NoError(t, err)
}
