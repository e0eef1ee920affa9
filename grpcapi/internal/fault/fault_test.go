package fault_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/fault"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// allCodes are the codes that the contract declares.
func allCodes(t *testing.T) []api.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../../engine/api/codes.go", nil, 0)
	require.NoError(t, err)
	var all []api.Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		require.NoError(t, err)
		all = append(all, api.Code(text))
		return true
	})
	require.Greater(t, len(all), 40)
	return all
}

// TestRoundTrip: an error of any code comes back as it was, with all that it carries.
func TestRoundTrip(t *testing.T) {
	it, err := attr.NewItem().S("pk", "a").Vec("v", 1).Build()
	require.NoError(t, err)
	for _, code := range allCodes(t) {
		for _, want := range []*api.Error{
			{Code: code},
			{Code: code, Message: "text", Item: it,
				Reasons: []api.CancellationReason{{Code: api.Some("None")}, {Code: api.Some("ConditionalCheckFailed"),
					Message: api.Some("The conditional request failed"), Item: it}},
				Throttling: []api.ThrottlingReason{{Reason: api.Some("r"), Resource: api.Some("arn")}}},
		} {
			st, hidden := fault.Status(t.Context(), fmt.Errorf("somewhere: %w", want))
			require.False(t, hidden)
			require.Equal(t, fault.CodeOf(code), st.Code())
			require.NotEqual(t, codes.OK, st.Code())
			require.Equal(t, want.Message, st.Message())
			require.Equal(t, want, fault.Error(st.Err()))

			// Programs without our client read the same from the generated message.
			detail, ok := st.Details()[0].(*keystonev1.ErrorDetail)
			require.True(t, ok)
			if code != api.DataLoss {
				require.Equal(t, string(code), detail.GetCode())
			}
			require.Equal(t, want.Message, detail.GetMessage())
			require.Len(t, detail.GetCancellationReasons(), len(want.Reasons))
		}
	}
}

// TestTable pins the codes that issue 5 names.
func TestTable(t *testing.T) {
	for code, want := range map[api.Code]codes.Code{
		api.ResourceNotFound: codes.NotFound, api.ConditionalCheckFailed: codes.FailedPrecondition,
		api.TransactionCanceled: codes.Aborted, api.Validation: codes.InvalidArgument,
		api.Serialization: codes.InvalidArgument, api.Throttling: codes.ResourceExhausted,
		api.ProvisionedThroughputExceeded: codes.ResourceExhausted, api.ResourceInUse: codes.AlreadyExists,
		api.TransactionConflict: codes.Aborted, api.MissingAuthenticationToken: codes.Unauthenticated,
		api.AccessDenied: codes.PermissionDenied, api.Unavailable: codes.Unavailable, api.DataLoss: codes.DataLoss,
		api.InternalServerError: codes.Internal, "SomethingNew": codes.Internal, api.UnknownOperation: codes.Unimplemented,
	} {
		require.Equal(t, want, fault.CodeOf(code), code)
	}
	for _, code := range allCodes(t) {
		if code != api.InternalServerError {
			require.NotEqual(t, codes.Internal, fault.CodeOf(code), "%s has a place in the table", code)
		}
	}
}

// kind is an error that says of itself what it is.
type kind struct{ unavailable, loss bool }

func (k kind) Error() string     { return "secret" }
func (k kind) Unavailable() bool { return k.unavailable }
func (k kind) DataLoss() bool    { return k.loss }

// TestHidden: the text of an error without a code is for the log.
func TestHidden(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want codes.Code
		code api.Code
	}{
		{errors.New("secret"), codes.Internal, api.InternalServerError},
		{fmt.Errorf("x: %w", kind{unavailable: true}), codes.Unavailable, api.Unavailable},
		{fmt.Errorf("x: %w", kind{loss: true}), codes.DataLoss, api.DataLoss},
		// The call has not ended: some other context of the server has.
		{context.Canceled, codes.Internal, api.InternalServerError},
	} {
		st, hidden := fault.Status(t.Context(), tt.err)
		require.True(t, hidden)
		require.Equal(t, tt.want, st.Code())
		require.NotContains(t, st.String(), "secret")
		require.Equal(t, tt.code, api.CodeOf(fault.Error(st.Err())))
	}
}

func TestContexts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	st, hidden := fault.Status(ctx, fmt.Errorf("scan: %w", context.Canceled))
	require.False(t, hidden)
	require.Equal(t, codes.Canceled, st.Code())
	require.ErrorIs(t, fault.Error(st.Err()), context.Canceled)
	require.Equal(t, codes.Canceled, status.Code(fault.Error(st.Err())))

	ctx, cancel = context.WithTimeout(t.Context(), 0)
	defer cancel()
	st, _ = fault.Status(ctx, ctx.Err())
	require.Equal(t, codes.DeadlineExceeded, st.Code())
	require.ErrorIs(t, fault.Error(st.Err()), context.DeadlineExceeded)
}

// TestForeign: errors that are none of ours stay what they are.
func TestForeign(t *testing.T) {
	require.NoError(t, fault.Error(nil))
	for _, err := range []error{errors.New("x"), status.Error(codes.Unavailable, "connection refused")} {
		require.Equal(t, err, fault.Error(err))
	}
}

// from is the context of a call by a client with the metadata.
func from(t *testing.T, pairs ...string) context.Context {
	t.Helper()
	return metadata.NewIncomingContext(t.Context(), metadata.Pairs(pairs...))
}

func detailOf(t *testing.T, ctx context.Context, e *api.Error) *keystonev1.ErrorDetail {
	t.Helper()
	st, _ := fault.Status(ctx, e)
	detail, ok := st.Details()[0].(*keystonev1.ErrorDetail)
	require.True(t, ok)
	require.Equal(t, st.Message(), detail.GetMessage())
	return detail
}

// TestLargeDetail: what would not fit into the trailers that a client takes is left out, and said so.
func TestLargeDetail(t *testing.T) {
	it, err := attr.NewItem().S("pk", strings.Repeat("a", 300_000)).Build()
	require.NoError(t, err)
	e := &api.Error{Code: api.TransactionCanceled, Message: "text"}
	for range 10 {
		e.Reasons = append(e.Reasons, api.CancellationReason{Code: api.Some("ConditionalCheckFailed"), Item: it})
	}
	st, _ := fault.Status(from(t, "user-agent", "grpc-go/1.85.0"), e)
	detail, ok := st.Details()[0].(*keystonev1.ErrorDetail)
	require.True(t, ok)
	require.True(t, detail.GetItemsOmitted())
	require.Len(t, detail.GetCancellationReasons(), 10)
	require.NotNil(t, e.Reasons[0].Item, "the error itself is as it was")
	back, ok := fault.Error(st.Err()).(*api.Error) //nolint:errorlint // made there
	require.True(t, ok)
	require.Equal(t, api.Some("ConditionalCheckFailed"), back.Reasons[9].Code)
	require.Nil(t, back.Reasons[9].Item)
}

// TestItemsByClient: who does not say what it takes gets what every client takes. One in JavaScript never
// saw the end of a call whose trailers had more than 64 KB.
func TestItemsByClient(t *testing.T) {
	small, err := attr.NewItem().S("pk", strings.Repeat("a", 4000)).Build()
	require.NoError(t, err)
	large, err := attr.NewItem().S("pk", strings.Repeat("a", 100_000)).Build()
	require.NoError(t, err)
	for _, tt := range []struct {
		name         string
		client       []string
		small, large bool // comes
	}{
		{name: "unknown", small: true},
		{name: "JavaScript", client: []string{"user-agent", "grpc-node-js/1.14.0"}, small: true},
		{name: "Go", client: []string{"user-agent", "kstone-client grpc-go/1.85.0"}, small: true, large: true},
		{name: "asks", client: []string{fault.MetadataItemBytes, "400000"}, small: true, large: true},
		{name: "asks for all", client: []string{fault.MetadataItemBytes, "2000000000"}, small: true, large: true},
		{name: "asks for none", client: []string{"user-agent", "grpc-go/1.85.0", fault.MetadataItemBytes, "0"}},
		{name: "asks for nonsense", client: []string{fault.MetadataItemBytes, "-1"}, small: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, of := range []struct {
				item  attr.Item
				comes bool
			}{{small, tt.small}, {large, tt.large}} {
				detail := detailOf(t, from(t, tt.client...), &api.Error{Code: api.ConditionalCheckFailed, Item: of.item})
				require.Equal(t, of.comes, detail.GetItem() != nil)
				require.Equal(t, !of.comes, detail.GetItemsOmitted())
			}
		})
	}
}

// TestLongText: a text that repeats what a client sent is cut, between characters.
func TestLongText(t *testing.T) {
	long := "x" + strings.Repeat("ü", 1<<20)
	e := &api.Error{Code: api.TransactionCanceled, Message: long,
		Reasons: []api.CancellationReason{{Code: api.Some("ValidationError"), Message: api.Some(long)}}}
	detail := detailOf(t, t.Context(), e)
	require.LessOrEqual(t, len(detail.GetMessage()), 4<<10+len("…"))
	require.True(t, strings.HasSuffix(detail.GetMessage(), "ü…"))
	reason := detail.GetCancellationReasons()[0].GetMessage()
	require.LessOrEqual(t, len(reason), 1<<10+len("…"))
	require.True(t, strings.HasSuffix(reason, "ü…"))
	require.Equal(t, long, e.Reasons[0].Message.Value, "the error itself is as it was")

	// The text of a cancelled transaction of any size stays whole.
	const most = 100
	whole := "Transaction cancelled, please refer cancellation reasons for specific reasons [" +
		strings.Repeat("ProvisionedThroughputExceeded, ", most) + "]"
	require.Equal(t, whole, detailOf(t, t.Context(), &api.Error{Code: api.TransactionCanceled, Message: whole}).GetMessage())
}
