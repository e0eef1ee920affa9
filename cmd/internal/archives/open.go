// Package archives opens what --archive names: a folder, or a bucket of S3 or of a service that speaks as
// S3 does.
package archives

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/keystone-db/kstone/cmd/internal/buckets"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/objects"
)

// Help says what --archive takes.
const Help = "folder, or s3://BUCKET/PREFIX; access as AWS tools find it, another service than AWS by\n" +
	"AWS_ENDPOINT_URL_S3"

const schemeS3 = "s3"

// Open opens what --archive names. A folder is made if it is not there, unless it shall exist.
func Open(ctx context.Context, name string, exist bool) (engine.Archive, error) {
	store, err := open(ctx, name, exist)
	if err != nil {
		return nil, fmt.Errorf("--archive: %w", err)
	}
	return store, nil
}

// OpenNamed opens an archive that is there, and that an argument names.
func OpenNamed(ctx context.Context, name string) (engine.Archive, error) {
	return open(ctx, name, true)
}

func open(ctx context.Context, name string, exist bool) (engine.Archive, error) {
	if scheme, _, ok := strings.Cut(name, "://"); ok {
		if scheme != schemeS3 {
			return nil, fmt.Errorf("%s: want a folder or s3://BUCKET/PREFIX", name)
		}
		u, err := url.Parse(name)
		if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("%s: want s3://BUCKET/PREFIX", name)
		}
		client, err := buckets.New(ctx, "")
		if err != nil {
			return nil, fmt.Errorf("s3://%s: %w", u.Host, err)
		}
		return inBucket{client.Bucket(u.Host, strings.Trim(u.Path, "/"))}, nil
	}
	folder := engine.OpenArchive
	if exist {
		folder = engine.OpenExistingArchive
	}
	store, err := folder(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && exist:
		return nil, fmt.Errorf("there is no folder %s", name)
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("folder %s does not exist: make it (mkdir -p %s)", filepath.Dir(name), filepath.Dir(name))
	case err != nil:
		return nil, err
	}
	return store, nil
}

// inBucket is an archive in a bucket.
type inBucket struct{ *buckets.Bucket }

// Put implements engine.Archive.
func (b inBucket) Put(ctx context.Context, name string, body io.ReadSeeker, replace bool) error {
	if !replace {
		return b.Create(ctx, name, body)
	}
	_, err := b.Bucket.Put(ctx, name, body, objects.PutOptions{})
	return err
}

// Get implements engine.Archive.
func (b inBucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	return b.Bucket.Get(ctx, name, "", 0)
}

// List implements engine.Archive.
func (b inBucket) List(ctx context.Context, prefix, after string) ([]string, error) {
	return b.After(ctx, prefix, after)
}

// Sizes implements engine.Archive.
func (b inBucket) Sizes(ctx context.Context, prefix string) (map[string]int64, error) {
	list, err := b.All(ctx, prefix)
	sizes := make(map[string]int64, len(list))
	for i := range list {
		sizes[list[i].Name] = list[i].Size
	}
	return sizes, err
}
