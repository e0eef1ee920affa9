package api

import (
	"errors"
	"strings"
)

// Repeat says when a client may make a call again by itself that failed.
type Repeat uint8

const (
	// RepeatRefused: only after errors that say that nothing was done (Passing). An ADD would add twice,
	// and a write with a condition meet its own work.
	RepeatRefused Repeat = iota
	// RepeatWrites: also when it is not known whether it was done, since doing it again leaves what
	// doing it once leaves; but it undoes a write of somebody else that came between, and makes two
	// changes in the stream.
	RepeatWrites
	// RepeatFree: whenever it is not known, since it changes nothing or has a token by which it is known
	// again.
	RepeatFree
)

// RepeatOf gives the rule of a call, by its request. Of a request that is nil only the operation is
// looked at.
func RepeatOf(operation string, in any) Repeat {
	switch in := in.(type) {
	case *PutItemInput:
		return repeatOfWrite(in.ConditionExpression.Set || in.Expected != nil, in.ReturnValues)
	case *DeleteItemInput:
		return repeatOfWrite(in.ConditionExpression.Set || in.Expected != nil, in.ReturnValues)
	case *BatchWriteItemInput:
		return RepeatWrites
	case *TransactWriteItemsInput:
		return repeatOfToken(in.ClientRequestToken)
	case *ExecuteTransactionInput:
		return repeatOfToken(in.ClientRequestToken)
	case *ExecuteStatementInput:
		return repeatOfStatements(in.Statement)
	case *BatchExecuteStatementInput:
		texts := make([]Opt[string], len(in.Statements))
		for i := range texts {
			texts[i] = in.Statements[i].Statement
		}
		return repeatOfStatements(texts...)
	}
	if readsOnly(operation) {
		return RepeatFree
	}
	return RepeatRefused
}

// repeatOfWrite is the rule of a put or delete. One that asks for the item of before would get its own.
func repeatOfWrite(conditional bool, returns Opt[string]) Repeat {
	if conditional || returns.Or(ReturnValueNone) != ReturnValueNone {
		return RepeatRefused
	}
	return RepeatWrites
}

func repeatOfToken(token Opt[string]) Repeat {
	if token.Value == "" {
		return RepeatRefused
	}
	return RepeatFree
}

// repeatOfStatements is the rule of statements, which only read when all begin with SELECT.
func repeatOfStatements(texts ...Opt[string]) Repeat {
	const verb = "SELECT"
	for _, t := range texts {
		text := strings.TrimSpace(t.Value)
		if len(text) < len(verb) || !strings.EqualFold(text[:len(verb)], verb) {
			return RepeatRefused
		}
	}
	return RepeatFree
}

// readsOnly says which operations change nothing, whatever their request.
func readsOnly(operation string) bool {
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

// Passing says whether an error says that nothing was done and that the same call may succeed later:
// throttling, conflicts, Unavailable.
func Passing(err error) bool {
	switch CodeOf(err) {
	case Unavailable, ProvisionedThroughputExceeded, RequestLimitExceeded, Throttling,
		TransactionConflict, TransactionInProgress, ReplicatedWriteConflict:
		return true
	case TransactionCanceled:
		e, ok := errors.AsType[*Error](err)
		return ok && onlyPassing(e.Reasons)
	}
	return false
}

// onlyPassing says whether all that cancelled a transaction may be over when it is tried again.
func onlyPassing(reasons []CancellationReason) bool {
	passing := false
	for i := range reasons {
		switch reasons[i].Code.Or(ReasonNone) {
		case ReasonNone:
		case ReasonTransactionConflict, ReasonProvisionedThroughput, ReasonThrottlingError:
			passing = true
		default:
			return false
		}
	}
	return passing
}
