package engine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keystone-db/kstone/engine"
)

// newKey makes a key. Keep it where the database is not.
func newKey() []byte {
	key := make([]byte, engine.EncryptionKeyBytes)
	_, err := rand.Read(key)
	check(err)
	return key
}

// A file that was made with a key opens with that key only. Rekey replaces it without writing the data again.
func ExampleRekey() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	path, old, young := filepath.Join(dir, "secret.kstone"), newKey(), newKey()

	db, err := engine.Open(path, engine.Options{EncryptionKey: old})
	check(err)
	check(db.Close())
	_, err = engine.Open(path, engine.Options{})
	fmt.Println("without a key:", errors.Is(err, engine.ErrKeyNeeded))

	check(engine.Rekey(path, engine.RekeyOptions{Key: old, NewKey: young}))
	_, err = engine.Open(path, engine.Options{EncryptionKey: old})
	fmt.Println("with the old key:", errors.Is(err, engine.ErrWrongKey))
	db, err = engine.Open(path, engine.Options{EncryptionKey: young})
	check(err)
	check(db.Close())
	// Output:
	// without a key: true
	// with the old key: true
}

// Reencrypt also encrypts a file that was not encrypted until now.
func ExampleReencrypt() {
	dir, err := os.MkdirTemp("", "kstone")
	check(err)
	defer func() { _ = os.RemoveAll(dir) }()
	path, key := filepath.Join(dir, "open.kstone"), newKey()

	db, err := engine.Open(path, engine.Options{})
	check(err)
	check(db.Close())
	check(engine.Reencrypt(context.Background(), path, engine.RekeyOptions{NewKey: key}))
	_, err = engine.Open(path, engine.Options{})
	fmt.Println(errors.Is(err, engine.ErrKeyNeeded))
	// Output: true
}
