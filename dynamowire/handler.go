// Package dynamowire serves api.Service as the service does: DynamoDB JSON over HTTP.
//
// One request takes the steps of wire-facts §1.2, in this order: size, CORS, health, method and
// content type, JSON, target, authentication, empty body, then the operation's own checks behind
// api.Service. Target and signature are looked at before the body is read, the signature's comparison
// left out (see refusedBodyBytes for where that shows).
//
// The hot path reads the body once into a pooled buffer, decodes it in one pass, appends the answer
// to another pooled buffer and writes it once, with the checksum in the header.
package dynamowire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/klauspost/compress/gzip"
	"github.com/rs/zerolog"
	"golang.org/x/sync/semaphore"

	"github.com/keystone-db/kstone/dynamowire/codec"
	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
)

// Options of a handler.
type Options struct {
	// Region is named by the health text; default us-east-1.
	Region string
	// Seed of the request ids, which are for logs, not secrets.
	Seed uint64
	// Logger gets what clients must not see: the text of internal errors, panics.
	Logger zerolog.Logger
	// Clock is asked for the time of deadlines. Required.
	Clock func() time.Time
	// Ready says whether the database takes writes, for /readyz; nil means always.
	Ready func(context.Context) bool
	// Metrics gives the body of /metrics, in the text format of Prometheus or as JSON; nil leaves the
	// path out. It is served without a signature.
	Metrics func(asJSON bool) ([]byte, error)
	// InFlightBytes bounds the large bodies that are held at once; 0 means InFlightBytesDefault.
	InFlightBytes int64
	// CompressMinBytes is the size from which answers are compressed for clients that ask; 0 means
	// CompressMinBytesDefault.
	CompressMinBytes int
	// Verifier checks signatures; nil accepts any credentials.
	Verifier *sigv4.Verifier
	// Account and StatementAccess are those of Access.
	Account         string
	StatementAccess func(statement string) (table, index string, action StatementAction, ok bool)
	// Policies is that of Access.
	Policies api.Authorizer
}

// Limits of the door.
const (
	// BodyMaxBytes is the largest body, plain or once decompressed: 16 MB.
	BodyMaxBytes = 16 << 20
	// InFlightBytesDefault bounds bodies over bodyLargeBytes together.
	InFlightBytesDefault = 256 << 20
	// CompressMinBytesDefault: unsure (wire-facts §10 #21).
	CompressMinBytesDefault = 4 << 10

	bodyLargeBytes = 1 << 20
	// pooledMaxBytes is the largest buffer that goes back to the pool: a page of 1 MB of items is up
	// to three times that as JSON.
	pooledMaxBytes = 4 << 20
	bufferBytes    = 4 << 10
)

// Handler answers HTTP requests from an api.Service. It is safe for concurrent use.
type Handler struct {
	svc     api.Service
	opts    Options
	access  Access
	router  chi.Router
	health  []byte
	large   *semaphore.Weighted
	buffers sync.Pool // *buffer
	ids     sync.Pool // *rand.Rand
	zips    sync.Pool // *gzip.Writer: making one costs far more than using it
	seed    atomic.Uint64
}

// buffer is a pooled byte slice.
type buffer struct{ b []byte }

// NewHandler makes the handler of a service.
func NewHandler(svc api.Service, opts Options) *Handler {
	access := Access{Region: opts.Region, Account: opts.Account, StatementAccess: opts.StatementAccess, Policies: opts.Policies}.withDefaults()
	if opts.InFlightBytes == 0 {
		opts.InFlightBytes = InFlightBytesDefault
	}
	if opts.CompressMinBytes == 0 {
		opts.CompressMinBytes = CompressMinBytesDefault
	}
	h := &Handler{
		svc: svc, opts: opts, access: access, large: semaphore.NewWeighted(max(opts.InFlightBytes, BodyMaxBytes)),
		health: []byte("healthy: dynamodb." + access.Region + ".amazonaws.com "),
	}
	h.seed.Store(opts.Seed)
	h.buffers.New = func() any { return &buffer{b: make([]byte, 0, bufferBytes)} }
	h.ids.New = func() any { return rand.New(rand.NewPCG(opts.Seed, h.seed.Add(1))) }
	h.zips.New = func() any { return gzip.NewWriter(nil) }
	h.router = chi.NewRouter()
	open := map[string]http.HandlerFunc{healthPath: h.serveAlive, readyPath: h.serveReady}
	if opts.Metrics != nil {
		open[metricsPath] = h.serveMetrics
	}
	for path, serve := range open {
		h.router.Get(path, serve)
		h.router.Head(path, serve) // as many health checks ask
	}
	h.router.Post("/", h.serveOperation) // where SDKs send everything: without a wildcard nothing is captured
	h.router.HandleFunc("/*", h.serveOperation)
	h.router.NotFound(h.serveOperation)
	h.router.MethodNotAllowed(h.serveOperation)
	return h
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.router.ServeHTTP(w, r) }

// request is one request on its way.
type request struct {
	http *http.Request
	op   *operation
	// refused is why the request is refused without looking at its body; nil otherwise.
	refused error
	// claim is what was checked of the signature, where signatures are verified.
	claim sigv4.Claim
	// sum of the body as it came, where that is not what was decoded; else nil.
	sum hash.Hash
}

// serveOperation takes a request through the steps of wire-facts §1.2.
func (h *Handler) serveOperation(w http.ResponseWriter, r *http.Request) {
	a := answer{w: w, r: r, h: h}
	a.begin()
	defer h.recovered(&a)
	if r.ContentLength > BodyMaxBytes {
		a.refuseBody(errTooLarge, "")
		return
	}
	if a.cors(r) {
		return
	}
	if r.Method == http.MethodGet {
		a.text(h.health)
		return
	}
	contentType := contentTypeOf(r.Header)
	if r.Method != http.MethodPost || r.ContentLength > 0 && contentType == "" {
		a.unknownRoute()
		return
	}
	req := request{http: r}
	if req.refused = h.admit(&req); req.refused != nil && h.discards(r) {
		h.discard(w, r)
		status, body := h.fail(&req, req.refused, nil, nil)
		a.write(status, contentType, body, false)
		return
	}
	in := h.buffers.Get().(*buffer)
	defer h.release(in)
	held, err := h.readBody(w, &req, in)
	if held > 0 {
		defer h.large.Release(held)
	}
	if err != nil {
		a.refuseBody(err, contentType)
		return
	}
	if len(in.b) > 0 && contentType == "" {
		a.unknownRoute()
		return
	}
	out := h.buffers.Get().(*buffer)
	defer h.release(out)
	status, body := h.call(r.Context(), &req, in.b, out.b[:0])
	out.b = body
	a.write(status, contentType, body, h.compresses(r.Header, len(body)))
}

// release puts a buffer back, unless a large request has blown it up.
func (h *Handler) release(b *buffer) {
	if cap(b.b) <= pooledMaxBytes {
		b.b = b.b[:0]
		h.buffers.Put(b)
	}
}

// call answers one request: the answer is appended to dst.
func (h *Handler) call(ctx context.Context, req *request, body, dst []byte) (int, []byte) {
	who, err := h.enter(req, body)
	if err == nil {
		dst, err = req.op.call(ctx, h.svc, who, body, dst)
	}
	if err == nil {
		return http.StatusOK, dst
	}
	return h.fail(req, err, body, dst[:0])
}

// enter makes the checks before an operation is reached that need the body. caller is nil for one who
// may do everything.
func (h *Handler) enter(req *request, body []byte) (*caller, error) {
	err := req.refused
	var key *sigv4.Key
	if err == nil {
		key, err = h.authenticate(req, body)
	}
	if err = checkBody(err, body); err != nil {
		return nil, err
	}
	who := h.access.callerOf(key, req.op.name)
	if who != nil {
		who.from, who.secure = req.http.RemoteAddr, req.http.TLS != nil
	}
	return who, nil
}

// checkBody gives the error before an operation is reached: err, unless the body is no JSON. That is
// looked at only where an error is to be reported anyway: decoding finds bad JSON by itself.
func checkBody(err error, body []byte) error {
	switch {
	case err != nil && len(body) > 0 && !json.Valid(body):
		return errNotJSON
	case err == nil && len(body) == 0:
		return errNotJSON
	}
	return err
}

// errNotJSON is a body that is no JSON object: the service sends no text.
var errNotJSON = api.Errorf(api.Serialization, "")

// settled is the error of an operation: a type mismatch in a body that is no JSON at all is reported as
// that.
func settled(e *api.Error, body []byte) *api.Error {
	if e.Code == api.Serialization && e.Message != "" && !json.Valid(body) {
		return errNotJSON
	}
	return e
}

// fail renders an error.
func (h *Handler) fail(req *request, err error, body, dst []byte) (int, []byte) {
	e, ok := errors.AsType[*api.Error](err)
	if ok {
		e = settled(e, body)
	} else {
		h.report(req, err)
		e = api.Shown(err)
	}
	return e.Code.Class().Status, codec.AppendError(dst, e)
}

// report logs the cause of an internal error. A client that hung up causes none: its request ends
// wherever it is, and nobody reads the answer.
func (h *Handler) report(req *request, err error) {
	event, text := h.opts.Logger.Error(), "internal error"
	if errors.Is(err, context.Canceled) && req.http.Context().Err() != nil {
		event, text = h.opts.Logger.Debug(), "the client left"
	}
	event.Err(err).Str("target", req.http.Header.Get(headerTarget)).Msg(text)
}

// recovered turns a panic into an internal error: a client's input never ends the process.
func (h *Handler) recovered(a *answer) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	h.opts.Logger.Error().Str("panic", fmt.Sprint(p)).Bytes("stack", debug.Stack()).Msg("panic")
	if !a.sent {
		e := api.Errorf(api.InternalServerError, api.MsgInternal)
		a.write(e.Code.Class().Status, contentTypeDefault, codec.AppendError(nil, e), false)
	}
}

// Prefixes of targets, by service.
const (
	prefixDynamoDB = "DynamoDB_20120810"
	prefixStreams  = "DynamoDBStreams_20120810"
)

// lookup finds the operation of a target; nil when the target is malformed or unknown.
func lookup(target string) *operation {
	if target == ReplicateTarget {
		return &replicate
	}
	service, name, ok := strings.Cut(target, ".")
	if !ok {
		return nil
	}
	op := operations()[name]
	if op == nil || op.prefix != service {
		return nil
	}
	return op
}
