package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/keystone-db/kstone/engine/api"
)

// The waits between tries: the longest of them doubles from the first to the last, and the wait itself
// is any time up to that, so that clients that failed together do not come back together.
const (
	waitFirst    = 25 * time.Millisecond
	waitLast     = 2 * time.Second
	triesDefault = 8
	// feedTriesMax is how often in a row a feed is begun anew that delivers nothing: some two minutes of
	// an unreachable server.
	feedTriesMax = 128
)

// rule says when a call may be made again.
type rule uint8

const (
	// once: after errors that say that nothing was done.
	once rule = iota
	// repeatable: also when it is unknown whether it was done.
	repeatable
)

// rule finds the rule of a call.
func (s *service) rule(operation string, in any) rule {
	if isRead(operation, in) {
		return repeatable
	}
	switch in := in.(type) {
	case *api.TransactWriteItemsInput:
		return ruleOfToken(in.ClientRequestToken)
	case *api.ExecuteTransactionInput:
		return ruleOfToken(in.ClientRequestToken)
	}
	if s.opts.WriteOnce {
		return once
	}
	switch in := in.(type) {
	case *api.PutItemInput:
		return ruleOfWrite(in.ConditionExpression.Set || in.Expected != nil, in.ReturnValues)
	case *api.DeleteItemInput:
		return ruleOfWrite(in.ConditionExpression.Set || in.Expected != nil, in.ReturnValues)
	case *api.BatchWriteItemInput:
		return repeatable
	}
	return once
}

func ruleOfToken(token api.Opt[string]) rule {
	if token.Set {
		return repeatable
	}
	return once
}

// ruleOfWrite is the rule of a put or delete. One that has a condition would meet its own work when it
// is made again, and so would one that asks for the item of before.
func ruleOfWrite(conditional bool, returns api.Opt[string]) rule {
	if conditional || returns.Or(api.ReturnValueNone) != api.ReturnValueNone {
		return once
	}
	return repeatable
}

// isRead says whether a call changes nothing.
func isRead(operation string, in any) bool {
	switch in := in.(type) {
	case *api.ExecuteStatementInput:
		return isSelect(in.Statement)
	case *api.BatchExecuteStatementInput:
		for i := range in.Statements {
			if !isSelect(in.Statements[i].Statement) {
				return false
			}
		}
		return true
	}
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

func isSelect(statement api.Opt[string]) bool {
	const verb = "SELECT"
	text := strings.TrimSpace(statement.Value)
	return len(text) >= len(verb) && strings.EqualFold(text[:len(verb)], verb)
}

// withToken gives a transaction a token when it has none, which makes it repeatable. The caller's input
// is left as it is.
func (s *service) withToken(in any) (any, error) {
	if s.opts.Tries == 1 {
		return in, nil
	}
	switch in := in.(type) {
	case *api.TransactWriteItemsInput:
		if in.ClientRequestToken.Set {
			return in, nil
		}
		token, err := s.random.token()
		own := *in
		own.ClientRequestToken = api.Some(token)
		return &own, err
	case *api.ExecuteTransactionInput:
		if in.ClientRequestToken.Set {
			return in, nil
		}
		token, err := s.random.token()
		own := *in
		own.ClientRequestToken = api.Some(token)
		return &own, err
	}
	return in, nil
}

// again says whether a call that failed so may be made again.
func (r rule) again(err error) bool {
	switch api.CodeOf(err) {
	case api.Unavailable, api.ProvisionedThroughputExceeded, api.RequestLimitExceeded, api.Throttling,
		api.TransactionConflict, api.TransactionInProgress, api.ReplicatedWriteConflict:
		return true
	case api.TransactionCanceled:
		return onlyPassing(err)
	}
	lost, ok := errors.AsType[*TransportError](err)
	return ok && r == repeatable && lost.code() == codes.Unavailable
}

// onlyPassing says whether all that cancelled a transaction may be over when it is tried again.
func onlyPassing(err error) bool {
	e, ok := errors.AsType[*api.Error](err)
	if !ok {
		return false
	}
	passing := false
	for i := range e.Reasons {
		switch e.Reasons[i].Code.Or(api.ReasonNone) {
		case api.ReasonNone:
		case api.ReasonTransactionConflict, api.ReasonProvisionedThroughput, api.ReasonThrottlingError:
			passing = true
		default:
			return false
		}
	}
	return passing
}

// repeat makes a call until it succeeds, fails for good, or was tried often enough.
func (s *service) repeat(ctx context.Context, r rule, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		if err == nil || try >= s.opts.Tries || !r.again(err) {
			return err
		}
		if err := s.pause(ctx, try, err); err != nil {
			return err
		}
	}
}

// pause waits before the next try. When that is in vain the error is the context's and has the error of
// the try, too.
func (s *service) pause(ctx context.Context, try int, failed error) error {
	most := waitLast
	if try < 10 { // no overflow
		most = min(waitLast, waitFirst<<(try-1))
	}
	d, err := s.random.upTo(most)
	if err == nil {
		err = s.opts.Wait(ctx, d)
	}
	if err != nil {
		return fmt.Errorf("%w; before that: %w", err, failed)
	}
	return nil
}

// wait is the default of Options.Wait.
func wait(ctx context.Context, d time.Duration) error {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		if end, _ := over.Deadline(); end.Equal(deadline) {
			return context.DeadlineExceeded // before the wait is over: there will be no next try
		}
	}
	<-over.Done()
	return ctx.Err()
}

// randomness is a source of random numbers for concurrent use.
type randomness struct {
	mu     sync.Mutex // held while source is read
	source io.Reader
}

func newRandomness(source io.Reader) *randomness {
	if source == nil {
		source = rand.Reader
	}
	return &randomness{source: source}
}

func (r *randomness) read(p []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := io.ReadFull(r.source, p)
	return err
}

// upTo is any time from 0 to most.
func (r *randomness) upTo(most time.Duration) (time.Duration, error) {
	var b [8]byte
	err := r.read(b[:])
	return time.Duration(binary.LittleEndian.Uint64(b[:]) % uint64(most+1)), err
}

// tokenBytes is the length of a token's content; its text has 32 of the 36 characters it may have.
const tokenBytes = 16

// token makes a ClientRequestToken.
func (r *randomness) token() (string, error) {
	var b [tokenBytes]byte
	err := r.read(b[:])
	return hex.EncodeToString(b[:]), err
}
