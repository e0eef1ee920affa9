package dynamowire

import (
	"crypto/sha256"
	"hash"
	"io"
	"net/http"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
	"github.com/keystone-db/kstone/engine/api"
)

// Names that the door's tests and CORS know.
const (
	headerAuthorization = "Authorization"
	headerAmzDate       = "X-Amz-Date"
)

// admit makes the checks before an operation is reached that need no body: the target, and of the
// signature all but whether it is right (wire-facts §1.2 #6 and #7). Without a verifier any credentials
// are accepted.
func (h *Handler) admit(req *request) (err error) {
	if req.op = lookup(req.http.Header.Get(headerTarget)); req.op == nil {
		return api.Errorf(api.UnknownOperation, "")
	}
	if h.opts.Verifier == nil {
		return sigv4.CheckForm(req.http.Header, req.http.URL.RawQuery)
	}
	signed := signedOf(req.http)
	req.claim, err = h.opts.Verifier.Check(&signed, h.opts.Clock())
	return err
}

// authenticate compares the signature of a request that was admitted. The key is nil where any
// credentials are accepted.
func (h *Handler) authenticate(req *request, body []byte) (*sigv4.Key, error) {
	if h.opts.Verifier == nil {
		return nil, nil
	}
	signed := signedOf(req.http)
	if req.sum != nil {
		req.sum.Sum(signed.BodySum[:0])
	} else {
		signed.BodySum = sha256.Sum256(body)
	}
	return h.opts.Verifier.Verify(&req.claim, &signed, h.opts.Clock())
}

// signedOf is what of a request is signed, but for its body.
func signedOf(r *http.Request) sigv4.Request {
	return sigv4.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header,
	}
}

// refusedBodyBytes is the largest body that is looked at of a request that is refused anyway. The
// service looks at the JSON first (wire-facts §1.2 #5), so small bodies are read to answer in its
// order. Where signatures are verified larger ones are thrown away: whoever has no access key must not
// hold the budget of large bodies. That such a body was not JSON, or too large, is not told then.
const refusedBodyBytes = bodyChunkBytes

// discardTimeout is how long a client may take to send a body that is thrown away.
const discardTimeout = ReadHeaderTimeout

// discards says whether a request that is refused is answered without a look at its body.
func (h *Handler) discards(r *http.Request) bool {
	return h.opts.Verifier != nil && bodyMost(r) > refusedBodyBytes
}

// discard throws a body away, so that a client that reads nothing before it has sent everything gets
// the answer. The connection ends with the request.
func (h *Handler) discard(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	// Not every ResponseWriter has deadlines; then the server's own time-out stands.
	_ = http.NewResponseController(w).SetReadDeadline(h.opts.Clock().Add(discardTimeout))
	_, _ = io.CopyN(io.Discard, r.Body, BodyMaxBytes)
}

// summed hashes a body as it comes, where what is decoded from it has other bytes. What the decoder
// leaves unread is hashed by drain.
type summed struct {
	r   io.Reader
	sum hash.Hash
}

func newSummed(r io.Reader) *summed {
	sum := sha256.New()
	return &summed{r: io.TeeReader(r, sum), sum: sum}
}

func (s *summed) Read(b []byte) (int, error) { return s.r.Read(b) }

// drain reads to the end of the body, which is bounded by what it told as its length or else by
// http.MaxBytesReader.
func (s *summed) drain() error {
	_, err := io.Copy(io.Discard, s.r)
	return err
}
