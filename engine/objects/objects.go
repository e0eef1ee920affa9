// Package objects is where exports write and imports read: buckets of named objects. Dir keeps a bucket as a
// folder of the file system; another Store, such as one of S3, comes by engine.Options.Buckets.
//
// Names are those of S3: bytes of UTF-8, at most NameMaxBytes, that may hold slashes. A Dir takes of them those
// that are paths of files below its folder: no empty, "." or ".." element, no slash at either end.
package objects

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

// NameMaxBytes is the longest name of an object, as in S3.
const NameMaxBytes = 1024

// Faults of a bucket that whoever asked for it should know of. Methods of a Store return them too, since
// some stores find out only then. An object that is not there is fs.ErrNotExist.
var (
	// ErrNoBucket: there is no bucket of that name.
	ErrNoBucket = errors.New("objects: the bucket does not exist")
	// ErrDenied: the bucket may not be used so.
	ErrDenied = errors.New("objects: access denied")
	// ErrRefused: the store will not do what it was asked, however often.
	ErrRefused = errors.New("objects: the store refuses")
	// ErrChanged: an object is not the version that was asked for.
	ErrChanged = errors.New("objects: the object was changed")
)

// Info says what an object is.
type Info struct {
	Name string
	// Size in bytes.
	Size int64
	// Version changes with the content, as far as the store can tell: an entity tag, or a time of change. It
	// may be empty.
	Version string
}

// PutOptions say how an object is kept. A store may have no use for them.
type PutOptions struct {
	// Encryption is the service's name of a way to encrypt, AES256 or KMS; empty for the bucket's default.
	Encryption string
	// KMSKey is the key of KMS; empty for the account's own.
	KMSKey string
}

// Store is one bucket. Its methods may be called concurrently.
type Store interface {
	// Put stores all of body under a name, durably and as a whole, or returns an error; what was there under
	// the name is replaced. The answer is the entity tag, without quotes.
	Put(ctx context.Context, name string, body io.ReadSeeker, opts PutOptions) (etag string, err error)
	// Get opens an object from an offset on, which is at most its size. version, unless empty, is that of its
	// Info: an object that is another one by now is ErrChanged, as far as the store can tell.
	Get(ctx context.Context, name, version string, from int64) (io.ReadCloser, error)
	// List returns the objects whose names begin with prefix, sorted by the bytes of their names, and no more
	// than limit of them.
	List(ctx context.Context, prefix string, limit int) ([]Info, error)
}

// Open finds buckets. owner is the account that the bucket should belong to; a store may have no use for it.
// The error is ErrNoBucket, ErrDenied or another.
type Open func(ctx context.Context, bucket, owner string) (Store, error)

// Missing says whether an error means that an object is not there.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Final says whether an error will not go away by itself.
func Final(err error) bool {
	return errors.Is(err, ErrNoBucket) || errors.Is(err, ErrDenied) || errors.Is(err, ErrRefused) ||
		errors.Is(err, ErrChanged) || Missing(err)
}
