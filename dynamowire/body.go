package dynamowire

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"

	"github.com/keystone-db/kstone/dynamowire/codec"
)

// Errors of reading a body.
var (
	errTooLarge = errors.New("dynamowire: body is too large")
	errEncoding = errors.New("dynamowire: body is not what its Content-Encoding says")
)

// bodyStallTimeout is how long a client may take for bodyChunkBytes; a body that keeps coming may take
// up to bodyTimeout, so that a trickle does not hold the budget of large bodies for hours.
const (
	bodyStallTimeout = 30 * time.Second
	// bodyTimeout is half of WriteTimeout, which runs from the request's head: the other half is left
	// for the operation and its answer.
	bodyTimeout = WriteTimeout / 2
)

// bodyChunkBytes is how much of a body must come within one stall timeout.
const bodyChunkBytes = 64 << 10

// readBody reads a whole body, whose length as told is within the limit, into a pooled buffer. held
// is what was taken from the budget of large bodies; the caller gives it back. A compressed body is
// hashed on the way where signatures are verified: they sign what was sent.
func (h *Handler) readBody(w http.ResponseWriter, req *request, in *buffer) (held int64, err error) {
	r := req.http
	if r.ContentLength == 0 {
		return 0, nil
	}
	if most := bodyMost(r); most > bodyLargeBytes {
		if err = h.large.Acquire(r.Context(), most); err != nil {
			return 0, err
		}
		held = most
	}
	src := io.Reader(r.Body)
	if r.ContentLength < 0 || r.ContentLength > bodyChunkBytes {
		src = &patient{
			r: r.Body, setDeadline: http.NewResponseController(w).SetReadDeadline,
			clock: h.opts.Clock, end: h.opts.Clock().Add(bodyTimeout),
		}
	}
	var sent *summed
	if h.opts.Verifier != nil && r.Header.Get(headerEncoding) != "" {
		// The rest behind the compressed part is read too, so the body as sent has a bound of its own.
		sent = newSummed(http.MaxBytesReader(w, io.NopCloser(src), BodyMaxBytes))
		src, req.sum = sent, sent.sum
	}
	size := int(max(r.ContentLength, 0))
	switch encoding := r.Header.Get(headerEncoding); {
	case encoding == "" || strings.EqualFold(encoding, "identity"):
	case strings.EqualFold(encoding, "gzip"):
		src, err = gzip.NewReader(src)
		size *= 4
	case strings.EqualFold(encoding, "deflate"):
		src, err = zlib.NewReader(src)
		size *= 4
	}
	if err != nil {
		return held, errEncoding
	}
	in.b, err = readAll(in.b[:0], src, min(size, BodyMaxBytes))
	if err == nil && sent != nil {
		err = sent.drain()
	}
	return held, err
}

// inflateMax is the most that deflate can expand a body.
const inflateMax = 1032

// bodyMost is the most bytes that the body can turn out to have: its length, unless that is not
// told or the body is compressed.
func bodyMost(r *http.Request) int64 {
	switch {
	case r.ContentLength < 0:
		return BodyMaxBytes
	case r.Header.Get(headerEncoding) == "":
		return r.ContentLength
	}
	return min(r.ContentLength*inflateMax, BodyMaxBytes)
}

// readAll appends all of src to dst, at most BodyMaxBytes. size is what to expect.
func readAll(dst []byte, src io.Reader, size int) ([]byte, error) {
	if cap(dst) <= size {
		dst = make([]byte, 0, size+1)
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := src.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > BodyMaxBytes {
			return dst, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// patient moves the connection's read deadline on as long as a long body keeps coming, up to end.
type patient struct {
	r           io.Reader
	setDeadline func(time.Time) error
	clock       func() time.Time
	end         time.Time
	left        int
}

func (p *patient) Read(b []byte) (int, error) {
	if p.left <= 0 {
		p.left = bodyChunkBytes
		deadline := p.clock().Add(bodyStallTimeout)
		if deadline.After(p.end) {
			deadline = p.end
		}
		// Not every ResponseWriter has deadlines; then the server's own time-out stands.
		_ = p.setDeadline(deadline)
	}
	n, err := p.r.Read(b)
	p.left -= n
	return n, err
}

// refuseBody answers a body that could not be read.
func (a *answer) refuseBody(err error, contentType string) {
	if errors.Is(err, errTooLarge) {
		a.w.Header()[headerType] = nil
		a.w.Header().Set("Connection", "close")
		a.finish(http.StatusRequestEntityTooLarge, nil)
		return
	}
	a.write(errNotJSON.Code.Class().Status, contentType, codec.AppendError(nil, errNotJSON), false)
}
