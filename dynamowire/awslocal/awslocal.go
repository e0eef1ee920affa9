// Package awslocal lets the AWS SDK for Go v2 talk to a database in the same process: no port, no
// container, no network. Tests of a program that uses DynamoDB run against the real SDK and the real
// engine:
//
//	func TestOrders(t *testing.T) {
//		local := awslocal.New(t)
//		store := orders.NewStore(local.Client) // takes a *dynamodb.Client
//		…
//	}
//
// Config does the same for any database. Requests and answers are those of the wire, so validation,
// error texts, paging and limits are what a server on a port has; only signatures are left out. What the
// transport saves is told by BenchmarkGetItem.
//
// The package does not import testing, so that programs may use it as well. Clients in other languages
// and tools need a port: NewServer, or Local.URL.
package awslocal

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodbstreams"

	"github.com/keystone-db/kstone/dynamowire"
	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/api"
)

// What configurations say that is not looked at by anybody.
const (
	endpoint = "http://awslocal"
	nobody   = "awslocal"
)

// Config is a configuration for clients of DynamoDB and of DynamoDB Streams whose calls go to svc, which
// is an *engine.DB or another service of the contract. It reads neither environment nor files. The
// region is us-east-1; it may be changed, as everything else, and does not change the ARNs, which are
// svc's. Clients may be used by many goroutines; svc must be open as long.
func Config(svc api.Service) aws.Config {
	return aws.Config{
		Region:       engine.DefaultRegion,
		BaseEndpoint: aws.String(endpoint),
		HTTPClient:   NewTransport(svc),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: nobody, SecretAccessKey: nobody, Source: nobody}, nil
		}),
		ServiceOptions: []func(string, any){unsigned},
	}
}

// unsigned keeps clients from computing signatures that nobody checks.
func unsigned(_ string, options any) {
	switch o := options.(type) {
	case *dynamodb.Options:
		o.HTTPSignerV4 = noSigner{}
	case *dynamodbstreams.Options:
		o.HTTPSignerV4 = noSigner{}
	}
}

// noSigner puts the form of a signature where the door looks for one.
type noSigner struct{}

// SignHTTP never fails.
func (noSigner) SignHTTP(
	_ context.Context, _ aws.Credentials, r *http.Request, _, _, _ string, _ time.Time, _ ...func(*v4.SignerOptions),
) error {
	r.Header["X-Amz-Date"] = []string{"20000101T000000Z"}
	r.Header["Authorization"] = []string{"AWS4-HMAC-SHA256 Credential=awslocal/20000101/us-east-1/dynamodb/aws4_request, " +
		"SignedHeaders=host;x-amz-date, Signature=none"}
	return nil
}

func newHandler(svc api.Service) http.Handler {
	return dynamowire.NewHandler(svc, dynamowire.Options{
		Clock: time.Now, //nolint:clock // whoever wires a door to a database gives it the time
	})
}
