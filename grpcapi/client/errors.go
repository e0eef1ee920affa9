package client

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/keystone-db/kstone/engine/api"
	"github.com/keystone-db/kstone/grpcapi/internal/fault"
)

// TransportError is the failure of a call on the way to the database, such as a connection that broke.
type TransportError struct {
	// Err is the error of gRPC.
	Err error
	// NotSent says that the request surely was not executed, as it was not even sent: there was no
	// connection to send it on. Else it may have been.
	NotSent bool
}

// Error is the error of gRPC with what it means.
func (e *TransportError) Error() string {
	if e.NotSent {
		return "client: not sent: " + e.Err.Error()
	}
	return "client: no answer: " + e.Err.Error()
}

// Unwrap is the error of gRPC.
func (e *TransportError) Unwrap() error { return e.Err }

// Unavailable says that nothing was done and that trying again later may help: api.CodeOf knows the error
// by it as api.Unavailable.
func (e *TransportError) Unavailable() bool { return e.NotSent && e.code() == codes.Unavailable }

// code is the status code.
func (e *TransportError) code() codes.Code { return status.Code(e.Err) }

// failure is the error of a call that gRPC ended with an error.
func failure(ctx context.Context, err error, sent bool) error {
	if found := fault.Error(err); found != err { //nolint:errorlint // whether it is the same
		if _, ours := errors.AsType[*api.Error](found); ours {
			return found
		}
	}
	code := status.Code(err)
	switch {
	case ctx.Err() != nil && (code == codes.Canceled || code == codes.DeadlineExceeded):
		return ctx.Err()
	case code == codes.DeadlineExceeded:
		return context.DeadlineExceeded // the server's clock was the first
	}
	return &TransportError{Err: err, NotSent: !sent}
}
