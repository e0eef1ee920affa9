package client

import (
	"errors"
	"net"

	"github.com/keystone-db/kstone/engine/api"
)

// broken is an exchange that came to no answer.
type broken struct{ error }

func (b broken) Unwrap() error { return b.error }

// Unavailable says that nothing was sent: there was no connection (api.CodeOf).
func (b broken) Unavailable() bool {
	op, ok := errors.AsType[*net.OpError](b.error)
	return ok && op.Op == "dial"
}

// repeatable says whether a call that failed with err may be sent again (the package comment has the
// rules).
func repeatable(err error, operation string, in any) bool {
	if errors.Is(err, errLong) {
		return false // it will be as long again
	}
	if api.Passing(err) {
		return true
	}
	_, answered := errors.AsType[*api.Error](err)
	_, lost := errors.AsType[broken](err)
	return (answered || lost) && api.CodeOf(err) == api.InternalServerError &&
		api.RepeatOf(operation, in) != api.RepeatRefused
}
