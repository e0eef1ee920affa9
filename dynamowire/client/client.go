// Package client is the service over HTTP: an api.Service whose calls go to any server that speaks
// DynamoDB JSON, ours or another.
//
// Who signs requests is the caller's choice (Options.Sign), so that the package needs no AWS SDK.
//
// # Calls that are repeated
//
// A call that failed is repeated only where that cannot do anything twice, at most Options.Attempts times
// and with growing pauses. The AWS SDKs repeat more: after a server error or a broken connection they
// send every request again, also an UpdateItem that adds to a number, which is then added twice, and a
// conditional PutItem that may fail on what it wrote itself. Here
//
//   - whatever was refused before anything was done is repeated (api.Passing): throttling, conflicts of
//     transactions, 503 of the service, a connection that could not be made;
//   - what may have been done, which is a 500, a connection that broke, or an answer that is damaged, is
//     repeated if doing it again leaves what doing it once leaves (api.RepeatOf): all that only reads; PutItem and
//     DeleteItem without a condition and without ReturnValues; BatchWriteItem; TransactWriteItems and
//     ExecuteTransaction with a ClientRequestToken. (Between the two somebody else's write of the same
//     item may be lost, as with every SDK.)
//
// Other errors come back at once.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/engine/api"
)

// Defaults of Options.
const (
	// AttemptsDefault is what the SDKs make.
	AttemptsDefault = 3
	// AnswerMaxBytesDefault: 16 MB of the smallest attributes are about nine times that as JSON.
	AnswerMaxBytesDefault = 256 << 20
)

// Pauses before a call is repeated: half to all of waitFirst, doubled each time, up to waitMax.
const (
	waitFirst = 50 * time.Millisecond
	waitMax   = 5 * time.Second
)

// Options of a client. The zero value sends unsigned requests once each.
type Options struct {
	// Sign signs a request whose other headers are set; body is what it will send and must not be
	// changed. It is called for every attempt, as signatures grow old, by many goroutines at a time. With
	// nil a signature of nobody is sent, which servers take that accept any credentials.
	Sign func(r *http.Request, body []byte) error
	// HTTP makes the exchanges; nil means net/http's, without redirects.
	HTTP *http.Client
	// StreamsEndpoint is the URL of the four operations of streams where that is another, as it is in
	// the cloud; empty means the same.
	StreamsEndpoint string
	// Attempts is how often a call is sent at most; 0 means AttemptsDefault.
	Attempts int
	// After is time.After or a test's. With nil nothing is repeated.
	After func(time.Duration) <-chan time.Time
	// Random gives numbers in [0, 1) that spread pauses, so that clients which failed together do not
	// come back together; nil means no spread. It is called by many goroutines at a time.
	Random func() float64
	// AnswerMaxBytes bounds an answer, which is held in memory; 0 means AnswerMaxBytesDefault.
	AnswerMaxBytes int64
}

// Client is an api.Service over HTTP. It is safe for concurrent use.
//
// Its errors are those of api.Service: of type *api.Error where the server answered with one. Others
// show what went wrong on the way; api.CodeOf says Unavailable of them when nothing was sent.
type Client struct {
	api.Forward
	endpoint string
	opts     Options
}

var _ api.Service = (*Client)(nil)

// New makes a client of the server at a URL such as http://localhost:8000. Nothing is sent yet.
func New(endpoint string, opts Options) (*Client, error) {
	if opts.StreamsEndpoint == "" {
		opts.StreamsEndpoint = endpoint
	}
	for _, text := range []string{endpoint, opts.StreamsEndpoint} {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("client: %q is no URL such as http://localhost:8000", text)
		}
	}
	if opts.HTTP == nil {
		opts.HTTP = NewHTTP()
	}
	if opts.Attempts <= 0 {
		opts.Attempts = AttemptsDefault
	}
	if opts.After == nil {
		opts.Attempts = 1
	}
	if opts.Random == nil {
		opts.Random = func() float64 { return 1 }
	}
	if opts.AnswerMaxBytes <= 0 {
		opts.AnswerMaxBytes = AnswerMaxBytesDefault
	}
	c := &Client{endpoint: endpoint, opts: opts}
	c.Do = c.call
	return c, nil
}

// idlePerHost is how many connections wait for the next call: all calls go to one host, and net/http's
// two would make the others of many concurrent callers connect anew each time.
const idlePerHost = 100

// NewHTTP makes what exchanges go through by default. Redirects are not followed: the signature is for one host.
func NewHTTP() *http.Client {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // a program has put its own there
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	transport = transport.Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, idlePerHost
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close drops idle connections; the client can still be used.
func (c *Client) Close() error {
	c.opts.HTTP.CloseIdleConnections()
	return nil
}

// Prefixes of targets.
const (
	prefixDynamoDB = "DynamoDB_20120810."
	prefixStreams  = "DynamoDBStreams_20120810."
)

// streams says which operations are those of streams, made once.
var streams = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for _, op := range api.Operations() {
		if op.Service == api.ServiceStreams {
			out[op.Name] = true
		}
	}
	return out
})

// call makes one call, in as many attempts as it takes.
func (c *Client) call(ctx context.Context, operation string, in, out any) error {
	body, err := codec.AppendRequest(nil, operation, in)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		answer, err := c.exchange(ctx, operation, body)
		if err == nil {
			return codec.DecodeAnswer(operation, answer, out)
		}
		if attempt >= c.opts.Attempts || ctx.Err() != nil || !repeatable(err, operation, in) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-c.opts.After(c.pause(attempt)):
		}
	}
}

// pause is how long to wait after an attempt, counted from 1.
func (c *Client) pause(attempt int) time.Duration {
	most := min(waitFirst<<min(attempt-1, 10), waitMax)
	return most/2 + time.Duration(float64(most/2)*c.opts.Random())
}

// exchange sends one request and reads the body of its answer.
func (c *Client) exchange(ctx context.Context, operation string, body []byte) ([]byte, error) {
	r, err := c.request(ctx, operation, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.opts.HTTP.Do(r)
	if err != nil {
		return nil, broken{fmt.Errorf("client: %s: %w", operation, err)}
	}
	defer resp.Body.Close() //nolint:errcheck // nothing is left to be read
	answer, err := c.read(resp)
	if err != nil {
		return nil, broken{fmt.Errorf("client: %s: the answer: %w", operation, err)}
	}
	if resp.StatusCode != http.StatusOK {
		return nil, codec.DecodeError(resp.StatusCode, answer)
	}
	return answer, nil
}

// request makes a signed request.
func (c *Client) request(ctx context.Context, operation string, body []byte) (*http.Request, error) {
	endpoint, target := c.endpoint, prefixDynamoDB+operation
	switch {
	case operation == replicateTarget:
		target = operation
	case streams()[operation]:
		endpoint, target = c.opts.StreamsEndpoint, prefixStreams+operation
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if r.URL.Path == "" {
		r.URL.Path = "/"
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", target)
	r.Header.Set("Accept-Encoding", "identity") // the checksum is that of the bytes as sent
	if c.opts.Sign == nil {
		r.Header.Set("X-Amz-Date", "20000101T000000Z")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=nobody/20000101/us-east-1/dynamodb/aws4_request, "+
			"SignedHeaders=host;x-amz-date, Signature=none")
		return r, nil
	}
	if err = c.opts.Sign(r, body); err != nil {
		return nil, fmt.Errorf("client: signing: %w", err)
	}
	return r, nil
}

// Errors of reading an answer.
var (
	errLong     = errors.New("it is longer than the client takes")
	errChecksum = errors.New("its checksum is wrong")
)

// readAheadMax bounds the memory that is taken on the word of a Content-Length.
const readAheadMax = 4 << 20

// read reads the body of an answer and checks it.
func (c *Client) read(resp *http.Response) ([]byte, error) {
	var answer bytes.Buffer
	if resp.ContentLength > c.opts.AnswerMaxBytes {
		return nil, errLong
	}
	answer.Grow(int(min(max(resp.ContentLength, 0), readAheadMax)) + bytes.MinRead)
	n, err := answer.ReadFrom(io.LimitReader(resp.Body, c.opts.AnswerMaxBytes+1))
	switch {
	case err != nil:
		return nil, err
	case n > c.opts.AnswerMaxBytes:
		return nil, errLong
	}
	if sum := resp.Header.Get("X-Amz-Crc32"); sum != "" {
		want, err := strconv.ParseUint(sum, 10, 32)
		if err != nil || uint32(want) != crc32.ChecksumIEEE(answer.Bytes()) {
			return nil, errChecksum
		}
	}
	return answer.Bytes(), nil
}
