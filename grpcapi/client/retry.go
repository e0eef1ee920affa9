package client

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// rule finds the rule of a call.
func (s *service) rule(operation string, in any) api.Repeat {
	r := api.RepeatOf(operation, in)
	if r == api.RepeatWrites && s.opts.WriteOnce {
		r = api.RepeatRefused
	}
	return r
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

// again says whether a call that has a rule and failed so may be made again.
func again(r api.Repeat, err error) bool {
	if api.Passing(err) {
		return true
	}
	if r == api.RepeatRefused {
		return false
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Code == api.InternalServerError
	}
	lost, ok := errors.AsType[*TransportError](err)
	return ok && lost.code() == codes.Unavailable
}

// repeat makes a call until it succeeds, fails for good, or was tried often enough.
func (s *service) repeat(ctx context.Context, r api.Repeat, call func() error) error {
	for try := 1; ; try++ {
		err := call()
		if err == nil || try >= s.opts.Tries || !again(r, err) {
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
