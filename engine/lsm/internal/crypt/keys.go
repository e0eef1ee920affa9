package crypt

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
)

const (
	// KeyBytes is the length of the user's key, of the data key and of all keys that are derived.
	KeyBytes = 32
	// TagBytes is how much longer sealed bytes are.
	TagBytes = 16
	// SaltBytes is the length of the salt of a table or spill.
	SaltBytes = 32
	// WrappedBytes is the length of a wrapped data key.
	WrappedBytes = 1 + nonceBytes + KeyBytes + TagBytes

	nonceBytes    = 12
	databaseBytes = 16
	cipherGCM     = 1
	wrapPurpose   = "kstone data key"
)

// Purpose of a derived key. On disk: never change.
type Purpose string

// Purposes.
const (
	Log   Purpose = "kstone log"
	Table Purpose = "kstone table"
	Spill Purpose = "kstone spill"
)

var (
	// ErrWrongKey: the key does not unwrap the data key of this database.
	ErrWrongKey = errors.New("wrong key")
	// ErrSealed: what was sealed does not open. Its bytes are changed, or it stands in a wrong place.
	ErrSealed = errors.New("it does not open with the database's key")

	errCleared = errors.New("the database's key is cleared: it is closed")
	errWrapped = errors.New("the wrapped key has an unknown form")
)

// Keys of one database. Nil are those of a database that is not encrypted. Safe for concurrent use.
type Keys struct {
	database [databaseBytes]byte
	watch    func(Use)
	places   sync.Pool

	mu      sync.RWMutex
	data    *[KeyBytes]byte // apart, where fmt does not look
	cleared bool
}

// Use of a nonce, as Watch tells it.
type Use struct {
	Purpose Purpose
	// Salt of the key, valid only during the call as Plain is, which is what will be sealed.
	Salt, Plain []byte
	Number      uint64
}

func newKeys(database [databaseBytes]byte) *Keys {
	k := &Keys{database: database, data: new([KeyBytes]byte)}
	k.places.New = func() any { return new(place) }
	return k
}

// New draws the data key of a new database.
func New(database [databaseBytes]byte, rand io.Reader) (*Keys, error) {
	k := newKeys(database)
	if _, err := io.ReadFull(rand, k.data[:]); err != nil {
		return nil, fmt.Errorf("draw a data key: %w", err)
	}
	return k, nil
}

// Format shows nothing of the key, whoever prints what, and how.
func (k *Keys) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "the keys of a database") }

// Watch tells every use of a nonce of keys that are derived from now on. For tests.
func (k *Keys) Watch(fn func(Use)) { k.watch = fn }

// newGCM takes a key apart, which may be cleared afterwards.
func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Wrap seals the data key with the user's.
func (k *Keys) Wrap(user []byte, rand io.Reader) ([]byte, error) {
	aead, err := newGCM(user)
	if err != nil {
		return nil, err
	}
	wrapped := make([]byte, 1+nonceBytes, WrappedBytes)
	wrapped[0] = cipherGCM
	if _, err := io.ReadFull(rand, wrapped[1:]); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.cleared {
		return nil, errCleared
	}
	return aead.Seal(wrapped, wrapped[1:], k.data[:], wrapData(k.database)), nil
}

func wrapData(database [databaseBytes]byte) []byte {
	return append([]byte(wrapPurpose), database[:]...)
}

// Unwrap opens the data key of a database; ErrWrongKey if it is another's.
func Unwrap(database [databaseBytes]byte, user, wrapped []byte) (*Keys, error) {
	if len(wrapped) != WrappedBytes || wrapped[0] != cipherGCM {
		return nil, errWrapped
	}
	aead, err := newGCM(user)
	if err != nil {
		return nil, err
	}
	k := newKeys(database)
	if _, err := aead.Open(k.data[:0], wrapped[1:1+nonceBytes], wrapped[1+nonceBytes:], wrapData(database)); err != nil {
		return nil, ErrWrongKey
	}
	return k, nil
}

// Clear overwrites the data key. Sealers that are in use go on; none is derived any more. What Go's
// cipher has made of a key cannot be overwritten: it stays until the memory is used again.
func (k *Keys) Clear() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.data[:])
	k.cleared = true
}

// Overhead is how many bytes sealing adds: TagBytes, or 0 for a database that is not encrypted.
func (k *Keys) Overhead() int {
	if k == nil {
		return 0
	}
	return TagBytes
}

// Sealer derives the key of one salt. object is the log id or the number of table or spill. It is nil,
// and seals nothing, for nil Keys.
func (k *Keys) Sealer(purpose Purpose, salt []byte, object uint64) (*Sealer, error) {
	if k == nil {
		return nil, nil //nolint:nilnil // a nil Sealer is that of plain files
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.cleared {
		return nil, errCleared
	}
	key, err := hkdf.Key(sha256.New, k.data[:], salt, string(purpose), KeyBytes)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	s := &Sealer{aead: aead, database: k.database, object: object, places: &k.places}
	if k.watch != nil {
		s.watch = func(number uint64, plain []byte) { k.watch(Use{purpose, salt, plain, number}) }
	}
	return s, nil
}
