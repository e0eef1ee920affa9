package grpcapi_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/storage"
	"github.com/keystone-db/kstone/grpcapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

func TestErrors(t *testing.T) {
	client := open(t)
	stored := key("a", "1")
	stored["v"] = num("5")
	_, err := client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: item(stored)})
	require.NoError(t, err)

	_, err = client.Get(t.Context(), &keystonev1.GetRequest{TableName: new("None"), Key: item(key("a", "1"))})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.Equal(t, string(api.ResourceNotFound), detailOf(t, err).GetCode())

	_, err = client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: item(key("a", "1")),
		ConditionExpression:                 new("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: new("ALL_OLD")})
	require.Equal(t, codes.FailedPrecondition, status.Code(err))
	require.Equal(t, "The conditional request failed", status.Convert(err).Message())
	require.Equal(t, "5", detailOf(t, err).GetItem().GetAttributes()["v"].GetN())

	_, err = client.TransactWrite(t.Context(), &keystonev1.TransactWriteRequest{TransactItems: []*keystonev1.TransactWriteItem{
		{Put: &keystonev1.TransactWriteItem_Put{TableName: new("Tab"), Item: item(key("b", "1"))}},
		{ConditionCheck: &keystonev1.TransactWriteItem_ConditionCheck{TableName: new("Tab"), Key: item(key("a", "1")),
			ConditionExpression: new("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: new("ALL_OLD")}}}})
	require.Equal(t, codes.Aborted, status.Code(err))
	reasons := detailOf(t, err).GetCancellationReasons()
	require.Len(t, reasons, 2)
	require.Equal(t, "None", reasons[0].GetCode())
	require.Equal(t, "ConditionalCheckFailed", reasons[1].GetCode())
	require.Equal(t, "5", reasons[1].GetItem().GetAttributes()["v"].GetN())

	// A bad value is found in its place: after what is wrong about the request as such.
	bad := item(map[string]*keystonev1.Value{"pk": str("a"), "sk": num("x")})
	_, err = client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: bad})
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	require.Contains(t, status.Convert(err).Message(), "cannot be converted to a numeric value: x")
	_, err = client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab"), Item: bad, ReturnValues: new("SOME")})
	require.Contains(t, status.Convert(err).Message(), "SOME")

	_, err = client.CreateTable(t.Context(), &keystonev1.CreateTableRequest{TableName: new("Tab"),
		BillingMode:          new("PAY_PER_REQUEST"),
		AttributeDefinitions: []*keystonev1.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new("S")}},
		KeySchema:            []*keystonev1.KeySchemaElement{{AttributeName: new("pk"), KeyType: new("HASH")}}})
	require.Equal(t, codes.AlreadyExists, status.Code(err))
}

// broken fails in ways that a client must not see.
type broken struct {
	api.Base
	panics bool
}

var errSecret = errors.New("secret")

func (b *broken) GetItem(context.Context, *api.GetItemInput) (*api.GetItemOutput, error) {
	if b.panics {
		panic(errSecret)
	}
	return nil, errSecret
}

func (b *broken) Scan(context.Context, *api.ScanInput) (*api.ScanOutput, error) {
	if b.panics {
		panic(errSecret)
	}
	return nil, errSecret
}

// TestHidden: the text of an internal error and a panic go to the log, and the server goes on.
func TestHidden(t *testing.T) {
	for _, panics := range []bool{false, true} {
		var log syncBuffer
		client := keystonev1.NewKeystoneDbClient(dial(t, &broken{panics: panics}, grpcapi.Options{Logger: zerolog.New(&log)}))
		_, err := client.Get(t.Context(), &keystonev1.GetRequest{})
		require.Equal(t, codes.Internal, status.Code(err))
		require.Equal(t, api.MsgInternal, status.Convert(err).Message())
		require.Equal(t, string(api.InternalServerError), detailOf(t, err).GetCode())
		s, err := client.Scan(t.Context(), &keystonev1.ScanRequest{})
		_, err = receive(t, s, err)
		require.Equal(t, codes.Internal, status.Code(err))
		require.Equal(t, api.MsgInternal, status.Convert(err).Message())
		require.Equal(t, 2, bytes.Count(log.bytes(), []byte(`secret`)))
	}
}

// ill fails with what it was given.
type ill struct {
	api.Base
	err error
}

func (s ill) GetItem(context.Context, *api.GetItemInput) (*api.GetItemOutput, error) {
	return nil, s.err
}

// TestReasons: what a client may know of a failure it is told, and the rest stays in the log.
func TestReasons(t *testing.T) {
	for _, tt := range []struct {
		err  error
		code codes.Code
		text string
	}{
		{storage.ErrFull, codes.Internal, "The disk is full: what needs space is refused until there is some"},
		{storage.ErrReadOnly, codes.Internal, "The database is open for reading only"},
		{storage.ErrCorrupt, codes.DataLoss, "Stored data are damaged"},
		{storage.ErrUnavailable, codes.Unavailable, api.MsgUnavailable},
		{storage.ErrUncertain, codes.Internal, api.MsgInternal},
	} {
		var log syncBuffer
		client := keystonev1.NewKeystoneDbClient(dial(t, ill{err: fmt.Errorf("%w: %w", tt.err, errSecret)}, grpcapi.Options{Logger: zerolog.New(&log)}))
		_, err := client.Get(t.Context(), &keystonev1.GetRequest{})
		require.Equal(t, tt.code, status.Code(err))
		require.Equal(t, tt.text, status.Convert(err).Message())
		require.Equal(t, tt.text, detailOf(t, err).GetMessage())
		require.Contains(t, string(log.bytes()), "secret")
	}
}

// store answers any Get with the key as the item.
type store struct{ api.Base }

func (store) GetItem(_ context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	return &api.GetItemOutput{Item: in.Key}, nil
}

// TestAuthentication: a caller is refused by Authenticate, and may do what the key says.
func TestAuthentication(t *testing.T) {
	var key *sigv4.Key
	var refusal error
	conn := dial(t, store{}, grpcapi.Options{
		Authenticate: func(context.Context) (*sigv4.Key, error) { return key, refusal }})
	client := keystonev1.NewKeystoneDbClient(conn)
	calls := map[string]func() error{
		"Get": func() error {
			_, err := client.Get(t.Context(), &keystonev1.GetRequest{TableName: new("Tab")})
			return err
		},
		"Put": func() error {
			_, err := client.Put(t.Context(), &keystonev1.PutRequest{TableName: new("Tab")})
			return err
		},
		"Call": func() error {
			_, err := client.Call(t.Context(), &keystonev1.CallRequest{Operation: "PutItem", Body: []byte(`{"TableName":"Tab"}`)})
			return err
		},
		"Subscribe": func() error {
			s, err := client.Subscribe(t.Context(), &keystonev1.SubscribeRequest{TableName: new("Tab")})
			_, err = receive(t, s, err)
			return err
		},
		// Who is refused is told nothing of his message, and it is not looked at.
		"malformed": func() error {
			s, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/keystone.v1.KeystoneDb/Scan", rawCall())
			if err == nil {
				err = s.SendMsg([]byte{7})
			}
			if err == nil {
				err = s.RecvMsg(new(int))
			}
			return err
		},
	}
	refusal = api.Errorf(api.UnrecognizedClient, "who are you")
	for name, call := range calls {
		require.Equal(t, codes.Unauthenticated, status.Code(call()), name)
	}
	refusal = nil
	key = &sigv4.Key{User: "reports", ReadOnly: true}
	require.NoError(t, calls["Get"]())
	require.Equal(t, codes.PermissionDenied, status.Code(calls["Put"]()))
	require.Equal(t, codes.PermissionDenied, status.Code(calls["Call"]()))
	require.Equal(t, codes.Unimplemented, status.Code(calls["Subscribe"]())) // which reads, but is not there
}
