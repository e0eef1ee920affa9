package dynamowire

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/klauspost/compress/gzip"
)

// Paths that need no signature and no target.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
	// metricsPath is there only where Options.Metrics is.
	metricsPath = "/metrics"
)

// Header names in canonical form, so that they can be assigned to directly.
const (
	headerTarget    = "X-Amz-Target"
	headerRequestID = "X-Amzn-Requestid"
	headerCRC       = "X-Amz-Crc32"
	headerServer    = "Server"
	headerType      = "Content-Type"
	headerLength    = "Content-Length"
	headerEncoding  = "Content-Encoding"
	headerOrigin    = "Origin"
)

// Content types (wire-facts §1.1). The service's own protocol is 1.0; clients that are generated for
// 1.1 send the same bodies and are answered in kind.
const (
	contentTypeAmazon  = "application/x-amz-json-1.0"
	contentTypeAmazon1 = "application/x-amz-json-1.1"
	contentTypeDefault = "application/json"
	// contentTypeMetrics is that of Prometheus.
	contentTypeMetrics = "text/plain; version=0.0.4; charset=utf-8"
)

// Request ids: 26 random letters and digits before a tail that the service's own have.
const (
	requestIDRandom   = 26
	requestIDAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	requestIDTail     = "VV4KQNSO5AEMVJF66Q9ASUAAJG"
)

// Cross-origin answers (wire-facts §1.6).
const (
	corsMaxAge = "172800"
	corsExpose = "x-amzn-requestid,x-amzn-errortype,x-amzn-errormessage,date"
)

// bodyUnknownRoute answers what is no call of the service at all.
const bodyUnknownRoute = "<UnknownOperationException/>\n"

// answer writes the one answer of a request.
type answer struct {
	w      http.ResponseWriter
	r      *http.Request
	h      *Handler
	values [8]string // backs the header values
	used   int
	room   [answerTextBytes]byte // backs the values that are made for this answer
	filled int
	sent   bool
}

// answerTextBytes is room for a request id, a checksum and a length.
const answerTextBytes = requestIDRandom + len(requestIDTail) + 2*decimalMaxBytes

// decimalMaxBytes is the longest decimal of a checksum (uint32) or a length.
const decimalMaxBytes = 20

// set assigns a header value without the copying of Header.Set; name must be canonical.
func (a *answer) set(name, value string) {
	if a.used == len(a.values) {
		a.w.Header()[name] = []string{value}
		return
	}
	a.values[a.used] = value
	a.w.Header()[name] = a.values[a.used : a.used+1 : a.used+1]
	a.used++
}

// begin sets what every answer has.
func (a *answer) begin() {
	a.set(headerServer, "Server")
	a.set(headerRequestID, a.keep(a.h.appendRequestID(a.rest())))
}

// rest is what is left of room, to be appended to.
func (a *answer) rest() []byte { return a.room[a.filled:a.filled] }

// keep makes a header value of what was appended to rest, without another allocation: the answer
// lives on the heap for as long as net/http needs the value, and its room is written only once.
func (a *answer) keep(b []byte) string {
	a.filled += len(b)
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// appendRequestID appends a new id of 52 characters.
func (h *Handler) appendRequestID(dst []byte) []byte {
	r := h.ids.Get().(*rand.Rand)
	var id [requestIDRandom]byte
	var bits uint64
	for i := range requestIDRandom {
		if i%8 == 0 {
			bits = r.Uint64()
		}
		id[i] = requestIDAlphabet[(bits>>(i%8*8)&0xFF)*uint64(len(requestIDAlphabet))>>8]
	}
	h.ids.Put(r)
	return append(append(dst, id[:]...), requestIDTail...)
}

// cors answers a preflight and marks other answers as open to every origin. It reports whether the
// request is answered.
func (a *answer) cors(r *http.Request) bool {
	if r.Header[headerOrigin] == nil {
		return false
	}
	header := a.w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodOptions {
		header.Set("Access-Control-Expose-Headers", corsExpose)
		return false
	}
	header.Set("Access-Control-Max-Age", corsMaxAge)
	if v := r.Header.Get("Access-Control-Request-Headers"); v != "" {
		header.Set("Access-Control-Allow-Headers", v)
	}
	if v := r.Header.Get("Access-Control-Request-Method"); v != "" {
		header.Set("Access-Control-Allow-Methods", v)
	}
	a.set(headerLength, "0")
	a.sent = true
	a.w.WriteHeader(http.StatusOK)
	return true
}

// text answers a health question.
func (a *answer) text(body []byte) {
	a.set(headerType, "text/plain; charset=utf-8")
	a.finish(http.StatusOK, body)
}

// unknownRoute answers a wrong method or content type.
func (a *answer) unknownRoute() {
	// No content type: a nil value keeps net/http from guessing one.
	a.w.Header()[headerType] = nil
	a.finish(http.StatusNotFound, []byte(bodyUnknownRoute))
}

// write answers a call. An empty output has an empty body: DynamoDB does this (TestEmptyAnswer).
func (a *answer) write(status int, contentType string, body []byte, compress bool) {
	if contentType == "" {
		contentType = contentTypeDefault
	}
	a.set(headerType, contentType)
	if compress {
		packed := a.h.buffers.Get().(*buffer)
		defer a.h.release(packed)
		sink := bytes.NewBuffer(packed.b[:0])
		zip := a.h.zips.Get().(*gzip.Writer)
		defer a.h.zips.Put(zip)
		zip.Reset(sink)
		if _, err := zip.Write(body); err == nil && zip.Close() == nil {
			a.set(headerEncoding, "gzip")
			packed.b = sink.Bytes()
			body = packed.b
		}
	}
	a.finish(status, body)
}

// finish sends the body with its checksum and length.
func (a *answer) finish(status int, body []byte) {
	// x-amz-crc32 is that of the bytes as sent.
	a.set(headerCRC, a.keep(strconv.AppendUint(a.rest(), uint64(crc32.ChecksumIEEE(body)), 10)))
	a.set(headerLength, a.keep(strconv.AppendInt(a.rest(), int64(len(body)), 10)))
	a.sent = true
	a.hurry(len(body))
	a.gather(len(body))
	a.w.WriteHeader(status)
	if len(body) > 0 {
		// A client that is gone cannot be told anything.
		_, _ = a.w.Write(body)
	}
}

// A client that takes a large answer slower than answerBytesPerSecond is cut off after answerStall
// more: until then the answer occupies memory. Small ones fit the system's buffers.
const (
	answerLargeBytes     = 64 << 10
	answerBytesPerSecond = 64 << 10
	answerStall          = 30 * time.Second
)

// hurry bounds the time for sending an answer of n bytes. The server's own time-out, which is set anew
// for each request, stands for small ones.
func (a *answer) hurry(n int) {
	if n < answerLargeBytes {
		return
	}
	most := answerStall + time.Duration(n)*time.Second/answerBytesPerSecond
	// Not every ResponseWriter has deadlines.
	_ = http.NewResponseController(a.w).SetWriteDeadline(a.h.opts.Clock().Add(min(most, WriteTimeout)))
}

// gather lets head and body of a large answer leave in one write: for a client that waits, each one is a
// wake-up. HEAD has no body.
func (a *answer) gather(n int) {
	if n < GatherMinBytes || a.r.Method == http.MethodHead {
		return
	}
	if g, ok := a.r.Context().Value(gathererKey{}).(Gatherer); ok {
		g.Gather(n)
	}
}

// compresses says whether an answer of n bytes is compressed for this client.
func (h *Handler) compresses(header http.Header, n int) bool {
	if n < h.opts.CompressMinBytes {
		return false
	}
	for _, v := range header["Accept-Encoding"] {
		for part := range strings.SplitSeq(v, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
			if strings.EqualFold(name, "gzip") && strings.TrimSpace(weight) != "q=0" {
				return true
			}
		}
	}
	return false
}

// contentTypeOf is the content type that the answer echoes, empty for one that is not accepted.
func contentTypeOf(header http.Header) string {
	v := header.Get(headerType)
	if i := strings.IndexByte(v, ';'); i >= 0 {
		v = v[:i]
	}
	switch strings.TrimSpace(v) {
	case contentTypeAmazon:
		return contentTypeAmazon
	case contentTypeAmazon1:
		return contentTypeAmazon1
	case contentTypeDefault:
		return contentTypeDefault
	}
	return ""
}

func (h *Handler) serveAlive(w http.ResponseWriter, r *http.Request) {
	a := answer{w: w, r: r, h: h}
	a.begin()
	a.text([]byte("ok\n"))
}

// serveMetrics answers with the text of Prometheus, or with JSON where that is asked for.
func (h *Handler) serveMetrics(w http.ResponseWriter, r *http.Request) {
	a := answer{w: w, r: r, h: h}
	a.begin()
	asJSON := r.Header.Get("Accept") == contentTypeDefault
	body, err := h.opts.Metrics(asJSON)
	if err != nil {
		h.opts.Logger.Error().Err(err).Msg("no metrics")
		a.finish(http.StatusInternalServerError, nil)
		return
	}
	a.set(headerType, contentTypeMetrics)
	if asJSON {
		a.set(headerType, contentTypeDefault)
	}
	a.finish(http.StatusOK, body)
}

func (h *Handler) serveReady(w http.ResponseWriter, r *http.Request) {
	a := answer{w: w, r: r, h: h}
	a.begin()
	if h.opts.Ready != nil && !h.opts.Ready(r.Context()) {
		a.set(headerType, "text/plain; charset=utf-8")
		a.finish(http.StatusServiceUnavailable, []byte("not ready\n"))
		return
	}
	a.text([]byte("ready\n"))
}
