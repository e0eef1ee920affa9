// Package buckets speaks to S3, or to a service that speaks as S3 does: for the archive of a database and for
// exports, imports and bulk puts.
package buckets

import (
	"context"
	"crypto/md5" //nolint:gosec // the checksum that S3 has here
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/keystone-db/kstone/engine/objects"
)

const (
	// callTimeout bounds one request, of at most some 30 MiB but for large batches; of a body that is read
	// as it comes, the time between two reads.
	callTimeout = 5 * time.Minute
	// deleteWorkers delete objects at once.
	deleteWorkers = 8
	// regionDefault is for services that have no regions.
	regionDefault = "us-east-1"
	codeNoBucket  = "NoSuchBucket"
	// putMaxBytes is the largest object that S3 takes in one piece. None here is as large.
	putMaxBytes = 5 << 30
)

// Client finds buckets. Access comes as AWS tools find it: environment, profile, instance.
type Client struct{ s3 *s3.Client }

// New makes a client. An endpoint is the URL of another service than AWS; empty leaves it to
// AWS_ENDPOINT_URL_S3 and the profile.
func New(ctx context.Context, endpoint string) (*Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	if endpoint != "" {
		cfg.BaseEndpoint = &endpoint
	}
	return Of(cfg), nil
}

// Of makes a client of a configuration.
func Of(cfg aws.Config) *Client {
	if cfg.Region == "" {
		cfg.Region = regionDefault
	}
	return &Client{s3.NewFromConfig(cfg, func(o *s3.Options) {
		// Names of buckets as names of hosts are of AWS; digests of our own are in every object, and other
		// services do not know those of newer SDKs.
		o.UsePathStyle = o.BaseEndpoint != nil
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})}
}

// Bucket is a bucket, or what has a prefix in one. Nothing is looked up: it need not exist.
func (c *Client) Bucket(name, prefix string) *Bucket {
	if prefix != "" {
		prefix += "/"
	}
	return &Bucket{client: c.s3, name: name, prefix: prefix}
}

// Open implements objects.Open. That there is no such bucket shows in its first use.
func (c *Client) Open(_ context.Context, bucket, owner string) (objects.Store, error) {
	b := c.Bucket(bucket, "")
	if owner != "" {
		b.owner = &owner
	}
	return b, nil
}

// Bucket implements objects.Store.
type Bucket struct {
	client *s3.Client
	name   string
	owner  *string
	prefix string // "" or with a slash at its end
	// plain: the service does not know conditional puts.
	plain atomic.Bool
}

// Prefix is what stands before all names: empty, or with a slash at its end.
func (b *Bucket) Prefix() string { return b.prefix }

// explain says which object an error is about, and finds the errors that objects has.
func (b *Bucket) explain(name string, err error) error {
	api, _ := errors.AsType[smithy.APIError](err)
	switch {
	case api != nil && api.ErrorCode() == codeNoBucket:
		err = fmt.Errorf("%w: %w", objects.ErrNoBucket, err)
	case status(err) == http.StatusForbidden:
		err = fmt.Errorf("%w: %w", objects.ErrDenied, err)
	case refused(status(err)):
		err = fmt.Errorf("%w: %w", objects.ErrRefused, err)
	}
	return fmt.Errorf("s3://%s/%s%s: %w", b.name, b.prefix, name, err)
}

// status is the HTTP status of a refusal; 0 if there was no answer.
func status(err error) int {
	if e, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// refused says whether a status is of a request that will not be answered otherwise another time. A bucket of
// another region answers with a redirect.
func refused(status int) bool {
	switch status {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusTooManyRequests:
		return false
	}
	return status >= http.StatusMultipleChoices && status < http.StatusInternalServerError
}

// Put implements objects.Store.
func (b *Bucket) Put(ctx context.Context, name string, body io.ReadSeeker, opts objects.PutOptions) (string, error) {
	in := b.putInput(name, body)
	var err error
	if in.ContentMD5, err = checksum(body); err != nil {
		return "", err
	}
	switch opts.Encryption {
	case "":
	case "KMS":
		in.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		if opts.KMSKey != "" {
			in.SSEKMSKeyId = &opts.KMSKey
		}
	default:
		in.ServerSideEncryption = types.ServerSideEncryption(opts.Encryption)
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	out, err := b.client.PutObject(ctx, in)
	if err != nil {
		return "", b.explain(name, err)
	}
	if out.ETag == nil { // every service has one: something else has answered
		return "", b.explain(name, errNoTag)
	}
	return strings.Trim(*out.ETag, `"`), nil
}

var errNoTag = errors.New("the answer to PutObject has no entity tag")

// checksum is the MD5 of a body in base64, by which S3 sees whether all of it came. A body that S3 takes in one
// piece only is the largest.
func checksum(body io.ReadSeeker) (*string, error) {
	sum := md5.New() //nolint:gosec // see the import
	n, err := io.Copy(sum, body)
	if err == nil {
		_, err = body.Seek(-n, io.SeekCurrent)
	}
	if err == nil && n > putMaxBytes {
		err = fmt.Errorf("%w: an object of %d bytes; it takes %d at once", objects.ErrRefused, n, int64(putMaxBytes))
	}
	return aws.String(base64.StdEncoding.EncodeToString(sum.Sum(nil))), err
}

func (b *Bucket) putInput(name string, body io.ReadSeeker) *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket: &b.name, Key: aws.String(b.prefix + name), Body: body, ExpectedBucketOwner: b.owner,
	}
}

// Create puts an object unless its name is taken, which is fs.ErrExist, as far as the service can tell.
func (b *Bucket) Create(ctx context.Context, name string, body io.ReadSeeker) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	in := b.putInput(name, body)
	if !b.plain.Load() {
		in.IfNoneMatch = aws.String("*")
	} else if err := b.vacant(ctx, name); err != nil {
		return err
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
		return b.Create(ctx, name, body)
	}
	return b.explain(name, err)
}

// vacant looks whether a name is taken, as well as one can without conditions.
func (b *Bucket) vacant(ctx context.Context, name string) error {
	_, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &b.name, Key: aws.String(b.prefix + name), ExpectedBucketOwner: b.owner,
	})
	switch {
	case err == nil:
		return b.explain(name, fs.ErrExist)
	case status(err) == http.StatusNotFound:
		return nil
	}
	return b.explain(name, err)
}

// body ends a request that sends nothing for a while, and the request when it is closed.
type body struct {
	io.ReadCloser
	idle   *time.Timer
	cancel context.CancelFunc
}

func (b body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.idle.Reset(callTimeout)
	return n, err
}

func (b body) Close() error {
	defer b.cancel()
	b.idle.Stop()
	return b.ReadCloser.Close()
}

// Get implements objects.Store.
func (b *Bucket) Get(ctx context.Context, name, version string, from int64) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	idle := time.AfterFunc(callTimeout, cancel)
	in := &s3.GetObjectInput{Bucket: &b.name, Key: aws.String(b.prefix + name), ExpectedBucketOwner: b.owner}
	if version != "" {
		in.IfMatch = aws.String(`"` + version + `"`)
	}
	if from > 0 {
		in.Range = aws.String("bytes=" + strconv.FormatInt(from, 10) + "-")
	}
	out, err := b.client.GetObject(ctx, in)
	if err == nil {
		return body{out.Body, idle, cancel}, nil
	}
	idle.Stop()
	cancel()
	api, _ := errors.AsType[smithy.APIError](err)
	switch {
	case api != nil && api.ErrorCode() == codeNoBucket:
	case status(err) == http.StatusRequestedRangeNotSatisfiable: // at the end
		return io.NopCloser(strings.NewReader("")), nil
	case status(err) == http.StatusNotFound:
		err = fs.ErrNotExist
	case status(err) == http.StatusPreconditionFailed:
		err = objects.ErrChanged
	}
	return nil, b.explain(name, err)
}

// List implements objects.Store.
func (b *Bucket) List(ctx context.Context, prefix string, limit int) ([]objects.Info, error) {
	return b.list(ctx, prefix, "", limit)
}

// After returns all names that begin with prefix and come after the name after, sorted.
func (b *Bucket) After(ctx context.Context, prefix, after string) ([]string, error) {
	list, err := b.list(ctx, prefix, after, -1)
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names, err
}

// All returns all objects whose names begin with prefix, sorted.
func (b *Bucket) All(ctx context.Context, prefix string) ([]objects.Info, error) {
	return b.list(ctx, prefix, "", -1)
}

// Delete removes objects, one by one: not every service can delete many at once. One that is not there is no
// error.
func (b *Bucket) Delete(ctx context.Context, names ...string) error {
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

func (b *Bucket) remove(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{
		Bucket: &b.name, Key: aws.String(b.prefix + name), ExpectedBucketOwner: b.owner,
	})
	if err == nil || status(err) == http.StatusNotFound {
		return nil
	}
	return b.explain(name, err)
}

// list returns up to limit objects, or all for one below zero.
func (b *Bucket) list(ctx context.Context, prefix, after string, limit int) ([]objects.Info, error) {
	in := &s3.ListObjectsV2Input{Bucket: &b.name, Prefix: aws.String(b.prefix + prefix), ExpectedBucketOwner: b.owner}
	if after != "" {
		in.StartAfter = aws.String(b.prefix + after)
	}
	var found []objects.Info
	for pages := s3.NewListObjectsV2Paginator(b.client, in); pages.HasMorePages() && (limit < 0 || len(found) < limit); {
		page, err := b.page(ctx, pages)
		if err != nil {
			return nil, b.explain(prefix, err)
		}
		for _, o := range page.Contents {
			found = append(found, objects.Info{
				Name: strings.TrimPrefix(aws.ToString(o.Key), b.prefix),
				Size: aws.ToInt64(o.Size), Version: strings.Trim(aws.ToString(o.ETag), `"`),
			})
		}
	}
	slices.SortFunc(found, func(a, b objects.Info) int { return strings.Compare(a.Name, b.Name) })
	if limit >= 0 && len(found) > limit {
		found = found[:limit]
	}
	return found, nil
}

func (b *Bucket) page(ctx context.Context, pages *s3.ListObjectsV2Paginator) (*s3.ListObjectsV2Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return pages.NextPage(ctx)
}
