package superblock

import (
	"errors"
	"fmt"
	"io"

	"github.com/keystone-db/kstone/engine/lsm/internal/base"
	"github.com/keystone-db/kstone/engine/lsm/internal/crypt"
)

// Errors of Unlock beside corruption.
var (
	// ErrKeyNeeded: the database is encrypted and there is no key.
	ErrKeyNeeded = errors.New("the file is encrypted and needs its key")
	// ErrWrongKey: the key is not the one that wraps the data key.
	ErrWrongKey = errors.New("the file is encrypted with another key")
	// ErrNotEncrypted: there is a key and the database is not encrypted.
	ErrNotEncrypted = errors.New("the file is not encrypted and takes no key")
)

// Encrypted says whether Unlock wants a key.
func (s *Superblock) Encrypted() bool { return s.WrappedKey != nil }

// Unlock unwraps the data key with the user's, which is nil for a database that is not encrypted. The
// superblock verifies, so that a key that does not fit is a wrong key and no damage.
func (s *Superblock) Unlock(user []byte) error {
	switch {
	case s.WrappedKey == nil && user == nil:
		return nil
	case s.WrappedKey == nil:
		return ErrNotEncrypted
	case user == nil:
		return ErrKeyNeeded
	}
	keys, err := crypt.Unwrap(s.Database, user, s.WrappedKey)
	if errors.Is(err, crypt.ErrWrongKey) {
		return ErrWrongKey
	}
	if err != nil {
		return &base.CorruptError{Region: "superblock", Offset: keyAt, Reason: err.Error()}
	}
	s.Keys = keys
	return nil
}

// Lock draws a data key for a new database and wraps it with the user's; nil leaves it plain.
func (s *Superblock) Lock(user []byte, rand io.Reader) error {
	if user == nil {
		return nil
	}
	keys, err := crypt.New(s.Database, rand)
	if err != nil {
		return err
	}
	s.Keys = keys
	return s.Wrap(user, rand)
}

// Wrap makes user the key that wraps the data key of an unlocked database.
func (s *Superblock) Wrap(user []byte, rand io.Reader) error {
	wrapped, err := s.Keys.Wrap(user, rand)
	if err != nil {
		return fmt.Errorf("wrap the data key: %w", err)
	}
	s.WrappedKey = wrapped
	return nil
}
