// Package sigv4 verifies AWS Signature Version 4 as the service does: in the header or in the query
// string, in the order and with the texts of wire-facts §1.8.
//
// A Verifier holds the access keys of a credentials file (see ReadKeys for its format). Looking a
// key up is one access of a hash table; the signing key, which depends on the day, is derived once a
// day and key. The keys can be replaced while requests are verified.
package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

const (
	algorithm  = "AWS4-HMAC-SHA256"
	terminator = "aws4_request"
	service    = "dynamodb"

	dateForm = "20060102T150405Z"
	dayChars = len("20060102")

	// skewMax is how far the date of a signature may be from the server's clock. X-Amz-Expires does
	// not move it, neither way: DynamoDB does this (TestExpiresIsForS3). The documentation of AWS's SDKs
	// says so of every service but S3 (aws-sdk-go pull request 2224), and tokens are in use that live by
	// it: they name a minute and are sent for a quarter of an hour.
	skewMax = 15 * time.Minute

	headerTarget = "X-Amz-Target"
	hostHeader   = "host"
	targetHeader = "x-amz-target"

	// scopeElements: key id, day, region, service, terminator.
	scopeElements = 5
	// canonicalBytes is room for the canonical request of an ordinary call.
	canonicalBytes = 1 << 10
)

// Request is what of a request is signed.
type Request struct {
	Method string
	// Path as it came: percent-encoded.
	Path     string
	RawQuery string
	Host     string
	Header   http.Header
	// BodySum is the SHA-256 of the body as it came: compressed, if it was.
	BodySum [sha256.Size]byte
}

// Verifier checks signatures. It is safe for concurrent use.
type Verifier struct {
	region  string
	service string
	keys    atomic.Pointer[Keys]
	buffers sync.Pool // *[]byte
}

// NewVerifier makes a verifier of requests to a region.
func NewVerifier(region string, keys *Keys) *Verifier {
	v := &Verifier{region: region, service: service}
	v.buffers.New = func() any { b := make([]byte, 0, canonicalBytes); return &b }
	v.SetKeys(keys)
	return v
}

// SetKeys replaces all access keys.
func (v *Verifier) SetKeys(keys *Keys) { v.keys.Store(keys) }

// Claim is what a request says of its signature, checked as far as that goes without the body.
type Claim struct {
	auth authorization
	key  *Key
	at   time.Time
}

// Check makes checks 1 to 11 of wire-facts §1.8, which need no body: BodySum may be missing yet. It is
// for refusing unsigned and unknown clients before anything of a body is held for them.
func (v *Verifier) Check(r *Request, now time.Time) (Claim, error) {
	a, err := parse(r.Header, r.RawQuery)
	if err != nil {
		return Claim{}, err
	}
	at, err := checkDate(a.date, now)
	if err != nil {
		return Claim{}, err
	}
	if err = checkSigned(r, &a); err != nil {
		return Claim{}, err
	}
	if a.algorithm != algorithm {
		return Claim{}, api.Errorf(api.IncompleteSignature, msgAlgorithm, a.algorithm)
	}
	id, err := v.checkScope(&a)
	if err != nil {
		return Claim{}, err
	}
	key := v.keys.Load().byID[id]
	if key == nil {
		return Claim{}, api.Errorf(api.UnrecognizedClient, msgUnknownKey)
	}
	return Claim{auth: a, key: key, at: at}, nil
}

// Verify makes the checks from 12 on, over the whole request, and returns the access key that signed
// it.
func (v *Verifier) Verify(c *Claim, r *Request, now time.Time) (*Key, error) {
	if !v.matches(r, &c.auth, c.key, c.at) {
		return nil, api.Errorf(api.InvalidSignature, msgMismatch)
	}
	return c.key, c.key.checkToken(c.auth.token, now)
}

// checkDate makes checks 5 and 6.
func checkDate(date string, now time.Time) (time.Time, error) {
	at, err := time.Parse(dateForm, date)
	if err != nil || len(date) != len(dateForm) { // Parse takes fractions of a second too
		return at, api.Errorf(api.IncompleteSignature, msgDateForm, date)
	}
	text := func(t time.Time) string { return t.UTC().Format(dateForm) }
	if limit := now.Add(-skewMax); at.Before(limit) {
		return at, api.Errorf(api.InvalidSignature, msgExpired, date, text(limit), text(now))
	}
	if limit := now.Add(skewMax); at.After(limit) {
		return at, api.Errorf(api.InvalidSignature, msgNotYet, date, text(limit), text(now))
	}
	return at, nil
}

// checkSigned makes check 7. That the target must be signed as well is unsure: the signature's
// documentation asks it of every x-amz- header, and without it one recorded request could be sent
// again as another operation. Signers that move such headers to the query string sign it there.
func checkSigned(r *Request, a *authorization) error {
	var host, target bool
	for name := range strings.SplitSeq(a.signedHeaders, ";") {
		host = host || name == hostHeader
		target = target || name == targetHeader
	}
	if !host {
		return api.Errorf(api.InvalidSignature, msgMustSign, "Host")
	}
	if v := r.Header[headerTarget]; target || len(v) == 0 || len(v) == 1 && a.target == v[0] {
		return nil
	}
	return api.Errorf(api.InvalidSignature, msgMustSign, headerTarget)
}

// checkScope makes checks 9 and 10 and returns the access key's id.
func (v *Verifier) checkScope(a *authorization) (id string, err error) {
	var parts [scopeElements]string
	rest, ok := strings.TrimRight(a.credential, "/"), true
	for i := range parts {
		if !ok {
			return "", api.Errorf(api.IncompleteSignature, msgCredentialForm, a.credential)
		}
		parts[i], rest, ok = strings.Cut(rest, "/")
	}
	if ok {
		return "", api.Errorf(api.IncompleteSignature, msgCredentialForm, a.credential)
	}
	day := a.date[:dayChars]
	if parts[1] == day && parts[2] == v.region && parts[3] == v.service && parts[4] == terminator {
		return parts[0], nil
	}
	return "", v.wrongScope(parts, day, a.date)
}

// wrongScope says all that is wrong with a scope.
func (v *Verifier) wrongScope(parts [scopeElements]string, day, date string) error {
	e := api.Errorf(api.InvalidSignature, "")
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			e.Message += api.Errorf("", format, args...).Message
		}
	}
	add(parts[2] != v.region, msgScopeRegion, parts[2])
	add(parts[3] != v.service, msgScopeService, v.service)
	add(parts[4] != terminator, msgScopeTerminator, parts[4])
	add(parts[1] != day, msgScopeDate, parts[1], day, date)
	return e
}

// matches makes check 12.
func (v *Verifier) matches(r *Request, a *authorization, key *Key, at time.Time) bool {
	var given [sha256.Size]byte
	if len(a.signature) != hex.EncodedLen(len(given)) {
		return false
	}
	if _, err := hex.Decode(given[:], []byte(a.signature)); err != nil {
		return false
	}
	buf := v.buffers.Get().(*[]byte)
	defer v.buffers.Put(buf)
	canonical := appendCanonical((*buf)[:0], r, a)
	sum := sha256.Sum256(canonical)
	text := append(canonical[:0], algorithm+"\n"...)
	text = append(append(text, a.date...), '\n')
	text = appendScope(text, a.date[:dayChars], v.region, v.service)
	text = hex.AppendEncode(append(text, '\n'), sum[:])
	*buf = text
	d := key.daily(at, v.region, v.service)
	mac := d.macs.Get().(hash.Hash)
	defer d.macs.Put(mac)
	mac.Reset()
	mac.Write(text)
	var want [sha256.Size]byte
	return subtle.ConstantTimeCompare(mac.Sum(want[:0]), given[:]) == 1
}

func appendScope(dst []byte, day, region, service string) []byte {
	for _, part := range [...]string{day, region, service} {
		dst = append(append(dst, part...), '/')
	}
	return append(dst, terminator...)
}
