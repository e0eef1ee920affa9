package grpcapi_test

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// windowBytes is the flow-control window of the tests' client, which does not grow then.
const windowBytes = 64 << 10

// clientMaxBytes is how large an answer the client of the tests takes.
const clientMaxBytes = 64 << 20

// dial serves a service in the process and gives a connection to it.
func dial(t *testing.T, svc api.Service, opts grpcapi.Options) *grpc.ClientConn {
	t.Helper()
	_, conn := serve(t, svc, opts)
	return conn
}

// serve is dial that gives the server too.
func serve(t *testing.T, svc api.Service, opts grpcapi.Options) (*grpcapi.Server, *grpc.ClientConn) {
	t.Helper()
	const pipeBytes = 1 << 20
	l := bufconn.Listen(pipeBytes)
	server := grpcapi.NewServer(svc, opts)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	conn, err := grpc.NewClient("passthrough:bufconn",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithInitialWindowSize(windowBytes), grpc.WithInitialConnWindowSize(windowBytes),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(clientMaxBytes)))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		server.Stop()
		require.NoError(t, <-done)
	})
	return server, conn
}

// openDB opens a database in memory.
func openDB(t *testing.T) *engine.DB {
	t.Helper()
	db, err := engine.Open("", engine.Options{InMemory: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// open gives a client of a new database that has the table Tab with the key pk (S), sk (N).
func open(t *testing.T) keystonev1.KeystoneDbClient {
	t.Helper()
	client := keystonev1.NewKeystoneDbClient(dial(t, openDB(t), grpcapi.Options{}))
	createTable(t, client)
	return client
}

func createTable(t testing.TB, client keystonev1.KeystoneDbClient) {
	t.Helper()
	_, err := client.CreateTable(t.Context(), &keystonev1.CreateTableRequest{
		TableName: new("Tab"), BillingMode: new("PAY_PER_REQUEST"),
		AttributeDefinitions: []*keystonev1.AttributeDefinition{
			{AttributeName: new("pk"), AttributeType: new("S")}, {AttributeName: new("sk"), AttributeType: new("N")}},
		KeySchema: []*keystonev1.KeySchemaElement{
			{AttributeName: new("pk"), KeyType: new("HASH")}, {AttributeName: new("sk"), KeyType: new("RANGE")}},
	})
	require.NoError(t, err)
}

// Values of the tests.
func str(s string) *keystonev1.Value { return &keystonev1.Value{Value: &keystonev1.Value_S{S: s}} }
func num(s string) *keystonev1.Value { return &keystonev1.Value{Value: &keystonev1.Value_N{N: s}} }

func key(pk, sk string) map[string]*keystonev1.Value {
	return map[string]*keystonev1.Value{"pk": str(pk), "sk": num(sk)}
}

func item(attributes map[string]*keystonev1.Value) *keystonev1.Item {
	return &keystonev1.Item{Attributes: attributes}
}

func TestPutAndGet(t *testing.T) {
	client := open(t)
	it := key("a", "1")
	it["text"] = str("hello")
	_, err := client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: item(it)})
	require.NoError(t, err)
	out, err := client.Get(t.Context(), &keystonev1.GetRequest{TableName: new("Tab"), Key: item(key("a", "1"))})
	require.NoError(t, err)
	require.Equal(t, "hello", out.GetItem().GetAttributes()["text"].GetS())
	require.Len(t, out.GetItem().GetAttributes(), 3)
}

// rawCodec sends bytes and looks at no answer, for clients that are light or send what is no message.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*int) = data.Len()
	return nil
}

// rawCall makes a call with a message of bytes and the length of the answer.
func rawCall() grpc.CallOption { return grpc.ForceCodecV2(rawCodec{}) }
