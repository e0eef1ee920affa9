package dynamowire

import (
	"crypto/sha256"
	"hash"
	"io"

	"github.com/keystone-db/kstone/dynamowire/sigv4"
)

// Names that the door's tests and CORS know.
const (
	headerAuthorization = "Authorization"
	headerAmzDate       = "X-Amz-Date"
)

// authenticate makes the checks of wire-facts §1.8. Without a verifier any credentials are accepted,
// and the answer is nil.
func (h *Handler) authenticate(req *request, body []byte) (*sigv4.Key, error) {
	r := req.http
	if h.opts.Verifier == nil {
		return nil, sigv4.CheckForm(r.Header, r.URL.RawQuery)
	}
	signed := sigv4.Request{
		Method: r.Method, Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, Host: r.Host, Header: r.Header,
	}
	if req.sum != nil {
		req.sum.Sum(signed.BodySum[:0])
	} else {
		signed.BodySum = sha256.Sum256(body)
	}
	return h.opts.Verifier.Verify(&signed, h.opts.Clock())
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
