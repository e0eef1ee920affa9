package awslocal

import (
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/keystone-db/kstone/engine/api"
)

// Transport answers HTTP requests by calling the door of a database: an http.RoundTripper for any
// program that speaks DynamoDB JSON over net/http, and an aws.HTTPClient. Host and scheme of the URL are
// not looked at. It is safe for concurrent use.
//
// A request runs in the caller's goroutine and ends with its context, as far as the database does: what
// was done by then stays done, as on the network.
type Transport struct{ handler http.Handler }

// NewTransport makes the transport to a service, such as an *engine.DB.
func NewTransport(svc api.Service) *Transport { return &Transport{newHandler(svc)} }

// Do is RoundTrip, under the name that the SDK calls.
func (t *Transport) Do(r *http.Request) (*http.Response, error) { return t.RoundTrip(r) }

var errAborted = errors.New("awslocal: the door broke off the answer")

// RoundTrip makes one exchange. The answer is complete when it returns, and its body need not be closed.
func (t *Transport) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if r.Body != nil {
		defer r.Body.Close() //nolint:errcheck // it was only read
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			resp, err = nil, errAborted
		default:
			panic(p)
		}
	}()
	a := &answer{header: make(http.Header, answerHeaders)}
	t.handler.ServeHTTP(a, asServed(r))
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return a.response(r), nil
}

// asServed is a client's request as a server would find it. A RoundTripper must not change the original.
func asServed(r *http.Request) *http.Request {
	served := *r
	if served.Body == nil {
		served.Body, served.ContentLength = http.NoBody, 0
	} else if served.ContentLength == 0 && served.Body != http.NoBody {
		served.ContentLength = -1 // not told: net/http has 0 mean that for clients
	}
	if served.Host == "" {
		served.Host = served.URL.Host
	}
	if served.URL.Path == "" {
		u := *served.URL
		u.Path = "/"
		served.URL = &u
	}
	return &served
}

// answerHeaders is room for the headers that answers have.
const answerHeaders = 8

// answer is what the door writes.
type answer struct {
	header http.Header
	status int
	body   []byte
	read   int
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write implements http.ResponseWriter. The door writes an answer at once and uses its memory again for
// the next, so this is the one copy.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, p...)
	return len(p), nil
}

// Read implements the body of the response.
func (a *answer) Read(p []byte) (int, error) {
	if a.read == len(a.body) {
		return 0, io.EOF
	}
	n := copy(p, a.body[a.read:])
	a.read += n
	return n, nil
}

// WriteTo spares io.Copy and its like a buffer.
func (a *answer) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(a.body[a.read:])
	a.read += n
	return int64(n), err
}

// Close implements the body of the response.
func (a *answer) Close() error { return nil }

// response is the answer as a client would find it.
func (a *answer) response(r *http.Request) *http.Response {
	a.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		a.body = nil
	}
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: a, ContentLength: int64(len(a.body)), Request: r,
	}
}
