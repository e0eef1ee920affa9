// Package fault turns errors of the database into statuses of gRPC and back. A status of ours has an
// ErrorDetail in its details, which carries what the JSON of the same error carries; its code is the
// one that says to a gRPC client what kind of error it is (CodeOf).
package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"google.golang.org/grpc/codes"
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

// detailMaxBytes bounds the items of a detail.
const detailMaxBytes = 1 << 20

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
// the contract's a client sees its kind and a text of the service; hidden says that the error has a text
// of its own, which is for the log.
func Status(ctx context.Context, err error) (st *status.Status, hidden bool) {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return withDetail(e.Code, e), false
	}
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		return status.FromContextError(ended), false
	}
	switch code := api.CodeOf(err); code {
	case api.Unavailable:
		return withDetail(code, api.Errorf(code, api.MsgUnavailable)), true
	default: // DynamoDB has no name for lost data: the code of the status has
		return withDetail(code, api.Errorf(api.InternalServerError, api.MsgInternal)), true
	}
}

// withDetail makes the status of a code with the detail of an error.
func withDetail(code api.Code, e *api.Error) *status.Status {
	var enc pbapi.Encoder
	d := detail{Code: e.Code, Message: e.Message, Item: e.Item, CancellationReasons: e.Reasons,
		ThrottlingReasons: e.Throttling}
	if d.Code == api.DataLoss {
		d.Code = api.InternalServerError
	}
	if itemBytes(e) > detailMaxBytes {
		d.ItemsOmitted, d.Item = api.Some(true), nil
		d.CancellationReasons = slices.Clone(e.Reasons)
		for i := range d.CancellationReasons {
			d.CancellationReasons[i].Item = nil
		}
	}
	p := status.New(CodeOf(code), e.Message).Proto()
	p.Details = []*anypb.Any{{TypeUrl: detailURL, Value: enc.Append(nil, detailCodec(), &d)}}
	return status.FromProto(p)
}

func itemBytes(e *api.Error) int {
	n := len(e.Item)
	for i := range e.Reasons {
		n += len(e.Reasons[i].Item)
	}
	return n
}

// Error is the error of a status, the other way around: a *api.Error where the status has our detail.
// One without it stays what it is, such as a connection that broke, except that those of a context that
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
	case codes.Canceled:
		return fmt.Errorf("%w: %w", context.Canceled, err)
	case codes.DeadlineExceeded:
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	}
	return err
}
