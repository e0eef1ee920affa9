package archives

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// callTimeout bounds one request, of at most some 30 MiB but for large batches.
	callTimeout = 5 * time.Minute
	// deleteWorkers delete objects at once.
	deleteWorkers = 8
)

// bucket is an archive in a bucket.
type bucket struct {
	client *s3.Client
	name   string
	prefix string // "" or with a slash at its end
	// plain: the service does not know conditional puts.
	plain atomic.Bool
}

func openS3(ctx context.Context, name, prefix string) (*bucket, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("s3://%s: %w", name, err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	return newBucket(cfg, name, prefix), nil
}

func newBucket(cfg aws.Config, name, prefix string) *bucket {
	if prefix != "" {
		prefix += "/"
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Names of buckets as names of hosts are of AWS; digests of our own are in every object, and other
		// services do not know those of newer SDKs.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return &bucket{client: client, name: name, prefix: prefix}
}

func (b *bucket) explain(name string, err error) error {
	return fmt.Errorf("s3://%s/%s%s: %w", b.name, b.prefix, name, err)
}

// status is the HTTP status of a refusal; 0 if there was no answer.
func status(err error) int {
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// Put implements engine.Archive.
func (b *bucket) Put(ctx context.Context, name string, body io.ReadSeeker, replace bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := &s3.PutObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name), Body: body}
	if !replace && !b.plain.Load() {
		in.IfNoneMatch = aws.String("*")
	} else if !replace {
		if err := b.vacant(ctx, name); err != nil {
			return err
		}
	}
	_, err := b.client.PutObject(ctx, in)
	switch {
	case err == nil:
		return nil
	case status(err) == http.StatusPreconditionFailed, status(err) == http.StatusConflict && in.IfNoneMatch != nil:
		return b.explain(name, fs.ErrExist)
	case status(err) == http.StatusNotImplemented && in.IfNoneMatch != nil:
		b.plain.Store(true)
		if _, err := body.Seek(0, io.SeekStart); err != nil {
			return err
		}
		return b.Put(ctx, name, body, replace)
	}
	return b.explain(name, err)
}

// vacant looks whether a name is taken, as well as one can without conditions.
func (b *bucket) vacant(ctx context.Context, name string) error {
	_, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name)})
	switch {
	case err == nil:
		return b.explain(name, fs.ErrExist)
	case status(err) == http.StatusNotFound:
		return nil
	}
	return b.explain(name, err)
}

// body ends the time limit of its request when it is closed.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// Get implements engine.Archive.
func (b *bucket) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name)})
	if err == nil {
		return body{out.Body, cancel}, nil
	}
	cancel()
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok || status(err) == http.StatusNotFound {
		err = fs.ErrNotExist
	}
	return nil, b.explain(name, err)
}

// List implements engine.Archive.
func (b *bucket) List(ctx context.Context, prefix, after string) ([]string, error) {
	var names []string
	err := b.each(ctx, prefix, after, func(name string, _ int64) { names = append(names, name) })
	slices.Sort(names)
	return names, err
}

// Sizes implements engine.Archive.
func (b *bucket) Sizes(ctx context.Context, prefix string) (map[string]int64, error) {
	sizes := map[string]int64{}
	err := b.each(ctx, prefix, "", func(name string, size int64) { sizes[name] = size })
	return sizes, err
}

// each lists objects page by page.
func (b *bucket) each(ctx context.Context, prefix, after string, visit func(name string, size int64)) error {
	in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: aws.String(b.prefix + prefix)}
	if after != "" {
		in.StartAfter = aws.String(b.prefix + after)
	}
	for pages := s3.NewListObjectsV2Paginator(b.client, in); pages.HasMorePages(); {
		page, err := b.page(ctx, pages)
		if err != nil {
			return b.explain(prefix, err)
		}
		for _, o := range page.Contents {
			visit(strings.TrimPrefix(aws.ToString(o.Key), b.prefix), aws.ToInt64(o.Size))
		}
	}
	return nil
}

// Delete implements engine.Archive, one by one: not every service can delete many at once.
func (b *bucket) Delete(ctx context.Context, names ...string) error {
	var first error
	var once sync.Once
	left := make(chan string)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	for range min(deleteWorkers, len(names)) {
		work.Go(func() {
			for name := range left {
				if err := b.remove(ctx, name); err != nil {
					once.Do(func() { first = err })
					cancel()
				}
			}
		})
	}
	for _, name := range names {
		left <- name
	}
	close(left)
	work.Wait()
	return first
}

func (b *bucket) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name)})
	if err == nil || status(err) == http.StatusNotFound {
		return nil
	}
	return b.explain(name, err)
}

func (b *bucket) page(ctx context.Context, pages *s3.ListObjectsV2Paginator) (*s3.ListObjectsV2Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pages.NextPage(ctx)
}
