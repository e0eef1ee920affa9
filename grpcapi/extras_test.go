package grpcapi_test

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *syncBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all.Bytes())
}

func TestHealth(t *testing.T) {
	client := healthv1.NewHealthClient(dial(t, api.Base{}, grpcapi.Options{}))
	for _, service := range []string{"", "keystone.v1.KeystoneDb"} {
		out, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{Service: service})
		require.NoError(t, err)
		require.Equal(t, healthv1.HealthCheckResponse_SERVING, out.GetStatus())
	}
}

// TestReflection: a client that knows nothing finds the service and its whole description.
func TestReflection(t *testing.T) {
	s, err := reflectionv1.NewServerReflectionClient(dial(t, api.Base{}, grpcapi.Options{})).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	ask := func(in *reflectionv1.ServerReflectionRequest) *reflectionv1.ServerReflectionResponse {
		require.NoError(t, s.Send(in))
		out, err := s.Recv()
		require.NoError(t, err)
		return out
	}
	out := ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
	var names []string
	for _, service := range out.GetListServicesResponse().GetService() {
		names = append(names, service.GetName())
	}
	require.Contains(t, names, "keystone.v1.KeystoneDb")
	out = ask(&reflectionv1.ServerReflectionRequest{
		MessageRequest: &reflectionv1.ServerReflectionRequest_FileContainingSymbol{
			FileContainingSymbol: "keystone.v1.KeystoneDb"}})
	files := out.GetFileDescriptorResponse().GetFileDescriptorProto()
	require.Len(t, files, 1)
	var file descriptorpb.FileDescriptorProto
	require.NoError(t, proto.Unmarshal(files[0], &file))
	require.Len(t, file.GetService()[0].GetMethod(), 22)
}

// TestDynamodbJSON: items go in and come out as the JSON of the other door.
func TestDynamodbJSON(t *testing.T) {
	client := open(t)
	json := func(text string) *keystonev1.Item { return &keystonev1.Item{DynamodbJson: []byte(text)} }
	const text = `{"list":{"L":[{"N":"1"},{"NULL":true}]},"pk":{"S":"a"},"sk":{"N":"1"}}`
	_, err := client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: json(text)})
	require.NoError(t, err)
	get := &keystonev1.GetRequest{TableName: new("Tab"), Key: json(`{"pk":{"S":"a"},"sk":{"N":"1"}}`)}
	out, err := client.Get(t.Context(), get)
	require.NoError(t, err)
	require.Equal(t, "1", out.GetItem().GetAttributes()["list"].GetL().GetValues()[0].GetN())
	get.DynamodbJson = true
	out, err = client.Get(t.Context(), get)
	require.NoError(t, err)
	require.JSONEq(t, text, string(out.GetItem().GetDynamodbJson()))
	require.Empty(t, out.GetItem().GetAttributes())

	s, err := client.Scan(t.Context(), &keystonev1.ScanRequest{TableName: new("Tab"), Limit: new(int64(1)), DynamodbJson: true})
	parts, err := receive(t, s, err)
	require.NoError(t, err)
	require.JSONEq(t, text, string(parts[0].GetItems()[0].GetDynamodbJson()))
	require.JSONEq(t, string(get.GetKey().GetDynamodbJson()), string(parts[0].GetLastEvaluatedKey().GetDynamodbJson()))

	for bad, message := range map[string]string{
		`{"pk":{"S":"a"}`: "", `{"pk":{"S":1}}`: "NUMBER_VALUE cannot be converted to String",
	} {
		_, err = client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: json(bad)})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
		require.Equal(t, string(api.Serialization), detailOf(t, err).GetCode())
		require.Equal(t, message, status.Convert(err).Message())
	}
}

// TestNativeTypes: vectors and times come back as themselves, and as a list and a number in JSON.
func TestNativeTypes(t *testing.T) {
	client := open(t)
	it := key("a", "1")
	it["vec"] = &keystonev1.Value{Value: &keystonev1.Value_VecF32{VecF32: &keystonev1.FloatVector{Values: []float32{1, -0.5}}}}
	it["ts"] = &keystonev1.Value{Value: &keystonev1.Value_Ts{Ts: -1_000}}
	_, err := client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: item(it)})
	require.NoError(t, err)
	get := &keystonev1.GetRequest{TableName: new("Tab"), Key: item(key("a", "1"))}
	out, err := client.Get(t.Context(), get)
	require.NoError(t, err)
	require.True(t, proto.Equal(item(it), out.GetItem()))
	get.DynamodbJson = true
	out, err = client.Get(t.Context(), get)
	require.NoError(t, err)
	const json = `{"pk":{"S":"a"},"sk":{"N":"1"},"vec":{"L":[{"N":"1"},{"N":"-0.5"}]},"ts":{"N":"-1000"}}`
	require.JSONEq(t, json, string(out.GetItem().GetDynamodbJson()))

	// A client that writes back what it read as JSON leaves a list and a number.
	_, err = client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: out.GetItem()})
	require.NoError(t, err)
	get.DynamodbJson = false
	out, err = client.Get(t.Context(), get)
	require.NoError(t, err)
	require.Equal(t, "-0.5", out.GetItem().GetAttributes()["vec"].GetL().GetValues()[1].GetN())
	require.Equal(t, "-1000", out.GetItem().GetAttributes()["ts"].GetN())
}

func TestCall(t *testing.T) {
	client := open(t)
	call := func(operation, body string) (string, error) {
		out, err := client.Call(t.Context(), &keystonev1.CallRequest{Operation: operation, Body: []byte(body)})
		return string(out.GetBody()), err
	}
	_, err := call("PutItem", `{"TableName":"Tab","Item":{"pk":{"S":"a"},"sk":{"N":"1"}}}`)
	require.NoError(t, err)
	out, err := call("GetItem", `{"TableName":"Tab","Key":{"pk":{"S":"a"},"sk":{"N":"1"}}}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"Item":{"pk":{"S":"a"},"sk":{"N":"1"}}}`, out)
	_, err = call("DescribeLimits", `{}`)
	require.NoError(t, err)
	_, err = call("GetItem", `{"TableName":1}`)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = call("Nope", `{}`)
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

// TestMessageLimit: a message that is too large is refused before it is read.
func TestMessageLimit(t *testing.T) {
	client := keystonev1.NewKeystoneDbClient(dial(t, store{}, grpcapi.Options{MessageMaxBytes: 1000}))
	_, err := client.Get(t.Context(), &keystonev1.GetRequest{TableName: new(string(make([]byte, 900)))})
	require.NoError(t, err)
	_, err = client.Get(t.Context(), &keystonev1.GetRequest{TableName: new(string(make([]byte, 1100)))})
	require.Equal(t, codes.ResourceExhausted, status.Code(err))
}

// TestMalformed: bytes that are no message are the client's fault.
func TestMalformed(t *testing.T) {
	conn := dial(t, store{}, grpcapi.Options{})
	var n int
	err := conn.Invoke(t.Context(), "/keystone.v1.KeystoneDb/Get", []byte("\x0a\xff"), &n, rawCall())
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.Equal(t, string(api.Serialization), detailOf(t, err).GetCode())
}

// TestStopEndsWatches: who watches the health of a server does not keep it from stopping.
func TestStopEndsWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, conn := serve(t, api.Base{}, grpcapi.Options{})
		s, err := healthv1.NewHealthClient(conn).Watch(t.Context(), &healthv1.HealthCheckRequest{})
		require.NoError(t, err)
		out, err := s.Recv()
		require.NoError(t, err)
		require.Equal(t, healthv1.HealthCheckResponse_SERVING, out.GetStatus())
		began := time.Now()
		server.GracefulStop()
		require.Less(t, time.Since(began), time.Minute, "the time that gRPC gives to clients")
		for err == nil {
			_, err = s.Recv()
		}
		require.Equal(t, codes.Unavailable, status.Code(err))
	})
}
