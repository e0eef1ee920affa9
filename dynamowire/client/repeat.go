package client

import (
	"errors"
	"net"
	"strings"

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
	switch api.CodeOf(err) {
	case api.Throttling, api.ProvisionedThroughputExceeded, api.RequestLimitExceeded, api.Unavailable,
		api.TransactionInProgress:
		return true
	case api.InternalServerError:
		_, answered := errors.AsType[*api.Error](err)
		_, lost := errors.AsType[broken](err)
		return (answered || lost) && harmless(operation, in)
	}
	return false
}

// harmless says whether making a request twice leaves what making it once leaves.
func harmless(operation string, in any) bool {
	switch in := in.(type) {
	case *api.PutItemInput:
		return !in.ConditionExpression.Set && in.Expected == nil && quiet(in.ReturnValues)
	case *api.DeleteItemInput:
		return !in.ConditionExpression.Set && in.Expected == nil && quiet(in.ReturnValues)
	case *api.TransactWriteItemsInput:
		return in.ClientRequestToken.Value != ""
	case *api.ExecuteTransactionInput:
		return in.ClientRequestToken.Value != ""
	case *api.BatchWriteItemInput:
		return true
	}
	return reads(operation)
}

// quiet says that the item which was there before is not asked for.
func quiet(returnValues api.Opt[string]) bool {
	return returnValues.Or(api.ReturnValueNone) == api.ReturnValueNone
}

// reads says which operations change nothing. A statement may be anything.
func reads(operation string) bool {
	switch operation {
	case "Query", "Scan", "BatchGetItem", "TransactGetItems", "SearchVectors":
		return true
	}
	for _, verb := range []string{"Get", "Describe", "List"} {
		if strings.HasPrefix(operation, verb) {
			return true
		}
	}
	return false
}
