package dynamowire

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
)

// store answers GetItem with an item of the key asked for, and ListTables with an internal error.
type store struct {
	api.Base
	denied error
}

func (*store) GetItem(_ context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	return &api.GetItemOutput{Item: in.Key}, nil
}

func (*store) TagResource(context.Context, *api.TagResourceInput) (*api.TagResourceOutput, error) {
	return &api.TagResourceOutput{}, nil
}

var errInside = errors.New("disk on fire")

func (*store) ListTables(context.Context, *api.ListTablesInput) (*api.ListTablesOutput, error) {
	return nil, errInside
}

func (s *store) BatchExecuteStatement(
	ctx context.Context, in *api.BatchExecuteStatementInput,
) (*api.BatchExecuteStatementOutput, error) {
	if e := api.Denied(ctx, len(in.Statements)-1); e != nil {
		s.denied = e
	}
	return &api.BatchExecuteStatementOutput{}, nil
}

func TestCall(t *testing.T) {
	svc := &store{}
	body := []byte(`{"TableName":"T","Key":{"pk":{"S":"a\u0041"}}}`)
	answer, err := Call(t.Context(), svc, "GetItem", body)
	require.NoError(t, err)
	// The answer is the caller's: neither another call nor a change of the request touches it.
	clear(body)
	_, err = Call(t.Context(), svc, "GetItem", []byte(`{"TableName":"T","Key":{"pk":{"S":"zzzzzz"}}}`))
	require.NoError(t, err)
	require.JSONEq(t, `{"Item":{"pk":{"S":"aA"}}}`, string(answer))

	answer, err = Call(t.Context(), svc, "TagResource", []byte(`{}`))
	require.NoError(t, err)
	require.Empty(t, answer)
}

// TestCallErrors: what the HTTP door makes of a request before an operation is reached is made here too.
func TestCallErrors(t *testing.T) {
	deep := `{"TableName":"T","Key":{"pk":{"S":1}}`
	for _, tt := range []struct{ operation, body, want string }{
		{"Nope", `{}`, "UnknownOperationException"},
		{"Nope", ``, "UnknownOperationException"},
		{"Nope", `{`, "SerializationException"},
		{"GetItem", ``, "SerializationException"},
		{"GetItem", `[]`, "SerializationException"},
		{"GetItem", deep, "SerializationException"},
		{"GetItem", deep + `}`, "SerializationException: NUMBER_VALUE cannot be converted to String"},
		{"DescribeTable", `{"TableName":1}`, "SerializationException: NUMBER_VALUE cannot be converted to String"},
		{"GetItem", `{"a":"` + strings.Repeat("a", BodyMaxBytes) + `"}`, "SerializationException"},
		{"PutItem", `{}`, "UnknownOperationException: " + strings.ReplaceAll(api.MsgNotBuilt, "%s", "PutItem")},
	} {
		_, err := Call(t.Context(), &store{}, tt.operation, []byte(tt.body))
		var e *api.Error
		require.ErrorAs(t, err, &e, "%s", tt.operation)
		require.Equal(t, tt.want, e.Error())
	}
	_, err := Call(t.Context(), &store{}, "ListTables", []byte(`{}`))
	require.Equal(t, errInside, err, "an internal error stays what it is")
}

// keyOf is a key of authKeys, as the holder of its secret gets it.
func keyOf(t *testing.T, id string) *sigv4.Key {
	t.Helper()
	h := guarded(t)
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.Header.Set(headerTarget, prefixDynamoDB+".GetItem")
	sign(t, r, id, "", nil, time.Now())
	req := &request{http: r}
	require.NoError(t, h.admit(req))
	key, err := h.authenticate(req, nil)
	require.NoError(t, err)
	return key
}

// TestMay: rights of a key are those of the HTTP door (TestAccess), for requests from anywhere.
func TestMay(t *testing.T) {
	clerk, reader := keyOf(t, "CLERK"), keyOf(t, "READER")
	access := Access{Region: "eu-west-1", Account: "1", StatementAccess: func(s string) (string, string, StatementAction, bool) {
		return s, "", StatementSelect, true
	}}
	const text = "AccessDeniedException: User: arn:aws:iam::1:user/clerk is not authorized to perform: dynamodb:%s on " +
		"resource: arn:aws:dynamodb:eu-west-1:1:table/T%p because no identity-based policy allows the dynamodb:%s action"
	put := &api.PutItemInput{TableName: api.Some("T"), Item: attr.Item{}}
	denied := func(action, part string) string {
		return strings.NewReplacer("%s", action, "%p", part).Replace(text)
	}
	for _, tt := range []struct {
		key       *sigv4.Key
		operation string
		in        any
		want      string
	}{
		{nil, "PutItem", put, ""},
		{keyOf(t, "ROOT"), "PutItem", put, ""},
		{clerk, "PutItem", put, denied("PutItem", "")},
		{clerk, "PutItem", &api.PutItemInput{TableName: api.Some("Orders")}, ""},
		{reader, "Subscribe", &api.SubscribeInput{TableName: api.Some("T")}, ""},
		{clerk, "Subscribe", &api.SubscribeInput{TableName: api.Some("Orders")}, ""},
		{clerk, "Subscribe", &api.SubscribeInput{TableName: api.Some("T")}, denied("GetRecords", "")},
		{clerk, "Subscribe", &api.SubscribeInput{
			TableName: api.Some("Orders"), StreamArn: api.Some("arn:aws:dynamodb:eu-west-1:1:table/T/stream/2026"),
		}, denied("GetRecords", "/stream/2026")},
		{clerk, "Subscribe", &api.SubscribeInput{}, strings.ReplaceAll(denied("GetRecords", ""),
			"arn:aws:dynamodb:eu-west-1:1:table/T", "*")},
	} {
		_, err := access.May(t.Context(), tt.key, tt.operation, tt.in)
		if tt.want == "" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, tt.want)
	}

	svc := &store{}
	_, err := access.Call(t.Context(), clerk, svc, "GetItem", []byte(`{"TableName":"T"}`))
	require.EqualError(t, err, denied("GetItem", ""))
	_, err = access.Call(t.Context(), clerk, svc, "GetItem", []byte(`{"TableName":"Orders","Key":{}}`))
	require.NoError(t, err)
	_, err = access.Call(t.Context(), clerk, svc, "BatchExecuteStatement", []byte(`{"Statements":[{"Statement":"T"}]}`))
	require.NoError(t, err)
	require.EqualError(t, svc.denied, denied("PartiQLSelect", ""))
}
