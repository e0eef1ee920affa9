package sigv4

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/keystone-db/kstone/engine/api"
)

// MissingToken is the error of a request that says nothing of who makes it.
func MissingToken() error { return api.Errorf(api.MissingAuthenticationToken, msgNoToken) }

// Secret finds a key by what its holder knows, for doors that are told secrets instead of signatures:
// over TLS, or on the same machine. How long it takes tells nothing of the secret. An id that is not
// known and a wrong secret have one error. A key with a token needs that too.
func (v *Verifier) Secret(id, secret, token string, now time.Time) (*Key, error) {
	key := v.keys.Load().byID[id]
	var want string
	if key != nil {
		want = key.secret
	}
	given, known := sha256.Sum256([]byte(secret)), sha256.Sum256([]byte(want))
	if subtle.ConstantTimeCompare(given[:], known[:]) != 1 || key == nil {
		return nil, api.Errorf(api.UnrecognizedClient, msgUnknownKey)
	}
	return key, key.checkToken(token, now)
}

// Named finds a key for a holder who has shown by other means that it is theirs, such as a certificate.
func (v *Verifier) Named(id string, now time.Time) (*Key, error) {
	key := v.keys.Load().byID[id]
	if key == nil {
		return nil, api.Errorf(api.UnrecognizedClient, msgUnknownKey)
	}
	return key, key.checkToken(key.token, now)
}
