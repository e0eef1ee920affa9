package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Options of a client. The zero value is the default: no TLS, no credentials.
type Options struct {
	// TLS is how connections are encrypted; nil: they are not. A certificate in it is shown to servers
	// that ask for one (mTLS).
	TLS *tls.Config
	// AccessKey and SecretKey, both or none, are sent with every call, and SessionToken where they have
	// one.
	AccessKey, SecretKey, SessionToken string
	// PlaintextSecret permits to send them without TLS, where everybody on the way can read them. Servers
	// take them so from their own machine only.
	PlaintextSecret bool
	// MessageMaxBytes bounds an answer, or a part of one that comes in parts: DefaultMessageMaxBytes.
	MessageMaxBytes int
	// Tries bounds how often a call is made, the first time included: 8. With 1 nothing is made again, no
	// feed goes on over a broken connection, and transactions get no token.
	Tries int
	// WriteOnce leaves it at one try where that may have been done, also for puts and deletes that say
	// the same a second time. See the table of the package.
	WriteOnce bool
	// Wait pauses before a call is repeated; it returns early with the context's error when that ends.
	// Default is a timer that does not begin when the context's deadline comes first.
	Wait func(ctx context.Context, d time.Duration) error
	// Rand gives tokens of transactions and lengths of waits: crypto/rand. It is read by one goroutine
	// at a time.
	Rand io.Reader
	// Dial is passed on to grpc.NewClient, behind the client's own options.
	Dial []grpc.DialOption
}

// DefaultMessageMaxBytes takes the largest answer there is, 16 MB of items in BatchGetItem, also when the
// items are many and small, whose form is several times as long as their size.
const DefaultMessageMaxBytes = 128 << 20

// Pings find connections that broke in silence, as under a feed that waits for changes.
const (
	pingEvery   = 60 * time.Second
	pingTimeout = 20 * time.Second
)

// How soon a connection that failed is tried again. Calls fail at once meanwhile, so these waits go with
// those between tries.
const (
	connectWaitFirst  = 50 * time.Millisecond
	connectWaitLast   = 3 * time.Second
	connectWaitFactor = 1.6
	connectWaitJitter = 0.2
	connectTimeout    = 10 * time.Second
)

func (o Options) withDefaults() Options {
	if o.MessageMaxBytes == 0 {
		o.MessageMaxBytes = DefaultMessageMaxBytes
	}
	if o.Tries == 0 {
		o.Tries = triesDefault
	}
	if o.Wait == nil {
		o.Wait = wait
	}
	return o
}

func (o Options) check() error {
	var faults []error
	if (o.AccessKey == "") != (o.SecretKey == "") {
		faults = append(faults, errors.New("an access key needs a secret key, and the other way round"))
	}
	if o.SessionToken != "" && o.AccessKey == "" {
		faults = append(faults, errors.New("a session token needs an access key"))
	}
	if o.AccessKey != "" && o.TLS == nil && !o.PlaintextSecret {
		faults = append(faults, errors.New("a secret key is not sent without TLS, unless PlaintextSecret is set"))
	}
	if o.MessageMaxBytes < 0 {
		faults = append(faults, fmt.Errorf("a message cannot have at most %d bytes", o.MessageMaxBytes))
	}
	if o.Tries < 0 {
		faults = append(faults, fmt.Errorf("a call cannot be tried %d times", o.Tries))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	return nil
}

func (o Options) dial() []grpc.DialOption {
	transport := insecure.NewCredentials()
	if o.TLS != nil {
		transport = credentials.NewTLS(o.TLS)
	}
	dial := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithUserAgent(userAgent),
		grpc.WithDisableRetry(), // what may be repeated is decided here
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(o.MessageMaxBytes)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingEvery, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: connectWaitFirst, MaxDelay: connectWaitLast,
				Multiplier: connectWaitFactor, Jitter: connectWaitJitter,
			},
			MinConnectTimeout: connectTimeout,
		}),
	}
	if o.AccessKey != "" {
		k := keys{needTLS: !o.PlaintextSecret, metadata: map[string]string{
			metadataAccessKey: o.AccessKey, metadataSecretKey: o.SecretKey,
		}}
		if o.SessionToken != "" {
			k.metadata[metadataSessionToken] = o.SessionToken
		}
		dial = append(dial, grpc.WithPerRPCCredentials(k))
	}
	return append(dial, o.Dial...)
}

const userAgent = "kstone-client"

// Metadata of authentication, as package grpcapi has it.
const (
	metadataAccessKey    = "x-kstone-access-key"
	metadataSecretKey    = "x-kstone-secret-key"
	metadataSessionToken = "x-kstone-session-token"
)

// keys sends an access key with every call.
type keys struct {
	metadata map[string]string
	needTLS  bool
}

// GetRequestMetadata is what goes with a call.
func (k keys) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return k.metadata, nil
}

// RequireTransportSecurity says whether the keys may go over TLS only.
func (k keys) RequireTransportSecurity() bool { return k.needTLS }
