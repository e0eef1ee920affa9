// Package archives opens what --archive names: a folder, or a bucket of S3 or of a service that speaks as
// S3 does.
package archives

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/keystone-db/kstone/engine"
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
		return openS3(ctx, u.Host, strings.Trim(u.Path, "/"))
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
