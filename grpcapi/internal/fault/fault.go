// Package fault turns errors of the database into statuses of gRPC and back. A status of ours has an
// ErrorDetail in its details, which carries what the JSON of the same error carries; its code is the
// one that says to a gRPC client what kind of error it is (CodeOf).
package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/engine/attr"
	"github.com/keystone-db/kstone/grpcapi/internal/pbapi"
	"github.com/keystone-db/kstone/grpcapi/keystonev1"
)

// detailURL names the type of the detail.
const detailURL = "type.googleapis.com/keystone.v1.ErrorDetail"

// detail is the message ErrorDetail.
type detail struct {
	Code                api.Code
	Message             string
	Item                attr.Item
	CancellationReasons []api.CancellationReason
	ThrottlingReasons   []api.ThrottlingReason
	ItemsOmitted        api.Opt[bool]
}

// What travels in the trailers of HTTP/2, of which a client takes so much only: one of gRPC's C core, and
// so of Python or Ruby, 8 to 16 KB, one in JavaScript 64 KB, one in Java 8 KB. What exceeds it is not cut
// there; the call fails with another code, or does not end.
const (
	// MetadataItemBytes is the metadata by which a client says how many bytes of items it takes in the
	// details of an error, as a whole number.
	MetadataItemBytes = "x-kstone-error-item-bytes"
	// itemBytesMost is what is sent at most, and to clients in Go, which take 16 MiB unless told otherwise.
	itemBytesMost = 1 << 20
	// itemBytesDefault is what other clients get unless they ask.
	itemBytesDefault = 4 << 10
	// textMaxBytes bounds the text of an error, which may repeat what a client sent, and is there three
	// times: a cancelled transaction's, with the codes of 100 actions, fits.
	textMaxBytes = 4 << 10
	// reasonMaxBytes bounds the text of each reason.
	reasonMaxBytes = 1 << 10
	// cutMark ends a text that was longer.
	cutMark = "…"

	userAgent     = "user-agent"
	userAgentOfGo = "grpc-go/"
)

var detailCodec = sync.OnceValue(func() *pbapi.Codec {
	return pbapi.New((*keystonev1.ErrorDetail)(nil).ProtoReflect().Descriptor(), detail{})
})

// CodeOf is the status code of an error's code. It never changes for a code (package keystonev1).
func CodeOf(code api.Code) codes.Code { //nolint:funlen // one flat switch
	switch code {
	case api.ResourceNotFound, api.TableNotFound, api.BackupNotFound, api.ExportNotFound, api.ImportNotFound,
		api.GlobalTableNotFound, api.IndexNotFound, api.PolicyNotFound, api.ReplicaNotFound:
		return codes.NotFound
	case api.ConditionalCheckFailed, api.ContinuousBackupsUnavailable, api.PointInTimeUnavailable:
		return codes.FailedPrecondition
	case api.TransactionCanceled, api.TransactionConflict, api.TransactionInProgress, api.ReplicatedWriteConflict,
		api.ExportConflict, api.ImportConflict:
		return codes.Aborted
	case api.Validation, api.Serialization, api.IdempotentParameterMismatch, api.ExpiredIterator,
		api.InvalidExportTime, api.InvalidRestoreTime:
		return codes.InvalidArgument
	case api.TrimmedDataAccess:
		return codes.OutOfRange
	case api.ProvisionedThroughputExceeded, api.RequestLimitExceeded, api.Throttling, api.LimitExceeded,
		api.ItemCollectionSizeLimit:
		return codes.ResourceExhausted
	case api.ResourceInUse, api.TableAlreadyExists, api.TableInUse, api.GlobalTableAlreadyExists,
		api.ReplicaAlreadyExists, api.BackupInUse, api.DuplicateItem:
		return codes.AlreadyExists
	case api.MissingAuthenticationToken, api.IncompleteSignature, api.InvalidSignature, api.UnrecognizedClient,
		api.ExpiredToken:
		return codes.Unauthenticated
	case api.AccessDenied:
		return codes.PermissionDenied
	case api.UnknownOperation:
		return codes.Unimplemented
	case api.Unavailable:
		return codes.Unavailable
	case api.DataLoss:
		return codes.DataLoss
	}
	return codes.Internal
}

// Status is the status of an error that a call with the context ended with. Of an error that is none of
// the contract's a client sees what api.Shown shows of it; hidden says that the error has a text
// of its own, which is for the log.
func Status(ctx context.Context, err error) (st *status.Status, hidden bool) {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return withDetail(ctx, e.Code, e), false
	}
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		return status.FromContextError(ended), false
	}
	// DynamoDB has no name for lost data: the code of the status has.
	return withDetail(ctx, api.CodeOf(err), api.Shown(err)), true
}

// withDetail makes the status of a code with the detail of an error.
func withDetail(ctx context.Context, code api.Code, e *api.Error) *status.Status {
	var enc pbapi.Encoder
	d := detail{Code: e.Code, Message: cut(e.Message, textMaxBytes), Item: e.Item,
		CancellationReasons: slices.Clone(e.Reasons), ThrottlingReasons: e.Throttling}
	if d.Code == api.DataLoss {
		d.Code = api.InternalServerError
	}
	if n := itemBytes(e); n > 0 && n > itemBytesTaken(ctx) {
		d.ItemsOmitted, d.Item = api.Some(true), nil
	}
	for i := range d.CancellationReasons {
		reason := &d.CancellationReasons[i]
		reason.Message.Value = cut(reason.Message.Value, reasonMaxBytes)
		if d.ItemsOmitted.Value {
			reason.Item = nil
		}
	}
	p := status.New(CodeOf(code), d.Message).Proto()
	p.Details = []*anypb.Any{{TypeUrl: detailURL, Value: enc.Append(nil, detailCodec(), &d)}}
	return status.FromProto(p)
}

// itemBytesTaken says how many bytes of items the caller takes in an error.
func itemBytesTaken(ctx context.Context) int {
	md, _ := metadata.FromIncomingContext(ctx)
	if asked := md[MetadataItemBytes]; len(asked) == 1 {
		if n, err := strconv.ParseUint(asked[0], 10, 31); err == nil {
			return min(int(n), itemBytesMost)
		}
	}
	for _, agent := range md[userAgent] {
		if strings.Contains(agent, userAgentOfGo) {
			return itemBytesMost
		}
	}
	return itemBytesDefault
}

// cut shortens a text to about so many bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + cutMark
}

func itemBytes(e *api.Error) int {
	n := len(e.Item)
	for i := range e.Reasons {
		n += len(e.Reasons[i].Item)
	}
	return n
}

// RefusedLength is in the text of gRPC's refusal of a message for which a server has no room: it is put in
// the place of the message's length, as gRPC offers no other way to refuse one before it is read.
const RefusedLength = 1<<32 - 1

// msgNoRoom is ours.
const msgNoRoom = "The server has no room for a message of this size now"

// Error is the error of a status, the other way around: a *api.Error where the status has our detail.
// One without it stays what it is, such as a connection that broke, except that the refusal of a message
// for which there was no room is api.Throttling, and that those of a context that
// ended are also context.Canceled or context.DeadlineExceeded. Nil stays nil.
func Error(err error) error {
	st, ok := status.FromError(err)
	if err == nil || !ok {
		return err
	}
	for _, any := range st.Proto().GetDetails() {
		if any.GetTypeUrl() != detailURL {
			continue
		}
		var dec pbapi.Decoder
		var d detail
		if bad := dec.Decode(detailCodec(), any.GetValue(), &d); bad != nil {
			return err
		}
		if st.Code() == codes.DataLoss {
			d.Code = api.DataLoss
		}
		return &api.Error{Code: d.Code, Message: d.Message, Item: d.Item, Reasons: d.CancellationReasons,
			Throttling: d.ThrottlingReasons}
	}
	switch st.Code() {
	case codes.ResourceExhausted:
		if strings.Contains(st.Message(), strconv.Itoa(RefusedLength)) {
			return api.Errorf(api.Throttling, msgNoRoom)
		}
	case codes.Canceled:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}
