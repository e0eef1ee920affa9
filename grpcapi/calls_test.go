package grpcapi_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// detailOf is the detail of an error of the database.
func detailOf(t *testing.T, err error) *keystonev1.ErrorDetail {
	t.Helper()
	details := status.Convert(err).Details()
	require.Len(t, details, 1, "%v", err)
	detail, ok := details[0].(*keystonev1.ErrorDetail)
	require.True(t, ok)
	return detail
}

// TestEveryCall: every call of the protocol reaches the service. One that serves nothing says so.
func TestEveryCall(t *testing.T) {
	conn := dial(t, api.Base{}, grpcapi.Options{})
	service := keystonev1.File_keystonev1_keystone_proto.Services().Get(0)
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		in := dynamicpb.NewMessage(method.Input())
		if method.Name() == "Call" {
			in.Set(method.Input().Fields().ByName("operation"), protoreflect.ValueOfString("PutItem"))
			in.Set(method.Input().Fields().ByName("body"), protoreflect.ValueOfBytes([]byte("{}")))
		}
		err := invoke(t.Context(), conn, method, in)
		require.Equal(t, codes.Unimplemented, status.Code(err), "%s: %v", method.Name(), err)
		require.Equal(t, string(api.UnknownOperation), detailOf(t, err).GetCode())
	}
}

// invoke makes any call and gives its error.
func invoke(ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, in proto.Message) error {
	name := "/" + string(m.Parent().FullName()) + "/" + string(m.Name())
	out := dynamicpb.NewMessage(m.Output())
	if !m.IsStreamingServer() {
		return conn.Invoke(ctx, name, in, out)
	}
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, name)
	if err == nil {
		err = s.SendMsg(in)
	}
	if err == nil {
		err = s.CloseSend()
	}
	for err == nil {
		err = s.RecvMsg(out)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// fill puts n items under a partition key, each with a text of some bytes.
func fill(t *testing.T, client keystonev1.KeystoneDbClient, pk string, n, size int) {
	t.Helper()
	text := make([]byte, size)
	for i := range text {
		text[i] = 'x'
	}
	for i := range n {
		it := key(pk, strconv.Itoa(i))
		it["text"] = str(string(text))
		_, err := client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: item(it)})
		require.NoError(t, err)
	}
}

// receive reads a stream to its end.
func receive[T any](t *testing.T, s grpc.ServerStreamingClient[T], err error) (all []*T, failed error) {
	t.Helper()
	require.NoError(t, err)
	for {
		part, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, part)
	}
}

func TestScan(t *testing.T) {
	client := open(t)
	const items, size = 60, 40_000 // 2.4 MB: three pages
	fill(t, client, "a", items, size)
	scan := func(in *keystonev1.ScanRequest) (n int, parts []*keystonev1.ScanResponse) {
		in.TableName = new("Tab")
		s, err := client.Scan(t.Context(), in)
		parts, err = receive(t, s, err)
		require.NoError(t, err)
		for i, p := range parts {
			n += len(p.GetItems())
			require.Equal(t, i == len(parts)-1, p.Count != nil, "counts are in the last part")
			require.LessOrEqual(t, proto.Size(p), 2*size+partSlack)
		}
		return n, parts
	}
	n, parts := scan(&keystonev1.ScanRequest{ReturnConsumedCapacity: new("TOTAL")})
	last := parts[len(parts)-1]
	require.Equal(t, items, n)
	require.EqualValues(t, items, last.GetCount())
	require.EqualValues(t, items, last.GetScannedCount())
	require.Nil(t, last.GetLastEvaluatedKey())
	require.Greater(t, last.GetConsumedCapacity().GetCapacityUnits(), 256.0) // of more than one page of 128

	// A limit holds for the whole, over pages, and tells where to go on.
	n, parts = scan(&keystonev1.ScanRequest{Limit: new(int64(40))})
	last = parts[len(parts)-1]
	require.Equal(t, 40, n)
	require.EqualValues(t, 40, last.GetScannedCount())
	n, _ = scan(&keystonev1.ScanRequest{ExclusiveStartKey: last.GetLastEvaluatedKey()})
	require.Equal(t, items-40, n)

	n, parts = scan(&keystonev1.ScanRequest{OnePage: true})
	require.Less(t, n, items/2)
	require.NotNil(t, parts[len(parts)-1].GetLastEvaluatedKey())

	// What the filter leaves out counts as read only.
	n, parts = scan(&keystonev1.ScanRequest{FilterExpression: new("sk < :n"),
		ExpressionAttributeValues: map[string]*keystonev1.Value{":n": num("2")}})
	require.Equal(t, 2, n)
	require.EqualValues(t, items, parts[len(parts)-1].GetScannedCount())

	n, parts = scan(&keystonev1.ScanRequest{Select: new("COUNT")})
	require.Zero(t, n)
	require.EqualValues(t, items, parts[len(parts)-1].GetCount())
}

// partSlack is what a part has beside items: names, counts, keys.
const partSlack = 2000

func TestExecuteStatement(t *testing.T) {
	client := open(t)
	const items, size = 60, 40_000
	fill(t, client, "a", items, size)
	run := func(in *keystonev1.ExecuteStatementRequest) (n int, last *keystonev1.ExecuteStatementResponse) {
		s, err := client.ExecuteStatement(t.Context(), in)
		parts, err := receive(t, s, err)
		require.NoError(t, err)
		for _, p := range parts {
			n += len(p.GetItems())
		}
		return n, parts[len(parts)-1]
	}
	query := new("SELECT * FROM Tab WHERE pk = ?")
	a := []*keystonev1.Value{str("a")}
	n, last := run(&keystonev1.ExecuteStatementRequest{Statement: query, Parameters: a})
	require.Equal(t, items, n)
	require.Nil(t, last.NextToken)
	n, last = run(&keystonev1.ExecuteStatementRequest{Statement: query, Parameters: a, Limit: new(int64(40))})
	require.Equal(t, 40, n)
	n, _ = run(&keystonev1.ExecuteStatementRequest{Statement: query, Parameters: a, NextToken: last.NextToken})
	require.Equal(t, items-40, n)
	n, last = run(&keystonev1.ExecuteStatementRequest{Statement: query, Parameters: a, OnePage: true,
		ReturnConsumedCapacity: new("TOTAL")})
	require.Less(t, n, items/2)
	require.NotNil(t, last.NextToken)
	require.Equal(t, "Tab", last.GetConsumedCapacity().GetTableName())

	n, _ = run(&keystonev1.ExecuteStatementRequest{Statement: new("INSERT INTO Tab VALUE {'pk':'b','sk':1}")})
	require.Zero(t, n)
	s, err := client.ExecuteStatement(t.Context(), &keystonev1.ExecuteStatementRequest{Statement: new("SELEC")})
	_, err = receive(t, s, err)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}
