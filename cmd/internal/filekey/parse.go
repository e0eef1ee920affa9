package filekey

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"

	"github.com/keystone-db/kstone/engine"
)

const keyBytes = engine.EncryptionKeyBytes

var (
	errForm = errors.New("no key: want 32 random bytes, or the same in 64 hexadecimal digits or in base64; " +
		"openssl rand -hex 32 makes one")
	errText = errors.New("no key: want 32 random bytes in 64 hexadecimal digits or in base64; " +
		"openssl rand -hex 32 makes one")
	errPassphrase = errors.New("32 readable characters are a password and no key: want 32 random bytes, or the same " +
		"in 64 hexadecimal digits or in base64; openssl rand -hex 32 makes one")
)

// parse reads a key in any of its forms, which differ in length. White space around a text is
// nothing. The result shares no memory with the text.
func parse(text []byte) ([]byte, error) {
	if len(text) == keyBytes {
		if readable(text) {
			return nil, errPassphrase
		}
		return bytes.Clone(text), nil
	}
	text = bytes.TrimSpace(text)
	key := make([]byte, keyBytes)
	switch len(text) {
	case hex.EncodedLen(keyBytes):
		if _, err := hex.Decode(key, text); err == nil {
			return key, nil
		}
	case base64.StdEncoding.EncodedLen(keyBytes), base64.RawStdEncoding.EncodedLen(keyBytes):
		text = bytes.TrimRight(text, "=")
		for _, form := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if form.DecodedLen(len(text)) != keyBytes {
				break
			}
			if n, err := form.Decode(key, text); err == nil && n == keyBytes {
				return key, nil
			}
		}
	}
	clear(key)
	return nil, errForm
}

// readable says whether somebody could have typed it: of 10¹³ random keys one is.
func readable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}
