// Package datastreams delivers the changes of tables to Kinesis data streams, to a service that speaks as
// Kinesis does, or to files.
//
// It speaks the two calls that it needs itself, with the signer of the AWS SDK: the SDK's own client of Kinesis
// would make the program larger by more than all of this.
package datastreams

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/keystone-db/kstone/engine"
	"github.com/keystone-db/kstone/engine/kinesis"
)

const (
	// callTimeout bounds one request, of 5 MB at most.
	callTimeout = 30 * time.Second
	// answerBytesMax bounds an answer: 500 results of some hundred bytes.
	answerBytesMax = 4 << 20

	service      = "kinesis"
	targetPrefix = "Kinesis_20131202."
	contentType  = "application/x-amz-json-1.1"
)

// Client writes to data streams of Kinesis. It implements engine.DataStreams.
type Client struct {
	// endpoint is a URL; empty for that of AWS in the region of a data stream.
	endpoint    string
	credentials aws.CredentialsProvider
	signer      *v4.Signer
	http        *http.Client
	// wait waits before records are sent again.
	wait func(ctx context.Context, attempt int) error
}

// New makes a client. Access comes as AWS tools find it: environment, profile, instance. An endpoint is the URL
// of another service than AWS; empty leaves it to AWS_ENDPOINT_URL_KINESIS and the profile.
func New(ctx context.Context, endpoint string) (*Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	if endpoint == "" {
		endpoint = os.Getenv("AWS_ENDPOINT_URL_KINESIS")
	}
	if endpoint == "" && cfg.BaseEndpoint != nil {
		endpoint = *cfg.BaseEndpoint
	}
	return of(endpoint, cfg.Credentials), nil
}

func of(endpoint string, credentials aws.CredentialsProvider) *Client {
	return &Client{
		endpoint: strings.TrimRight(endpoint, "/"), credentials: credentials, signer: v4.NewSigner(),
		http: &http.Client{Timeout: callTimeout}, wait: backOff,
	}
}

// stream names a data stream in requests, in both ways, since some services know one of them only.
type stream struct {
	StreamARN  string `json:"StreamARN"`
	StreamName string `json:"StreamName"`
	region     string
}

func streamOf(arn string) (stream, error) {
	region, name, ok := kinesis.ParseARN(arn)
	if !ok {
		return stream{}, fmt.Errorf("%q: %w", arn, engine.ErrNoDataStream)
	}
	return stream{StreamARN: arn, StreamName: name, region: region}, nil
}

// refusal is an answer that says no.
type refusal struct {
	status     int
	kind, text string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("kinesis: %d %s: %s", r.status, r.kind, r.text)
}

// Check implements engine.DataStreams.
func (c *Client) Check(ctx context.Context, arn string) error {
	s, err := streamOf(arn)
	if err != nil {
		return err
	}
	var out struct {
		StreamDescriptionSummary struct{ StreamStatus string }
	}
	err = c.call(ctx, s, "DescribeStreamSummary", s, &out)
	if r, ok := errors.AsType[*refusal](err); ok {
		switch {
		case r.kind == "ResourceNotFoundException", r.kind == "AccessDeniedException", r.kind == "InvalidArgumentException":
			return fmt.Errorf("%w: %w", engine.ErrNoDataStream, err)
		}
	}
	if err != nil {
		return err
	}
	switch status := out.StreamDescriptionSummary.StreamStatus; status {
	case "ACTIVE", "UPDATING":
		return nil
	default:
		return fmt.Errorf("%s is %q: %w", arn, status, engine.ErrDataStreamNotActive)
	}
}

// call makes one signed request.
func (c *Client) call(ctx context.Context, s stream, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("kinesis: %w", err)
	}
	url := c.endpoint
	if url == "" {
		url = "https://kinesis." + s.region + ".amazonaws.com"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("kinesis: %w", err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("X-Amz-Target", targetPrefix+operation)
	credentials, err := c.credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("kinesis: no access key (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY): %w", err)
	}
	sum := sha256.Sum256(body)
	if err := c.signer.SignHTTP(ctx, credentials, req, hex.EncodeToString(sum[:]), service, s.region, time.Now()); err != nil {
		return fmt.Errorf("kinesis: %w", err)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("kinesis: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, answerBytesMax))
	if err != nil {
		return fmt.Errorf("kinesis: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return refused(answer.StatusCode, text)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("kinesis: the answer to %s: %w", operation, err)
	}
	return nil
}

// shownBytes is how much of an answer that is no JSON an error shows.
const shownBytes = 200

func refused(status int, text []byte) error {
	var body struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &body) != nil || body.Type == "" {
		body.Message = string(text[:min(len(text), shownBytes)])
	}
	kind := body.Type[strings.LastIndex(body.Type, "#")+1:]
	return &refusal{status: status, kind: kind, text: body.Message}
}
